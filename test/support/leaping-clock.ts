// A clock for tests that waits for nothing: every sleep ends at once and moves the time by what was asked for.
import { setImmediate } from 'node:timers';
import type { Clock } from '../../src/core/clock.ts';

export interface LeapingClock extends Clock {
  /** Every sleep so far, in order. */
  readonly slept: number[];
}

export function leapingClock(startMs = Date.UTC(2026, 0, 1)): LeapingClock {
  let nowMs = startMs;
  const slept: number[] = [];
  return {
    slept,
    now: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        slept.push(ms);
        nowMs += ms;
        setImmediate(() => (signal?.aborted ? reject(signal.reason) : resolve()));
      }),
  };
}
