import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HourlyPrice } from '../core/machine.ts';
import { billOf } from './bill.ts';
import { accruedMicroUsd, billedSeconds, costMicroUsd, machineCost } from './cost.ts';

const price: HourlyPrice = { computeMicroUsd: 10_400, storageMicroUsd: 3_288, addressMicroUsd: 5_000, source: 'built-in table 2026-08-17' };
const hourly = fc.integer({ min: 0, max: 500_000_000 });
const seconds = fc.integer({ min: 0, max: 400_000_000 });

describe('cost', () => {
  test.each([
    [0, 0],
    [0.001, 60],
    [59, 60],
    [60, 60],
    [60.001, 61],
    [-5, 0],
  ])('%d s are billed as %d s', (given, billed) => expect(billedSeconds(given)).toBe(billed));

  test('known sums', () => {
    expect(costMicroUsd(10_400, 3600)).toBe(10_400);
    expect(costMicroUsd(10_400, 1)).toBe(173); // 173.33
    expect(costMicroUsd(10_400, 90)).toBe(260);
    expect(accruedMicroUsd(3600, 0)).toBe(0);
    expect(accruedMicroUsd(1800, 1)).toBe(1); // half a micro-dollar rounds up
    expect(() => accruedMicroUsd(-1, 5)).toThrow(RangeError);
    expect(() => accruedMicroUsd(0.5, 5)).toThrow(RangeError);
  });

  test('a machine stopped in between pays compute and address per start, the disk throughout', () => {
    expect(machineCost(price, { runningSeconds: [3600, 30], storageSeconds: 7200 })).toEqual({
      computeMicroUsd: 10_400 + 173, storageMicroUsd: 6_576, addressMicroUsd: 5_000 + 83, totalMicroUsd: 10_573 + 6_576 + 5_083,
    });
    expect(machineCost({ ...price, computeMicroUsd: undefined }, { runningSeconds: [60], storageSeconds: 60 })).toMatchObject({ computeMicroUsd: undefined, totalMicroUsd: undefined });
  });

  test('property: never negative, whole, never less for longer or dearer', () => {
    fc.assert(
      fc.property(hourly, hourly, seconds, seconds, (price1, more, time, longer) => {
        const cost = costMicroUsd(price1, time);
        expect(Number.isInteger(cost) && cost >= 0).toBe(true);
        expect(costMicroUsd(price1, time + longer)).toBeGreaterThanOrEqual(cost);
        expect(costMicroUsd(price1 + more, time)).toBeGreaterThanOrEqual(cost);
      }),
    );
  });

  test('property: time adds up to within one micro-dollar a part; whole hours add up exactly', () => {
    fc.assert(
      fc.property(hourly, seconds, seconds, fc.integer({ min: 0, max: 10_000 }), (each, a, b, hours) => {
        expect(Math.abs(accruedMicroUsd(each, a + b) - accruedMicroUsd(each, a) - accruedMicroUsd(each, b))).toBeLessThanOrEqual(1);
        expect(accruedMicroUsd(each, hours * 3600)).toBe(each * hours);
        // The same against exact rationals.
        const exact = Number((BigInt(each) * BigInt(a) * 2n) / 3600n) / 2;
        expect(Math.abs(accruedMicroUsd(each, a) - exact)).toBeLessThanOrEqual(0.5);
      }),
    );
  });

  test('R025 R224 the estimate is what the bill will be: the disk by its GB-months, without the rounding of an hour', () => {
    const exact = { ...price, storage: { gb: 30, microUsdPerGbMonth: 80_000 } };
    const day = { runningSeconds: [86_400], storageSeconds: 86_400 };
    expect(machineCost(exact, day)).toMatchObject({ storageMicroUsd: 80_000, totalMicroUsd: (10_400 + 5_000) * 24 + 80_000 });
    expect(machineCost(price, day)).toMatchObject({ totalMicroUsd: 18_688 * 24 });
    for (const seconds of [1, 60, 3_601, 86_401]) {
      const used = { machineId: 'i-1', runs: [{ from: 0, to: seconds * 1000, market: 'on-demand' as const, prices: [{ at: 0, microUsdPerHour: 10_400 }], addressMicroUsdPerHour: 5_000 }], disks: [{ id: 'vol-1', gb: 30, microUsdPerGbMonth: 80_000, from: 0, to: seconds * 1000, onTermination: true }] };
      expect(machineCost(exact, { runningSeconds: [seconds], storageSeconds: seconds }).totalMicroUsd).toBe(billOf(used, 0).totalMicroUsd);
    }
  });
});
