// The log of a run on its machine: what is there, or everything as it comes until the job ends.
import { parseStatus } from '../agent/parse.ts';
import { renderStatus } from '../agent/render.ts';
import { RunctlError } from '../core/errors.ts';
import type { JobStatus } from '../core/job.ts';
import type { App } from './app.ts';
import { answerFor, noSuchMachine, wrongState } from './states.ts';
import { watchJob } from './watch.ts';

export interface MonitorRequest {
  provider: string;
  machineId: string;
  /** Absent: the newest run on the machine. */
  runId?: string;
  follow: boolean;
  /** Begin this many bytes before the end; absent: at the beginning. */
  lastBytes?: number;
}

export type MonitorItem =
  | { kind: 'log'; runId: string; offset: number; text: string }
  | { kind: 'end'; runId: string; phase: JobStatus['phase']; exitCode?: number };

export async function* monitor(app: App, request: MonitorRequest): AsyncGenerator<MonitorItem> {
  const provider = await app.provider(request.provider);
  const id = request.machineId;
  const machine = await provider.find(id, app.signal);
  if (!machine) throw noSuchMachine(provider.name, id);
  if (answerFor('monitor', machine.state) === 'no') throw wrongState('monitor', machine);
  const shell = await provider.shell(machine);
  const answer = await shell.run(renderStatus(request.runId), { timeoutMs: 30_000, signal: app.signal });
  const now = parseStatus(answer);
  if (now.phase === 'none' || now.runId === undefined) {
    throw new RunctlError('not-found', request.runId ? `no run ${request.runId} on ${id}` : `no training was started on ${id} yet`, {
      hints: [`runctl ${provider.name} train ${id} SCRIPT --wait`],
    });
  }
  const { runId } = now;
  const offset = request.lastBytes === undefined ? 0 : Math.max(0, (now.logBytes ?? 0) - request.lastBytes);
  const decoder = new TextDecoder('utf-8');
  let last = now;
  for await (const chunk of watchJob(app, provider, machine, shell, { runId, offset, follow: request.follow })) {
    last = chunk.status;
    const text = decoder.decode(chunk.bytes, { stream: true });
    if (text !== '') yield { kind: 'log', runId, offset: chunk.offset, text };
  }
  const rest = decoder.decode();
  if (rest !== '') yield { kind: 'log', runId, offset: last.logBytes ?? 0, text: rest };
  if (request.follow) yield { kind: 'end', runId, phase: last.phase, exitCode: last.exitCode };
}
