// `wait` and `wait-ssm`: an existing machine until it can be used, or the reason why it cannot.
import type { App } from './app.ts';
import { atStake, interruption } from './interrupt.ts';
import { holdLease, leaseOf } from './lease/lease.ts';
import { requireMachine } from './states.ts';
import type { Story } from './steps.ts';
import { telling } from './ticker.ts';
import { proveShell, waitForState } from './wait.ts';

export interface ReadyRequest {
  provider: string;
  machineId: string;
  timeoutMs: number;
  /** Also begin when the machine is still pending; `wait-ssm` wants it running. */
  fromPending: boolean;
}

export interface ReadyResult {
  instanceId: string;
  state: string;
  publicIp?: string;
  privateIp?: string;
  /** `connected`: a command came back. `none`: the machine has no instance profile. */
  ssm: 'connected' | 'none';
  elapsedS: number;
}

export async function waitReady(app: App, request: ReadyRequest): Promise<ReadyResult> {
  const startedAt = app.clock.monotonic();
  try {
    const { machine, proven } = await waitFor(app, request, startedAt);
    return {
      instanceId: machine.id, state: machine.state, publicIp: machine.publicIp, privateIp: machine.privateIp,
      ssm: proven ? 'connected' : 'none',
      elapsedS: (app.clock.monotonic() - startedAt) / 1000,
    };
  } catch (error) {
    throw interruption(app, error);
  }
}

async function waitFor(app: App, { provider: name, machineId: id, timeoutMs, fromPending }: ReadyRequest, startedAt: number) {
  const provider = await app.provider(name);
  const before = await requireMachine(provider, id, fromPending ? 'wait' : 'wait-ssm', app.signal);
  void atStake(app, provider, before, 'wait');
  const machine = await telling(app, 'running', 'wait until running', (say) => waitForState(app, provider, id, 'running', { timeoutMs, say }));
  const proven = Boolean(machine.profile) || !fromPending;
  if (proven) await telling(app, 'ssm', 'wait for SSM', (say) => proveShell(app, provider, machine, { timeoutMs: timeoutMs - (app.clock.monotonic() - startedAt), say }));
  if (proven && leaseOf(machine)) {
    const step: Story['step'] = (name, label, action) => telling(app, name, label, action);
    await holdLease(app, provider, { step }, machine, await provider.shell(machine));
  }
  return { machine, proven };
}
