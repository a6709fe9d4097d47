// Does: the spot market for whoever looks after the pretend cloud: what pools cost and hold, changes of price and capacity,
// interruptions by order.
// By design: a change counts from its second on and reaches running machines at once: who pays less than the price, or stands over
// the number, gets its notice.
import { RunctlError } from '../../core/errors.ts';
import { ec2Tables } from '../aws/ec2/rows.ts';
import type { Interruption } from '../aws/ec2/market-rows.ts';
import type { SpotRequests } from '../aws/ec2/spot-requests.ts';
import type { Cloud } from '../cloud.ts';
import { INSTANCE_TYPES, findInstanceType } from '../data/instance-types.ts';
import { onDemandPrice } from '../data/prices.ts';
import { REGIONS } from '../data/regions.ts';
import { NOTICE_MS } from './interruptions.ts';
import type { InterruptionOrder, Interruptions } from './interruptions.ts';
import { inPool, poolCapacity, setPoolCapacity } from './pools.ts';
import { findZone, isPriceSet, isSold, setSpotPrice, spotPriceAt } from './prices.ts';

/** A pool as it is now. */
export interface PoolReport {
  type: string;
  zone: string;
  region: string;
  microUsdPerHour: number;
  onDemandMicroUsdPerHour: number;
  /** Price over on-demand price. */
  share: number;
  /** Whether the price was set by hand. */
  isPriceSet: boolean;
  /** Null: plenty. */
  capacity: number | null;
  /** Spot machines that take room in it. */
  running: number;
}

export interface PoolChoice {
  type?: string;
  zone?: string;
  region?: string;
}

export interface PoolChange {
  /** Null: the market makes the price again. */
  microUsdPerHour?: number | null;
  /** Null: plenty. */
  capacity?: number | null;
}

export interface Market {
  /** Where spot machines of this type are sold; undefined: there is no such type. */
  zonesOf(type: string): string[] | undefined;
  list(choice: PoolChoice): PoolReport[];
  /** All pools of the choice, which names a type. */
  set(choice: PoolChoice, change: PoolChange): PoolReport[];
  /** Throws `not-found` or `usage` for what cannot be interrupted. */
  interrupt(instanceId: string, order?: Partial<InterruptionOrder>): Interruption;
}

export function createMarket(cloud: Cloud, interruptions: Interruptions, requests: SpotRequests): Market {
  const { world, clock } = cloud;

  const report = ({ type, zone, region }: Pool): PoolReport => {
    const microUsdPerHour = spotPriceAt(world, type, zone, clock.now()) as number;
    const onDemandMicroUsdPerHour = onDemandPrice(type, region)?.microUsdPerHour as number;
    return {
      type,
      zone,
      region,
      microUsdPerHour,
      onDemandMicroUsdPerHour,
      share: Math.round((microUsdPerHour / onDemandMicroUsdPerHour) * 1000) / 1000,
      isPriceSet: isPriceSet(world, type, zone),
      capacity: poolCapacity(world, type, zone) ?? null,
      running: inPool(world, type, zone).length,
    };
  };

  return {
    zonesOf: (type) => (findInstanceType(type) ? REGIONS.flatMap(({ zones }) => zones.map(({ name }) => name)).filter((zone) => isSold(type, zone)) : undefined),
    list: (choice) => choosePools(choice).map(report),
    set(choice, change) {
      if (change.microUsdPerHour === undefined && change.capacity === undefined) throw wrong('nothing to set', 'give a price or a capacity');
      if (choice.type === undefined) throw wrong('a change of the market needs a type', 'one whole market at once cannot be set');
      const { microUsdPerHour: price, capacity } = change;
      if (typeof price === 'number' && (!Number.isInteger(price) || price < 100)) throw wrong('a price must be at least 0.0001 USD per hour');
      if (typeof capacity === 'number' && (!Number.isInteger(capacity) || capacity < 0)) throw wrong('a capacity is a number of machines, or none for plenty');
      const pools = choosePools(choice);
      for (const { type, zone } of pools) {
        if (price !== undefined) setSpotPrice(world, type, zone, clock.now(), price ?? undefined);
        if (capacity !== undefined) setPoolCapacity(world, type, zone, capacity ?? undefined);
      }
      for (const { type, zone } of pools) interruptions.poolChanged(type, zone);
      requests.marketChanged();
      world.save();
      return pools.map(report);
    },
    interrupt(instanceId, { reason = 'capacity', noticeMs = NOTICE_MS, rebalanceMs, action } = {}) {
      const row = ec2Tables(world).instances.get(instanceId);
      if (!row) throw new RunctlError('not-found', `the built-in cloud has no machine ${instanceId}`, { hints: ['runctl resources list --sim'] });
      if (!row.spot) throw notNow(`${instanceId} is no spot machine`, 'only those are taken back; weather of kind instance-loss ends any machine');
      if (row.state !== 'running') throw notNow(`${instanceId} is ${row.state}`, 'only running machines are interrupted');
      if (row.interruption) throw notNow(`${instanceId} is being interrupted already`, `its end comes at ${new Date(row.interruption.endAt).toISOString()}`);
      if (action !== undefined && action !== 'terminate' && !row.spot.persistent) throw notNow(`${instanceId} cannot be stopped`, 'its spot request is a one-time one');
      return interruptions.begin(row, { reason, noticeMs, rebalanceMs, action });
    },
  };
}

interface Pool {
  type: string;
  zone: string;
  region: string;
}

function choosePools({ type, zone, region }: PoolChoice): Pool[] {
  if (type !== undefined && !findInstanceType(type)) throw new RunctlError('usage', `the built-in cloud has no instance type ${type}`, { hints: ['runctl sim market'] });
  if (zone !== undefined && !findZone(zone)) throw wrong(`the built-in cloud has no zone ${zone}`, `it has ${REGIONS.flatMap(({ zones }) => zones.map(({ name }) => name)).join(', ')}`);
  if (region !== undefined && !REGIONS.some(({ name }) => name === region)) throw wrong(`the built-in cloud has no region ${region}`, `it has ${REGIONS.map(({ name }) => name).join(', ')}`);
  const types = type === undefined ? INSTANCE_TYPES.map(({ name }) => name) : [type];
  const pools = REGIONS.filter(({ name }) => region === undefined || zone !== undefined || name === region).flatMap(({ name, zones }) =>
    zones.filter((candidate) => zone === undefined || candidate.name === zone).flatMap((place) => types.filter((each) => isSold(each, place.name)).map((each) => ({ type: each, zone: place.name, region: name }))),
  );
  if (pools.length === 0) throw wrong(`no spot machines of type ${type ?? 'any'} are sold in ${zone ?? region ?? 'any zone'}`);
  return pools.sort((a, b) => types.indexOf(a.type) - types.indexOf(b.type));
}

function notNow(message: string, cause: string): RunctlError {
  return new RunctlError('usage', message, { cause, hints: ['runctl resources list --sim', 'runctl sim interrupt --help'] });
}

function wrong(message: string, cause?: string): RunctlError {
  return new RunctlError('usage', message, { cause, hints: ['runctl sim market --help'] });
}
