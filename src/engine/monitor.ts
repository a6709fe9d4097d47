// The log of a run on its machine: what is there, or everything as it comes until the job ends.
import { parseStatus } from '../agent/parse.ts';
import { renderStatus } from '../agent/render.ts';
import { RunctlError } from '../core/errors.ts';
import type { JobStatus } from '../core/job.ts';
import type { Machine } from '../core/machine.ts';
import type { Provider } from '../core/ports.ts';
import type { App } from './app.ts';
import { rememberCheckpoints } from './cost/checkpoint-mark.ts';
import { createHeartbeat } from './heartbeat.ts';
import { atStake, interruption } from './interrupt.ts';
import { LineCutter } from './lines.ts';
import { goneBefore } from './lost.ts';
import { requireMachine } from './states.ts';
import { startTicker, telling } from './ticker.ts';
import { isOver, watchJob } from './watch.ts';

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
  | { kind: 'log'; runId: string; offset: number; text: string; /** As it is in the log, UTF-8 or not. Not a field of the JSON. */ bytes: Uint8Array }
  | { kind: 'end'; runId: string; phase: JobStatus['phase']; exitCode?: number };

/** How long the machine may take to say what runs on it. */
const ANSWER_MS = 60_000;
/** A log that was silent for this long is spoken about. */
const QUIET_MS = 4_000;

export async function* monitor(app: App, request: MonitorRequest): AsyncGenerator<MonitorItem> {
  try {
    yield* readLog(app, request);
  } catch (error) {
    throw interruption(app, error);
  }
}

async function* readLog(app: App, { provider: name, machineId: id, runId: wanted, follow, lastBytes }: MonitorRequest): AsyncGenerator<MonitorItem> {
  const provider = await app.provider(name);
  const machine = await requireMachine(provider, id, 'monitor', app.signal, (gone) => goneBefore(gone, app.clock.now()));
  const shell = await provider.shell(machine);
  const answer = await telling(app, 'ask', 'ask the machine', () => shell.run(renderStatus(wanted), { timeoutMs: 30_000, answerWithinMs: ANSWER_MS, signal: app.signal }));
  const now = parseStatus(answer);
  if (now.phase === 'none' || now.runId === undefined) {
    throw new RunctlError('not-found', wanted ? `no run ${wanted} on ${id}` : `no training was started on ${id} yet`, {
      hints: [`runctl ${provider.name} train ${id} SCRIPT --wait`],
    });
  }
  const { runId } = now;
  const offset = lastBytes === undefined ? 0 : Math.max(0, (now.logBytes ?? 0) - lastBytes);
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let last = now;
  if (follow) stakeJob(app, provider, machine, now);
  const remember = rememberCheckpoints(app, runId);
  const voice = follow ? speak(app, machine) : undefined;
  try {
    const options = { runId, offset, follow, onTrouble: voice?.heartbeat.trouble, onRelief: voice?.heartbeat.relief };
    for await (const chunk of watchJob(app, provider, machine, shell, options)) {
      last = chunk.status;
      const text = decoder.decode(chunk.bytes, { stream: true });
      voice?.heard(text, chunk.status);
      await remember(chunk.status);
      if (chunk.bytes.length > 0) yield logItem(runId, chunk.offset, text, chunk.bytes);
    }
  } finally {
    voice?.stop();
  }
  const rest = decoder.decode();
  if (rest !== '') yield logItem(runId, last.logBytes ?? 0, rest, new Uint8Array());
  if (follow) {
    if (app.stake) app.stake.settled = true;
    if (last.phase !== 'succeeded') app.report({ kind: 'note', level: 'warning', text: endText(runId, last), hints: [`runctl ${provider.name} training-status ${id}`] });
    yield { kind: 'end', runId, phase: last.phase, exitCode: last.exitCode };
  }
}

/** A log seldom ends with how its job ended. */
function endText(runId: string, { phase, exitCode, endedByLease }: JobStatus): string {
  const how = phase === 'failed' && exitCode !== undefined ? `failed with exit code ${exitCode}` : phase === 'failed' ? 'failed' : `is ${phase}`;
  return `${runId} ${how}${endedByLease === undefined ? '' : `: the lease of its machine ended it (${endedByLease})`}`;
}

function logItem(runId: string, offset: number, text: string, bytes: Uint8Array): MonitorItem {
  return Object.defineProperty({ kind: 'log', runId, offset, text } as MonitorItem, 'bytes', { value: bytes });
}

function stakeJob(app: App, provider: Provider, machine: Machine, job: JobStatus): void {
  void atStake(app, provider, machine, 'monitor');
  if (!app.stake) return;
  app.stake.runId = job.runId;
  for (const step of isOver(job) ? ['launch', 'train', 'collect'] : ['launch']) app.stake.done.add(step);
}

/** Says how things are while the log itself says nothing, and never in the middle of a line of it. */
function speak(app: App, machine: Machine) {
  const heartbeat = createHeartbeat(app, machine);
  const lines = new LineCutter();
  let spokenAt = app.clock.monotonic();
  let midLine = false;
  const ticker = startTicker(app, 'follow', 'follow log', () => !midLine && app.clock.monotonic() - spokenAt >= QUIET_MS);
  ticker.say(heartbeat.now);
  return {
    heartbeat,
    heard(text: string, status: JobStatus): void {
      for (const line of lines.lines(Buffer.from(text))) heartbeat.line(line);
      heartbeat.answered(status);
      if (text === '') return;
      spokenAt = app.clock.monotonic();
      midLine = !text.endsWith('\n');
    },
    stop: ticker.stop,
  };
}
