// Step `install`: what the project says it needs, installed on the machine before the job starts. Whether there is anything to
// do is decided here, from the local tree; the work is a detached job on the machine, followed by its log and ended with Ctrl-C.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { ownWords, parseInstall, renderInstall, renderInstallStop, renderInstallWatch } from '../agent/dependencies.ts';
import { type InstallTrouble, explainInstall } from '../agent/dependencies-failure.ts';
import { type Wanted, findDependencies, onlyPython } from '../agent/dependencies-wanted.ts';
import { parseStop } from '../agent/parse.ts';
import { durationText } from '../core/durations.ts';
import { RunctlError } from '../core/errors.ts';
import type { JobStatus } from '../core/job.ts';
import type { Machine } from '../core/machine.ts';
import type { Provider, Shell } from '../core/ports.ts';
import { redactText } from '../core/secrets.ts';
import { again } from '../sync/retry.ts';
import type { ProjectRoot } from '../sync/root.ts';
import type { App } from './app.ts';
import { LineCutter } from './lines.ts';
import type { Say, Story } from './steps.ts';
import { watchJob } from './watch.ts';

interface Place {
  app: App;
  provider: Provider;
  story: Story;
  machine: Machine;
  shell: Shell;
  root: ProjectRoot;
  runDirectory: string;
}

interface Installed {
  outcome: 'nothing' | 'ready' | 'installed';
  source?: string;
  detail: string;
}

/** An installer has nothing to save; it is only given time to tidy up. */
const STOP_GRACE_S = 5;
const TRIED = 'WARNING: Retrying ';
/** In a workflow the machine is gone when this is read: no command that names it. */
const WITHOUT = 'runctl config set train.install false   # or --no-install for one run';
/** Of the log, kept for the explanation of a failure, characters. */
const KEPT = 256 * 1024;

export async function installDependencies(place: Place): Promise<void> {
  await place.story.step('install', 'install dependencies', (say) => install(place, say), ({ detail }) => detail);
}

async function install(place: Place, say: Say): Promise<Installed> {
  const { app, shell, story, root } = place;
  const finding = await findDependencies(root.directory, root.script);
  if (!finding.wanted) {
    if (finding.unread !== undefined) app.report({ kind: 'note', level: 'warning', text: `${finding.unread} is not read; what is installed comes from requirements.txt, pyproject.toml, uv.lock or a script block` });
    if (app.config.train.python === undefined) return { outcome: 'nothing', detail: finding.nothing === undefined ? 'nothing to install' : `nothing to install: ${finding.nothing}` };
  }
  const wanted = finding.wanted ?? onlyPython();
  say(wanted.source);
  const script = renderInstall(story.runId, { wanted, python: app.config.train.python });
  try {
    const start = await again(app, async () => parseInstall(await shell.run(script, { timeoutMs: 120_000, signal: app.signal })));
    if (start.outcome === 'ready') return { outcome: 'ready', source: wanted.source, detail: `${wanted.source}: ${start.detail}` };
    const { status, log } = await follow(place, say).catch(async (error: unknown) => {
      if (!(error instanceof RunctlError) || error.code !== 'timeout') throw error;
      await stop(place);
      throw tooSlow(place, wanted);
    });
    if (status.phase !== 'succeeded') throw await failed(place, wanted, status, log);
    return { outcome: 'installed', source: wanted.source, detail: `${wanted.source}: ${lastOwnWords(log)}` };
  } catch (error) {
    if (!app.signal.aborted) throw error;
    await stop(place);
    throw interrupted();
  }
}

async function follow({ app, provider, story, machine, shell }: Place, say: Say): Promise<{ status: JobStatus; log: string }> {
  const cutter = new LineCutter();
  let log = '';
  const tell = (text: string): void => {
    app.report({ kind: 'install.line', text });
    if (text.trim() !== '') say(text.trim().slice(0, 80));
    log = `${log}${text}\n`.slice(-KEPT);
  };
  let status: JobStatus | undefined;
  const options = { runId: story.runId, offset: 0, follow: true, timeoutMs: app.config.train.install_timeout_minutes * 60_000, render: renderInstallWatch };
  for await (const chunk of watchJob(app, provider, machine, shell, options)) {
    cutter.lines(chunk.bytes).forEach(tell);
    status = chunk.status;
  }
  cutter.rest().forEach(tell);
  if (!status) throw new Error('the watch ended before the install');
  return { status, log };
}

/** Ctrl-C aborted everything that hangs on the app's signal; ending the installer must still work. */
async function stop({ app: { report, clock }, story, shell }: Place): Promise<void> {
  await story
    .step('stop-install', 'end the installation', () => again({ clock }, async () => parseStop(await shell.run(renderInstallStop(story.runId, STOP_GRACE_S), { timeoutMs: (STOP_GRACE_S + 30) * 1000 }))), ({ stopped }) => (stopped === 'none' ? 'had ended already' : 'ended'))
    .catch((error: unknown) => report({ kind: 'note', level: 'warning', text: `the installation could not be ended and may go on: ${error instanceof Error ? error.message : String(error)}` }));
}

async function failed(place: Place, wanted: Wanted, { phase, exitCode }: JobStatus, log: string): Promise<RunctlError> {
  const { app, story, runDirectory } = place;
  const failure = explainInstall(log, phase === 'lost' ? undefined : exitCode);
  const kept = await keepLog(app, story.runId, log);
  const lines = log.trimEnd().split('\n').filter((line, at, all) => line.trim() !== '' && !isRepeated(line, all[at + 1])).slice(-12);
  return new RunctlError('dependencies-failed', `the dependencies of ${wanted.source} could not be installed: ${failure.why}`, {
    cause: lines.length === 0 ? 'The installer said nothing.' : `Last lines of the installer:\n${lines.join('\n')}`,
    hints: [...hintsOf(failure.trouble, failure.package), ...(kept === undefined ? [] : [`less ${kept}`]), WITHOUT],
    data: { source: wanted.source, package: failure.package, trouble: failure.trouble, exitCode, log: kept, machineLog: `${runDirectory}/install.log` },
  });
}

/** Where results of runs go, for a machine of a workflow is gone soon. A disk that is full here must not hide what went wrong there. */
async function keepLog(app: App, runId: string, log: string): Promise<string | undefined> {
  const file = resolve(app.cwd, app.config.local.output_dir, runId, 'install.log');
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, redactText(log));
  } catch (error) {
    app.report({ kind: 'note', level: 'warning', text: `the log of the installation could not be kept: ${(error as Error).message}` });
    return undefined;
  }
  return relative(app.cwd, file).startsWith('..') ? file : relative(app.cwd, file);
}

function hintsOf(trouble: InstallTrouble, name: string | undefined): string[] {
  const bare = name === undefined ? undefined : /^[\w.-]+/.exec(name)?.[0];
  switch (trouble) {
    case 'unknown-package':
      return bare === undefined ? [] : [`pip index versions ${bare}`];
    case 'python':
      return ['runctl config set train.python python3.12'];
    case 'disk':
      return ['runctl config set aws.root_volume_gb 100'];
    case 'network':
    case 'access':
      return ['runctl config set train.env.PIP_INDEX_URL URL', 'runctl config set train.env.UV_INDEX_URL URL'];
    default:
      return [];
  }
}

function interrupted(): RunctlError {
  return new RunctlError('interrupted', 'interrupted by Ctrl-C; the installation was ended, and no training was started');
}

function tooSlow(place: Place, wanted: Wanted): RunctlError {
  const minutes = place.app.config.train.install_timeout_minutes;
  return new RunctlError('timeout', `the dependencies of ${wanted.source} were not installed within ${durationText(minutes * 60_000)}; nothing was started`, {
    hints: [`runctl config set train.install_timeout_minutes ${minutes * 2}`, WITHOUT],
    data: { source: wanted.source },
  });
}

/** pip says each of its tries at length; the last one is enough. */
function isRepeated(line: string, next: string | undefined): boolean {
  return line.startsWith(TRIED) && next !== undefined && next.startsWith(TRIED);
}

function lastOwnWords(log: string): string {
  return log.split('\n').flatMap((line) => ownWords(line) ?? []).at(-1) ?? 'installed';
}
