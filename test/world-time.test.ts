// runctl, a machine and its training in the pretend cloud's time: hours of work are followed to their end in seconds.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { create } from '../src/engine/create.ts';
import { train, type TrainResult } from '../src/engine/train.ts';
import { type TestApp, openTestApp } from './support/test-app.ts';

let t: TestApp;
let machineId: string;

beforeAll(async () => {
  t = await openTestApp();
  const made = await create(t.app, { provider: 'aws', type: 't3.micro', profile: 'runctl-ssm-profile', wait: true, timeoutMs: 60_000, dryRun: false });
  machineId = made.instanceId as string;
});
afterAll(() => t?.close());

const trainHere = (script: string): Promise<TrainResult> =>
  train(t.app, { provider: 'aws', machineId, script, args: [], includePatterns: [], syncCode: true, install: false, wait: true, force: false });

/** The progress of the step `train`, ms of the world. */
const elapsed = (): number[] => t.events.flatMap((event) => (event.kind === 'step.progress' && event.step === 'train' ? [event.elapsedMs] : []));

test('R206 at rate 600 half an hour of training is followed to its end in seconds, and half an hour is what is told of it', async () => {
  t.write('half.py', 'import time\nbegan = time.time()\nfor step in range(6):\n    time.sleep(300)\n    print("step", step, flush=True)\nprint("minutes", round((time.time() - began) / 60))\n');
  t.sim.clock.setRate(600);
  const realStart = performance.now();
  const result = await trainHere('half.py');
  t.sim.clock.setRate(1);
  expect(result.exitCode).toBe(0);
  expect(performance.now() - realStart).toBeLessThan(60_000);
  expect(t.logLines().slice(0, 6)).toEqual([0, 1, 2, 3, 4, 5].map((step) => `step ${step}`));
  expect(Number(/^minutes (.+)/.exec(t.logLines().at(-1)!)![1])).toBeGreaterThanOrEqual(30);
  expect(Math.max(...elapsed())).toBeGreaterThan(20 * 60_000);
  const run = t.ledger.listRuns({ limit: 1 })[0]!;
  expect(run.endedAt! - run.createdAt).toBeGreaterThanOrEqual(1_800_000);
});

test('R206 a skip of more than an hour makes no healthy training look lost or hung', async () => {
  t.events.length = 0;
  t.write('skipped.py', 'import time\nprint("begins", flush=True)\ntime.sleep(3600)\nprint("ends")\n');
  const done = trainHere('skipped.py');
  for (let round = 0; round < 500 && !t.logLines().includes('begins'); round++) await new Promise((next) => setTimeout(next, 20));
  const startedAt = t.sim.clock.now();
  await t.sim.clock.skip(1.25 * 3_600_000);
  expect((await done).exitCode).toBe(0);
  expect(t.logLines()).toEqual(['begins', 'ends']);
  expect(t.sim.clock.now() - startedAt).toBeGreaterThanOrEqual(1.25 * 3_600_000);
  const warnings = t.events.flatMap((event) => (event.kind === 'note' && event.level === 'warning' ? [event.text] : []));
  // An hour without a line is told as what it is; nobody is called silent or dead.
  expect(warnings.filter((text) => !text.startsWith('no new log line'))).toEqual([]);
});
