// Budgets over all runs: what was spent of them, and whether another machine may be started. They bound what is begun, not what
// runs: that is what leases are for (lease.ts).
import { durationText } from '../../core/durations.ts';
import { RunctlError } from '../../core/errors.ts';
import { type MachinePlan, runningMicroUsdPerHour } from '../../core/machine.ts';
import { type MicroUsd, MICROS_PER_USD, formatUsd } from '../../core/money.ts';
import type { Provider } from '../../core/ports.ts';
import { splitBill } from '../../cost/bill.ts';
import { calendarName, calendarStart } from '../../cost/calendar.ts';
import { accruedMicroUsd } from '../../cost/cost.ts';
import type { App } from '../app.ts';
import { type Book, type Entry, costBook } from './cost-book.ts';

export type BudgetKind = 'project' | 'day' | 'month';

export interface BudgetState {
  kind: BudgetKind;
  /** The project, the day (2026-01-31) or the month (2026-01), in UTC. */
  of: string;
  limitUsd: number;
  spentUsd: number;
  /** Of the limit. */
  percent: number;
  state: 'ok' | 'warning' | 'over';
  /** Machines that are not in `spentUsd`: nobody could tell their price. */
  unknownPrices?: number;
}

export interface BudgetWish {
  project: string;
  plan: MachinePlan;
  /** How long it is expected to run. */
  hours: number;
  /** What its lease lets it cost at most. */
  maxCostMicroUsd?: MicroUsd;
  /** Confirmed already. */
  yes?: boolean;
}

const WARN_PERCENT = 80;

/** Throws `over-budget` when a budget is used up, or would be by this machine, and nobody confirms it; warns from 80 %. */
export async function requireBudget(app: App, provider: Provider, wish: BudgetWish): Promise<void> {
  if (limits(app).length === 0 || !provider.usage) return;
  const expected = expectedMicroUsd(wish);
  // What the ledger knows is quick to add up, and never too little: machines that are gone already still count in it.
  let states = await budgetStates(app, provider, { project: wish.project, askCloud: false });
  if (states.some((state) => after(state, expected) >= WARN_PERCENT)) states = await budgetStates(app, provider, { project: wish.project });
  if (expected === undefined) app.report({ kind: 'note', level: 'warning', text: `nobody could tell the price of ${wish.plan.type}: budgets count it as nothing` });
  const over = states.filter((state) => after(state, expected) > 100);
  for (const state of states) {
    if (!over.includes(state) && after(state, expected) >= WARN_PERCENT) app.report({ kind: 'note', level: 'warning', text: `${budgetText(state)}${expectedText(wish, state, expected)}` });
  }
  if (over.length === 0) return;
  const what = over.map((state) => `${budgetText(state)}${expectedText(wish, state, expected)}`).join('; ');
  if (wish.yes || (await confirmed(app, `${what}. Start the machine all the same?`))) {
    app.report({ kind: 'note', level: 'warning', text: `${what}; confirmed` });
    return;
  }
  throw new RunctlError('over-budget', `${over[0]?.state === 'over' ? 'a budget is used up' : 'a budget would be used up'}; nothing was started`, {
    cause: `${what}.`,
    hints: [...over.map(({ kind, limitUsd }) => `runctl config set budget.${kind} ${nextLimit(limitUsd)}`), 'runctl resources cost', 'runctl resources list'],
    data: { budgets: over, expectedUsd: expected === undefined ? undefined : expected / MICROS_PER_USD },
  });
}

export interface BudgetQuestion {
  project: string;
  askCloud?: boolean;
}

/** Every budget that is set. */
export async function budgetStates(app: App, provider: Provider, { project, askCloud }: BudgetQuestion): Promise<BudgetState[]> {
  if (limits(app).length === 0) return [];
  return statesOf(app, await costBook(app, provider, { askCloud }), project);
}

/** Of a book that is open already. */
export function statesOf(app: App, { entries }: Book, project: string): BudgetState[] {
  const nowMs = app.clock.now();
  return limits(app).map(({ kind, limitUsd }) => {
    const spent = kind === 'project' ? spentOn(entries.filter((entry) => entry.project === project), nowMs) : spentSince(entries, kind, nowMs);
    const spentUsd = spent.microUsd / MICROS_PER_USD;
    const percent = Math.round((spentUsd / limitUsd) * 1000) / 10;
    return {
      kind, of: kind === 'project' ? project : calendarName(kind, nowMs), limitUsd, spentUsd, percent,
      state: percent >= 100 ? 'over' as const : percent >= WARN_PERCENT ? 'warning' as const : 'ok' as const,
      ...(spent.unknown > 0 ? { unknownPrices: spent.unknown } : {}),
    };
  });
}

interface Spent {
  microUsd: MicroUsd;
  /** Machines whose price nobody could tell. */
  unknown: number;
}

function spentOn(entries: readonly Entry[], nowMs: number): Spent {
  return add(entries.map((entry) => splitBill(entry.usage, nowMs, { cuts: [], label: () => 'all' }).get('all')));
}

function spentSince(entries: readonly Entry[], kind: 'day' | 'month', nowMs: number): Spent {
  const start = calendarStart(kind, nowMs);
  return add(entries.map((entry) => splitBill(entry.usage, nowMs, { cuts: [start], label: (from) => (from >= start ? 'now' : 'before') }).get('now')));
}

function add(sums: readonly ({ knownMicroUsd: MicroUsd; totalMicroUsd?: MicroUsd } | undefined)[]): Spent {
  return {
    microUsd: sums.reduce((all, sum) => all + (sum?.knownMicroUsd ?? 0), 0),
    unknown: sums.filter((sum) => sum !== undefined && sum.totalMicroUsd === undefined).length,
  };
}

function limits(app: App): { kind: BudgetKind; limitUsd: number }[] {
  const { budget } = app.config;
  return (['project', 'day', 'month'] as const).flatMap((kind) => (budget[kind] === undefined ? [] : [{ kind, limitUsd: budget[kind] }]));
}

/** What another machine is expected to cost; undefined: its price is unknown. */
function expectedMicroUsd({ plan, hours, maxCostMicroUsd }: BudgetWish): MicroUsd | undefined {
  const hourly = runningMicroUsdPerHour(plan.price);
  if (hourly === undefined) return maxCostMicroUsd;
  return Math.min(maxCostMicroUsd ?? Infinity, accruedMicroUsd(hourly, Math.ceil(hours * 3600)));
}

function after({ spentUsd, limitUsd }: BudgetState, expected: MicroUsd | undefined): number {
  return ((spentUsd + (expected ?? 0) / MICROS_PER_USD) / limitUsd) * 100;
}

const WORDS: Record<BudgetKind, string> = { project: 'project', day: 'the day', month: 'the month' };

/** "the budget of project digits is used up to 85 %: $8.50 of $10.00" */
export function budgetText({ kind, of, spentUsd, limitUsd, percent, unknownPrices }: BudgetState): string {
  const unknown = unknownPrices === undefined ? '' : ` (without ${unknownPrices} machine${unknownPrices === 1 ? '' : 's'} of unknown price)`;
  return `the budget of ${WORDS[kind]} ${of} is used up to ${Math.floor(percent)} %: ${formatUsd(spentUsd * MICROS_PER_USD)} of ${formatUsd(limitUsd * MICROS_PER_USD)}${unknown}`;
}

function expectedText({ hours, maxCostMicroUsd }: BudgetWish, state: BudgetState, expected: MicroUsd | undefined): string {
  if (expected === undefined) return '';
  const adds = expected === maxCostMicroUsd ? 'this machine may add' : `${durationText(hours * 3_600_000)} of this machine add`;
  return `; ${adds} ${formatUsd(expected)}, which makes ${Math.round(after(state, expected))} %`;
}

async function confirmed(app: App, text: string): Promise<boolean> {
  try {
    return await app.ask({ text, flag: '--yes' });
  } catch (error) {
    // Nobody is there to be asked: that is no confirmation.
    if (error instanceof RunctlError && error.code === 'declined') return false;
    throw error;
  }
}

function nextLimit(limitUsd: number): number {
  return Math.round(limitUsd * 2 * 100) / 100;
}
