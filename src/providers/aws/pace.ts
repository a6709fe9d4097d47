// When to ask SSM whether a script is over. It says so to nobody unasked, and knows nothing of a command for a while after taking
// it (on AWS the better part of a second): asking before the quickest answer seen so far could come is a request for nothing.

/** A script that only prints is over some twenty milliseconds after it was sent; each poll costs the caller a few of CPU. */
const FIRST_MS = 15;
const LONGEST_MS = 1_500;
const GROWTH = 1.4;
/** How much of the quickest answer's time is surely lost; the rest is asked for in small steps. */
const SURELY_LOST = 0.85;
const STEP = 0.08;

export interface Pace {
  /** Pauses before the first, second… poll of one command, milliseconds: growing, never above 1.5 s. */
  pauses(): Generator<number, never>;
  /** A command's result was there this long after it had been sent. */
  learn(elapsedMs: number): void;
}

export function createPace(): Pace {
  let quickestMs = 0;
  return {
    *pauses() {
      let pauseMs = Math.max(FIRST_MS, quickestMs * STEP);
      yield Math.round(Math.min(LONGEST_MS, Math.max(FIRST_MS, quickestMs * SURELY_LOST)));
      for (;;) {
        yield Math.round(Math.min(LONGEST_MS, pauseMs));
        pauseMs *= GROWTH;
      }
    },
    learn(elapsedMs) {
      // The cloud may become quicker, never slower than it was seen: a long script says nothing of the cloud.
      quickestMs = quickestMs === 0 ? elapsedMs : Math.min(quickestMs, elapsedMs);
    },
  };
}
