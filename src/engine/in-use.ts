// Who uses a machine: runs of living runctl processes of this computer, by the ledger, and jobs, by the machine's own word.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseJobs } from '../agent/parse.ts';
import { renderJobs } from '../agent/render.ts';
import { RunctlError } from '../core/errors.ts';
import type { KnownJob } from '../core/job.ts';
import type { Machine } from '../core/machine.ts';
import type { Provider, Shell } from '../core/ports.ts';
import { ownerAlive } from '../ledger/owner.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { App } from './app.ts';

export interface OtherRun {
  runId: string;
  verb: string;
  /** Where it is by now. */
  step?: string;
  /** Of the runctl process. */
  pid: number;
}

export interface JobsSeen {
  shell?: Shell;
  /** Undefined: the machine does not answer. */
  jobs?: KnownJob[];
  /** Why it does not. */
  why?: string;
  /** It answered in earlier times, so that there may be something on it. */
  wasOnline: boolean;
}

/** How long a machine may take to say what runs on it. */
const ANSWER_MS = 30_000;

/** Runs under way on the machine in processes that live, this one left out. */
export async function otherRuns(app: App, machineId: string, ownRunId: string): Promise<OtherRun[]> {
  const ledger = await app.ledger();
  return ledger
    .listRuns({ machineId, state: 'open' })
    .filter((run) => run.id !== ownRunId && ownerAlive(run.owner))
    .map((run) => ({ runId: run.id, verb: run.verb, step: ledger.stepsOf(run.id).findLast((step) => step.state === 'started')?.name, pid: run.owner.pid }));
}

export async function seeJobs(app: App, provider: Provider, machine: Machine): Promise<JobsSeen> {
  if (machine.state !== 'running') return { why: `it is ${machine.state}`, wasOnline: machine.state !== 'pending' };
  try {
    const shell = await provider.shell(machine);
    const answer = await withLimit(app, ANSWER_MS, (signal) => shell.run(renderJobs(), { timeoutMs: ANSWER_MS, signal }));
    return { shell, jobs: parseJobs(answer), wasOnline: true };
  } catch (error) {
    if (!(error instanceof RunctlError) || app.signal.aborted) throw error;
    const readiness = await provider.readiness(machine, app.signal).catch(() => undefined);
    return { why: readiness === undefined || readiness.state === 'online' ? error.message : readiness.detail, wasOnline: readiness === undefined || readiness.state === 'lost' || readiness.state === 'online' };
  }
}

/** Ends the work with `timeout` after `ms` by the app's clock. */
export async function withLimit<T>(app: App, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limit = new AbortController();
  const done = new AbortController();
  app.clock.sleep(ms, done.signal).then(
    () => limit.abort(new RunctlError('timeout', `no end after ${Math.round(ms / 1000)} s`, { hints: ['runctl explain timeout'] })),
    () => undefined, // the work was done first
  );
  try {
    return await work(AbortSignal.any([app.signal, limit.signal]));
  } finally {
    done.abort();
  }
}

/** Steps that bring a run's results home, whatever command took them. */
const FETCHES = ['collect', 'rescue', 'fetch'];

/** Are the results of a run on this computer already? */
export function isFetched(app: App, ledger: Ledger, runId: string): boolean {
  if (existsSync(resolve(app.cwd, app.config.local.output_dir, runId, 'exit_record'))) return true;
  return ledger.stepsOf(runId).some((step) => FETCHES.includes(step.name) && step.state === 'done');
}

/** Runs that this computer launched on the machine and whose results it never fetched; for machines that cannot be asked. */
export async function rememberedUnfetched(app: App, machineId: string): Promise<string[]> {
  const ledger = await app.ledger();
  return ledger
    .listRuns({ machineId, limit: 1000 })
    .filter((run) => ledger.effectsOf(run.id).some((effect) => effect.kind === 'agent.launch' && effect.state !== 'failed'))
    .map((run) => run.id)
    .filter((runId) => !isFetched(app, ledger, runId));
}
