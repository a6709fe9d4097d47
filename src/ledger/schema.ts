// The ledger's tables, version by version. A migration is never edited once released: another one is added.
import { RunctlError } from '../core/errors.ts';
import type { Sqlite } from './sqlite.ts';

const MIGRATIONS = [
  `
  CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    verb TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'succeeded', 'failed', 'interrupted')),
    machine_id TEXT,
    provider TEXT,
    project TEXT,
    request TEXT NOT NULL,
    result TEXT,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    owner_pid INTEGER NOT NULL,
    owner_start TEXT NOT NULL
  ) STRICT;
  CREATE INDEX runs_by_time ON runs (created_at);
  CREATE TABLE steps (
    run_id TEXT NOT NULL REFERENCES runs (id),
    name TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('started', 'done', 'failed')),
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    value TEXT,
    error TEXT,
    PRIMARY KEY (run_id, name, attempt)
  ) STRICT;
  CREATE TABLE effects (
    run_id TEXT NOT NULL REFERENCES runs (id),
    step TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    token TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('intended', 'done', 'failed', 'abandoned')),
    request TEXT NOT NULL,
    outcome TEXT,
    resource_id TEXT,
    intended_at INTEGER NOT NULL,
    settled_at INTEGER,
    PRIMARY KEY (run_id, step, attempt)
  ) STRICT;
  CREATE INDEX effects_open ON effects (state) WHERE state = 'intended';
  CREATE TABLE costs (
    run_id TEXT NOT NULL REFERENCES runs (id),
    machine_id TEXT NOT NULL,
    category TEXT NOT NULL,
    seconds INTEGER NOT NULL,
    cost_micro_usd INTEGER,
    at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX costs_by_run ON costs (run_id);
  `,
  `
  CREATE TABLE machines (
    id TEXT PRIMARY KEY,
    provider TEXT NOT NULL,
    pretend INTEGER NOT NULL,
    region TEXT NOT NULL,
    zone TEXT,
    type TEXT NOT NULL,
    market TEXT NOT NULL,
    project TEXT,
    owner TEXT,
    run_id TEXT,
    state TEXT NOT NULL,
    plan TEXT,
    first_seen_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX machines_alive ON machines (state) WHERE state <> 'terminated';
  CREATE TABLE machine_runs (
    machine_id TEXT NOT NULL REFERENCES machines (id),
    from_ms INTEGER NOT NULL,
    to_ms INTEGER,
    at_most INTEGER NOT NULL,
    interrupted INTEGER NOT NULL,
    market TEXT NOT NULL,
    prices TEXT NOT NULL,
    address_micro_usd INTEGER NOT NULL,
    PRIMARY KEY (machine_id, from_ms)
  ) STRICT;
  CREATE TABLE machine_disks (
    machine_id TEXT NOT NULL REFERENCES machines (id),
    volume_id TEXT NOT NULL,
    gb INTEGER NOT NULL,
    micro_usd_per_gb_month INTEGER,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER,
    at_most INTEGER NOT NULL,
    on_termination INTEGER NOT NULL,
    PRIMARY KEY (machine_id, volume_id)
  ) STRICT;
  CREATE TABLE marks (
    run_id TEXT NOT NULL REFERENCES runs (id),
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (run_id, kind)
  ) STRICT;
  CREATE INDEX runs_by_machine ON runs (machine_id);
  `,
  `
  ALTER TABLE machine_runs ADD COLUMN address_unseen INTEGER NOT NULL DEFAULT 0;
  `,
  `
  ALTER TABLE machines ADD COLUMN lease TEXT;
  `,
];

export const SCHEMA_VERSION = MIGRATIONS.length;

/** Bring the file to today's version. Safe when two processes do it at once. */
export function migrate(sqlite: Sqlite, path: string): void {
  if (versionOf(sqlite) === SCHEMA_VERSION) return;
  sqlite.transaction(() => {
    const version = versionOf(sqlite);
    if (version > SCHEMA_VERSION) {
      throw new RunctlError('state-unusable', `the ledger ${path} was written by a newer runctl`, {
        cause: `It has version ${version}, this runctl knows versions up to ${SCHEMA_VERSION}.`,
        hints: ['npm install -g runctl@latest', 'XDG_STATE_HOME=/another/directory runctl ...'],
      });
    }
    for (const sql of MIGRATIONS.slice(version)) sqlite.exec(sql);
    sqlite.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  });
}

function versionOf(sqlite: Sqlite): number {
  return Number(sqlite.all('PRAGMA user_version')[0]?.user_version);
}
