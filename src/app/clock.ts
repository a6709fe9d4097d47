// The real clock.
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../core/clock.ts';

export const realClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, { signal });
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    }
  },
};
