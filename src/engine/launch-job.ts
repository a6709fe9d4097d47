// From a machine that answers to a job that runs by itself: run directory, code, dependencies, launch.
import { parseLaunch, parsePrepared } from '../agent/parse.ts';
import { renderLaunch, renderPrepare } from '../agent/render.ts';
import type { Config } from '../config/settings.ts';
import { RunctlError } from '../core/errors.ts';
import type { JobSpec, JobStatus } from '../core/job.ts';
import type { Machine } from '../core/machine.ts';
import type { Provider, Shell } from '../core/ports.ts';
import { shellQuote } from '../core/quote.ts';
import type { PushSummary } from '../sync/push.ts';
import { again } from '../sync/retry.ts';
import type { ProjectRoot } from '../sync/root.ts';
import type { App } from './app.ts';
import { installDependencies } from './dependencies.ts';
import { otherRuns } from './in-use.ts';
import { deliverEnvironment } from './environment.ts';
import type { Story } from './steps.ts';
import { syncCode } from './sync-code.ts';

const BEFORE_LAUNCH = new Set(['prepare', 'sync', 'environment', 'install', 'launch']);

/** Of the arguments as they are written into the launch. All of a launch travels at once, and Systems Manager takes 64 KiB. */
const MOST_ARGUMENT_BYTES = 16 * 1024;

/** Throws `usage` for arguments that do not get to a machine, before there is one. */
export function requireShortArguments(provider: Provider, args: string[]): void {
  // The shell quotes them twice on the way.
  const bytes = Buffer.byteLength(shellQuote(args.map(shellQuote).join(' ')));
  if (provider.name === 'local' || bytes <= MOST_ARGUMENT_BYTES) return;
  throw new RunctlError('usage', `the arguments of the script are too long: ${Math.ceil(bytes / 1024)} KiB, and ${MOST_ARGUMENT_BYTES / 1024} get to a machine`, {
    cause: 'They travel in one message. Write them into a file of the project, and let the script read it.',
    hints: ['runctl explain usage'],
  });
}

/** What a launch needs to be told. */
export interface LaunchRequest {
  script: string;
  args: string[];
  includePatterns: string[];
  /** Send the code first; without it the job runs where the script lies on the machine. */
  syncCode: boolean;
  /** Install what the project says it needs before the start. */
  install: boolean;
  /** Start although another job runs on the machine. */
  force: boolean;
}

/** A job that was started. */
export interface LaunchedJob {
  runId: string;
  instanceId: string;
  phase: JobStatus['phase'];
  logPath?: string;
  script: string;
  sync?: PushSummary;
}

/** Steps `prepare`, `sync`, `install`, `launch`: from a machine that answers to a job that runs by itself. Shared with the workflow. */
export async function launchOn(
  app: App, provider: Provider, story: Story, machine: Machine, shell: Shell,
  request: LaunchRequest, root: ProjectRoot,
): Promise<LaunchedJob> {
  const { runId } = story;
  // Preparing may be repeated, and the agent starts a run id only once: a command of unknown fate is sent again.
  const ask = (script: string) => again({ clock: app.clock, signal: app.signal }, () => shell.run(script, { timeoutMs: 60_000, signal: app.signal }));
  const context = { machineId: machine.id, provider: provider.name, runId, script: root.script };
  const log = logOf(app.config, runId);
  const { env } = app.config.train;
  const prepare = async () => parsePrepared(await ask(renderPrepare(runId, { force: request.force, log })), context);
  /** Never in a script that somebody else may keep, nor in the ledger. */
  const handOver = async (directory: string): Promise<void> => {
    if (Object.keys(env).length > 0) await story.step('environment', 'hand over variables', () => deliverEnvironment(app, shell, directory, env), () => Object.keys(env).join(', '));
  };
  await warnOfOthers(app, machine.id, runId, request.force);
  let sync: PushSummary | undefined;
  let runDirectory: string | undefined;
  if (request.syncCode) {
    const prepared = await story.step('prepare', 'prepare run directory', prepare, ({ directory }) => directory);
    runDirectory = prepared.directory;
    sync = await syncCode(app, story, shell, root, request, prepared.directory);
    await handOver(prepared.directory);
    if (request.install) await installDependencies({ app, provider, story, machine, shell, root, runDirectory: prepared.directory });
  }
  if (!request.syncCode && Object.keys(env).length > 0) await handOver((await prepare()).directory);
  const spec: JobSpec = { runId, script: root.script, args: request.args, env: request.syncCode ? {} : { RUNCTL_DEVICE: app.config.local.device }, codeDirectory: request.syncCode ? undefined : root.directory, log };
  const launched = await story.step(
    'launch',
    'start training',
    () =>
      story.effect('launch', {
        kind: 'agent.launch',
        request: { machineId: machine.id, ...spec },
        look: async () => undefined, // the agent itself starts a run id only once and answers with what runs
        act: async () => parseLaunch(await ask(renderLaunch(spec, { force: request.force })), context),
        resource: () => `${machine.id}/${runId}`,
      }),
    (status) => (status.pid === undefined ? status.phase : `pid ${status.pid}`),
  );
  return { runId, instanceId: machine.id, phase: launched.phase, logPath: launched.logPath ?? (runDirectory && `${runDirectory}/training.log`), script: root.script, sync };
}

/** Where the configuration wants the log on the machine; undefined: in the directory of the run. */
function logOf({ train }: Config, runId: string): string | undefined {
  if (train.log_path !== undefined) return train.log_path.replaceAll('{run}', runId);
  return train.log_dir === undefined ? undefined : `${train.log_dir.replace(/(?<=.)\/+$/, '').replace(/^\/$/, '')}/${runId}.log`;
}

/** Nobody trains there yet, but somebody is about to: directories and environments are each run's own, and the first launch wins. */
async function warnOfOthers(app: App, machineId: string, runId: string, force: boolean): Promise<void> {
  for (const other of await otherRuns(app, machineId, runId)) {
    if (other.step === undefined || !BEFORE_LAUNCH.has(other.step)) continue;
    app.report({
      kind: 'note', level: 'warning',
      text: `${other.runId} (process ${other.pid}) is at step ${other.step} on ${machineId}${force ? '' : '; whichever is launched first runs, the other is refused'}`,
    });
  }
}
