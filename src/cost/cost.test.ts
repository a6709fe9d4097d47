import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HourlyPrice } from '../core/machine.ts';
import { accruedMicroUsd, billedSeconds, costMicroUsd, describeEstimate, estimate, machineCost } from './cost.ts';

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

  test('the estimate is told with its parts, its source and what is unknown', () => {
    expect(estimate(price, 24)).toMatchObject({ totalMicroUsd: 18_688 * 24 });
    expect(describeEstimate(price)).toBe('$0.0187/h, $0.45/day (machine $0.0104 + disk $0.0033 + address $0.005 an hour; built-in table 2026-08-17)');
    expect(describeEstimate({ ...price, storageMicroUsd: 0, addressMicroUsd: 0 })).toBe('$0.0104/h, $0.25/day (machine $0.0104 an hour; built-in table 2026-08-17)');
    expect(describeEstimate({ ...price, computeMicroUsd: undefined })).toBe('price unknown (besides disk $0.0033 + address $0.005 an hour)');
    expect(describeEstimate({ computeMicroUsd: undefined, storageMicroUsd: 0, addressMicroUsd: 0, source: '' })).toBe('price unknown');
  });
});
