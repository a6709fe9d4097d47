// Rows of the ledger's tables to records and back.
import type { EffectRecord, EffectState, RunRecord, RunState, StepRecord } from './records.ts';
import type { Row, SqlValue } from './sqlite.ts';

/** NULL for undefined: "nothing was said" is not the JSON value null. What a job printed is its user's, and is not remembered here. */
export function json(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value, (key, inner: unknown) => (key === 'logTail' ? undefined : inner));
}

export function runOf(row: Row): RunRecord {
  return {
    id: String(row.id),
    verb: String(row.verb),
    state: row.state as RunState,
    machineId: text(row.machine_id),
    provider: text(row.provider),
    project: text(row.project),
    request: parsed(row.request),
    result: parsed(row.result),
    createdAt: Number(row.created_at),
    endedAt: count(row.ended_at),
    owner: { pid: Number(row.owner_pid), start: String(row.owner_start) },
  };
}

export function stepOf(row: Row): StepRecord {
  return {
    runId: String(row.run_id),
    name: String(row.name),
    attempt: Number(row.attempt),
    state: row.state as StepRecord['state'],
    startedAt: Number(row.started_at),
    endedAt: count(row.ended_at),
    value: parsed(row.value),
    error: parsed(row.error),
  };
}

export function effectOf(row: Row): EffectRecord {
  return {
    runId: String(row.run_id),
    step: String(row.step),
    attempt: Number(row.attempt),
    token: String(row.token),
    kind: String(row.kind),
    state: row.state as EffectState,
    request: parsed(row.request),
    outcome: parsed(row.outcome),
    resourceId: text(row.resource_id),
    intendedAt: Number(row.intended_at),
    settledAt: count(row.settled_at),
  };
}

function text(value: SqlValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function count(value: SqlValue | undefined): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}

function parsed(value: SqlValue | undefined): unknown {
  return typeof value === 'string' ? JSON.parse(value) : undefined;
}
