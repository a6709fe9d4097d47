// An append-only file of JSON lines that a bucket's index is rebuilt from. Here because the world file is written whole:
// ten thousand objects in it would make every small change rewrite megabytes. Not a database: one writer, no queries.
// Does: append in one write, drop a torn last line after a crash, rewrite itself when it holds mostly history.
// By design: no fsync; a killed server loses nothing, a lost machine may lose the last seconds. Opens the file for every
// append, so that nothing has to be closed and the world's directory can be removed at any time.
import { appendFileSync, existsSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';

export class Journal<Entry> {
  readonly #path: string;
  #sizeBytes = 0;
  #entries = 0;

  constructor(path: string) {
    this.#path = path;
  }

  get entries(): number {
    return this.#entries;
  }

  /** Every entry in order. */
  load(apply: (entry: Entry) => void): void {
    if (!existsSync(this.#path)) return;
    const bytes = readFileSync(this.#path);
    let start = 0;
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
      let entry: Entry;
      try {
        entry = JSON.parse(bytes.toString('utf8', start, end)) as Entry;
      } catch (cause) {
        throw new Error(`the index of a simulated bucket is damaged: ${this.#path}, byte ${start}`, { cause });
      }
      apply(entry);
      this.#entries++;
      start = end + 1;
    }
    // A line without its end was being written when the server died; nobody was told that it succeeded.
    if (start < bytes.length) truncateSync(this.#path, start);
    this.#sizeBytes = start;
  }

  append(entry: Entry): void {
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    try {
      appendFileSync(this.#path, line, { mode: 0o600 });
    } catch (error) {
      // A full disk may have taken half of the line.
      if (existsSync(this.#path)) truncateSync(this.#path, this.#sizeBytes);
      throw error;
    }
    this.#sizeBytes += line.length;
    this.#entries++;
  }

  /** Replace the history by `entries`, which must say the same. */
  rewrite(entries: Iterable<Entry>): void {
    const lines: string[] = [];
    for (const entry of entries) lines.push(`${JSON.stringify(entry)}\n`);
    const bytes = Buffer.from(lines.join(''));
    writeFileSync(`${this.#path}.new`, bytes, { mode: 0o600 });
    renameSync(`${this.#path}.new`, this.#path);
    this.#sizeBytes = bytes.length;
    this.#entries = lines.length;
  }
}
