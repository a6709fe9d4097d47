// Step `lease`: the keeper of a machine's lease lives on the machine from here on, whatever becomes of this command.
import { type HeldLease, parseLease, renderLease } from '../../agent/lease.ts';
import { durationText } from '../../core/durations.ts';
import { RunctlError } from '../../core/errors.ts';
import { LEASE_TAG, type Lease, readLease } from '../../core/lease.ts';
import type { Machine } from '../../core/machine.ts';
import type { Provider, Shell } from '../../core/ports.ts';
import { again } from '../../sync/retry.ts';
import type { App } from '../app.ts';
import type { Story } from '../steps.ts';

/** Less than this, and somebody may want to do something about it. */
const SOON_S = 900;

/** The lease that a machine was bought with. */
export function leaseOf(machine: Machine): Lease | undefined {
  return readLease(machine.tags[LEASE_TAG]);
}

/** On a machine that answers. `lease` absent: the one that the machine was bought with; without any, nothing happens. What the
 *  machine has already stays: it may have been renewed. */
export async function holdLease(app: App, provider: Provider, story: Pick<Story, 'step'>, machine: Machine, shell: Shell, lease = leaseOf(machine)): Promise<HeldLease | undefined> {
  if (!lease) return undefined;
  const held = await story.step('lease', 'hold the lease', () => askLease(app, shell, renderLease('hold', lease)).catch((error: unknown) => guardAlone(app, machine, error)), describeHeld);
  const left = held.leftS ?? Infinity;
  if (held.state === 'ending' || left < SOON_S) {
    app.report({
      kind: 'note', level: 'warning',
      text: held.state === 'ending' ? `the lease of ${machine.id} is over: it powers off in ${left} s` : `the lease of ${machine.id} ends in ${durationText(left * 1000)}`,
      hints: [`runctl ${provider.name} lease ${machine.id} --max-hours ${hoursMore(held)}`],
    });
  }
  return held;
}

/** Safe to repeat, whatever it asks. */
export async function askLease(app: App, shell: Shell, script: string): Promise<HeldLease> {
  return again({ clock: app.clock, signal: app.signal }, async () => parseLease(await shell.run(script, { timeoutMs: 60_000, signal: app.signal })));
}

/** A machine on which no keeper can live is bounded all the same: by the guard that its boot script armed. */
function guardAlone(app: App, machine: Machine, error: unknown): HeldLease {
  if (!(error instanceof RunctlError) || error.data?.['agentError'] === undefined) throw error;
  app.report({ kind: 'note', level: 'warning', text: `${error.message}; ${machine.id} still powers itself off when its hours are over, but without time to save, and not when it is idle` });
  return { state: 'none' };
}

/** Of whole hours in all that leave an hour from now, at least. */
export function hoursMore({ usedS = 0 }: HeldLease): number {
  return Math.ceil(usedS / 3600) + 1;
}

export function describeHeld({ state, leftS, lease }: HeldLease): string {
  if (state === 'none') return 'by the guard of the boot script alone';
  if (state === 'off') return 'lifted: nothing bounds this machine';
  if (state === 'ending') return `over: powers off in ${leftS ?? 0} s`;
  return [
    ...(leftS === undefined ? [] : [`${durationText(leftS * 1000)} left`]),
    ...(lease && lease.idleS > 0 ? [`ends after ${durationText(lease.idleS * 1000)} without progress`] : []),
  ].join(', ');
}
