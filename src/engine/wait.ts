// Waiting for a machine: for a state, and for proof that commands run on it. Polling adapts; nothing sleeps for a fixed time.
import { randomBytes } from 'node:crypto';
import { RunctlError } from '../core/errors.ts';
import type { Machine, MachineState } from '../core/machine.ts';
import type { Provider, Shell } from '../core/ports.ts';
import type { App } from './app.ts';
import { answerFor, noSuchMachine, wrongState } from './states.ts';
import type { Say } from './steps.ts';

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

/** Until the machine is in `target`. A state from which it cannot get there ends the wait with that state named. */
export async function waitForState(app: App, provider: Provider, id: string, target: MachineState, options: WaitOptions): Promise<Machine> {
  const startedAt = app.clock.now();
  const deadline = startedAt + options.timeoutMs;
  const dead: MachineState[] = target === 'terminated' ? [] : target === 'stopped' ? ['shutting-down', 'terminated'] : ['stopping', 'stopped', 'shutting-down', 'terminated'];
  let last: Machine | undefined;
  for (const delayMs of pollDelays()) {
    const machine = await provider.find(id, app.signal);
    if (!machine) {
      if (target === 'terminated' && last) return { ...last, state: 'terminated' };
      throw noSuchMachine(provider.name, id);
    }
    if (machine.state !== last?.state) app.report({ kind: 'machine.changed', machineId: id, state: machine.state });
    last = machine;
    if (machine.state === target) return machine;
    if (dead.includes(machine.state)) {
      throw new RunctlError('machine-lost', `${id} is ${machine.state} and will not become ${target}`, { cause: machine.stateReason, data: { machine: id, state: machine.state } });
    }
    options.say?.(machine.state);
    if (app.clock.now() + delayMs > deadline) {
      throw new RunctlError('timeout', `${id} is still ${machine.state} after ${Math.round(options.timeoutMs / 1000)} s`, {
        hints: [`runctl ${provider.name} wait ${id} --timeout 15m`, `runctl ${provider.name} terminate ${id}`],
      });
    }
    await app.clock.sleep(delayMs, app.signal);
  }
  throw new Error('unreachable');
}

/** Until a command that we sent came back with the nonce that we put in it: the only proof that the channel works. */
export async function proveShell(app: App, provider: Provider, machine: Machine, options: WaitOptions): Promise<Shell> {
  const startedAt = app.clock.now();
  const deadline = startedAt + options.timeoutMs;
  let heard = 'no answer yet';
  for (const delayMs of pollDelays()) {
    const readiness = await provider.readiness(machine, app.signal);
    heard = readiness.detail;
    if (readiness.channel === 'none') {
      throw new RunctlError('ssm-not-ready', `${machine.id} cannot be reached: ${readiness.detail}`, {
        hints: [`runctl ${provider.name} create ${machine.type} --iam-instance-profile runctl-ssm-profile --wait`],
      });
    }
    if (readiness.state === 'online' || readiness.state === 'unknown') {
      const shell = await provider.shell(machine);
      const nonce = randomBytes(8).toString('hex');
      try {
        const { stdout } = await shell.run(`printf '%s' ${nonce}`, { timeoutMs: 30_000, signal: app.signal });
        if (stdout.includes(nonce)) return shell;
        heard = 'a command was accepted but its answer did not come back';
      } catch (error) {
        if (!(error instanceof RunctlError) || error.code !== 'ssm-not-ready') throw error;
        heard = error.reason ?? error.message;
      }
    }
    options.say?.(heard);
    if (app.clock.now() + delayMs > deadline) throw notReady(provider, machine, options.timeoutMs, heard);
    const now = await stillAlive(app, provider, machine);
    if (answerFor('wait', now.state) === 'no') throw wrongState('wait', now);
    await app.clock.sleep(delayMs, app.signal);
  }
  throw new Error('unreachable');
}

async function stillAlive(app: App, provider: Provider, machine: Machine): Promise<Machine> {
  const now = await provider.find(machine.id, app.signal);
  if (!now) throw noSuchMachine(provider.name, machine.id);
  return now;
}

function notReady(provider: Provider, machine: Machine, timeoutMs: number, heard: string): RunctlError {
  return new RunctlError('ssm-not-ready', `${machine.id} runs, but no command came back within ${Math.round(timeoutMs / 1000)} s`, {
    cause: `${heard}. After a boot the SSM agent needs 30 to 90 s, sometimes more; it never answers without an instance profile, without a route to SSM, or when the image lacks the agent.`,
    hints: [`runctl ${provider.name} wait-ssm ${machine.id} --timeout 10m`, `runctl ${provider.name} status ${machine.id}`, `runctl ${provider.name} terminate ${machine.id}`],
  });
}

/** Running, and commands run on it. */
export async function waitUntilReady(app: App, provider: Provider, id: string, options: WaitOptions): Promise<{ machine: Machine; shell: Shell }> {
  const deadline = app.clock.now() + options.timeoutMs;
  const machine = await waitForState(app, provider, id, 'running', options);
  const shell = await proveShell(app, provider, machine, { ...options, timeoutMs: deadline - app.clock.now() });
  return { machine, shell };
}
