// Does: GetSpotPlacementScores: how likely a spot launch of these types is to succeed, by region or zone, from 1 to 10.
// Gaps: InstanceRequirementsWithMetadata; the real call has tight limits of its own, this one has none.
// By design: a score says what the pools have: none with enough room gives 1; one or two types score 3 at most, as the API warns.
// Source: EC2 API Reference GetSpotPlacementScores; EC2 User Guide "Spot placement score".
import { createHash } from 'node:crypto';
import type { World } from '../../cloud.ts';
import { findInstanceType } from '../../data/instance-types.ts';
import { REGIONS } from '../../data/regions.ts';
import { poolRoom } from '../../market/pools.ts';
import { isSold } from '../../market/prices.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams, QueryService, Xml } from '../../wire/call.ts';
import { dryRun, flag, missing, text, texts, whole } from './params.ts';
import { page } from './select.ts';

const MOST_REGIONS = 10;
const MOST_SCORES = 10;
const WELL_MIXED = 3;
const POORLY_MIXED_SCORE = 3;
const UNITS = ['units', 'vcpu', 'memory-mib'];

interface Score {
  region: string;
  availabilityZoneId?: string;
  score: number;
}

/** How many machines of a type make the wanted capacity. */
function machines(type: string, target: number, unit: string): number {
  const fact = findInstanceType(type);
  if (unit === 'vcpu') return Math.ceil(target / (fact?.vcpus ?? 1));
  return unit === 'memory-mib' ? Math.ceil(target / (fact?.memoryMiB ?? 1)) : target;
}

function scoreOf(world: World, zone: string, types: string[], target: number, unit: string): number {
  const good = types.filter((type) => isSold(type, zone) && poolRoom(world, type, zone) >= machines(type, target, unit));
  if (good.length === 0) return 1;
  if (types.length < WELL_MIXED) return POORLY_MIXED_SCORE;
  const luck = createHash('md5').update(`score ${zone} ${[...types].sort().join(' ')}`).digest().readUInt8(0) % 3;
  return Math.max(1, Math.round((9 * good.length) / types.length) + 1 - luck);
}

function readTypes(params: QueryParams): string[] {
  const types = texts(params, 'InstanceType');
  if (params['InstanceRequirementsWithMetadata'] !== undefined) throw new AwsFault('UnsupportedOperation', 'The pretend cloud scores instance types only.');
  if (types.length === 0) throw missing('InstanceType');
  const unknown = types.filter((type) => !findInstanceType(type));
  if (unknown.length > 0) throw new AwsFault('InvalidParameterValue', `The following supplied instance types do not exist: [${unknown.join(', ')}]`);
  return [...new Set(types)];
}

export const spotScoreOperations: QueryService['operations'] = {
  GetSpotPlacementScores(params, { cloud }): Xml {
    const types = readTypes(params);
    const target = whole(params, 'TargetCapacity');
    if (target === undefined) throw missing('TargetCapacity');
    if (target < 1) throw new AwsFault('InvalidParameterValue', `Value (${target}) for parameter TargetCapacity is invalid. Expected a positive number.`);
    const unit = text(params, 'TargetCapacityUnitType') ?? 'units';
    if (!UNITS.includes(unit)) throw new AwsFault('InvalidParameterValue', `Value (${unit}) for parameter TargetCapacityUnitType is invalid. Valid values are: ${UNITS.join(', ')}`);
    const names = texts(params, 'RegionName');
    if (names.length > MOST_REGIONS) throw new AwsFault('InvalidParameterValue', `At most ${MOST_REGIONS} regions may be given.`);
    const strange = names.find((name) => !REGIONS.some((region) => region.name === name));
    if (strange !== undefined) throw new AwsFault('InvalidParameterValue', `Invalid region: [${strange}]`);
    const byZone = flag(params, 'SingleAvailabilityZone') ?? false;
    const scores = REGIONS.filter(({ name }) => names.length === 0 || names.includes(name)).flatMap(({ name: region, zones }): Score[] => {
      const each = zones.map((zone): Score => ({ region, availabilityZoneId: zone.id, score: scoreOf(cloud.world, zone.name, types, target, unit) }));
      return byZone ? each : [{ region, score: Math.max(...each.map(({ score }) => score)) }];
    });
    dryRun(params);
    const place = (entry: Score): string => `${String(10 - entry.score).padStart(2, '0')} ${entry.region} ${entry.availabilityZoneId ?? ''}`;
    const best = scores.sort((a, b) => (place(a) < place(b) ? -1 : 1)).slice(0, MOST_SCORES);
    const { rows, nextToken } = page(best, params, place, { least: 10, most: 1000 });
    return { spotPlacementScoreSet: { item: rows.map((row) => ({ ...row })) }, nextToken };
  },
};
