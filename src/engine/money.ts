// What a machine cost, from its price and its seconds.
import type { Clock } from '../core/clock.ts';
import { type HourlyPrice, runningMicroUsdPerHour } from '../core/machine.ts';
import { type MicroUsd, formatUsd } from '../core/money.ts';
import { machineCost } from '../cost/cost.ts';
import type { App } from './app.ts';

/** Seconds since now for a bill: the cloud counts on while this computer sleeps, and no clock that is set back makes time undone. */
export function stopwatch(clock: Clock): () => number {
  const [wall, steady] = [clock.now(), clock.monotonic()];
  return () => Math.max(clock.now() - wall, clock.monotonic() - steady) / 1000;
}

/** One start that lasted `seconds`, disk and address included. Undefined when nobody knows the price: it is never shown as zero. */
export function costOfMachine(price: HourlyPrice, seconds: number): MicroUsd | undefined {
  return machineCost(price, { runningSeconds: [seconds], storageSeconds: seconds }).totalMicroUsd;
}

/** "$0.0187 an hour", for sentences about a machine that goes on. */
export function hourlyText(price: HourlyPrice): string {
  const hourly = runningMicroUsdPerHour(price);
  return hourly === undefined ? 'an unknown price' : `${formatUsd(hourly)} an hour`;
}

/** Say what a machine has cost this run so far, and remember it: `runs show` tells it of failed runs too. */
export async function noteCost(app: App, runId: string, machineId: string, seconds: number, cost: MicroUsd | undefined): Promise<void> {
  app.report({ kind: 'cost.actual', machineId, seconds, costMicroUsd: cost });
  try {
    (await app.ledger()).addCost({ runId, machineId, category: 'machine', seconds, costMicroUsd: cost, at: app.clock.now() });
  } catch (error) {
    app.report({ kind: 'note', level: 'warning', text: `the cost was not recorded: ${error instanceof Error ? error.message : String(error)}` });
  }
}
