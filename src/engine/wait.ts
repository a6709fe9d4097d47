// Waiting for a machine: for a state, and for proof that commands run on it. Polling adapts; nothing sleeps for a fixed time.
import { randomBytes } from 'node:crypto';
import { RunctlError } from '../core/errors.ts';
import type { Machine, MachineState } from '../core/machine.ts';
import type { Provider, Shell } from '../core/ports.ts';
import type { App } from './app.ts';
import { noteMachine } from './cost/cost-actual.ts';
import { freshCommand } from './fresh.ts';
import { isGone, machineLost } from './lost.ts';
import { noSuchMachine } from './states.ts';
import type { Say } from './steps.ts';
import { mayPass } from './trouble.ts';

const FIRST_POLL_MS = 200;
const LONGEST_POLL_MS = 5000;

/** Poll delays: quick at first, since many things are quick, then ever slower up to five seconds. */
export function* pollDelays(): Generator<number, never> {
  for (let delayMs = FIRST_POLL_MS; ; delayMs = Math.min(LONGEST_POLL_MS, delayMs * 1.4)) yield Math.round(delayMs);
}

export interface WaitOptions {
  timeoutMs: number;
  say?: Say;
}

/** Until the machine is in `target`. A state from which it cannot get there ends the wait with that state named; a cloud that
 *  cannot be reached for a while does not. */
export async function waitForState(app: App, provider: Provider, id: string, target: MachineState, options: WaitOptions): Promise<Machine> {
  const deadline = app.clock.monotonic() + options.timeoutMs;
  const dead: MachineState[] = target === 'terminated' ? [] : target === 'stopped' ? ['shutting-down', 'terminated'] : ['stopping', 'stopped', 'shutting-down', 'terminated'];
  let last: Machine | undefined;
  let heard = 'not heard of yet';
  for (const delayMs of pollDelays()) {
    const answer = await answered(provider.find(id, app.signal));
    if ('trouble' in answer) {
      heard = answer.trouble;
    } else {
      const machine = answer.value;
      if (!machine) {
        if (target === 'terminated' && last) return { ...last, state: 'terminated' };
        throw last ? machineLost(last, undefined) : noSuchMachine(provider.name, id);
      }
      if (machine.state !== last?.state) {
        app.report({ kind: 'machine.changed', machineId: id, state: machine.state });
        await noteMachine(app, provider, machine);
      }
      last = machine;
      heard = machine.state;
      if (machine.state === target) return machine;
      if (dead.includes(machine.state)) {
        const { reason, hints, data } = machineLost(machine, machine);
        throw new RunctlError('machine-lost', `${id} is ${machine.state} and will not become ${target}`, { cause: reason, hints, data });
      }
    }
    options.say?.(heard);
    if (app.clock.monotonic() + delayMs > deadline) {
      throw new RunctlError('timeout', `${id} is still ${last?.state ?? 'not there'} after ${Math.round(options.timeoutMs / 1000)} s`, {
        ...(heard === last?.state ? {} : { cause: heard }),
        hints: [`runctl ${provider.name} wait ${id} --timeout 15m`, `runctl ${provider.name} terminate ${id}`],
      });
    }
    await app.clock.sleep(delayMs, app.signal);
  }
  throw new Error('unreachable');
}

/** Until a command that we sent came back with the nonce that we put in it: the only proof that the channel works. */
export async function proveShell(app: App, provider: Provider, machine: Machine, options: WaitOptions): Promise<Shell> {
  const deadline = app.clock.monotonic() + options.timeoutMs;
  let heard = 'no answer yet';
  for (const delayMs of pollDelays()) {
    const proof = await answered(tryShell(app, provider, machine));
    if ('trouble' in proof) heard = proof.trouble;
    else if (typeof proof.value !== 'string') return proof.value;
    else heard = proof.value;
    options.say?.(heard);
    if (app.clock.monotonic() + delayMs > deadline) throw notReady(provider, machine, options.timeoutMs, heard);
    const now = await answered(provider.find(machine.id, app.signal));
    if ('value' in now && isGone(now.value)) throw machineLost(machine, now.value);
    await app.clock.sleep(delayMs, app.signal);
  }
  throw new Error('unreachable');
}

/** The shell once it is proven, otherwise what was heard instead. */
async function tryShell(app: App, provider: Provider, machine: Machine): Promise<Shell | string> {
  const readiness = await provider.readiness(machine, app.signal);
  if (readiness.channel === 'none') {
    throw new RunctlError('ssm-not-ready', `${machine.id} cannot be reached: ${readiness.detail}`, {
      hints: [freshCommand(machine, '--iam-instance-profile runctl-ssm-profile')],
      data: { channel: 'none' },
    });
  }
  if (readiness.state !== 'online' && readiness.state !== 'unknown') return readiness.detail;
  const shell = await provider.shell(machine);
  const nonce = randomBytes(8).toString('hex');
  const { stdout } = await shell.run(`printf '%s' ${nonce}`, { timeoutMs: 30_000, answerWithinMs: 20_000, signal: app.signal });
  return stdout.includes(nonce) ? shell : 'a command was accepted but its answer did not come back';
}

/** A question to the cloud in a wait: troubles that pass by themselves are what was heard, all others end the wait. */
async function answered<T>(question: Promise<T>): Promise<{ value: T } | { trouble: string }> {
  try {
    return { value: await question };
  } catch (error) {
    if (!(error instanceof RunctlError) || !mayPass(error) || error.data?.['channel'] === 'none') throw error;
    return { trouble: error.code === 'ssm-not-ready' ? (error.reason ?? error.message) : error.message };
  }
}

function notReady(provider: Provider, machine: Machine, timeoutMs: number, heard: string): RunctlError {
  return new RunctlError('ssm-not-ready', timeoutMs > 0 ? `${machine.id} runs, but no command came back within ${Math.round(timeoutMs / 1000)} s` : `${machine.id} runs now, and the time allowed was used up by waiting for that`, {
    cause: `${heard}. After a boot the SSM agent needs 30 to 90 s, sometimes more; it never answers without an instance profile, without a route to SSM, or when the image lacks the agent.`,
    hints: [`runctl ${provider.name} wait-ssm ${machine.id} --timeout 10m`, `runctl ${provider.name} status ${machine.id}`, `runctl ${provider.name} terminate ${machine.id}`],
  });
}

/** Running, and commands run on it. */
export async function waitUntilReady(app: App, provider: Provider, id: string, options: WaitOptions): Promise<{ machine: Machine; shell: Shell }> {
  const deadline = app.clock.monotonic() + options.timeoutMs;
  const machine = await waitForState(app, provider, id, 'running', options);
  const shell = await proveShell(app, provider, machine, { ...options, timeoutMs: deadline - app.clock.monotonic() });
  return { machine, shell };
}
