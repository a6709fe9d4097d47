// What this computer's ledger knows of machines: which runs worked on them and how those ended, and what the cloud has forgotten.
import { LEASE_TAG } from '../../core/lease.ts';
import type { Machine } from '../../core/machine.ts';
import type { Provider } from '../../core/ports.ts';
import type { MachineUsage } from '../../core/usage.ts';
import { ownerAlive } from '../../ledger/owner.ts';
import type { RunRecord } from '../../ledger/ledger.ts';
import type { App } from '../app.ts';
import { boundByLease } from '../cost/lease-bound.ts';

export interface LedgerView {
  /** Runs on a machine, newest first. */
  runsOn(machineId: string): readonly RunRecord[];
  run(runId: string): RunRecord | undefined;
  /** What was noted of a machine while it was seen. */
  usageOf(machineId: string): MachineUsage | undefined;
  /** With ends that nobody saw no later than the machine's lease allows. */
  bounded(machine: Machine, usage: MachineUsage): MachineUsage;
  /** Where machines were seen that nobody has seen end. */
  regions: string[];
}

/** Most runs that are looked at, newest first. */
const MOST_RUNS = 10_000;

export async function readLedger(app: App, provider: Provider): Promise<LedgerView> {
  const ledger = await app.ledger();
  const byMachine = new Map<string, RunRecord[]>();
  for (const run of ledger.listRuns({ limit: MOST_RUNS })) {
    if (run.machineId === undefined || run.provider !== provider.name) continue;
    const others = byMachine.get(run.machineId);
    if (others) others.push(run);
    else byMachine.set(run.machineId, [run]);
  }
  const alive = ledger.machines({ alive: true, pretend: provider.pretend ?? false }).filter((machine) => machine.provider === provider.name);
  const usages = new Map(alive.map((machine) => [machine.id, machine.usage]));
  return {
    runsOn: (machineId) => byMachine.get(machineId) ?? [],
    run: (runId) => ledger.findRun(runId),
    usageOf: (machineId) => usages.get(machineId) ?? ledger.findMachine(machineId)?.usage,
    bounded: ({ tags }, usage) => boundByLease(ledger, usage, tags[LEASE_TAG]),
    regions: [...new Set(alive.map((machine) => machine.region))],
  };
}

/** Is anybody at it still: a process that lives, or a job that nobody waited for? */
export function isUnderWay(run: RunRecord): boolean {
  if (run.state === 'open') return ownerAlive(run.owner);
  const phase = (run.result as { phase?: string } | undefined)?.phase;
  return run.state === 'succeeded' && (phase === 'running' || phase === 'starting');
}

/** Failed, interrupted, or its process is gone and left no end. */
export function endedBadly(run: RunRecord): boolean {
  return run.state === 'failed' || run.state === 'interrupted' || (run.state === 'open' && !ownerAlive(run.owner));
}
