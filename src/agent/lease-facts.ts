// What the keeper of a lease says, out of the agent's facts. Pure.
import type { LeaseFacts, LeaseReason } from '../core/lease.ts';
import { type Facts, count, maybe, oneOf } from './facts.ts';

export const LEASE_REASONS: readonly LeaseReason[] = ['cost', 'hours', 'idle'];

/** Undefined where there is no lease. */
export function readLeaseFacts(facts: Facts): LeaseFacts | undefined {
  if (!facts.has('lease_state')) return undefined;
  const read: LeaseFacts = {
    state: oneOf(facts, 'lease_state', ['on', 'ending', 'off']),
    usedS: maybe(facts, 'lease_used', count),
    leftS: maybe(facts, 'lease_left', count),
    quietS: maybe(facts, 'lease_quiet', count),
    idleS: maybe(facts, 'lease_idle', count),
    reason: maybe(facts, 'lease_reason', (all, key) => oneOf(all, key, LEASE_REASONS)),
    ...(facts.has('lease_kept') ? { kept: true } : {}),
  };
  return Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined)) as unknown as LeaseFacts;
}
