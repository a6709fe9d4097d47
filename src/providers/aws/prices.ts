// What a machine costs an hour: the Price List API first, the dated table second, otherwise unknown - never a guess.
// Source: Price List Query API Reference, GetProducts; the answer holds one JSON text per product.
import { RunctlError } from '../../core/errors.ts';
import type { HourlyPrice } from '../../core/machine.ts';
import { parseUsd } from '../../core/money.ts';
import type { MicroUsd } from '../../core/money.ts';
import type { AwsApi } from './clients.ts';
import { GP3_USD_PER_GB_MONTH, IPV4_USD_PER_HOUR, PRICE_TABLE, TABLE_DATE, TABLE_REGION } from './price-table.ts';

const HOURS_PER_MONTH = 730;
const PRICE_TIMEOUT_MS = 3_000;

export interface UnitPrices {
  computeMicroUsd?: MicroUsd;
  gp3MicroUsdPerGbMonth: MicroUsd;
  source: string;
}

/** Prices that do not depend on how big the disk will be, so that they can be asked for early. */
export async function unitPrices(api: AwsApi, type: string, market: 'on-demand' | 'spot', region: string, signal?: AbortSignal): Promise<UnitPrices> {
  const [compute, disk] = await Promise.all([
    market === 'spot' ? undefined : ask(api, signal, {
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
  if (market === 'spot') return { gp3MicroUsdPerGbMonth: gp3, source: `spot price unknown${diskNote}` };
  if (compute) return { computeMicroUsd: compute.micros, gp3MicroUsdPerGbMonth: gp3, source: `AWS Price List API ${compute.published}${diskNote}` };
  const row = region === TABLE_REGION ? PRICE_TABLE[type] : undefined;
  if (row) return { computeMicroUsd: parseUsd(row.usdPerHour), gp3MicroUsdPerGbMonth: gp3, source: `built-in table ${TABLE_DATE}${diskNote}` };
  return { gp3MicroUsdPerGbMonth: gp3, source: `unknown: no answer from the Price List API, and no entry for ${type} in ${region} in the built-in table${diskNote}` };
}

export function hourlyPrice(unit: UnitPrices, diskGb: number, publicAddress: boolean): HourlyPrice {
  return {
    ...(unit.computeMicroUsd === undefined ? {} : { computeMicroUsd: unit.computeMicroUsd }),
    storageMicroUsd: Math.ceil((unit.gp3MicroUsdPerGbMonth * diskGb) / HOURS_PER_MONTH),
    addressMicroUsd: publicAddress ? parseUsd(IPV4_USD_PER_HOUR) : 0,
    source: unit.source,
  };
}

async function ask(api: AwsApi, signal: AbortSignal | undefined, fields: Record<string, string>, unit: string): Promise<{ micros: MicroUsd; published: string } | undefined> {
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
