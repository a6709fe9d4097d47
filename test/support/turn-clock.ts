// A clock for tests with several sleepers: time stands still while anything works, and when everything sleeps it jumps to the
// moment at which the next sleeper is due. Hours pass in milliseconds, and in the same order every time.
import { setImmediate } from 'node:timers';
import type { Clock } from '../../src/core/clock.ts';

interface Sleeper {
  dueMs: number;
  wake(): void;
}

/** Turns of the event loop without a new sleeper that mean: everything sleeps. */
const STILL_TURNS = 4;

export function turnClock(startMs = Date.UTC(2026, 0, 1)): Clock {
  let passedMs = 0;
  let turning = false;
  const sleepers = new Set<Sleeper>();
  const turn = (still: number): void => {
    if (sleepers.size === 0) {
      turning = false;
      return;
    }
    if (still < STILL_TURNS) {
      setImmediate(() => turn(still + 1));
      return;
    }
    const [next] = [...sleepers].toSorted((one, other) => one.dueMs - other.dueMs);
    passedMs = Math.max(passedMs, next!.dueMs);
    next!.wake();
    setImmediate(() => turn(0));
  };
  return {
    now: () => startMs + passedMs,
    monotonic: () => passedMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const sleeper: Sleeper = {
          dueMs: passedMs + ms,
          wake: () => {
            sleepers.delete(sleeper);
            signal?.removeEventListener('abort', stop);
            resolve();
          },
        };
        const stop = (): void => {
          sleepers.delete(sleeper);
          reject(signal!.reason);
        };
        signal?.addEventListener('abort', stop, { once: true });
        sleepers.add(sleeper);
        if (!turning) {
          turning = true;
          setImmediate(() => turn(0));
        }
      }),
  };
}
