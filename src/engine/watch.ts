// Follows a job on its machine until the agent's exit record exists: log bytes in order, none twice, none lost.
import { type WatchChunk, parseWatch } from '../agent/parse.ts';
import { logBytesPerCall, renderWatch } from '../agent/render.ts';
import { durationText } from '../core/durations.ts';
import { RunctlError } from '../core/errors.ts';
import type { JobStatus } from '../core/job.ts';
import type { Machine } from '../core/machine.ts';
import type { Provider, Shell } from '../core/ports.ts';
import type { App } from './app.ts';
import { heardOfLease } from './lease/lease-ended.ts';
import { type Trouble, comeBack, listenTo } from './trouble.ts';

export interface WatchOptions {
  runId: string;
  /** Where in the log to begin, bytes. */
  offset: number;
  /** Ends with the job; false: one look at what is there now, and what fails is thrown at once. */
  follow: boolean;
  /** Throws `timeout` (the job goes on) after this long; absent: no limit. Hours in which this computer slept do not count. */
  timeoutMs?: number;
  /** Asks after another kind of job than a training. */
  render?: typeof renderWatch;
  /** Told at every question that was not answered. */
  onTrouble?: (trouble: Trouble) => void;
  /** An answer came after all. */
  onRelief?: (over: Trouble) => void;
}

/** Longest the machine may hold a question open while nothing happens. */
const HOLD_S = 10;
/** How much longer an answer may take before the question is dropped and asked anew. */
const ANSWER_MS = 30_000;
/** Shortest time between the beginnings of two questions while the log grows: two questions a second at most. */
const PERIOD_MS = 500;

export async function* watchJob(app: App, provider: Provider, machine: Machine, shell: Shell, options: WatchOptions): AsyncGenerator<WatchChunk> {
  const { runId, follow, timeoutMs = Infinity, render = renderWatch } = options;
  const startedAt = app.clock.monotonic();
  const leftMs = (): number => timeoutMs - (app.clock.monotonic() - startedAt);
  const patienceMs = app.config.train.patience_minutes * 60_000;
  const maxBytes = logBytesPerCall(shell.maxOutputBytes);
  const listening = listenTo(app, provider, machine, { runId, onTrouble: options.onTrouble });
  let { offset } = options;
  for (;;) {
    // The machine answers when something happens; it is never asked to wait beyond a limit.
    const holdS = follow ? Math.max(1, Math.min(HOLD_S, Math.ceil(leftMs() / 1000), Math.ceil(patienceMs / 2000))) : 0;
    const withinMs = Math.min(holdS * 1000 + ANSWER_MS, Math.max(2000, patienceMs));
    const askedAt = app.clock.monotonic();
    const chunk = await ask(app, shell, render(runId, offset, maxBytes, holdS), withinMs).catch(async (error: unknown) => {
      if (!follow) throw error;
      if (leftMs() <= 0) throw timedOut(provider, machine, runId, timeoutMs);
      await listening.missed(error);
      return undefined;
    });
    if (!chunk) continue;
    const over = listening.heard();
    heardOfLease(app.clock, machine, chunk.status.lease);
    if (over) options.onRelief?.(over);
    if (chunk.status.phase === 'none') {
      throw new RunctlError('not-found', `no run ${runId} on ${machine.id}`, { hints: [`runctl ${provider.name} training-status ${machine.id}`] });
    }
    offset += chunk.bytes.length;
    yield chunk;
    const caughtUp = offset >= (chunk.status.logBytes ?? 0);
    if (caughtUp && (!follow || isOver(chunk.status))) return;
    if (leftMs() <= 0) throw timedOut(provider, machine, runId, timeoutMs);
    const restMs = Math.min(askedAt + PERIOD_MS - app.clock.monotonic(), leftMs());
    if (caughtUp && restMs > 0) await app.clock.sleep(restMs, app.signal);
  }
}

async function ask(app: App, shell: Shell, script: string, withinMs: number): Promise<WatchChunk> {
  return parseWatch(await shell.run(script, { timeoutMs: withinMs, answerWithinMs: withinMs, signal: app.signal }));
}

function timedOut(provider: Provider, machine: Machine, runId: string, timeoutMs: number): RunctlError {
  return new RunctlError('timeout', `${runId} still runs after ${durationText(timeoutMs)}; it goes on`, {
    hints: [...comeBack(provider.name, machine.id, runId), `runctl ${provider.name} stop ${machine.id}`],
    data: { machine: machine.id, runId },
  });
}

export function isOver(status: JobStatus): boolean {
  return status.phase === 'succeeded' || status.phase === 'failed' || status.phase === 'lost';
}
