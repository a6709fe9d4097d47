// Does: RequestSpotInstances, DescribeSpotInstanceRequests, CancelSpotInstanceRequests.
// Gaps: launch groups, availability zone groups, start dates; DescribeSpotDatafeedSubscription and Spot Fleet are not there.
// By design: a request that is closed, cancelled or failed, and whose instance is gone, can be seen for four hours.
// Source: EC2 API Reference of the three calls; element names from botocore's model of API version 2016-11-15.
import type { Cloud } from '../../cloud.ts';
import { usdText } from '../../market/pools.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams, QueryService, Xml } from '../../wire/call.ts';
import { readLaunch } from './launch-request.ts';
import { dryRun, isoTime, missing, object, text, texts, whole } from './params.ts';
import { tagSet } from './render-instance.ts';
import { ec2Tables } from './rows.ts';
import type { SpotRequestRow } from './market-rows.ts';
import { launchAgain } from './run-instances.ts';
import { filterRows, page } from './select.ts';
import type { SpotRequests } from './spot-requests.ts';
import { newSpotStatus } from './spot-status.ts';
import { readLegacyTerms } from './spot-terms.ts';
import { readTagSpecifications } from './tags.ts';
import { spotCountExceeded, vcpuRoom } from './vcpu-quota.ts';

const SEEN_AFTER_END_MS = 4 * 3_600_000;
const PAGE_LIMITS = { least: 5, most: 1000 };
const PRODUCT = 'Linux/UNIX';

function isVisible(cloud: Cloud, row: SpotRequestRow): boolean {
  if (row.state === 'open' || row.state === 'active' || row.state === 'disabled') return true;
  const instance = row.instanceId === undefined ? undefined : ec2Tables(cloud.world).instances.get(row.instanceId);
  if (instance && instance.state !== 'terminated') return true;
  const endedAt = Math.max(row.status.at, instance?.stateSince ?? 0);
  return cloud.clock.now() <= endedAt + SEEN_AFTER_END_MS;
}

function requestsIn(cloud: Cloud, region: string): SpotRequestRow[] {
  return ec2Tables(cloud.world).spotRequests.values().filter((row) => row.region === region && isVisible(cloud, row));
}

function findRequests(cloud: Cloud, region: string, ids: string[]): SpotRequestRow[] {
  const bad = ids.find((id) => !/^sir-[0-9a-z]{8,17}$/.test(id));
  if (bad !== undefined) throw new AwsFault('InvalidSpotInstanceRequestID.Malformed', `Invalid id: "${bad}" (expecting "sir-...")`);
  const here = requestsIn(cloud, region);
  return [...new Set(ids)].map((id) => {
    const found = here.find((row) => row.requestId === id);
    if (!found) throw new AwsFault('InvalidSpotInstanceRequestID.NotFound', `The spot instance request ID '${id}' does not exist`);
    return found;
  });
}

function requestXml(row: SpotRequestRow): Xml {
  const launch = row.launch;
  const profile = object(launch, 'IamInstanceProfile');
  const placement = object(launch, 'Placement');
  const card = object(launch, 'NetworkInterface');
  return {
    spotInstanceRequestId: row.requestId,
    spotPrice: usdText(row.maxMicroUsdPerHour),
    type: row.type,
    state: row.state,
    fault: row.fault && { code: row.fault.code, message: row.fault.message },
    status: { code: row.status.code, updateTime: isoTime(row.status.at), message: row.status.message },
    validUntil: row.validUntil === undefined ? undefined : isoTime(row.validUntil),
    launchSpecification: {
      imageId: text(launch, 'ImageId'),
      keyName: text(launch, 'KeyName'),
      groupSet: { item: [...texts(launch, 'SecurityGroupId'), ...(card ? texts(card, 'SecurityGroupId') : [])].map((groupId) => ({ groupId })) },
      instanceType: row.instanceType,
      placement: placement && { availabilityZone: text(placement, 'AvailabilityZone') },
      subnetId: text(launch, 'SubnetId') ?? (card && text(card, 'SubnetId')),
      iamInstanceProfile: profile && { arn: text(profile, 'Arn'), name: text(profile, 'Name') },
      monitoring: { enabled: text(object(launch, 'Monitoring') ?? {}, 'Enabled') === 'true' },
    },
    instanceId: row.instanceId,
    createTime: isoTime(row.createdAt),
    productDescription: PRODUCT,
    launchedAvailabilityZone: row.zone,
    instanceInterruptionBehavior: row.behavior,
    tagSet: tagSet(row.tags),
  };
}

/** A launch specification as parameters of RunInstances for one instance. */
function launchOf(params: QueryParams): QueryParams {
  const specification = object(params, 'LaunchSpecification');
  if (!specification) throw missing('LaunchSpecification');
  return launchAgain(specification);
}

function open(cloud: Cloud, region: string, params: QueryParams): SpotRequestRow[] {
  const now = cloud.clock.now();
  const launch = launchOf(params);
  // The type alone settles which prices there are; all the rest is checked with the terms.
  const draft = readLaunch(cloud.world, region, launch, now);
  const terms = readLegacyTerms(params, draft.type, region, now);
  const { 'spot-instances-request': tags = {} } = readTagSpecifications(params, ['spot-instances-request']);
  const count = whole(params, 'InstanceCount') ?? 1;
  if (count < 1) throw new AwsFault('InvalidParameterValue', `Value (${count}) for parameter instanceCount is invalid. Expected a positive number.`);
  const room = vcpuRoom(cloud, region, draft.type.name, 'spot');
  if (room && room.left < count * draft.type.vcpus) throw spotCountExceeded();
  dryRun(params);
  return Array.from({ length: count }, (): SpotRequestRow => ({
    requestId: cloud.world.newId('sir'),
    region,
    type: terms.type,
    state: 'open',
    status: newSpotStatus('pending-evaluation', now),
    maxMicroUsdPerHour: terms.maxMicroUsdPerHour,
    behavior: terms.behavior,
    createdAt: now,
    validUntil: terms.validUntil,
    instanceType: draft.type.name,
    launch,
    tags: { ...tags },
  }));
}

export function spotOperations(spot: SpotRequests): QueryService['operations'] {
  return {
    RequestSpotInstances(params, { cloud, region }): Xml {
      const tokens = cloud.world.table<{ requestIds: string[] }>('ec2.spot-tokens');
      const { spotRequests } = ec2Tables(cloud.world);
      const token = text(params, 'ClientToken');
      const earlier = token === undefined ? undefined : tokens.get(`${region}/${token}`);
      let rows = earlier?.requestIds.map((id) => spotRequests.get(id)).filter((row) => row !== undefined);
      if (!rows) {
        rows = open(cloud, region, params);
        for (const row of rows) {
          spotRequests.put(row.requestId, row);
          spot.opened(row);
        }
        if (token !== undefined) tokens.put(`${region}/${token}`, { requestIds: rows.map((row) => row.requestId) });
      }
      return { spotInstanceRequestSet: { item: rows.map(requestXml) } };
    },

    DescribeSpotInstanceRequests(params, { cloud, region }): Xml {
      const ids = texts(params, 'SpotInstanceRequestId');
      if (ids.length > 0 && params['MaxResults'] !== undefined) {
        throw new AwsFault('InvalidParameterCombination', 'The parameter spotInstanceRequestIds cannot be used with the parameter maxResults');
      }
      const rows = ids.length > 0 ? findRequests(cloud, region, ids) : requestsIn(cloud, region);
      const matching = filterRows(
        rows,
        params,
        {
          'spot-instance-request-id': (row) => row.requestId,
          state: (row) => row.state,
          'status-code': (row) => row.status.code,
          'status-message': (row) => row.status.message,
          'fault-code': (row) => row.fault?.code,
          'fault-message': (row) => row.fault?.message,
          'instance-id': (row) => row.instanceId,
          type: (row) => row.type,
          'spot-price': (row) => usdText(row.maxMicroUsdPerHour),
          'create-time': (row) => isoTime(row.createdAt),
          'valid-until': (row) => (row.validUntil === undefined ? undefined : isoTime(row.validUntil)),
          'launched-availability-zone': (row) => row.zone,
          'launch.image-id': (row) => text(row.launch, 'ImageId'),
          'launch.instance-type': (row) => row.instanceType,
          'launch.key-name': (row) => text(row.launch, 'KeyName'),
          'product-description': () => PRODUCT,
        },
        (row) => row.tags,
      );
      dryRun(params);
      const { rows: shown, nextToken } = page(matching, params, (row) => `${String(row.createdAt).padStart(15, '0')} ${row.requestId}`, PAGE_LIMITS);
      return { spotInstanceRequestSet: { item: shown.map(requestXml) }, nextToken };
    },

    CancelSpotInstanceRequests(params, { cloud, region }): Xml {
      const ids = texts(params, 'SpotInstanceRequestId');
      if (ids.length === 0) throw missing('SpotInstanceRequestId');
      const rows = findRequests(cloud, region, ids);
      dryRun(params);
      for (const row of rows) spot.cancel(row);
      return { spotInstanceRequestSet: { item: rows.map((row) => ({ spotInstanceRequestId: row.requestId, state: row.state })) } };
    },
  };
}
