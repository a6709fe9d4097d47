// Prices x time in whole micro-dollars. Pure: where prices come from is the providers' business, when a machine ran the caller's.
import type { HourlyPrice } from '../core/machine.ts';
import { formatUsd, type MicroUsd } from '../core/money.ts';

/** EC2 bills Linux machines, gp3 disks and public addresses by the second, with at least a minute for each start. */
export const MINIMUM_BILLED_SECONDS = 60;

export const ONE_DAY_HOURS = 24;

/** Started seconds count whole; a start that was billed at all counts as a minute at least. */
export function billedSeconds(seconds: number): number {
  return seconds > 0 ? Math.max(MINIMUM_BILLED_SECONDS, Math.ceil(seconds)) : 0;
}

/** Cost of one start that lasted `seconds`. Rounded once, half up, to the micro-dollar. */
export function costMicroUsd(hourlyMicroUsd: MicroUsd, seconds: number): MicroUsd {
  return accruedMicroUsd(hourlyMicroUsd, billedSeconds(seconds));
}

/** Hourly price x whole seconds without a minimum, rounded half up. In big integers: a year of a large machine overflows a double. */
export function accruedMicroUsd(hourlyMicroUsd: MicroUsd, seconds: number): MicroUsd {
  if (!Number.isInteger(hourlyMicroUsd) || hourlyMicroUsd < 0) throw new RangeError(`not a price in micro-dollars: ${hourlyMicroUsd}`);
  return Number((BigInt(hourlyMicroUsd) * BigInt(Math.max(0, Math.ceil(seconds))) + 1800n) / 3600n);
}

export interface Usage {
  /** Length of each start, from running to stopping. */
  runningSeconds: number[];
  /** How long the disk existed, running or stopped. */
  storageSeconds: number;
}

export interface Cost {
  /** Undefined when the compute price is unknown: better no number than a wrong one. */
  computeMicroUsd?: MicroUsd;
  storageMicroUsd: MicroUsd;
  addressMicroUsd: MicroUsd;
  /** Undefined when the compute part is. */
  totalMicroUsd?: MicroUsd;
}

/** What a machine has cost. Compute and address cost while it runs, the disk as long as it exists. */
export function machineCost(price: HourlyPrice, usage: Usage): Cost {
  const overStarts = (hourly: MicroUsd): MicroUsd => usage.runningSeconds.reduce((sum, seconds) => sum + costMicroUsd(hourly, seconds), 0);
  return withTotal({
    computeMicroUsd: price.computeMicroUsd === undefined ? undefined : overStarts(price.computeMicroUsd),
    storageMicroUsd: costMicroUsd(price.storageMicroUsd, usage.storageSeconds),
    addressMicroUsd: overStarts(price.addressMicroUsd),
  });
}

/** What it would cost to keep a machine running for so long. */
export function estimate(price: HourlyPrice, hours: number): Cost {
  const seconds = hours * 3600;
  return machineCost(price, { runningSeconds: [seconds], storageSeconds: seconds });
}

function withTotal(parts: Cost): Cost {
  return { ...parts, totalMicroUsd: parts.computeMicroUsd === undefined ? undefined : parts.computeMicroUsd + parts.storageMicroUsd + parts.addressMicroUsd };
}

/** "$0.0187/h, $0.45/day (machine $0.0104 + disk $0.0033 + address $0.005 an hour; AWS Price List API 2026-08-17)" */
export function describeEstimate(price: HourlyPrice): string {
  const { storageMicroUsd, addressMicroUsd, computeMicroUsd, source } = price;
  const extras = [
    ...(storageMicroUsd > 0 ? [`disk ${formatUsd(storageMicroUsd)}`] : []),
    ...(addressMicroUsd > 0 ? [`address ${formatUsd(addressMicroUsd)}`] : []),
  ];
  if (computeMicroUsd === undefined) return `price unknown${extras.length > 0 ? ` (besides ${extras.join(' + ')} an hour)` : ''}`;
  const hour = estimate(price, 1).totalMicroUsd!;
  const day = estimate(price, ONE_DAY_HOURS).totalMicroUsd!;
  return `${formatUsd(hour)}/h, ${formatUsd(day, 2)}/day (${[`machine ${formatUsd(computeMicroUsd)}`, ...extras].join(' + ')} an hour; ${source})`;
}
