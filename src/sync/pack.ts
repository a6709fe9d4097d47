// A plan's files as one tar.gz, and the manifest by which the machine proves that all arrived. Each file is read once: the
// bytes that are hashed are the bytes that are packed, even when somebody is editing. The system's tar cannot promise that,
// nor the same archive for the same tree on Linux and macOS, and it is no faster when everything is hashed anyway.
import { createHash, type Hash } from 'node:crypto';
import { createWriteStream, readFileSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { RunctlError } from '../core/errors.ts';
import type { PlannedFile, SyncPlan } from './plan.ts';
import { openScratch } from './scratch.ts';
import { tarEnd, tarHeader, tarPadding } from './tar-header.ts';

export interface PackedTree {
  /** A tar.gz: `code/` with the files, `manifest` last. */
  file: string;
  sha256: string;
  packedBytes: number;
  /** Hash of the manifest: equal for equal trees, whatever packed them. */
  treeSha256: string;
  files: number;
  bytes: number;
  /** Delete the archive. */
  remove(): Promise<void>;
}

/** Read whole below this size; streamed above, so that memory stays bounded. */
const STREAMED_BYTES = 1024 * 1024;
/** Small pieces are joined before they go to zlib: a call for each header would cost more than the compression. */
const CHUNK_BYTES = 256 * 1024;

export interface PackOptions {
  signal?: AbortSignal;
  /** Bytes of file content read so far. */
  onProgress?: (doneBytes: number) => void;
}

export async function packTree(plan: Pick<SyncPlan, 'root' | 'files'>, { signal, onProgress }: PackOptions = {}): Promise<PackedTree> {
  const scratch = await openScratch('runctl-pack');
  const file = join(scratch.directory, 'code.tar.gz');
  const totals: Totals = { bytes: 0, manifest: createHash('sha256'), onProgress };
  const hash = createHash('sha256');
  try {
    await pipeline(
      Readable.from(joined(tarOf(plan, totals)), { objectMode: true, highWaterMark: 2 }),
      createGzip(),
      new Transform({
        transform(chunk: Buffer, _encoding, done) {
          hash.update(chunk);
          done(null, chunk);
        },
      }),
      createWriteStream(file, { mode: 0o600 }),
      { signal },
    );
    const { size } = await stat(file);
    return { file, sha256: hash.digest('hex'), packedBytes: size, treeSha256: totals.manifest.digest('hex'), files: plan.files.length, bytes: totals.bytes, remove: scratch.remove };
  } catch (error) {
    await scratch.remove();
    throw signal?.aborted ? signal.reason : scratch.explain(error);
  }
}

/** How many bytes `packTree` would write; beyond `mostBytes` of content, reckoned from samples of about that size. */
export async function estimatePackedBytes(plan: Pick<SyncPlan, 'root' | 'files' | 'bytes'>, { signal, mostBytes = ESTIMATED_BYTES }: { signal?: AbortSignal; mostBytes?: number } = {}): Promise<number> {
  if (plan.bytes <= mostBytes) return (await gzippedBytes(plan.root, plan.files, signal)).packed;
  const small = plan.files.filter((file) => file.sizeBytes < STREAMED_BYTES);
  const large = plan.files.filter((file) => file.sizeBytes >= STREAMED_BYTES);
  let estimate = 0;
  // Apart: what many small files are like says nothing of a few large ones.
  for (const group of [small, large]) {
    const bytes = sizeOf(group);
    const share = mostBytes / 2 / bytes;
    // Of large files only the beginning, in proportion, but no less than would be read at once anyhow.
    const sample = thinned(group.map((file) => ({ ...file, sizeBytes: file.sizeBytes < STREAMED_BYTES ? file.sizeBytes : Math.min(file.sizeBytes, Math.max(STREAMED_BYTES, Math.ceil(file.sizeBytes * share))) })), mostBytes / 2);
    const { packed, content } = await gzippedBytes(plan.root, sample, signal);
    estimate += content === 0 ? packed : packed * Math.max(1, bytes / content);
  }
  return Math.round(estimate);
}

const ESTIMATED_BYTES = 64 * 1024 * 1024;

/** Every so manieth, so that little more than `mostBytes` is left. */
function thinned(files: PlannedFile[], mostBytes: number): PlannedFile[] {
  const every = Math.max(1, Math.ceil(sizeOf(files) / mostBytes));
  return files.filter((_file, i) => i % every === 0);
}

function sizeOf(files: readonly PlannedFile[]): number {
  return files.reduce((sum, file) => sum + file.sizeBytes, 0);
}

async function gzippedBytes(root: string, files: PlannedFile[], signal: AbortSignal | undefined): Promise<{ packed: number; content: number }> {
  const totals: Totals = { bytes: 0, manifest: createHash('sha256') };
  let packed = 0;
  await pipeline(
    Readable.from(joined(tarOf({ root, files }, totals)), { objectMode: true, highWaterMark: 2 }),
    createGzip(),
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        packed += chunk.length;
        done();
      },
    }),
    { signal },
  );
  return { packed, content: totals.bytes };
}

interface Totals {
  bytes: number;
  manifest: Hash;
  onProgress?: PackOptions['onProgress'];
}

/** Manifest record: kind, mode, sha256 of the content (of the target for links), name; ends with NUL, for names may hold newlines. */
function record(entry: PlannedFile, sha256: string): Buffer {
  return Buffer.concat([Buffer.from(`${entry.target ? 'l' : 'f'} ${modeOf(entry).toString(8)} ${sha256} `), entry.raw, Buffer.alloc(1)]);
}

/** As git keeps it: executable or not. */
function modeOf(entry: PlannedFile): number {
  return entry.executable && !entry.target ? 0o755 : 0o644;
}

async function* tarOf(plan: Pick<SyncPlan, 'root' | 'files'>, totals: Totals): AsyncGenerator<Buffer> {
  const records: Buffer[] = [];
  for (const entry of plan.files) {
    const name = Buffer.concat([Buffer.from('code/'), entry.raw]);
    const hash = createHash('sha256');
    if (entry.target) {
      yield tarHeader({ name, type: 'link', sizeBytes: 0, mode: 0o777, target: entry.target });
      hash.update(entry.target);
    } else {
      const place = Buffer.concat([Buffer.from(`${plan.root}/`), entry.raw]);
      // At once: thousands of small files come several times as fast as through the thread pool.
      const content = entry.sizeBytes < STREAMED_BYTES ? await readable(entry, () => readFileSync(place)) : undefined;
      const sizeBytes = content?.length ?? entry.sizeBytes;
      yield tarHeader({ name, type: 'file', sizeBytes, mode: modeOf(entry) });
      if (content) {
        hash.update(content);
        totals.bytes += content.length;
        totals.onProgress?.(totals.bytes);
        yield content;
      } else {
        for await (const chunk of streamed(entry, place, hash)) {
          totals.bytes += chunk.length;
          totals.onProgress?.(totals.bytes);
          yield chunk;
        }
      }
      yield tarPadding(sizeBytes);
    }
    records.push(record(entry, hash.digest('hex')));
  }
  const manifest = Buffer.concat(records);
  totals.manifest.update(manifest);
  yield tarHeader({ name: Buffer.from('manifest'), type: 'file', sizeBytes: manifest.length, mode: 0o644 });
  yield manifest;
  yield tarPadding(manifest.length);
  yield tarEnd();
}

/** Exactly as many bytes as the header says: what is appended meanwhile is left, a file that shrank ends the packing. */
async function* streamed(entry: PlannedFile, place: Buffer, hash: Hash): AsyncGenerator<Buffer> {
  const handle = await readable(entry, () => open(place));
  try {
    let left = entry.sizeBytes;
    while (left > 0) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(Math.min(left, STREAMED_BYTES)));
      if (bytesRead === 0) throw new RunctlError('sync-failed', `${JSON.stringify(entry.path)} shrank while it was being packed`, { hints: ['wait until nothing writes to it, then try again'] });
      const chunk = buffer.subarray(0, bytesRead);
      hash.update(chunk);
      left -= bytesRead;
      yield chunk;
    }
  } finally {
    await handle.close();
  }
}

async function readable<T>(entry: PlannedFile, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new RunctlError('sync-failed', `${JSON.stringify(entry.path)} cannot be read`, { cause: (error as Error).message, hints: [`[sync]\nexclude = [${JSON.stringify(entry.path)}]`], source: error });
  }
}

async function* joined(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    waiting.push(piece);
    bytes += piece.length;
    if (bytes < CHUNK_BYTES) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(waiting);
}
