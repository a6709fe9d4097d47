// What a lease says of an end that nobody saw: a machine that ended itself did so before its lease and what comes after it were over.
// The lease as bought is a tag, which the ledger keeps; what became of it is known from the answers of the machine to this computer.
import type { HeldLease } from '../../agent/lease.ts';
import { LEASE_MARGIN_S, type Lease, readLease } from '../../core/lease.ts';
import type { DiskSpan, MachineUsage, RunSpan } from '../../core/usage.ts';
import type { Ledger } from '../../ledger/ledger.ts';

/** A machine that is started after its lease has ended stays so long at least (agent/guard.sh). */
const WINDOW_S = 900;

/** The usage with every end that is not known exactly no later than the lease allows. `tag`: the lease that the machine was bought with. */
export function boundByLease(ledger: Ledger, usage: MachineUsage, tag: string | undefined): MachineUsage {
  const bought = readLease(tag);
  if (!bought || !usage.runs.some((run) => run.atMost)) return usage;
  const longestMs = longestRunMs(bought, ledger, usage.machineId);
  if (longestMs === undefined) return usage;
  const runs = usage.runs.map((run): RunSpan => (run.atMost && run.to !== undefined && !run.interrupted ? { ...run, to: Math.min(run.to, run.from + longestMs) } : run));
  return { ...usage, runs, disks: usage.disks.map((disk) => withItsMachine(disk, usage.runs.at(-1), runs.at(-1), bought)) };
}

/** A disk that went with its machine, when nobody saw it go. */
function withItsMachine(disk: DiskSpan, seen: RunSpan | undefined, run: RunSpan | undefined, { onEnd }: Lease): DiskSpan {
  const went = onEnd === 'terminate' && disk.onTermination && disk.atMost && disk.to === seen?.to;
  return went && run?.to !== undefined && disk.to !== undefined ? { ...disk, to: Math.max(disk.from, Math.min(disk.to, run.to)) } : disk;
}

/** Of one start: running time counts over all of them, so no single one is longer. Undefined: nothing bounds it, or it may have been lifted. */
function longestRunMs(bought: Lease, ledger: Ledger, machineId: string): number | undefined {
  const leases = [bought];
  for (const run of ledger.listRuns({ machineId, limit: MOST_RUNS })) {
    for (const step of ledger.stepsOf(run.id)) {
      if (step.name !== 'lease') continue;
      const held = step.state === 'done' ? (step.value as HeldLease | undefined) : undefined;
      // A change whose answer nobody heard may be in force.
      if (held?.state === 'off' || (held === undefined && run.verb === 'lease')) return undefined;
      if (held?.lease) leases.push(held.lease);
    }
  }
  const longestS = Math.max(...leases.map(({ allowedS, graceS }) => (allowedS === undefined ? Infinity : Math.max(allowedS, WINDOW_S) + graceS + LEASE_MARGIN_S)));
  return Number.isFinite(longestS) ? longestS * 1000 : undefined;
}

const MOST_RUNS = 10_000;
