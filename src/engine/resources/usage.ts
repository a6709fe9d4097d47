// What machines of a list are billed for, from one look at the account and the ledger's memory: no question for each machine.
import type { VolumeItem } from '../../core/inventory.ts';
import type { Machine } from '../../core/machine.ts';
import type { MachineUsage, Rates, RunSpan } from '../../core/usage.ts';
import { hasUnseenStarts } from '../../cost/charges.ts';

/** Without prices. Undefined when the cloud does not say when the machine was launched. `told`: its disks; absent: the cloud did not say. */
export function usageOf(machine: Machine, told: readonly VolumeItem[] | undefined, noted: MachineUsage | undefined, nowMs: number): MachineUsage | undefined {
  const { id, launchedAt, state, endedAt, market, interrupted } = machine;
  if (launchedAt === undefined) return undefined;
  const disks = told ?? [];
  const from = wholeSecond(launchedAt);
  const left = state !== 'running' && state !== 'pending';
  const before = noted?.runs.find((run) => run.from === from);
  const latest: RunSpan = {
    from, market,
    ...(left ? endOf(machine, before, nowMs) : {}),
    ...(interrupted ? { interrupted } : {}),
    prices: [],
    addressMicroUsdPerHour: before?.addressMicroUsdPerHour ?? 0,
    ...(left && (before?.addressUnseen ?? before === undefined) ? { addressUnseen: true } : {}),
  };
  // Of earlier starts the cloud tells nothing; one that was never seen to end did so before the next.
  const earlier = (noted?.runs ?? []).filter((run) => run.from < from).map((run) => (run.to === undefined ? { ...run, to: from, atMost: true } : run));
  const gone = state === 'terminated' || state === 'shutting-down';
  const runs = state === 'pending' ? earlier : [...earlier, latest];
  return {
    machineId: id,
    ...(hasUnseenStarts(machine.firstLaunchedAt, runs) || (gone && disks.length === 0 && noted === undefined) ? { unseen: true } : {}),
    runs,
    ...(told === undefined && !gone && (noted?.disks ?? []).length === 0 ? { disksUnknown: true } : {}),
    disks: disks.length > 0
      ? disks.map((disk) => ({ id: disk.id, gb: disk.gb, from: wholeSecond(disk.createdAt ?? launchedAt), onTermination: disk.withMachine ?? true }))
      : (noted?.disks ?? []).map((disk) => (disk.to === undefined && gone ? { ...disk, to: endedAt ?? nowMs } : disk)),
  };
}

/**
 * An exact end that was noted stays: of a stopped machine that is terminated the cloud tells the latter time only. A terminated one
 * that nobody noted may have been stopped before: until then it ran at most.
 */
function endOf({ state, endedAt }: Machine, before: RunSpan | undefined, nowMs: number): Pick<RunSpan, 'to' | 'atMost'> {
  if (before?.to !== undefined && (!before.atMost || endedAt === undefined)) return { to: before.to, ...(before.atMost ? { atMost: true } : {}) };
  if (endedAt === undefined) return { to: nowMs, atMost: true };
  return { to: endedAt, ...(state !== 'stopped' && state !== 'stopping' && before === undefined ? { atMost: true } : {}) };
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
