// Brings one file of a machine here, whole and verified: through the store when it is large and there is one, else through
// the shell in pieces that are each checked.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../core/clock.ts';
import { RunctlError } from '../core/errors.ts';
import type { Report } from '../core/events.ts';
import type { Shell, Store } from '../core/ports.ts';
import { progress } from './progress.ts';
import { bucketMissing, failedStage, parseAnswer, renderRead, renderUpload } from './remote.ts';
import { again, inParallel, urlLifeS } from './retry.ts';

export { unpackOutputs } from './unpack.ts';

export interface RemoteFile {
  /** Absolute path on the machine. */
  file: string;
  sizeBytes: number;
  sha256: string;
}

export interface PullRequest {
  shell: Shell;
  store?: Store;
  remote: RemoteFile;
  /** Where it goes here; appears only when it is whole. */
  file: string;
  /** Key of the object that it passes through; removed afterwards. */
  key: string;
  /** Largest file that goes through the shell. */
  maxDirectBytes?: number;
  report: Report;
  clock: Clock;
  signal?: AbortSignal;
  /** For events. */
  step?: string;
}

const PARALLEL_PIECES = 4;
const DEFAULT_MAX_DIRECT_BYTES = 8 * 1024 * 1024;
/** Up to so many pieces the shell is not slower than a detour through the store. */
const FEW_PIECES = 4;

export async function pullFile(request: PullRequest): Promise<void> {
  const { shell, store, remote, file, maxDirectBytes = DEFAULT_MAX_DIRECT_BYTES } = request;
  // Room for the answer line and for base64 with its line breaks.
  const pieceBytes = Math.floor(((shell.maxOutputBytes - 200) * 0.72) / 3) * 3;
  const part = `${file}.part`;
  try {
    if (store && remote.sizeBytes > FEW_PIECES * pieceBytes) await throughStore(request, store, part);
    else if (remote.sizeBytes <= Math.max(maxDirectBytes, FEW_PIECES * pieceBytes)) await throughShell(request, pieceBytes, part);
    else {
      throw bucketMissing(
        `${remote.file} is ${Math.ceil(remote.sizeBytes / 1048576)} MiB, too large to fetch without an S3 bucket`,
        `Through ${shell.channel.toUpperCase()} itself at most ${Math.floor(maxDirectBytes / 1048576)} MiB come.`,
      );
    }
    await verify(part, remote);
    await rename(part, file);
  } finally {
    await rm(part, { force: true });
  }
}

async function throughStore(request: PullRequest, store: Store, part: string): Promise<void> {
  const { shell, key, remote, report, clock, signal, step = 'collect' } = request;
  const moved = progress({ report, clock, step }, 'fetch', remote.sizeBytes);
  try {
    const timeoutMs = 60_000 * (1 + Math.ceil(remote.sizeBytes / 10_485_760));
    const url = await store.urlToWrite(key, urlLifeS(timeoutMs));
    const script = renderUpload(remote.file, url);
    const answer = parseAnswer(await again(request, () => shell.run(script, { timeoutMs, signal })));
    if (answer.word !== 'done') throw failure(remote, failedStage(answer.rest).why);
    await store.get(key, part, { onProgress: moved, signal });
    moved(remote.sizeBytes);
  } finally {
    await store.remove(key).catch((error: unknown) => {
      report({ kind: 'note', level: 'warning', text: `${store.name}/${key} could not be removed: ${error instanceof Error ? error.message : String(error)}` });
    });
  }
}

async function throughShell(request: PullRequest, pieceBytes: number, part: string): Promise<void> {
  const { shell, remote, report, clock, signal, step = 'collect' } = request;
  const moved = progress({ report, clock, step }, 'fetch', remote.sizeBytes);
  const pieces = Math.ceil(remote.sizeBytes / pieceBytes);
  const handle = await open(part, 'w', 0o600);
  let doneBytes = 0;
  try {
    await inParallel(pieces, PARALLEL_PIECES, async (n) => {
      const wanted = Math.min(pieceBytes, remote.sizeBytes - n * pieceBytes);
      const content = await again(request, async () => pieceOf(remote, await shell.run(renderRead(remote.file, pieceBytes, n), { signal }), wanted));
      await handle.write(content, 0, content.length, n * pieceBytes);
      doneBytes += content.length;
      moved(doneBytes);
    });
  } finally {
    await handle.close();
  }
}

function pieceOf(remote: RemoteFile, result: Parameters<typeof parseAnswer>[0], wanted: number): Buffer {
  const { word, rest } = parseAnswer(result);
  if (word !== 'piece') throw failure(remote, failedStage(rest).why);
  const content = Buffer.from(result.stdout.slice(result.stdout.indexOf(rest) + rest.length), 'base64');
  if (content.length !== wanted || createHash('sha256').update(content).digest('hex') !== rest) throw failure(remote, 'a piece did not arrive as it was sent');
  return content;
}

async function verify(part: string, remote: RemoteFile): Promise<void> {
  const { size } = await stat(part);
  const hash = createHash('sha256');
  await pipeline(createReadStream(part), hash);
  if (size !== remote.sizeBytes || hash.digest('hex') !== remote.sha256) throw failure(remote, 'what arrived is not what the machine announced');
}

function failure(remote: RemoteFile, why: string): RunctlError {
  return new RunctlError('transfer-failed', `${remote.file} did not come back whole`, { cause: why, hints: ['df -h .', 'runctl explain transfer-failed'], data: { file: remote.file } });
}
