// What was run, from the ledger.
import { RunctlError } from '../core/errors.ts';
import type { RunRecord, RunState } from '../ledger/ledger.ts';
import { ownerAlive } from '../ledger/owner.ts';
import type { App } from './app.ts';

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
}

export interface RunDetail extends RunSummary {
  request: unknown;
  result?: unknown;
  costUsd?: number;
  steps: { name: string; attempt: number; state: string; startedAt: string; elapsedMs?: number; error?: string }[];
  effects: { step: string; attempt: number; kind: string; state: string; resourceId?: string }[];
}

export async function listRuns(app: App, { limit, state }: { limit: number; state?: ShownState }): Promise<RunSummary[]> {
  const ledger = await app.ledger();
  const recorded = state === 'left' ? 'open' : state === 'launched' ? 'succeeded' : state;
  return ledger.listRuns({ limit: state === undefined ? limit : MOST_RUNS, state: recorded }).map(summaryOf).filter((run) => state === undefined || run.state === state).slice(0, limit);
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
  const costs = ledger.costsOf(run.id).map((cost) => cost.costMicroUsd);
  const known = costs.every((cost) => cost !== undefined) && costs.length > 0;
  const costUsd = known ? costs.reduce((sum: number, cost) => sum + (cost ?? 0), 0) / 1_000_000 : undefined;
  return {
    ...summaryOf(run),
    request: run.request,
    result: run.result,
    costUsd,
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

function summaryOf(run: RunRecord): RunSummary {
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
  };
}
