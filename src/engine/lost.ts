// A machine that went away while somebody waited for it: what happened, who did it, and what is left.
import { RunctlError } from '../core/errors.ts';
import type { Machine } from '../core/machine.ts';
import { freshCommand } from './fresh.ts';
import { leaseEnded, leaseVerdict } from './lease/lease-ended.ts';
import { endedByLease } from './lease/lease-status.ts';

function whyGone(machine: Machine | undefined): string {
  if (!machine) return 'The cloud does not know it any more: it was terminated a while ago, by somebody else.';
  return machine.stateReason ? `The cloud says: ${machine.stateReason}.` : 'The cloud gives no reason.';
}

export function isGone(machine: Machine | undefined): boolean {
  return machine === undefined || (machine.state !== 'running' && machine.state !== 'pending');
}

/** `now`: what the cloud says at last; undefined: it denies the machine. `runId`: the training on it whose end nobody saw.
 *  `lease-ended` when the machine ended itself as it was told to, `machine-lost` otherwise. */
export function machineLost(before: Machine, now: Machine | undefined, runId?: string): RunctlError {
  const verdict = leaseVerdict(before, now);
  if (verdict) return leaseEnded(before, now, verdict, runId);
  const { id, provider } = before;
  const state = now?.state ?? 'gone';
  const keepsDisk = state === 'stopped' || state === 'stopping';
  const left = keepsDisk
    ? `Its disk is kept${runId ? ', and with it the log and what was saved' : ''}.`
    : `Its disk is gone${runId ? '; what had not been fetched by then cannot be had any more' : ''}.`;
  return new RunctlError('machine-lost', `${id} is ${state}${runId ? `: ${runId} ended with it` : ''}`, {
    cause: `${whyGone(now)} ${left}`,
    hints: [
      ...(keepsDisk ? [`runctl ${provider} start ${id} --wait`, ...(runId ? [`runctl ${provider} monitor ${id} --run ${runId}`] : [])] : [freshCommand(before)]),
      'runctl runs list',
    ],
    data: { machine: id, state, ...(runId ? { runId } : {}), ...(now?.stateReason ? { stateReason: now.stateReason } : {}) },
  });
}

/** For whoever comes only now: the error that he would have got had he watched, of a machine that its provider took back or its lease
 *  ended. Undefined for all others: somebody ended those. `nowMs`: epoch. */
export function goneBefore(machine: Machine, nowMs: number): RunctlError | undefined {
  const verdict = endedByLease(machine, nowMs);
  if (verdict) return leaseEnded(machine, machine, verdict);
  return machine.interrupted ? machineLost(machine, machine) : undefined;
}
