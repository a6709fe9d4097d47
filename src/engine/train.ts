// Train on a machine that exists: code there, job started detached, watched to its exit record, results fetched.
import { resolve } from 'node:path';
import { parseLaunch, parsePrepared, parseStop } from '../agent/parse.ts';
import { renderLaunch, renderPrepare, renderStop } from '../agent/render.ts';
import { RunctlError } from '../core/errors.ts';
import { newRunId } from '../core/ids.ts';
import type { JobSpec, JobStatus } from '../core/job.ts';
import type { Machine } from '../core/machine.ts';
import type { Provider, Shell } from '../core/ports.ts';
import { parseMetrics } from '../metrics/metrics.ts';
import { packTree } from '../sync/pack.ts';
import { listTree } from '../sync/plan.ts';
import { type PushSummary, pushTree } from '../sync/push.ts';
import { type ProjectRoot, findProjectRoot } from '../sync/root.ts';
import type { App } from './app.ts';
import { type Outputs, collectOutputs } from './collect.ts';
import { projectName } from './create.ts';
import { costOfMachine, noteCost } from './money.ts';
import { answerFor, noSuchMachine, wrongState } from './states.ts';
import { type Story, tell } from './steps.ts';
import { LineCutter, isOver, watchJob } from './watch.ts';
import { waitUntilReady } from './wait.ts';

export interface TrainRequest {
  provider: string;
  machineId: string;
  script: string;
  args: string[];
  /** By name, for the record; `args` has them already. */
  hyperparams?: Record<string, string>;
  projectRoot?: string;
  includePatterns: string[];
  syncCode: boolean;
  wait: boolean;
  /** Limit of --wait; the job itself goes on. */
  timeoutMs?: number;
  force: boolean;
  /** Ctrl-C ends the job too, gracefully; otherwise it only ends the watching. */
  stopOnInterrupt?: boolean;
}

export interface TrainResult {
  runId: string;
  instanceId: string;
  phase: JobStatus['phase'];
  exitCode?: number;
  logPath?: string;
  checkpoint?: string;
  epoch?: number;
  loss?: number;
  accuracy?: number;
  /** Where log, exit record and checkpoints were copied to on this machine; only after --wait. */
  outputs?: string;
  checkpoints?: string[];
  elapsedS?: number;
  costUsd?: number;
  sync?: PushSummary;
  script: string;
}

export async function train(app: App, request: TrainRequest): Promise<TrainResult> {
  const root = await findScript(app, request);
  const provider = await app.provider(request.provider);
  const runId = newRunId(app.clock.now());
  return tell(app, { runId, verb: 'train', request, project: projectName(app) }, async (story) => {
    const startedAt = app.clock.now();
    story.setMachine(request.machineId, provider.name);
    const { machine, shell } = await story.step('machine', 'find machine', () => readyMachine(app, provider, request.machineId), ({ machine }) => `${machine.type} ${machine.state}`).then(keepShell(provider));
    const launched = await launchOn(app, provider, story, machine, shell, request, root);
    if (!request.wait) {
      app.report({ kind: 'note', level: 'info', text: `the job runs on ${machine.id} without this command`, hints: [`runctl ${provider.name} monitor ${machine.id} --follow`, `runctl ${provider.name} training-status ${machine.id}`] });
      return { ...launched, phase: 'running' };
    }
    const status = await followJob(app, provider, story, machine, shell, request.timeoutMs ?? (app.config.train.timeout_minutes * 60_000 || undefined)).catch(async (error: unknown) => {
      if (app.signal.aborted && request.stopOnInterrupt) await rescue(app, story, shell, { stop: true });
      else if (app.signal.aborted) throw goesOn(provider, machine.id);
      throw error;
    });
    const outputs = await story.step('collect', 'fetch results', () => collectOutputs(app, shell, story.runId), describeOutputs);
    const elapsedS = (app.clock.now() - startedAt) / 1000;
    const cost = costOfMachine(await provider.price(machine, app.signal), elapsedS);
    await noteCost(app, runId, machine.id, elapsedS, cost);
    return judge({ ...launched, ...resultOf(status, outputs), elapsedS, costUsd: cost === undefined ? undefined : cost / 1_000_000 }, status, machine, provider);
  });
}

/** Ctrl-C ends the watching only; what goes on, and goes on costing, is said. */
function goesOn(provider: Provider, id: string): RunctlError {
  return new RunctlError('interrupted', `interrupted by Ctrl-C; the training on ${id} goes on, and so does its bill`, {
    hints: [`runctl ${provider.name} monitor ${id} --follow`, `runctl ${provider.name} training-status ${id}`, `runctl ${provider.name} stop ${id}`, `runctl ${provider.name} terminate ${id}`],
  });
}

/** Script and project root, checked before anything is asked of a cloud. */
export async function findScript(app: App, request: { script: string; projectRoot?: string }): Promise<ProjectRoot> {
  return findProjectRoot({ cwd: app.cwd, script: request.script, projectRoot: request.projectRoot });
}

async function readyMachine(app: App, provider: Provider, id: string): Promise<{ machine: Machine; shell?: Shell }> {
  const machine = await provider.find(id, app.signal);
  if (!machine) throw noSuchMachine(provider.name, id);
  const answer = answerFor('train', machine.state);
  if (answer === 'no') throw wrongState('train', machine);
  if (answer === 'wait') return { machine: (await waitUntilReady(app, provider, id, { timeoutMs: 600_000 })).machine };
  return { machine };
}

/** The shell is a live thing and stays out of the ledger's record of the step. */
function keepShell(provider: Provider): (found: { machine: Machine }) => Promise<{ machine: Machine; shell: Shell }> {
  return async ({ machine }) => ({ machine, shell: await provider.shell(machine) });
}

/** Steps `prepare`, `sync`, `launch`: from a machine that answers to a job that runs by itself. Shared with the workflow. */
export async function launchOn(
  app: App, provider: Provider, story: Story, machine: Machine, shell: Shell,
  request: Pick<TrainRequest, 'script' | 'args' | 'includePatterns' | 'syncCode' | 'force'>, root: ProjectRoot,
): Promise<TrainResult> {
  const { runId } = story;
  const ask = (script: string) => shell.run(script, { timeoutMs: 60_000, signal: app.signal });
  let sync: PushSummary | undefined;
  let runDirectory: string | undefined;
  if (request.syncCode) {
    const prepared = await story.step('prepare', 'prepare run directory', async () => parsePrepared(await ask(renderPrepare(runId))), ({ directory }) => directory);
    runDirectory = prepared.directory;
    sync = await story.step('sync', 'sync code', (say) => syncTree(app, shell, root, request.includePatterns, prepared.directory, say), describeSync);
  }
  const spec: JobSpec = { runId, script: root.script, args: request.args, env: { ...(request.syncCode ? {} : { RUNCTL_DEVICE: app.config.local.device }), ...app.config.train.env }, codeDirectory: request.syncCode ? undefined : root.directory };
  const launched = await story.step(
    'launch',
    'start training',
    () =>
      story.effect('launch', {
        kind: 'agent.launch',
        request: { machineId: machine.id, ...spec },
        look: async () => undefined, // the agent itself starts a run id only once and answers with what runs
        act: async () => parseLaunch(await ask(renderLaunch(spec, { force: request.force })), { machineId: machine.id, provider: provider.name, runId }),
        resource: () => `${machine.id}/${runId}`,
      }),
    (status) => (status.pid === undefined ? status.phase : `pid ${status.pid}`),
  );
  return { runId, instanceId: machine.id, phase: launched.phase, logPath: launched.logPath ?? (runDirectory && `${runDirectory}/training.log`), script: root.script, sync };
}

async function syncTree(app: App, shell: Shell, root: ProjectRoot, includePatterns: string[], runDirectory: string, say: (detail: string) => void): Promise<PushSummary> {
  say('listing files');
  const plan = await listTree({
    root: root.directory,
    script: root.script,
    include: [...app.config.sync.include, ...includePatterns],
    exclude: app.config.sync.exclude,
    outputDir: resolve(app.cwd, app.config.local.output_dir),
  });
  for (const warning of plan.warnings) app.report({ kind: 'note', level: 'warning', text: warning });
  say(`packing ${plan.files.length} files`);
  const archive = await packTree(plan, { signal: app.signal });
  try {
    return await pushTree({
      plan, archive, shell, runDirectory,
      store: await app.store(),
      maxDirectBytes: app.config.sync.max_direct_mb * 1024 * 1024,
      report: app.report, clock: app.clock, signal: app.signal,
    });
  } finally {
    await archive.remove();
  }
}

/** Step `train`: log lines as they happen, until the exit record. */
export async function followJob(app: App, provider: Provider, story: Story, machine: Machine, shell: Shell, timeoutMs: number | undefined): Promise<JobStatus> {
  return story.step(
    'train',
    'train',
    async (say) => {
      const cutter = new LineCutter();
      const tell = (text: string): void => {
        app.report({ kind: 'log.line', text });
        const { epoch, epochs, loss, checkpoints } = parseMetrics(text);
        for (const path of checkpoints) app.report({ kind: 'checkpoint.saved', path });
        if (epoch !== undefined) say(`epoch ${epoch}${epochs === undefined ? '' : `/${epochs}`}${loss === undefined ? '' : `, loss ${loss}`}`);
      };
      let last: JobStatus | undefined;
      for await (const chunk of watchJob(app, provider, machine, shell, { runId: story.runId, offset: 0, follow: true, timeoutMs })) {
        cutter.lines(chunk.bytes).forEach(tell);
        last = chunk.status;
      }
      cutter.rest().forEach(tell);
      if (!last || !isOver(last)) throw new Error('the watch ended before the job');
      return last;
    },
    (status) => (status.exitCode === undefined ? status.phase : `${status.phase}, exit code ${status.exitCode}`),
    (status) => status.phase !== 'succeeded',
  );
}

export function resultOf(status: JobStatus, outputs: Outputs | undefined): Partial<TrainResult> {
  const { epoch, loss, accuracy } = parseMetrics(status.logTail ?? '');
  return {
    phase: status.phase, exitCode: status.exitCode, logPath: status.logPath, epoch, loss, accuracy,
    checkpoint: outputs?.checkpoints.at(-1) ?? status.checkpoint, outputs: outputs?.directory, checkpoints: outputs?.checkpoints,
  };
}

/** Steps `stop-job` and `rescue` after something went wrong: what can be saved is saved, what cannot is told. Works after
 *  Ctrl-C, which aborted everything that hangs on the app's signal; a second Ctrl-C ends the process. */
export async function rescue(broken: App, story: Story, shell: Shell, { stop }: { stop: boolean }): Promise<Outputs | undefined> {
  const app: App = { ...broken, signal: new AbortController().signal };
  const tolerate = (what: string) => (failure: unknown): undefined => {
    app.report({ kind: 'note', level: 'warning', text: `${what}: ${failure instanceof Error ? failure.message : String(failure)}` });
    return undefined;
  };
  if (stop) await stopJob(app, story, shell).catch(tolerate('the job could not be stopped in order'));
  return story.step('rescue', 'rescue results', () => collectOutputs(app, shell, story.runId), describeOutputs).catch(tolerate('results could not be fetched'));
}

/** SIGTERM and time to save a checkpoint, then SIGKILL. */
async function stopJob(app: App, story: Story, shell: Shell): Promise<void> {
  const graceS = app.config.train.stop_grace_seconds;
  await story.step('stop-job', 'stop training', async () => parseStop(await shell.run(renderStop(story.runId, graceS), { timeoutMs: (graceS + 30) * 1000 })), (outcome) => ({ term: 'ended on SIGTERM', kill: `killed after ${graceS} s`, none: 'had ended already' })[outcome.stopped]);
}

/** Success is exit code 0 in the exit record and nothing else. */
export function judge<R extends Partial<TrainResult>>(result: R, status: JobStatus, machine: Machine, provider: Provider): R {
  if (status.phase === 'succeeded' && status.exitCode === 0) return result;
  const tail = (status.logTail ?? '').trimEnd().split('\n').slice(-12).join('\n');
  const log = result.outputs ? resolve(result.outputs, 'training.log') : undefined;
  const details = {
    cause: tail === '' ? 'The log is empty.' : `Last lines of the log:\n${tail}`,
    hints: [...(log ? [`less ${log}`] : []), `runctl runs show ${result.runId}`],
    data: { ...result, machine: machine.id, provider: provider.name },
  };
  if (status.phase === 'lost') throw new RunctlError('job-lost', `the training process on ${machine.id} vanished without an exit record`, details);
  throw new RunctlError('job-failed', `training failed (exit code ${status.exitCode})`, details);
}

export function describeOutputs(outputs: Outputs): string {
  return `${outputs.checkpoints.length} checkpoint${outputs.checkpoints.length === 1 ? '' : 's'} in ${outputs.directory}`;
}

function describeSync(summary: PushSummary): string {
  return `${summary.files} files, ${Math.ceil(summary.bytes / 1024)} KiB (${Math.ceil(summary.packedBytes / 1024)} KiB packed), ${summary.skipped} skipped, via ${summary.route}, verified`;
}
