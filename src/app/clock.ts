// The real clock.
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../core/clock.ts';

/** A pause that lasted so much longer than asked for was the computer's, not ours: its lid was closed, or the process was stopped. */
const ASLEEP_MS = 10_000;

/** `uptime`: a clock that never steps, milliseconds. Some systems let it run on while the computer sleeps, others do not. */
export function createClock(uptime = () => performance.now(), pause = (ms: number, signal?: AbortSignal): Promise<unknown> => delay(ms, undefined, { signal })): Clock {
  let asleepMs = 0;
  let countedTo = 0;
  return {
    now: () => Date.now(),
    monotonic: () => uptime() - asleepMs,
    async sleep(ms, signal) {
      const before = uptime();
      try {
        await pause(ms, signal);
      } catch (error) {
        throw signal?.aborted ? signal.reason : error;
      }
      // Several pauses end at once when the computer wakes up: each counts only what none has counted yet.
      const after = uptime();
      const overMs = after - Math.max(before + ms, countedTo);
      if (overMs <= ASLEEP_MS) return;
      asleepMs += overMs;
      countedTo = after;
    },
  };
}

export const realClock: Clock = createClock();
