// What stop-all and cleanup would do: a list to show, to ask about, and only then to carry out. Whose a thing is comes first, before
// any other question: what runctl did not make is not even looked at. Pure.
import { durationText } from '../../core/durations.ts';
import type { Item, ItemKind } from '../../core/inventory.ts';
import type { Machine } from '../../core/machine.ts';
import { type Tags, isOurs, isProtected, ownerOf, projectOf, runOf } from '../../core/ownership.ts';
import type { RunRecord } from '../../ledger/ledger.ts';
import { type MachineFilter, isMeant } from './filters.ts';
import { endedBadly, isUnderWay } from './known.ts';
import { type Row, rowOf } from './rows.ts';
import type { Survey } from './survey.ts';
import { stopCommand } from './warnings.ts';

export type Action = 'stop' | 'terminate' | 'delete' | 'cancel';

export interface Planned {
  kind: ItemKind;
  id: string;
  region: string;
  action: Action;
  /** Why it is meant, in words. */
  why: string;
  /** What else goes or is at stake: a job that runs, results that are nowhere else. */
  notes: string[];
  /** Somebody named it by its run, state or age, and did not just ask for leftovers. */
  named: boolean;
  /** What ends with it, micro-dollars per hour; undefined: unknown. */
  hourlyMicroUsd?: number;
  item: Item;
}

export interface LeftAlone {
  kind: ItemKind;
  id: string;
  why: string;
  /** Whole commands. */
  hints?: string[];
}

export interface Plan {
  doing: Planned[];
  /** Of ours, and why it stays; what others made is in neither list. */
  leaving: LeftAlone[];
}

/** The two questions on which everything destructive hangs; a parameter so that tests can show what they hold back. */
export interface Ownership {
  isOurs(tags: Tags): boolean;
  isProtected(tags: Tags): boolean;
}

export const OWNERSHIP: Ownership = { isOurs, isProtected };

export interface StopAllWish extends MachineFilter {
  /** Whose machines. */
  owner: string;
}

export interface CleanupWish extends StopAllWish {
  /** Only machines, and only those in this state. */
  state?: 'running' | 'stopped';
  snapshots: boolean;
}

export function planStopAll(found: Survey, wish: StopAllWish, ownership: Ownership = OWNERSHIP): Plan {
  const plan: Plan = { doing: [], leaving: [] };
  for (const row of meantRows(found, wish, ownership)) {
    const { machine } = row;
    if (machine.state !== 'running' && machine.state !== 'pending') continue;
    if (ownership.isProtected(machine.tags)) leave(plan, 'machine', machine.id, 'it is protected (tag runctl:protected)');
    else if (machine.market === 'spot') leave(plan, 'machine', machine.id, 'a spot machine cannot be stopped, only terminated', [stopCommand(row)]);
    else plan.doing.push(planned(row, 'stop', true, row.uptimeMs === undefined ? 'it runs' : `it has run for ${durationText(row.uptimeMs)}`));
  }
  return plan;
}

export function planCleanup(found: Survey, wish: CleanupWish, ownership: Ownership = OWNERSHIP): Plan {
  const plan: Plan = { doing: [], leaving: [] };
  for (const row of meantRows(found, { ...wish, olderMs: undefined }, ownership)) {
    const verdict = judgeMachine(found, row, wish, ownership);
    if (verdict.leftover) plan.doing.push(planned(row, 'terminate', isNamed(wish), verdict.why));
    else if (verdict.why !== '') leave(plan, 'machine', row.machine.id, verdict.why);
  }
  // A state or a type is one of machines: whoever names one means them only.
  if (wish.state === undefined && wish.type === undefined) {
    for (const item of [...found.volumes, ...found.spotRequests, ...(wish.snapshots ? found.snapshots : []), ...found.objects]) planThing(found, item, wish, ownership, plan);
  }
  return plan;
}

function meantRows(found: Survey, wish: StopAllWish, ownership: Ownership): Row[] {
  return found.machines
    .filter((machine) => machine.state !== 'terminated' && machine.state !== 'shutting-down' && mine(machine.tags, wish.owner, ownership))
    .map((machine) => rowOf(found, machine))
    .filter((row) => isMeant(row, { ...wish, owner: undefined }, found.nowMs));
}

function mine(tags: Tags, owner: string, ownership: Ownership): boolean {
  if (!ownership.isOurs(tags)) return false;
  const named = ownerOf(tags);
  return named === undefined || named === owner;
}

interface Verdict {
  leftover: boolean;
  /** Empty: nothing worth saying. */
  why: string;
}

const no = (why: string): Verdict => ({ leftover: false, why });

/** A leftover is what its own run was to remove and did not, or what somebody names by its run, its state or its age. */
function judgeMachine(found: Survey, row: Row, wish: CleanupWish, ownership: Ownership): Verdict {
  const { machine } = row;
  const up = machine.state === 'running' || machine.state === 'pending';
  if (wish.state !== undefined && (wish.state === 'running') !== up) return no('');
  if (ownership.isProtected(machine.tags)) return no('it is protected (tag runctl:protected)');
  // A job that nobody waited for ended with its machine.
  const busy = found.known.runsOn(machine.id).find((run) => isUnderWay(run) && (up || run.state === 'open'));
  if (busy) return no(`${busy.id} (${busy.verb}) is under way on it`);
  const ageMs = found.nowMs - ((up ? row.madeAt : machine.endedAt) ?? row.madeAt ?? found.nowMs);
  if (wish.olderMs !== undefined && ageMs < wish.olderMs) return no('');
  if (wish.run !== undefined) return { leftover: true, why: `it was made by ${wish.run}` };
  const failed = leftBy(found, machine);
  if (failed) return { leftover: true, why: failed };
  if (up) return no('');
  const since = machine.endedAt === undefined ? '' : ` for ${durationText(found.nowMs - machine.endedAt)}`;
  if (wish.olderMs !== undefined || wish.state === 'stopped') return { leftover: true, why: `it has been stopped${since}` };
  return no(`it has been stopped${since}; name such machines by --state stopped or --older 7d`);
}

/** What the ledger says about a machine that should not be there any more. */
function leftBy(found: Survey, machine: Machine): string | undefined {
  const run = found.known.run(runOf(machine.tags) ?? '');
  if (!run || isUnderWay(run)) return undefined;
  const request = run.request as { keep?: boolean; onFailure?: string } | undefined;
  const keeps = run.state === 'succeeded' ? request?.keep : request?.onFailure === 'keep' || request?.onFailure === 'stop';
  if (run.verb.startsWith('workflow')) return keeps ? undefined : `its ${run.verb} ${ending(run, found.nowMs)}`;
  // A machine that somebody has used since is no leftover of its creation.
  const used = found.known.runsOn(machine.id).some((other) => other.id !== run.id && other.state === 'succeeded');
  return run.verb === 'create' && endedBadly(run) && !used ? `its creation ${ending(run, found.nowMs)}` : undefined;
}

function ending(run: RunRecord, nowMs: number): string {
  const ago = run.endedAt === undefined ? '' : ` ${durationText(nowMs - run.endedAt)} ago`;
  return run.state === 'open' ? 'was left without an end' : `${run.state === 'succeeded' ? 'has ended' : run.state === 'failed' ? 'has failed' : 'was interrupted'}${ago}`;
}

function planThing(found: Survey, item: Exclude<Item, { kind: 'machine' }>, wish: CleanupWish, ownership: Ownership, plan: Plan): void {
  const run = found.known.run(runOf(item.tags) ?? '');
  // Objects carry no tags of an owner; whose run this ledger knows, that is the one who asks.
  const tags = item.kind === 'object' && run ? { ...item.tags, 'runctl:owner': wish.owner } : item.tags;
  if (!mine(tags, wish.owner, ownership)) return;
  const project = projectOf(tags) ?? run?.project;
  if (wish.project !== undefined && project !== wish.project) return;
  if (wish.run !== undefined && runOf(tags) !== wish.run) return;
  const ageMs = found.nowMs - (item.createdAt ?? found.nowMs);
  if (wish.olderMs !== undefined && ageMs < wish.olderMs) return;
  const why = reasonFor(item, ageMs);
  if (why === undefined) return;
  if (ownership.isProtected(tags)) leave(plan, item.kind, item.id, 'it is protected (tag runctl:protected)');
  else if (run && isUnderWay(run)) leave(plan, item.kind, item.id, `${run.id} (${run.verb}) is under way`);
  else if (item.kind === 'spot-request' && !run && wish.run === undefined) leave(plan, item.kind, item.id, 'it was made from another computer, which may be waiting for it; name it by --run');
  else plan.doing.push({ kind: item.kind, id: item.id, region: item.region, action: item.kind === 'spot-request' ? 'cancel' : 'delete', why, notes: [], named: isNamed(wish), ...hourlyOf(found, item), item });
}

/** Undefined: it is in use, and no leftover. */
function reasonFor(item: Exclude<Item, { kind: 'machine' }>, ageMs: number): string | undefined {
  const age = durationText(ageMs);
  switch (item.kind) {
    case 'volume':
      return item.attachedTo === undefined && (item.state === 'available' || item.state === 'error') ? `${item.gb} GB, ${age} old, belongs to no machine` : undefined;
    case 'snapshot':
      return item.state === 'pending' ? undefined : `${item.gb} GB at most, ${age} old`;
    case 'spot-request':
      return item.state === 'open' ? `open for ${age} and may still make a machine${item.status ? ` (${item.status})` : ''}` : undefined;
    case 'object':
      return `left by a transfer ${age} ago`;
  }
}

function hourlyOf(found: Survey, item: Item): { hourlyMicroUsd?: number } {
  const rate = item.kind === 'volume' ? found.diskRate(item.region) : undefined;
  return item.kind === 'volume' && rate !== undefined ? { hourlyMicroUsd: Math.round((item.gb * rate) / 720) } : {};
}

function isNamed({ run, state, olderMs }: CleanupWish): boolean {
  return run !== undefined || state !== undefined || olderMs !== undefined;
}

function planned(row: Row, action: 'stop' | 'terminate', named: boolean, why: string): Planned {
  const { machine, hourlyMicroUsd, diskHourlyMicroUsd } = row;
  const saved = hourlyMicroUsd === undefined ? undefined : action === 'stop' ? hourlyMicroUsd - (diskHourlyMicroUsd ?? 0) : hourlyMicroUsd;
  return {
    kind: 'machine', id: machine.id, region: machine.region, action, why, notes: [], named,
    ...(saved === undefined ? {} : { hourlyMicroUsd: saved }),
    item: { kind: 'machine', id: machine.id, region: machine.region, tags: machine.tags, machine },
  };
}

function leave(plan: Plan, kind: ItemKind, id: string, why: string, hints?: string[]): void {
  plan.leaving.push({ kind, id, why, ...(hints ? { hints } : {}) });
}
