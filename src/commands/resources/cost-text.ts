// How sums of money are shown: a table for people, a CSV for spreadsheets.
import { formatUsd } from '../../core/money.ts';
import type { BudgetState } from '../../engine/cost/budget.ts';
import type { CostRow, CostsResult } from '../../engine/cost/costs.ts';
import { csvCell } from '../../engine/resources/export.ts';
import { type Style, formatElapsed } from '../../ui/style.ts';
import { renderFacts } from '../machine/facts.ts';
import { renderTable } from './table.ts';

const TITLES: Record<string, string> = { day: 'DAY', week: 'WEEK', month: 'MONTH', project: 'PROJECT', type: 'TYPE', run: 'RUN', phase: 'PHASE', market: 'MARKET', machine: 'MACHINE' };
const BAR = 20;

export function costText(result: CostsResult, style: Style): string {
  const { total, unknownPrices, unseen, notAsked } = result;
  return [
    ...(notAsked === undefined ? [] : [`${style.warn('!')} not all of the cloud could be asked (${style.foreign(notAsked)}): what is still there was reckoned from memory`]),
    ...renderFacts([
      [result.since === undefined ? 'To date' : 'Since then', total.machines === 0 ? 'nothing was billed' : `${totalText(total)}${result.pretend ? ' of pretend money: the built-in cloud bills nobody' : ''}`],
      ['Now', result.running + result.stopped === 0 ? 'nothing is left that costs' : `${dollars(result.hourlyUsd, 4)} an hour (${[count(result.running, 'running'), count(result.stopped, 'stopped')].filter(Boolean).join(', ')})`],
      ['Lost', result.lostUsd === 0 ? undefined : `${dollars(result.lostUsd, 6)} for work on machines that were taken away or lost, after the last checkpoint that this computer heard of`],
      ['Since', result.since],
    ]),
    ...(result.groups.length === 0 ? [] : ['', ...table(result, style)]),
    ...(result.budgets.length === 0 ? [] : ['', ...result.budgets.map((budget) => budgetLine(budget, style))]),
    ...(unknownPrices.length === 0 ? [] : ['', `${style.warn('!')} nobody could tell the price of ${some(unknownPrices)}: no sum above has all of it`]),
    ...(unseen.length === 0 ? [] : ['', `${style.warn('!')} used before this computer knew of ${unseen.length === 1 ? 'it' : 'them'}: ${some(unseen)}; earlier starts and their addresses are in no sum above`]),
    ...(total.machines === 0 && !result.pretend ? ['  What the built-in cloud would bill: runctl resources cost --sim'] : []),
  ].join('\n');
}

function table({ by, groups, total }: CostsResult, style: Style): string[] {
  const digits = digitsFor(groups.concat(total));
  return renderTable([...groups, { ...total, key: 'total' }], [
    { title: TITLES[by ?? 'phase'] ?? '', cell: (row) => row.key },
    { title: 'MACHINES', cell: (row) => String(row.machines), right: true },
    { title: 'RUNNING', cell: (row) => (row.runningSeconds === 0 ? undefined : formatElapsed(row.runningSeconds * 1000)), right: true },
    { title: 'COMPUTE', cell: (row) => (row.computeUsd === undefined ? '?' : fixed(row.computeUsd, digits)), right: true },
    { title: 'DISK', cell: (row) => (row.storageUsd === undefined ? '?' : fixed(row.storageUsd, digits)), right: true },
    { title: 'ADDRESS', cell: (row) => fixed(row.addressUsd, digits), right: true },
    { title: 'TOTAL', cell: (row) => totalText(row, digits), right: true },
  ], style);
}

/** As few as the largest sum needs, as many as the smallest: what cost something never reads $0.00. */
function digitsFor(rows: readonly CostRow[]): number {
  const amounts = rows.flatMap(({ computeUsd, storageUsd, addressUsd, knownUsd }) => [computeUsd ?? 0, storageUsd ?? 0, addressUsd, knownUsd]);
  const largest = Math.max(...amounts);
  const wanted = largest >= 100 ? 2 : largest >= 0.1 ? 4 : 6;
  return [wanted, 4].find((digits) => digits >= wanted && amounts.every((usd) => usd === 0 || Number(usd.toFixed(digits)) > 0)) ?? 6;
}

function some(ids: readonly string[]): string {
  return `${ids.slice(0, 5).join(', ')}${ids.length > 5 ? ` and ${ids.length - 5} more` : ''}`;
}

/** "$1.2345", "at most $1.2345", "$1.00 + ?": an unknown price is never a zero. */
function totalText({ totalUsd, knownUsd, atMost, atLeast }: CostRow, digits = 6): string {
  return `${atMost && atLeast ? 'about ' : atMost ? 'at most ' : atLeast ? 'at least ' : ''}${fixed(knownUsd, digits)}${totalUsd === undefined ? ' + ?' : ''}`;
}

function budgetLine({ kind, of, percent, spentUsd, limitUsd, state, unknownPrices }: BudgetState, style: Style): string {
  const full = Math.min(BAR, Math.round((percent / 100) * BAR));
  const paint = { ok: style.good, warning: style.warn, over: style.bad }[state];
  const words = `${Math.floor(percent)} % of ${dollars(limitUsd, 2)} (${dollars(spentUsd, 4)})${unknownPrices === undefined ? '' : `, without ${unknownPrices} of unknown price`}`;
  return `  Budget ${kind.padEnd(7)} ${style.foreign(of)}  ${paint('█'.repeat(full))}${style.dim('░'.repeat(BAR - full))} ${words}`;
}

export function costCsv({ by, groups, total }: CostsResult): string {
  const rows = [...groups, { ...total, key: 'total' }].map((row) => [row.key, row.machines, row.runningSeconds, row.computeUsd, row.storageUsd, row.addressUsd, row.totalUsd, row.knownUsd, row.atMost ?? false, row.atLeast ?? false]);
  const cells = [[by ?? 'phase', 'machines', 'running_seconds', 'compute_usd', 'storage_usd', 'address_usd', 'total_usd', 'known_usd', 'at_most', 'at_least'], ...rows];
  return cells.map((row) => row.map((cell) => csvCell(String(cell ?? ''))).join(',')).join('\r\n');
}

function dollars(usd: number, digits: number): string {
  return formatUsd(Math.round(usd * 1_000_000), digits);
}

/** For columns: as many digits in every row. */
function fixed(usd: number, digits: number): string {
  return `$${usd.toFixed(digits)}`;
}

function count(n: number, what: string): string {
  return n === 0 ? '' : `${n} ${what}`;
}
