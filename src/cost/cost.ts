// Prices x time in whole micro-dollars. Pure: where prices come from is the providers' business, when a machine ran the caller's.
import type { HourlyPrice } from '../core/machine.ts';
import type { MicroUsd } from '../core/money.ts';

/** EC2 bills Linux machines, gp3 disks and public addresses by the second, with at least a minute for each start. */
export const MINIMUM_BILLED_SECONDS = 60;

export const ONE_DAY_HOURS = 24;

const MONTH_SECONDS = 720n * 3600n;

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
    storageMicroUsd: diskCost(price, billedSeconds(usage.storageSeconds)),
    addressMicroUsd: overStarts(price.addressMicroUsd),
  });
}

/** As disks are billed, by the GB-month of 720 hours, where that price is known. */
function diskCost({ storage, storageMicroUsd }: HourlyPrice, seconds: number): MicroUsd {
  if (!storage) return accruedMicroUsd(storageMicroUsd, seconds);
  const parts = BigInt(storage.gb) * BigInt(storage.microUsdPerGbMonth) * BigInt(seconds);
  return Number((parts + MONTH_SECONDS / 2n) / MONTH_SECONDS);
}

function withTotal(parts: Cost): Cost {
  return { ...parts, totalMicroUsd: parts.computeMicroUsd === undefined ? undefined : parts.computeMicroUsd + parts.storageMicroUsd + parts.addressMicroUsd };
}
