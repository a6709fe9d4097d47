// How much there is and what it costs, in numbers: by state, type and project, and against the budgets.
import type { MicroUsd } from '../../core/money.ts';
import { formatUsd } from '../../core/money.ts';
import { isOurs, runOf } from '../../core/ownership.ts';
import type { App } from '../app.ts';
import { projectName } from '../create.ts';
import { type BudgetState, budgetStates } from '../cost/budget.ts';
import type { MachineFilter } from './filters.ts';
import { type Where, ownRows } from './list.ts';
import { type Row, diskHourlyMicroUsd, overHours } from './rows.ts';
import { type Survey, survey } from './survey.ts';
import { type Warning, completed, warningsOf } from './warnings.ts';

export interface SummaryRequest extends Where, Pick<MachineFilter, 'project' | 'owner'> {}

export interface Group {
  name: string;
  machines: number;
  running: number;
  costPerHourUsd: number;
  accumulatedUsd: number;
  /** In neither sum. */
  unknownPrices: number;
}

export interface SummaryResult {
  at: string;
  machines: number;
  byState: Record<string, number>;
  byType: Group[];
  byProject: Group[];
  costPerHourUsd: number;
  costPerDayUsd: number;
  costPerWeekUsd: number;
  /** So far, of all machines that are not terminated. */
  accumulatedUsd: number;
  /** In none of the sums. */
  unknownPrices: number;
  stopped: { machines: number; diskGb: number; costPerDayUsd: number };
  unattached: { volumes: number; gb: number; costPerDayUsd: number };
  snapshots: { count: number; gb: number };
  openSpotRequests: number;
  temporaryObjects: { count: number; bytes: number };
  budgets: BudgetState[];
  warnings: Warning[];
  regions: string[];
  unanswered: { region: string; kind: string; reason: string }[];
}

export async function summarize(app: App, { provider, regions, project, owner }: SummaryRequest): Promise<SummaryResult> {
  const found = await survey(app, { provider, ...(regions === undefined ? {} : { regions }), project, owner });
  const rows = ownRows(found, { project, owner });
  const hourly = sum(rows, (row) => row.hourlyMicroUsd);
  const stopped = rows.filter(({ machine }) => machine.state === 'stopped' || machine.state === 'stopping');
  const loose = found.volumes.filter((volume) => isOurs(volume.tags) && volume.state === 'available');
  const looseHourly = loose.reduce((total, volume) => total + diskHourlyMicroUsd(volume.gb, found.diskRate(volume.region) ?? 0), 0);
  const objects = found.objects.filter(({ tags }) => runOf(tags) !== undefined);
  const budgets = await budgetStates(app, found.provider, { project: project ?? projectName(app), askCloud: false });
  return {
    at: new Date(found.nowMs).toISOString(),
    machines: rows.length,
    byState: countBy(rows, ({ machine }) => machine.state),
    byType: groups(rows, ({ machine }) => (machine.market === 'spot' ? `${machine.type} (spot)` : machine.type)),
    byProject: groups(rows, (row) => row.project ?? 'none'),
    costPerHourUsd: usd(hourly + looseHourly),
    costPerDayUsd: usd(overHours(hourly + looseHourly, 24)),
    costPerWeekUsd: usd(overHours(hourly + looseHourly, 24 * 7)),
    accumulatedUsd: usd(sum(rows, (row) => row.bill?.totalMicroUsd)),
    unknownPrices: rows.filter((row) => row.hourlyMicroUsd === undefined).length,
    stopped: { machines: stopped.length, diskGb: sum(stopped, (row) => row.diskGb), costPerDayUsd: usd(overHours(sum(stopped, (row) => row.hourlyMicroUsd), 24)) },
    unattached: { volumes: loose.length, gb: loose.reduce((gb, volume) => gb + volume.gb, 0), costPerDayUsd: usd(overHours(looseHourly, 24)) },
    snapshots: { count: ours(found, 'snapshots').length, gb: found.snapshots.filter(({ tags }) => isOurs(tags)).reduce((gb, snapshot) => gb + snapshot.gb, 0) },
    openSpotRequests: found.spotRequests.filter(({ tags, state }) => isOurs(tags) && state === 'open').length,
    temporaryObjects: { count: objects.length, bytes: objects.reduce((bytes, object) => bytes + object.bytes, 0) },
    budgets,
    warnings: [...budgetWarnings(budgets, hourly + looseHourly), ...warningsOf(found, rows)].map((one) => ({ ...one, hints: completed(app, one.hints) })),
    regions: found.regions,
    unanswered: found.failed,
  };
}

const ours = (found: Survey, kind: 'snapshots'): { tags: Record<string, string> }[] => found[kind].filter(({ tags }) => isOurs(tags));

/** What was spent of a budget, and what becomes of it if everything goes on like this. */
function budgetWarnings(budgets: readonly BudgetState[], hourly: MicroUsd): Warning[] {
  const spent = budgets.filter(({ state }) => state !== 'ok').map((budget): Warning => ({
    kind: 'budget',
    text: `${Math.round(budget.percent)} % of budget.${budget.kind} (${budget.of}) is spent: ${money(budget.spentUsd)} of ${money(budget.limitUsd)}`,
    hints: ['runctl resources cost --daily', 'runctl resources stop-all --dry-run'],
  }));
  const day = budgets.find(({ kind }) => kind === 'day');
  const daily = usd(overHours(hourly, 24));
  const rate: Warning[] = day && daily > day.limitUsd ? [{ kind: 'rate', text: `what runs now costs ${money(daily)} a day, more than budget.day (${money(day.limitUsd)})`, hints: ['runctl resources list --sort cost', 'runctl resources stop-all --dry-run'] }] : [];
  return [...spent, ...rate];
}

function groups(rows: readonly Row[], nameOf: (row: Row) => string): Group[] {
  const byName = new Map<string, Row[]>();
  for (const row of rows) byName.set(nameOf(row), [...(byName.get(nameOf(row)) ?? []), row]);
  return [...byName]
    .map(([name, members]) => ({
      name, machines: members.length, running: members.filter(({ machine }) => machine.state === 'running').length,
      costPerHourUsd: usd(sum(members, (row) => row.hourlyMicroUsd)), accumulatedUsd: usd(sum(members, (row) => row.bill?.totalMicroUsd)),
      unknownPrices: members.filter((row) => row.hourlyMicroUsd === undefined).length,
    }))
    .toSorted((a, b) => b.costPerHourUsd - a.costPerHourUsd || (a.name < b.name ? -1 : 1));
}

function countBy(rows: readonly Row[], nameOf: (row: Row) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const row of rows) counts[nameOf(row)] = (counts[nameOf(row)] ?? 0) + 1;
  return counts;
}

function sum(rows: readonly Row[], value: (row: Row) => number | undefined): number {
  return rows.reduce((total, row) => total + (value(row) ?? 0), 0);
}

const usd = (micros: MicroUsd): number => micros / 1_000_000;
const money = (dollars: number): string => formatUsd(Math.round(dollars * 1_000_000), 2);
