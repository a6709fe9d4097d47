// A machine's usage as charges: so much a second from then to then, as exact fractions of a micro-dollar. Pure.
// Sources: EC2 User Guide, "On-Demand Instances" (by the second, a minute at least for each start) and "Billing for interrupted
// Spot Instances" (none for compute when EC2 interrupts within the first hour); EBS pricing page (months of 720 hours in its examples).
import type { DiskSpan, MachineUsage, RunSpan } from '../core/usage.ts';
import { MINIMUM_BILLED_SECONDS } from './cost.ts';

/** What fractions are counted in: one micro-dollar has so many. An hour of compute and a GB-month of disk both come out whole. */
export const PARTS_PER_MICRO = 720n * 3600n;
const PARTS_PER_HOURLY_MICRO = 720n;

const FREE_WHEN_INTERRUPTED_WITHIN_MS = 3_600_000;

export type ChargeKind = 'compute' | 'storage' | 'address';

export interface Charge {
  kind: ChargeKind;
  /** Epoch ms, whole seconds. */
  from: number;
  to: number;
  /** Parts (PARTS_PER_MICRO) a second; undefined: the price is unknown. */
  partsPerSecond: bigint | undefined;
  /** Seconds beyond `to` that the minute's minimum adds, at the price of the last second. */
  extraSeconds: number;
}

/** `nowMs`: until when what goes on is counted. */
export function chargesOf(usage: MachineUsage, nowMs: number): Charge[] {
  return [...usage.runs.flatMap((run) => runCharges(run, nowMs)), ...usage.disks.map((disk) => diskCharge(disk, nowMs)), ...unknownDisks(usage, nowMs)];
}

/** Disks of which nobody told cost something all the same, from its first start on. */
function unknownDisks({ runs, disksUnknown }: MachineUsage, nowMs: number): Charge[] {
  if (!disksUnknown || runs.length === 0) return [];
  const span = { from: Math.min(...runs.map((run) => run.from)), to: Math.max(...runs.map((run) => run.to ?? nowMs)) };
  return [{ kind: 'storage', ...bounds(span, nowMs), partsPerSecond: undefined }];
}

/** A machine that was made so long before its first known start was not waiting for it: there were others. */
const WAITS_AT_MOST_MS = 600_000;

/** `madeAt`, epoch ms: are there starts before those that are known? Clouds tell of the latest only. */
export function hasUnseenStarts(madeAt: number | undefined, runs: readonly RunSpan[]): boolean {
  const first = Math.min(...runs.map((run) => run.from));
  return madeAt !== undefined && Number.isFinite(first) && first - madeAt > WAITS_AT_MOST_MS;
}

export function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}

/** Seconds of a start as they are billed. */
export function secondsOf(span: { from: number; to?: number }, nowMs: number): number {
  const { from, to } = bounds(span, nowMs);
  return Math.max(MINIMUM_BILLED_SECONDS, (to - from) / 1000);
}

function bounds(span: { from: number; to?: number }, nowMs: number): { from: number; to: number; extraSeconds: number } {
  const from = wholeSecond(span.from);
  const to = Math.max(from, wholeSecond(span.to ?? nowMs));
  return { from, to, extraSeconds: Math.max(0, MINIMUM_BILLED_SECONDS - (to - from) / 1000) };
}

function runCharges(run: RunSpan, nowMs: number): Charge[] {
  const span = bounds(run, nowMs);
  const address: Charge[] = run.addressMicroUsdPerHour > 0 ? [{ kind: 'address', ...span, partsPerSecond: BigInt(run.addressMicroUsdPerHour) * PARTS_PER_HOURLY_MICRO }] : [];
  return [...computeCharges(run, span), ...address];
}

function computeCharges(run: RunSpan, span: { from: number; to: number; extraSeconds: number }): Charge[] {
  if (run.interrupted && run.market === 'spot' && run.to !== undefined && span.to - span.from < FREE_WHEN_INTERRUPTED_WITHIN_MS) return [{ kind: 'compute', ...span, partsPerSecond: 0n }];
  if (run.prices.length === 0) return [{ kind: 'compute', ...span, partsPerSecond: undefined }];
  // A price counts for the seconds that begin under it; the first also for what lies before it.
  const steps = run.prices.toSorted((a, b) => a.at - b.at).map(({ at, microUsdPerHour }, n) => ({ at: n === 0 ? -Infinity : Math.ceil(at / 1000) * 1000, parts: BigInt(microUsdPerHour) * PARTS_PER_HOURLY_MICRO }));
  const lastSecond = Math.max(span.from, span.to - 1000);
  return steps.flatMap(({ at, parts }, n): Charge[] => {
    const until = steps[n + 1]?.at ?? Infinity;
    const [from, to] = [Math.max(span.from, at), Math.min(span.to, until)];
    const isLast = at <= lastSecond && lastSecond < until;
    if (to <= from && !isLast) return [];
    return [{ kind: 'compute', from, to: Math.max(from, to), partsPerSecond: parts, extraSeconds: isLast ? span.extraSeconds : 0 }];
  });
}

function diskCharge(disk: DiskSpan, nowMs: number): Charge {
  return { kind: 'storage', ...bounds(disk, nowMs), partsPerSecond: disk.microUsdPerGbMonth === undefined ? undefined : BigInt(disk.gb) * BigInt(disk.microUsdPerGbMonth) };
}
