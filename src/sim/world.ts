// Does: everything the pretend cloud remembers: named tables of rows, kept in <directory>/world.json (mode 0600, replaced
// atomically, at most 50 ms after a change and at once on close).
// Gaps: no fsync, so a power cut may cost the last moment; one server per world (whoever starts it must see to that).
// By design: the whole world is one file; when writing it takes long, writes come less often.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Table, World } from './cloud.ts';

const FORMAT = 1;
const WRITE_DELAY_MS = 50;

interface WorldFile {
  format: number;
  accountId: string;
  tables: Record<string, Record<string, unknown>>;
}

export interface StoredWorld extends World {
  /** Whether something waits to be written. */
  readonly dirty: boolean;
  /** How long the last write took. */
  readonly lastWriteMs: number;
  /** Forget every row (the account stays). */
  clear(): void;
  /** Write and accept no more changes. */
  close(): void;
}

class StoredTable<Row> implements Table<Row> {
  readonly rows = new Map<string, Row>();
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get(id: string): Row | undefined {
    return this.rows.get(id);
  }

  put(id: string, row: Row): void {
    this.rows.set(id, row);
    this.#changed();
  }

  delete(id: string): boolean {
    const found = this.rows.delete(id);
    if (found) this.#changed();
    return found;
  }

  values(): Row[] {
    return [...this.rows.values()];
  }

  entries(): [string, Row][] {
    return [...this.rows.entries()];
  }

  get size(): number {
    return this.rows.size;
  }
}

function readWorld(file: string): WorldFile | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  let parsed: Partial<WorldFile>;
  try {
    parsed = JSON.parse(text) as Partial<WorldFile>;
  } catch (error) {
    throw new Error(`world file ${file} is not readable as JSON: ${(error as Error).message}`);
  }
  if (parsed.format !== FORMAT) throw new Error(`world file ${file} has format ${String(parsed.format)}, this version reads ${FORMAT}`);
  if (typeof parsed.accountId !== 'string' || typeof parsed.tables !== 'object') throw new Error(`world file ${file} is incomplete`);
  return parsed as WorldFile;
}

function newAccountId(): string {
  // Twelve digits, never starting with 0 so that nothing that parses it as a number loses one.
  return String(100_000_000_000 + (randomBytes(6).readUIntBE(0, 6) % 900_000_000_000));
}

export function openWorld(directory: string): StoredWorld {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, 'world.json');
  const stored = readWorld(file);
  const accountId = stored?.accountId ?? newAccountId();
  const tables = new Map<string, StoredTable<unknown>>();
  let dirty = false;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let lastWriteMs = 0;

  const save = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (!dirty || closed) return;
    dirty = false;
    const startedAt = performance.now();
    const content: WorldFile = { format: FORMAT, accountId, tables: {} };
    for (const [name, table] of tables) content.tables[name] = Object.fromEntries(table.rows);
    const temporary = `${file}.${process.pid}.tmp`;
    try {
      writeFileSync(temporary, JSON.stringify(content), { mode: 0o600 });
      renameSync(temporary, file);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    lastWriteMs = performance.now() - startedAt;
  };

  const changed = (): void => {
    if (closed) return;
    dirty = true;
    if (timer) return;
    // A world that takes 30 ms to write must not be written twenty times a second.
    timer = setTimeout(save, Math.max(WRITE_DELAY_MS - lastWriteMs, lastWriteMs * 10));
    timer.unref();
  };

  const table = <Row>(name: string): Table<Row> => {
    let found = tables.get(name);
    if (!found) {
      found = new StoredTable<unknown>(changed);
      tables.set(name, found);
    }
    return found as unknown as Table<Row>;
  };

  for (const [name, rows] of Object.entries(stored?.tables ?? {})) {
    const target = table(name) as StoredTable<unknown>;
    for (const [id, row] of Object.entries(rows)) target.rows.set(id, row);
  }
  if (!stored) changed();

  return {
    accountId,
    directory,
    table,
    newId: (prefix) => `${prefix}-0${randomBytes(8).toString('hex')}`,
    save,
    get dirty() {
      return dirty;
    },
    get lastWriteMs() {
      return lastWriteMs;
    },
    clear() {
      for (const each of tables.values()) each.rows.clear();
      changed();
    },
    close() {
      save();
      closed = true;
    },
  };
}
