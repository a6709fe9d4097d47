// Renders complete POSIX sh scripts for a machine: the agent's text followed by the words to run. Pure. What they print is
// read by parse.ts. The agent travels with every call, so machine and runctl can never be of different versions.
import { RunctlError } from '../core/errors.ts';
import { isRunId } from '../core/ids.ts';
import type { JobSpec } from '../core/job.ts';
import launchSh from './agent-launch.sh?raw';
import agentSh from './agent.sh?raw';
import commandSh from './agent-command.sh?raw';
import placeSh from './lease-place.sh?raw';
import machinePy from './machine.py?raw';
import { shellQuote } from '../core/quote.ts';

/** Comments and indentation stay here; the programs hold no text in which either matters (tested). */
export function strip(source: string): string {
  const lines = source.split('\n').map((line) => line.trimStart());
  return lines.filter((line) => line !== '' && !line.startsWith('#')).join('\n');
}

export const AGENT = `${strip(placeSh)}\n${strip(agentSh)}`;
export const LAUNCHING_AGENT = `${AGENT}\n${strip(launchSh)}`;

const COMMAND_AGENT = `${AGENT}\n${strip(commandSh)}`;
const STARTING_COMMAND_AGENT = `${LAUNCHING_AGENT}\n${strip(commandSh)}`;
/** Indentation means something in it, and a # may stand in a text: only whole lines of comment go. */
const PROBE = machinePy.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#')).join('\n');

export interface LaunchOptions {
  /** Start even though another job of the machine is alive. */
  force?: boolean;
}

export interface PrepareOptions extends LaunchOptions {
  /** As in a JobSpec: tried now, so that a log that cannot be written is known before anything is sent. */
  log?: string;
}

/** Refused like a launch while another job is alive: nothing is sent to a machine that will not start it. */
export function renderPrepare(runId: string, options: PrepareOptions = {}): string {
  return call('prepare', checked(runId), options.force ? '--force' : 'plain', ...(options.log === undefined ? [] : [place(options.log)]));
}

export function renderJobs(): string {
  return call('jobs');
}

/** Safe to run any number of times: one run id is started at most once. */
export function renderLaunch(spec: JobSpec, options: LaunchOptions = {}): string {
  const words = ['launch', checked(spec.runId), ...(options.force ? ['--force'] : [])];
  return [
    '#!/bin/sh',
    `RUNCTL_AGENT=${shellQuote(LAUNCHING_AGENT)}`,
    `RUNCTL_JOB=${shellQuote(renderJob(spec))}`,
    `RUNCTL_SCRIPT=${word(spec.script, 'script path')}`,
    `RUNCTL_LOG=${spec.log === undefined ? "''" : shellQuote(place(spec.log))}`,
    'eval "$RUNCTL_AGENT"',
    `runctl_main ${words.map(shellQuote).join(' ')}`,
    '',
  ].join('\n');
}

/** Without a run id: the run launched last. */
export function renderStatus(runId?: string): string {
  return runId === undefined ? call('status') : call('status', checked(runId));
}

/** Answers as soon as the log is longer than `offset` or the job has ended, at the latest after `waitS` whole seconds. */
export function renderWatch(runId: string, offset: number, maxBytes: number, waitS: number): string {
  return call('watch', checked(runId), whole(offset), whole(maxBytes), whole(waitS));
}

export function renderLog(runId: string, offset: number, maxBytes: number): string {
  return call('log', checked(runId), whole(offset), whole(maxBytes));
}

export function renderStop(runId: string, graceS: number): string {
  return call('stop', checked(runId), whole(graceS));
}

/** `inlineBytes`: an archive up to this size comes in the answer itself. `file`: absolute path on the machine for the tar.gz of
 *  checkpoints, log and exit record; absent: in the run directory. */
export function renderPackOutputs(runId: string, { inlineBytes = 0, file }: { inlineBytes?: number; file?: string } = {}): string {
  const words = ['pack-outputs', checked(runId), whole(inlineBytes)];
  if (file === undefined) return call(...words);
  if (!file.startsWith('/')) throw new RangeError(`not an absolute path: ${file}`);
  return call(...words, file);
}

/** What `renderCommand` and `renderCommandWatch` fetch of the two outputs: from these offsets, this many bytes in all. */
export interface CommandWindow {
  stdout: number;
  stderr: number;
  maxBytes: number;
  /** Answers at the latest after this many whole seconds; sooner when there is something to read. */
  waitS: number;
}

export interface CommandSpec {
  /** Lower-case letters and digits, new for every command: one id is started once. */
  id: string;
  /** The program and its arguments, byte for byte; no shell looks at them. */
  words: string[];
  /** Where to run: absolute, or from the run directory; absent: the run directory itself, or the home when nothing ever ran there. */
  directory?: string;
  /** Absent: the run launched last. */
  runId?: string;
  /** Ended on the machine itself after this many whole seconds; 0: never. */
  timeoutS: number;
}

/** Starts the command and answers like `renderCommandWatch`. */
export function renderCommand(spec: CommandSpec, window: CommandWindow): string {
  const words = [commandId(spec.id), whole(spec.timeoutS), spec.runId === undefined ? '' : checked(spec.runId), spec.directory ?? '', ...windowWords(window)];
  return [
    '#!/bin/sh',
    `RUNCTL_AGENT=${shellQuote(STARTING_COMMAND_AGENT)}`,
    `RUNCTL_COMMAND=${shellQuote(`runctl_command_exec ${spec.words.map((text) => word(text, 'argument')).join(' ')}`)}`,
    'eval "$RUNCTL_AGENT"',
    `runctl_main command-start ${words.map((text) => word(text, 'directory')).join(' ')}`,
    '',
  ].join('\n');
}

export function renderCommandWatch(id: string, window: CommandWindow): string {
  return callOf(COMMAND_AGENT, 'command-watch', commandId(id), ...windowWords(window));
}

/** SIGTERM, after `graceS` seconds SIGKILL, to the command and its children. */
export function renderCommandKill(id: string, graceS: number): string {
  return callOf(COMMAND_AGENT, 'command-kill', commandId(id), whole(graceS));
}

/** What the machine is busy with: the `limit` busiest processes, measured over `measureS` seconds. */
export function renderMachine(limit: number, measureS: number): string {
  if (!(measureS > 0 && measureS <= 60)) throw new RangeError(`cannot measure for ${measureS} s`);
  return `#!/bin/sh\nRUNCTL_PROBE=${shellQuote(PROBE)}\n${COMMAND_AGENT}\nrunctl_main machine ${whole(limit)} ${measureS}\n`;
}

/** How many log bytes to ask `watch` for so that its answer (base64, facts, 4 KiB of tail) fits a shell's output limit. */
export function logBytesPerCall(maxOutputBytes: number): number {
  return Math.max(1_024, Math.floor(((maxOutputBytes - 8_000) * 3) / 4));
}

/** Variables that came by themselves (environment.ts): read once, then gone from the disk. */
const HANDED_OVER = '[ ! -f "$rc_run/env.sh" ] || { . "$rc_run/env.sh" && rm -f "$rc_run/env.sh"; }';

/** The job as the agent's `exec` reads it: its environment, then what to run. */
function renderJob(spec: JobSpec): string {
  if (spec.codeDirectory !== undefined && !spec.codeDirectory.startsWith('/')) {
    throw new RangeError(`not an absolute code directory: ${spec.codeDirectory}`);
  }
  const words = [spec.codeDirectory ?? '', spec.script, ...spec.args];
  return ['runctl_job_env() {', ...renderEnvironment(spec.env), HANDED_OVER, '}', `runctl_exec ${words.map((text) => word(text, 'argument')).join(' ')}`].join('\n');
}

/** `export` lines; throws `usage` for what is no name of a variable. */
export function renderEnvironment(env: Record<string, string>): string[] {
  return Object.entries(env).map(([name, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new RunctlError('usage', `not a name for an environment variable: ${JSON.stringify(name)}`, {
        cause: 'names are letters, digits and _, and do not begin with a digit',
        hints: ['runctl config show'],
      });
    }
    return `export ${name}=${word(value, `value of ${name}`)}`;
  });
}

function call(...words: string[]): string {
  return callOf(AGENT, ...words);
}

function callOf(agent: string, ...words: string[]): string {
  return `#!/bin/sh\n${agent}\nrunctl_main ${words.map(shellQuote).join(' ')}\n`;
}

function commandId(id: string): string {
  if (!/^[a-z0-9]{6,64}$/.test(id)) throw new RangeError(`not a command id: ${id}`);
  return id;
}

function windowWords({ stdout, stderr, maxBytes, waitS }: CommandWindow): string[] {
  return [stdout, stderr, maxBytes, waitS].map(whole);
}

function word(text: string, what: string): string {
  if (text.includes('\0')) throw new RunctlError('usage', `the ${what} holds a NUL character`, { cause: 'no program can be given one', hints: ['runctl explain usage'] });
  return shellQuote(text);
}

export function place(path: string): string {
  if (path === '' || path.endsWith('/') || /[\0\n]/.test(path)) throw new RangeError(`not a place for a log: ${JSON.stringify(path)}`);
  return path;
}

export function checked(runId: string): string {
  if (!isRunId(runId)) throw new RunctlError('usage', `${runId} is not a run id`, { cause: 'Run ids look like run-20260101-abc234.', hints: ['runctl runs list'] });
  return runId;
}

export function whole(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a whole number: ${value}`);
  return String(value);
}
