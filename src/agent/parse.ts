// Reads what the agent printed back into types. Pure. Lines before and after the facts (message of the day, shell noise)
// are ignored; an answer without its end is an error, never half a truth. Not here: what to do about it.
import { RunctlError } from '../core/errors.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { JobPhase, JobStatus } from '../core/job.ts';
import type { ShellResult } from '../core/ports.ts';

export interface PreparedRun {
  runId: string;
  /** Run directory, absolute; holds code/ and checkpoints/. */
  directory: string;
  home: string;
  /** Who the job will run as. */
  user: string;
  uid: number;
}

export interface LaunchOutcome extends JobStatus {
  /** `already`: this run id had been launched before, and this is what became of it. */
  outcome: 'launched' | 'already';
}

/** For the message when the machine refuses. */
export interface LaunchContext {
  machineId: string;
  provider: string;
  runId: string;
}

export interface WatchChunk {
  /** With `logTail` only once the job has ended. */
  status: JobStatus;
  /** Where `bytes` begin in the log. */
  offset: number;
  bytes: Buffer;
}

export interface LogChunk {
  offset: number;
  bytes: Buffer;
  logBytes: number;
}

export interface StopOutcome {
  /** What ended it; `none`: there was nothing to stop. */
  stopped: 'term' | 'kill' | 'none';
  status: JobStatus;
}

export interface PackedOutputs {
  file: string;
  sizeBytes: number;
  sha256: string;
}

/** Standard output alone, or all that came back, which makes for better errors. */
type Answer = string | ShellResult;
type Facts = Map<string, string>;

const PHASES: readonly JobPhase[] = ['none', 'starting', 'running', 'succeeded', 'failed', 'lost'];
const BEGIN = 'runctl-facts-begin';
const END = 'runctl-facts-end';

export function parsePrepared(answer: Answer): PreparedRun {
  const facts = readFacts(answer);
  return {
    runId: text(facts, 'run_id'),
    directory: text(facts, 'directory64'),
    home: text(facts, 'home64'),
    user: text(facts, 'user64'),
    uid: count(facts, 'uid'),
  };
}

/** Throws `job-running` when another job of that machine is alive. */
export function parseLaunch(answer: Answer, context: LaunchContext): LaunchOutcome {
  const facts = readFacts(answer);
  const outcome = oneOf(facts, 'outcome', ['launched', 'already', 'refused']);
  const status = toStatus(facts);
  if (outcome !== 'refused') return { outcome, ...status };
  const { machineId, provider } = context;
  const since = status.startedAt === undefined ? '' : ` since ${new Date(status.startedAt).toISOString()}`;
  throw new RunctlError('job-running', `a training job already runs on ${machineId}: ${status.script ?? 'a script'} (${status.runId})`, {
    cause: `${status.runId} is ${status.phase}${since}; two jobs would share the machine's memory and GPU`,
    hints: [`runctl ${provider} training-status ${machineId}`, `runctl ${provider} monitor ${machineId} --follow`, `runctl ${provider} train ${machineId} SCRIPT --force`],
    data: { machine: machineId, refused: context.runId, running: status },
  });
}

export function parseStatus(answer: Answer): JobStatus {
  return toStatus(readFacts(answer));
}

export function parseWatch(answer: Answer): WatchChunk {
  const facts = readFacts(answer);
  return { status: toStatus(facts), offset: count(facts, 'offset'), bytes: data(facts, 'bytes64') };
}

export function parseLog(answer: Answer): LogChunk {
  const facts = readFacts(answer);
  return { offset: count(facts, 'offset'), bytes: data(facts, 'bytes64'), logBytes: count(facts, 'log_bytes') };
}

export function parseStop(answer: Answer): StopOutcome {
  const facts = readFacts(answer);
  return { stopped: oneOf(facts, 'stopped', ['term', 'kill', 'none']), status: toStatus(facts) };
}

export function parsePacked(answer: Answer): PackedOutputs {
  const facts = readFacts(answer);
  const sha256 = text(facts, 'sha256');
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw broken(`a sha256 of ${JSON.stringify(sha256)}`);
  return { file: text(facts, 'file64'), sizeBytes: count(facts, 'size'), sha256 };
}

function toStatus(facts: Facts): JobStatus {
  const tail = facts.has('log_tail64') ? data(facts, 'log_tail64') : undefined;
  const status: JobStatus = {
    phase: oneOf(facts, 'phase', PHASES),
    runId: maybe(facts, 'run_id', text),
    script: maybe(facts, 'script64', text),
    pid: maybe(facts, 'pid', count),
    exitCode: maybe(facts, 'exit_code', count),
    startedAt: maybe(facts, 'started_at', epochMs),
    endedAt: maybe(facts, 'ended_at', epochMs),
    heartbeatAt: maybe(facts, 'heartbeat_at', epochMs),
    directory: maybe(facts, 'directory64', text),
    logPath: maybe(facts, 'log64', text),
    logBytes: maybe(facts, 'log_bytes', count),
    checkpoint: maybe(facts, 'checkpoint64', text),
    checkpointAt: maybe(facts, 'checkpoint_at', epochMs),
    // The cut at 4 KiB may fall inside a character; its rest would show as U+FFFD.
    logTail: tail?.subarray(firstCharacter(tail)).toString('utf8'),
  };
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== undefined)) as unknown as JobStatus;
}

function readFacts(answer: Answer): Facts {
  const { stdout, stderr, exitCode }: Partial<ShellResult> & { stdout: string } = typeof answer === 'string' ? { stdout: answer } : answer;
  const lines = stdout.split('\n').map((line) => line.replace(/\r$/, ''));
  const begin = lines.lastIndexOf(BEGIN);
  if (begin < 0) {
    const said = lastLine(stderr) ?? lastLine(stdout);
    const exit = exitCode === undefined ? '' : ` (exit code ${exitCode})`;
    throw broken(`no answer of the agent${exit}${said === undefined ? '' : `: ${said}`}`);
  }
  const end = lines.indexOf(END, begin);
  if (end < 0) throw broken(`an answer that breaks off after ${stdout.length} characters`);
  const facts: Facts = new Map();
  for (const line of lines.slice(begin + 1, end)) {
    const at = line.indexOf('=');
    if (at > 0) facts.set(line.slice(0, at), line.slice(at + 1));
  }
  const error = facts.get('error');
  if (error !== undefined) throw agentError(error, facts.has('message64') ? text(facts, 'message64') : error);
  return facts;
}

const AGENT_ERRORS: Record<string, ErrorCode> = {
  'unknown-run': 'not-found',
  unwritable: 'wrong-state',
  'not-started': 'wrong-state',
  'no-process': 'wrong-state',
};

function agentError(error: string, message: string): RunctlError {
  const code = AGENT_ERRORS[error] ?? 'answer-broken';
  return new RunctlError(code, `on the machine: ${message}`, { data: { agentError: error } });
}

function broken(what: string): RunctlError {
  return new RunctlError('answer-broken', `the machine gave ${what}`);
}

function text(facts: Facts, key: string): string {
  if (key.endsWith('64')) return data(facts, key).toString('utf8');
  const value = facts.get(key);
  if (value === undefined) throw broken(`an answer without ${key}`);
  return value;
}

function data(facts: Facts, key: string): Buffer {
  const value = facts.get(key);
  if (value === undefined) throw broken(`an answer without ${key}`);
  if (value.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) throw broken(`a ${key} that is not base64`);
  return Buffer.from(value, 'base64');
}

function count(facts: Facts, key: string): number {
  const value = text(facts, key);
  if (!/^\d{1,15}$/.test(value)) throw broken(`a ${key} of ${JSON.stringify(value)}`);
  return Number(value);
}

function epochMs(facts: Facts, key: string): number {
  return count(facts, key) * 1_000;
}

function oneOf<T extends string>(facts: Facts, key: string, values: readonly T[]): T {
  const value = text(facts, key);
  const found = values.find((known) => known === value);
  if (found === undefined) throw broken(`a ${key} of ${JSON.stringify(value)}`);
  return found;
}

function maybe<T>(facts: Facts, key: string, read: (facts: Facts, key: string) => T): T | undefined {
  return facts.has(key) ? read(facts, key) : undefined;
}

function firstCharacter(bytes: Buffer): number {
  let at = 0;
  while (at < 3 && at < bytes.length && ((bytes[at] ?? 0) & 0xc0) === 0x80) at += 1;
  return at;
}

function lastLine(output: string | undefined): string | undefined {
  return output?.split('\n').map((line) => line.trim()).findLast((line) => line !== '');
}
