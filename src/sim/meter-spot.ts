// Does: what a stretch of time on a spot instance costs, at the prices that its zone had meanwhile.
// By design: prices change on whole seconds, so each second has one price. Seconds that only the one-minute minimum adds are at
// the price of the last second that was used.
// Source: EC2 User Guide "Spot Instance pricing history", "Billing for interrupted Spot Instances".
import type { World } from './cloud.ts';
import { spotPriceChanges } from './market/prices.ts';

export interface PricedStretch {
  seconds: number;
  microUsdPerHour: number;
}

/** Undefined: no spot machines of this type are sold in this zone. `from` and `to` are whole seconds. */
export function spotStretches(world: World, place: { type: string; zone: string }, from: number, to: number, leastSeconds: number): PricedStretch[] | undefined {
  const changes = spotPriceChanges(world, place.type, place.zone, from, to);
  const stretches: PricedStretch[] = [];
  let seconds = 0;
  for (const [index, { at, microUsdPerHour }] of changes.entries()) {
    // The first price may be older than the stretch; one that begins as it ends is no longer paid.
    if (index > 0 && at >= to) break;
    const length = (Math.min(to, changes[index + 1]?.at ?? to) - Math.max(from, at)) / 1000;
    stretches.push({ seconds: length, microUsdPerHour });
    seconds += length;
  }
  const last = stretches.at(-1);
  if (!last) return undefined;
  last.seconds += Math.max(0, leastSeconds - seconds);
  return stretches;
}
