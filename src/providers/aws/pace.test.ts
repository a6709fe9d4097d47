import { expect, test } from 'vitest';
import { createPace } from './pace.ts';

/** Polls until `readyMs` after the sending, each taking `callMs`. */
function pollsUntil(pace: ReturnType<typeof createPace>, readyMs: number, callMs: number): { polls: number; lateMs: number } {
  let nowMs = 0;
  let polls = 0;
  for (const pauseMs of pace.pauses()) {
    nowMs += pauseMs;
    polls += 1;
    const asked = nowMs;
    nowMs += callMs;
    if (asked >= readyMs) break;
  }
  pace.learn(nowMs);
  return { polls, lateMs: nowMs - callMs - readyMs };
}

test('R243 once it is known how long SSM takes, nearly every question is answered, and none comes late', () => {
  const pace = createPace();
  const first = pollsUntil(pace, 700, 60);
  expect(first.polls).toBeGreaterThan(5);
  for (let command = 0; command < 10; command += 1) {
    const next = pollsUntil(pace, 700, 60);
    expect(next.polls).toBeLessThanOrEqual(4);
    // One step and one call.
    expect(next.lateMs).toBeLessThanOrEqual(125);
  }
});

test('R243 a cloud that answers at once is asked at once', () => {
  const pace = createPace();
  expect(pollsUntil(pace, 10, 5)).toMatchObject({ polls: 1 });
  expect(pollsUntil(pace, 10, 5).lateMs).toBeLessThanOrEqual(10);
});

test('R243 a long script slows nothing down: the quickest answer is what counts', () => {
  const pace = createPace();
  pollsUntil(pace, 700, 60);
  pollsUntil(pace, 60_000, 60);
  expect(pollsUntil(pace, 700, 60).lateMs).toBeLessThanOrEqual(125);
  const { polls } = pollsUntil(pace, 60_000, 60);
  expect(polls).toBeLessThan(55);
});
