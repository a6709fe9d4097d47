// Does: DescribeSpotPriceHistory: the price in effect at StartTime (90 days ago when not said) and each change after it, of every
// pool, newest first.
// Gaps: Linux only; asked for other products, the list is empty.
// By design: 90 days back and not one day ahead; the last change before StartTime is part of the answer, as on EC2.
// Source: EC2 API Reference DescribeSpotPriceHistory.
import type { Cloud } from '../../cloud.ts';
import { INSTANCE_TYPES } from '../../data/instance-types.ts';
import { findRegion } from '../../data/regions.ts';
import { spotPriceChanges } from '../../market/prices.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams, QueryService, Xml } from '../../wire/call.ts';
import { dryRun, isoTime, text, texts } from './params.ts';
import { filterRows, page } from './select.ts';

const HISTORY_MS = 90 * 24 * 3_600_000;
const PRODUCT = 'Linux/UNIX';
/** Both names are the same thing since every instance is in a VPC. */
const SAME_PRODUCTS = [PRODUCT, 'Linux/UNIX (Amazon VPC)'];

interface PriceRow {
  zone: string;
  zoneId: string;
  type: string;
  at: number;
  price: string;
}

function time(params: QueryParams, name: string): number | undefined {
  const value = text(params, name);
  if (value === undefined) return undefined;
  const at = Date.parse(value);
  if (Number.isNaN(at)) throw new AwsFault('InvalidParameterValue', `Invalid value '${value}' for ${name}.`);
  return at;
}

/** Values of one filter, to work out no more prices than are asked for. */
function named(params: QueryParams, parameter: string, filter: string): string[] | undefined {
  const direct = texts(params, parameter);
  if (direct.length > 0) return direct;
  const filters = Array.isArray(params['Filter']) ? params['Filter'] : [];
  const found = filters.find((entry): entry is QueryParams => typeof entry === 'object' && !Array.isArray(entry) && entry['Name'] === filter);
  const values = found ? texts(found, 'Value') : [];
  return values.length > 0 && !values.some((value) => /[*?\\]/.test(value)) ? values : undefined;
}

function history(cloud: Cloud, region: string, params: QueryParams): PriceRow[] {
  const now = cloud.clock.now();
  const from = Math.max(time(params, 'StartTime') ?? 0, now - HISTORY_MS);
  const to = Math.min(time(params, 'EndTime') ?? now, now);
  if (to < from && params['EndTime'] !== undefined) throw new AwsFault('InvalidParameterValue', 'The end time must not be before the start time.');
  const types = named(params, 'InstanceType', 'instance-type');
  const zones = named(params, 'AvailabilityZone', 'availability-zone');
  const chosen = types ? INSTANCE_TYPES.filter(({ name }) => types.includes(name)) : INSTANCE_TYPES;
  const places = (findRegion(region)?.zones ?? []).filter(({ name }) => !zones || zones.includes(name));
  return chosen.flatMap(({ name: type }) =>
    places.flatMap((zone) =>
      spotPriceChanges(cloud.world, type, zone.name, Math.min(from, now), Math.max(to, Math.min(from, now))).map(({ at, microUsdPerHour }): PriceRow => ({
        zone: zone.name,
        zoneId: zone.id,
        type,
        at,
        price: (microUsdPerHour / 1_000_000).toFixed(6),
      })),
    ),
  );
}

/** Newest first, in a fixed order. */
function orderKey(row: PriceRow): string {
  return `${String(10 ** 15 - row.at).padStart(16, '0')} ${row.type} ${row.zone}`;
}

export const spotPriceOperations: QueryService['operations'] = {
  DescribeSpotPriceHistory(params, { cloud, region }): Xml {
    const products = texts(params, 'ProductDescription');
    const zones = (findRegion(region)?.zones ?? []).map(({ name }) => name);
    const zone = text(params, 'AvailabilityZone');
    if (zone !== undefined && !zones.includes(zone)) throw new AwsFault('InvalidParameterValue', `Invalid availability zone: [${zone}]`);
    const rows = products.length > 0 && !products.some((product) => SAME_PRODUCTS.includes(product)) ? [] : history(cloud, region, params);
    const matching = filterRows(rows, params, {
      'availability-zone': (row) => row.zone,
      'availability-zone-id': (row) => row.zoneId,
      'instance-type': (row) => row.type,
      'product-description': () => SAME_PRODUCTS,
      'spot-price': (row) => row.price,
      timestamp: (row) => isoTime(row.at),
    });
    dryRun(params);
    const { rows: shown, nextToken } = page(matching, { ...params, MaxResults: text(params, 'MaxResults') ?? '1000' }, orderKey, { least: 1, most: 1000 });
    return {
      spotPriceHistorySet: {
        item: shown.map((row) => ({
          instanceType: row.type,
          productDescription: PRODUCT,
          spotPrice: row.price,
          timestamp: isoTime(row.at),
          availabilityZone: row.zone,
          availabilityZoneId: row.zoneId,
        })),
      },
      nextToken: nextToken ?? '',
    };
  },
};
