// What machines of a list are billed for, from one look at the account and the ledger's memory: no question for each machine.
import type { VolumeItem } from '../../core/inventory.ts';
import type { Machine } from '../../core/machine.ts';
import type { MachineUsage, Rates, RunSpan } from '../../core/usage.ts';

/** Without prices. Undefined when the cloud does not say when the machine was launched. */
export function usageOf(machine: Machine, disks: readonly VolumeItem[], noted: MachineUsage | undefined, nowMs: number): MachineUsage | undefined {
  const { id, launchedAt, state, endedAt, market, interrupted } = machine;
  if (launchedAt === undefined) return undefined;
  const from = wholeSecond(launchedAt);
  const left = state !== 'running' && state !== 'pending';
  const before = noted?.runs.find((run) => run.from === from);
  const latest: RunSpan = {
    from, market,
    // An end that was seen is better than one that is guessed.
    ...(left ? (endedAt === undefined ? (before?.to === undefined ? { to: nowMs, atMost: true } : { to: before.to, ...(before.atMost ? { atMost: true } : {}) }) : { to: endedAt }) : {}),
    ...(interrupted ? { interrupted } : {}),
    prices: [],
    addressMicroUsdPerHour: before?.addressMicroUsdPerHour ?? 0,
  };
  // Of earlier starts the cloud tells nothing; one that was never seen to end did so before the next.
  const earlier = (noted?.runs ?? []).filter((run) => run.from < from).map((run) => (run.to === undefined ? { ...run, to: from, atMost: true } : run));
  const gone = state === 'terminated' || state === 'shutting-down';
  return {
    machineId: id,
    runs: state === 'pending' ? earlier : [...earlier, latest],
    disks: disks.length > 0
      ? disks.map((disk) => ({ id: disk.id, gb: disk.gb, from: wholeSecond(disk.createdAt ?? launchedAt), onTermination: disk.withMachine ?? true }))
      : (noted?.disks ?? []).map((disk) => (disk.to === undefined && gone ? { ...disk, to: endedAt ?? nowMs } : disk)),
  };
}

/** The same with prices where it lacks them. */
export function withRates(usage: MachineUsage, rates: Rates, machine: Machine): MachineUsage {
  const address = machine.publicIp === undefined ? 0 : rates.addressMicroUsdPerHour;
  return {
    ...usage,
    runs: usage.runs.map((run) => ({
      ...run,
      prices: run.market === machine.market ? rates.prices : run.prices,
      addressMicroUsdPerHour: run.to === undefined ? Math.max(run.addressMicroUsdPerHour, address) : run.addressMicroUsdPerHour,
    })),
    disks: usage.disks.map((disk) => ({ ...disk, microUsdPerGbMonth: disk.microUsdPerGbMonth ?? rates.diskMicroUsdPerGbMonth })),
  };
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
