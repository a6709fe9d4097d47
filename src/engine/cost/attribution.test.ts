import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MachineUsage, RunSpan } from '../../core/usage.ts';
import { addSums, billOf, splitBill } from '../../cost/bill.ts';
import { PHASES, type Phase, type Work, attribution, workSpans } from './attribution.ts';

const T0 = Date.UTC(2026, 0, 1);
const at = (seconds: number): number => T0 + seconds * 1000;
const start = (from: number, to?: number, more: Partial<RunSpan> = {}): RunSpan => ({ from: at(from), ...(to === undefined ? {} : { to: at(to) }), market: 'spot', prices: [{ at: T0, microUsdPerHour: 3_600_000 }], addressMicroUsdPerHour: 0, ...more });
const machine = (...runs: RunSpan[]): MachineUsage => ({ machineId: 'i-1', runs, disks: [{ id: 'vol-1', gb: 9, microUsdPerGbMonth: 80_000, from: at(0), to: at(20_000), onTermination: true }] });
type Step = Work['steps'][number];
const step = (name: string, from: number, to?: number, more: Partial<Step> = {}): Step => ({ name, state: to === undefined ? 'started' : 'done', startedAt: at(from), ...(to === undefined ? {} : { endedAt: at(to) }), value: undefined, error: undefined, ...more });

function seconds(used: MachineUsage, works: Work[], now = 20_000): Partial<Record<Phase, number>> {
  const { cuts, at: who } = attribution(used, works.flatMap((work) => workSpans(work, used, at(now))), 'run-maker');
  const parts = splitBill(used, at(now), { cuts, label: (...moment) => who(...moment).phase });
  expect(addSums([...parts.values()]).knownMicroUsd).toBe(billOf(used, at(now)).totalMicroUsd);
  return Object.fromEntries([...parts].filter(([, sum]) => sum.runningSeconds > 0).map(([phase, sum]) => [phase, sum.runningSeconds]));
}

const WORKFLOW = [step('plan', -20, -15), step('create', -15, -10), step('running', -10, 30), step('ssm', 30, 100), step('sync', 100, 130), step('install', 130, 200), step('launch', 200, 210), step('train', 210, 4_000), step('collect', 4_000, 4_060), step('terminate', 4_060, 4_090)];

describe('R225 every billed second has a phase', () => {
  test('a workflow: boot, setup, data, training; what nothing is known of is idle', () => {
    expect(seconds(machine(start(0, 4_062)), [{ run: { id: 'run-1' }, steps: WORKFLOW }])).toEqual({ boot: 30, setup: 150, data: 90, training: 3_790, idle: 2 });
  });

  test('a machine that nobody uses is idle; the time to save after SIGTERM is for the checkpoint', () => {
    expect(seconds(machine(start(0, 1_000)), [])).toEqual({ idle: 1_000 });
    expect(seconds(machine(start(0, 1_000)), [{ run: { id: 'run-1' }, steps: [step('train', 0, 900, { state: 'failed', error: { code: 'interrupted' } }), step('stop-job', 900, 930), step('rescue', 930, 1_000)] }])).toEqual({ training: 900, checkpoint: 30, data: 70 });
  });

  test.each<[string, Partial<Step>, number | undefined, Partial<Record<Phase, number>>]>([
    ['the machine was lost: what came after the checkpoint is lost', { state: 'failed', error: { code: 'machine-lost' } }, at(600), { training: 600, lost: 400 }],
    ['without a checkpoint all of it is', { state: 'failed', error: { code: 'machine-lost' } }, undefined, { lost: 1_000 }],
    ['the process vanished', { state: 'done', value: { phase: 'lost' } }, at(999), { training: 999, lost: 1 }],
    ['a script that fails has lost nothing of the machine\'s', { state: 'done', value: { phase: 'failed' } }, undefined, { training: 1_000 }],
    ['a checkpoint of an earlier run does not count', { state: 'failed', error: { code: 'machine-lost' } }, at(-50), { lost: 1_000 }],
  ])('%s', (_, end, checkpointAt, expected) => {
    expect(seconds(machine(start(0, 1_000)), [{ run: { id: 'run-1' }, steps: [step('train', 0, 1_000, end)], checkpointAt }])).toEqual(expected);
  });

  test('nobody was watching when EC2 took it back: lost from the last checkpoint that was heard of', () => {
    const steps = [step('launch', 100, 110), step('train', 110)];
    expect(seconds(machine(start(0, 5_000, { interrupted: true })), [{ run: { id: 'run-1' }, steps, checkpointAt: at(2_000) }])).toEqual({ idle: 100, setup: 10, training: 1_890, lost: 3_000 });
  });

  test('a job that nobody followed may have worked until its machine left', () => {
    expect(seconds(machine(start(0, 5_000)), [{ run: { id: 'run-1' }, steps: [step('launch', 100, 110)] }])).toEqual({ idle: 100, setup: 10, training: 4_890 });
  });

  test('R225 nobody followed it and EC2 took it back: kept up to the checkpoint that somebody asked about, all of it lost without', () => {
    const steps = [step('launch', 100, 110)];
    const taken = machine(start(0, 5_000, { interrupted: true }));
    expect(seconds(taken, [{ run: { id: 'run-1' }, steps, checkpointAt: at(2_000) }])).toEqual({ idle: 100, setup: 10, training: 1_890, lost: 3_000 });
    expect(seconds(taken, [{ run: { id: 'run-1' }, steps }])).toEqual({ idle: 100, setup: 10, lost: 4_890 });
  });

  test('the rest of a minute that nobody used is idle', () => {
    expect(seconds(machine(start(0, 20)), [{ run: { id: 'run-1' }, steps: [step('train', 0, 20)] }])).toEqual({ training: 20, idle: 40 });
  });

  test('disks of a stopped machine are kept, and cost there; starts after it are other starts', () => {
    const used = machine(start(0, 1_000), start(10_000, 11_000));
    const { cuts, at: who } = attribution(used, [], 'run-maker');
    const parts = splitBill(used, at(20_000), { cuts, label: (...moment) => who(...moment).phase });
    expect(parts.get('kept')).toMatchObject({ runningSeconds: 0, computeMicroUsd: 0, storageMicroUsd: 5_000 });
    expect(parts.get('idle')?.runningSeconds).toBe(2_000);
    expect(who(at(10), 'compute', false).runId).toBe('run-maker');
  });

  test('property: whatever the steps are, their phases add up to the bill', () => {
    const anyStep = fc.tuple(fc.constantFrom('plan', 'running', 'ssm', 'sync', 'train', 'stop-job', 'rescue', 'launch', 'unheard-of'), fc.nat(9_000_000), fc.nat(3_000_000), fc.boolean())
      .map(([name, from, length, ended]): Step => ({ name, state: ended ? 'done' : 'started', startedAt: T0 + from, ...(ended ? { endedAt: T0 + from + length } : {}), value: undefined, error: undefined }));
    fc.assert(fc.property(fc.array(anyStep, { maxLength: 12 }), fc.option(fc.nat(9_000)), (steps, checkpoint) => {
      const phases = seconds(machine(start(13, 4_000, { interrupted: true }), start(5_000)), [{ run: { id: 'run-1' }, steps, checkpointAt: checkpoint === null ? undefined : at(checkpoint) }], 9_500);
      for (const phase of Object.keys(phases)) expect(PHASES).toContain(phase);
    }), { numRuns: 100 });
  });
});
