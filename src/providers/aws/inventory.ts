// Everything of runctl in an account: regions side by side, each kind page by page, so that only what was kept is in memory. What
// the cloud can sort out by tags never travels. Not here: whose a thing is in the end (core/ownership.ts), prices (prices.ts).
import type { Filter } from '@aws-sdk/client-ec2';
import { RunctlError } from '../../core/errors.ts';
import type { InventoryEnd, InventoryRequest, Item, ItemKind } from '../../core/inventory.ts';
import type { MachineState } from '../../core/machine.ts';
import { OWN_TAG, isOurs } from '../../core/ownership.ts';
import { requireBucket } from './buckets.ts';
import type { AwsApi, CallOptions } from './clients.ts';
import { toObject, toSnapshot, toSpotRequest, toVolume, tagsOf } from './inventory-items.ts';
import { toMachine } from './machines.ts';

/** Regions asked at the same time; each asks for its kinds at once. */
const REGIONS_AT_ONCE = 8;
/** Most rows of one answer (EC2 API Reference; DescribeVolumes takes 500). */
const PAGE = { instances: 1000, volumes: 500, others: 1000 } as const;
const NOT_TERMINATED: MachineState[] = ['pending', 'running', 'stopping', 'stopped', 'shutting-down'];
/** Where code and results pass through the bucket. */
const OBJECT_PREFIX = 'runctl/';

interface Search {
  api: AwsApi;
  wanted: InventoryRequest;
  visit: (item: Item) => void;
  end: InventoryEnd;
}

export async function takeInventory(api: AwsApi, wanted: InventoryRequest, visit: (item: Item) => void, signal?: AbortSignal): Promise<InventoryEnd> {
  const home = await api.region();
  const end: InventoryEnd = { home, regions: [], failed: [], foreign: {} };
  const search: Search = { api, wanted, visit, end };
  const asked = wanted.regions === 'all' ? await enabledRegions(api, signal) : [...new Set([...(wanted.regions ?? [home]), ...(wanted.also ?? [])])];
  const failures: unknown[] = [];
  const attempt = async (region: string, kind: ItemKind, work: () => Promise<void>): Promise<boolean> => {
    try {
      await work();
      return true;
    } catch (error) {
      // Without credentials nothing else can be asked either; a bug is no answer of a region.
      if (!(error instanceof RunctlError) || signal?.aborted || error.code === 'credentials-missing') throw error;
      failures.push(error);
      end.failed.push({ region, kind, reason: error.message });
      return false;
    }
  };
  const inRegion = async (region: string): Promise<void> => {
    const call: CallOptions = { signal, region };
    const answered = await Promise.all(wanted.kinds.flatMap((kind) => {
      const look = LOOKS[kind];
      return look ? [attempt(region, kind, () => look(search, region, call))] : [];
    }));
    if (answered.some(Boolean)) end.regions.push(region);
  };
  const queue = [...asked];
  const workers = Array.from({ length: Math.min(REGIONS_AT_ONCE, queue.length) }, async () => {
    for (let region = queue.shift(); region !== undefined; region = queue.shift()) await inRegion(region);
  });
  const { bucket } = wanted;
  const objects = bucket !== undefined && wanted.kinds.includes('object') ? attempt(home, 'object', () => lookAtObjects(search, bucket, signal)) : undefined;
  await Promise.all([...workers, objects]);
  // Nobody answered at all: that is no empty account.
  if (end.regions.length === 0 && failures.length > 0) throw failures[0];
  end.regions.sort();
  return end;
}

async function enabledRegions(api: AwsApi, signal?: AbortSignal): Promise<string[]> {
  // Without AllRegions only those that the account has enabled.
  const answer = await api.ec2('DescribeRegions', {}, { signal });
  return (answer.Regions ?? []).flatMap((region) => (region.RegionName ? [region.RegionName] : []));
}

type Look = (search: Search, region: string, call: CallOptions) => Promise<void>;

const LOOKS: Partial<Record<ItemKind, Look>> = {
  machine: lookAtMachines,
  volume: (search, region, call) =>
    pages((NextToken) => search.api.ec2('DescribeVolumes', { Filters: ownFilters(search.wanted), MaxResults: PAGE.volumes, NextToken }, call), ({ Volumes }) => {
      for (const volume of Volumes ?? []) search.visit(toVolume(volume, region));
    }),
  snapshot: (search, region, call) =>
    pages((NextToken) => search.api.ec2('DescribeSnapshots', { OwnerIds: ['self'], Filters: ownFilters(search.wanted), MaxResults: PAGE.others, NextToken }, call), ({ Snapshots }) => {
      for (const snapshot of Snapshots ?? []) search.visit(toSnapshot(snapshot, region));
    }),
  'spot-request': (search, region, call) =>
    pages((NextToken) => search.api.ec2('DescribeSpotInstanceRequests', { Filters: [...ownFilters(search.wanted), { Name: 'state', Values: ['open', 'active'] }], MaxResults: PAGE.others, NextToken }, call), ({ SpotInstanceRequests }) => {
      for (const request of SpotInstanceRequests ?? []) search.visit(toSpotRequest(request, region));
    }),
};

async function lookAtMachines({ api, wanted, visit, end }: Search, region: string, call: CallOptions): Promise<void> {
  const own = wanted.foreign ? [] : ownFilters(wanted);
  const type: Filter[] = wanted.type === undefined || wanted.foreign ? [] : [{ Name: 'instance-type', Values: [wanted.type] }];
  const Filters = [...own, ...type, { Name: 'instance-state-name', Values: wanted.states ?? NOT_TERMINATED }];
  await pages((NextToken) => api.ec2('DescribeInstances', { Filters, MaxResults: PAGE.instances, NextToken }, call), ({ Reservations }) => {
    for (const reservation of Reservations ?? []) {
      for (const instance of reservation.Instances ?? []) {
        if (wanted.foreign && !isOurs(tagsOf(instance.Tags))) end.foreign[region] = (end.foreign[region] ?? 0) + 1;
        else {
          const machine = toMachine(instance, region);
          visit({ kind: 'machine', id: machine.id, region, tags: machine.tags, createdAt: machine.firstLaunchedAt ?? machine.launchedAt, machine });
        }
      }
    }
  });
}

async function lookAtObjects({ api, wanted, visit }: Search, bucket: string, signal?: AbortSignal): Promise<void> {
  const region = await requireBucket(api, bucket, signal);
  let ContinuationToken: string | undefined;
  do {
    const page = await api.s3('ListObjectsV2', { Bucket: bucket, Prefix: OBJECT_PREFIX, ContinuationToken }, { signal, region, subject: bucket });
    for (const object of page.Contents ?? []) {
      const item = toObject(object, bucket, region);
      if (wanted.run === undefined || item.tags[OWN_TAG.run] === wanted.run) visit(item);
    }
    ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (ContinuationToken !== undefined);
}

/** Page after page; the pages themselves are not kept. An empty token ends the list too. */
async function pages<Page extends { NextToken?: string }>(ask: (token: string | undefined) => Promise<Page>, take: (page: Page) => void): Promise<void> {
  let token: string | undefined;
  do {
    const page = await ask(token);
    take(page);
    token = page.NextToken || undefined;
  } while (token !== undefined);
}

function ownFilters({ owner, project, run }: InventoryRequest): Filter[] {
  const filter = (tag: string, value: string | undefined): Filter[] => (value === undefined ? [] : [{ Name: `tag:${tag}`, Values: [literal(value)] }]);
  return [
    ...(owner === undefined ? [{ Name: 'tag-key', Values: [OWN_TAG.owner] }] : filter(OWN_TAG.owner, owner)),
    ...filter(OWN_TAG.project, project),
    ...filter(OWN_TAG.run, run),
  ];
}

/** In values of filters * and ? stand for other characters (EC2 User Guide, "Filter your resources"): a name means itself. */
function literal(value: string): string {
  return value.replace(/[\\*?]/g, '\\$&');
}
