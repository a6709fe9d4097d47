// Doing many small calls to a machine: a few at a time, each again when it failed in passing.
import type { Clock } from '../core/clock.ts';
import { RunctlError } from '../core/errors.ts';

const TRIES = 4;
const FIRST_PAUSE_MS = 300;
/** SSM may take so long to hand a command over (DeliveryTimedOut comes after it). */
const DELIVERY_MS = 120_000;

/** How long a URL in a script of this patience has to work: as short as the last try allows, for scripts are kept longer than URLs should live. */
export function urlLifeS(timeoutMs: number): number {
  return Math.ceil((TRIES * (DELIVERY_MS + timeoutMs)) / 1000);
}

export interface Retry {
  clock: Clock;
  signal?: AbortSignal;
}

/** Repeats after retryable errors, with growing pauses. Anything else goes through at once; so does a timeout, which was a wait already. */
export async function again<T>({ clock, signal }: Retry, action: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await action();
    } catch (error) {
      if (attempt === TRIES || signal?.aborted || !(error instanceof RunctlError) || !error.retryable || error.code === 'timeout') throw error;
      await clock.sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1), signal);
    }
  }
}

/** Runs `action` for 0 to count-1, `width` at a time. The first failure ends it, after those under way have ended. */
export async function inParallel(count: number, width: number, action: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next < count && !failed) {
      try {
        await action(next++);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(width, count) }, worker));
  const rejected = results.find((result) => result.status === 'rejected');
  if (rejected) throw rejected.reason;
}
