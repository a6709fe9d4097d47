// The files that hold object data, named by random ids and never by keys, so that no key can name a path.
// Does: stream bytes into a new file; keep a file while somebody reads it; remove what no row mentions after a crash.
// By design: a file counts only once a row of the index mentions its id, so it is written in place: the row is the rename.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, existsSync, writeFileSync, unlinkSync } from 'node:fs';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/** A run of bytes of an object: one data file. An object from a multipart upload has one per part. */
export interface Segment {
  id: string;
  sizeBytes: number;
}

/** How much is gathered before the disk is asked; also the largest body that is written in one go. */
const BATCH_BYTES = 512 * 1024;

export class DataFiles {
  readonly #directory: string;
  readonly #shards = new Set<string>();
  readonly #readers = new Map<string, number>();
  readonly #doomed = new Set<string>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  path(id: string): string {
    return join(this.#directory, id.slice(0, 2), id);
  }

  writer(): DataWriter {
    const id = randomBytes(16).toString('hex');
    const shard = id.slice(0, 2);
    if (!this.#shards.has(shard)) {
      mkdirSync(join(this.#directory, shard), { recursive: true });
      this.#shards.add(shard);
    }
    return new DataWriter(id, this.path(id));
  }

  /** Keep these files until the returned function is called, even when their object is overwritten or deleted. */
  pin(segments: Segment[]): () => void {
    for (const { id } of segments) this.#readers.set(id, (this.#readers.get(id) ?? 0) + 1);
    return () => {
      for (const { id } of segments) {
        const left = (this.#readers.get(id) ?? 1) - 1;
        if (left > 0) {
          this.#readers.set(id, left);
          continue;
        }
        this.#readers.delete(id);
        if (this.#doomed.delete(id)) this.#unlink(id);
      }
    };
  }

  /** Remove now, or when the last reader has finished. */
  remove(segments: Segment[]): void {
    for (const { id } of segments) {
      if (this.#readers.has(id)) this.#doomed.add(id);
      else this.#unlink(id);
    }
  }

  #unlink(id: string): void {
    // A file that cannot be removed now is no row's any more: the sweep of the next start takes it.
    unlink(this.path(id)).catch(() => undefined);
  }

  /** Remove files that no row mentions: uploads that were under way when the server died. */
  sweep(used: Set<string>): void {
    if (!existsSync(this.#directory)) return;
    for (const shard of readdirSync(this.#directory, { withFileTypes: true })) {
      // A file manager may have left a file of its own here.
      if (!shard.isDirectory()) continue;
      const directory = join(this.#directory, shard.name);
      for (const id of readdirSync(directory)) {
        if (!used.has(id)) unlinkSync(join(directory, id));
      }
    }
  }
}

export class DataWriter {
  readonly id: string;
  readonly #path: string;
  #sizeBytes = 0;
  #batch: Buffer[] = [];
  #batchBytes = 0;
  #file: FileHandle | undefined;
  #pending: Promise<unknown> | undefined;

  constructor(id: string, path: string) {
    this.id = id;
    this.#path = path;
  }

  /** Resolves when more may come. One batch is being written while the next one is gathered and hashed. */
  async write(chunk: Buffer): Promise<void> {
    this.#batch.push(chunk);
    this.#batchBytes += chunk.length;
    this.#sizeBytes += chunk.length;
    if (this.#batchBytes >= BATCH_BYTES) await this.#flush();
  }

  async #flush(): Promise<void> {
    await this.#pending;
    this.#file ??= await open(this.#path, 'wx', 0o600);
    const batch = this.#batch;
    const wantedBytes = this.#batchBytes;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#pending = writeAll(this.#file, batch, wantedBytes);
    // The failure is taken up by the next await of #pending; without this Node would call it unhandled until then.
    this.#pending.catch(() => undefined);
  }

  /** The segments of what was written: none for nothing. */
  async finish(): Promise<Segment[]> {
    if (this.#sizeBytes === 0) return [];
    if (!this.#file) {
      // Small and whole in memory: a synchronous write costs a third of four trips through the thread pool.
      writeFileSync(this.#path, this.#batch.length === 1 ? (this.#batch[0] as Buffer) : Buffer.concat(this.#batch), { flag: 'wx', mode: 0o600 });
    } else {
      if (this.#batchBytes > 0) await this.#flush();
      await this.#pending;
      await this.#file.close();
    }
    return [{ id: this.id, sizeBytes: this.#sizeBytes }];
  }

  async abandon(): Promise<void> {
    if (!this.#file) return;
    await Promise.allSettled([this.#pending]);
    await this.#file.close();
    await unlink(this.#path);
  }
}

async function writeAll(file: FileHandle, batch: Buffer[], wantedBytes: number): Promise<void> {
  const { bytesWritten } = await file.writev(batch);
  if (bytesWritten === wantedBytes) return;
  // A short write: once more with what is left; a full disk then says so.
  await file.writeFile(Buffer.concat(batch).subarray(bytesWritten));
}
