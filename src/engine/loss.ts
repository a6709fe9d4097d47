// Who took the machine away? When a step fails because its machine was stopped or terminated, or a job because somebody ended it,
// the error says so, and by whom when the ledger, which all runctl processes of this computer share, knows.
import { RunctlError } from '../core/errors.ts';
import type { Machine } from '../core/machine.ts';
import { ownerAlive } from '../ledger/owner.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { App } from './app.ts';
import { freshCommand } from './fresh.ts';

type Run = ReturnType<Ledger['getRun']>;

/** Errors behind which there may be no machine any more. */
const SUSPECT = new Set<string>(['machine-lost', 'ssm-not-ready', 'timeout', 'sync-failed', 'transfer-failed', 'dependencies-failed', 'answer-broken', 'endpoint-unreachable', 'cloud-refused', 'not-found']);
const TAKING: readonly string[] = ['stop', 'terminate'];

/** The error of a failed step, or a better one when its machine was taken away meanwhile. Never throws. */
export async function explainLoss(app: App, ledger: Ledger, runId: string, step: string, error: unknown): Promise<unknown> {
  if (!(error instanceof RunctlError) || !SUSPECT.has(error.code) || app.signal.aborted) return error;
  try {
    const run = ledger.findRun(runId);
    if (run?.machineId === undefined || run.provider === undefined || hasTaken(ledger, run)) return error;
    const taker = takerOf(ledger, run);
    const machine = await (await app.provider(run.provider)).find(run.machineId, app.signal);
    if (machine && (machine.state === 'running' || machine.state === 'pending')) return error;
    if (!taker && (!machine || error.code === 'machine-lost' || error.code === 'not-found')) return error;
    return machineTaken(ledger, run, machine, taker, step, error);
  } catch (failure) {
    // Explaining is a courtesy: what went wrong is still the first error.
    if (failure instanceof RunctlError) return error;
    throw failure;
  }
}

/** The error of a whole run: a job that ended badly because it was told to end, a machine that was taken away from under it. */
export function explainEnd(ledger: Ledger, runId: string, error: unknown): unknown {
  if (!(error instanceof RunctlError) || (error.code !== 'job-failed' && error.code !== 'machine-lost')) return error;
  const run = ledger.findRun(runId);
  if (run?.machineId === undefined) return error;
  if (error.code === 'machine-lost') {
    const taker = error.data?.['takenBy'] === undefined && !hasTaken(ledger, run) ? takerOf(ledger, run) : undefined;
    if (!taker) return error;
    return new RunctlError('machine-lost', error.message, {
      cause: `That was ${describe(run, taker)}.${saved(ledger, taker)}${error.reason ? ` ${error.reason}` : ''}`,
      hints: error.hints, step: error.step, data: { ...error.data, takenBy: taker.id }, source: error.source,
    });
  }
  const ender = ledger.listRuns({ machineId: run.machineId, limit: 20 }).find((other) => other.id !== runId && (other.endedAt ?? Infinity) >= run.createdAt && hasEnded(ledger, other, runId));
  if (!ender) return error;
  return new RunctlError('job-failed', `the training was ended by ${describe(run, ender)}; ${error.message}`, { cause: error.reason, hints: error.hints, step: error.step, data: { ...error.data, endedBy: ender.id }, source: error.source });
}

function machineTaken(ledger: Ledger, run: Run, machine: Machine | undefined, taker: Run | undefined, step: string, error: RunctlError): RunctlError {
  const { machineId: id, provider } = run as { machineId: string; provider: string };
  const stopped = machine?.state === 'stopped' || machine?.state === 'stopping';
  const how = stopped ? 'stopped' : 'terminated';
  const who = taker ? `by ${describe(run, taker)}` : `not by runctl on this computer${machine?.stateReason ? `: ${machine.stateReason}` : ''}`;
  return new RunctlError('machine-lost', `${id} was ${how} while ${step} was under way`, {
    cause: `It was ${how} ${who}.${taker ? saved(ledger, taker) : ''} ${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}${error.reason ? `: ${error.reason}` : ''}`,
    hints: [stopped ? `runctl ${provider} start ${id} --wait` : machine ? freshCommand(machine) : `runctl ${provider} create TYPE --wait`, `runctl runs show ${taker?.id ?? run.id}`],
    step: error.step,
    data: { ...error.data, machine: id, state: machine?.state ?? 'gone', ...(taker ? { takenBy: taker.id } : {}) },
    source: error.source ?? error,
  });
}

/** Who stopped or terminated the machine of this run since it began. */
function takerOf(ledger: Ledger, run: Run): Run | undefined {
  return ledger.listRuns({ machineId: run.machineId, limit: 20 }).find((other) => other.id !== run.id && TAKING.includes(other.verb) && (other.endedAt ?? Infinity) >= run.createdAt && hasTaken(ledger, other));
}

/** What it brought home before. */
function saved(ledger: Ledger, taker: Run): string {
  const places = ledger.stepsOf(taker.id).flatMap((step) => (step.name === 'fetch' && step.state === 'done' ? ((step.value as { directory?: string }).directory ?? []) : []));
  return places.length > 0 ? ` It fetched the results first, to ${places.join(', ')}.` : '';
}

/** Has this run stopped or terminated its machine, or begun to? */
function hasTaken(ledger: Ledger, run: Run): boolean {
  return ledger.effectsOf(run.id).some((effect) => TAKING.includes(effect.step) && effect.state !== 'failed' && effect.state !== 'abandoned');
}

/** Has this run ended that job, or is it about to? */
function hasEnded(ledger: Ledger, ender: Run, runId: string): boolean {
  return ledger.stepsOf(ender.id).some((step) => step.name === 'stop-job' && (step.state === 'started' || (step.value as { status?: { runId?: string } } | undefined)?.status?.runId === runId));
}

function describe(run: Run, other: Run): string {
  const alive = other.state === 'open' && ownerAlive(other.owner) ? `, process ${other.owner.pid}` : '';
  return `"runctl ${other.provider ?? run.provider ?? ''} ${other.verb}" (${other.id}${alive})`;
}
