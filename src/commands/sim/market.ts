// runctl sim market
import { RunctlError } from '../../core/errors.ts';
import { MICROS_PER_USD, parseUsd } from '../../core/money.ts';
import type { MicroUsd } from '../../core/money.ts';
import type { PoolReport } from '../../sim/daemon.ts';
import { defineCommand } from '../define.ts';
import { renderTable } from '../resources/table.ts';
import type { Column } from '../resources/table.ts';

interface MarketResult {
  /** `cheapest`: of each type the cheapest zone, and every pool that somebody changed or uses. */
  shown: 'all' | 'cheapest' | 'changed';
  region?: string;
  pools: PoolReport[];
}

const NONE = ['none', 'plenty'];

export const simMarketCommand = defineCommand({
  description:
    'The pretend spot market: what machines of a type cost in a zone now, and how many of them there are. Without --type or --zone: the ' +
    'cheapest zone of each type in the region. "set" changes pools from now on: machines that pay less than a new price, or that a new number leaves no ' +
    'room for, get their two minutes\' notice. Prices move by themselves until one is set; "--price none" gives it back.',
  args: [{ name: 'what', summary: 'set', optional: true }],
  flags: {
    type: { kind: 'text', placeholder: 'TYPE', summary: 'instance type' },
    zone: { kind: 'text', placeholder: 'ZONE', summary: 'availability zone (set: default all that sell the type)' },
    price: { kind: 'text', placeholder: 'USD', summary: 'set: price of an hour, or none to leave it to the market' },
    capacity: { kind: 'text', placeholder: 'N', summary: 'set: how many spot machines there are, or none for plenty' },
  },
  examples: [
    'runctl sim market',
    'runctl sim market --type t3.micro',
    'runctl sim market set --type t3.micro --zone us-east-1a --capacity 0',
    'runctl sim market set --type t3.micro --price 0.02',
    'runctl sim market set --type t3.micro --price none --capacity none',
    'runctl sim market --zone us-east-1a --output json',
  ],
  run: async ({ args, flags }, app): Promise<MarketResult> => {
    const change = changeOf(args['what'], flags);
    const { type, zone } = flags;
    const sim = await app.sim();
    const { region: home } = await sim.start({});
    const region = zone === undefined && change === undefined ? (app.config.aws.region ?? home) : undefined;
    const { pools } = (await sim.call(change ? 'market-set' : 'market', { type, zone, region, ...change })) as unknown as { pools: PoolReport[] };
    if (change) return { shown: 'changed', pools };
    return type === undefined && zone === undefined ? { shown: 'cheapest', region, pools: cheapest(pools) } : { shown: 'all', region, pools };
  },
  text: ({ shown, region, pools }, style) =>
    [
      ...renderTable(pools, COLUMNS, style),
      ...(shown === 'cheapest' ? ['', `The cheapest zone of each type in ${region}, and what was changed or is in use; --type or --zone shows every pool.`] : []),
    ].join('\n'),
});

const COLUMNS: Column<PoolReport>[] = [
  { title: 'TYPE', cell: (pool) => pool.type },
  { title: 'ZONE', cell: (pool) => pool.zone },
  { title: 'SPOT', cell: (pool) => perHour(pool.microUsdPerHour), right: true },
  { title: 'ON-DEMAND', cell: (pool) => perHour(pool.onDemandMicroUsdPerHour), right: true },
  { title: 'SHARE', cell: (pool) => `${Math.round(pool.share * 100)} %`, right: true },
  { title: 'CAPACITY', cell: (pool) => (pool.capacity === null ? 'plenty' : String(pool.capacity)), right: true },
  { title: 'RUNNING', cell: (pool) => String(pool.running), right: true },
  { title: 'PRICE SET', cell: (pool) => (pool.isPriceSet ? 'by hand' : '') },
];

/** Four digits always, so that columns can be compared by eye. */
function perHour(microUsd: MicroUsd): string {
  return `$${(microUsd / MICROS_PER_USD).toFixed(4)}/h`;
}

function cheapest(pools: readonly PoolReport[]): PoolReport[] {
  const best = new Map<string, PoolReport>();
  for (const pool of pools) if (pool.microUsdPerHour < (best.get(pool.type)?.microUsdPerHour ?? Infinity)) best.set(pool.type, pool);
  return pools.filter((pool) => best.get(pool.type) === pool || pool.isPriceSet || pool.capacity !== null || pool.running > 0);
}

interface Change {
  microUsdPerHour?: MicroUsd | null;
  capacity?: number | null;
}

/** Undefined: nothing is to be changed. */
function changeOf(what: string | undefined, flags: { type?: string; price?: string; capacity?: string }): Change | undefined {
  const { type, price, capacity } = flags;
  const hints = [`runctl sim market set --type ${type ?? 't3.micro'} --capacity 0`, `runctl sim market --type ${type ?? 't3.micro'}`];
  if (what !== undefined && what !== 'set') throw new RunctlError('usage', `the market can be set, not "${what}"`, { hints });
  if (what === undefined) {
    if (price !== undefined || capacity !== undefined) throw new RunctlError('usage', 'to change the market, say "sim market set"', { hints });
    return undefined;
  }
  if (type === undefined) throw new RunctlError('usage', '--type is missing: the market of which machines?', { hints });
  if (price === undefined && capacity === undefined) throw new RunctlError('usage', 'nothing to set: give --price or --capacity', { hints });
  return {
    ...(price === undefined ? {} : { microUsdPerHour: NONE.includes(price) ? null : usdOf(price, hints) }),
    ...(capacity === undefined ? {} : { capacity: NONE.includes(capacity) ? null : machinesOf(capacity, hints) }),
  };
}

function usdOf(text: string, hints: string[]): MicroUsd {
  try {
    return parseUsd(text.replace(/^\$/, ''));
  } catch {
    throw new RunctlError('usage', `--price must be USD per hour or none, not "${text}"`, { hints });
  }
}

function machinesOf(text: string, hints: string[]): number {
  if (!/^\d{1,6}$/.test(text)) throw new RunctlError('usage', `--capacity must be a number of machines or none, not "${text}"`, { hints });
  return Number(text);
}
