// Train on a machine that exists: code there, job started detached, watched to its exit record, results fetched.
import { newRunId } from '../core/ids.ts';
import type { Machine } from '../core/machine.ts';
import type { Provider, Shell } from '../core/ports.ts';
import { type ProjectRoot, findProjectRoot } from '../sync/root.ts';
import type { App } from './app.ts';
import { fetchResults } from './collect.ts';
import { projectName } from './create.ts';
import { followJob, rescue } from './follow.ts';
import { atStake } from './interrupt.ts';
import { type TrainResult, judge, resultOf } from './judge.ts';
import { holdLease } from './lease/lease.ts';
import { type LaunchRequest, launchOn, requireShortArguments } from './launch-job.ts';
import { settleCost, stopwatch } from './cost/money.ts';
import { describeChecks, preflightTrain, requireWayIn } from './preflight.ts';
import { answerFor, requireMachine } from './states.ts';
import { tell } from './steps.ts';
import { waitUntilReady } from './wait.ts';

export type { TrainResult } from './judge.ts';

export interface TrainRequest extends LaunchRequest {
  provider: string;
  machineId: string;
  /** By name, for the record; `args` has them already. */
  hyperparams?: Record<string, string>;
  projectRoot?: string;
  wait: boolean;
  /** Limit of --wait; the job itself goes on. */
  timeoutMs?: number;
  /** Ctrl-C ends the job too, gracefully; otherwise it only ends the watching. */
  stopOnInterrupt?: boolean;
}

export async function train(app: App, request: TrainRequest): Promise<TrainResult> {
  const root = await findScript(app, request);
  const provider = await app.provider(request.provider);
  requireShortArguments(provider, request.args);
  const runId = newRunId(app.clock.now());
  return tell(app, { runId, verb: 'train', request, project: projectName(app) }, async (story) => {
    const elapsed = stopwatch(app.clock);
    const since = app.clock.now();
    story.setMachine(request.machineId, provider.name);
    if (request.syncCode) await story.step('preflight', 'check prerequisites', () => preflightTrain(app, provider, root, request.includePatterns), describeChecks);
    const { machine, shell } = await story.step('machine', 'find machine', () => readyMachine(app, provider, request.machineId), ({ machine }) => `${machine.type} ${machine.state}`).then(keepShell(provider));
    const price = atStake(app, provider, machine);
    await holdLease(app, provider, story, machine, shell);
    const launched = await launchOn(app, provider, story, machine, shell, request, root);
    if (!request.wait) {
      app.report({ kind: 'note', level: 'info', text: `the job runs on ${machine.id} without this command`, hints: [`runctl ${provider.name} monitor ${machine.id} --follow`, `runctl ${provider.name} training-status ${machine.id}`] });
      return { ...launched, phase: 'running' };
    }
    const status = await followJob(app, provider, story, machine, shell, request.timeoutMs ?? (app.config.train.timeout_minutes * 60_000 || undefined)).catch(async (error: unknown) => {
      if (app.signal.aborted && request.stopOnInterrupt) await rescue(app, story, shell, { stop: true });
      throw error;
    });
    const outputs = await fetchResults(app, provider, story, machine, shell, status);
    const elapsedS = elapsed();
    // Of a machine that had been there before, this run pays for its own time.
    const paid = await settleCost(app, provider, runId, { machine, elapsedS, price: await price, since });
    const result = { ...launched, ...resultOf(status, outputs), elapsedS, ...paid };
    return judge(result, status, machine, provider, { script: request.script, args: request.args, machineStays: true });
  });
}

/** Script and project root, checked before anything is asked of a cloud. */
export async function findScript(app: App, request: { script: string; projectRoot?: string }): Promise<ProjectRoot> {
  return findProjectRoot({ cwd: app.cwd, script: request.script, projectRoot: request.projectRoot });
}

async function readyMachine(app: App, provider: Provider, id: string): Promise<{ machine: Machine; shell?: Shell }> {
  const machine = await requireMachine(provider, id, 'train', app.signal);
  await requireWayIn(app, provider, machine);
  if (answerFor('train', machine.state) === 'wait') return { machine: (await waitUntilReady(app, provider, id, { timeoutMs: 600_000 })).machine };
  return { machine };
}

/** The shell is a live thing and stays out of the ledger's record of the step. */
function keepShell(provider: Provider): (found: { machine: Machine }) => Promise<{ machine: Machine; shell: Shell }> {
  return async ({ machine }) => ({ machine, shell: await provider.shell(machine) });
}
