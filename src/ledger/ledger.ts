// Memory that survives a crash: runs, their steps, and for each effect on the world the intent (on disk before the
// effect) and the outcome (after it). Facts only: what to do about an open intent is for the engine to decide.
import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { RunctlError } from '../core/errors.ts';
import { effectToken } from '../core/ids.ts';
import { type MachineLedger, machineLedger } from './machines.ts';
import { redact } from '../core/secrets.ts';
import { currentOwner, type Owner } from './owner.ts';
import type { CostRecord, EffectRecord, EffectState, RunRecord, RunState, StepRecord } from './records.ts';
import { effectOf, json, runOf, stepOf } from './rows.ts';
import { migrate } from './schema.ts';
import { openSqlite, type Sqlite } from './sqlite.ts';

export type { MachineRecord, RunRecord, RunState, StepRecord } from './records.ts';

export interface Ledger extends MachineLedger {
  readonly path: string;
  beginRun(run: { id: string; verb: string; request: unknown; project?: string; nowMs: number }): void;
  setMachine(runId: string, machineId: string, provider: string): void;
  endRun(runId: string, state: Exclude<RunState, 'open'>, result: unknown, nowMs: number): void;
  /** Go on with a run that `from` left behind. False when somebody else was quicker. */
  takeOver(runId: string, from: Owner): boolean;
  /** Returns the attempt: 1 the first time. */
  startStep(runId: string, name: string, nowMs: number): number;
  finishStep(runId: string, name: string, attempt: number, value: unknown, nowMs: number): void;
  failStep(runId: string, name: string, attempt: number, error: unknown, nowMs: number): void;
  /**
   * Write down what is about to be done; on disk when this returns. `known`: this step's effect was intended before and
   * may have happened (`state` intended) or has happened (`state` done): look before acting, with this same token.
   * After a failed or abandoned try the attempt, and with it the token, is a new one.
   */
  intend(effect: { runId: string; step: string; kind: string; request: unknown; nowMs: number }): EffectRecord & { known: boolean };
  settle(outcome: { runId: string; step: string; attempt: number; state: Exclude<EffectState, 'intended'>; resourceId?: string; outcome?: unknown; nowMs: number }): void;
  /** Intents without an outcome, oldest first: after a crash, the only things that may have happened unseen. */
  findOpenEffects(runId?: string): EffectRecord[];
  /** The latest moment of this kind in a run; a later one replaces it. */
  mark(runId: string, kind: string, atMs: number): void;
  markOf(runId: string, kind: string): number | undefined;
  addCost(cost: CostRecord): void;
  costsOf(runId: string): CostRecord[];
  findRun(runId: string): RunRecord | undefined;
  getRun(runId: string): RunRecord;
  /** Newest first. */
  listRuns(options?: { limit?: number; state?: RunState; machineId?: string }): RunRecord[];
  stepsOf(runId: string): StepRecord[];
  effectsOf(runId: string): EffectRecord[];
  close(): void;
}

/** Open the ledger, making it (file 0600, directory 0700) when it is not there. */
export async function openLedger(path: string): Promise<Ledger> {
  makePrivate(path);
  const sqlite = await openSqlite(path);
  try {
    // The timeout comes first: switching to WAL needs a lock too. FULL: a commit is on disk when it returns.
    sqlite.all('PRAGMA busy_timeout = 10000');
    sqlite.all('PRAGMA journal_mode = WAL');
    sqlite.exec('PRAGMA synchronous = FULL');
    sqlite.exec('PRAGMA foreign_keys = ON');
    migrate(sqlite, path);
  } catch (error) {
    sqlite.close();
    throw error;
  }
  return ledgerOver(sqlite, path);
}

/** SQLite would make the file with the user's umask; what it holds is nobody else's business. */
function makePrivate(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, 'a', 0o600));
    if (statSync(path).mode & 0o077) chmodSync(path, 0o600);
  } catch (error) {
    throw new RunctlError('state-unusable', `the ledger ${path} cannot be written`, {
      cause: (error as Error).message,
      hints: [`ls -ld ${dirname(path)}`, 'XDG_STATE_HOME=/another/directory runctl ...'],
      source: error,
    });
  }
}

function ledgerOver(sqlite: Sqlite, path: string): Ledger {
  const expectOne = (changes: number, what: string): void => {
    if (changes !== 1) throw new Error(`ledger: no such ${what}`);
  };
  const endStep = (runId: string, name: string, attempt: number, state: 'done' | 'failed', column: 'value' | 'error', content: unknown, nowMs: number): void => {
    const changes = sqlite.run(
      `UPDATE steps SET state = ?, ${column} = ?, ended_at = ? WHERE run_id = ? AND name = ? AND attempt = ?`,
      state, json(redact(content)), nowMs, runId, name, attempt,
    );
    expectOne(changes, `step: ${runId} ${name} ${attempt}`);
  };
  const findRun = (runId: string): RunRecord | undefined => sqlite.all('SELECT * FROM runs WHERE id = ?', runId).map(runOf)[0];

  return {
    path,
    ...machineLedger(sqlite),
    findRun,
    beginRun: ({ id, verb, request, project, nowMs }) => {
      const owner = currentOwner();
      sqlite.run(
        `INSERT INTO runs (id, verb, state, project, request, created_at, owner_pid, owner_start) VALUES (?, ?, 'open', ?, ?, ?, ?, ?)`,
        id, verb, project ?? null, json(redact(request)) ?? 'null', nowMs, owner.pid, owner.start,
      );
    },
    setMachine: (runId, machineId, provider) => {
      expectOne(sqlite.run('UPDATE runs SET machine_id = ?, provider = ? WHERE id = ?', machineId, provider, runId), `run: ${runId}`);
    },
    endRun: (runId, state, result, nowMs) => {
      expectOne(sqlite.run('UPDATE runs SET state = ?, result = ?, ended_at = ? WHERE id = ?', state, json(redact(result)), nowMs, runId), `run: ${runId}`);
    },
    takeOver: (runId, from) => {
      const owner = currentOwner();
      const changes = sqlite.run(
        `UPDATE runs SET state = 'open', ended_at = NULL, owner_pid = ?, owner_start = ? WHERE id = ? AND owner_pid = ? AND owner_start = ?`,
        owner.pid, owner.start, runId, from.pid, from.start,
      );
      return changes === 1;
    },
    startStep: (runId, name, nowMs) =>
      sqlite.transaction(() => {
        const last = sqlite.all('SELECT MAX(attempt) AS attempt FROM steps WHERE run_id = ? AND name = ?', runId, name)[0]?.attempt;
        const attempt = Number(last ?? 0) + 1;
        sqlite.run(`INSERT INTO steps (run_id, name, attempt, state, started_at) VALUES (?, ?, ?, 'started', ?)`, runId, name, attempt, nowMs);
        return attempt;
      }),
    finishStep: (runId, name, attempt, value, nowMs) => endStep(runId, name, attempt, 'done', 'value', value, nowMs),
    failStep: (runId, name, attempt, error, nowMs) => endStep(runId, name, attempt, 'failed', 'error', error, nowMs),
    intend: ({ runId, step, kind, request, nowMs }) =>
      sqlite.transaction(() => {
        const last = sqlite.all('SELECT * FROM effects WHERE run_id = ? AND step = ? ORDER BY attempt DESC LIMIT 1', runId, step).map(effectOf)[0];
        if (last && (last.state === 'intended' || last.state === 'done')) return { ...last, known: true };
        const attempt = (last?.attempt ?? 0) + 1;
        const token = effectToken(runId, step, attempt);
        const kept = redact(request);
        sqlite.run(
          `INSERT INTO effects (run_id, step, attempt, token, kind, state, request, intended_at) VALUES (?, ?, ?, ?, ?, 'intended', ?, ?)`,
          runId, step, attempt, token, kind, json(kept) ?? 'null', nowMs,
        );
        return { runId, step, attempt, token, kind, state: 'intended', request: kept, intendedAt: nowMs, known: false };
      }),
    settle: ({ runId, step, attempt, state, resourceId, outcome, nowMs }) =>
      sqlite.transaction(() => {
        const changes = sqlite.run(
          `UPDATE effects SET state = ?, resource_id = ?, outcome = ?, settled_at = ? WHERE run_id = ? AND step = ? AND attempt = ? AND state IN ('intended', ?)`,
          state, resourceId ?? null, json(redact(outcome)), nowMs, runId, step, attempt, state,
        );
        expectOne(changes, `open effect: ${runId} ${step} ${attempt}`);
      }),
    findOpenEffects: (runId) =>
      (runId === undefined
        ? sqlite.all(`SELECT * FROM effects WHERE state = 'intended' ORDER BY intended_at, rowid`)
        : sqlite.all(`SELECT * FROM effects WHERE state = 'intended' AND run_id = ? ORDER BY intended_at, rowid`, runId)
      ).map(effectOf),
    mark: (runId, kind, atMs) => {
      sqlite.run('INSERT INTO marks VALUES (?, ?, ?) ON CONFLICT (run_id, kind) DO UPDATE SET at = max(at, excluded.at)', runId, kind, Math.round(atMs));
    },
    markOf: (runId, kind) => {
      const at = sqlite.all('SELECT at FROM marks WHERE run_id = ? AND kind = ?', runId, kind)[0]?.at;
      return at === undefined ? undefined : Number(at);
    },
    addCost: ({ runId, machineId, category, seconds, costMicroUsd, at }) => {
      sqlite.run('INSERT INTO costs VALUES (?, ?, ?, ?, ?, ?)', runId, machineId, category, Math.round(seconds), costMicroUsd ?? null, at);
    },
    costsOf: (runId) =>
      sqlite.all('SELECT * FROM costs WHERE run_id = ? ORDER BY rowid', runId).map((row) => ({
        runId,
        machineId: String(row.machine_id),
        category: String(row.category),
        seconds: Number(row.seconds),
        costMicroUsd: row.cost_micro_usd === null ? undefined : Number(row.cost_micro_usd),
        at: Number(row.at),
      })),
    getRun: (runId) => {
      const run = findRun(runId);
      if (!run) throw new RunctlError('not-found', `no run ${runId}`, { cause: `It is not in the ledger ${path}.`, hints: ['runctl runs list'] });
      return run;
    },
    listRuns: ({ limit = 50, state, machineId } = {}) =>
      sqlite
        .all(
          'SELECT * FROM runs WHERE state = coalesce(?, state) AND coalesce(machine_id, 0) = coalesce(?, machine_id, 0) ORDER BY created_at DESC, rowid DESC LIMIT ?',
          state ?? null, machineId ?? null, limit,
        )
        .map(runOf),
    stepsOf: (runId) => sqlite.all('SELECT * FROM steps WHERE run_id = ? ORDER BY rowid', runId).map(stepOf),
    effectsOf: (runId) => sqlite.all('SELECT * FROM effects WHERE run_id = ? ORDER BY rowid', runId).map(effectOf),
    close: () => sqlite.close(),
  };
}
