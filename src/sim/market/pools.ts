// Does: how many spot instances a pool (an instance type in a zone) has room for, and whether the market gives one on given terms.
// By design: there is plenty of everything until somebody sets a number; instances that are pending or running take room.
// On-demand launches are no business of the spot market.
// Source: EC2 User Guide "Spot request status"; texts of SpotMaxPriceTooLow and InsufficientInstanceCapacity as quoted in public
// issue threads.
import { ec2Tables } from '../aws/ec2/rows.ts';
import type { InstanceRow } from '../aws/ec2/rows.ts';
import type { World } from '../cloud.ts';
import { AwsFault } from '../wire/call.ts';
import { spotPriceAt } from './prices.ts';

function capacities(world: World) {
  return world.table<{ machines: number }>('sim.market.capacity');
}

/** Undefined: plenty. */
export function poolCapacity(world: World, type: string, zone: string): number | undefined {
  return capacities(world).get(`${type}/${zone}`)?.machines;
}

export function setPoolCapacity(world: World, type: string, zone: string, machines: number | undefined): void {
  if (machines === undefined) capacities(world).delete(`${type}/${zone}`);
  else capacities(world).put(`${type}/${zone}`, { machines });
}

/** Spot instances that take room in the pool, the latest launch last. */
export function inPool(world: World, type: string, zone: string): InstanceRow[] {
  return ec2Tables(world)
    .instances.values()
    .filter((row) => row.spot !== undefined && row.type === type && row.zone === zone && (row.state === 'pending' || row.state === 'running'))
    .sort((a, b) => a.launchTime - b.launchTime || a.createdAt - b.createdAt);
}

/** How many more fit in; Infinity: plenty. */
export function poolRoom(world: World, type: string, zone: string): number {
  const machines = poolCapacity(world, type, zone);
  return machines === undefined ? Infinity : Math.max(0, machines - inPool(world, type, zone).length);
}

/** USD as EC2 writes prices: no trailing zeros. */
export function usdText(microUsd: number): string {
  return String(microUsd / 1_000_000);
}

/** Why the market does not give so many instances; undefined: it does. */
export function refusalOfPool(world: World, pool: { type: string; zone: string }, count: number, maxMicroUsdPerHour: number, at: number): AwsFault | undefined {
  const price = spotPriceAt(world, pool.type, pool.zone, at);
  if (price !== undefined && price > maxMicroUsdPerHour) {
    return new AwsFault('SpotMaxPriceTooLow', `Your Spot request price of ${usdText(maxMicroUsdPerHour)} is lower than the minimum required Spot request fulfillment price of ${usdText(price)}.`);
  }
  if (price === undefined || poolRoom(world, pool.type, pool.zone) < count) {
    return new AwsFault('InsufficientInstanceCapacity', 'There is no Spot capacity available that matches your request.', 500);
  }
  return undefined;
}
