// The lease of a new machine: what the command line and the settings ask for, as seconds that the machine may run. Pure.
import { renderBootScript } from '../../agent/lease.ts';
import { durationText } from '../../core/durations.ts';
import { RunctlError } from '../../core/errors.ts';
import { LEASE_MARGIN_S, LEASE_TAG, type Lease, leaseWords } from '../../core/lease.ts';
import type { Market, MachinePlan } from '../../core/machine.ts';
import { MICROS_PER_USD, type MicroUsd, formatUsd } from '../../core/money.ts';
import type { App } from '../app.ts';

export type { Lease } from '../../core/lease.ts';
export { holdLease, leaseOf } from './lease-hold.ts';

/** What is asked for; what is absent does not bound. */
export interface LeaseWish {
  maxCostMicroUsd?: MicroUsd;
  maxHours?: number;
  /** 0: never. */
  idleMs?: number;
  graceMs?: number;
  onEnd?: 'terminate' | 'stop';
}

/** As the flags of commands/aws/lease-flags.ts arrive. */
export interface LeaseFlagValues {
  /** USD. */
  maxCost?: number;
  maxHours?: number;
  /** Milliseconds; 0: never. */
  idleStop?: number;
  leaseEnd?: 'terminate' | 'stop';
  /** Milliseconds. */
  leaseGrace?: number;
  /** Of workflows: a machine that shall stay after a failure must not vanish by its lease. */
  onFailure?: 'terminate' | 'stop' | 'keep';
}

/** Bounds of a workflow for which nobody asked for others. */
const WORKFLOW_HOURS = 24;
const WORKFLOW_IDLE_MINUTES = 60;

/** A machine that is on for less is money for nothing. */
const LEAST_USEFUL_S = 300;

const LEAST_IDLE_MS = 60_000;

/** Of a cost limit kept back for the disk of a machine that stops at the end: a week of it, but no more than a tenth of the limit. */
const DISK_DAYS = 7;

/** Flags over settings over defaults. Undefined: no lease. Throws `usage` for what contradicts itself. */
export function leaseWish(app: Pick<App, 'config'>, flags: LeaseFlagValues, defaults: 'workflow' | 'machine', market: Market): LeaseWish | undefined {
  const { lease, train } = app.config;
  const isWorkflow = defaults === 'workflow';
  if (market === 'spot' && flags.leaseEnd === 'stop') {
    throw new RunctlError('usage', 'a spot machine cannot be stopped by itself: --lease-end stop is for on-demand machines', { hints: ['--lease-end terminate', '--on-demand'] });
  }
  const maxCost = flags.maxCost ?? lease.max_cost;
  const maxHours = flags.maxHours ?? lease.max_hours ?? (isWorkflow ? WORKFLOW_HOURS : undefined);
  const idleMinutes = lease.idle_minutes ?? (isWorkflow ? WORKFLOW_IDLE_MINUTES : undefined);
  const idleMs = flags.idleStop ?? (idleMinutes === undefined ? undefined : idleMinutes * 60_000);
  requireIdle(flags.idleStop);
  if (maxCost === undefined && maxHours === undefined && !idleMs) {
    const idle = flags.leaseEnd !== undefined ? '--lease-end' : flags.leaseGrace !== undefined ? '--lease-grace' : undefined;
    if (idle !== undefined) throw new RunctlError('usage', `${idle} means nothing without a limit: --max-hours, --max-cost or --idle-stop`, { hints: ['--max-hours 8'] });
    return undefined;
  }
  const stays = (flags.onFailure ?? train.on_failure) !== 'terminate';
  return {
    ...(maxCost === undefined ? {} : { maxCostMicroUsd: Math.round(maxCost * MICROS_PER_USD) }),
    ...(maxHours === undefined ? {} : { maxHours }),
    ...(idleMs === undefined ? {} : { idleMs }),
    graceMs: flags.leaseGrace ?? lease.grace_seconds * 1000,
    onEnd: flags.leaseEnd ?? (market === 'spot' ? 'terminate' : isWorkflow ? (stays ? 'stop' : 'terminate') : lease.on_end),
  };
}

/** Milliseconds; 0: never. A machine that is quiet for less has not even started its training. Throws `usage`. */
export function requireIdle(idleMs: number | undefined): void {
  if (idleMs === undefined || idleMs === 0 || idleMs >= LEAST_IDLE_MS) return;
  throw new RunctlError('usage', `--idle-stop ${Number((idleMs / 1000).toFixed(1))}s would end a machine that does nothing wrong`, { cause: 'It has to be a minute at least, or 0 for never.', hints: ['--idle-stop 30m'] });
}

/** The plan with its guard: boot script, what a power-off does, tag. `spentMicroUsd`: what machines before this one have cost of the
 *  same limit. Throws `over-budget` when the cost limit buys less than five minutes, `usage` when it cannot be kept because
 *  nobody knows the price. */
export function bindLease(_app: App, plan: MachinePlan, wish: LeaseWish | undefined, spentMicroUsd = 0): { plan: MachinePlan; lease?: Lease } {
  if (!wish) return { plan };
  const onEnd = plan.market === 'spot' ? 'terminate' : (wish.onEnd ?? 'stop');
  const lease: Lease = { idleS: Math.ceil((wish.idleMs ?? 0) / 1000), graceS: Math.ceil((wish.graceMs ?? 0) / 1000), onEnd, ...limits(plan, wish, spentMicroUsd, onEnd) };
  return {
    plan: { ...plan, bootScript: renderBootScript(lease), shutdown: onEnd, tags: { ...plan.tags, [LEASE_TAG]: leaseWords(lease).join(' ') } },
    lease,
  };
}

function limits(plan: MachinePlan, wish: LeaseWish, spentMicroUsd: MicroUsd, onEnd: Lease['onEnd']): Partial<Lease> {
  const rate = worstMicroUsdPerHour(plan);
  const graceS = Math.ceil((wish.graceMs ?? 0) / 1000);
  const bounds: Partial<Lease> = {
    ...(wish.maxHours === undefined ? {} : { hoursS: Math.max(1, Math.floor(wish.maxHours * 3600)) }),
    ...(wish.maxCostMicroUsd === undefined ? {} : { maxCostMicroUsd: wish.maxCostMicroUsd }),
    ...(wish.maxCostMicroUsd === undefined || spentMicroUsd === 0 ? {} : { spentMicroUsd }),
    ...(rate === undefined ? {} : { rateMicroUsd: rate }),
  };
  if (wish.maxCostMicroUsd !== undefined && rate === undefined) {
    throw new RunctlError('usage', `a cost limit cannot be kept for ${plan.type}: nobody knows what it costs${plan.market === 'spot' ? ' at most' : ''}`, {
      cause: `Price: ${plan.price.source}.${plan.market === 'spot' ? ' Without a highest price a spot machine may cost as much as on demand, and that price is not known.' : ''}`,
      hints: ['--max-hours 8', ...(plan.market === 'spot' ? ['--spot-max-price 0.50'] : [])],
    });
  }
  const { allowedS, limit } = allowance({ ...bounds, graceS, onEnd }, plan.price.storageMicroUsd);
  if (limit === 'cost' && allowedS !== undefined && allowedS < LEAST_USEFUL_S) throw tooLittle(plan, wish.maxCostMicroUsd!, spentMicroUsd, rate!, graceS);
  return { ...(allowedS === undefined ? {} : { allowedS, limit }), ...bounds };
}

type Bounds = Pick<Lease, 'hoursS' | 'maxCostMicroUsd' | 'spentMicroUsd' | 'rateMicroUsd' | 'graceS' | 'onEnd'>;

/** Running seconds that the two limits allow together, and which of them is reached first. Of a cost limit the grace and the margin
 *  are within it; the seconds may be negative. `diskMicroUsdPerHour`: of the disk that stays when the machine stops. */
export function allowance(bounds: Bounds, diskMicroUsdPerHour: MicroUsd): Pick<Lease, 'allowedS' | 'limit'> {
  const { hoursS, maxCostMicroUsd, rateMicroUsd, spentMicroUsd = 0, graceS, onEnd } = bounds;
  const byHours: Pick<Lease, 'allowedS' | 'limit'> = hoursS === undefined ? {} : { allowedS: hoursS, limit: 'hours' };
  if (maxCostMicroUsd === undefined || rateMicroUsd === undefined) return byHours;
  const kept = onEnd === 'stop' ? Math.min(diskMicroUsdPerHour * 24 * DISK_DAYS, maxCostMicroUsd / 10) : 0;
  const costS = Math.floor(((maxCostMicroUsd - spentMicroUsd - kept) * 3600) / Math.max(1, rateMicroUsd)) - graceS - LEASE_MARGIN_S;
  return hoursS !== undefined && hoursS <= costS ? byHours : { allowedS: costS, limit: 'cost' };
}

/** The most that an hour can cost: spot never more than its highest price, and without one never more than on demand. */
export function worstMicroUsdPerHour({ market, maxPriceMicroUsd, price }: Pick<MachinePlan, 'market' | 'maxPriceMicroUsd' | 'price'>): MicroUsd | undefined {
  const compute = market === 'spot' ? (maxPriceMicroUsd ?? price.onDemandMicroUsd) : price.computeMicroUsd;
  return compute === undefined ? undefined : compute + price.storageMicroUsd + price.addressMicroUsd;
}

function tooLittle({ type }: MachinePlan, limit: MicroUsd, spent: MicroUsd, rate: MicroUsd, graceS: number): RunctlError {
  // In dollars, rounded up to a cent; up to a tenth of the limit is kept for the disk.
  const least = Math.ceil((((LEAST_USEFUL_S + graceS + LEASE_MARGIN_S) * rate) / 3600 + spent) / 9000) / 100;
  const before = spent > 0 ? `, and ${formatUsd(spent)} of it is spent` : '';
  return new RunctlError('over-budget', `the cost limit of ${formatUsd(limit)} does not buy five minutes of ${type}${before}`, {
    cause: `It costs up to ${formatUsd(rate)} an hour; ${durationText((graceS + LEASE_MARGIN_S) * 1000)} are kept for saving and shutting down.`,
    hints: [`--max-cost ${least.toFixed(2)}`],
    data: { maxCostUsd: limit / MICROS_PER_USD, spentUsd: spent / MICROS_PER_USD, hourlyUsd: rate / MICROS_PER_USD },
  });
}

/** Say the bounds, before anything is bought. What they come to in money is in the estimate. */
export function sayLease(app: Pick<App, 'report'>, lease: Lease | undefined): void {
  if (lease) app.report({ kind: 'note', level: 'info', text: leaseText(lease, { money: false }) });
}

/** "lease: ends itself after 24 h (at most $0.45) or 60 min without progress; 90 s to save, then it terminates" */
export function leaseText({ allowedS, limit, maxCostMicroUsd, rateMicroUsd, idleS, graceS, onEnd }: Lease, { money = true } = {}): string {
  const worst = allowedS === undefined || rateMicroUsd === undefined ? undefined : Math.ceil(((allowedS + graceS + LEASE_MARGIN_S) * rateMicroUsd) / 3600);
  const most = limit === 'cost' ? maxCostMicroUsd : worst;
  const ends = [
    ...(allowedS === undefined ? [] : [`after ${durationText(allowedS * 1000)}${most === undefined || !money ? '' : ` (${limit === 'cost' ? 'the limit of' : 'at most'} ${formatUsd(most, 2)})`}`]),
    ...(idleS > 0 ? [`after ${durationText(idleS * 1000)} without progress`] : []),
  ];
  return `lease: the machine ends itself ${ends.join(' or ')}; ${graceS} s to save, then it ${onEnd === 'stop' ? 'stops' : 'terminates'}`;
}
