// Prices for what machines were used for: each question to the cloud once for all machines that share its answer. What a finished
// start was billed at is kept in the ledger; price histories reach back ninety days only.
import type { Market } from '../../core/machine.ts';
import type { Provider } from '../../core/ports.ts';
import type { MachineUsage, Rates, RatesWish, RunSpan } from '../../core/usage.ts';
import type { App } from '../app.ts';

/** What prices depend on. */
export interface Kind {
  type: string;
  market: Market;
  region: string;
  zone?: string;
}

type Used = Kind & { usage: MachineUsage };

/** The usage with every price that can be had. Throws only when the cloud may not be asked at all. */
export async function priced(app: App, provider: Provider, kind: Kind, usage: MachineUsage): Promise<MachineUsage> {
  return (await pricedAll(app, provider, [{ ...kind, usage }]))[0] as MachineUsage;
}

export async function pricedAll(app: App, provider: Provider, used: readonly Used[]): Promise<MachineUsage[]> {
  const wishes = new Map<string, RatesWish>();
  for (const one of used) {
    for (const run of missing(one.usage)) {
      const wish = wishOf(one, run);
      const known = wishes.get(keyOf(wish));
      if (known) Object.assign(known, { from: Math.min(known.from, wish.from), to: known.to === undefined || wish.to === undefined ? undefined : Math.max(known.to, wish.to) });
      else wishes.set(keyOf(wish), wish);
    }
    const [disk] = one.usage.disks.filter((span) => span.microUsdPerGbMonth === undefined);
    const wish = disk && wishOf({ ...one, market: 'on-demand' }, disk);
    // A disk costs the same whatever its machine was bought as; the answers for the machine say it too.
    if (wish && missing(one.usage).length === 0 && !wishes.has(keyOf(wish))) wishes.set(keyOf(wish), wish);
  }
  const rates = new Map<string, Rates>();
  await Promise.all([...wishes].map(async ([key, wish]) => {
    const found = await provider.rates?.(wish, app.signal);
    if (found) rates.set(key, found);
  }));
  const diskRates = new Map([...wishes].flatMap(([key, { region }]) => { const found = rates.get(key); return found ? [[region, found.diskMicroUsdPerGbMonth] as const] : []; }));
  return Promise.all(used.map((one) => complete(app, one, rates, diskRates.get(one.region))));
}

async function complete(app: App, { usage, ...kind }: Used, rates: Map<string, Rates>, diskMicroUsdPerGbMonth: number | undefined): Promise<MachineUsage> {
  const open = new Set(missing(usage));
  const runs = usage.runs.map((run) => (open.has(run) ? { ...run, prices: rates.get(keyOf(wishOf(kind, run)))?.prices ?? [] } : run));
  const disks = usage.disks.map((disk) => (disk.microUsdPerGbMonth === undefined && diskMicroUsdPerGbMonth !== undefined ? { ...disk, microUsdPerGbMonth: diskMicroUsdPerGbMonth } : disk));
  const found = runs.filter((run, n) => run.to !== undefined && run.prices.length > 0 && open.has(usage.runs[n] as RunSpan)).map((run) => ({ from: run.from, prices: within(run) }));
  if (found.length > 0 || disks.some((disk, n) => disk.microUsdPerGbMonth !== usage.disks[n]?.microUsdPerGbMonth)) {
    try {
      (await app.ledger()).notePrices(usage.machineId, { runs: found, diskMicroUsdPerGbMonth });
    } catch {
      // They are asked for again the next time.
    }
  }
  return { ...usage, runs, disks };
}

/** A start that goes on may see more changes; one that has ended keeps what was found. */
function missing(usage: MachineUsage): RunSpan[] {
  return usage.runs.filter((run) => run.to === undefined || run.prices.length === 0);
}

/** Of changes asked for together with other machines', those that matter to this start. */
function within({ prices, from, to = Infinity }: RunSpan): RunSpan['prices'] {
  const before = prices.findLastIndex(({ at }) => at <= from);
  return prices.filter(({ at }, n) => n >= before && (at < to || n === before));
}

function wishOf({ type, market, region, zone }: Kind, span: { from: number; to?: number; market?: Market }): RatesWish {
  return { type, market: span.market ?? market, region, zone, from: span.from, to: span.to };
}

const keyOf = ({ type, market, region, zone }: RatesWish): string => JSON.stringify([type, market, region, market === 'spot' ? zone : '']);
