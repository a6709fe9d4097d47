// One command on a machine, looked at while it runs: its outputs as they come, its exit code, and its end when we leave.
import { randomBytes } from 'node:crypto';
import { type CommandChunk, parseCommand, parseCommandKilled } from '../agent/parse.ts';
import { logBytesPerCall, renderCommand, renderCommandKill, renderCommandWatch } from '../agent/render.ts';
import { RunctlError } from '../core/errors.ts';
import type { Shell } from '../core/ports.ts';
import type { App } from './app.ts';
import { requireMachine } from './states.ts';

export interface ExecRequest {
  provider: string;
  machineId: string;
  /** Program and arguments, byte for byte. */
  words: string[];
  /** Absolute, or from the run directory. */
  directory?: string;
  /** In whose directory to run; absent: the run launched last. */
  runId?: string;
  timeoutMs?: number;
}

export interface ExecOutput {
  kind: 'output';
  stream: 'stdout' | 'stderr';
  /** The bytes as UTF-8; a character that two answers share is in the later one. */
  text: string;
  /** Not in JSON. */
  bytes: Uint8Array;
}

export type ExecItem = ExecOutput | { kind: 'end'; instanceId: string; exitCode: number; elapsedS: number };

/** Longest the machine may hold a question open while nothing happens. */
const HOLD_S = 10;
const PAUSE_MS = 200;
/** Answers that may fail in a row, each in a way that passes; the command itself goes on meanwhile. */
const PATIENCE = 5;
const KILL_GRACE_S = 3;

export async function* exec(app: App, request: ExecRequest): AsyncGenerator<ExecItem> {
  const { machineId, words } = request;
  const provider = await app.provider(request.provider);
  if (words.length === 0) throw new RunctlError('usage', 'no command was given', { hints: [`runctl ${provider.name} exec ${machineId} -- nvidia-smi`] });
  const shell = await provider.shell(await requireMachine(provider, machineId, 'exec', app.signal));
  const startedAt = app.clock.now();
  const id = randomBytes(12).toString('hex');
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  let last: CommandChunk | undefined;
  try {
    for await (const chunk of chunksOf(app, shell, id, request)) {
      last = chunk;
      for (const stream of ['stdout', 'stderr'] as const) {
        const bytes = chunk[stream];
        if (bytes.length > 0) yield output(stream, decoders[stream].decode(bytes, { stream: true }), bytes);
      }
    }
  } catch (error) {
    throw app.signal.aborted ? await ended(shell, id, provider.name, machineId) : error;
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    const text = decoders[stream].decode();
    if (text !== '') yield output(stream, text, new Uint8Array());
  }
  if (last?.timedOut) {
    throw new RunctlError('timeout', `the command did not end within ${Math.round((request.timeoutMs ?? 0) / 1000)} s and was ended on ${machineId}`, {
      hints: [`runctl ${provider.name} exec ${machineId} --timeout 10m -- COMMAND`],
      data: { instanceId: machineId, exitCode: last.exitCode },
    });
  }
  if (last?.exitCode === undefined) {
    throw new RunctlError('job-lost', `the command on ${machineId} vanished without an exit code`, { cause: 'It was killed together with what watched over it, or the machine was started anew.', hints: [`runctl ${provider.name} status ${machineId}`] });
  }
  const only = words.length === 1 ? (words[0] as string) : '';
  if (last.exitCode === 127 && /[\s|&;<>$]/.test(only)) {
    app.report({ kind: 'note', level: 'warning', text: 'everything after -- is one program and its arguments; a line for a shell needs a shell', hints: [`runctl ${provider.name} exec ${machineId} -- sh -c 'LINE'`] });
  }
  yield { kind: 'end', instanceId: machineId, exitCode: last.exitCode, elapsedS: (app.clock.now() - startedAt) / 1000 };
}

/** Both outputs by offset until the end, none of it twice, none of it lost. */
async function* chunksOf(app: App, shell: Shell, id: string, request: ExecRequest): AsyncGenerator<CommandChunk> {
  const window = { stdout: 0, stderr: 0, maxBytes: logBytesPerCall(shell.maxOutputBytes), waitS: HOLD_S };
  const spec = { id, words: request.words, directory: request.directory, runId: request.runId, timeoutS: request.timeoutMs === undefined ? 0 : Math.max(1, Math.ceil(request.timeoutMs / 1000)) };
  const options = { timeoutMs: (HOLD_S + 30) * 1000, signal: app.signal };
  let started = false;
  for (let failed = 0; ; ) {
    let chunk: CommandChunk;
    try {
      chunk = parseCommand(await shell.run(started ? renderCommandWatch(id, window) : renderCommand(spec, window), options));
      started = true;
      failed = 0;
    } catch (error) {
      // Whether a start got through is for the shell to find out; once it has, the command waits for nobody.
      if (!started || !(error instanceof RunctlError) || !error.retryable || ++failed >= PATIENCE) throw error;
      await app.clock.sleep(PAUSE_MS * 2 ** failed, app.signal);
      continue;
    }
    window.stdout += chunk.stdout.length;
    window.stderr += chunk.stderr.length;
    yield chunk;
    const caughtUp = window.stdout >= chunk.stdoutBytes && window.stderr >= chunk.stderrBytes;
    if (caughtUp && chunk.state !== 'running') return;
    if (caughtUp) await app.clock.sleep(PAUSE_MS, app.signal);
  }
}

/** After Ctrl-C, which aborted everything that hangs on the app's signal. */
async function ended(shell: Shell, id: string, provider: string, machineId: string): Promise<RunctlError> {
  try {
    parseCommandKilled(await shell.run(renderCommandKill(id, KILL_GRACE_S), { timeoutMs: 20_000 }));
    return new RunctlError('interrupted', `interrupted; the command on ${machineId} was ended too`);
  } catch (error) {
    if (error instanceof RunctlError && error.message.includes('no command')) return new RunctlError('interrupted', 'interrupted before the command was started');
    return new RunctlError('interrupted', `interrupted; the command on ${machineId} may still run`, { cause: error instanceof Error ? error.message : String(error), hints: [`runctl ${provider} processes ${machineId}`] });
  }
}

function output(stream: ExecOutput['stream'], text: string, bytes: Uint8Array): ExecOutput {
  return Object.defineProperty({ kind: 'output', stream, text } as ExecOutput, 'bytes', { value: bytes });
}
