// Which machines of a survey are meant, and in which order. Pure. The cloud has sorted out what it can; here everything is looked at
// again, so that what is shown does not hang on how well a cloud filters.
import type { MachineState } from '../../core/machine.ts';
import { type Row, stateRank } from './rows.ts';

export const STATE_FILTERS = ['running', 'stopped', 'terminated', 'all'] as const;
export type StateFilter = (typeof STATE_FILTERS)[number];
export const SORTS = ['cost', 'age', 'type', 'state', 'accumulated'] as const;
export type Sort = (typeof SORTS)[number];

/** Which machines; whatever is absent does not matter. */
export interface MachineFilter {
  project?: string;
  owner?: string;
  run?: string;
  /** With * for anything: `g5.*`. */
  type?: string;
  /** Made at least so long ago. */
  olderMs?: number;
}

const STATES: Record<StateFilter, readonly MachineState[]> = {
  running: ['pending', 'running'],
  stopped: ['stopping', 'stopped'],
  terminated: ['shutting-down', 'terminated'],
  all: ['pending', 'running', 'stopping', 'stopped', 'shutting-down', 'terminated'],
};
const ALIVE: readonly MachineState[] = ['pending', 'running', 'stopping', 'stopped', 'shutting-down'];

/** Without a filter everything that can still cost something. */
export function statesFor(filter: StateFilter | undefined, showTerminated: boolean): MachineState[] {
  const states = filter === undefined ? ALIVE : STATES[filter];
  return [...new Set([...states, ...(showTerminated ? STATES.terminated : [])])];
}

export function isMeant(row: Row, filter: MachineFilter, nowMs: number): boolean {
  return (
    (filter.project === undefined || row.project === filter.project) &&
    (filter.owner === undefined || row.owner === filter.owner) &&
    (filter.run === undefined || row.run === filter.run) &&
    (filter.type === undefined || likeType(row.machine.type, filter.type)) &&
    (filter.olderMs === undefined || (row.madeAt !== undefined && nowMs - row.madeAt >= filter.olderMs))
  );
}

export function likeType(type: string, pattern: string): boolean {
  return new RegExp(`^${pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`).test(type);
}

/** Sorted copy; what is unknown comes last, equals by newest launch, then by id. */
export function sorted(rows: readonly Row[], by: Sort | undefined): Row[] {
  const least = (value: number | undefined): number => value ?? Number.POSITIVE_INFINITY;
  const most = (value: number | undefined): number => (value === undefined ? Number.POSITIVE_INFINITY : -value);
  const keys: Record<Sort, (row: Row) => number | string> = {
    cost: (row) => most(row.hourlyMicroUsd),
    accumulated: (row) => most(row.bill?.totalMicroUsd),
    age: (row) => least(row.madeAt),
    type: (row) => row.machine.type,
    state: (row) => stateRank(row.machine.state),
  };
  const key = keys[by ?? 'state'];
  const compare = (a: number | string, b: number | string): number => (a < b ? -1 : a > b ? 1 : 0);
  return rows.toSorted((a, b) => compare(key(a), key(b)) || compare(most(a.machine.launchedAt), most(b.machine.launchedAt)) || compare(a.machine.id, b.machine.id));
}
