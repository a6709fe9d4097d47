// One launch, once: the intent is on disk before it, a lost answer is looked for under the same token, and what nobody will use is
// not left to be paid for. Which machine, and what comes after a refusal, others decide (buy.ts, buy-spot.ts).
import { RunctlError } from '../../core/errors.ts';
import { type Machine, type MachinePlan, type Market, runningMicroUsdPerHour } from '../../core/machine.ts';
import type { Provider } from '../../core/ports.ts';
import { waysToLook } from '../../core/stake.ts';
import type { App } from '../app.ts';
import { noteMachine } from '../cost/cost-actual.ts';
import { hourlyText } from '../cost/money.ts';
import { freshCommand } from '../fresh.ts';
import { type Story, isRefusal } from '../steps.ts';
import { pollDelays } from '../wait.ts';

/** How long a machine that was just made may be unknown to those who ask by its token. */
const RECLAIM_MS = 4000;

export interface OnceOptions {
  /** The purchase within its run: every machine of a run is one. Absent: its only one. */
  effect?: string;
  /** Ends the asking; absent: Ctrl-C does. */
  signal?: AbortSignal;
  /** After a failure that proves nothing. True when it is certain that nothing is left. */
  undo(token: string): Promise<boolean>;
}

/**
 * Create what the plan says. After a refusal the next call is a new launch with a token of its own. After a failure that proves
 * nothing, and that `undo` did not undo, the next call asks for that machine first and repeats its token: whatever plan comes then,
 * the cloud never makes two machines for one token.
 */
export async function launchOnce(app: App, provider: Provider, story: Story, plan: MachinePlan, { effect = 'create', signal = app.signal, undo }: OnceOptions): Promise<Machine> {
  const { stake } = app;
  const settle = (): void => {
    if (stake) stake.launchToken = undefined;
  };
  let mayExist = false;
  try {
    const machine = await story.effect(effect, {
      kind: `${provider.name}.create`,
      request: plan,
      look: async (token) => {
        mayExist = true;
        return usable(await provider.findByToken(token, signal));
      },
      act: async (token) => {
        if (stake) Object.assign(stake, { launchToken: token, market: plan.market });
        try {
          const made = await provider.create(plan, token, signal);
          if (!usable(made)) throw endedAtOnce(made);
          return made;
        } catch (error) {
          // Refused because the earlier launch with this token was carried out after all.
          const late = mayExist && isRefusal(error) ? usable(await provider.findByToken(token, signal)) : undefined;
          if (late) return late;
          throw error;
        }
      },
      resource: (made) => made.id,
      undo: async (token) => {
        const undone = await undo(token);
        if (undone) settle();
        return undone;
      },
    });
    settle();
    if (stake) Object.assign(stake, { market: machine.market, price: runningMicroUsdPerHour(plan.price) === undefined ? undefined : hourlyText(plan.price) });
    return machine;
  } catch (error) {
    if (isRefusal(error)) settle();
    throw error;
  }
}

/** A machine that is there to be used. A token that was used before may bring back one that has ended since. */
function usable(machine: Machine | undefined): Machine | undefined {
  return machine && (machine.state === 'pending' || machine.state === 'running') ? machine : undefined;
}

function endedAtOnce(machine: Machine): RunctlError {
  const { id, state, stateReason } = machine;
  return new RunctlError('capacity', `${id} was ${state} before it could be used${stateReason ? `: ${stateReason}` : ''}`, {
    cause: 'The cloud took the machine back at once, or could not start it.',
    hints: [freshCommand(machine)],
    data: { machine: id, state },
  });
}

/** Nobody knows whether the machine was made. If it was, nobody would ever use it and somebody would pay for it: it goes. */
export async function takeBack(app: App, provider: Provider, token: string, market: Market): Promise<boolean> {
  // After Ctrl-C too; a second one ends the process.
  const { signal } = new AbortController();
  try {
    const machine = await lookFor(app, provider, token, market, signal);
    if (!machine) return false;
    // It has cost something, if only a minute. After Ctrl-C the app's own signal would let nothing be asked.
    const note = (now: Machine): Promise<void> => noteMachine({ ...app, signal }, provider, now);
    await note(machine);
    if (machine.state !== 'terminated') await note(await provider.terminate(machine.id, signal));
    app.report({ kind: 'note', level: 'warning', text: `${machine.id} had been made all the same and was terminated` });
    return true;
  } catch (error) {
    app.report({ kind: 'note', level: 'warning', text: `it is not known whether a machine was made: ${error instanceof Error ? error.message : String(error)}`, hints: waysToLook(token, market) });
  }
  return false;
}

/** Give up on a launch whose fate nobody knows, and keep what it made after all. Undefined: nothing is to be seen, and what was
 *  still open is cancelled. Throws when not even that could be asked: then nothing else may be bought in its place. */
export async function adoptLate(app: App, provider: Provider, story: Story, { plan, token, effect = 'create', lost }: { plan: MachinePlan; token: string; effect?: string; lost: unknown }): Promise<Machine | undefined> {
  let machine: Machine | undefined;
  try {
    machine = usable(await lookFor(app, provider, token, plan.market, app.signal));
  } catch (error) {
    if (app.signal.aborted) throw error;
    const { code, message, reason, data } = lost instanceof RunctlError ? lost : new RunctlError('endpoint-unreachable', String(lost), { hints: ['runctl doctor'] });
    throw new RunctlError(code, message, {
      cause: `It is not known whether a machine was made, so nothing else was bought.${reason ? ` ${reason}` : ''}`,
      hints: [...waysToLook(token, plan.market), 'runctl doctor'],
      data: { ...data, fate: 'unknown', token },
      source: error,
    });
  }
  const found = machine;
  if (!found) return undefined;
  app.report({ kind: 'note', level: 'info', text: `${found.id} had been made although its answer was lost; it is used` });
  return story.effect(effect, {
    kind: `${provider.name}.create`, request: plan, look: async () => found, act: async () => found, resource: () => found.id,
  });
}

/** The machine that this token made, in any state; what the market still has open for it is cancelled first. */
async function lookFor(app: App, provider: Provider, token: string, market: Market, signal: AbortSignal): Promise<Machine | undefined> {
  if (market === 'spot' && provider.withdraw) return (await provider.withdraw(token, signal)).machine;
  const deadline = app.clock.monotonic() + RECLAIM_MS;
  for (const delayMs of pollDelays()) {
    const machine = await provider.findByToken(token, signal);
    if (machine || app.clock.monotonic() + delayMs > deadline) return machine;
    await app.clock.sleep(delayMs, signal);
  }
  throw new Error('unreachable');
}
