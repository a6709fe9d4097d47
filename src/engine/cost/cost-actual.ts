// What machines really cost: the spans for which clouds bill, as they tell them, put together with what the ledger remembers of
// earlier starts and of machines that the cloud has forgotten. Whoever sees a machine change calls `noteMachine`.
import type { Machine, MachinePlan } from '../../core/machine.ts';
import { isOurs } from '../../core/ownership.ts';
import type { Provider } from '../../core/ports.ts';
import type { MachineUsage } from '../../core/usage.ts';
import { type Bill, billOf, nothing, splitBill } from '../../cost/bill.ts';
import { wholeSecond } from '../../cost/charges.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { App } from '../app.ts';
import { boundByLease } from './lease-bound.ts';
import { priced } from './rates.ts';

export type { Bill } from '../../cost/bill.ts';

/** What is already in the ledger of machines that this process saw. */
const noted = new WeakMap<Ledger, Map<string, string>>();

/**
 * Remember a machine as it is now: cheap when nothing has changed, one question to the cloud (its disks) when it is first seen
 * running. Costs survive the cloud's memory that way. Never throws: a bill is no reason for a story to end.
 */
export async function noteMachine(app: App, provider: Provider, machine: Machine, plan?: MachinePlan): Promise<void> {
  if (!provider.usage || !isOurs(machine.tags)) return;
  try {
    const ledger = await app.ledger();
    const seen = noted.get(ledger) ?? new Map<string, string>();
    noted.set(ledger, seen);
    const { id, state, launchedAt, publicIp, endedAt } = machine;
    const now = [state, launchedAt, publicIp, endedAt].join(' ');
    if (seen.get(id) === now && !plan) return;
    // Disks are there to be seen while the machine is, and forgotten with it; of one that just begins they may not be known yet, and
    // somebody may attach others later.
    const isThere = state === 'running' || state === 'stopping' || state === 'stopped';
    // Its starts are kept although its disks cannot be asked for now.
    const usage = await provider.usage(machine, { disks: isThere }, app.signal).catch(() => provider.usage?.(machine, { disks: false }, app.signal));
    ledger.noteMachine({ machine, pretend: provider.pretend ?? false, usage, plan: plan && { diskGb: plan.rootVolumeGb, addressMicroUsdPerHour: plan.price.addressMicroUsd }, nowMs: app.clock.now() });
    seen.set(id, now);
  } catch {
    // What the ledger lacks now, the bill asks the cloud for.
  }
}

export interface BillOptions {
  /** Of a machine that this process made: what its disk and address are, should nobody have seen them. */
  plan?: MachinePlan;
  /** Only what it cost from this moment on, epoch ms; the rest of a minute that nobody used is the machine's. */
  since?: number;
}

/** What this machine has cost so far, or in all when it is terminated. Throws what the cloud's answers throw. */
export async function billMachine(app: App, provider: Provider, machine: Machine, { plan, since }: BillOptions = {}): Promise<Bill> {
  const usage = await priced(app, provider, machine, await usageOf(app, provider, machine, plan));
  const nowMs = app.clock.now();
  const bill = billOf(usage, nowMs);
  if (since === undefined) return bill;
  const cut = wholeSecond(since);
  return { ...bill, ...(splitBill(usage, nowMs, { cuts: [cut], label: (from, _kind, unused) => (from >= cut && !unused ? 'since' : 'before') }).get('since') ?? nothing()) };
}

async function usageOf(app: App, provider: Provider, machine: Machine, plan: MachinePlan | undefined): Promise<MachineUsage> {
  const told = await provider.usage?.(machine, { disks: true }, app.signal);
  if (!told) return { machineId: machine.id, runs: [], disks: [] };
  if (!isOurs(machine.tags)) return told;
  try {
    const ledger = await app.ledger();
    ledger.noteMachine({ machine, pretend: provider.pretend ?? false, usage: told, plan: plan && { diskGb: plan.rootVolumeGb, addressMicroUsdPerHour: plan.price.addressMicroUsd }, nowMs: app.clock.now() });
    const { usage, lease } = ledger.getMachine(machine.id);
    return boundByLease(ledger, usage, lease);
  } catch {
    // Without a ledger only this start is known, and of a terminated machine's disk only what was planned.
    if (told.disks.length > 0) return told;
    if (!plan) return { ...told, disksUnknown: true };
    const { from, to, atMost } = told.runs[0] ?? { from: machine.launchedAt ?? app.clock.now(), to: undefined, atMost: undefined };
    return { ...told, disks: [{ id: 'planned', gb: plan.rootVolumeGb, from, to, atMost, onTermination: true }] };
  }
}
