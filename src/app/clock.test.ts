// Time as limits count it: a closed lid is no waiting, and nothing ever runs backwards.
import { expect, test } from 'vitest';
import { createClock, realClock } from './clock.ts';

const HOUR_MS = 3_600_000;

/** A computer whose uptime runs on while it sleeps; `pauses` end only once it is awake. */
function computer() {
  let uptimeMs = 5_000;
  const due: { at: number; wake: () => void }[] = [];
  const clock = createClock(
    () => uptimeMs,
    (ms) => new Promise((wake) => void due.push({ at: uptimeMs + ms, wake: () => wake(undefined) })),
  );
  return {
    clock,
    async pass(ms: number) {
      uptimeMs += ms;
      for (const one of due.filter(({ at }) => at <= uptimeMs)) {
        due.splice(due.indexOf(one), 1);
        one.wake();
      }
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test('R080 the hours in which this computer slept are no waiting, however many pauses they interrupted', async () => {
  const { clock, pass } = computer();
  const start = clock.monotonic();
  const pauses = [clock.sleep(500), clock.sleep(700), clock.sleep(60_000)];
  await pass(8 * HOUR_MS);
  await Promise.all(pauses);
  expect(clock.monotonic() - start).toBeLessThan(60_001);
  const more = clock.sleep(2_000);
  await pass(2_000);
  await more;
  expect(clock.monotonic() - start).toBeGreaterThanOrEqual(2_500);
  expect(clock.monotonic() - start).toBeLessThan(63_000);
});

test('a pause that is a little late, as on a busy computer, is waiting like any other', async () => {
  const { clock, pass } = computer();
  const start = clock.monotonic();
  const pause = clock.sleep(500);
  await pass(4_000);
  await pause;
  expect(clock.monotonic() - start).toBe(4_000);
});

test('an aborted pause ends with the reason of whoever aborted', async () => {
  const reason = new Error('Ctrl-C');
  await expect(realClock.sleep(60_000, AbortSignal.abort(reason))).rejects.toBe(reason);
});
