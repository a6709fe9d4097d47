// What everything has cost: the story of `resources cost`.
import { MICROS_PER_USD, type MicroUsd } from '../../core/money.ts';
import type { Sum } from '../../cost/bill.ts';
import type { App } from '../app.ts';
import { type BudgetState, statesOf } from './budget.ts';
import { costBook } from './cost-book.ts';
import { type CostGroup, type Grouping, costReport, workOn } from './cost-report.ts';
import { projectName } from '../create.ts';
import { telling } from '../ticker.ts';

export interface CostsRequest {
  provider: string;
  by?: Grouping;
  /** Only what was billed in the last so many milliseconds. */
  sinceMs?: number;
  project?: string;
  /** Where to look for machines that this computer has not heard of; absent: the configured region. */
  regions?: string[] | 'all';
}

/** Dollars; absent: some price of it is unknown, and `knownUsd` is what is known. */
export interface CostRow {
  key: string;
  machines: number;
  runningSeconds: number;
  computeUsd?: number;
  storageUsd?: number;
  addressUsd: number;
  totalUsd?: number;
  knownUsd: number;
  /** The end of some machine is not known exactly: it cost this at most. */
  atMost?: true;
  /** Not all that some machine was used for is known: it cost this at least. */
  atLeast?: true;
}

export interface CostsResult {
  asOf: string;
  since?: string;
  by?: Grouping;
  /** Of the pretend cloud: nobody's money. */
  pretend: boolean;
  running: number;
  stopped: number;
  /** What is there goes on costing so much. */
  hourlyUsd: number;
  total: CostRow;
  /** Of `total`, for scripts; absent: some price is unknown, and `total.knownUsd` is what is known. */
  totalUsd?: number;
  totalMicroUsd?: MicroUsd;
  /** Of the total: work on machines that were taken away or lost, after the last checkpoint that was heard of. */
  lostUsd: number;
  groups: CostRow[];
  /** Machines whose price nobody could tell: not in any dollar above. */
  unknownPrices: string[];
  /** Machines that were used before anybody here knew of them: they cost more than is in the dollars above. */
  unseen: string[];
  budgets: BudgetState[];
  /** Some budget is used up. */
  overBudget: boolean;
  /** Why the cloud could not be asked: what is open was reckoned from memory. */
  notAsked?: string;
}

export async function costs(app: App, { provider: name, by, sinceMs, project, regions }: CostsRequest): Promise<CostsResult> {
  const provider = await app.provider(name);
  const ledger = await app.ledger();
  const nowMs = app.clock.now();
  const since = sinceMs === undefined ? undefined : nowMs - sinceMs;
  // Budgets are of all time and all projects, whatever is shown of it.
  const book = await telling(app, 'costs', 'ask the cloud what is still there', () => costBook(app, provider, { regions }));
  const shown = book.entries.filter((entry) => project === undefined || entry.project === project);
  const report = costReport(shown, { by, sinceMs: since, nowMs, work: (entry) => workOn(ledger, entry, nowMs) });
  const budgets = statesOf(app, book, project ?? projectName(app));
  return {
    asOf: new Date(nowMs).toISOString(),
    since: since === undefined ? undefined : new Date(since).toISOString(),
    by,
    pretend: provider.pretend ?? false,
    running: report.running,
    stopped: report.stopped,
    hourlyUsd: usd(report.hourlyMicroUsd),
    total: rowOf(report.total),
    totalUsd: report.total.sum.totalMicroUsd === undefined ? undefined : usd(report.total.sum.totalMicroUsd),
    totalMicroUsd: report.total.sum.totalMicroUsd,
    lostUsd: usd(report.lost.knownMicroUsd),
    groups: report.groups.map(rowOf),
    unknownPrices: report.unknownPrices,
    unseen: report.unseen,
    budgets,
    overBudget: budgets.some((budget) => budget.state === 'over'),
    notAsked: book.notAsked,
  };
}

function rowOf({ key, machines, sum, atMost, atLeast }: CostGroup): CostRow {
  return { key, machines, ...sumUsd(sum), ...(atMost ? { atMost } : {}), ...(atLeast ? { atLeast } : {}) };
}

export function sumUsd(sum: Sum): Omit<CostRow, 'key' | 'machines' | 'atMost' | 'atLeast'> {
  const maybe = (micros: MicroUsd | undefined): number | undefined => (micros === undefined ? undefined : usd(micros));
  return {
    runningSeconds: sum.runningSeconds,
    computeUsd: maybe(sum.computeMicroUsd),
    storageUsd: maybe(sum.storageMicroUsd),
    addressUsd: usd(sum.addressMicroUsd),
    totalUsd: maybe(sum.totalMicroUsd),
    knownUsd: usd(sum.knownMicroUsd),
  };
}

const usd = (micros: MicroUsd): number => micros / MICROS_PER_USD;
