import { expect, test } from 'vitest';
import type { RunRecord } from '../ledger/ledger.ts';
import { currentOwner } from '../ledger/owner.ts';
import type { App } from './app.ts';
import { listRuns } from './runs.ts';

const run = (id: string, state: RunRecord['state'], owner: RunRecord['owner']): RunRecord => ({ id, verb: 'train', state, owner, request: {}, createdAt: 0 }) as unknown as RunRecord;
const RUNS = [run('run-1', 'open', currentOwner()), run('run-2', 'open', { pid: currentOwner().pid, start: 'another process' }), run('run-3', 'failed', { pid: 1, start: 'x' })];
RUNS.push({ ...run('run-4', 'succeeded', { pid: 1, start: 'x' }), result: { phase: 'running' } } as RunRecord, { ...run('run-5', 'succeeded', { pid: 1, start: 'x' }), result: { phase: 'succeeded' } } as RunRecord);
const app = { ledger: async () => ({ costsOf: () => [], listRuns: ({ state }: { state?: string }) => RUNS.filter((each) => state === undefined || each.state === state) }) } as unknown as App;

test('R072 a run whose process was killed is called left, not open for ever', async () => {
  expect((await listRuns(app, { limit: 10 })).map(({ runId, state }) => [runId, state])).toEqual([['run-1', 'open'], ['run-2', 'left'], ['run-3', 'failed'], ['run-4', 'launched'], ['run-5', 'succeeded']]);
  expect((await listRuns(app, { limit: 10, state: 'left' })).map(({ runId }) => runId)).toEqual(['run-2']);
  expect((await listRuns(app, { limit: 10, state: 'open' })).map(({ runId }) => runId)).toEqual(['run-1']);
});

test('R066 a job that was only started is called launched: nobody knows yet whether it succeeds', async () => {
  expect((await listRuns(app, { limit: 10, state: 'launched' })).map(({ runId }) => runId)).toEqual(['run-4']);
  expect((await listRuns(app, { limit: 10, state: 'succeeded' })).map(({ runId }) => runId)).toEqual(['run-5']);
});
