// A lease: how long a machine may run before it ends itself, kept by the machine and not by whoever made it.
// Here: the words for it, and its form as a tag. Not here: how much time a price buys (engine/lease/lease.ts), who keeps it (agent/).
import type { MicroUsd } from './money.ts';

export interface Lease {
  /** Running seconds, over all starts, after which the machine ends itself; the grace comes on top. Absent: only idleness ends it. */
  allowedS?: number;
  /** Of the two limits the one that is reached first; absent with `allowedS`. */
  limit?: 'cost' | 'hours';
  hoursS?: number;
  maxCostMicroUsd?: MicroUsd;
  /** What of the cost limit earlier machines had used up. */
  spentMicroUsd?: MicroUsd;
  /** The most that an hour of running can cost, micro-dollars: compute, disk, address. */
  rateMicroUsd?: MicroUsd;
  /** Ends after so long without progress; 0: never. */
  idleS: number;
  /** From SIGTERM to SIGKILL and power-off. */
  graceS: number;
  onEnd: 'terminate' | 'stop';
}

/** What the machine itself says of its lease. */
export interface LeaseFacts {
  /** `off`: somebody lifted it. `none`: there never was one. */
  state: 'on' | 'ending' | 'off' | 'none';
  /** Seconds of running that count so far, over all starts. */
  usedS?: number;
  /** Seconds until it ends; with `ending` until power-off. */
  leftS?: number;
  /** Since the last sign of progress. */
  quietS?: number;
  /** Ends after so long without progress, renewals included; 0: never. */
  idleS?: number;
  /** With `ending`: why. */
  reason?: LeaseReason;
  /** Whether the keeper on the machine lives. */
  kept?: boolean;
}

export type LeaseReason = 'cost' | 'hours' | 'idle';

/** The tag that says: this machine has a lease, and it began as this one. Renewals are known to the machine only. */
export const LEASE_TAG = 'runctl:lease';

/** From the moment at which the keeper on the machine has power off at the latest to the one at which nothing is billed any more:
 *  the second guard's slack (30 s), its rounding to a minute, and the 90 s that systemd gives processes to end. */
export const LEASE_MARGIN_S = 180;

const NUMBERS = { allowed: 'allowedS', hours: 'hoursS', cost: 'maxCostMicroUsd', spent: 'spentMicroUsd', rate: 'rateMicroUsd', idle: 'idleS', grace: 'graceS' } as const;

/** "allowed=86400 hours=86400 rate=18700 idle=3600 grace=90 limit=hours end=terminate" */
export function leaseWords(lease: Lease): string[] {
  const numbers = Object.entries(NUMBERS).flatMap(([word, key]) => (lease[key] === undefined ? [] : [`${word}=${lease[key]}`]));
  return [...numbers, ...(lease.limit ? [`limit=${lease.limit}`] : []), `end=${lease.onEnd}`];
}

/** Undefined for what is no lease: a tag is what people make of it. */
export function readLease(text: string | undefined): Lease | undefined {
  if (text === undefined) return undefined;
  const words = new Map(text.split(/\s+/).map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]));
  const number = (word: string): number | undefined => (/^\d{1,15}$/.test(words.get(word) ?? '') ? Number(words.get(word)) : undefined);
  const [idleS, graceS, onEnd, limit] = [number('idle'), number('grace'), words.get('end'), words.get('limit')];
  if (idleS === undefined || graceS === undefined || (onEnd !== 'terminate' && onEnd !== 'stop')) return undefined;
  const lease: Lease = { idleS, graceS, onEnd };
  for (const [word, key] of Object.entries(NUMBERS)) {
    const value = number(word);
    if (value !== undefined) lease[key] = value;
  }
  if (limit === 'cost' || limit === 'hours') lease.limit = limit;
  return lease;
}
