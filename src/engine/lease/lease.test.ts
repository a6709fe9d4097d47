// Words around the lease: what flags, settings and defaults ask for, whether a machine that is gone ended by its lease, and what is
// said of it. What bounds a machine in seconds and money: test/lease.test.ts and test/lease-property.test.ts.
import { describe, expect, test } from 'vitest';
import { leapingClock } from '../../../test/support/leaping-clock.ts';
import type { Event } from '../../core/events.ts';
import type { JobStatus } from '../../core/job.ts';
import { LEASE_TAG, type Lease, type LeaseFacts, leaseWords } from '../../core/lease.ts';
import type { Machine } from '../../core/machine.ts';
import type { Provider } from '../../core/ports.ts';
import type { App } from '../app.ts';
import { judge } from '../judge.ts';
import { heardOfLease } from './lease-ended.ts';
import { leaseWatch } from './lease-watch.ts';
import { leaseText, leaseWish } from './lease.ts';
import { machineLost } from '../lost.ts';

const settings = (lease: object = {}, onFailure = 'terminate'): Pick<App, 'config'> => ({ config: { lease: { grace_seconds: 90, on_end: 'stop', ...lease }, train: { on_failure: onFailure } } }) as unknown as Pick<App, 'config'>;
const LEASE: Lease = { allowedS: 28_800, limit: 'hours', hoursS: 28_800, rateMicroUsd: 18_734, idleS: 3600, graceS: 90, onEnd: 'stop' };
const machine = (state: Machine['state'] = 'running', over: Partial<Machine> = {}, lease = LEASE): Machine => ({ id: 'i-1', provider: 'aws', type: 't3.micro', state, market: 'on-demand', region: 'us-east-1', tags: { [LEASE_TAG]: leaseWords(lease).join(' ') }, ...over });
const off = { selfEnded: true, stateReason: 'shut down from inside the machine' };

describe('what is asked for', () => {
  test('R223 a workflow is bounded without being asked: 24 hours, an hour without progress; it terminates unless the machine shall stay', () => {
    expect(leaseWish(settings(), {}, 'workflow', 'on-demand')).toEqual({ maxHours: 24, idleMs: 3_600_000, graceMs: 90_000, onEnd: 'terminate' });
    expect(leaseWish(settings(), { onFailure: 'keep' }, 'workflow', 'on-demand')).toMatchObject({ onEnd: 'stop' });
    expect(leaseWish(settings({}, 'stop'), {}, 'workflow', 'on-demand')).toMatchObject({ onEnd: 'stop' });
    expect(leaseWish(settings({}, 'stop'), {}, 'workflow', 'spot')).toMatchObject({ onEnd: 'terminate' });
  });

  test('R085 other machines only when flags or settings say so, flags before settings; 0 is never', () => {
    expect(leaseWish(settings(), {}, 'machine', 'on-demand')).toBeUndefined();
    expect(leaseWish(settings({ idle_minutes: 0 }), {}, 'machine', 'on-demand')).toBeUndefined();
    expect(leaseWish(settings({ max_cost: 2, idle_minutes: 30 }), { maxCost: 5.5, idleStop: 0 }, 'machine', 'on-demand')).toEqual({ maxCostMicroUsd: 5_500_000, idleMs: 0, graceMs: 90_000, onEnd: 'stop' });
    expect(leaseWish(settings({ max_hours: 8 }), { leaseEnd: 'terminate', leaseGrace: 5000 }, 'machine', 'on-demand')).toEqual({ maxHours: 8, graceMs: 5000, onEnd: 'terminate' });
    expect(() => leaseWish(settings(), { maxHours: 1, leaseEnd: 'stop' }, 'machine', 'spot')).toThrow(expect.objectContaining({ code: 'usage' }));
    expect(() => leaseWish(settings(), { leaseGrace: 5000 }, 'machine', 'on-demand')).toThrow('--lease-grace means nothing without a limit');
    expect(() => leaseWish(settings(), { leaseEnd: 'stop' }, 'machine', 'on-demand')).toThrow('--lease-end means nothing without a limit');
    expect(() => leaseWish(settings(), { idleStop: 1000 }, 'workflow', 'on-demand')).toThrow('--idle-stop 1s would end a machine');
  });

  test('R223 the bounds in one sentence', () => {
    expect(leaseText(LEASE)).toBe('lease: the machine ends itself after 8 h (at most $0.15) or after 60 min without progress; 90 s to save, then it stops');
    expect(leaseText(LEASE, { money: false })).toBe('lease: the machine ends itself after 8 h or after 60 min without progress; 90 s to save, then it stops');
    expect(leaseText({ ...LEASE, limit: 'cost', maxCostMicroUsd: 5_000_000, idleS: 0, onEnd: 'terminate' })).toBe('lease: the machine ends itself after 8 h (the limit of $5.00); 90 s to save, then it terminates');
  });
});

describe('a machine that is gone', () => {
  const heard = (facts: Partial<LeaseFacts>, laterMs = 0, lease = LEASE): Machine => {
    const [clock, before] = [leapingClock(0), machine('running', {}, lease)];
    heardOfLease(clock, before, { state: 'on', ...facts });
    void clock.sleep(laterMs);
    return before;
  };

  test('R223 R086 by its lease when it said so, or when its time was up; what is left and how to go on is told', () => {
    const ended = machineLost(heard({ state: 'ending', reason: 'idle', leftS: 30 }), machine('stopped', off), 'run-20260101-abc234');
    expect(ended).toMatchObject({ code: 'lease-ended', message: 'i-1 powered itself off by its lease, after 60 min without progress: run-20260101-abc234 ended with it', data: { reason: 'idle', state: 'stopped' } });
    expect(ended.reason).toContain('Its disk is kept');
    expect(ended.hints).toEqual([expect.stringMatching(/^runctl aws start i-1 --wait/), 'runctl aws lease i-1 --idle-stop 120m', 'runctl aws monitor i-1 --run run-20260101-abc234']);
    expect(machineLost(heard({ leftS: 40 }), machine('terminated', off))).toMatchObject({ code: 'lease-ended', data: { reason: 'hours' }, hints: ['runctl aws create t3.micro --max-hours 16 --wait'] });
    expect(machineLost(heard({ leftS: 7200, quietS: 3550 }), machine('terminated', off))).toMatchObject({ code: 'lease-ended', data: { reason: 'idle' } });
    expect(machineLost(heard({ leftS: 7200 }, 7_200_000), machine('terminated', off))).toMatchObject({ code: 'lease-ended', data: { reason: 'hours' } });
    const cost = { ...LEASE, limit: 'cost' as const, maxCostMicroUsd: 150_000, idleS: 0 };
    expect(machineLost(machine('running', {}, cost), machine('stopped', off, cost))).toMatchObject({ code: 'lease-ended', message: expect.stringContaining('its cost limit of $0.15') as string, reason: expect.stringContaining('It cost $') as string });
    // Its hours were far from over: what they allow is not what it cost.
    expect(machineLost(heard({ leftS: 7200, quietS: 3590 }), machine('stopped', off)).reason).not.toContain('It cost');
  });

  test('R223 not by its lease when there was time left, when somebody else ended it, or when it had none', () => {
    for (const [before, now] of [
      [heard({ leftS: 7200, quietS: 10 }), machine('stopped', off)],
      [heard({ leftS: 40 }), machine('stopped', { stateReason: 'stopped or terminated by a call of the API' })],
      [heard({ leftS: 40 }), undefined],
      [heard({ state: 'off' }), machine('stopped', off)],
      [machine('running', { tags: {} }), machine('stopped', { ...off, tags: {} })],
    ] as const) expect(machineLost(before, now)).toMatchObject({ code: 'machine-lost' });
  });

  test('R086 a training that its lease ended has not succeeded, whatever it exits with; what was fetched is named', () => {
    const judged = (status: Partial<JobStatus>) => {
      try {
        return judge({ runId: 'run-20260101-abc234', outputs: 'runs/x', checkpoints: ['runs/x/checkpoints/m.pt'], checkpoint: 'runs/x/checkpoints/m.pt' }, { phase: 'succeeded', exitCode: 0, ...status }, machine(), { name: 'aws' } as Provider, { script: 'train.py', args: [], machineStays: false });
      } catch (error) {
        return error;
      }
    };
    expect(judged({})).toMatchObject({ outputs: 'runs/x' });
    expect(judged({ endedByLease: 'hours' })).toMatchObject({ code: 'lease-ended', message: 'i-1 ended the training by its lease, after 8 h', reason: expect.stringContaining('Log and checkpoints are in runs/x.') as string, data: { reason: 'hours' } });
    expect(judged({ endedByLease: 'cost', phase: 'failed', exitCode: 137 })).toMatchObject({ code: 'lease-ended', reason: expect.stringContaining('was killed') as string });
  });
});

test('R223 who looks on is told once that the end is near, that nothing moves, that it is over', () => {
  const events: Event[] = [];
  const watch = leaseWatch({ report: (event: Event) => events.push(event) } as unknown as App, machine());
  for (const facts of [undefined, { state: 'on', leftS: 5000, quietS: 0 }, { state: 'on', leftS: 4000, quietS: 2800 }, { state: 'on', leftS: 3990, quietS: 2810 }, { state: 'on', leftS: 3000, quietS: 0 }, { state: 'on', leftS: 599 }, { state: 'on', leftS: 60 }, { state: 'ending', reason: 'hours', leftS: 90 }, { state: 'ending', reason: 'hours', leftS: 80 }] as (LeaseFacts | undefined)[]) watch(facts);
  expect(events.map((event) => (event.kind === 'note' ? event.text : event.kind))).toEqual([expect.stringContaining('nothing has moved on i-1'), expect.stringContaining('ends in 10 min'), expect.stringContaining('is over')]);
  expect(events[1]).toMatchObject({ hints: ['runctl aws lease i-1 --max-hours 16'] });
});
