// What machines have cost, added up by whatever people ask for. Pure: of a book that is open (cost-book.ts) and the work that the
// ledger remembers. Every machine's parts add up to its bill.
import type { MicroUsd } from '../../core/money.ts';
import { type Sum, addSums, billOf, splitBill, unknown } from '../../cost/bill.ts';
import { type Calendar, calendarCuts, calendarName } from '../../cost/calendar.ts';
import { wholeSecond } from '../../cost/charges.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { PHASES, type WorkSpan, attribution, workSpans } from './attribution.ts';
import type { Entry } from './cost-book.ts';

export const GROUPINGS = ['project', 'type', 'run', 'phase', 'market', 'machine', 'day', 'week', 'month'] as const;
export type Grouping = (typeof GROUPINGS)[number];

export interface CostGroup {
  key: string;
  machines: number;
  sum: Sum;
  /** The end of some machine is not known exactly. */
  atMost: boolean;
  /** Of some machine not every start is known. */
  atLeast: boolean;
}

export interface CostReport {
  groups: CostGroup[];
  total: CostGroup;
  /** Work on machines that were taken away or lost, after the last checkpoint that was heard of. */
  lost: Sum;
  hourlyMicroUsd: MicroUsd;
  running: number;
  stopped: number;
  /** Machines whose price nobody could tell. */
  unknownPrices: string[];
  /** Machines of which not every start, or not its address, is known. */
  unseen: string[];
}

/** What the ledger remembers of the work on a machine. */
export function workOn(ledger: Ledger, entry: Entry, nowMs: number): WorkSpan[] {
  const runs = ledger.listRuns({ machineId: entry.id, limit: MOST_RUNS });
  return runs.flatMap((run) => workSpans({ run, steps: ledger.stepsOf(run.id), checkpointAt: ledger.markOf(run.id, 'checkpoint') }, entry.usage, nowMs));
}

const MOST_RUNS = 10_000;

export interface ReportRequest {
  by?: Grouping;
  /** Only what was billed from then on, epoch ms. */
  sinceMs?: number;
  nowMs: number;
  work(entry: Entry): WorkSpan[];
}

export function costReport(entries: readonly Entry[], { by, sinceMs, nowMs, work }: ReportRequest): CostReport {
  const groups = new Map<string, { sums: Sum[]; machines: Set<string>; atMost: boolean; atLeast: boolean }>();
  const all: Sum[] = [];
  const lost: Sum[] = [];
  const counted = new Set<string>();
  const since = sinceMs === undefined ? -Infinity : wholeSecond(sinceMs);
  for (const entry of entries) {
    const { usage } = entry;
    const { atMost, atLeast = false } = billOf(usage, nowMs);
    const { cuts, at } = attribution(usage, work(entry), entry.runId);
    const calendar = isCalendar(by) ? calendarCuts(by, firstOf(entry), nowMs) : [];
    const parts = splitBill(usage, nowMs, {
      cuts: [...cuts, ...calendar, ...(sinceMs === undefined ? [] : [since])],
      label: (from, kind, unused) => {
        if (from < since) return EARLIER;
        const { phase, runId } = at(from, kind, unused);
        return `${phase} ${keyOf(entry, by, from, phase, runId)}`;
      },
    });
    if (parts.size === 0 && isUnknown(entry) && entry.seenAt >= since) parts.set(`boot ${keyOf(entry, by, entry.firstSeenAt, 'boot', entry.runId)}`, unknown());
    for (const [label, sum] of parts) {
      if (label === EARLIER) continue;
      const [phase, key] = [label.slice(0, label.indexOf(' ')), label.slice(label.indexOf(' ') + 1)];
      all.push(sum);
      counted.add(entry.id);
      if (phase === 'lost') lost.push(sum);
      const group = groups.get(key) ?? { sums: [], machines: new Set(), atMost: false, atLeast: false };
      groups.set(key, { sums: [...group.sums, sum], machines: group.machines.add(entry.id), atMost: group.atMost || atMost, atLeast: group.atLeast || atLeast });
    }
  }
  const made = [...groups].map(([key, { sums, machines, atMost, atLeast }]): CostGroup => ({ key, machines: machines.size, sum: addSums(sums), atMost, atLeast }));
  const rates = entries.map((entry) => hourlyOf(entry));
  return {
    groups: by === undefined ? [] : sorted(made, by),
    total: { key: 'total', machines: counted.size, sum: addSums(all), atMost: made.some(({ atMost }) => atMost), atLeast: made.some(({ atLeast }) => atLeast) },
    lost: addSums(lost),
    hourlyMicroUsd: rates.reduce((sum, rate) => sum + rate.microUsd, 0),
    running: rates.filter((rate) => rate.state === 'running').length,
    stopped: rates.filter((rate) => rate.state === 'stopped').length,
    unknownPrices: entries.filter((entry) => counted.has(entry.id) && billOf(entry.usage, nowMs).totalMicroUsd === undefined).map((entry) => entry.id),
    unseen: entries.filter((entry) => counted.has(entry.id) && billOf(entry.usage, nowMs).atLeast).map((entry) => entry.id),
  };
}

const EARLIER = '';

function isUnknown({ usage }: Entry): boolean {
  return usage.runsUnknown === true || usage.disksUnknown === true;
}

function isCalendar(by: Grouping | undefined): by is Calendar {
  return by === 'day' || by === 'week' || by === 'month';
}

function keyOf(entry: Entry, by: Grouping | undefined, at: number, phase: string, runId: string | undefined): string {
  if (isCalendar(by)) return calendarName(by, at);
  switch (by) {
    case 'project':
      return entry.project ?? '-';
    case 'type':
      return entry.type;
    case 'market':
      return entry.market;
    case 'machine':
      return entry.id;
    case 'run':
      return runId ?? '-';
    default:
      return phase;
  }
}

/** Times in their order, phases in that of a machine's life, everything else by what it cost. */
function sorted(groups: CostGroup[], by: Grouping): CostGroup[] {
  if (isCalendar(by)) return groups.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const place = (key: string): number => (PHASES as readonly string[]).indexOf(key);
  if (by === 'phase') return groups.toSorted((a, b) => place(a.key) - place(b.key));
  return groups.toSorted((a, b) => b.sum.knownMicroUsd - a.sum.knownMicroUsd || (a.key < b.key ? -1 : 1));
}

function firstOf({ usage, firstSeenAt }: Entry): number {
  return Math.min(firstSeenAt, ...usage.runs.map((run) => run.from), ...usage.disks.map((disk) => disk.from));
}

/** What it goes on costing, at the price of now; an unknown price counts as nothing here, and is named beside it. */
function hourlyOf({ usage, state }: Entry): { microUsd: MicroUsd; state?: 'running' | 'stopped' } {
  const run = usage.runs.find((one) => one.to === undefined);
  const disks = usage.disks.filter((disk) => disk.to === undefined);
  const storage = disks.reduce((sum, disk) => sum + Math.round((disk.gb * (disk.microUsdPerGbMonth ?? 0)) / 720), 0);
  if (run) return { microUsd: storage + (run.prices.at(-1)?.microUsdPerHour ?? 0) + run.addressMicroUsdPerHour, state: 'running' };
  if (usage.runsUnknown) return { microUsd: storage, state: state === 'running' ? 'running' : 'stopped' };
  return disks.length > 0 || state === 'stopped' ? { microUsd: storage, state: 'stopped' } : { microUsd: 0 };
}
