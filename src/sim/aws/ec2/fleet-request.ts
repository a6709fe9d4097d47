// Does: checks a CreateFleet request and brings its overrides into the order in which their pools are tried.
// Gaps: instant fleets only; InstanceRequirements; MinTargetCapacity above one, MaxTotalPrice, capacity reservations.
// By design: `diversified` takes the overrides as they come, one machine each; every other strategy fills the first pool it can.
// Source: EC2 API Reference CreateFleet; EC2 User Guide "EC2 Fleet", "Use allocation strategies".
import type { World } from '../../cloud.ts';
import { onDemandPrice } from '../../data/prices.ts';
import { poolRoom } from '../../market/pools.ts';
import { findZone, spotPriceAt } from '../../market/prices.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams } from '../../wire/call.ts';
import { findTemplate, overTemplate, templateVersion } from './launch-template-data.ts';
import { missing, object, objects, required, text, whole } from './params.ts';
import { ec2Tables } from './rows.ts';
import type { FleetPart } from './market-rows.ts';
import { readTagSpecifications } from './tags.ts';

export interface FleetCandidate {
  template: FleetPart['template'];
  override: FleetPart['override'];
  /** How much of the target one machine of it is. */
  weight: number;
  priority: number;
  /** Parameters of RunInstances but for counts and market. */
  launch: QueryParams;
}

export interface FleetRequest {
  candidates: FleetCandidate[];
  /** Units still to be had of each market, in the order in which they are launched. */
  targets: { lifecycle: 'on-demand' | 'spot'; units: number; strategy: string }[];
  tags: Record<string, string>;
}

const MOST_CONFIGS = 50;
const SPOT_STRATEGIES = ['lowest-price', 'diversified', 'capacity-optimized', 'capacity-optimized-prioritized', 'price-capacity-optimized'];
const ON_DEMAND_STRATEGIES = ['lowest-price', 'prioritized'];
const TAGGABLE = ['fleet', 'instance', 'volume', 'network-interface', 'spot-instances-request'];
const OVERRIDES = ['InstanceType', 'SubnetId', 'ImageId', 'KeyName', 'BlockDeviceMapping', 'IamInstanceProfile', 'MetadataOptions'];

export function readFleet(world: World, region: string, params: QueryParams): FleetRequest {
  const type = text(params, 'Type') ?? 'maintain';
  if (!['instant', 'request', 'maintain'].includes(type)) throw new AwsFault('InvalidParameterValue', `Value (${type}) for parameter Type is invalid. Valid values are: instant, request, maintain`);
  if (type !== 'instant') throw new AwsFault('UnsupportedOperation', `The pretend cloud offers fleets of type instant only, not ${type}.`);
  const spot = object(params, 'SpotOptions') ?? {};
  const behavior = text(spot, 'InstanceInterruptionBehavior') ?? 'terminate';
  if (behavior !== 'terminate') throw new AwsFault('InvalidParameterCombination', `The interruption behavior ${behavior} is supported for fleets of type maintain only.`);
  if ((whole(spot, 'MinTargetCapacity') ?? 1) > 1) throw new AwsFault('UnsupportedOperation', 'The pretend cloud launches fleets machine by machine: a MinTargetCapacity above one is not there.');
  if (text(spot, 'MaxTotalPrice') !== undefined) throw new AwsFault('UnsupportedOperation', 'The pretend cloud does not support the parameter MaxTotalPrice.');
  const configs = objects(params, 'LaunchTemplateConfigs');
  if (configs.length === 0) throw missing('LaunchTemplateConfigs');
  if (configs.length > MOST_CONFIGS) throw new AwsFault('InvalidParameterValue', `At most ${MOST_CONFIGS} launch template configurations may be given.`);
  const { fleet: tags = {} } = readTagSpecifications(params, TAGGABLE);
  return { candidates: configs.flatMap((config) => readConfig(world, region, config, params)), targets: readTargets(params, spot), tags };
}

function readTargets(params: QueryParams, spotOptions: QueryParams): FleetRequest['targets'] {
  const given = object(params, 'TargetCapacitySpecification');
  if (!given) throw missing('TargetCapacitySpecification');
  const total = whole(given, 'TotalTargetCapacity');
  if (total === undefined) throw missing('TotalTargetCapacity');
  if (total < 1) throw new AwsFault('InvalidParameterValue', `Value (${total}) for parameter TotalTargetCapacity is invalid. Expected a positive number.`);
  const rest = text(given, 'DefaultTargetCapacityType') ?? 'on-demand';
  if (rest !== 'spot' && rest !== 'on-demand') throw new AwsFault('UnsupportedOperation', `The pretend cloud does not offer the target capacity type ${rest}.`);
  const named = { 'on-demand': whole(given, 'OnDemandTargetCapacity') ?? 0, spot: whole(given, 'SpotTargetCapacity') ?? 0 };
  if (named.spot + named['on-demand'] > total) throw new AwsFault('InvalidParameterCombination', 'The total target capacity must not be less than the sum of its parts.');
  named[rest] += total - named.spot - named['on-demand'];
  const strategies = { 'on-demand': strategyOf(object(params, 'OnDemandOptions') ?? {}, ON_DEMAND_STRATEGIES), spot: strategyOf(spotOptions, SPOT_STRATEGIES) };
  return (['on-demand', 'spot'] as const).flatMap((lifecycle) => (named[lifecycle] > 0 ? [{ lifecycle, units: named[lifecycle], strategy: strategies[lifecycle] }] : []));
}

function strategyOf(options: QueryParams, allowed: string[]): string {
  const strategy = text(options, 'AllocationStrategy') ?? 'lowest-price';
  if (!allowed.includes(strategy)) throw new AwsFault('InvalidParameterValue', `Value (${strategy}) for parameter AllocationStrategy is invalid. Valid values are: ${allowed.join(', ')}`);
  return strategy;
}

function readConfig(world: World, region: string, config: QueryParams, params: QueryParams): FleetCandidate[] {
  const specification = object(config, 'LaunchTemplateSpecification');
  if (!specification) throw missing('LaunchTemplateSpecification');
  const row = findTemplate(world, region, { id: text(specification, 'LaunchTemplateId'), name: text(specification, 'LaunchTemplateName') });
  const version = templateVersion(row, required(specification, 'Version'));
  const overrides = objects(config, 'Overrides');
  const tagged = objects(params, 'TagSpecification').filter((entry) => text(entry, 'ResourceType') !== 'fleet');
  return (overrides.length > 0 ? overrides : [{}]).map((override) => {
    if (override['InstanceRequirements'] !== undefined) throw new AwsFault('UnsupportedOperation', 'The pretend cloud launches fleets of named instance types only.');
    const zone = text(override, 'AvailabilityZone') ?? text(object(override, 'Placement') ?? {}, 'AvailabilityZone');
    const own: QueryParams = Object.fromEntries(OVERRIDES.flatMap((name) => (override[name] === undefined ? [] : [[name, override[name]]])));
    const launch = overTemplate(version.data, {
      ...own,
      ...(zone === undefined ? {} : { Placement: { AvailabilityZone: zone } }),
      ...(tagged.length > 0 ? { TagSpecification: tagged } : {}),
    });
    return {
      template: { id: row.templateId, version: String(version.number) },
      override: { instanceType: text(launch, 'InstanceType') ?? '', subnetId: text(override, 'SubnetId'), zone, maxPrice: text(override, 'MaxPrice') },
      weight: numberOf(override, 'WeightedCapacity', 1),
      priority: numberOf(override, 'Priority', Infinity),
      launch,
    };
  });
}

function numberOf(override: QueryParams, name: string, preset: number): number {
  const value = text(override, name);
  if (value === undefined) return preset;
  const number = Number(value);
  if (!(number >= 0) || (name === 'WeightedCapacity' && number === 0)) throw new AwsFault('InvalidParameterValue', `Value (${value}) for parameter ${name} is invalid. Expected a positive number.`);
  return number;
}

/** Best pools first; those without a price come last, in the order given. */
export function inOrder(world: World, region: string, candidates: readonly FleetCandidate[], target: FleetRequest['targets'][number], now: number): FleetCandidate[] {
  const rank = (candidate: FleetCandidate): number => {
    if (target.strategy.endsWith('prioritized')) return candidate.priority;
    if (target.strategy === 'diversified') return 0;
    const { instanceType } = candidate.override;
    if (target.lifecycle === 'on-demand') return onDemandPrice(instanceType, region)?.microUsdPerHour ?? Infinity;
    const zone = zoneOf(world, candidate);
    // A capacity that somebody set is scarce, whatever it is.
    if (target.strategy === 'capacity-optimized') return zone === undefined ? 0 : -Math.min(poolRoom(world, instanceType, zone), Number.MAX_SAFE_INTEGER);
    return (zone === undefined ? undefined : spotPriceAt(world, instanceType, zone, now)) ?? Infinity;
  };
  const ranked = candidates.map((candidate, index) => ({ candidate, index, rank: rank(candidate) }));
  return ranked.sort((a, b) => (a.rank === b.rank ? a.index - b.index : a.rank - b.rank)).map(({ candidate }) => candidate);
}

function zoneOf(world: World, { override }: FleetCandidate): string | undefined {
  if (override.zone !== undefined) return findZone(override.zone)?.name;
  return override.subnetId === undefined ? undefined : ec2Tables(world).subnets.get(override.subnetId)?.zone;
}
