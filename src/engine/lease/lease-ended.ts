// Was it the lease? A machine that powered itself off, or a training that was told to end, because what it was given is used up:
// why, what is left of it, what it cost, and how to go on.
import type { Clock } from '../../core/clock.ts';
import { durationText } from '../../core/durations.ts';
import { RunctlError } from '../../core/errors.ts';
import { LEASE_MARGIN_S, type Lease, type LeaseFacts, type LeaseReason } from '../../core/lease.ts';
import type { Machine } from '../../core/machine.ts';
import { formatUsd } from '../../core/money.ts';
import { freshCommand } from '../fresh.ts';
import { leaseOf } from './lease.ts';

interface Heard {
  facts: LeaseFacts;
  ageS(): number;
}

/** What each machine said of its lease last: whoever learns that it is gone can tell why. Machines are known by their object, so
 *  nothing is kept longer than they are. */
const HEARD = new WeakMap<Machine, Heard>();

/** Between the last tick of a lease and the moment at which the machine no longer answers, seconds. */
const NEAR_S = 120;

export function heardOfLease(clock: Clock, machine: Machine, facts: LeaseFacts | undefined): void {
  if (!facts) return;
  const at = clock.monotonic();
  HEARD.set(machine, { facts, ageS: () => (clock.monotonic() - at) / 1000 });
}

export interface Verdict {
  /** Undefined: one of them; nobody was there to hear which. */
  reason?: LeaseReason;
  lease?: Lease;
}

/** Undefined: it was not the lease, as far as can be known. `now` as of the cloud; undefined: it denies the machine. */
export function leaseVerdict(before: Machine, now: Machine | undefined): Verdict | undefined {
  const heard = HEARD.get(before);
  const lease = leaseOf(before) ?? (now && leaseOf(now));
  if (heard?.facts.state === 'ending') return { reason: heard.facts.reason, lease };
  if (now?.selfEnded !== true || heard?.facts.state === 'off' || (!lease && !heard)) return undefined;
  if (!heard) return { lease, ...(lease?.idleS === 0 && lease.limit ? { reason: lease.limit } : {}) };
  const { leftS = Infinity, quietS = 0 } = heard.facts;
  if (leftS - heard.ageS() <= NEAR_S) return { reason: lease?.limit ?? 'hours', lease };
  const idleS = lease?.idleS ?? 0;
  return idleS > 0 && quietS + heard.ageS() >= idleS - NEAR_S ? { reason: 'idle', lease } : undefined;
}

/** "after 8 h", "at its cost limit of $5.00", "after 60 min without progress" */
export function verdictText({ reason, lease }: Verdict): string {
  if (reason === 'idle') return lease && lease.idleS > 0 ? `after ${durationText(lease.idleS * 1000)} without progress` : 'for want of progress';
  if (reason === 'cost') return lease?.maxCostMicroUsd === undefined ? 'at its cost limit' : `at its cost limit of ${formatUsd(lease.maxCostMicroUsd, 2)}`;
  if (reason === 'hours') return lease?.hoursS === undefined ? 'when its hours were over' : `after ${durationText(lease.hoursS * 1000)}`;
  return 'when its time, its money or its patience with an idle training was used up';
}

/** What the machine can have cost at its end, at most: one sentence, or nothing where no price is known. One that was idle had
 *  hours left: its limits say nothing of what it cost. */
export function costText({ reason, lease }: Verdict): string {
  if (reason === 'idle' || lease?.allowedS === undefined || lease.rateMicroUsd === undefined) return '';
  const most = Math.ceil(((lease.allowedS + lease.graceS + LEASE_MARGIN_S) * lease.rateMicroUsd) / 3600);
  return `It cost ${formatUsd(Math.min(most, lease.maxCostMicroUsd === undefined ? Infinity : lease.maxCostMicroUsd - (lease.spentMicroUsd ?? 0)))} at most.`;
}

/** Twice of what was used up. */
function twice({ reason, lease }: Verdict): string {
  if (reason === 'cost') return (((lease?.maxCostMicroUsd ?? 5e6) * 2) / 1e6).toFixed(2);
  if (reason === 'idle') return `${lease && lease.idleS > 0 ? Math.ceil((lease.idleS * 2) / 60) : 120}m`;
  return String(Math.ceil(((lease?.hoursS ?? lease?.allowedS ?? 4 * 3600) * 2) / 3600));
}

/** The command that lets this machine go on. */
export function moreFor({ provider, id }: Machine, verdict: Verdict): string {
  const more = twice(verdict);
  if (verdict.reason === 'cost') return `runctl ${provider} lease ${id} --max-cost ${more}`;
  return verdict.reason === 'idle' ? `runctl ${provider} lease ${id} --idle-stop ${more}` : `runctl ${provider} lease ${id} --max-hours ${more}`;
}

/** The one that buys another, with more of what was used up. */
function another(machine: Machine, verdict: Verdict): string {
  const flag = verdict.reason === 'cost' ? '--max-cost' : verdict.reason === 'idle' ? '--idle-stop' : '--max-hours';
  return freshCommand(machine, `${flag} ${twice(verdict)}`);
}

/** The machine is gone, or going. `runId`: the training on it whose end nobody saw. */
export function leaseEnded(before: Machine, now: Machine | undefined, verdict: Verdict, runId?: string): RunctlError {
  const { id, provider } = before;
  const state = now?.state ?? 'gone';
  const keepsDisk = state === 'stopped' || state === 'stopping';
  const graceS = verdict.lease?.graceS;
  const told = runId && graceS !== undefined ? `The training was told to end, with ${graceS} s to save. ` : '';
  const left = keepsDisk ? `Its disk is kept${runId ? ', and with it the log and what was saved' : ''}.` : `Its disk is gone${runId ? '; what had not been fetched by then cannot be had any more' : ''}.`;
  return new RunctlError('lease-ended', `${id} powered itself off by its lease, ${verdictText(verdict)}${runId ? `: ${runId} ended with it` : ''}`, {
    cause: [`${told}${left}`, costText(verdict)].filter(Boolean).join(' '),
    hints: keepsDisk
      ? [`runctl ${provider} start ${id} --wait   (it then has 15 minutes, or as long as the next line says)`, moreFor(before, verdict), ...(runId ? [`runctl ${provider} monitor ${id} --run ${runId}`] : [])]
      : [another(before, verdict), ...(runId ? [`runctl runs show ${runId}`] : [])],
    data: { machine: id, state, reason: verdict.reason ?? 'unknown', ...(runId ? { runId } : {}), ...(verdict.lease?.allowedS === undefined ? {} : { allowedS: verdict.lease.allowedS }) },
  });
}
