// Does: tags on every EC2 resource: at creation, and by CreateTags, DeleteTags, DescribeTags.
// Gaps: images, snapshots and network interfaces carry no tags here.
// Source: EC2 User Guide "Tag your Amazon EC2 resources" (limits); EC2 API Reference CreateTags, DeleteTags, DescribeTags.
import type { World } from '../../cloud.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams, QueryService, Xml } from '../../wire/call.ts';
import { dryRun, objects, required, text, texts } from './params.ts';
import { ec2Tables } from './rows.ts';
import { filterRows, page } from './select.ts';

const LONGEST_KEY = 128;
const LONGEST_VALUE = 256;
const MOST_TAGS = 50;

function checkTag(key: string, value: string): void {
  if (key === '') throw new AwsFault('InvalidParameterValue', 'Tag key cannot be empty.');
  if (/^aws:/i.test(key)) throw new AwsFault('InvalidParameterValue', "Tag keys starting with 'aws:' are reserved for internal use");
  if (key.length > LONGEST_KEY) throw new AwsFault('InvalidParameterValue', `Tag key exceeds the maximum length of ${LONGEST_KEY} characters`);
  if (value.length > LONGEST_VALUE) throw new AwsFault('InvalidParameterValue', `Tag value exceeds the maximum length of ${LONGEST_VALUE} characters`);
}

function readTags(list: QueryParams[]): Record<string, string> {
  const tags: Record<string, string> = {};
  for (const entry of list) {
    const key = text(entry, 'Key') ?? '';
    if (Object.hasOwn(tags, key)) throw new AwsFault('InvalidParameterValue', `Duplicate tag key '${key}' specified.`);
    const value = text(entry, 'Value') ?? '';
    checkTag(key, value);
    tags[key] = value;
  }
  if (Object.keys(tags).length > MOST_TAGS) throw new AwsFault('TagLimitExceeded', `The maximum number of Tags for a resource has been reached.`);
  return tags;
}

/** TagSpecification.N of a creating call: resource type to tags. */
export function readTagSpecifications(params: QueryParams, allowed: string[]): Record<string, Record<string, string>> {
  const result: Record<string, Record<string, string>> = {};
  for (const specification of objects(params, 'TagSpecification')) {
    const type = required(specification, 'ResourceType');
    if (!allowed.includes(type)) throw new AwsFault('InvalidParameterValue', `'${type}' is not a valid taggable resource type for this operation.`);
    if (result[type]) throw new AwsFault('InvalidParameterValue', 'The same resource type may not be specified more than once in tag specifications');
    result[type] = readTags(objects(specification, 'Tag'));
  }
  return result;
}

/** A volume that is being deleted takes no tags any more. */
function isGone(row: object): boolean {
  return 'deletingUntil' in row && row.deletingUntil !== undefined;
}

interface Taggable {
  id: string;
  type: string;
  region: string;
  tags: Record<string, string>;
  put(tags: Record<string, string>): void;
}

function taggables(world: World, region: string): Taggable[] {
  const tables = ec2Tables(world);
  const all: Taggable[] = [];
  const add = <Row extends { region: string; tags: Record<string, string> }>(table: { entries(): [string, Row][]; put(key: string, row: Row): void }, type: string, idOf: (row: Row) => string): void => {
    for (const [key, row] of table.entries()) {
      if (row.region !== region || isGone(row)) continue;
      all.push({
        id: idOf(row),
        type,
        region,
        tags: row.tags,
        // In place: a state change that is waiting holds the same row.
        put(tags) {
          row.tags = tags;
          table.put(key, row);
        },
      });
    }
  };
  add(tables.instances, 'instance', (row) => row.instanceId);
  add(tables.volumes, 'volume', (row) => row.volumeId);
  add(tables.snapshots, 'snapshot', (row) => row.snapshotId);
  add(tables.vpcs, 'vpc', (row) => row.vpcId);
  add(tables.subnets, 'subnet', (row) => row.subnetId);
  add(tables.groups, 'security-group', (row) => row.groupId);
  add(tables.keys, 'key-pair', (row) => row.keyPairId);
  add(tables.spotRequests, 'spot-instances-request', (row) => row.requestId);
  add(tables.templates, 'launch-template', (row) => row.templateId);
  add(tables.fleets, 'fleet', (row) => row.fleetId);
  return all;
}

const NOT_FOUND: Record<string, string> = {
  i: 'InvalidInstanceID.NotFound',
  vol: 'InvalidVolume.NotFound',
  snap: 'InvalidSnapshot.NotFound',
  vpc: 'InvalidVpcID.NotFound',
  subnet: 'InvalidSubnetID.NotFound',
  sg: 'InvalidGroup.NotFound',
  key: 'InvalidKeyPair.NotFound',
  sir: 'InvalidSpotInstanceRequestID.NotFound',
  lt: 'InvalidLaunchTemplateId.NotFound',
  fleet: 'InvalidFleetId.NotFound',
};

function findResources(world: World, region: string, params: QueryParams): Taggable[] {
  const ids = texts(params, 'ResourceId');
  if (ids.length === 0) throw new AwsFault('MissingParameter', 'The request must contain the parameter resourceIdSet');
  const known = new Map(taggables(world, region).map((resource) => [resource.id, resource]));
  return ids.map((id) => {
    const found = known.get(id);
    if (found) return found;
    const prefix = /^([a-z]+)-/.exec(id)?.[1] ?? '';
    throw new AwsFault(NOT_FOUND[prefix] ?? 'InvalidID', NOT_FOUND[prefix] ? `The ID '${id}' does not exist` : `The ID '${id}' is not valid`);
  });
}

export const tagOperations: QueryService['operations'] = {
  CreateTags(params, { cloud, region }): Xml {
    const resources = findResources(cloud.world, region, params);
    const tags = readTags(objects(params, 'Tag'));
    if (Object.keys(tags).length === 0) throw new AwsFault('MissingParameter', 'The request must contain the parameter tagSet');
    const merged = resources.map((resource) => ({ resource, tags: { ...resource.tags, ...tags } }));
    if (merged.some((entry) => Object.keys(entry.tags).length > MOST_TAGS)) throw new AwsFault('TagLimitExceeded', 'The maximum number of Tags for a resource has been reached.');
    dryRun(params);
    for (const entry of merged) entry.resource.put(entry.tags);
    return { return: true };
  },

  DeleteTags(params, { cloud, region }): Xml {
    const resources = findResources(cloud.world, region, params);
    const wanted = objects(params, 'Tag').map((tag) => ({ key: required(tag, 'Key'), value: typeof tag['Value'] === 'string' ? tag['Value'] : undefined }));
    dryRun(params);
    for (const resource of resources) {
      // Without a list all tags go; with a value only a tag that has it.
      const left = Object.entries(resource.tags).filter(
        ([key, value]) => wanted.length > 0 && !wanted.some((tag) => tag.key === key && (tag.value === undefined || tag.value === value)),
      );
      resource.put(Object.fromEntries(left));
    }
    return { return: true };
  },

  DescribeTags(params, { cloud, region }): Xml {
    const rows = taggables(cloud.world, region).flatMap(({ id, type, tags }) => Object.entries(tags).map(([key, value]) => ({ id, type, key, value })));
    const matching = filterRows(rows, params, {
      'resource-id': (row) => row.id,
      'resource-type': (row) => row.type,
      key: (row) => row.key,
      value: (row) => row.value,
    });
    const { rows: shown, nextToken } = page(matching, params, (row) => `${row.id} ${row.key}`, { least: 5, most: 1000 });
    return { tagSet: { item: shown.map((row) => ({ resourceId: row.id, resourceType: row.type, key: row.key, value: row.value })) }, nextToken };
  },
};
