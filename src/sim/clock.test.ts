// World time: real until told otherwise, hurried, skipped, kept; and the clock that tests move by hand.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { clockFile } from './clock-file.ts';
import { type WorldClock, manualClock, worldClock } from './clock.ts';

const HOUR_MS = 3_600_000;
let directory: string;
const opened: WorldClock[] = [];
const open = (hasGuests = false): WorldClock => {
  const clock = worldClock(directory, () => hasGuests);
  opened.push(clock);
  return clock;
};
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
const onDisk = (): string | undefined => {
  try {
    return readFileSync(clockFile(directory), 'utf8');
  } catch {
    return undefined;
  }
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sim-clock-'));
});

afterEach(() => {
  for (const clock of opened.splice(0)) clock.close();
  rmSync(directory, { recursive: true });
});

test('the hand-driven clock runs what falls due, in order, each at its own time', async () => {
  const clock = manualClock(1000);
  const seen: string[] = [];
  clock.after(20, () => void seen.push(`b${clock.now()}`));
  clock.after(10, async () => {
    await Promise.resolve();
    seen.push(`a${clock.now()}`);
    clock.after(5, () => void seen.push(`c${clock.now()}`));
  });
  const cancel = clock.after(12, () => void seen.push('never'));
  cancel();
  await clock.advance(19);
  expect(seen).toEqual(['a1010', 'c1015']);
  await clock.advance(1);
  expect(seen).toEqual(['a1010', 'c1015', 'b1020']);
});

test('R206 untouched, the world keeps to real time and nothing on disk says otherwise; timers can be cancelled', async () => {
  const clock = open();
  const cancelled: string[] = [];
  clock.after(0, () => void cancelled.push('no'))();
  expect(Math.abs(clock.now() - Date.now())).toBeLessThan(50);
  expect(clock.read()).toMatchObject({ rate: 1, aheadMs: 0 });
  await new Promise<void>((done) => {
    const keep = setInterval(() => undefined, 1000);
    clock.after(5, () => {
      clearInterval(keep);
      done();
    });
  });
  expect(cancelled).toEqual([]);
  expect(onDisk()).toBeUndefined();
});

test('R206 at a rate, world time runs so many times faster, and what was set before falls due earlier', async () => {
  const clock = open();
  const startedAt = clock.now();
  const rang = new Promise<number>((done) => clock.after(HOUR_MS, () => done(clock.now())));
  clock.setRate(100_000);
  expect(await rang).toBeGreaterThanOrEqual(startedAt + HOUR_MS);
  clock.setRate(1);
  const { rate, aheadMs } = clock.read();
  expect(rate).toBe(1);
  expect(aheadMs).toBeGreaterThan(HOUR_MS - 1000);
});

test('R206 a skip stops at each moment that is due until all of it is done, also at what comes up on the way', async () => {
  const clock = open();
  const startedAt = clock.now();
  const seen: [string, number][] = [];
  const note = (what: string): void => void seen.push([what, clock.now() - startedAt]);
  clock.after(HOUR_MS, async () => {
    note('first');
    clock.after(30_000, () => note('from the first'));
    await pause(15);
    note('first, still');
  });
  clock.after(2 * HOUR_MS, () => note('second'));
  clock.after(3 * HOUR_MS, () => note('too late'));
  await clock.skip(2.5 * HOUR_MS);
  expect(seen.map(([what]) => what)).toEqual(['first', 'first, still', 'from the first', 'second']);
  // Timers were set some milliseconds after the start.
  expect(seen.map(([, at]) => Math.round(at / 1000))).toEqual([3600, 3600, 3630, 7200]);
  expect(seen[0]![1]).toBe(seen[1]![1]);
  expect(clock.read().rate).toBe(1);
});

test('R206 with machines up a skip hurries through the time instead of jumping, and still stops at the very moment', async () => {
  const clock = open(true);
  const startedAt = clock.now();
  let rangAt = 0;
  clock.after(20 * 60_000, () => {
    rangAt = clock.now();
  });
  const between: number[] = [];
  const looking = setInterval(() => between.push(clock.now() - startedAt), 10);
  await clock.skip(30 * 60_000);
  clearInterval(looking);
  expect(rangAt - startedAt).toBeLessThan(20 * 60_000 + 100);
  expect(between.some((at) => at > 60_000 && at < 19 * 60_000)).toBe(true);
  expect(between.every((at, index) => at >= (between[index - 1] ?? 0))).toBe(true);
});

test('R206 time and rate outlive the server; while it is away, time passes at the pace of real time', async () => {
  const first = open();
  first.setRate(500);
  await first.skip(HOUR_MS);
  const leftAt = first.now();
  first.close();
  await pause(500);
  const second = open();
  expect(second.now() - leftAt).toBeGreaterThanOrEqual(0);
  expect(second.now() - leftAt).toBeLessThan(150_000);
  expect(second.read().rate).toBe(500);
  second.reset();
  expect(second.read()).toMatchObject({ rate: 1, aheadMs: 0 });
  expect(onDisk()).toBeUndefined();
});

test('R206 a server that died in the middle of a skip left it unfinished, not running away', () => {
  writeFileSync(clockFile((open(), directory)), `${Date.now() + HOUR_MS} ${Date.now() - 10} 3600000 ${Date.now() + 2 * HOUR_MS} 60000\n`);
  const clock = open();
  expect(clock.read()).toMatchObject({ rate: 60 });
  expect(clock.read().aheadMs).toBeLessThan(HOUR_MS + 5 * 60_000);
  writeFileSync(clockFile(directory), 'nonsense\n');
  expect(() => worldClock(directory)).toThrow(/clock file .* is not readable: nonsense/);
});

test('R206 while a machine boots the world does not hurry', async () => {
  const clock = open();
  clock.setRate(10_000);
  const passedMs = await clock.unhurried(async () => {
    const before = clock.now();
    await pause(30);
    return clock.now() - before;
  });
  expect(passedMs).toBeLessThan(10_000);
  expect(clock.read().rate).toBe(10_000);
});
