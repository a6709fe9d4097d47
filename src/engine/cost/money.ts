// What a machine cost: said at the end of every story that used one, and remembered.
import type { Clock } from '../../core/clock.ts';
import { LEASE_MARGIN_S, type Lease } from '../../core/lease.ts';
import { type HourlyPrice, type Machine, type MachinePlan, runningMicroUsdPerHour } from '../../core/machine.ts';
import { type MicroUsd, formatUsd } from '../../core/money.ts';
import { isOurs } from '../../core/ownership.ts';
import type { Provider } from '../../core/ports.ts';
import { accruedMicroUsd, machineCost } from '../../cost/cost.ts';
import type { App } from '../app.ts';
import { type Bill, billMachine } from './cost-actual.ts';

/** Seconds since now for a bill: the cloud counts on while this computer sleeps, and no clock that is set back makes time undone. */
export function stopwatch(clock: Clock): () => number {
  const [wall, steady] = [clock.now(), clock.monotonic()];
  return () => Math.max(clock.now() - wall, clock.monotonic() - steady) / 1000;
}

/** One start that lasted `seconds`, disk and address included. Undefined when nobody knows the price: it is never shown as zero. */
export function costOfMachine(price: HourlyPrice, seconds: number): MicroUsd | undefined {
  return machineCost(price, { runningSeconds: [seconds], storageSeconds: seconds }).totalMicroUsd;
}

/** A part of a start that others pay the rest of: no minimum. */
function shareOf(price: HourlyPrice, seconds: number): MicroUsd | undefined {
  const hourly = runningMicroUsdPerHour(price);
  return hourly === undefined ? undefined : accruedMicroUsd(hourly, seconds);
}

/** "$0.0187 an hour", for sentences about a machine that goes on. */
export function hourlyText(price: HourlyPrice): string {
  const hourly = runningMicroUsdPerHour(price);
  return hourly === undefined ? 'an unknown price' : `${formatUsd(hourly)} an hour`;
}

/** What was paid, beside what had been said before: absent is what nobody knows. */
export interface Paid {
  costUsd?: number;
  /** Its end is not known to the second: it cost this at most. */
  costIsAtMost?: boolean;
  /** For the same time at the price that was told before. */
  estimatedCostUsd?: number;
  /** What its lease would have let it cost. */
  worstCostUsd?: number;
}

export interface Payment {
  machine: Machine;
  /** Seconds that the story takes for its own. */
  elapsedS: number;
  price?: HourlyPrice;
  plan?: MachinePlan;
  lease?: Lease;
  /** Only what it cost from then on, epoch ms: a machine that had been there before. */
  since?: number;
}

/** Say what a machine has cost, by the cloud's own times where it tells them, and remember it. Never throws: it comes last in
 *  stories that have their own outcome to tell. */
export async function settleCost(app: App, provider: Provider, runId: string, { machine, elapsedS, price, plan, lease, since }: Payment): Promise<Paid> {
  const known = plan?.price ?? price;
  const estimate = known && (since === undefined ? costOfMachine(known, elapsedS) : shareOf(known, elapsedS));
  const worst = lease && worstOf(lease);
  const bill = await billed(app, provider, machine, plan, since);
  const cost = bill ? bill.totalMicroUsd : estimate;
  app.report({ kind: 'cost.actual', machineId: machine.id, seconds: elapsedS, costMicroUsd: cost, ...(bill?.atMost ? { atMost: true } : {}), estimatedMicroUsd: estimate, worstMicroUsd: worst });
  try {
    (await app.ledger()).addCost({ runId, machineId: machine.id, category: 'machine', seconds: elapsedS, costMicroUsd: cost, at: app.clock.now() });
  } catch (error) {
    app.report({ kind: 'note', level: 'warning', text: `the cost was not recorded: ${error instanceof Error ? error.message : String(error)}` });
  }
  return { costUsd: usd(cost), ...(bill?.atMost ? { costIsAtMost: true } : {}), estimatedCostUsd: usd(estimate), worstCostUsd: usd(worst) };
}

/** What a machine has cost in its whole life so far. Nothing of one that somebody else made, and nothing when the cloud does not answer. */
export async function costOfLife(app: App, provider: Provider, machine: Machine): Promise<Pick<Paid, 'costUsd' | 'costIsAtMost'> & { billedS?: number }> {
  if (!isOurs(machine.tags)) return {};
  const bill = await billed(app, provider, machine, undefined, undefined);
  if (!bill) return {};
  app.report({ kind: 'cost.actual', machineId: machine.id, seconds: bill.runningSeconds, costMicroUsd: bill.totalMicroUsd, ...(bill.atMost ? { atMost: true } : {}) });
  return { billedS: bill.runningSeconds, costUsd: usd(bill.totalMicroUsd), ...(bill.atMost ? { costIsAtMost: true } : {}) };
}

/** Undefined: the cloud bills nothing, or did not answer; then price and time are all there is. */
async function billed(app: App, provider: Provider, machine: Machine, plan: MachinePlan | undefined, since: number | undefined): Promise<Bill | undefined> {
  if (!provider.usage) return undefined;
  try {
    return await billMachine(app, provider, machine, { plan, since });
  } catch (error) {
    app.report({ kind: 'note', level: 'warning', text: `the cloud could not be asked what ${machine.id} has cost: ${error instanceof Error ? error.message : String(error)}` });
    return undefined;
  }
}

/** The most that a lease lets a machine cost, saving and shutting down included; undefined when only idleness ends it. */
export function worstOf({ allowedS, graceS, rateMicroUsd, maxCostMicroUsd, spentMicroUsd = 0 }: Lease): MicroUsd | undefined {
  const byTime = allowedS === undefined || rateMicroUsd === undefined ? undefined : accruedMicroUsd(rateMicroUsd, allowedS + graceS + LEASE_MARGIN_S);
  const byCost = maxCostMicroUsd === undefined ? undefined : Math.max(0, maxCostMicroUsd - spentMicroUsd);
  return byTime === undefined || byCost === undefined ? (byTime ?? byCost) : Math.min(byTime, byCost);
}

const usd = (micros: MicroUsd | undefined): number | undefined => (micros === undefined ? undefined : micros / 1_000_000);

/** "$0.002113", "at most $0.002113", "an unknown amount". */
export function paidText({ costUsd, costIsAtMost }: Paid): string {
  return costUsd === undefined ? 'an unknown amount' : `${costIsAtMost ? 'at most ' : ''}$${costUsd.toFixed(6)}`;
}
