// When a request is sent again, and how long it is waited before: the SDK's own loop, with our judgement and our clock.
// Three things differ from the SDK's own strategy: refusals for want of capacity come as HTTP 500 and are answers, not hiccups;
// whoever asked for one try gets one; and no pause outlives Ctrl-C. Numbers: AWS SDKs and Tools Reference Guide, "Retry behavior".
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from '../../core/clock.ts';

/** What the strategy must know of the call that it serves; the SDK hands it the error only. */
export interface CallPatience {
  signal?: AbortSignal;
  /** Most times that the request is sent. */
  attempts: number;
}

interface RetryToken {
  getRetryCount(): number;
  getRetryDelay(): number;
}

/** The SDK's view of a failure; `retryAfterHint` comes from the Retry-After header. */
interface Failure {
  error: unknown;
  errorType: 'THROTTLING' | 'TRANSIENT' | 'SERVER_ERROR' | 'CLIENT_ERROR';
  retryAfterHint?: Date;
}

/** First pause at most; every later one at most twice the one before. */
const TRANSIENT_MS = 50;
const THROTTLING_MS = 1_000;
const LONGEST_PAUSE_MS = 20_000;
/** A Retry-After header lengthens a pause by this at most. */
const HEEDED_RETRY_AFTER_MS = 5_000;
/** No new try once a call has taken this long: five timeouts in a row are no patience but a hang. */
const GIVE_UP_AFTER_MS = 60_000;

const patience = new AsyncLocalStorage<CallPatience>();

/** Runs one call of the SDK with its own patience. */
export function patiently<T>(call: CallPatience, send: () => Promise<T>): Promise<T> {
  return patience.run(call, send);
}

/** For the SDK's `retryStrategy` option. Its loop reads `$metadata.attempts` and the invocation id from what we return. */
export function createRetryStrategy(clock: Clock) {
  const startedAt = new WeakMap<RetryToken, number>();
  const token = (count: number, since: number): RetryToken => {
    // The pause has been slept already: the SDK is not to sleep it again.
    const made = { getRetryCount: () => count, getRetryDelay: () => 0 };
    startedAt.set(made, since);
    return made;
  };
  return {
    acquireInitialRetryToken: async () => token(0, clock.now()),
    async refreshRetryTokenForRetry(last: RetryToken, failure: Failure): Promise<RetryToken> {
      const call = patience.getStore();
      const since = startedAt.get(last) ?? clock.now();
      const tries = last.getRetryCount() + 1;
      if (!mayPass(failure) || tries >= (call?.attempts ?? 1) || clock.now() - since >= GIVE_UP_AFTER_MS) throw new Error('not to be sent again');
      await clock.sleep(pauseMs(failure, tries - 1, clock.now()), call?.signal);
      return token(tries, since);
    },
    recordSuccess() {},
  };
}

/** Whether the same request can have another outcome. A region without capacity answers 500 for as long as it has none. */
function mayPass({ error, errorType }: Failure): boolean {
  if (errorType !== 'THROTTLING' && errorType !== 'TRANSIENT') return false;
  const name = error instanceof Error ? error.name : '';
  return !/^(Server\.)?(Insufficient\w*Capacity|UnfulfillableCapacity)$/.test(name);
}

function pauseMs({ errorType, retryAfterHint }: Failure, before: number, nowMs: number): number {
  const most = Math.min((errorType === 'THROTTLING' ? THROTTLING_MS : TRANSIENT_MS) * 2 ** before, LONGEST_PAUSE_MS);
  const pause = Math.floor(Math.random() * most);
  return retryAfterHint ? Math.max(pause, Math.min(retryAfterHint.getTime() - nowMs, pause + HEEDED_RETRY_AFTER_MS)) : pause;
}
