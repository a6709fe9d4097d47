// A clock for tests with real machines: its time passes so many times faster than ours, so that patience of minutes ends in
// seconds while processes still get the moments that they need.
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../src/core/clock.ts';

export function quickClock(times: number): Clock {
  const startedAt = Date.now();
  const since = performance.now();
  const passedMs = (): number => (performance.now() - since) * times;
  return {
    now: () => Math.round(startedAt + passedMs()),
    monotonic: passedMs,
    async sleep(ms, signal) {
      try {
        await delay(ms / times, undefined, { signal });
      } catch (error) {
        throw signal?.aborted ? signal.reason : error;
      }
    },
  };
}
