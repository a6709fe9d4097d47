// What is said of a job while it is watched: how far it is, how old its log is, who does not answer, and when it looks stuck.
// Ages are differences on the machine's own clock, so that ours may be wrong.
import { durationText } from '../core/durations.ts';
import type { JobStatus } from '../core/job.ts';
import type { Machine } from '../core/machine.ts';
import { parseMetrics } from '../metrics/metrics.ts';
import type { App } from './app.ts';
import { leaseWatch } from './lease/lease-watch.ts';
import type { Trouble } from './trouble.ts';

/** A log younger than this is not worth a word. */
const QUIET_MS = 15_000;
/** The machine answers at least every ten seconds while all is well. */
const OVERDUE_MS = 20_000;

export interface Heartbeat {
  /** A line of the log: epoch, loss and checkpoints in it are told from now on. */
  line(text: string): void;
  answered(status: JobStatus): void;
  trouble(trouble: Trouble): void;
  relief(over: Trouble): void;
  /** The state of things in a few words, true at the moment of asking. */
  now(): string | undefined;
}

export function createHeartbeat(app: App, machine: Machine): Heartbeat {
  const { clock, report } = app;
  const watchLease = leaseWatch(app, machine);
  const hangMs = app.config.train.hang_minutes * 60_000;
  // An answer takes its time also where the pretend cloud's runs faster.
  const working = (): number => (clock.computing ?? clock.monotonic)();
  let progress: string | undefined;
  let heard: { at: number; workedAt: number; logAgeMs?: number } | undefined;
  let trouble: Trouble | undefined;
  let hangTold = false;

  const watchForHang = (status: JobStatus): void => {
    const quietMs = quietTime(status);
    if (hangMs === 0 || status.phase !== 'running' || quietMs === undefined || quietMs < hangMs) {
      hangTold &&= status.phase === 'running' && quietMs === undefined;
      return;
    }
    if (hangTold) return;
    hangTold = true;
    const { provider, id } = machine;
    report({
      kind: 'note', level: 'warning',
      text: `no new log line and no new checkpoint for ${durationText(quietMs)}: the training may hang. Its process is alive; it is left alone`,
      hints: [`runctl ${provider} training-status ${id}`, ...(provider === 'local' ? [] : [`runctl ${provider} stop ${id}`])],
    });
  };

  return {
    line(text) {
      const { epoch, epochs, loss, checkpoints } = parseMetrics(text);
      for (const path of checkpoints) report({ kind: 'checkpoint.saved', path });
      if (epoch !== undefined) progress = `epoch ${epoch}${epochs === undefined ? '' : `/${epochs}`}${loss === undefined ? '' : `, loss ${loss}`}`;
    },
    answered(status) {
      heard = { at: clock.monotonic(), workedAt: working(), ...(status.nowAt !== undefined && status.logAt !== undefined ? { logAgeMs: status.nowAt - status.logAt } : {}) };
      watchForHang(status);
      watchLease(status.lease);
    },
    trouble(now) {
      if (trouble?.who !== now.who) report({ kind: 'note', level: 'warning', text: now.text });
      trouble = now;
    },
    relief(over) {
      trouble = undefined;
      report({ kind: 'note', level: 'info', text: `${machine.id} answers again after ${durationText(over.silentMs)}` });
    },
    now() {
      if (!heard) return progress;
      const sinceMs = clock.monotonic() - heard.at;
      const silent = trouble || working() - heard.workedAt > OVERDUE_MS ? `nothing heard from ${machine.id} for ${durationText(sinceMs)}` : undefined;
      const logAgeMs = (heard.logAgeMs ?? 0) + sinceMs;
      const quiet = !silent && heard.logAgeMs !== undefined && logAgeMs > QUIET_MS ? `log silent for ${durationText(logAgeMs)}` : undefined;
      return [progress, silent ?? quiet].filter(Boolean).join('; ') || undefined;
    },
  };
}

/** Since the last sign that the job moves: its start, a byte of log, a checkpoint. Undefined: the machine's clock did not say. */
function quietTime({ nowAt, startedAt, logAt, checkpointAt }: JobStatus): number | undefined {
  const moved = Math.max(startedAt ?? 0, logAt ?? 0, checkpointAt ?? 0);
  return nowAt === undefined || moved === 0 ? undefined : nowAt - moved;
}
