// Whoever asks a machine how its training goes learns of its checkpoints, and what is heard is remembered.
import { expect, test } from 'vitest';
import type { Machine } from '../../core/machine.ts';
import type { App } from '../app.ts';
import { monitor } from '../monitor.ts';
import { trainingStatus } from '../status.ts';

const RUN = 'run-20261122-k3f9q2';
const answer = (...facts: string[]): string => `runctl-facts-begin\n${[`run_id=${RUN}`, 'started_at=1700000000', 'now_at=1700000500', 'checkpoint_at=1700000400', ...facts].join('\n')}\nrunctl-facts-end\n`;
const machine = { id: 'i-1', provider: 'aws', type: 't3.micro', state: 'running', market: 'spot', region: 'us-east-1', tags: {} } as Machine;

function lab(...answers: string[]): { app: App; marks: unknown[][] } {
  const marks: unknown[][] = [];
  let nth = 0;
  const shell = { maxOutputBytes: 24_000, run: async () => ({ exitCode: 0, stdout: answers[Math.min(nth++, answers.length - 1)]!, stderr: '' }) };
  const provider = { name: 'aws', find: async () => machine, price: () => Promise.reject(new Error('not told')), shell: async () => shell };
  const app = {
    clock: { now: () => 9_000_000, monotonic: () => 0, sleep: async () => undefined }, config: { train: { hang_minutes: 0, patience_minutes: 30 } }, report: () => undefined, signal: new AbortController().signal,
    provider: async () => provider, ledger: async () => ({ mark: (...mark: unknown[]) => void marks.push(mark) }),
  } as unknown as App;
  return { app, marks };
}

const MARK = [RUN, 'checkpoint', 9_000_000 - 100_000];

test('R225 training-status remembers the checkpoint that it hears of; without one there is nothing to remember', async () => {
  const { app, marks } = lab(answer('phase=running'), answer('phase=running').replace(/checkpoint_at=.*\n/, ''));
  for (let n = 0; n < 2; n++) expect(await trainingStatus(app, { provider: 'aws', machineId: 'i-1' })).toMatchObject({ phase: 'running', runId: RUN });
  expect(marks).toEqual([MARK]);
});

test('R225 so does monitor --follow', async () => {
  const { app, marks } = lab(answer('phase=running', 'log_bytes=0'), answer('phase=succeeded', 'exit_code=0', 'ended_at=1700000500', 'log_bytes=0', 'offset=0', 'bytes64='));
  const items = [];
  for await (const item of monitor(app, { provider: 'aws', machineId: 'i-1', follow: true })) items.push(item);
  expect(items.at(-1)).toMatchObject({ kind: 'end', phase: 'succeeded' });
  expect(marks).toEqual([MARK]);
});
