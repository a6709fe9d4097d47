// What could cost less, what stands out first, then what saves most, each with what it would save and the command that does it.
import { durationText } from '../../core/durations.ts';
import type { MicroUsd } from '../../core/money.ts';
import { formatUsd } from '../../core/money.ts';
import { isOurs } from '../../core/ownership.ts';
import type { App } from '../app.ts';
import type { MachineFilter } from './filters.ts';
import { type Where, ownRows } from './list.ts';
import { type Row, overHours } from './rows.ts';
import { type Survey, survey } from './survey.ts';
import { type Warning, completed, count, named, warningsOf } from './warnings.ts';

export interface InsightsRequest extends Where, Pick<MachineFilter, 'project' | 'owner'> {}

/** `kind` besides those of warnings: stopped, dear, snapshots, spot, no-lease. */
export interface Insight extends Warning {
  /** What following it saves at most, a day. Absent: nothing, or nobody knows. */
  savesPerDayUsd?: number;
}

export interface InsightsResult {
  at: string;
  machines: number;
  costPerHourUsd: number;
  insights: Insight[];
  regions: string[];
  unanswered: { region: string; kind: string; reason: string }[];
}

/** All machines together: more than most people mean to pay. */
const DEAR_MICRO_USD_PER_HOUR = 10_000_000;
/** A machine that was stopped so long ago is perhaps forgotten. */
const FORGOTTEN_AFTER_MS = 24 * 3_600_000;
const NAMED = 5;
/** More machines than that are spoken of together. */
const SINGLY = 3;

export async function insights(app: App, { provider, regions, project, owner }: InsightsRequest): Promise<InsightsResult> {
  const found = await survey(app, { provider, ...(regions === undefined ? {} : { regions }), project, owner });
  const rows = ownRows(found, { project, owner });
  const hourly = rows.reduce((sum, row) => sum + (row.hourlyMicroUsd ?? 0), 0);
  const list = [...dear(rows, hourly), ...warningsOf(found, rows), ...forgotten(found, rows), ...snapshots(found), ...(await spotInstead(app, found, rows)), ...withoutLease(rows)];
  return {
    at: new Date(found.nowMs).toISOString(), machines: rows.length, costPerHourUsd: hourly / 1_000_000,
    insights: list.map((one) => ({ ...one, hints: completed(app, one.hints) })), regions: found.regions, unanswered: found.failed,
  };
}

function dear(rows: readonly Row[], hourly: MicroUsd): Insight[] {
  if (hourly < DEAR_MICRO_USD_PER_HOUR) return [];
  const dearest = rows.toSorted((a, b) => (b.hourlyMicroUsd ?? 0) - (a.hourlyMicroUsd ?? 0)).slice(0, 3);
  return [{
    kind: 'dear',
    text: `everything together costs ${formatUsd(hourly, 2)} an hour, ${formatUsd(overHours(hourly, 24), 2)} a day; the dearest: ${dearest.map((row) => `${row.machine.id} (${row.machine.type}, ${formatUsd(row.hourlyMicroUsd ?? 0, 2)} an hour)`).join(', ')}`,
    hints: ['runctl resources list --sort cost', 'runctl resources stop-all --dry-run'],
    ...saves(hourly),
  }];
}

function forgotten(found: Survey, rows: readonly Row[]): Insight[] {
  const old = rows.filter(({ machine, ...row }) => machine.state === 'stopped' && !row.protected && machine.endedAt !== undefined && found.nowMs - machine.endedAt >= FORGOTTEN_AFTER_MS);
  if (old.length > SINGLY) {
    const hourly = old.reduce((sum, row) => sum + (row.diskHourlyMicroUsd ?? 0), 0);
    return [{
      kind: 'stopped',
      text: `${old.length} machines have been stopped for more than 24 h; their disks of ${old.reduce((gb, row) => gb + row.diskGb, 0)} GB cost ${formatUsd(overHours(hourly, 720), 2)} a month: ${named(old.map(({ machine }) => machine.id))}`,
      hints: ['runctl resources cleanup --state stopped --older 24h --dry-run'],
      ...saves(hourly),
    }];
  }
  return old
    .map(({ machine, diskHourlyMicroUsd, diskGb }) => ({
      kind: 'stopped',
      text: `${machine.id} has been stopped for ${durationText(found.nowMs - (machine.endedAt as number))}; its disk of ${diskGb} GB costs ${diskHourlyMicroUsd === undefined ? 'an unknown price' : `${formatUsd(overHours(diskHourlyMicroUsd, 720), 2)} a month`}`,
      hints: [`runctl aws start ${machine.id} --region ${machine.region} --wait`, `runctl aws terminate ${machine.id} --region ${machine.region}`],
      ...(diskHourlyMicroUsd === undefined ? {} : saves(diskHourlyMicroUsd)),
    }));
}

function snapshots(found: Survey): Insight[] {
  const own = found.snapshots.filter(({ tags }) => isOurs(tags));
  if (own.length === 0) return [];
  return [{ kind: 'snapshots', text: `${count(own.length, 'snapshot')} of ${own.reduce((gb, one) => gb + one.gb, 0)} GB at most: ${named(own.map(({ id }) => id))}`, hints: ['runctl resources cleanup --snapshots --dry-run'] }];
}

/** What the same types cost on the spot market of their zones now: one question for each type and zone. */
async function spotInstead(app: App, found: Survey, rows: readonly Row[]): Promise<Insight[]> {
  const candidates = rows.filter(({ machine }) => machine.state === 'running' && machine.market === 'on-demand' && machine.zone !== undefined);
  const pools = new Map<string, Row[]>();
  for (const row of candidates) {
    const key = `${row.machine.type} ${row.machine.zone}`;
    pools.set(key, [...(pools.get(key) ?? []), row]);
  }
  const offers = await Promise.all([...pools.values()].map(async (members): Promise<Insight[]> => {
    const { type, region, zone } = (members[0] as Row).machine;
    const spot = (await found.provider.rates?.({ type, market: 'spot', region, zone, from: found.nowMs }, app.signal))?.prices.at(-1)?.microUsdPerHour;
    const onDemand = found.ratesOf((members[0] as Row).machine)?.prices.at(-1)?.microUsdPerHour;
    if (spot === undefined || onDemand === undefined || spot >= onDemand) return [];
    const saved = onDemand - spot;
    return [{
      kind: 'spot',
      text: `${type} costs ${formatUsd(spot)} an hour on the spot market of ${zone} and ${formatUsd(onDemand)} on demand: ${Math.round((saved / onDemand) * 100)} % less, for what may be interrupted (${named(members.map((row) => row.machine.id))})`,
      hints: [`runctl aws create ${type} --spot --region ${region}`],
      ...saves(saved * members.length),
    }];
  }));
  return offers.flat().toSorted((a, b) => (b.savesPerDayUsd ?? 0) - (a.savesPerDayUsd ?? 0));
}

function withoutLease(rows: readonly Row[]): Insight[] {
  const free = rows.filter((row) => row.machine.state === 'running' && !row.leased && !row.protected);
  if (free.length === 0) return [];
  return [{
    kind: 'no-lease',
    text: `nothing ends ${named(free.map((row) => row.machine.id))} but you: no lease bounds ${free.length === 1 ? 'its' : 'their'} hours or cost`,
    // Without a profile nobody has hands on the machine: it can be ended only.
    hints: free.slice(0, NAMED).map(({ machine: { id, region, profile } }) => (profile === undefined ? `runctl aws terminate ${id} --region ${region}` : `runctl aws lease ${id} --max-hours 8 --region ${region}`)),
  }];
}

function saves(hourly: MicroUsd): { savesPerDayUsd?: number } {
  return hourly > 0 ? { savesPerDayUsd: overHours(hourly, 24) / 1_000_000 } : {};
}
