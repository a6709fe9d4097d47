// Does: Price List GetProducts for Linux on-demand EC2 prices, EBS volumes by size and snapshots, from the table in data/prices.ts.
// Gaps: other services, operating systems, tenancies, reservations, IOPS and throughput; DescribeServices and GetAttributeValues.
// By design: types without a known price have no product, as a wrong price would be worse than none.
// Source: AWS Price List API Reference GetProducts (PriceList is a list of JSON texts; TERM_MATCH and the later filter types).
import { createHash } from 'node:crypto';
import { INSTANCE_TYPES } from '../../data/instance-types.ts';
import type { InstanceTypeFact } from '../../data/instance-types.ts';
import { PRICE_DATE, VOLUME_TYPES, onDemandPrice, storagePrice } from '../../data/prices.ts';
import { REGIONS } from '../../data/regions.ts';
import type { RegionFact } from '../../data/regions.ts';
import { AwsFault } from '../../wire/call.ts';
import type { JsonService } from '../../wire/call.ts';
import { offsetToken, readOffset } from '../../wire/offset-token.ts';

interface Product {
  sku: string;
  family: 'Compute Instance' | 'Storage' | 'Storage Snapshot';
  attributes: Record<string, string>;
  usd: string;
  unit: 'Hrs' | 'GB-Mo';
  description: string;
}

const OFFER_TERM = 'JRTCKXETXF';
const RATE_CODE = '6YS6EN2CT7';
const MOST_RESULTS = 100;

function gib(memoryMiB: number): string {
  return `${memoryMiB / 1024} GiB`;
}

function product(fact: InstanceTypeFact, region: RegionFact): Product | undefined {
  const price = onDemandPrice(fact.name, region.name);
  if (!price) return undefined;
  const usd = decimal(price.microUsdPerHour);
  return {
    sku: sku(fact.name, region),
    family: 'Compute Instance',
    usd,
    unit: 'Hrs',
    description: `$${Number(usd)} per On Demand Linux ${fact.name} Instance Hour`,
    attributes: {
      servicecode: 'AmazonEC2',
      servicename: 'Amazon Elastic Compute Cloud',
      location: region.location,
      locationType: 'AWS Region',
      regionCode: region.name,
      instanceType: fact.name,
      currentGeneration: fact.name.startsWith('p3.') ? 'No' : 'Yes',
      instanceFamily: fact.gpu ? 'GPU instance' : 'General purpose',
      vcpu: String(fact.vcpus),
      memory: gib(fact.memoryMiB),
      storage: fact.storage ? `${fact.storage.disks} x ${fact.storage.totalGb / fact.storage.disks} NVMe SSD` : 'EBS only',
      ...(fact.gpu ? { gpu: String(fact.gpu.count), gpuMemory: gib(fact.gpu.memoryMiB) } : {}),
      tenancy: 'Shared',
      operatingSystem: 'Linux',
      licenseModel: 'No License required',
      preInstalledSw: 'NA',
      capacitystatus: 'Used',
      marketoption: 'OnDemand',
      operation: 'RunInstances',
      usagetype: `${usageRegion(region)}BoxUsage:${fact.name}`,
    },
  };
}

function sku(what: string, region: RegionFact): string {
  return createHash('sha256').update(`${what} ${region.name}`).digest('hex').slice(0, 16).toUpperCase();
}

function decimal(microUsd: number): string {
  return (microUsd / 1_000_000).toFixed(10);
}

/** us-east-1 has no prefix in the names of what is used. */
function usageRegion(region: RegionFact): string {
  return region.name === 'us-east-1' ? '' : `${region.zones[0]?.id.split('-')[0]?.toUpperCase() ?? ''}-`;
}

const STORAGE_MEDIA: Record<string, string> = { gp3: 'SSD-backed', gp2: 'SSD-backed', io1: 'SSD-backed', io2: 'SSD-backed', st1: 'HDD-backed', sc1: 'HDD-backed', standard: 'HDD-backed' };

/** Volumes by type, and `snapshot`. */
function storageProducts(region: RegionFact): Product[] {
  return [...VOLUME_TYPES, 'snapshot'].flatMap((kind): Product[] => {
    const microUsd = storagePrice(kind, region.name);
    if (microUsd === undefined) return [];
    const isSnapshot = kind === 'snapshot';
    const usd = decimal(microUsd);
    return [
      {
        sku: sku(`EBS ${kind}`, region),
        family: isSnapshot ? 'Storage Snapshot' : 'Storage',
        usd,
        unit: 'GB-Mo',
        description: `$${Number(usd)} per GB-month of ${isSnapshot ? 'snapshot data stored' : `${kind} provisioned storage`} - ${region.location}`,
        attributes: {
          servicecode: 'AmazonEC2',
          servicename: 'Amazon Elastic Compute Cloud',
          location: region.location,
          locationType: 'AWS Region',
          regionCode: region.name,
          ...(isSnapshot ? { storageMedia: 'Amazon S3' } : { volumeApiName: kind, storageMedia: STORAGE_MEDIA[kind] ?? '' }),
          usagetype: `${usageRegion(region)}EBS:${isSnapshot ? 'SnapshotUsage' : `VolumeUsage.${kind}`}`,
        },
      },
    ];
  });
}

function priceListEntry(entry: Product): string {
  const term = `${entry.sku}.${OFFER_TERM}`;
  const dimension = `${term}.${RATE_CODE}`;
  return JSON.stringify({
    product: { productFamily: entry.family, attributes: entry.attributes, sku: entry.sku },
    serviceCode: 'AmazonEC2',
    terms: {
      OnDemand: {
        [term]: {
          priceDimensions: {
            [dimension]: {
              unit: entry.unit,
              endRange: 'Inf',
              description: entry.description,
              appliesTo: [],
              rateCode: dimension,
              beginRange: '0',
              pricePerUnit: { USD: entry.usd },
            },
          },
          sku: entry.sku,
          effectiveDate: `${PRICE_DATE}T00:00:00Z`,
          offerTermCode: OFFER_TERM,
          termAttributes: {},
        },
      },
    },
    version: `runctl-sim-${PRICE_DATE}`,
    publicationDate: `${PRICE_DATE}T00:00:00Z`,
  });
}

const FILTER_TYPES: Record<string, (own: string, wanted: string) => boolean> = {
  TERM_MATCH: (own, wanted) => own.toLowerCase() === wanted.toLowerCase(),
  EQUALS: (own, wanted) => own.toLowerCase() === wanted.toLowerCase(),
  CONTAINS: (own, wanted) => own.toLowerCase().includes(wanted.toLowerCase()),
  ANY_OF: (own, wanted) => wanted.split(',').some((one) => one.trim().toLowerCase() === own.toLowerCase()),
  NONE_OF: (own, wanted) => !wanted.split(',').some((one) => one.trim().toLowerCase() === own.toLowerCase()),
};

function invalid(message: string): AwsFault {
  return new AwsFault('InvalidParameterException', message);
}

function readFilters(body: Record<string, unknown>): ((entry: Product) => boolean)[] {
  const list = body['Filters'] ?? [];
  if (!Array.isArray(list) || list.length > 50) throw invalid('Filters must be a list of at most 50 filters.');
  return list.map((filter: unknown): ((entry: Product) => boolean) => {
    const { Type: type, Field: field, Value: value } = (typeof filter === 'object' && filter !== null ? filter : {}) as Record<string, unknown>;
    if (typeof type !== 'string' || typeof field !== 'string' || typeof value !== 'string') throw invalid('A filter needs Type, Field and Value.');
    const match = Object.hasOwn(FILTER_TYPES, type) ? FILTER_TYPES[type] : undefined;
    if (!match) throw invalid(`Filter type ${type} is not valid.`);
    if (/^servicecode$/i.test(field)) return (entry) => match(entry.attributes['servicecode'] ?? '', value);
    if (/^productFamily$/i.test(field)) return (entry) => match(entry.family, value);
    return (entry) => {
      const own = entry.attributes[field];
      return own !== undefined ? match(own, value) : type === 'NONE_OF';
    };
  });
}

export const pricing: JsonService = {
  protocol: 'json',
  name: 'pricing',
  target: 'AWSPriceListService',
  operations: {
    GetProducts(body) {
      if (body['ServiceCode'] !== 'AmazonEC2') {
        if (typeof body['ServiceCode'] !== 'string') throw invalid('ServiceCode is required.');
        throw new AwsFault('NotFoundException', `Service ${body['ServiceCode']} is not in the pretend cloud's price list.`);
      }
      const filters = readFilters(body);
      const products = REGIONS.flatMap((region) => [...INSTANCE_TYPES.map((fact) => product(fact, region)), ...storageProducts(region)])
        .filter((entry) => entry !== undefined)
        .filter((entry) => filters.every((matches) => matches(entry)));
      const size = body['MaxResults'] ?? MOST_RESULTS;
      if (typeof size !== 'number' || !Number.isInteger(size) || size < 1 || size > MOST_RESULTS) throw invalid(`MaxResults must be between 1 and ${MOST_RESULTS}.`);
      const start = readOffset(body['NextToken']);
      if (start === undefined) throw new AwsFault('InvalidNextTokenException', 'The pagination token is invalid. Try again without a pagination token.');
      const end = start + size;
      return {
        FormatVersion: 'aws_v1',
        PriceList: products.slice(start, end).map(priceListEntry),
        ...(end < products.length ? { NextToken: offsetToken(end) } : {}),
      };
    },
  },
};
