import { describe, expect, test } from 'vitest';
import type { Item, SpotRequestItem, VolumeItem } from '../../core/inventory.ts';
import type { Machine } from '../../core/machine.ts';
import type { RunRecord } from '../../ledger/ledger.ts';
import { currentOwner } from '../../ledger/owner.ts';
import { type CleanupWish, planCleanup, planStopAll } from './plan.ts';
import type { Survey } from './survey.ts';

const NOW = Date.UTC(2026, 0, 10);
const HOUR = 3_600_000;
const DEAD = { pid: 2 ** 30, start: 'never' };
const RUN = 'run-20260101-aaaaaa';
const TAGS = { 'runctl:owner': 'me', 'runctl:run': RUN, 'runctl:project': 'mnist' };

const machine = (fields: Partial<Machine> = {}): Machine => ({ id: 'i-1', provider: 'aws', type: 't3.micro', state: 'running', market: 'on-demand', region: 'us-east-1', launchedAt: NOW - 5 * HOUR, tags: TAGS, ...fields });
const run = (fields: Partial<RunRecord> = {}): RunRecord => ({ id: RUN, verb: 'workflow train', state: 'failed', machineId: 'i-1', provider: 'aws', request: { onFailure: 'terminate' }, createdAt: NOW - 5 * HOUR, endedAt: NOW - 3 * HOUR, owner: DEAD, ...fields });

function surveyOf(items: { machines?: Machine[]; volumes?: VolumeItem[]; spotRequests?: SpotRequestItem[]; objects?: Extract<Item, { kind: 'object' }>[] }, runs: RunRecord[]): Survey {
  return {
    home: 'us-east-1', regions: ['us-east-1'], failed: [], foreign: {}, provider: undefined as never, nowMs: NOW,
    machines: [], volumes: [], snapshots: [], spotRequests: [], objects: [], ...items,
    known: { runsOn: (id) => runs.filter((one) => one.machineId === id), run: (id) => runs.find((one) => one.id === id), usageOf: () => undefined, bounded: (_machine, usage) => usage, regions: [] },
    ratesOf: () => undefined, usageOf: () => undefined, disksOf: () => [], hasDisksOf: () => true, diskRate: () => undefined,
  };
}

const WISH: CleanupWish = { owner: 'me', snapshots: false };
const why = (found: Survey, wish: Partial<CleanupWish> = {}): string => {
  const { doing, leaving } = planCleanup(found, { ...WISH, ...wish });
  return doing.length > 0 ? `${doing[0]!.action}: ${doing[0]!.why}` : (leaving[0]?.why ?? 'nothing');
};

describe('R226 a leftover is what its own run was to remove and did not', () => {
  test.each<[string, Partial<RunRecord>, string]>([
    ['a failed workflow', {}, 'terminate: its workflow train has failed 3 h ago'],
    ['an interrupted one', { state: 'interrupted' }, 'terminate: its workflow train was interrupted 3 h ago'],
    ['one whose process was killed', { state: 'open', endedAt: undefined }, 'terminate: its workflow train was left without an end'],
    ['one that succeeded and was to terminate', { state: 'succeeded' }, 'terminate: its workflow train has ended 3 h ago'],
    ['one that goes on', { state: 'open', endedAt: undefined, owner: currentOwner() }, `${RUN} (workflow train) is under way on it`],
    ['one that was to keep it', { state: 'succeeded', request: { keep: true } }, 'nothing'],
    ['one that keeps after failures', { request: { onFailure: 'keep' } }, 'nothing'],
    ['one that stops after failures', { request: { onFailure: 'stop' } }, 'nothing'],
    ['a creation that failed', { verb: 'create' }, 'terminate: its creation has failed 3 h ago'],
    ['a creation that succeeded', { verb: 'create', state: 'succeeded' }, 'nothing'],
    ['a training that nobody waited for', { verb: 'train', state: 'succeeded', result: { phase: 'running' } }, `${RUN} (train) is under way on it`],
  ])('%s', (_name, fields, expected) => {
    expect(why(surveyOf({ machines: [machine()] }, [run(fields)]))).toBe(expected);
  });

  test.each([
    ['a job that nobody waited for ended with it', { verb: 'train', state: 'succeeded', result: { phase: 'running' } }, 'terminate: it has been stopped for 2 h'],
    ['somebody is at it still', { state: 'open', endedAt: undefined, owner: currentOwner() }, `${RUN} (workflow train) is under way on it`],
  ] as const)('R226 a stopped machine: %s', (_, fields, expected) => {
    expect(why(surveyOf({ machines: [machine({ state: 'stopped', endedAt: NOW - 2 * HOUR })] }, [run({ ...fields })]), { state: 'stopped' })).toBe(expected);
  });

  test('R226 a machine of a run that this computer does not know goes only by the name of that run', () => {
    const found = surveyOf({ machines: [machine()] }, []);
    expect(why(found)).toBe('nothing');
    expect(why(found, { run: RUN })).toBe(`terminate: it was made by ${RUN}`);
    expect(why(found, { run: RUN, olderMs: 6 * HOUR })).toBe('nothing');
  });

  test('R226 a machine that was used after its failed creation is none', () => {
    expect(why(surveyOf({ machines: [machine()] }, [run({ verb: 'create' }), run({ id: 'run-20260101-bbbbbb', verb: 'train', state: 'succeeded' })]))).toBe('nothing');
  });

  test('D34 protection, by tag, holds for machines, disks and everything else', () => {
    const tags = { ...TAGS, 'runctl:protected': '' };
    const volume: VolumeItem = { kind: 'volume', id: 'vol-1', region: 'us-east-1', tags, state: 'available', gb: 8, type: 'gp3' };
    const plan = planCleanup(surveyOf({ machines: [machine({ tags })], volumes: [volume] }, [run()]), WISH);
    expect(plan).toMatchObject({ doing: [], leaving: [{ id: 'i-1', why: /protected/ }, { id: 'vol-1' }].map(({ id }) => ({ id, why: 'it is protected (tag runctl:protected)' })) });
    expect(why(surveyOf({ machines: [machine({ tags: { ...TAGS, 'runctl:protected': 'False' } })] }, [run()]))).toMatch(/^terminate/);
  });

  test('R226 a disk in use, a request that somebody waits for and an object on its way stay', () => {
    const volume = (fields: Partial<VolumeItem>): VolumeItem => ({ kind: 'volume', id: 'vol-1', region: 'us-east-1', tags: TAGS, createdAt: NOW - HOUR, state: 'available', gb: 8, type: 'gp3', ...fields });
    const request = (fields: Partial<SpotRequestItem> = {}): SpotRequestItem => ({ kind: 'spot-request', id: 'sir-1', region: 'us-east-1', tags: TAGS, createdAt: NOW - HOUR, state: 'open', ...fields });
    const code = { kind: 'object' as const, id: 's3://b/k', bucket: 'b', key: `runctl/${RUN}/code-1.tar.gz`, bytes: 1, region: 'us-east-1', tags: { 'runctl:run': RUN }, createdAt: NOW - HOUR };
    const going = run({ state: 'open', endedAt: undefined, owner: currentOwner() });
    expect(why(surveyOf({ volumes: [volume({ state: 'in-use', attachedTo: 'i-9' })] }, []))).toBe('nothing');
    expect(why(surveyOf({ volumes: [volume({})] }, []))).toBe('delete: 8 GB, 60 min old, belongs to no machine');
    expect(why(surveyOf({ spotRequests: [request()] }, [run()]))).toMatch(/^cancel: open for 60 min/);
    expect(why(surveyOf({ spotRequests: [request({ state: 'active' })] }, [run()]))).toBe('nothing');
    expect(why(surveyOf({ spotRequests: [request()] }, [going]))).toContain('is under way');
    expect(why(surveyOf({ spotRequests: [request()] }, []))).toContain('from another computer');
    expect(why(surveyOf({ objects: [code] }, [run()]))).toBe('delete: left by a transfer 60 min ago');
    expect(why(surveyOf({ objects: [code] }, [going]))).toContain('is under way');
    expect(why(surveyOf({ objects: [code] }, []))).toBe('nothing');
    expect(why(surveyOf({ objects: [code] }, [run({ project: 'mnist' })]), { project: 'other' })).toBe('nothing');
  });

  test('R226 stop-all takes what runs, on demand, and is of this person', () => {
    const found = surveyOf({ machines: [machine(), machine({ id: 'i-2', state: 'stopped' }), machine({ id: 'i-3', market: 'spot' }), machine({ id: 'i-4', tags: { ...TAGS, 'runctl:owner': 'you' } }), machine({ id: 'i-5', tags: {} })] }, []);
    const plan = planStopAll(found, { owner: 'me' });
    expect(plan.doing.map(({ id }) => id)).toEqual(['i-1']);
    expect(plan.leaving.map(({ id }) => id)).toEqual(['i-3']);
    // Whatever a cloud's own filters let through is looked at again.
    for (const wish of [{ project: 'other' }, { run: 'run-20260101-bbbbbb' }, { type: 'g5.*' }, { type: 't3' }, { olderMs: 6 * HOUR }]) expect(planStopAll(found, { owner: 'me', ...wish }).doing, JSON.stringify(wish)).toEqual([]);
    for (const wish of [{ project: 'mnist' }, { run: RUN }, { type: 't3.*' }, { olderMs: 5 * HOUR }]) expect(planStopAll(found, { owner: 'me', ...wish }).doing, JSON.stringify(wish)).toHaveLength(1);
  });
});
