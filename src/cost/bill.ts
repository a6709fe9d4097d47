// What a machine has cost, whole or taken apart: by phase, by day, by run. The parts of one machine always add up to its bill,
// to the micro-dollar. Pure: what it was used for and at which prices is the caller's to know.
import type { MicroUsd } from '../core/money.ts';
import type { MachineUsage } from '../core/usage.ts';
import { type Charge, type ChargeKind, PARTS_PER_MICRO, chargesOf, secondsOf, wholeSecond } from './charges.ts';

/** Money of one machine, or of a part of its time. */
export interface Sum {
  /** Billed seconds of running, the minute's minimum included. */
  runningSeconds: number;
  /** Undefined: some price is unknown. */
  computeMicroUsd?: MicroUsd;
  storageMicroUsd?: MicroUsd;
  addressMicroUsd: MicroUsd;
  /** Undefined when a part is. */
  totalMicroUsd?: MicroUsd;
  /** What is known of it. */
  knownMicroUsd: MicroUsd;
}

export interface Bill extends Sum {
  machineId: string;
  /** The end of something is not known exactly: it cost this at most. */
  atMost: boolean;
  /** It cost more than this: nobody here knows of all that it was used for. */
  atLeast?: true;
  /** It goes on costing: this is until now. */
  open: boolean;
}

/** `nowMs`: until when what goes on is counted. */
export function billOf(usage: MachineUsage, nowMs: number): Bill {
  const whole = splitBill(usage, nowMs, { cuts: [], label: () => '' }).get('') ?? (usage.runsUnknown || usage.disksUnknown ? unknown() : nothing());
  return {
    machineId: usage.machineId,
    ...whole,
    runningSeconds: usage.runs.reduce((sum, run) => sum + secondsOf(run, nowMs), 0),
    atMost: [...usage.runs, ...usage.disks].some((span) => span.to !== undefined && span.atMost === true),
    ...(usage.unseen || usage.runs.some((run) => run.addressUnseen) ? { atLeast: true } : {}),
    open: [...usage.runs, ...usage.disks].some((span) => span.to === undefined),
  };
}

export interface Cutting<Label extends string> {
  /** Epoch ms at which labels may change. */
  cuts: readonly number[];
  /** Of the time from `from` on, until the next cut. `unused`: of the seconds that a minimum adds, after the last second that was used. */
  label(from: number, kind: ChargeKind, unused: boolean): Label;
}

/** The bill by label. Each kind is rounded once for the machine, half up, and what rounding leaves over goes to the largest remainders. */
export function splitBill<Label extends string>(usage: MachineUsage, nowMs: number, cutting: Cutting<Label>): Map<Label, Sum> {
  const cuts = [...new Set(cutting.cuts.map(wholeSecond))].sort((a, b) => a - b);
  const sums = new Map<Label, Sum>();
  const sumOf = (label: Label): Sum => sums.get(label) ?? (sums.set(label, nothing()), sums.get(label) as Sum);
  const charges = chargesOf(usage, nowMs);
  for (const kind of ['compute', 'storage', 'address'] as const) {
    const parts = new Map<Label, bigint>();
    const unknown = new Set<Label>();
    for (const charge of charges) {
      if (charge.kind !== kind) continue;
      for (const { from, seconds, unused } of pieces(charge, cuts)) {
        const label = cutting.label(from, kind, unused);
        if (kind === 'compute') sumOf(label).runningSeconds += seconds;
        if (charge.partsPerSecond === undefined) unknown.add(label);
        parts.set(label, (parts.get(label) ?? 0n) + (charge.partsPerSecond ?? 0n) * BigInt(seconds));
      }
    }
    for (const [label, micros] of apportion(parts)) {
      const sum = sumOf(label);
      const field = `${kind}MicroUsd` as const;
      sum.knownMicroUsd += micros;
      sum[field] = unknown.has(label) ? (undefined as never) : micros;
    }
  }
  // A machine that ran cost more than its disk, and nobody knows how much more.
  if (usage.runsUnknown) for (const sum of sums.values()) sum.computeMicroUsd = undefined;
  for (const sum of sums.values()) sum.totalMicroUsd = sum.computeMicroUsd === undefined || sum.storageMicroUsd === undefined ? undefined : sum.knownMicroUsd;
  return sums;
}

export function nothing(): Sum {
  return { runningSeconds: 0, computeMicroUsd: 0, storageMicroUsd: 0, addressMicroUsd: 0, totalMicroUsd: 0, knownMicroUsd: 0 };
}

/** Of something that was used, and nobody can tell for how long. */
export function unknown(): Sum {
  return { ...nothing(), computeMicroUsd: undefined, storageMicroUsd: undefined, totalMicroUsd: undefined };
}

/** Sums of several machines; what is unknown of one is unknown of all. */
export function addSums(sums: readonly Sum[]): Sum {
  const add = (field: 'computeMicroUsd' | 'storageMicroUsd' | 'totalMicroUsd'): MicroUsd | undefined =>
    sums.reduce<MicroUsd | undefined>((all, sum) => (all === undefined || sum[field] === undefined ? undefined : all + sum[field]), 0);
  return {
    runningSeconds: sums.reduce((all, sum) => all + sum.runningSeconds, 0),
    computeMicroUsd: add('computeMicroUsd'),
    storageMicroUsd: add('storageMicroUsd'),
    addressMicroUsd: sums.reduce((all, sum) => all + sum.addressMicroUsd, 0),
    totalMicroUsd: add('totalMicroUsd'),
    knownMicroUsd: sums.reduce((all, sum) => all + sum.knownMicroUsd, 0),
  };
}

/** A charge cut where labels may change; what its minimum adds belongs to its last second. */
function* pieces({ from, to, extraSeconds }: Charge, cuts: readonly number[]): Generator<{ from: number; seconds: number; unused: boolean }> {
  let start = from;
  for (const cut of cuts) {
    if (cut <= start) continue;
    if (cut >= to) break;
    yield { from: start, seconds: (cut - start) / 1000, unused: false };
    start = cut;
  }
  if (to > start) yield { from: start, seconds: (to - start) / 1000, unused: false };
  if (extraSeconds > 0) yield { from: Math.max(from, to - 1000), seconds: extraSeconds, unused: true };
}

/** Whole micro-dollars that add up to the rounded sum. */
function apportion<Label extends string>(parts: Map<Label, bigint>): Map<Label, MicroUsd> {
  const whole = [...parts.values()].reduce((sum, part) => sum + part, 0n);
  let left = (whole + PARTS_PER_MICRO / 2n) / PARTS_PER_MICRO;
  const shares = [...parts].map(([label, part]) => ({ label, micros: part / PARTS_PER_MICRO, remainder: part % PARTS_PER_MICRO }));
  for (const share of shares) left -= share.micros;
  for (const share of shares.toSorted((a, b) => (a.remainder === b.remainder ? (a.label < b.label ? -1 : 1) : a.remainder > b.remainder ? -1 : 1))) {
    if (left <= 0n) break;
    share.micros += 1n;
    left -= 1n;
  }
  return new Map(shares.map(({ label, micros }) => [label, Number(micros)]));
}
