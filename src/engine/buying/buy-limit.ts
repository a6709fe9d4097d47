// The time that a search may take, by a clock that nobody can set.
import { durationText } from '../../core/durations.ts';
import { RunctlError } from '../../core/errors.ts';
import type { App } from '../app.ts';

export interface SearchLimit {
  /** Aborted by Ctrl-C, and some seconds after the time is up: an answer that is under way then may still come. */
  readonly signal: AbortSignal;
  elapsedMs(): number;
  /** Infinity without a limit; negative when the time is up. */
  leftMs(): number;
  isLate(): boolean;
  /** "12 s of 60 s" */
  text(): string;
  stop(): void;
}

/** An answer that began in time may end this much later. */
const GRACE_MS = 8000;

export function startLimit(app: App, limitMs: number | undefined): SearchLimit {
  const startedAt = app.clock.monotonic();
  const elapsedMs = (): number => app.clock.monotonic() - startedAt;
  const done = new AbortController();
  const late = new AbortController();
  if (limitMs !== undefined) {
    app.clock.sleep(limitMs + GRACE_MS, done.signal).then(
      () => late.abort(new RunctlError('timeout', 'no answer within the time for spot capacity', { cause: 'The cloud did not answer, or kept asking for fewer requests, until the time was up.', hints: ['--spot-timeout 10m', 'runctl doctor'], data: { sent: 'maybe' } })),
      () => undefined,
    );
  }
  return {
    signal: AbortSignal.any([app.signal, late.signal]),
    elapsedMs,
    leftMs: () => (limitMs === undefined ? Infinity : limitMs - elapsedMs()),
    isLate: () => limitMs !== undefined && elapsedMs() >= limitMs,
    text: () => (limitMs === undefined ? durationText(elapsedMs()) : `${durationText(elapsedMs())} of ${durationText(limitMs)}`),
    stop: () => done.abort(),
  };
}
