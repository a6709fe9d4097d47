// What a machine is busy with: one question, or one every few seconds for as long as somebody looks.
import { type MachineLoad, parseMachine } from '../agent/parse-machine.ts';
import { parseMachineText } from '../agent/parse.ts';
import { renderMachine } from '../agent/render.ts';
import { RunctlError } from '../core/errors.ts';
import type { Provider, Shell } from '../core/ports.ts';
import type { App } from './app.ts';
import { requireMachine } from './states.ts';

export interface ProcessesRequest {
  provider: string;
  machineId: string;
  /** Show many processes instead of the busiest ten. */
  detailed: boolean;
}

export interface ProcessesResult extends Omit<MachineLoad, 'at'> {
  instanceId: string;
  /** When it was measured, ISO 8601. */
  timestamp: string;
}

const FEW = 10;
const MANY = 40;
/** CPU use is what happened in this time. */
const MEASURE_S = 0.5;
/** Failed looks in a row before a watch gives up. */
const PATIENCE = 5;

export async function processes(app: App, request: ProcessesRequest): Promise<ProcessesResult> {
  const { shell } = await reach(app, request);
  return look(app, shell, request);
}

/** Until Ctrl-C. A look that fails in a way that passes is tried again; a machine that is gone ends it. */
export async function* watchProcesses(app: App, request: ProcessesRequest & { intervalMs: number }): AsyncGenerator<ProcessesResult> {
  const { provider, shell } = await reach(app, request);
  for (let failed = 0; ; ) {
    try {
      yield await look(app, shell, request);
      failed = 0;
    } catch (error) {
      if (!(error instanceof RunctlError) || !error.retryable || ++failed >= PATIENCE) throw error;
      await requireMachine(provider, request.machineId, 'processes', app.signal);
    }
    await app.clock.sleep(request.intervalMs, app.signal);
  }
}

async function reach(app: App, { provider: name, machineId }: ProcessesRequest): Promise<{ provider: Provider; shell: Shell }> {
  const provider = await app.provider(name);
  return { provider, shell: await provider.shell(await requireMachine(provider, machineId, 'processes', app.signal)) };
}

async function look(app: App, shell: Shell, { machineId, detailed }: ProcessesRequest): Promise<ProcessesResult> {
  const answer = await shell.run(renderMachine(detailed ? MANY : FEW, MEASURE_S), { timeoutMs: 60_000, signal: app.signal });
  const { at, ...load } = parseMachine(parseMachineText(answer));
  return { instanceId: machineId, timestamp: new Date(at).toISOString(), ...load };
}
