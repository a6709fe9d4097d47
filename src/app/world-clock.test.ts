// runctl in the time of the built-in cloud, as its clock file says from moment to moment.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { leapingClock } from '../../test/support/leaping-clock.ts';
import { clockFor, worldClock } from './world-clock.ts';

const HOUR_MS = 3_600_000;
let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'world-clock-'));
  file = join(directory, 'now');
});
afterEach(() => rmSync(directory, { recursive: true }));

/** As the server replaces it. */
function course(worldMs: number, realMs: number, pace: number, untilMs = 0): void {
  writeFileSync(`${file}.partial`, `${worldMs} ${realMs} ${pace * 1000} ${untilMs} 1000\n1 1 1000 0 1000\n`);
  renameSync(`${file}.partial`, file);
}

test('R206 as long as the world keeps to real time, so does runctl', async () => {
  const real = leapingClock();
  const clock = worldClock(file, real);
  expect(clock.now()).toBe(real.now());
  await clock.sleep(500);
  expect(real.monotonic()).toBe(500);
  expect(clock.monotonic()).toBe(500);
});

test('R206 an hour of waiting passes in a minute at rate 60, and limits count the hour', async () => {
  const real = leapingClock();
  course(real.now(), real.now(), 60);
  const clock = worldClock(file, real);
  const [startedAt, since, at] = [clock.now(), clock.monotonic(), real.monotonic()];
  await clock.sleep(HOUR_MS);
  expect(Math.abs(real.monotonic() - at - 60_000)).toBeLessThan(50);
  expect(clock.monotonic() - since).toBeGreaterThanOrEqual(HOUR_MS - 1);
  expect(clock.now() - startedAt).toBeGreaterThanOrEqual(HOUR_MS - 1);
  // What others compute is no waiting.
  expect(clock.computing?.()).toBe(real.monotonic());
});

test('R206 a sleep wakes soon after a skip, and follows a change of the rate', async () => {
  const real = leapingClock();
  const clock = worldClock(file, real);
  const slept = clock.sleep(3 * HOUR_MS);
  await new Promise((resolve) => setImmediate(resolve));
  course(real.now() + 4 * HOUR_MS, real.now(), 1);
  await slept;
  expect(real.monotonic()).toBeLessThan(1_000);
  const again = clock.sleep(HOUR_MS);
  course(clock.now(), real.now(), 3_600);
  await again;
  expect(real.monotonic()).toBeLessThan(3_000);
});

test('R206 while something falls due the world stands: nothing runs backwards, nobody wakes, and nothing passes the end of the hurry', async () => {
  const real = leapingClock();
  const clock = worldClock(file, real);
  const startedAt = real.now();
  course(startedAt + HOUR_MS, startedAt, 0);
  const before = clock.monotonic();
  await real.sleep(2_000);
  expect(clock.monotonic()).toBe(before);
  expect(clock.now()).toBe(startedAt + HOUR_MS);
  course(startedAt + HOUR_MS, real.now() + 100, 3_600, startedAt + 2 * HOUR_MS);
  expect(clock.now()).toBe(startedAt + HOUR_MS);
  await real.sleep(10_000);
  expect(clock.now()).toBe(startedAt + 2 * HOUR_MS);
});

test('R206 a sleep that is given up ends with the reason', async () => {
  const abort = new AbortController();
  const clock = worldClock(file, leapingClock());
  const slept = clock.sleep(HOUR_MS, abort.signal);
  abort.abort(new Error('enough'));
  await expect(slept).rejects.toThrow('enough');
});

test('R206 only a shell that is pointed at the built-in cloud lives in its time', () => {
  const real = leapingClock();
  course(real.now() + HOUR_MS, real.now(), 1);
  const sim = { RUNCTL_SIM_CLOCK: file, AWS_ENDPOINT_URL: 'http://127.0.0.1:4000' };
  expect(clockFor(sim, real).now()).toBe(real.now() + HOUR_MS);
  for (const env of [{}, { ...sim, RUNCTL_SIM_CLOCK: '' }, { ...sim, AWS_ENDPOINT_URL: undefined }, { ...sim, AWS_ENDPOINT_URL: 'https://ec2.us-east-1.amazonaws.com' }]) expect(clockFor(env, real)).toBe(real);
});
