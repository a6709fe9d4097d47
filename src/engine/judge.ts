// How a training ended, from the machine's own exit record, and what to do about it when it did not end well.
import { resolve } from 'node:path';
import { durationText } from '../core/durations.ts';
import { RunctlError } from '../core/errors.ts';
import type { JobStatus } from '../core/job.ts';
import type { Machine } from '../core/machine.ts';
import type { Provider } from '../core/ports.ts';
import { shellWord } from '../core/quote.ts';
import { parseMetrics } from '../metrics/metrics.ts';
import type { Outputs } from './collect.ts';
import { costText, moreFor, verdictText } from './lease/lease-ended.ts';
import { leaseOf } from './lease/lease.ts';
import { adviceOnMissingFile } from './sync-code.ts';
import type { LaunchedJob } from './launch-job.ts';

const TAIL_LINES = 12;

export interface TrainResult extends LaunchedJob {
  exitCode?: number;
  checkpoint?: string;
  epoch?: number;
  loss?: number;
  accuracy?: number;
  /** Where log, exit record and checkpoints were copied to on this machine; only after --wait. */
  outputs?: string;
  checkpoints?: string[];
  elapsedS?: number;
  costUsd?: number;
  /** The machine's end is not known to the second: it cost this at most. */
  costIsAtMost?: boolean;
  /** For the same time at the price that was told before. */
  estimatedCostUsd?: number;
  /** What its lease would have let it cost. */
  worstCostUsd?: number;
}

/** What the training was started with, to start it again. */
export interface Origin {
  script: string;
  args: string[];
  /** The machine will be there afterwards, and on it what was saved; otherwise only what was fetched is. */
  machineStays: boolean;
}

export function resultOf(status: JobStatus, outputs: Outputs | undefined): Partial<TrainResult> {
  const { epoch, loss, accuracy } = parseMetrics(status.logTail ?? '');
  return {
    phase: status.phase, exitCode: status.exitCode, logPath: status.logPath, epoch, loss, accuracy,
    checkpoint: outputs?.checkpoints.at(-1) ?? status.checkpoint, outputs: outputs?.directory, checkpoints: outputs?.checkpoints,
  };
}

/** Success is exit code 0 in the exit record and nothing else. */
export function judge<R extends Partial<TrainResult>>(result: R, status: JobStatus, machine: Machine, provider: Provider, origin: Origin): R {
  if (status.endedByLease) throw endedByLease(result, status, machine, provider, origin);
  if (status.phase === 'succeeded' && status.exitCode === 0) return result;
  const log = result.outputs ? resolve(result.outputs, 'training.log') : undefined;
  const advice = adviceOnMissingFile(result.sync, status.logTail);
  const details = {
    cause: [advice && `${advice.why}.`, rebootText(status, machine), progressText(result), tailText(status)].filter(Boolean).join('\n'),
    hints: [...(advice?.flag ? [advice.flag] : []), ...(log ? [`less ${shellWord(log)}`] : []), ...resumeHints(result, status, machine, provider, origin), `runctl runs show ${result.runId}`],
    data: { ...result, machine: machine.id, provider: provider.name, ...(status.rebooted ? { rebooted: true, bootedAt: isoTime(status.bootedAt) } : {}) },
  };
  if (status.phase === 'lost') throw new RunctlError('job-lost', `the training process on ${machine.id} vanished without an exit record${status.rebooted ? ': the machine was restarted' : ''}`, details);
  throw new RunctlError('job-failed', `training failed (exit code ${status.exitCode}${signalText(status.exitCode)})`, details);
}

/** Whatever its exit code is: it was told to end before it was done. */
function endedByLease(result: Partial<TrainResult>, status: JobStatus, machine: Machine, provider: Provider, origin: Origin): RunctlError {
  const verdict = { reason: status.endedByLease, lease: leaseOf(machine) };
  const how = status.exitCode === 137 ? 'It did not end in the time that it had to save, and was killed.' : `It was given time to save, and ended with exit code ${status.exitCode ?? 'unknown'}.`;
  const resume = resumeHints(result, status, machine, provider, origin);
  const stops = verdict.lease?.onEnd === 'stop';
  return new RunctlError('lease-ended', `${machine.id} ended the training by its lease, ${verdictText(verdict)}`, {
    cause: [`${how} ${result.outputs ? `Log and checkpoints are in ${result.outputs}.` : ''} ${costText(verdict)}`.replaceAll(/ +/g, ' ').trim(), progressText(result), tailText(status)].join('\n'),
    hints: [
      ...(origin.machineStays && stops ? [`runctl ${provider.name} start ${machine.id} --wait`, moreFor(machine, verdict)] : []),
      ...(origin.machineStays && !stops ? [] : resume),
      `runctl runs show ${result.runId}`,
    ],
    data: { ...result, machine: machine.id, provider: provider.name, state: 'stopping', reason: status.endedByLease },
  });
}

function rebootText({ rebooted, bootedAt, nowAt, phase }: JobStatus, { id }: Machine): string | undefined {
  if (!rebooted) return phase === 'lost' ? `${id} was not restarted: somebody or something killed the process and its supervisor, often for want of memory.` : undefined;
  const when = bootedAt === undefined ? '' : ` at ${isoTime(bootedAt)}${nowAt === undefined ? '' : ` (${durationText(nowAt - bootedAt)} ago)`}`;
  return `${id} was restarted${when} while the training ran; a restart ends every process.`;
}

function progressText({ epoch, checkpoint }: Partial<TrainResult>): string {
  const reached = epoch === undefined ? 'No epoch was logged' : `It had reached epoch ${epoch}`;
  return `${reached}; ${checkpoint === undefined ? 'no checkpoint was saved' : `the newest checkpoint is ${checkpoint}`}.`;
}

function tailText({ logTail = '' }: JobStatus): string {
  const tail = logTail.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
  return tail === '' ? 'The log is empty.' : `Last lines of the log:\n${tail}`;
}

const SIGNALS: Record<number, string> = { 129: 'SIGHUP', 130: 'SIGINT', 134: 'SIGABRT', 135: 'SIGBUS', 136: 'SIGFPE', 137: 'SIGKILL, often for want of memory', 139: 'SIGSEGV', 143: 'SIGTERM' };

function signalText(exitCode: number | undefined): string {
  const name = SIGNALS[exitCode ?? 0];
  return name === undefined ? '' : `: ${name}`;
}

/** The same training once more from its newest checkpoint. runctl's own example scripts call the flag --resume-from. */
function resumeHints(result: Partial<TrainResult>, status: JobStatus, machine: Machine, provider: Provider, { script, args, machineStays }: Origin): string[] {
  const there = status.checkpoint;
  const here = result.checkpoints?.at(-1);
  const words = (checkpoint: string): string => [...withoutResume(args), '--resume-from', checkpoint].map(shellWord).join(' ');
  if (provider.name === 'local') return there ? [`runctl local ${shellWord(script)} -- ${words(there)}`] : [];
  if (machineStays && there) return [`runctl ${provider.name} train ${machine.id} ${shellWord(script)} --wait -- ${words(there)}`];
  if (!here) return [];
  // Outputs are never sent to machines; a copy beside them is.
  return [`mkdir -p resume && cp -R ${shellWord(here)} resume/`, `runctl workflow train ${shellWord(script)} --include-pattern 'resume/**' -- ${words(`resume/${here.split('/').at(-1)}`)}`];
}

function withoutResume(args: string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === '--resume-from') i += 1;
    else if (!arg.startsWith('--resume-from=')) kept.push(arg);
  }
  return kept;
}

function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
