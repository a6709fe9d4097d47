// What a machine costs an hour: the Price List API first, the dated table second, otherwise unknown - never a guess.
// Source: Price List Query API Reference, GetProducts; the answer holds one JSON text per product.
import { RunctlError } from '../../core/errors.ts';
import type { HourlyPrice } from '../../core/machine.ts';
import { parseUsd } from '../../core/money.ts';
import type { MicroUsd } from '../../core/money.ts';
import type { AwsApi } from './clients.ts';
import type { Env } from './environment.ts';
import { GP3_USD_PER_GB_MONTH, IPV4_USD_PER_HOUR, PRICE_TABLE, TABLE_DATE, TABLE_REGION } from './price-table.ts';

/** As the EBS pricing page counts in its examples. */
const HOURS_PER_MONTH = 720;
const PRICE_TIMEOUT_MS = 3_000;

/** Of a public IPv4 address while its machine runs. */
export const ADDRESS_MICRO_USD_PER_HOUR = parseUsd(IPV4_USD_PER_HOUR);

export interface UnitPrices {
  computeMicroUsd?: MicroUsd;
  gp3MicroUsdPerGbMonth: MicroUsd;
  source: string;
}

/** Prices that do not depend on how big the disk will be, so that they can be asked for early: on demand, whatever the market. Of one type and region they are asked for once, however many machines there are. */
export async function unitPrices(api: AwsApi, type: string, region: string, signal?: AbortSignal): Promise<UnitPrices> {
  const [compute, disk] = await Promise.all([
    ask(api, signal, {
      instanceType: type,
      regionCode: region,
      operatingSystem: 'Linux',
      preInstalledSw: 'NA',
      tenancy: 'Shared',
      // Without it, reservation entries priced 0 come along.
      capacitystatus: 'Used',
    }, 'Hrs'),
    ask(api, signal, { productFamily: 'Storage', volumeApiName: 'gp3', regionCode: region }, 'GB-Mo'),
  ]);
  const gp3 = disk?.micros ?? parseUsd(GP3_USD_PER_GB_MONTH);
  const diskNote = disk || region === TABLE_REGION ? '' : `; disk at the ${TABLE_REGION} rate`;
  if (compute) return { computeMicroUsd: compute.micros, gp3MicroUsdPerGbMonth: gp3, source: `AWS Price List API ${compute.published}${diskNote}` };
  const row = region === TABLE_REGION ? PRICE_TABLE[type] : undefined;
  if (row) return { computeMicroUsd: parseUsd(row.usdPerHour), gp3MicroUsdPerGbMonth: gp3, source: `built-in table ${TABLE_DATE}${diskNote}` };
  return { gp3MicroUsdPerGbMonth: gp3, source: `unknown: no answer from the Price List API, and no entry for ${type} in ${region} in the built-in table${diskNote}` };
}

export function hourlyPrice(unit: UnitPrices, diskGb: number, publicAddress: boolean): HourlyPrice {
  return {
    ...(unit.computeMicroUsd === undefined ? {} : { computeMicroUsd: unit.computeMicroUsd }),
    storageMicroUsd: Math.ceil((unit.gp3MicroUsdPerGbMonth * diskGb) / HOURS_PER_MONTH),
    addressMicroUsd: publicAddress ? ADDRESS_MICRO_USD_PER_HOUR : 0,
    storage: { gb: diskGb, microUsdPerGbMonth: unit.gp3MicroUsdPerGbMonth },
    source: unit.source,
  };
}

type Answer = { micros: MicroUsd; published: string } | undefined;

/** Answers of this process, by environment: that is shared by the regions of one provider, and the Price List is one for all. */
const asked = new WeakMap<Env, Map<string, { at: number; answer: Promise<Answer> }>>();
/** List prices change a few times a year; a list that is watched for days shall learn of it. */
const FRESH_MS = 3_600_000;

function ask(api: AwsApi, signal: AbortSignal | undefined, fields: Record<string, string>, unit: string): Promise<Answer> {
  const answers = asked.get(api.env) ?? new Map<string, { at: number; answer: Promise<Answer> }>();
  asked.set(api.env, answers);
  const key = JSON.stringify(fields);
  const known = answers.get(key);
  if (known && api.clock.monotonic() - known.at < FRESH_MS) return known.answer;
  const answer = askNow(api, signal, fields, unit);
  answers.set(key, { at: api.clock.monotonic(), answer });
  const forget = (): void => void (answers.get(key)?.answer === answer && answers.delete(key));
  answer.then((price) => price ?? forget(), forget);
  return answer;
}

async function askNow(api: AwsApi, signal: AbortSignal | undefined, fields: Record<string, string>, unit: string): Promise<Answer> {
  try {
    const answer = await api.pricing(
      'GetProducts',
      {
        ServiceCode: 'AmazonEC2',
        FormatVersion: 'aws_v1',
        MaxResults: 20,
        Filters: Object.entries(fields).map(([Field, Value]) => ({ Type: 'TERM_MATCH' as const, Field, Value })),
      },
      { signal, once: true, timeoutMs: PRICE_TIMEOUT_MS },
    );
    for (const product of answer.PriceList ?? []) {
      const found = onDemandPrice(String(product), unit);
      if (found) return found;
    }
    return undefined;
  } catch (error) {
    // A price is an aid, not a condition: no permission, no such service and no answer all mean "unknown from there".
    if (error instanceof RunctlError && error.code !== 'credentials-missing') return undefined;
    throw error;
  }
}

interface Product {
  publicationDate?: string;
  terms?: { OnDemand?: Record<string, { priceDimensions?: Record<string, { unit?: string; pricePerUnit?: { USD?: string } }> }> };
}

/** The first on-demand dimension in this unit with a price above nothing. */
export function onDemandPrice(text: string, unit: string): { micros: MicroUsd; published: string } | undefined {
  let product: Product;
  try {
    product = JSON.parse(text) as Product;
  } catch {
    // A product that cannot be read says nothing; the next one may.
    return undefined;
  }
  for (const term of Object.values(product.terms?.OnDemand ?? {})) {
    for (const dimension of Object.values(term.priceDimensions ?? {})) {
      const usd = dimension.pricePerUnit?.USD;
      if (dimension.unit !== unit || !usd || !/^\d+(\.\d+)?$/.test(usd)) continue;
      const micros = parseUsd(usd);
      if (micros > 0) return { micros, published: (product.publicationDate ?? '').slice(0, 10) || 'undated' };
    }
  }
  return undefined;
}
