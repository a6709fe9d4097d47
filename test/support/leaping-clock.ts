// A clock for tests that waits for nothing: every sleep ends at once and moves the time by what was asked for.
import { setImmediate } from 'node:timers';
import type { Clock } from '../../src/core/clock.ts';

export interface LeapingClock extends Clock {
  /** Every sleep so far, in order. */
  readonly slept: number[];
  /** Somebody sets the clock of this computer: `now` steps by so much, back or forth, and no time passes. */
  step(ms: number): void;
}

export function leapingClock(startMs = Date.UTC(2026, 0, 1)): LeapingClock {
  let nowMs = startMs;
  let passedMs = 0;
  const slept: number[] = [];
  return {
    slept,
    now: () => nowMs,
    monotonic: () => passedMs,
    step: (ms) => {
      nowMs += ms;
    },
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        slept.push(ms);
        nowMs += ms;
        passedMs += ms;
        setImmediate(() => (signal?.aborted ? reject(signal.reason) : resolve()));
      }),
  };
}
