// What a status says of a machine's lease: how much is left of what, or that the lease is what ended the machine, with the way on.
import type { LeaseFacts, LeaseReason } from '../../core/lease.ts';
import type { Machine } from '../../core/machine.ts';
import { type Verdict, leaseEnded, leaseVerdict, verdictText } from './lease-ended.ts';
import { leaseOf } from './lease-hold.ts';

export interface LeaseOutlook {
  /** `ended`: it powered the machine off. `none`: nothing bounds the machine. */
  lease: LeaseFacts['state'] | 'ended';
  /** Running seconds in all, over all starts. */
  leaseAllowedS?: number;
  leaseUsedS?: number;
  leaseLeftS?: number;
  /** Ends after so long without progress. */
  leaseIdleStopS?: number;
  leaseOnEnd?: 'terminate' | 'stop';
  /** Of one that is over, where somebody could know: cost, hours or idle. */
  leaseReason?: LeaseReason;
  /** Of one that is over: "after 8 h". */
  leaseEnded?: string;
  /** The commands that let its owner go on. */
  leaseFix?: string[];
}

/** Between the clocks of this computer, the cloud and the machine. */
const SLACK_MS = 120_000;

/** Of a machine that is off, learned only now: was it the lease? Not when it was too young for that. `nowMs`: epoch. */
export function endedByLease(machine: Machine, nowMs: number): Verdict | undefined {
  const verdict = leaseVerdict(machine, machine);
  if (!verdict?.lease) return verdict;
  const { allowedS = Infinity, idleS } = verdict.lease;
  const bornAt = machine.firstLaunchedAt ?? machine.launchedAt;
  const oldestS = bornAt === undefined ? Infinity : (nowMs - bornAt + SLACK_MS) / 1000;
  if (oldestS >= allowedS) return verdict;
  return idleS > 0 && oldestS >= idleS ? { ...verdict, reason: 'idle' } : undefined;
}

/** `facts`: what the machine itself said just now. Undefined: nobody knows. */
export function leaseOutlook(machine: Machine, facts: LeaseFacts | undefined, nowMs: number): LeaseOutlook | undefined {
  const bought = leaseOf(machine);
  if (machine.state !== 'running' && machine.state !== 'pending') {
    const verdict = endedByLease(machine, nowMs);
    if (!verdict) return undefined;
    // Behind three spaces a hint explains itself.
    const leaseFix = leaseEnded(machine, machine, verdict).hints.map((hint) => hint.split('   ')[0]!);
    return { lease: 'ended', leaseEnded: verdictText(verdict), leaseFix, ...(verdict.reason ? { leaseReason: verdict.reason } : {}) };
  }
  if (!facts && !bought) return undefined;
  if (facts?.state === 'off' || facts?.state === 'none') return { lease: facts.state, ...known({ leaseUsedS: facts.usedS }) };
  const { usedS, leftS } = facts ?? {};
  // A renewal is known to the machine only, so its word counts before the tag.
  const allowedS = facts?.state === 'on' && usedS !== undefined && leftS !== undefined ? usedS + leftS : bought?.allowedS;
  const idleS = facts?.idleS ?? bought?.idleS ?? 0;
  return { lease: facts?.state ?? 'on', ...known({ leaseAllowedS: allowedS, leaseUsedS: usedS, leaseLeftS: leftS, leaseIdleStopS: idleS > 0 ? idleS : undefined, leaseOnEnd: bought?.onEnd, leaseReason: facts?.reason }) };
}

function known<T extends object>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}
