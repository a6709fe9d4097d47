import { describe, expect, test } from 'vitest';
import type { Machine } from '../../core/machine.ts';
import type { MachineUsage, RunSpan } from '../../core/usage.ts';
import { usageOf } from './usage.ts';

const T = Date.UTC(2026, 0, 1);
const at = (seconds: number): number => T + seconds * 1000;
const machine = (more: Partial<Machine>): Machine => ({ id: 'i-1', provider: 'aws', type: 't3.micro', state: 'running', market: 'on-demand', region: 'us-east-1', launchedAt: T + 400, tags: {}, ...more });
const run = (more: Partial<RunSpan>): RunSpan => ({ from: T, market: 'on-demand', prices: [], addressMicroUsdPerHour: 5_000, ...more });
const noted = (...runs: RunSpan[]): MachineUsage => ({ machineId: 'i-1', runs, disks: [] });
const NOW = at(9_000);

describe('R082 R224 what a machine of a list ran', () => {
  test.each<[string, Partial<Machine>, MachineUsage | undefined, Partial<RunSpan>[]]>([
    ['goes on', {}, undefined, [{ from: T }]],
    ['stopped to the second', { state: 'stopped', endedAt: at(60) }, undefined, [{ to: at(60), addressUnseen: true }]],
    ['stopped before it was terminated: that was noted', { state: 'terminated', endedAt: at(8_000) }, noted(run({ to: at(60) })), [{ to: at(60) }]],
    ['terminated while it ran', { state: 'terminated', endedAt: at(60) }, noted(run({})), [{ to: at(60) }]],
    ['terminated, and nobody noted whether it was stopped before', { state: 'terminated', endedAt: at(60) }, undefined, [{ to: at(60), atMost: true, addressUnseen: true }]],
    ['went off by itself: noted as an upper bound', { state: 'stopped' }, noted(run({ to: at(90), atMost: true })), [{ to: at(90), atMost: true }]],
    ['went off by itself, and the cloud knows better than a bound', { state: 'stopped', endedAt: at(60) }, noted(run({ to: at(90), atMost: true })), [{ to: at(60) }]],
    ['went off by itself just now', { state: 'stopped' }, undefined, [{ to: NOW, atMost: true, addressUnseen: true }]],
    ['started again after a start that nobody saw end', { launchedAt: at(500) }, noted(run({})), [{ to: at(500), atMost: true }, { from: at(500) }]],
    ['waits for its start', { state: 'pending' }, undefined, []],
  ])('%s', (_, more, known, runs) => {
    const usage = usageOf(machine(more), undefined, known, NOW);
    expect(usage?.runs.map(({ from, to, atMost, addressUnseen }) => ({ from, to, atMost, addressUnseen }))).toEqual(runs.map((one) => ({ from: T, to: undefined, atMost: undefined, addressUnseen: undefined, ...one })));
  });

  test('a start long after it was made is not its first', () => {
    expect(usageOf(machine({ firstLaunchedAt: at(-3_600) }), undefined, undefined, NOW)?.unseen).toBe(true);
    expect(usageOf(machine({ firstLaunchedAt: at(-3_600) }), undefined, noted(run({ from: at(-3_600), to: at(-60) })), NOW)?.unseen).toBeUndefined();
    expect(usageOf(machine({ launchedAt: undefined }), undefined, undefined, NOW)).toBeUndefined();
  });
});
