// What was run, from the ledger.
import { RunctlError } from '../core/errors.ts';
import type { MachineUsage } from '../core/usage.ts';
import { splitBill } from '../cost/bill.ts';
import type { Ledger, MachineRecord, RunRecord, RunState } from '../ledger/ledger.ts';
import { ownerAlive } from '../ledger/owner.ts';
import type { App } from './app.ts';
import { PHASES, type Phase, attribution } from './cost/attribution.ts';
import { workOn } from './cost/cost-report.ts';
import { boundByLease } from './cost/lease-bound.ts';
import { priced } from './cost/rates.ts';

/** `left`: never ended, and the process that told it is gone (killed, power lost); what it made may still be there. `launched`: a job
 *  was started and nobody waited for it; how it ended only its machine knows. */
export type ShownState = RunState | 'left' | 'launched';

export interface RunSummary {
  runId: string;
  verb: string;
  state: ShownState;
  machineId?: string;
  provider?: string;
  project?: string;
  startedAt: string;
  endedAt?: string;
  elapsedS?: number;
  /** What its machine cost for it, as it was told at its end; absent: unknown, or none of its own. */
  costUsd?: number;
}

export interface RunDetail extends RunSummary {
  request: unknown;
  result?: unknown;
  /** What its time on the machine was good for, phases that cost nothing left out. */
  phases?: { phase: Phase; seconds: number; costUsd?: number }[];
  steps: { name: string; attempt: number; state: string; startedAt: string; elapsedMs?: number; error?: string }[];
  effects: { step: string; attempt: number; kind: string; state: string; resourceId?: string }[];
}

export async function listRuns(app: App, { limit, state }: { limit: number; state?: ShownState }): Promise<RunSummary[]> {
  const ledger = await app.ledger();
  const recorded = state === 'left' ? 'open' : state === 'launched' ? 'succeeded' : state;
  return ledger.listRuns({ limit: state === undefined ? limit : MOST_RUNS, state: recorded }).map((run) => summaryOf(ledger, run)).filter((run) => state === undefined || run.state === state).slice(0, limit);
}

/** Read when only runs of one state are wanted, some of which the ledger files under another. */
const MOST_RUNS = 10_000;

function shownState({ state, owner, result }: RunRecord): ShownState {
  if (state === 'open' && !ownerAlive(owner)) return 'left';
  const phase = (result as { phase?: string } | undefined)?.phase;
  return state === 'succeeded' && (phase === 'running' || phase === 'starting') ? 'launched' : state;
}

export async function showRun(app: App, runId: string | undefined): Promise<RunDetail> {
  const ledger = await app.ledger();
  const run = runId === undefined ? ledger.listRuns({ limit: 1 })[0] : ledger.getRun(runId);
  if (!run) throw new RunctlError('not-found', 'no runs yet', { hints: ['runctl workflow train training/train_mnist_e2e.py --sim -- --epochs 3'] });
  return {
    ...summaryOf(ledger, run),
    request: run.request,
    result: run.result,
    phases: await phasesOf(app, ledger, run),
    steps: ledger.stepsOf(run.id).map((step) => ({
      name: step.name,
      attempt: step.attempt,
      state: step.state,
      startedAt: new Date(step.startedAt).toISOString(),
      elapsedMs: step.endedAt === undefined ? undefined : step.endedAt - step.startedAt,
      error: (step.error as { message?: string } | undefined)?.message,
    })),
    effects: ledger.effectsOf(run.id).map(({ step, attempt, kind, state, resourceId }) => ({ step, attempt, kind, state, resourceId })),
  };
}

/** What the books say of the run's share of its machine, the cloud asked for prices only where its bill is still open. Absent when they say nothing. */
async function phasesOf(app: App, ledger: Ledger, run: RunRecord): Promise<RunDetail['phases']> {
  const found = run.machineId === undefined ? undefined : ledger.findMachine(run.machineId);
  if (!found) return undefined;
  const machine = { ...found, usage: boundByLease(ledger, found.usage, found.lease) };
  const nowMs = app.clock.now();
  const usage = await withPrices(app, machine);
  const { cuts, at } = attribution(usage, workOn(ledger, machine, nowMs), machine.runId);
  const parts = splitBill(usage, nowMs, { cuts, label: (...moment) => { const { phase, runId } = at(...moment); return runId === run.id ? phase : 'others'; } });
  return PHASES.flatMap((phase) => {
    const sum = parts.get(phase);
    return sum === undefined || (sum.runningSeconds === 0 && sum.knownMicroUsd === 0) ? [] : [{ phase, seconds: sum.runningSeconds, costUsd: sum.totalMicroUsd === undefined ? undefined : sum.totalMicroUsd / 1_000_000 }];
  });
}

async function withPrices(app: App, machine: MachineRecord): Promise<MachineUsage> {
  try {
    const provider = await app.provider(machine.provider);
    return (provider.pretend ?? false) === machine.pretend ? await priced(app, provider, machine, machine.usage) : machine.usage;
  } catch {
    // Not being able to ask makes prices unknown, and the rest of the run no less worth showing.
    return machine.usage;
  }
}

/** Undefined where nothing was told, or a price was unknown: never shown as zero. */
function costOf(ledger: Ledger, runId: string): number | undefined {
  const costs = ledger.costsOf(runId).map((cost) => cost.costMicroUsd);
  if (costs.length === 0 || costs.some((cost) => cost === undefined)) return undefined;
  return costs.reduce((sum: number, cost) => sum + (cost ?? 0), 0) / 1_000_000;
}

function summaryOf(ledger: Ledger, run: RunRecord): RunSummary {
  return {
    runId: run.id,
    verb: run.verb,
    state: shownState(run),
    machineId: run.machineId,
    provider: run.provider,
    project: run.project,
    startedAt: new Date(run.createdAt).toISOString(),
    endedAt: run.endedAt === undefined ? undefined : new Date(run.endedAt).toISOString(),
    elapsedS: run.endedAt === undefined ? undefined : (run.endedAt - run.createdAt) / 1000,
    costUsd: costOf(ledger, run.id),
  };
}
