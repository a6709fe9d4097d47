// `wait` and `wait-ssm`: an existing machine until it can be used, or the reason why it cannot.
import type { App } from './app.ts';
import { noSuchMachine, answerFor, wrongState } from './states.ts';
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
  const provider = await app.provider(request.provider);
  const startedAt = app.clock.now();
  const id = request.machineId;
  const label = (name: string, text: string, elapsedMs: number) => ({ step: name, label: text, elapsedMs });
  const before = await provider.find(id, app.signal);
  if (!before) throw noSuchMachine(provider.name, id);
  if (answerFor('wait', before.state) === 'no' || (!request.fromPending && before.state !== 'running')) throw wrongState('wait', before);
  const say = (name: string, text: string) => (detail: string) => app.report({ kind: 'step.progress', ...label(name, text, app.clock.now() - startedAt), detail });
  const machine = await waitForState(app, provider, id, 'running', { timeoutMs: request.timeoutMs, say: say('running', 'wait until running') });
  if (machine.profile || !request.fromPending) {
    await proveShell(app, provider, machine, { timeoutMs: request.timeoutMs - (app.clock.now() - startedAt), say: say('ssm', 'wait for SSM') });
  }
  return {
    instanceId: id, state: machine.state, publicIp: machine.publicIp, privateIp: machine.privateIp,
    ssm: machine.profile || !request.fromPending ? 'connected' : 'none',
    elapsedS: (app.clock.now() - startedAt) / 1000,
  };
}
