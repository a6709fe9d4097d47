import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { leapingClock } from '../../../test/support/leaping-clock.ts';
import type { Machine } from '../../core/machine.ts';
import type { Provider } from '../../core/ports.ts';
import { type Ledger, openLedger } from '../../ledger/ledger.ts';
import type { App } from '../app.ts';
import type { Plan, Planned } from './plan.ts';
import { weigh } from './stakes.ts';

const RUN = 'run-20260101-aaaaaa';
let directory: string;
let ledger: Ledger;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'runctl-stakes-'));
  ledger = await openLedger(join(directory, 'ledger.sqlite'));
});
afterEach(() => {
  ledger.close();
  rmSync(directory, { recursive: true });
});

const app = (): App => ({
  config: { local: { output_dir: 'runs' } } as never, cwd: directory, clock: { ...leapingClock(), sleep: () => new Promise(() => undefined) }, report: () => undefined, ask: async () => true,
  signal: new AbortController().signal, ledger: async () => ledger, provider: async () => undefined as never, store: async () => undefined,
});
/** A provider whose machines say what runs on them. */
const saying = (jobs: string, asked: string[] = []): Provider => ({
  name: 'aws',
  shell: async () => ({ channel: 'ssm', run: async () => ({ exitCode: 0, stderr: '', stdout: `runctl-facts-begin\njobs64=${Buffer.from(jobs).toString('base64')}\nrunctl-facts-end\n` }) }),
  inRegion: (region: string) => (asked.push(region), saying(jobs, asked)),
}) as never;

const machine: Machine = { id: 'i-1', provider: 'aws', type: 't3.micro', state: 'running', market: 'on-demand', region: 'eu-west-1', profile: 'p', tags: {} };
const planOf = (fields: Partial<Planned>, changes: Partial<Machine> = {}): Plan => {
  const one = { ...machine, ...changes };
  return { doing: [{ kind: 'machine', id: 'i-1', region: one.region, action: 'terminate', why: 'old', notes: [], named: false, item: { kind: 'machine', id: 'i-1', region: one.region, tags: {}, machine: one }, ...fields }], leaving: [] };
};

test('R226 a machine that trains is asked in its own region, stays in a cleanup, and is stopped with time to save', async () => {
  const asked: string[] = [];
  const provider = saying(`${RUN} running 12 1767225600`, asked);
  expect(await weigh(app(), provider, 'us-east-1', planOf({}))).toEqual({ doing: [], leaving: [{ kind: 'machine', id: 'i-1', why: `${RUN} still trains on it` }] });
  expect(asked).toEqual(['eu-west-1']);
  expect((await weigh(app(), provider, 'us-east-1', planOf({ action: 'stop' }))).doing[0]!.notes).toEqual([`${RUN} trains on it and gets time to save`]);
  expect((await weigh(app(), saying(`${RUN} succeeded - -`), 'us-east-1', planOf({}))).doing[0]!.notes).toEqual([]);
});

test('R226 the only copy of results stays, unless its machine is named', async () => {
  ledger.beginRun({ id: RUN, verb: 'workflow train', request: {}, nowMs: 0 });
  ledger.setMachine(RUN, 'i-1', 'aws');
  const { attempt } = ledger.intend({ runId: RUN, step: 'launch', kind: 'agent.launch', request: {}, nowMs: 0 });
  ledger.settle({ runId: RUN, step: 'launch', attempt, state: 'done', nowMs: 0 });
  const plan = await weigh(app(), saying(''), 'us-east-1', planOf({}, { state: 'stopped' }));
  expect(plan).toMatchObject({ doing: [], leaving: [{ why: expect.stringContaining(`the only copy of the results of ${RUN}`) }] });
  const named = await weigh(app(), saying(''), 'us-east-1', planOf({ named: true }, { state: 'stopped' }));
  expect(named.doing[0]!.notes).toEqual([`the results of ${RUN} are not here and are lost with its disk`]);
});

test('R226 packed results in the bucket stay until they were fetched', async () => {
  const key = `runctl/${RUN}/outputs.tar.gz`;
  const item = { kind: 'object' as const, id: `s3://b/${key}`, bucket: 'b', key, bytes: 1, region: 'us-east-1', tags: {} };
  const plan = (): Plan => ({ doing: [{ kind: 'object', id: item.id, region: 'us-east-1', action: 'delete', why: 'left', notes: [], named: false, item }], leaving: [] });
  ledger.beginRun({ id: RUN, verb: 'train', request: {}, nowMs: 0 });
  expect((await weigh(app(), saying(''), 'us-east-1', plan())).leaving[0]!.why).toBe(`the results of ${RUN} in it are not here yet`);
  const attempt = ledger.startStep(RUN, 'collect', 0);
  ledger.finishStep(RUN, 'collect', attempt, null, 0);
  expect((await weigh(app(), saying(''), 'us-east-1', plan())).doing).toHaveLength(1);
});
