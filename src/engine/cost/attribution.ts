// What every billed second of a machine was good for, from the steps that the ledger remembers. Pure. The parts add up to the bill
// (cost/bill.ts): a second that nothing is known of is idle, a disk without its machine running is kept.
import type { MachineUsage, RunSpan } from '../../core/usage.ts';
import { type ChargeKind, wholeSecond } from '../../cost/charges.ts';
import type { RunRecord, StepRecord } from '../../ledger/ledger.ts';

/**
 * `checkpoint`: the time that a job has after SIGTERM to save; what it writes while it trains nobody can tell from training.
 * `lost`: work on a machine that went away, after the last checkpoint that this computer heard of: all of it when it heard of none.
 * `kept`: disks of a stopped machine.
 */
export const PHASES = ['boot', 'setup', 'data', 'training', 'checkpoint', 'lost', 'idle', 'kept'] as const;
export type Phase = (typeof PHASES)[number];

export interface WorkSpan {
  from: number;
  to: number;
  phase: Phase;
  runId: string;
}

/** A run on the machine with what is remembered of it. */
export interface Work {
  run: Pick<RunRecord, 'id'>;
  steps: readonly Pick<StepRecord, 'name' | 'state' | 'startedAt' | 'endedAt' | 'value' | 'error'>[];
  /** Epoch ms of the newest checkpoint that was heard of. */
  checkpointAt?: number;
}

const STEP_PHASES: Record<string, Phase> = {
  plan: 'boot', create: 'boot', running: 'boot', start: 'boot', revive: 'boot',
  preflight: 'setup', ssm: 'setup', machine: 'setup', lease: 'setup', prepare: 'setup', environment: 'setup', install: 'setup', launch: 'setup',
  sync: 'data', collect: 'data', fetch: 'data', rescue: 'data',
  train: 'training', 'stop-job': 'checkpoint',
};

/** Ends of step `train` after which what was done since the last checkpoint is gone. */
const LOSSES = new Set(['machine-lost', 'job-lost']);

/** `machine`: its starts; a step that nobody ended lasts until its machine left `running`, or until `nowMs`. */
export function workSpans({ run, steps, checkpointAt }: Work, machine: MachineUsage, nowMs: number): WorkSpan[] {
  const spans: WorkSpan[] = [];
  for (const step of steps) {
    const phase = STEP_PHASES[step.name];
    if (phase === undefined) continue;
    const start = startAt(machine, step.startedAt);
    const to = step.endedAt ?? start?.to ?? nowMs;
    if (phase === 'training') spans.push(...trainingSpans(run.id, step, to, start, checkpointAt));
    else spans.push({ from: step.startedAt, to, phase, runId: run.id });
  }
  const unwatched = unwatchedJob({ run, steps, checkpointAt }, machine, nowMs);
  return unwatched ? [...spans, ...unwatched] : spans;
}

function trainingSpans(runId: string, step: Work['steps'][number], to: number, start: RunSpan | undefined, checkpointAt: number | undefined): WorkSpan[] {
  const { startedAt: from } = step;
  if (!wasLost(step, start)) return [{ from, to, phase: 'training', runId }];
  return untilSaved(runId, from, to, checkpointAt);
}

function untilSaved(runId: string, from: number, to: number, checkpointAt = from): WorkSpan[] {
  const saved = Math.min(to, Math.max(from, checkpointAt));
  return [{ from, to: saved, phase: 'training', runId }, { from: saved, to, phase: 'lost', runId }];
}

function wasLost(step: Work['steps'][number], start: RunSpan | undefined): boolean {
  if (step.state === 'failed') return LOSSES.has((step.error as { code?: string } | undefined)?.code ?? '');
  if (step.state === 'done') return (step.value as { phase?: string } | undefined)?.phase === 'lost';
  return start?.interrupted === true;
}

/** A job that was launched and that no command of this computer has followed: until its machine left `running` it may have worked. */
function unwatchedJob({ run, steps, checkpointAt }: Work, machine: MachineUsage, nowMs: number): WorkSpan[] | undefined {
  const launch = steps.find((step) => step.name === 'launch' && step.state === 'done');
  if (launch?.endedAt === undefined || steps.some((step) => step.name === 'train')) return undefined;
  const start = startAt(machine, launch.endedAt);
  const to = start?.to ?? nowMs;
  return start?.interrupted ? untilSaved(run.id, launch.endedAt, to, checkpointAt) : [{ from: launch.endedAt, to, phase: 'training', runId: run.id }];
}

function startAt(machine: MachineUsage, at: number): RunSpan | undefined {
  return machine.runs.find((run) => run.from <= at && at < (run.to ?? Infinity)) ?? machine.runs.find((run) => run.from > at);
}

/** Of several things at once, the one that machines are rented for. */
const RANK: Record<Phase, number> = { lost: 0, training: 1, checkpoint: 2, data: 3, setup: 4, boot: 5, idle: 6, kept: 7 };

/** Who and what a moment belongs to; for `splitBill`, together with `cuts`. */
export function attribution(machine: MachineUsage, spans: readonly WorkSpan[], maker: string | undefined): { cuts: number[]; at(from: number, kind: ChargeKind, unused: boolean): { phase: Phase; runId: string | undefined } } {
  const sorted = spans.map((span) => ({ ...span, from: wholeSecond(span.from), to: wholeSecond(span.to) })).filter((span) => span.to > span.from).sort((a, b) => RANK[a.phase] - RANK[b.phase] || b.from - a.from);
  const cuts = [...sorted.flatMap(({ from, to }) => [from, to]), ...machine.runs.flatMap(({ from, to }) => (to === undefined ? [from] : [from, to]))];
  return {
    cuts,
    at(from, _kind, unused) {
      const running = machine.runs.some((run) => run.from <= from && from < (run.to ?? Infinity));
      const first = machine.runs[0]?.from ?? Infinity;
      const zeroLength = machine.runs.some((run) => run.from === from);
      if (!running && !zeroLength) return { phase: from < first ? 'boot' : 'kept', runId: maker };
      const span = sorted.find((one) => one.from <= from && from < one.to);
      // The rest of a minute that is billed but was not used is nobody's work: whoever made the machine pays for it.
      return unused ? { phase: 'idle', runId: maker } : { phase: span?.phase ?? 'idle', runId: span?.runId ?? maker };
    },
  };
}
