// Reads what the agent printed back into types. Pure. Not here: how an answer is taken apart (facts.ts), and what to do about it.
import { createHash } from 'node:crypto';
import { RunctlError } from '../core/errors.ts';
import type { JobPhase, JobStatus, KnownJob } from '../core/job.ts';
import { shellWord } from '../core/quote.ts';
import { LEASE_REASONS, readLeaseFacts } from './lease-facts.ts';
import { type Answer, type Facts, broken, count, data, epochMs, maybe, oneOf, readFacts, text } from './facts.ts';

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
  /** That shall be started, for the commands that are proposed. */
  script?: string;
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
  /** The archive itself, proved by its hash, when it was small enough for the answer. */
  content?: Buffer;
}

export interface CommandChunk {
  /** `lost`: gone without an exit code. */
  state: 'running' | 'ended' | 'lost';
  exitCode?: number;
  /** Its own time limit ended it. */
  timedOut: boolean;
  stdout: Buffer;
  stderr: Buffer;
  /** How long the two outputs are by now. */
  stdoutBytes: number;
  stderrBytes: number;
}

const PHASES: readonly JobPhase[] = ['none', 'starting', 'running', 'succeeded', 'failed', 'lost'];

/** Throws `job-running` when another job of that machine is alive. */
export function parsePrepared(answer: Answer, context: LaunchContext): PreparedRun {
  const facts = readFacts(answer);
  if (facts.get('outcome') === 'refused') throw jobRunning(toStatus(facts), context);
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
  if (outcome === 'refused') throw jobRunning(status, context);
  return { outcome, ...status };
}

/** The refusal names who is in the way, and what can be done about it. */
function jobRunning(running: JobStatus, { machineId, provider, runId, script }: LaunchContext): RunctlError {
  const pid = running.pid === undefined ? '' : `, pid ${running.pid}`;
  const since = running.startedAt === undefined ? '' : `, since ${new Date(running.startedAt).toISOString()}`;
  return new RunctlError('job-running', `a training job already runs on ${machineId}: ${running.script ?? 'a script'} (${running.runId}${pid}${since})`, {
    cause: 'Two jobs would share the memory and the GPUs of the machine; nothing was started.',
    hints: [
      `runctl ${provider} monitor ${machineId} --follow   (wait for it)`,
      `runctl ${provider} stop-training ${machineId}   (end it, with time to save)`,
      `runctl ${provider} train ${machineId} ${shellWord(script ?? 'SCRIPT')} --force   (run both, each in its own directory)`,
    ],
    data: { machine: machineId, refused: runId, running },
  });
}

/** Every run of the machine, in no order that means anything. */
export function parseJobs(answer: Answer): KnownJob[] {
  const lines = text(readFacts(answer), 'jobs64').split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [runId, phase, pid, startedS] = line.split(' ');
    const known = PHASES.find((one) => one === phase);
    if (runId === undefined || known === undefined || !/^(-|\d{1,9})$/.test(pid ?? '') || !/^(-|\d{1,12})$/.test(startedS ?? '')) throw broken(`a job of ${JSON.stringify(line)}`);
    return { runId, phase: known, ...(pid === '-' ? {} : { pid: Number(pid) }), ...(startedS === '-' ? {} : { startedAt: Number(startedS) * 1000 }) };
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
  const content = maybe(facts, 'bytes64', data);
  if (content && createHash('sha256').update(content).digest('hex') !== sha256) throw broken('an archive that does not have its own hash');
  return { file: text(facts, 'file64'), sizeBytes: count(facts, 'size'), sha256, ...(content ? { content } : {}) };
}

export function parseCommand(answer: Answer): CommandChunk {
  const facts = readFacts(answer);
  return {
    state: oneOf(facts, 'state', ['running', 'ended', 'lost']),
    exitCode: maybe(facts, 'exit_code', count),
    timedOut: facts.has('timed_out'),
    stdout: data(facts, 'stdout64'),
    stderr: data(facts, 'stderr64'),
    stdoutBytes: count(facts, 'stdout_bytes'),
    stderrBytes: count(facts, 'stderr_bytes'),
  };
}

export function parseCommandKilled(answer: Answer): void {
  readFacts(answer);
}

/** The JSON of machine.py, for parse-machine.ts. */
export function parseMachineText(answer: Answer): string {
  return text(readFacts(answer), 'machine');
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
    nowAt: maybe(facts, 'now_at', epochMs),
    rebooted: facts.has('rebooted') ? true : undefined,
    bootedAt: maybe(facts, 'booted_at', epochMs),
    directory: maybe(facts, 'directory64', text),
    logPath: maybe(facts, 'log64', text),
    logBytes: maybe(facts, 'log_bytes', count),
    logAt: maybe(facts, 'log_at', epochMs),
    checkpoint: maybe(facts, 'checkpoint64', text),
    checkpointAt: maybe(facts, 'checkpoint_at', epochMs),
    // The cut at 4 KiB may fall inside a character; its rest would show as U+FFFD.
    logTail: tail?.subarray(firstCharacter(tail)).toString('utf8'),
    lease: readLeaseFacts(facts),
    endedByLease: maybe(facts, 'ended_by_lease', (all, key) => oneOf(all, key, LEASE_REASONS)),
  };
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== undefined)) as unknown as JobStatus;
}

function firstCharacter(bytes: Buffer): number {
  let at = 0;
  while (at < 3 && at < bytes.length && ((bytes[at] ?? 0) & 0xc0) === 0x80) at += 1;
  return at;
}
