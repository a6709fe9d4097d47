// Runs the built program as a user would: a process of its own, with a private home, state and cloud, and nothing of this
// machine's AWS settings. Not for unit tests: it needs dist/ (npm run build, which `npm test` does first).
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';

export const REPOSITORY = resolve(import.meta.dirname, '../..');
/** RUNCTL_TEST_PROGRAM: the same tests against another build, such as an installed package. */
const PROGRAM = process.env['RUNCTL_TEST_PROGRAM'] ?? join(REPOSITORY, 'dist/main.cjs');

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  cwd?: string;
  env?: Record<string, string>;
  stdin?: string;
  /** Default: a fresh one that is gone afterwards. */
  state?: CliState;
  /** The process is killed after this long, and the outcome has code 124. */
  timeoutMs?: number;
}

export interface CliState {
  /** Holds everything below. */
  directory: string;
  /** A project to work in; empty at first. */
  project: string;
  /** The environment of every process: `runctl` is on its PATH. */
  env: Record<string, string>;
  /** Ends the cloud of this state and everything in it, then removes the directory. */
  close(): Promise<void>;
}

/** A home, a state directory and a project of their own; the cloud in it loses no time. */
export function openState(env: Record<string, string> = {}): CliState {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is not there: run "npm run build" first`);
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'runctl-cli-')));
  const [home, bin, project] = ['home', 'bin', 'project'].map((name) => join(directory, name)) as [string, string, string];
  for (const path of [home, bin, project]) mkdirSync(path);
  symlinkSync(PROGRAM, join(bin, 'runctl'));
  const state: CliState = {
    directory,
    project,
    env: {
      ...kept('TMPDIR', 'LANG', 'LC_ALL', 'TZ'),
      PATH: [bin, dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
      HOME: home,
      XDG_STATE_HOME: join(directory, 'state'),
      XDG_CONFIG_HOME: join(directory, 'config'),
      // Compiled chunks only, the same for all: without it each state would compile the bundle anew.
      XDG_CACHE_HOME: join(REPOSITORY, 'node_modules/.cache/runctl-tests'),
      RUNCTL_SIM_DIAL: 'instant',
      ...env,
    },
    async close() {
      try {
        if (existsSync(join(directory, 'state', 'runctl', 'sim', 'server.json'))) await runCli(['sim', 'stop'], { state, timeoutMs: 20_000 });
      } finally {
        rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      }
    },
  };
  return state;
}

export async function withState<T>(body: (state: CliState) => Promise<T>, env?: Record<string, string>): Promise<T> {
  const state = openState(env);
  try {
    return await body(state);
  } finally {
    await state.close();
  }
}

/** The example scripts and their data, as a user who copied them into a project of his own would have them. */
export function copyTraining(state: CliState): void {
  writeFileSync(join(state.project, 'pyproject.toml'), '[project]\nname = "digits"\n');
  cpSync(join(REPOSITORY, 'training'), join(state.project, 'training'), { recursive: true, filter: (path) => !path.includes('__pycache__') });
}

/** `runctl ARGS`. Never rejects for a failing command: look at the code. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<Outcome> {
  return runProgram(process.execPath, [PROGRAM, ...args], options);
}

/** A POSIX sh script in which `runctl` is the built program. */
export function runShell(script: string, options: CliOptions = {}): Promise<Outcome> {
  return runProgram('sh', ['-c', script], options);
}

/** Any program in the environment of the state. */
export async function runProgram(file: string, args: readonly string[], options: CliOptions = {}): Promise<Outcome> {
  if (!options.state) return withState((state) => runProgram(file, args, { ...options, state }));
  const { state, cwd = state.project, env = {}, stdin = '', timeoutMs = 60_000 } = options;
  const child = spawn(file, args, { cwd, env: { ...state.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (part: Buffer) => stdout.push(part));
  child.stderr.on('data', (part: Buffer) => stderr.push(part));
  // A program that ends without reading its input is no failure of ours.
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, timeoutMs);
  return new Promise((settle, fail) => {
    child.once('error', fail);
    child.once('close', (code) => {
      clearTimeout(timer);
      settle({ code: late ? 124 : (code ?? 137), stdout: Buffer.concat(stdout).toString('utf8'), stderr: Buffer.concat(stderr).toString('utf8') });
    });
  });
}

function kept(...names: string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
}
