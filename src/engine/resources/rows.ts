// A machine as lists show it: what it is, whose, what it costs an hour and has cost so far. Pure.
import { accruedMicroUsd } from '../../cost/cost.ts';
import { type Bill, billOf } from '../../cost/bill.ts';
import type { Machine, MachineState } from '../../core/machine.ts';
import type { MicroUsd } from '../../core/money.ts';
import { isProtected, OWN_TAG, ownerOf, projectOf, runOf } from '../../core/ownership.ts';
import { LEASE_TAG } from '../../core/lease.ts';
import { isUnderWay } from './known.ts';
import type { Survey } from './survey.ts';

const HOUR_MS = 3_600_000;
/** A disk's month, as it is billed (EBS pricing page: examples of 30 days). */
const MONTH_HOURS = 720;
/** A running machine is called idle when the last run from here ended so long ago. */
const IDLE_AFTER_MS = HOUR_MS;
export const OLD_AFTER_MS = 24 * HOUR_MS;

export interface Row {
  machine: Machine;
  diskGb: number;
  /** All that it costs an hour in the state that it is in. Undefined: nobody could tell. */
  hourlyMicroUsd?: MicroUsd;
  /** The disk's part of it. */
  diskHourlyMicroUsd?: MicroUsd;
  /** What it has cost so far: the starts that are known, and its disks. */
  bill?: Bill;
  /** Epoch ms of the first launch. */
  madeAt?: number;
  /** Since when it runs. */
  uptimeMs?: number;
  owner?: string;
  project?: string;
  run?: string;
  protected: boolean;
  leased: boolean;
  /** Epoch ms since which nothing from this computer has run on it. */
  idleSince?: number;
}

export function rowOf(survey: Survey, machine: Machine): Row {
  const { nowMs } = survey;
  const up = machine.state === 'running' || machine.state === 'pending';
  const rates = survey.ratesOf(machine);
  const compute = rates?.prices.at(-1)?.microUsdPerHour;
  const sizes = diskSizes(survey, machine);
  const diskHourly = rates === undefined || sizes === undefined ? undefined : sizes.reduce((sum, gb) => sum + diskHourlyMicroUsd(gb, rates.diskMicroUsdPerGbMonth), 0);
  const gone = machine.state === 'terminated' || machine.state === 'shutting-down';
  const running = compute === undefined || rates === undefined ? undefined : compute + (machine.publicIp === undefined ? 0 : rates.addressMicroUsdPerHour);
  const usage = survey.usageOf(machine);
  const idleSince = machine.state === 'running' ? idleFrom(survey, machine) : undefined;
  return {
    machine,
    diskGb: sizes?.reduce((sum, gb) => sum + gb, 0) ?? 0,
    ...defined('diskHourlyMicroUsd', gone ? 0 : diskHourly),
    ...defined('hourlyMicroUsd', gone ? 0 : up ? add(running, diskHourly) : diskHourly),
    ...defined('bill', usage && billOf(usage, nowMs)),
    ...defined('madeAt', madeAt(machine)),
    ...defined('uptimeMs', up && machine.launchedAt !== undefined ? Math.max(0, nowMs - machine.launchedAt) : undefined),
    ...defined('owner', ownerOf(machine.tags)), ...defined('project', projectOf(machine.tags)), ...defined('run', runOf(machine.tags)),
    protected: isProtected(machine.tags),
    leased: Object.hasOwn(machine.tags, LEASE_TAG),
    ...defined('idleSince', idleSince),
  };
}

/** Of disks that the cloud did not tell of, what this computer has noted; undefined: nobody knows them. */
function diskSizes(survey: Survey, { id, region }: Machine): number[] | undefined {
  const told = survey.disksOf(id).map((disk) => disk.gb);
  if (told.length > 0 || survey.hasDisksOf(region)) return told;
  const noted = (survey.known.usageOf(id)?.disks ?? []).filter((disk) => disk.to === undefined).map((disk) => disk.gb);
  return noted.length > 0 ? noted : undefined;
}

export function diskHourlyMicroUsd(gb: number, microUsdPerGbMonth: MicroUsd): MicroUsd {
  return Math.round((gb * microUsdPerGbMonth) / MONTH_HOURS);
}

/** For sentences: what something costs in so many hours. */
export function overHours(hourly: MicroUsd, hours: number): MicroUsd {
  return accruedMicroUsd(hourly, hours * 3600);
}

function madeAt(machine: Machine): number | undefined {
  const tagged = Date.parse(machine.tags[OWN_TAG.created] ?? '');
  return machine.firstLaunchedAt ?? (Number.isNaN(tagged) ? machine.launchedAt : tagged);
}

function idleFrom(survey: Survey, machine: Machine): number | undefined {
  const runs = survey.known.runsOn(machine.id);
  if (runs.length === 0 || runs.some(isUnderWay)) return undefined;
  const last = Math.max(...runs.map((run) => run.endedAt ?? run.createdAt));
  return survey.nowMs - last >= IDLE_AFTER_MS ? last : undefined;
}

const ORDER: MachineState[] = ['running', 'pending', 'stopping', 'stopped', 'shutting-down', 'terminated'];

export function stateRank(state: MachineState): number {
  return ORDER.indexOf(state);
}

function add(a: MicroUsd | undefined, b: MicroUsd | undefined): MicroUsd | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}

function defined<Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { [K in Key]?: Value };
}
