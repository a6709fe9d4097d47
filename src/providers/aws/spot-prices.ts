// What spot machines cost now, per type and zone: EC2's price history asked from this moment on gives the price in effect in each
// zone. Source: EC2 API Reference, DescribeSpotPriceHistory. Not here: what was paid in the past (usage.ts), on demand (prices.ts).
import type { SpotPrice } from '@aws-sdk/client-ec2';
import { RunctlError } from '../../core/errors.ts';
import type { HourlyPrice } from '../../core/machine.ts';
import { parseUsd } from '../../core/money.ts';
import type { MicroUsd } from '../../core/money.ts';
import type { AwsApi } from './clients.ts';
import type { AnswerMemory } from './memory.ts';

/** Prices in effect, micro-dollars per hour. */
export interface SpotQuotes {
  of(type: string, zone: string): MicroUsd | undefined;
  /** Zones with a price for the type, cheapest first. */
  zones(type: string): string[];
  /** `YYYY-MM-DD HH:MM` UTC. */
  asked: string;
  /** Why nobody could tell. */
  why?: string;
}

/** The same Linux machines, once under the name that accounts of before 2013 know. */
const LINUX = ['Linux/UNIX', 'Linux/UNIX (Amazon VPC)'];
const question = (types: string[], now: number) => ({ InstanceTypes: types as never[], ProductDescriptions: LINUX, StartTime: new Date(now), MaxResults: 1000 });

/** Never throws for want of a price: it is an aid, not a condition. */
export async function currentSpotPrices(api: AwsApi, types: string[], signal?: AbortSignal): Promise<SpotQuotes> {
  try {
    return quotes(await readRows(api, types, signal), api.clock.now());
  } catch (error) {
    if (!(error instanceof RunctlError) || error.code === 'credentials-missing' || signal?.aborted) throw error;
    return { ...quotes([], api.clock.now()), why: error.message };
  }
}

/** Asked anew whatever is remembered. Each type's share is remembered by itself, for the plans that follow. */
export async function refreshSpotPrices(memory: AnswerMemory, types: string[], signal?: AbortSignal): Promise<SpotQuotes> {
  memory.forget('DescribeSpotPriceHistory');
  const found = await currentSpotPrices(memory.api, types, signal);
  if (found.why === undefined && types.length > 1) {
    const rows = await readRows(memory.api, types, signal);
    for (const type of types) memory.learn('ec2', 'DescribeSpotPriceHistory', question([type], 0), { SpotPriceHistory: rows.filter((row) => row.InstanceType === type) });
  }
  return found;
}

async function readRows(api: AwsApi, types: string[], signal?: AbortSignal): Promise<SpotPrice[]> {
  const rows: SpotPrice[] = [];
  let token: string | undefined;
  do {
    const page = await api.ec2('DescribeSpotPriceHistory', { ...question(types, api.clock.now()), ...(token ? { NextToken: token } : {}) }, { signal, subject: types.join(', ') });
    rows.push(...(page.SpotPriceHistory ?? []));
    // An empty token ends the list too.
    token = page.NextToken || undefined;
  } while (token);
  return rows;
}

/** Of several changes the latest counts: a clock that runs ahead or behind brings more or fewer along. */
function quotes(rows: SpotPrice[], now: number): SpotQuotes {
  const latest = new Map<string, { at: number; micros: MicroUsd; type: string; zone: string }>();
  for (const row of rows) {
    const { InstanceType: type, AvailabilityZone: zone, SpotPrice: usd } = row;
    if (!type || !zone || !usd || !/^\d+(\.\d+)?$/.test(usd)) continue;
    const at = row.Timestamp?.getTime() ?? 0;
    const known = latest.get(`${type} ${zone}`);
    if (!known || at > known.at) latest.set(`${type} ${zone}`, { at, micros: parseUsd(usd), type, zone });
  }
  const sorted = [...latest.values()].sort((a, b) => a.micros - b.micros || (a.zone < b.zone ? -1 : 1));
  return {
    of: (type, zone) => latest.get(`${type} ${zone}`)?.micros,
    zones: (type) => sorted.filter((one) => one.type === type).map((one) => one.zone),
    asked: new Date(now).toISOString().slice(0, 16).replace('T', ' '),
  };
}

/** The price of a machine on demand, as that of the same one bought as spot. */
export function asSpot(price: HourlyPrice, type: string, zone: string | undefined, quoted: SpotQuotes): HourlyPrice {
  const { computeMicroUsd: onDemandMicroUsd, source, ...rest } = price;
  const computeMicroUsd = zone === undefined ? undefined : quoted.of(type, zone);
  const from = computeMicroUsd === undefined ? `spot price unknown: ${quoted.why ?? `EC2 names none for ${type} in ${zone ?? 'an unknown zone'}`}` : `EC2 spot price in ${zone}, ${quoted.asked} UTC`;
  return {
    ...rest,
    ...(computeMicroUsd === undefined ? {} : { computeMicroUsd }),
    ...(onDemandMicroUsd === undefined ? {} : { onDemandMicroUsd }),
    source: `${from}; on demand: ${source}`,
  };
}
