// What is said of a lease while somebody looks on at a job: that it ends soon, that nothing moves, that it has ended.
import { durationText } from '../../core/durations.ts';
import type { LeaseFacts } from '../../core/lease.ts';
import type { Machine } from '../../core/machine.ts';
import type { App } from '../app.ts';
import { moreFor } from './lease-ended.ts';
import { leaseOf } from './lease-hold.ts';

const SOON_S = 600;
/** Of the idle time that is over. */
const QUIET_SHARE = 0.75;

/** Call with every answer of the machine; says each thing once, and again when a longer lease has ended too. */
export function leaseWatch(app: App, machine: Machine): (facts: LeaseFacts | undefined) => void {
  const lease = leaseOf(machine);
  let told: 'soon' | 'quiet' | 'over' | undefined;
  return (facts) => {
    if (!facts || facts.state === 'off') return;
    const { leftS = Infinity, quietS = 0 } = facts;
    const idleS = lease?.idleS ?? 0;
    const now = facts.state === 'ending' ? 'over' : leftS < SOON_S ? 'soon' : idleS > 0 && quietS >= idleS * QUIET_SHARE ? 'quiet' : undefined;
    if (now === told) return;
    told = now;
    if (now === undefined) return;
    const text = {
      over: `the lease of ${machine.id} is over: the training was told to end, and the machine powers off in ${leftS} s`,
      soon: `the lease of ${machine.id} ends in ${durationText(leftS * 1000)}: the training will be told to end, with ${lease?.graceS ?? 0} s to save`,
      quiet: `nothing has moved on ${machine.id} for ${durationText(quietS * 1000)}: its lease ends it after ${durationText(idleS * 1000)}, a little later while it computes`,
    }[now];
    const reason = now === 'quiet' ? 'idle' : lease?.limit;
    app.report({ kind: 'note', level: 'warning', text, hints: now === 'over' ? [] : [moreFor(machine, { reason, lease })] });
  };
}
