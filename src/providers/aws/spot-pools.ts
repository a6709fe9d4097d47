// Where spot machines can be had now: types by zones, in the order in which to try them. Facts of all types come in batches, and
// whatever the plan of a pool needs next is left in the memory. Source: EC2 API Reference, GetSpotPlacementScores; EC2 User Guide,
// "Spot placement score".
import type { InstanceTypeInfo, InstanceTypeOffering, Subnet } from '@aws-sdk/client-ec2';
import { RunctlError } from '../../core/errors.ts';
import type { MachineRequest, Pool } from '../../core/machine.ts';
import type { MicroUsd } from '../../core/money.ts';
import { isAwsCode } from './errors.ts';
import { describeType } from './look-ups.ts';
import type { AnswerMemory } from './memory.ts';
import { candidateSubnets, chooseSubnet, hasRoom, offeringsQuestion } from './network.ts';
import { unitPrices } from './prices.ts';
import { quotaCode } from './quota-table.ts';
import { requireSpotOffer, soldAsSpot } from './spot-offer.ts';
import { refreshSpotPrices } from './spot-prices.ts';

export interface PoolsWanted {
  request: Pick<MachineRequest, 'subnet' | 'maxPriceMicroUsd'>;
  types: string[];
  zones?: string[];
}

/** Best first: cheap and likely; those above the price allowed come last. Throws `usage` or `capacity` when there is none at all. */
export async function findPools(memory: AnswerMemory, wanted: PoolsWanted, signal?: AbortSignal): Promise<Pool[]> {
  const { api } = memory;
  const region = await api.region();
  const types = [...new Set(wanted.types)];
  const [infos, offered, subnets, prices, onDemand] = await Promise.all([
    describeTypes(memory, types, region, signal),
    zonesOfTypes(memory, types, signal),
    candidateSubnets(api, wanted.request.subnet, signal),
    refreshSpotPrices(memory, types, signal),
    Promise.all(types.map(async (type) => [type, (await unitPrices(api, type, region, signal)).computeMicroUsd] as const)),
  ]);
  requireSpotOffer(infos, types, region);
  const sold = types.filter((type) => infos.some((info) => info.InstanceType === type && soldAsSpot(info)));
  const places = new Map(subnets.filter(hasRoom).map((subnet) => [subnet.AvailabilityZone ?? '', subnet]));
  const zones = [...places.keys()].filter((zone) => wanted.zones === undefined || wanted.zones.includes(zone)).sort();
  const priceOf = new Map(onDemand);
  const found = sold.flatMap((type) => {
    const has = offered.get(type) ?? [];
    return zones
      .filter((zone) => has.length === 0 || has.includes(zone))
      .map((zone): Pool => ({ type, zone, market: 'spot', ...known('microUsdPerHour', prices.of(type, zone)), ...known('onDemandMicroUsdPerHour', priceOf.get(type)), ...known('quota', quotaCode(type, 'spot')) }));
  });
  if (found.length === 0) throw nowhere(subnets, offered, sold, wanted, region);
  const scores = found.length === 1 ? undefined : await placementScores(memory, sold, places, region, signal);
  return inOrder(found.map((pool) => ({ ...pool, ...known('score', scores?.get(pool.zone)) })), wanted.request.maxPriceMicroUsd);
}

/**
 * By price times (2 - score / 10): of two zones at one price the likelier goes first, and one that is hardly likely (score 1)
 * must be almost half as cheap as a sure one (score 10) to go before it. Without scores by price alone. A pool without a price
 * follows those with one; one above `most` is last, since EC2 would refuse it; ties by type and zone as they were asked for.
 */
export function inOrder(pools: Pool[], most: MicroUsd | undefined): Pool[] {
  const rank = ({ microUsdPerHour: price }: Pool): number => (price === undefined ? 1 : most !== undefined && price > most ? 2 : 0);
  // EC2 names the ten likeliest places; what is not among them is hardly likely.
  const unnamed = pools.some(({ score }) => score !== undefined) ? 1 : 10;
  const cost = ({ microUsdPerHour = 0, score = unnamed }: Pool): number => microUsdPerHour * (20 - score);
  return pools
    .map((pool, n) => ({ pool, n }))
    .sort((a, b) => rank(a.pool) - rank(b.pool) || cost(a.pool) - cost(b.pool) || a.n - b.n)
    .map(({ pool }) => pool);
}

async function describeTypes(memory: AnswerMemory, types: string[], region: string, signal?: AbortSignal): Promise<InstanceTypeInfo[]> {
  const [only] = types;
  if (types.length === 1 && only !== undefined) return [await describeType(memory.api, only, region, signal)];
  try {
    const infos = (await memory.api.ec2('DescribeInstanceTypes', { InstanceTypes: types as never[] }, { signal, subject: types.join(', ') })).InstanceTypes ?? [];
    for (const info of infos) memory.learn('ec2', 'DescribeInstanceTypes', { InstanceTypes: [info.InstanceType] }, { InstanceTypes: [info] });
    if (types.every((type) => infos.some((info) => info.InstanceType === type))) return infos;
  } catch (error) {
    if (!isAwsCode(error, 'InvalidInstanceType', 'InvalidParameterValue')) throw error;
  }
  // One wrong name fails them all: asked one by one, the wrong one says so and names its like.
  const infos: InstanceTypeInfo[] = [];
  for (const type of types) infos.push(await describeType(memory.api, type, region, signal));
  return infos;
}

/** Zones by type; a type without any is one of which nobody could tell. */
async function zonesOfTypes(memory: AnswerMemory, types: string[], signal?: AbortSignal): Promise<Map<string, string[]>> {
  const rows: InstanceTypeOffering[] = [];
  let token: string | undefined;
  do {
    const page = await memory.api.ec2('DescribeInstanceTypeOfferings', { ...offeringsQuestion(types), ...(token ? { NextToken: token } : {}) }, { signal, subject: types.join(', ') });
    rows.push(...(page.InstanceTypeOfferings ?? []));
    token = page.NextToken || undefined;
  } while (token);
  const offered = new Map<string, string[]>();
  for (const type of types) {
    const own = rows.filter((row) => row.InstanceType === type);
    offered.set(type, own.flatMap((row) => row.Location ?? []));
    if (types.length > 1) memory.learn('ec2', 'DescribeInstanceTypeOfferings', offeringsQuestion([type]), { InstanceTypeOfferings: own });
  }
  return offered;
}

/** By zone name, for all the types together; undefined when EC2 does not tell, which is no failure. */
async function placementScores(memory: AnswerMemory, types: string[], places: Map<string, Subnet>, region: string, signal?: AbortSignal): Promise<Map<string, number> | undefined> {
  const question = { InstanceTypes: types, TargetCapacity: 1, TargetCapacityUnitType: 'units' as const, SingleAvailabilityZone: true, RegionNames: [region], MaxResults: 10 };
  try {
    const answer = await memory.api.ec2('GetSpotPlacementScores', question, { signal, once: true, timeoutMs: 3_000 });
    const names = new Map([...places].map(([name, subnet]) => [subnet.AvailabilityZoneId, name]));
    const scores = (answer.SpotPlacementScores ?? []).flatMap(({ AvailabilityZoneId: id, Score: score }) => (names.has(id) && score !== undefined ? [[names.get(id) as string, score] as const] : []));
    return scores.length === 0 ? undefined : new Map(scores);
  } catch (error) {
    if (!(error instanceof RunctlError) || error.code === 'credentials-missing' || signal?.aborted) throw error;
    // No permission, the few calls a day used up, an endpoint without scores: the price alone decides, and nobody is asked again.
    memory.learn('ec2', 'GetSpotPlacementScores', question, {});
    return undefined;
  }
}

function nowhere(subnets: Subnet[], offered: Map<string, string[]>, types: string[], wanted: PoolsWanted, region: string): RunctlError {
  const all = [...new Set([...offered.values()].flat())].sort();
  const where = { type: types[0] ?? 'TYPE', region, ...known('subnet', wanted.request.subnet), ...known('zone', wanted.zones?.length === 1 ? wanted.zones[0] : undefined) };
  try {
    chooseSubnet(subnets, all, where);
  } catch (error) {
    if (error instanceof RunctlError) return error;
    throw error;
  }
  return new RunctlError('capacity', `${types.join(', ')} cannot be had in ${wanted.zones?.join(', ') ?? region}`, {
    cause: `offered in ${all.join(', ')} only`,
    hints: [`runctl aws create ${where.type} --spot --zones ${all.join(',')}`],
    data: { zones: all },
  });
}

function known<Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { [K in Key]?: Value };
}
