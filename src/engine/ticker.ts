// No wait is ever silent: while something takes time, how long it has taken so far is said twice a second.
import type { App } from './app.ts';

const TICK_MS = 500;

/** Says how far a step has come, for people. A function is asked again at every tick, for what changes by itself: ages, counts. */
export type Say = (detail: string | (() => string | undefined)) => void;

export interface Ticker {
  say: Say;
  /** Since the start, by a clock that nobody can set. */
  elapsedMs(): number;
  stop(): void;
}

/** `when`: which ticks are told; absent: all. */
export function startTicker(app: App, step: string, label: string, when: () => boolean = () => true): Ticker {
  const startedAt = app.clock.monotonic();
  const done = new AbortController();
  let detail: Parameters<Say>[0] | undefined;
  const elapsedMs = (): number => app.clock.monotonic() - startedAt;
  const tick = (): void => {
    if (when()) app.report({ kind: 'step.progress', step, label, elapsedMs: elapsedMs(), detail: typeof detail === 'function' ? detail() : detail });
  };
  const loop = async (): Promise<void> => {
    // Twice a second of ours, also where the pretend cloud's time runs faster.
    const { clock } = app;
    for (let saidAt = -Infinity; !done.signal.aborted; ) {
      await clock.sleep(TICK_MS, done.signal);
      const now = clock.computing?.() ?? Infinity;
      if (now - saidAt < TICK_MS) continue;
      saidAt = now;
      tick();
    }
  };
  loop().catch((error: unknown) => {
    if (!done.signal.aborted) throw error;
  });
  return {
    say: (text) => {
      detail = text;
      tick();
    },
    elapsedMs,
    stop: () => done.abort(),
  };
}

/** Like a step, without a story: nothing is changed by it, and nothing of it is remembered. */
export async function telling<T>(app: App, name: string, label: string, action: (say: Say) => Promise<T>): Promise<T> {
  const ticker = startTicker(app, name, label);
  try {
    return await action(ticker.say);
  } finally {
    ticker.stop();
  }
}
