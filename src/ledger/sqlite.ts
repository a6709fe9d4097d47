// The one door to SQLite: Node's own where it exists (22.5 and later), the `libsql` package on Node 20. Loaded on first use,
// because commands that need no memory must not pay for it. Translates SQLite's errors; knows nothing of runs and steps.
import { RunctlError } from '../core/errors.ts';

export type SqlValue = string | number | null;
export type Row = Record<string, SqlValue>;

export interface Sqlite {
  exec(sql: string): void;
  /** Number of changed rows. */
  run(sql: string, ...values: SqlValue[]): number;
  all(sql: string, ...values: SqlValue[]): Row[];
  /** All or nothing; takes the write lock at once, so that two processes queue up instead of failing half-way. */
  transaction<T>(body: () => T): T;
  close(): void;
}

interface Statement {
  run(...values: SqlValue[]): { changes: number | bigint };
  all(...values: SqlValue[]): unknown[];
}

interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

type DatabaseConstructor = new (path: string) => Database;

export async function openSqlite(path: string): Promise<Sqlite> {
  const Constructor = nodeSqlite() ?? (await libsql());
  const told = <T>(body: () => T): T => {
    try {
      return body();
    } catch (error) {
      throw translate(error, path);
    }
  };
  const database = told(() => new Constructor(path));
  const statements = new Map<string, Statement>();
  const prepare = (sql: string): Statement => {
    const known = statements.get(sql);
    if (known) return known;
    const statement = database.prepare(sql);
    statements.set(sql, statement);
    return statement;
  };
  const sqlite: Sqlite = {
    exec: (sql) => told(() => database.exec(sql)),
    run: (sql, ...values) => told(() => Number(prepare(sql).run(...values).changes)),
    all: (sql, ...values) => told(() => prepare(sql).all(...values) as Row[]),
    transaction: (body) => {
      sqlite.exec('BEGIN IMMEDIATE');
      try {
        const value = body();
        sqlite.exec('COMMIT');
        return value;
      } catch (error) {
        try {
          database.exec('ROLLBACK');
        } catch {
          // SQLite has rolled back by itself after some errors; the first error is the one to tell.
        }
        throw error;
      }
    },
    close: () => {
      statements.clear();
      told(() => database.close());
    },
  };
  return sqlite;
}

function nodeSqlite(): DatabaseConstructor | undefined {
  if (Number(process.versions.node.split('.')[0]) < 22) return undefined;
  // Only the warning about SQLite itself is held back, and only while it is being loaded.
  const emitWarning = process.emitWarning;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (String(warning).includes('SQLite is an experimental feature')) return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  }) as typeof process.emitWarning;
  try {
    const builtin = process.getBuiltinModule?.('node:sqlite') as { DatabaseSync: DatabaseConstructor } | undefined;
    return builtin?.DatabaseSync;
  } finally {
    process.emitWarning = emitWarning;
  }
}

async function libsql(): Promise<DatabaseConstructor> {
  try {
    const loaded = (await import('libsql')) as unknown as { default: DatabaseConstructor };
    return loaded.default;
  } catch (error) {
    throw new RunctlError('state-unusable', `no SQLite for Node ${process.versions.node} on ${process.platform}-${process.arch}`, {
      cause: `Node 22.5 and later carry it; Node 20 needs the optional package "libsql", which did not load: ${(error as Error).message}`,
      hints: ['npm install --include=optional', 'nvm install 24'],
      source: error,
    });
  }
}

/** SQLite's primary result codes (sqlite.org/rescode.html) that say something about the file rather than about our SQL. */
const CAUSES: Record<number, string> = {
  5: 'Another runctl has been writing to it for longer than ten seconds.',
  8: 'It may only be read.',
  10: 'The disk refused to read or write.',
  11: 'It is damaged.',
  13: 'The disk is full.',
  14: 'It cannot be opened.',
  23: 'Access to it is denied.',
  26: 'It is not a ledger, or it is damaged.',
};

function translate(error: unknown, path: string): unknown {
  const { errcode, rawCode, message } = error as { errcode?: number; rawCode?: number; message?: string };
  const code = (errcode ?? rawCode ?? 0) & 0xff;
  // libsql gives no number when the file cannot be opened at all.
  const cause = CAUSES[code] ?? (/unable to open/i.test(message ?? '') ? CAUSES[14] : undefined);
  if (!cause) return error;
  return new RunctlError('state-unusable', `the ledger ${path} cannot be used`, {
    cause: `${cause} SQLite says: ${message}`,
    hints: code === 11 || code === 26
      ? [`mv ${quote(path)} ${quote(`${path}.broken`)}   (runctl starts a new one; machines keep their tags, so none is forgotten)`]
      : code === 13
        ? [`df -h ${quote(path)}`]
        : [`ls -l ${quote(path)}`, 'XDG_STATE_HOME=/another/directory runctl ...'],
    source: error,
  });
}

function quote(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
