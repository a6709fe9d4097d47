// Brings a packed tree onto a machine: through the store, from which the machine fetches it, or without one through the shell
// in parts. The machine checks the archive, unpacks aside, verifies every file and moves the tree into place: all or nothing.
import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Clock } from '../core/clock.ts';
import { RunctlError } from '../core/errors.ts';
import type { Report } from '../core/events.ts';
import type { Shell, Store } from '../core/ports.ts';
import type { PackedTree } from './pack.ts';
import type { SyncPlan } from './plan.ts';
import { type Stage, progress } from './progress.ts';
import { type Answer, bucketMissing, failedStage, type Incoming, parseAnswer, partOverhead, renderArrival, renderFetchAndUnpack, renderForget, renderPart, renderUnpackParts } from './remote.ts';
import { again, inParallel, urlLifeS } from './retry.ts';

export interface PushRequest {
  plan: SyncPlan;
  archive: PackedTree;
  shell: Shell;
  /** Absolute, on the machine; the code comes to `code/` in it. */
  runDirectory: string;
  store?: Store;
  /** Largest archive that goes through the shell when there is no store. */
  maxDirectBytes: number;
  report: Report;
  clock: Clock;
  signal?: AbortSignal;
  /** For events. */
  step?: string;
  /** Between two questions how far the tree has come. */
  lookMs?: number;
}

export interface PushSummary {
  files: number;
  bytes: number;
  packedBytes: number;
  /** Left out, with ignored directories counted as one. */
  skipped: number;
  route: string;
  /** Every file was hashed on the machine and found equal. */
  verified: true;
  elapsedMs: number;
}

const PARALLEL_PARTS = 4;
/** Rounds in which parts that did not arrive are sent again. */
const ROUNDS = 3;

export async function pushTree(request: PushRequest): Promise<PushSummary> {
  const { plan, archive, clock, store, shell } = request;
  const startedAt = clock.now();
  const incoming: Incoming = { runDirectory: request.runDirectory, sha256: archive.sha256, packedBytes: archive.packedBytes };
  if (!store) requireSmall(request);
  const answer = store ? await throughStore(request, store, incoming) : await throughShell(request, incoming);
  const [files, bytes] = answer.rest.split(' ').map(Number);
  if (answer.word !== 'done' || files !== archive.files || bytes !== archive.bytes) throw failure(answer, request);
  return {
    files: archive.files, bytes: archive.bytes, packedBytes: archive.packedBytes, skipped: plan.skipped.length,
    route: store?.name ?? shell.channel, verified: true, elapsedMs: clock.now() - startedAt,
  };
}

function requireSmall({ archive, plan, maxDirectBytes, shell }: PushRequest): void {
  if (archive.packedBytes <= maxDirectBytes) return;
  const largest = plan.files.toSorted((a, b) => b.sizeBytes - a.sizeBytes).slice(0, 3).map((file) => `${JSON.stringify(file.path)} ${megabytes(file.sizeBytes)}`);
  throw bucketMissing(
    `the project is ${megabytes(archive.packedBytes)} packed, too large to send without an S3 bucket`,
    `Through ${shell.channel.toUpperCase()} itself at most ${megabytes(maxDirectBytes)} go (sync.max_direct_mb). Largest files: ${largest.join(', ')}; leave out what the script does not need with sync.exclude.`,
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

async function throughStore(request: PushRequest, store: Store, incoming: Incoming): Promise<Answer> {
  const { archive, report, step = 'sync', clock, signal } = request;
  // Named after the run, so that what a killed process leaves is known for whose it is. Random: two pushes of the same tree must
  // not remove each other's object.
  const key = `runctl/${basename(incoming.runDirectory)}/code-${incoming.sha256.slice(0, 16)}-${randomBytes(6).toString('hex')}.tar.gz`;
  const moved = progress({ report, clock, step }, 'send', archive.packedBytes);
  let mayBeThere = true;
  try {
    await store.put(key, archive.file, { onProgress: moved, signal }).catch((error: unknown) => {
      // A refusal proves that nothing is there; after a break in mid-upload nobody knows.
      mayBeThere = !(error instanceof RunctlError) || error.retryable;
      throw error;
    });
    moved(archive.packedBytes);
    const url = await store.urlToRead(key, urlLifeS(patience(archive)));
    return await arrive(request, incoming, renderFetchAndUnpack(incoming, url), 'fetch');
  } finally {
    if (mayBeThere) {
      await store.remove(key).catch((error: unknown) => {
        report({ kind: 'note', level: 'warning', text: `${store.name}/${key} could not be removed: ${error instanceof Error ? error.message : String(error)}` });
      });
    }
  }
}

/** Runs the script that makes a tree of what was sent; meanwhile asks now and then how far it is. `first`: what it begins with. */
async function arrive(request: PushRequest, incoming: Incoming, script: string, first: 'fetch' | 'unpack' | undefined): Promise<Answer> {
  const { archive, shell, signal } = request;
  const done = new AbortController();
  const watching = watchArrival(request, incoming, first, done.signal);
  try {
    return parseAnswer(await again(request, () => shell.run(script, { timeoutMs: patience(archive), signal })));
  } finally {
    done.abort();
    await watching;
  }
}

/** Between two questions; most trees have arrived before the first. */
const LOOK_MS = 2000;

/** A question that fails is no matter: the script itself will tell what is wrong. */
async function watchArrival({ archive, shell, report, clock, step = 'sync', lookMs = LOOK_MS }: PushRequest, incoming: Incoming, first: Stage | undefined, done: AbortSignal): Promise<void> {
  const totals: Partial<Record<string, number>> = { fetch: archive.packedBytes, unpack: archive.bytes, verify: archive.bytes };
  const told = new Map<string, (doneBytes: number) => void>();
  const moved = (stage: Stage, total: number, doneBytes: number): void => {
    if (!told.has(stage)) told.set(stage, progress({ report, clock, step }, stage, total));
    told.get(stage)!(Math.min(doneBytes, total));
  };
  if (first) moved(first, totals[first]!, 0);
  for (;;) {
    try {
      // Real time, not the story's clock: what is waited for happens elsewhere, and a clock that leaps would ask without end.
      await setTimeout(lookMs, undefined, { signal: done });
      const { word, rest } = parseAnswer(await shell.run(renderArrival(incoming), { timeoutMs: 20_000, signal: done }));
      const [stage = '', bytes = '', files = ''] = rest.split(' ');
      const total = totals[stage];
      if (word !== 'at' || total === undefined) continue;
      // Small files take more room on a disk than they have bytes, so their number counts too.
      const most = stage === 'unpack' ? (total * Number(files)) / archive.files : total;
      moved(stage as Stage, total, Math.floor(Math.min(Number(bytes), most)));
    } catch {
      if (done.aborted) return;
    }
  }
}

/** A minute, and one more for each 10 MiB packed. */
function patience(archive: PackedTree): number {
  return 60_000 * (1 + Math.ceil(archive.packedBytes / 10_485_760));
}

async function throughShell(request: PushRequest, incoming: Incoming): Promise<Answer> {
  const { archive, shell, report, step = 'sync', clock, signal } = request;
  const run = (script: string) => again(request, async () => parseAnswer(await shell.run(script, { timeoutMs: patience(archive), signal })));
  const parts = await readParts(archive, shell, incoming);
  const moved = progress({ report, clock, step }, 'send', archive.packedBytes);
  const whole = parts.length === 1 ? renderUnpackParts(incoming, 1, parts[0]) : undefined;
  try {
    moved(0);
    if (whole !== undefined && Buffer.byteLength(whole) <= shell.maxScriptBytes) {
      // Small enough for one call: nothing else costs as much as a round trip.
      const answer = await arrive(request, incoming, whole, undefined);
      if (answer.word !== 'missing') {
        moved(archive.packedBytes);
        return answer;
      }
    }
    let wanted = parts.map((_part, n) => n);
    let complaint = '';
    for (let round = 1; ; round++) {
      let doneBytes = archive.packedBytes - wanted.reduce((sum, n) => sum + parts[n]!.length, 0);
      await inParallel(wanted.length, PARALLEL_PARTS, async (i) => {
        const n = wanted[i]!;
        const { word, rest } = await run(renderPart(incoming, n, parts[n]!));
        if (word === 'failed') complaint = failedStage(rest).why;
        doneBytes += parts[n]!.length;
        moved(doneBytes);
      });
      // What each part's own answer said explains at most: only what lies on the machine counts.
      const answer = await arrive(request, incoming, renderUnpackParts(incoming, parts.length), 'unpack');
      if (answer.word !== 'missing') return answer;
      wanted = answer.rest.split(' ').map(Number).filter((n) => n < parts.length);
      if (round === ROUNDS) throw failure({ word: 'failed', rest: `send ${wanted.length} of ${parts.length} parts did not arrive in ${ROUNDS} rounds${complaint === '' ? '' : `: ${complaint}`}` }, request);
    }
  } catch (error) {
    await forget(request, incoming);
    throw error;
  }
}

/** Remove what was sent so far. Not worth more than one try: it lies in the run's own directory and does no harm there. */
async function forget({ shell, report }: PushRequest, incoming: Incoming): Promise<void> {
  try {
    await shell.run(renderForget(incoming), { timeoutMs: 20_000 });
  } catch (error) {
    // Nobody answers there any more, which whoever called is about to say.
    if (error instanceof RunctlError && error.code === 'ssm-not-ready') return;
    report({ kind: 'note', level: 'warning', text: `parts of the upload stay on the machine: ${error instanceof Error ? error.message : String(error)}` });
  }
}

async function readParts(archive: PackedTree, shell: Shell, incoming: Incoming): Promise<Buffer[]> {
  // Base64 makes four bytes of three and breaks lines; the rest of the script is measured.
  const room = shell.maxScriptBytes - partOverhead(incoming);
  const partBytes = Math.floor((room * 3) / 4 / 1.001 / 3) * 3;
  if (partBytes < 300) throw new Error(`a shell that takes ${shell.maxScriptBytes} bytes of script is too narrow`);
  const handle = await open(archive.file);
  try {
    const parts: Buffer[] = [];
    for (let offset = 0; offset < archive.packedBytes; offset += partBytes) {
      const part = Buffer.alloc(Math.min(partBytes, archive.packedBytes - offset));
      const { bytesRead } = await handle.read(part, 0, part.length, offset);
      if (bytesRead !== part.length) throw new Error(`the archive ${archive.file} has changed`);
      parts.push(part);
    }
    return parts;
  } finally {
    await handle.close();
  }
}

function failure(answer: Answer, { archive, runDirectory }: PushRequest): RunctlError {
  const { stage, why } = answer.word === 'failed' ? failedStage(answer.rest) : { stage: 'answer', why: `the machine says "${answer.word} ${answer.rest}" for ${archive.files} files of ${archive.bytes} bytes` };
  const stages: Record<string, string> = {
    send: 'while the code was sent',
    fetch: 'while the machine fetched the code',
    assemble: 'while the machine put the parts together',
    check: 'while the archive was checked',
    unpack: 'while the archive was unpacked',
    verify: 'while the files were verified',
    place: 'while the code was moved into place',
  };
  const full = /No space left|Disk quota exceeded|curl ended with 23/i.test(why);
  return new RunctlError('sync-failed', full ? 'the code did not arrive whole: the disk of the machine is full' : `the code did not arrive whole: it failed ${stages[stage] ?? 'on the machine'}`, {
    cause: why === '' ? undefined : why,
    hints: full ? ['runctl config set aws.root_volume_gb 100', 'runctl config set sync.exclude "data/,*.mp4"'] : stage === 'fetch' ? ['check that the machine reaches S3 (route, endpoint policy), then repeat the command'] : ['repeat the command: nothing was started'],
    data: { stage, runDirectory },
  });
}
