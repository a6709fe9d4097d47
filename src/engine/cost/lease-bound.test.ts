import { describe, expect, test } from 'vitest';
import type { MachineUsage, RunSpan } from '../../core/usage.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { boundByLease } from './lease-bound.ts';

const T0 = Date.UTC(2026, 0, 1);
const at = (seconds: number): number => T0 + seconds * 1000;
const TAG = 'allowed=3600 hours=3600 rate=18700 idle=0 grace=90 limit=hours end=stop';
const run = (from: number, to: number | undefined, more: Partial<RunSpan> = {}): RunSpan => ({ from: at(from), ...(to === undefined ? {} : { to: at(to), atMost: true }), market: 'on-demand', prices: [], addressMicroUsdPerHour: 0, ...more });
const usage = (runs: RunSpan[], diskTo?: number): MachineUsage => ({ machineId: 'i-1', runs, disks: diskTo === undefined ? [] : [{ id: 'vol-1', gb: 8, from: at(0), to: at(diskTo), atMost: true, onTermination: true }] });

interface Answer {
  verb?: string;
  state?: 'done' | 'failed';
  value?: object;
}
const heard = (...answers: Answer[]): Ledger =>
  ({ listRuns: () => answers.map(({ verb = 'lease' }, id) => ({ id: String(id), verb })), stepsOf: (id: string) => [{ name: 'sync', state: 'done' }, { name: 'lease', state: 'done', ...answers[Number(id)] }] }) as unknown as Ledger;
const lease = (allowedS: number | undefined, graceS = 90): object => ({ idleS: 0, graceS, onEnd: 'stop', ...(allowedS === undefined ? {} : { allowedS }) });
const ends = (used: MachineUsage, tag: string | undefined, ledger = heard()): (number | undefined)[] => boundByLease(ledger, used, tag).runs.map(({ to }) => (to === undefined ? undefined : (to - T0) / 1000));

describe('R223 a lease bounds an end that nobody saw', () => {
  // 90 s to save, 180 s between the last word of the keeper and the last second that is billed.
  const BOUND = 3_600 + 90 + 180;

  test.each<[string, MachineUsage, string | undefined, (number | undefined)[]]>([
    ['seen a day later', usage([run(0, 86_400)]), TAG, [BOUND]],
    ['seen in time', usage([run(0, 1_000)]), TAG, [1_000]],
    ['its end is known', usage([{ ...run(0, undefined), to: at(9_000) }]), TAG, [9_000]],
    ['it runs still', usage([run(0, undefined)]), TAG, [undefined]],
    ['each start by itself', usage([run(0, 9_000), run(20_000, 90_000)]), TAG, [BOUND, 20_000 + BOUND]],
    ['one that was started after the end of its lease has a quarter of an hour', usage([run(0, 9_000)]), TAG.replace('allowed=3600', 'allowed=300'), [900 + 90 + 180]],
    ['no lease', usage([run(0, 9_000)]), undefined, [9_000]],
    ['a tag that is none', usage([run(0, 9_000)]), 'until 8 h', [9_000]],
    ['one that only idleness ends', usage([run(0, 9_000)]), 'idle=3600 grace=90 end=stop', [9_000]],
  ])('%s', (_, used, tag, expected) => expect(ends(used, tag)).toEqual(expected));

  test.each<[string, Answer[], number]>([
    ['renewed for longer', [{ value: { state: 'on', lease: lease(7_200) } }], 7_200 + 270],
    ['renewed for less: what was allowed before counts', [{ value: { state: 'on', lease: lease(1_800) } }], BOUND],
    ['heard of at a start, renewed by another computer', [{ verb: 'start', value: { state: 'on', lease: lease(5_000, 30) } }], 5_000 + 30 + 180],
    ['renewed twice', [{ value: { state: 'on', lease: lease(7_200) } }, { value: { state: 'on', lease: lease(9_000) } }], 9_000 + 270],
    ['lifted', [{ value: { state: 'off', lease: lease(3_600) } }], 86_400],
    ['without a limit of time from then on', [{ value: { state: 'on', lease: lease(undefined) } }], 86_400],
    ['a change whose answer nobody heard', [{ state: 'failed' }], 86_400],
    ['a training whose machine did not answer changed nothing', [{ verb: 'train', state: 'failed' }], BOUND],
  ])('%s', (_, answers, expected) => expect(ends(usage([run(0, 86_400)]), TAG, heard(...answers))).toEqual([expected]));

  test('the disk that goes with a machine that terminates itself ends with it; that of one that stops stays', () => {
    const diskEnd = (tag: string) => (boundByLease(heard(), usage([run(0, 86_400)], 86_400), tag).disks[0]!.to! - T0) / 1000;
    expect([diskEnd(TAG.replace('end=stop', 'end=terminate')), diskEnd(TAG)]).toEqual([BOUND, 86_400]);
  });
});
