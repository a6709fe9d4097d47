// Follows a job on its machine until the agent's exit record exists: log bytes in order, none twice, none lost.
import { type WatchChunk, parseWatch } from '../agent/parse.ts';
import { logBytesPerCall, renderWatch } from '../agent/render.ts';
import { RunctlError } from '../core/errors.ts';
import type { JobStatus } from '../core/job.ts';
import type { Machine } from '../core/machine.ts';
import type { Provider, Shell } from '../core/ports.ts';
import type { App } from './app.ts';
import { noSuchMachine } from './states.ts';

export interface WatchOptions {
  runId: string;
  /** Where in the log to begin, bytes. */
  offset: number;
  /** Ends with the job; false: one look at what is there now. */
  follow: boolean;
  /** Throws `timeout` (the job goes on) after this long; absent: no limit. */
  timeoutMs?: number;
}

/** Longest the machine may hold a question open while nothing happens. */
const HOLD_S = 10;
/** Shortest pause between two questions while the log grows: two questions a second at most. */
const PAUSE_MS = 400;
/** How often the cloud is asked whether the machine still lives while the machine itself does not answer. */
const PATIENCE = 5;

export async function* watchJob(app: App, provider: Provider, machine: Machine, shell: Shell, options: WatchOptions): AsyncGenerator<WatchChunk> {
  const startedAt = app.clock.now();
  const maxBytes = logBytesPerCall(shell.maxOutputBytes);
  let { offset } = options;
  let silent = 0;
  for (;;) {
    let chunk: WatchChunk;
    try {
      const holdS = options.follow ? HOLD_S : 0;
      const answer = await shell.run(renderWatch(options.runId, offset, maxBytes, holdS), { timeoutMs: (holdS + 30) * 1000, signal: app.signal });
      chunk = parseWatch(answer);
      silent = 0;
    } catch (error) {
      if (!(error instanceof RunctlError) || !error.retryable) throw error;
      await machineOrThrow(app, provider, machine);
      if (++silent >= PATIENCE) throw error;
      await app.clock.sleep(PAUSE_MS * 2 ** silent, app.signal);
      continue;
    }
    if (chunk.status.phase === 'none') {
      throw new RunctlError('not-found', `no run ${options.runId} on ${machine.id}`, { hints: [`runctl ${provider.name} training-status ${machine.id}`] });
    }
    offset += chunk.bytes.length;
    yield chunk;
    const caughtUp = offset >= (chunk.status.logBytes ?? 0);
    if (caughtUp && (!options.follow || isOver(chunk.status))) return;
    if (options.timeoutMs !== undefined && app.clock.now() - startedAt > options.timeoutMs) {
      throw new RunctlError('timeout', `the job still runs after ${Math.round(options.timeoutMs / 60_000)} min; it goes on`, {
        hints: [`runctl ${provider.name} monitor ${machine.id} --follow`, `runctl ${provider.name} training-status ${machine.id}`],
      });
    }
    if (caughtUp) await app.clock.sleep(PAUSE_MS, app.signal);
  }
}

export function isOver(status: JobStatus): boolean {
  return status.phase === 'succeeded' || status.phase === 'failed' || status.phase === 'lost';
}

/** The machine did not answer: only the cloud's own word makes it dead. */
async function machineOrThrow(app: App, provider: Provider, machine: Machine): Promise<void> {
  const now = await provider.find(machine.id, app.signal);
  if (!now) throw noSuchMachine(provider.name, machine.id);
  if (now.state === 'running' || now.state === 'pending') return;
  throw new RunctlError('machine-lost', `${machine.id} is ${now.state}: the job cannot be watched any more`, {
    cause: now.stateReason,
    hints: now.state === 'stopped' || now.state === 'stopping' ? [`runctl ${provider.name} start ${machine.id} --wait`] : [`runctl runs list`],
    data: { machine: machine.id, state: now.state },
  });
}

/** Cuts bytes into text lines; the last, unfinished one is kept back until it is complete. Bytes that are no UTF-8 become U+FFFD. */
export class LineCutter {
  #decoder = new TextDecoder('utf-8');
  #kept = '';

  lines(bytes: Buffer): string[] {
    const parts = (this.#kept + this.#decoder.decode(bytes, { stream: true })).split('\n');
    this.#kept = parts.pop() ?? '';
    return parts;
  }

  rest(): string[] {
    const last = this.#kept + this.#decoder.decode();
    this.#kept = '';
    return last === '' ? [] : [last];
  }
}
