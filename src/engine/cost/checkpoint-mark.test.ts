import { expect, test } from 'vitest';
import type { JobStatus } from '../../core/job.ts';
import type { App } from '../app.ts';
import { rememberCheckpoints } from './checkpoint-mark.ts';

test('R225 checkpoints are remembered by our clock, each once; a ledger that cannot be written stops nothing', async () => {
  const marks: [string, string, number][] = [];
  const app = { clock: { now: () => 10_000 }, ledger: async () => ({ mark: (...mark: [string, string, number]) => void marks.push(mark) }) } as unknown as App;
  const status = (checkpointAt?: number, nowAt?: number): JobStatus => ({ phase: 'running', checkpointAt, nowAt });
  const remember = rememberCheckpoints(app, 'run-1');
  // The machine's clock is an hour ahead: what counts is the age.
  for (const [saved, now] of [[undefined, 3_600_000], [3_600_000, 3_602_000], [3_600_000, 3_605_000], [3_606_000, 3_606_000], [3_607_000, undefined]] as const) await remember(status(saved, now));
  expect(marks).toEqual([['run-1', 'checkpoint', 8_000], ['run-1', 'checkpoint', 10_000]]);
  const broken = { ...app, ledger: () => Promise.reject(new Error('the disk is full')) } as unknown as App;
  await expect(rememberCheckpoints(broken, 'run-1')(status(1, 2))).resolves.toBeUndefined();
});
