// What a machine will cost, said before it is bought: both markets side by side, disk and address included, and the worst case by name.
import { ONE_DAY_HOURS } from '../../cost/cost.ts';
import type { Event } from '../../core/events.ts';
import { LEASE_MARGIN_S, type Lease } from '../../core/lease.ts';
import { type MachinePlan, type Pool, hourlyWith, runningMicroUsdPerHour } from '../../core/machine.ts';
import type { MicroUsd } from '../../core/money.ts';
import type { App } from '../app.ts';
import { sayLease } from '../lease/lease.ts';

/** Told as such: how long a training is taken to last when nobody said so. */
export const USUAL_HOURS = 8;

export type Estimate = Extract<Event, { kind: 'cost.estimated' }>;

export interface EstimateFacts {
  /** --hours */
  hours?: number;
  lease?: Lease;
  /** The cheapest place of the spot market, where it was asked about for comparison. */
  spot?: Pool;
}

export function estimateOf(plan: MachinePlan, { hours, lease, spot }: EstimateFacts): Estimate & { hours: number } {
  const { price, market } = plan;
  const hourly = runningMicroUsdPerHour(price);
  const onDemand = market === 'spot' ? hourlyWith(price, price.onDemandMicroUsd) : hourly;
  const spotHourly = market === 'spot' ? hourly : hourlyWith(price, spot?.microUsdPerHour);
  const other = market === 'spot' ? onDemand : spotHourly;
  const expected = expectedHours(hours, lease?.allowedS === undefined ? undefined : lease.allowedS / 3600);
  const bound = worstCase(plan, expected, lease);
  return {
    kind: 'cost.estimated',
    type: plan.type,
    market,
    ...(plan.zone === undefined ? {} : { zone: plan.zone }),
    hourlyMicroUsd: hourly,
    dailyMicroUsd: over(hourly, ONE_DAY_HOURS),
    source: price.source,
    computeMicroUsd: price.computeMicroUsd,
    storageMicroUsd: price.storageMicroUsd,
    addressMicroUsd: price.addressMicroUsd,
    onDemandHourlyMicroUsd: onDemand,
    spotHourlyMicroUsd: spotHourly,
    spotZone: market === 'spot' ? plan.zone : spot?.zone,
    hours: expected,
    expectedMicroUsd: atMost(over(hourly, expected), bound.worstMicroUsd),
    otherExpectedMicroUsd: over(other, expected),
    ...bound,
  };
}

/** Nobody expects a machine to run for longer than it may. `allowedHours`: by its lease. */
export function expectedHours(hours = USUAL_HOURS, allowedHours = Infinity): number {
  return Math.min(hours, Math.max(0, allowedHours));
}

/** A market that asks for more than it may ever be paid sells nothing at that price. */
function atMost(expected: MicroUsd | undefined, worst = Infinity): MicroUsd | undefined {
  return expected === undefined ? undefined : Math.min(expected, worst);
}

/** The bound that holds whatever happens: the lease, else for the expected time the most that an hour can cost. */
function worstCase(plan: MachinePlan, hours: number, lease: Lease | undefined): Pick<Estimate, 'worstMicroUsd' | 'worst'> {
  if (lease?.limit === 'cost' && lease.maxCostMicroUsd !== undefined) return { worstMicroUsd: lease.maxCostMicroUsd, worst: 'lease: cost limit' };
  if (lease?.allowedS !== undefined && lease.rateMicroUsd !== undefined) {
    const seconds = lease.allowedS + lease.graceS + LEASE_MARGIN_S;
    return { worstMicroUsd: Math.ceil((seconds * lease.rateMicroUsd) / 3600), worst: `lease: ${shortHours(lease.allowedS / 3600)}` };
  }
  if (plan.market !== 'spot') return { worst: 'no limit' };
  const most = over(hourlyWith(plan.price, plan.maxPriceMicroUsd ?? plan.price.onDemandMicroUsd), hours);
  return { ...(most === undefined ? {} : { worstMicroUsd: most }), worst: `${shortHours(hours)} at ${plan.maxPriceMicroUsd === undefined ? 'the on-demand price, which spot never exceeds' : 'the highest price allowed'}; --max-hours bounds the hours` };
}

/** Says it, and the lease in full. */
export function sayEstimate(app: App, plan: MachinePlan, facts: EstimateFacts): void {
  app.report(estimateOf(plan, facts));
  sayLease(app, facts.lease);
}

function over(hourly: MicroUsd | undefined, hours: number): MicroUsd | undefined {
  return hourly === undefined ? undefined : Math.round(hourly * hours);
}

/** "8 h", "0.5 h" */
export function shortHours(hours: number): string {
  return `${Number(hours.toFixed(2))} h`;
}
