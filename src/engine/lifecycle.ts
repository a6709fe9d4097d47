// Start, stop, terminate: one story with three endings.
import { RunctlError } from '../core/errors.ts';
import { newRunId } from '../core/ids.ts';
import type { Machine, MachineState } from '../core/machine.ts';
import { OWN_TAG, isOurs, isProtected, requireOurs } from '../core/ownership.ts';
import type { Provider } from '../core/ports.ts';
import type { App } from './app.ts';
import { noteMachine } from './cost/cost-actual.ts';
import { atStake } from './interrupt.ts';
import { holdLease, leaseOf } from './lease/lease.ts';
import { makeWay } from './make-way.ts';
import { costOfLife } from './cost/money.ts';
import { answerFor, noSuchMachine, wrongState } from './states.ts';
import { type Story, tell } from './steps.ts';
import { pollDelays, proveShell, waitForState } from './wait.ts';

export type LifecycleVerb = 'start' | 'stop' | 'terminate';

export interface LifecycleRequest {
  provider: string;
  machineId: string;
  wait: boolean;
  timeoutMs: number;
  /** At once: no question, no time for jobs to save, nothing fetched. */
  force?: boolean;
  /** How long jobs have to save after SIGTERM; absent: train.stop_grace_seconds. */
  graceMs?: number;
  /** Before the disk goes, bring home results that are not here yet; absent: yes. */
  fetch?: boolean;
}

export interface LifecycleResult {
  instanceId: string;
  state: MachineState;
  previousState: MachineState;
  publicIp?: string;
  /** Only after `start --wait` of a machine with a profile. */
  ssm?: 'connected' | 'none';
  /** Runs whose jobs were ended first, with time to save. */
  stoppedRuns?: string[];
  /** Directories of results that were fetched before the disk went. */
  outputs?: string[];
  /** What the machine has cost in its whole life so far; only after --wait of a stop or an end. */
  costUsd?: number;
  /** Its end is not known to the second: it cost this at most. */
  costIsAtMost?: boolean;
  /** Seconds of running that were billed. */
  billedS?: number;
}

const FINAL: Record<LifecycleVerb, MachineState> = { start: 'running', stop: 'stopped', terminate: 'terminated' };

export async function changeLifecycle(app: App, verb: LifecycleVerb, request: LifecycleRequest): Promise<LifecycleResult> {
  const provider = await app.provider(request.provider);
  const { machineId } = request;
  return tell(app, { runId: newRunId(app.clock.now()), verb, request }, async (story) => {
    story.setMachine(machineId, provider.name);
    const before = await settled(app, provider, verb, machineId);
    await noteMachine(app, provider, before);
    const answer = answerFor(verb, before.state);
    if (answer === 'no') throw wrongState(verb, before);
    if (answer === 'go' && verb !== 'start') await requireRight(app, provider, verb, before, request.force ?? false);
    const way = answer === 'go' && verb !== 'start' && !request.force ? await clearTheWay(app, provider, story, verb, before, request) : {};
    const changed =
      answer === 'done'
        ? before
        : await story.step(verb, `${verb} ${machineId}`, () =>
            story.effect(verb, {
              kind: `${provider.name}.${verb}`,
              request: { machineId },
              look: async () => undefined, // asking for the same state twice is harmless
              act: () => provider[verb](machineId, app.signal),
              resource: () => machineId,
            }), (machine) => machine.state);
    await noteMachine(app, provider, changed);
    if (!request.wait) return { instanceId: machineId, state: changed.state, previousState: before.state, publicIp: changed.publicIp, ...way };
    void atStake(app, provider, before);
    const deadline = app.clock.monotonic() + request.timeoutMs;
    const final = await story.step('settle', `wait until ${FINAL[verb]}`, (say) => waitForState(app, provider, machineId, FINAL[verb], { timeoutMs: request.timeoutMs, say }));
    const result = { instanceId: machineId, state: final.state, previousState: before.state, publicIp: final.publicIp, ...way };
    if (verb !== 'start') return { ...result, ...(await costOfLife(app, provider, final)) };
    if (!final.profile) return { ...result, ssm: 'none' as const };
    await story.step('ssm', 'wait for SSM', (say) => proveShell(app, provider, final, { timeoutMs: deadline - app.clock.monotonic(), say }).then(() => null), () => 'connected');
    if (leaseOf(final)) await holdLease(app, provider, story, final, await provider.shell(final));
    return { ...result, ssm: 'connected' as const };
  });
}

/** Protected machines are nobody's to end; one that somebody else made is only ended by somebody who says so. Throws `protected` and `declined`. */
async function requireRight(app: App, provider: Provider, verb: 'stop' | 'terminate', { id, tags, market }: Machine, force: boolean): Promise<void> {
  if (isProtected(tags)) return requireOurs(id, tags, provider.name);
  // Told before its training is ended for nothing: spot machines of runctl are bought once.
  if (verb === 'stop' && market === 'spot' && isOurs(tags)) {
    throw new RunctlError('wrong-state', `${id} is a spot machine: it can be terminated, but not stopped`, { cause: 'Nothing was done to it.', hints: [`runctl ${provider.name} terminate ${id} --wait`], data: { machine: id, market } });
  }
  if (force || isOurs(tags)) return;
  const isYes = await app.ask({ text: `${id} was not made by runctl (it lacks the tags ${OWN_TAG.owner} and ${OWN_TAG.run}). ${verb === 'stop' ? 'Stop' : 'Terminate'} it all the same?`, flag: '--yes' });
  if (!isYes) throw new RunctlError('declined', `${id} was left as it is`, { hints: [`runctl ${provider.name} status ${id}`, verb === 'stop' ? `runctl ${provider.name} stop ${id} --yes` : `runctl ${provider.name} terminate ${id} --yes`] });
}

async function clearTheWay(app: App, provider: Provider, story: Story, verb: 'stop' | 'terminate', machine: Machine, request: LifecycleRequest): Promise<Pick<LifecycleResult, 'stoppedRuns' | 'outputs'>> {
  const graceS = request.graceMs === undefined ? app.config.train.stop_grace_seconds : Math.ceil(request.graceMs / 1000);
  const { stopped, outputs } = await makeWay(app, provider, story, verb, machine, { graceS, fetch: request.fetch ?? true });
  return { ...(stopped.length > 0 ? { stoppedRuns: stopped } : {}), ...(outputs.length > 0 ? { outputs } : {}) };
}

/** The machine once it is out of states that pass by themselves (`pending` before a stop, `stopping` before a start). */
async function settled(app: App, provider: Provider, verb: LifecycleVerb, id: string): Promise<Machine> {
  const deadline = app.clock.monotonic() + 300_000;
  for (const delayMs of pollDelays()) {
    const machine = await provider.find(id, app.signal);
    if (!machine) throw noSuchMachine(provider.name, id);
    if (answerFor(verb, machine.state) !== 'wait') return machine;
    if (app.clock.monotonic() + delayMs > deadline) throw wrongState(verb, machine);
    await app.clock.sleep(delayMs, app.signal);
  }
  throw new Error('unreachable');
}
