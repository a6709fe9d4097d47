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
  /** Of the total: work after the last checkpoint on machines that were taken away or lost. */
  lostUsd: number;
  groups: CostRow[];
  /** Machines whose price nobody could tell: not in any dollar above. */
  unknownPrices: string[];
  budgets: BudgetState[];
  /** Some budget is used up. */
  overBudget: boolean;
  /** Why the cloud could not be asked: what is open was reckoned from memory. */
  notAsked?: string;
}

export async function costs(app: App, { provider: name, by, sinceMs, project }: CostsRequest): Promise<CostsResult> {
  const provider = await app.provider(name);
  const ledger = await app.ledger();
  const nowMs = app.clock.now();
  const since = sinceMs === undefined ? undefined : nowMs - sinceMs;
  // Budgets are of all time and all projects, whatever is shown of it.
  const book = await telling(app, 'costs', 'ask the cloud what is still there', () => costBook(app, provider, {}));
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
    lostUsd: usd(report.lost.knownMicroUsd),
    groups: report.groups.map(rowOf),
    unknownPrices: report.unknownPrices,
    budgets,
    overBudget: budgets.some((budget) => budget.state === 'over'),
    notAsked: book.notAsked,
  };
}

function rowOf({ key, machines, sum, atMost }: CostGroup): CostRow {
  return { key, machines, ...sumUsd(sum), ...(atMost ? { atMost } : {}) };
}

export function sumUsd(sum: Sum): Omit<CostRow, 'key' | 'machines' | 'atMost'> {
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
