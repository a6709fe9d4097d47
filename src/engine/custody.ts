// A machine in a workflow's care: what can be saved is saved, then it goes, stops or stays as the policy says, and what it cost
// is told. Holds after failures and after Ctrl-C alike.
import { RunctlError } from '../core/errors.ts';
import type { Lease } from '../core/lease.ts';
import type { Machine, MachinePlan } from '../core/machine.ts';
import { formatUsd } from '../core/money.ts';
import type { Provider, Shell } from '../core/ports.ts';
import type { App } from './app.ts';
import type { Outputs } from './collect.ts';
import { noteMachine } from './cost/cost-actual.ts';
import { rescue } from './follow.ts';
import type { LaunchedJob } from './launch-job.ts';
import { type Paid, hourlyText, paidText, settleCost } from './cost/money.ts';
import type { Say, Story } from './steps.ts';
import { waitForState, waitUntilReady } from './wait.ts';

/** What becomes of the machine when something fails. */
export type OnFailure = 'terminate' | 'stop' | 'keep';

export interface Custody {
  app: App;
  provider: Provider;
  story: Story;
  plan: MachinePlan;
  /** What bounds it. */
  lease?: Lease;
  machine: Machine;
  /** Seconds since the machine was asked for. */
  elapsed: () => number;
  shell: Shell | undefined;
  launched: LaunchedJob | undefined;
  outputs: Outputs | undefined;
}

/** How long a machine that somebody stopped may take to come up again so that results can be taken off its disk. */
const REVIVE_MS = 300_000;

/** Rescue what can be rescued, then end the billing as the policy says; the first error stays the one that is told. */
export async function afterFailure(custody: Custody, policy: OnFailure, error: unknown): Promise<unknown> {
  const interrupted = custody.app.signal.aborted;
  // Ctrl-C aborted everything that hangs on the old signal; cleaning up must still work. A second Ctrl-C ends the process.
  const app: App = { ...custody.app, signal: new AbortController().signal };
  const care: Custody = { ...custody, app };
  const id = care.machine.id;
  const onFailure = mayStillRun(error) ? 'keep' : policy;
  if (interrupted) app.report({ kind: 'note', level: 'warning', text: farewell(care, onFailure) });
  const stranded = (await save(care, interrupted, error)) === 'stranded' && onFailure === 'terminate';
  try {
    // A spot machine cannot be stopped: it can only be kept.
    const end = await letGo(care, !stranded ? onFailure : care.machine.market === 'spot' ? 'keep' : 'stop');
    app.report({ kind: 'note', level: 'info', text: `${id} is ${end.machineState}; it has cost ${paidText(end)}` });
    if (stranded && end.machineState === 'running') app.report({ kind: 'note', level: 'warning', text: `${id} was not terminated: the only copy of the results is on it, and a spot machine cannot be stopped` });
    if (stranded && end.machineState === 'stopped') app.report({ kind: 'note', level: 'warning', text: `${id} was not terminated: the only copy of the results is on its disk, which costs ${formatUsd(care.plan.price.storageMicroUsd)} an hour` });
    if (error instanceof RunctlError && onFailure === 'keep' && end.machineState === 'running') error.hints.unshift(...comeBack(care));
    // A stopped machine answers none of what the error would have had people ask it.
    if (error instanceof RunctlError && stranded) error.hints.splice(0, Infinity, ...error.hints.filter((hint) => !hint.includes(id)), ...(end.machineState === 'running' ? [] : [`runctl ${care.provider.name} start ${id} --wait`]), `runctl ${care.provider.name} terminate ${id} --wait   (fetches the results first)`);
    // Whatever the error would have had people do with the machine is no longer to be done.
    if (error instanceof RunctlError && (end.machineState === 'terminated' || end.machineState === 'shutting-down')) error.hints.splice(0, Infinity, ...new Set([...error.hints.filter((hint) => !hint.includes(id)), `runctl runs show ${care.story.runId}`]));
    if (error instanceof RunctlError) error.data = { ...error.data, machine: id, machineState: end.machineState };
  } catch (failure) {
    app.report({
      kind: 'note', level: 'warning',
      text: `${id} could not be ${onFailure === 'stop' ? 'stopped' : 'terminated'} and may still cost ${hourlyText(care.plan.price)}: ${failure instanceof Error ? failure.message : String(failure)}`,
      hints: [`runctl ${care.provider.name} terminate ${id} --wait`],
    });
  }
  return error;
}

/** A machine that nobody could reach has not failed, and its job may be hard at work: ending it is left to people. */
function mayStillRun(error: unknown): boolean {
  return error instanceof RunctlError && error.code === 'unreachable';
}

function farewell({ machine, launched, outputs }: Custody, onFailure: OnFailure): string {
  const rescued = launched && !outputs ? 'the training may save its work, results are fetched, then ' : '';
  const end = { terminate: 'will be terminated', stop: 'will be stopped', keep: 'is kept' }[onFailure];
  return `interrupted: ${rescued}${machine.id} ${end}. Ctrl-C again leaves at once, and leaves the machine as it is`;
}

/** What is still only on the machine comes home, where that is possible; `stranded`: it is not, and the machine has the only copy. */
async function save(care: Custody, interrupted: boolean, error: unknown): Promise<'stranded' | undefined> {
  const { app, provider, story, machine, shell, launched, outputs } = care;
  if (!launched || !shell || outputs || mayStillRun(error)) return undefined;
  // It powered itself off: nobody answers, and starting it again would cost more than was allowed.
  if (error instanceof RunctlError && error.code === 'lease-ended') return String(error.data?.['state']).startsWith('stop') ? 'stranded' : undefined;
  // Asking again would not make the results smaller.
  if (error instanceof RunctlError && error.code === 'bucket-missing') return 'stranded';
  if (!(error instanceof RunctlError) || error.code !== 'machine-lost') {
    const saved = await rescue(app, story, shell, { stop: interrupted || (error instanceof RunctlError && error.code === 'timeout') });
    return saved ? undefined : 'stranded';
  }
  const state = error.data?.['state'];
  if (state !== 'stopped' && state !== 'stopping') return undefined;
  // Somebody stopped it with the only copy of the results on its disk: it comes up once more, to hand them over.
  try {
    const again = await story.step('revive', 'start machine for its results', async (say) => {
      await waitForState(app, provider, machine.id, 'stopped', { timeoutMs: REVIVE_MS, say });
      await provider.start(machine.id, app.signal);
      return (await waitUntilReady(app, provider, machine.id, { timeoutMs: REVIVE_MS, say })).machine;
    }, (now) => now.state);
    return (await rescue(app, story, await provider.shell(again), { stop: false })) ? undefined : 'stranded';
  } catch (failure) {
    app.report({ kind: 'note', level: 'warning', text: `results could not be fetched: ${failure instanceof Error ? failure.message : String(failure)}` });
    return 'stranded';
  }
}

/** Step `terminate` or `stop`, or none: the machine goes, stops or stays; says what it cost so far. */
export async function letGo(custody: Custody, how: OnFailure): Promise<Paid & { machineState: string; elapsedS: number }> {
  const { app, story, machine, plan } = custody;
  const { id } = machine;
  let left = machine;
  if (how === 'keep') {
    left = await asItIs(custody);
    if (isUp(left)) app.report({ kind: 'note', level: 'warning', text: `${id} keeps running and costs ${hourlyText(plan.price)}`, hints: comeBack(custody) });
  } else {
    left = await release(custody, how === 'stop' ? 'stop' : 'terminate');
    if (app.stake && left.state === 'stopped') app.stake.stoppedAt = `${formatUsd(plan.price.storageMicroUsd)} an hour`;
    else if (app.stake) app.stake.settled = true;
  }
  const elapsedS = custody.elapsed();
  const paid = await settleCost(app, custody.provider, story.runId, { machine: left, elapsedS, plan, lease: custody.lease });
  return { machineState: isUp(left) ? 'running' : left.state, elapsedS, ...paid };
}

/** One that comes up counts as up. */
function isUp({ state }: Machine): boolean {
  return state === 'running' || state === 'pending';
}

/** A machine that stays, as the cloud knows it now: custody has known it since it was made, and it may have been taken away. */
async function asItIs({ app, provider, machine }: Custody): Promise<Machine> {
  return (await provider.find(machine.id, app.signal).catch(() => undefined)) ?? machine;
}

async function release({ app, provider, story, machine, plan }: Custody, verb: 'stop' | 'terminate'): Promise<Machine> {
  const { id } = machine;
  const settle = async (now: Machine, say?: Say): Promise<Machine> => {
    if (now.state === 'terminated') return now;
    const final = verb === 'stop' && now.state !== 'shutting-down' ? 'stopped' : 'terminated';
    return waitForState(app, provider, id, final, { timeoutMs: 600_000, say });
  };
  const act = async (): Promise<Machine> => {
    const now = await provider.find(id, app.signal);
    // Gone already: nothing is left to be ended, and the cloud forgets a terminated machine after a while.
    if (!now) return { ...machine, state: 'terminated' };
    await noteMachine(app, provider, now, plan);
    return now.state === 'terminated' || now.state === 'shutting-down' ? now : provider[verb](id, app.signal);
  };
  const gone = await story
    .step(verb, `${verb} machine`, async (say) => {
      const now = await story.effect(verb, { kind: `${provider.name}.${verb}`, request: { machineId: id }, look: async () => undefined, act, resource: () => id });
      return settle(now, say);
    }, (machineNow) => `${id} is ${machineNow.state}`)
    .catch(async (error: unknown) => {
      // A full disk keeps the ledger from remembering; it must not keep the machine on the bill.
      if (!(error instanceof RunctlError) || error.code !== 'state-unusable') throw error;
      return settle(await act());
    });
  return gone;
}

function comeBack({ provider, machine }: Custody): string[] {
  return [`runctl ${provider.name} monitor ${machine.id} --follow`, `runctl ${provider.name} terminate ${machine.id} --wait`];
}
