import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DiskSpan, MachineUsage, RunSpan } from '../core/usage.ts';
import { addSums, billOf, splitBill } from './bill.ts';
import { hasUnseenStarts } from './charges.ts';
import { calendarCuts, calendarName, calendarStart } from './calendar.ts';

const T0 = Date.UTC(2026, 0, 1);
const at = (seconds: number): number => T0 + seconds * 1000;
const run = (from: number, to: number | undefined, more: Partial<RunSpan> = {}): RunSpan => ({ from: at(from), ...(to === undefined ? {} : { to: at(to) }), market: 'on-demand', prices: [{ at: at(from), microUsdPerHour: 526_000 }], addressMicroUsdPerHour: 5_000, ...more });
const disk = (from: number, to: number | undefined, more: Partial<DiskSpan> = {}): DiskSpan => ({ id: 'vol-1', gb: 100, microUsdPerGbMonth: 80_000, from: at(from), ...(to === undefined ? {} : { to: at(to) }), onTermination: true, ...more });
const usage = (runs: RunSpan[], disks: DiskSpan[] = []): MachineUsage => ({ machineId: 'i-1', runs, disks });

test.each([
  ['made long before its first known start', hasUnseenStarts(at(0), [run(3_600, 4_000)]), true],
  ['that waited for its first start', hasUnseenStarts(at(0), [run(500, 4_000)]), false],
  ['that never ran', hasUnseenStarts(at(0), []), false],
  ['of unknown age', hasUnseenStarts(undefined, [run(3_600, 4_000)]), false],
  ['whose address nobody saw', billOf(usage([run(0, 100, { addressMicroUsdPerHour: 0, addressUnseen: true })]), at(200)).atLeast, true],
  ['that was seen', billOf(usage([run(0, 100, { addressUnseen: false })]), at(200)).atLeast, undefined],
])('R224 more than is known costs a machine %s', (_, told, expected) => expect(told).toBe(expected));

describe('R083 R224 a bill, against sums made by hand', () => {
  test('an hour and a second of a g4dn.xlarge with 100 GB', () => {
    // 526,000 x 3,601 / 3,600 = 526,146.11; 100 x 80,000 x 3,601 / 2,592,000 = 11,114.197; 5,000 x 3,601 / 3,600 = 5,001.39
    expect(billOf(usage([run(0, 3_601)], [disk(0, 3_601)]), at(9_999))).toEqual({
      machineId: 'i-1', runningSeconds: 3_601, computeMicroUsd: 526_146, storageMicroUsd: 11_114, addressMicroUsd: 5_001,
      totalMicroUsd: 542_261, knownMicroUsd: 542_261, atMost: false, open: false,
    });
  });

  test.each([
    ['a start of no second at all is a minute', [run(5, 5)], 60, 8_767, 83],
    ['every start is a minute at least', [run(0, 1), run(100, 130), run(200, 261)], 181, 26_446, 251],
    ['what is open counts until now, in whole seconds', [run(0, undefined)], 500, 73_056, 694],
    // 1,000 s at 157,801 and 1,000 s at 203,339 an hour
    ['spot pays each second at its price', [run(0, 2_000, { market: 'spot', prices: [{ at: at(-999), microUsdPerHour: 157_801 }, { at: at(1_000), microUsdPerHour: 203_339 }, { at: at(2_000), microUsdPerHour: 999_999 }] })], 2_000, 100_317, 2_778],
    // 10 s at 360,000, 50 at 720,000 an hour
    ['the minute that is not used is paid at the last price', [run(0, 20, { market: 'spot', prices: [{ at: at(0), microUsdPerHour: 360_000 }, { at: at(10), microUsdPerHour: 720_000 }] })], 60, 11_000, 83],
    ['a price that changes within a second counts from the next', [run(0, 120, { market: 'spot', prices: [{ at: at(0), microUsdPerHour: 360_000 }, { at: at(60) - 400, microUsdPerHour: 720_000 }] })], 120, 18_000, 167],
    ['interrupted within the first hour: no compute', [run(0, 3_599, { market: 'spot', interrupted: true })], 3_599, 0, 4_999],
    ['interrupted after it: everything', [run(0, 3_600, { market: 'spot', interrupted: true })], 3_600, 526_000, 5_000],
    ['only a spot machine is taken back for free', [run(0, 600, { interrupted: true })], 600, 87_667, 833],
  ])('%s', (_, runs, seconds, compute, address) => {
    expect(billOf(usage(runs), at(500))).toMatchObject({ runningSeconds: seconds, computeMicroUsd: compute, addressMicroUsd: address });
  });

  test('a disk costs while its machine is stopped, a minute at least', () => {
    expect(billOf(usage([], [disk(0, 720 * 3600)]), 0).storageMicroUsd).toBe(8_000_000);
    expect(billOf(usage([], [disk(0, 3)]), 0).storageMicroUsd).toBe(185);
  });

  test('D36 an unknown price makes an unknown total, never zero', () => {
    expect(billOf(usage([run(0, 3_600, { prices: [] })], [disk(0, 3_600)]), at(0))).toMatchObject({ computeMicroUsd: undefined, totalMicroUsd: undefined, knownMicroUsd: 11_111 + 5_000 });
    expect(billOf(usage([run(0, 3_600)], [disk(0, 3_600, { microUsdPerGbMonth: undefined })]), at(0))).toMatchObject({ storageMicroUsd: undefined, totalMicroUsd: undefined });
    const known = billOf(usage([run(0, 3_600)]), at(0));
    const unknown = billOf(usage([run(0, 3_600, { prices: [] })]), at(0));
    expect(addSums([known, unknown])).toMatchObject({ totalMicroUsd: undefined, knownMicroUsd: 536_000 });
  });

  test('D36 unknown disks and unknown starts make an unknown total, in every part of it', () => {
    const noDisk = { ...usage([run(0, 3_600), run(7_200, 10_800)]), disksUnknown: true as const };
    expect(billOf(noDisk, at(0))).toMatchObject({ storageMicroUsd: undefined, totalMicroUsd: undefined, knownMicroUsd: 2 * 531_000 });
    for (const part of splitBill(noDisk, at(0), { cuts: [at(3_600), at(7_200)], label: (from) => String(from) }).values()) expect(part.totalMicroUsd).toBeUndefined();
    expect(billOf({ ...usage([], [disk(0, 3_600)]), runsUnknown: true }, at(0))).toMatchObject({ computeMicroUsd: undefined, totalMicroUsd: undefined, knownMicroUsd: 11_111 });
    expect(billOf({ ...usage([]), runsUnknown: true, disksUnknown: true }, at(0))).toMatchObject({ totalMicroUsd: undefined, knownMicroUsd: 0 });
  });

  test('R087 an end that is not known exactly makes it "at most"', () => {
    expect(billOf(usage([run(0, 100, { atMost: true })]), at(0)).atMost).toBe(true);
    expect(billOf(usage([run(0, undefined)], [disk(0, 10)]), at(50))).toMatchObject({ atMost: false, open: true });
  });
});

const span = fc.tuple(fc.nat(100_000), fc.nat(100_000)).map(([from, length]) => [from, from + length] as const);
const anyRun = fc.record({ span, cents: fc.array(fc.tuple(fc.nat(200_000), fc.nat(60_000_000)), { minLength: 1, maxLength: 5 }), address: fc.constantFrom(0, 5_000), interrupted: fc.boolean() })
  .map(({ span: [from, to], cents, address, interrupted }) => run(from, to, { market: 'spot', interrupted, addressMicroUsdPerHour: address, prices: cents.map(([when, microUsdPerHour]) => ({ at: at(when), microUsdPerHour })) }));
const anyDisk = fc.record({ span, gb: fc.nat(20_000) }).map(({ span: [from, to], gb }) => disk(from, to, { gb }));

describe('R225 the parts of a bill', () => {
  test('property: however it is cut, the parts add up to the bill, each kind by itself, and no part is negative', () => {
    fc.assert(
      fc.property(fc.array(anyRun, { maxLength: 4 }), fc.array(anyDisk, { maxLength: 3 }), fc.array(fc.nat(200_000), { maxLength: 12 }), (runs, disks, cuts) => {
        const used = usage(runs, disks);
        const whole = billOf(used, at(50_000));
        const parts = [...splitBill(used, at(50_000), { cuts: cuts.map(at), label: (from, kind) => `${cuts.filter((cut) => at(cut) <= from).length % 4} ${kind === 'compute' ? 'a' : 'b'}` }).values()];
        const together = addSums(parts);
        expect(together).toEqual({ ...together, computeMicroUsd: whole.computeMicroUsd, storageMicroUsd: whole.storageMicroUsd, addressMicroUsd: whole.addressMicroUsd, totalMicroUsd: whole.totalMicroUsd });
        expect(together.runningSeconds).toBe(whole.runningSeconds);
        for (const part of parts) expect(Math.min(part.computeMicroUsd!, part.storageMicroUsd!, part.addressMicroUsd, part.runningSeconds)).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 200 },
    );
  });

  test('property: the sum of seconds at their prices, reckoned second by second', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.array(fc.tuple(fc.nat(400), fc.nat(1_000_000)), { minLength: 1, maxLength: 4 }), (length, changes) => {
        const prices = changes.map(([when, microUsdPerHour]) => ({ at: at(when), microUsdPerHour }));
        const sorted = prices.toSorted((a, b) => a.at - b.at);
        const priceAt = (second: number): number => (sorted.findLast((price) => price.at <= at(second)) ?? sorted[0]!).microUsdPerHour;
        let sum = 0;
        for (let second = 0; second < Math.max(60, length); second++) sum += priceAt(Math.max(0, Math.min(second, length - 1)));
        expect(billOf(usage([run(0, length, { market: 'spot', prices })]), at(0)).computeMicroUsd).toBe(Math.floor(sum / 3600 + 0.5));
      }),
      { numRuns: 100 },
    );
  });
});

describe('R084 days, weeks and months in UTC', () => {
  test.each([
    ['2026-01-01T00:00:00Z', '2026-01-01', '2026-W01', '2026-01'],
    ['2027-01-03T23:59:59Z', '2027-01-03', '2026-W53', '2027-01'],
    ['2024-12-30T12:00:00Z', '2024-12-30', '2025-W01', '2024-12'],
    ['2026-11-22T11:00:00Z', '2026-11-22', '2026-W47', '2026-11'],
  ])('%s', (time, day, week, month) => {
    const now = Date.parse(time);
    expect([calendarName('day', now), calendarName('week', now), calendarName('month', now)]).toEqual([day, week, month]);
    expect(new Date(calendarStart('week', now)).getUTCDay()).toBe(1);
  });

  test('cuts lie at every beginning in between', () => {
    expect(calendarCuts('day', Date.parse('2026-02-27T10:00:00Z'), Date.parse('2026-03-02T00:00:01Z')).map((cut) => new Date(cut).toISOString().slice(0, 10))).toEqual(['2026-02-28', '2026-03-01', '2026-03-02']);
    expect(calendarCuts('month', Date.parse('2025-12-31T10:00:00Z'), Date.parse('2026-02-01T00:00:00Z'))).toEqual([Date.UTC(2026, 0, 1)]);
    expect(calendarCuts('week', Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 12, 1)).length).toBe(2);
  });
});
