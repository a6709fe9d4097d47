// Renders complete POSIX sh scripts for a machine: the agent's text followed by the words to run. Pure. What they print is
// read by parse.ts. The agent travels with every call, so machine and runctl can never be of different versions.
import { RunctlError } from '../core/errors.ts';
import { isRunId } from '../core/ids.ts';
import type { JobSpec } from '../core/job.ts';
import launchSh from './agent-launch.sh?raw';
import agentSh from './agent.sh?raw';
import { shellQuote } from '../core/quote.ts';

/** Comments and indentation stay here; the programs hold no text in which either matters (tested). */
function strip(source: string): string {
  const lines = source.split('\n').map((line) => line.trimStart());
  return lines.filter((line) => line !== '' && !line.startsWith('#')).join('\n');
}

const AGENT = strip(agentSh);
const LAUNCHING_AGENT = `${AGENT}\n${strip(launchSh)}`;

export interface LaunchOptions {
  /** Start even though another job of the machine is alive. */
  force?: boolean;
}

export function renderPrepare(runId: string): string {
  return call('prepare', checked(runId));
}

/** Safe to run any number of times: one run id is started at most once. */
export function renderLaunch(spec: JobSpec, options: LaunchOptions = {}): string {
  const words = ['launch', checked(spec.runId), ...(options.force ? ['--force'] : [])];
  return [
    '#!/bin/sh',
    `RUNCTL_AGENT=${shellQuote(LAUNCHING_AGENT)}`,
    `RUNCTL_JOB=${shellQuote(renderJob(spec))}`,
    `RUNCTL_SCRIPT=${word(spec.script, 'script path')}`,
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

/** `file`: absolute path on the machine for the tar.gz of checkpoints, log and exit record; absent: in the run directory. */
export function renderPackOutputs(runId: string, file?: string): string {
  if (file === undefined) return call('pack-outputs', checked(runId));
  if (!file.startsWith('/')) throw new RangeError(`not an absolute path: ${file}`);
  return call('pack-outputs', checked(runId), file);
}

/** How many log bytes to ask `watch` for so that its answer (base64, facts, 4 KiB of tail) fits a shell's output limit. */
export function logBytesPerCall(maxOutputBytes: number): number {
  return Math.max(1_024, Math.floor(((maxOutputBytes - 8_000) * 3) / 4));
}

/** The job as the agent's `exec` reads it: its environment, then what to run. */
function renderJob(spec: JobSpec): string {
  if (spec.codeDirectory !== undefined && !spec.codeDirectory.startsWith('/')) {
    throw new RangeError(`not an absolute code directory: ${spec.codeDirectory}`);
  }
  const exports = Object.entries(spec.env).map(([name, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new RunctlError('usage', `not a name for an environment variable: ${JSON.stringify(name)}`, {
        cause: 'names are letters, digits and _, and do not begin with a digit',
      });
    }
    return `export ${name}=${word(value, `value of ${name}`)}`;
  });
  const words = [spec.codeDirectory ?? '', spec.script, ...spec.args];
  return ['runctl_job_env() {', ':', ...exports, '}', `runctl_exec ${words.map((text) => word(text, 'argument')).join(' ')}`].join('\n');
}

function call(...words: string[]): string {
  return `#!/bin/sh\n${AGENT}\nrunctl_main ${words.map(shellQuote).join(' ')}\n`;
}

function word(text: string, what: string): string {
  if (text.includes('\0')) throw new RunctlError('usage', `the ${what} holds a NUL character`, { cause: 'no program can be given one' });
  return shellQuote(text);
}

function checked(runId: string): string {
  if (!isRunId(runId)) throw new RangeError(`not a run id: ${runId}`);
  return runId;
}

function whole(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a whole number: ${value}`);
  return String(value);
}
