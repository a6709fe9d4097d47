// Does: the world's clock, in two kinds: real time, and one that a test moves by hand.
// Gaps: no rate (x60) and no skipping ahead yet.
// By design: HTTP Date headers and the check of signature times never use it, else clients would shift their own clocks.
import type { SimClock } from './cloud.ts';

/** setTimeout takes no more than this; longer waits are chained. */
const LONGEST_TIMEOUT_MS = 2_147_483_647;

export function realClock(): SimClock {
  return {
    now: () => Date.now(),
    after(delayMs, action) {
      const dueAt = Date.now() + delayMs;
      let timer: NodeJS.Timeout;
      const arm = (): void => {
        const leftMs = Math.max(0, dueAt - Date.now());
        timer = setTimeout(() => (leftMs > LONGEST_TIMEOUT_MS ? arm() : void action()), Math.min(leftMs, LONGEST_TIMEOUT_MS));
        // The server keeps the process alive; a pending transition alone must not.
        timer.unref();
      };
      arm();
      return () => clearTimeout(timer);
    },
  };
}

export interface ManualClock extends SimClock {
  /** Move the time on, running what falls due in order, each to its end before the next. */
  advance(byMs: number): Promise<void>;
}

export function manualClock(startMs: number): ManualClock {
  let nowMs = startMs;
  let sequence = 0;
  const due: { at: number; order: number; action: () => void | Promise<void> }[] = [];
  return {
    now: () => nowMs,
    after(delayMs, action) {
      const entry = { at: nowMs + Math.max(0, delayMs), order: sequence++, action };
      due.push(entry);
      return () => {
        const index = due.indexOf(entry);
        if (index >= 0) due.splice(index, 1);
      };
    },
    async advance(byMs) {
      const until = nowMs + byMs;
      for (;;) {
        due.sort((a, b) => a.at - b.at || a.order - b.order);
        const next = due[0];
        if (!next || next.at > until) break;
        due.shift();
        nowMs = Math.max(nowMs, next.at);
        await next.action();
      }
      nowMs = until;
    },
  };
}
