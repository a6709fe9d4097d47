// Does: on-demand Linux prices by region and type, EBS by size, snapshots and public IPv4: what Pricing answers and the meter bills.
// Gaps: types that are not listed have no price: GetProducts leaves them out and the meter says so. Provisioned IOPS and
// throughput are free.
// By design: the pretend cloud's prices are these, whatever the real ones are by now.
// Source: AWS Price List API as captured on 2026-08-17 (entries dated so); for the rest, the list price as generally
// published, unverified against the Price List. EBS and IPv4: "Amazon EBS pricing", "Amazon VPC pricing", unverified.

export interface OnDemandPrice {
  microUsdPerHour: number;
  /** Day of the capture, or `unverified`: list price as generally published. */
  asOf: string;
}

export const PRICE_DATE = '2026-08-17';
const CAPTURED = PRICE_DATE;
const PUBLISHED = 'unverified';

/** micro-USD per hour, us-east-1, Linux, shared tenancy. us-east-2 and us-west-2 share these list prices. */
const US_PRICES: Record<string, [microUsdPerHour: number, asOf: string]> = {
  't3.nano': [5_200, PUBLISHED], 't3.micro': [10_400, PUBLISHED], 't3.small': [20_800, PUBLISHED], 't3.medium': [41_600, PUBLISHED],
  't3.large': [83_200, PUBLISHED], 't3.xlarge': [166_400, PUBLISHED], 't3.2xlarge': [332_800, PUBLISHED],
  't4g.nano': [4_200, PUBLISHED], 't4g.micro': [8_400, PUBLISHED], 't4g.small': [16_800, PUBLISHED], 't4g.medium': [33_600, PUBLISHED],
  't4g.large': [67_200, PUBLISHED], 't4g.xlarge': [134_400, PUBLISHED], 't4g.2xlarge': [268_800, PUBLISHED],
  'm5.large': [96_000, PUBLISHED], 'm5.xlarge': [192_000, PUBLISHED], 'm5.2xlarge': [384_000, PUBLISHED], 'm5.4xlarge': [768_000, PUBLISHED],
  'm6i.large': [96_000, PUBLISHED], 'm6i.xlarge': [192_000, PUBLISHED], 'm6i.2xlarge': [384_000, PUBLISHED], 'm6i.4xlarge': [768_000, PUBLISHED],
  'm7g.large': [81_600, PUBLISHED], 'm7g.xlarge': [163_200, PUBLISHED], 'm7g.2xlarge': [326_400, PUBLISHED], 'm7g.4xlarge': [652_800, PUBLISHED],
  'c5.large': [85_000, PUBLISHED], 'c5.xlarge': [170_000, PUBLISHED], 'c5.2xlarge': [340_000, PUBLISHED], 'c5.4xlarge': [680_000, PUBLISHED],
  'c6i.large': [85_000, PUBLISHED], 'c6i.xlarge': [170_000, PUBLISHED], 'c6i.2xlarge': [340_000, PUBLISHED], 'c6i.4xlarge': [680_000, PUBLISHED],
  'c7g.large': [72_500, PUBLISHED], 'c7g.xlarge': [145_000, PUBLISHED], 'c7g.2xlarge': [290_000, PUBLISHED], 'c7g.4xlarge': [580_000, PUBLISHED],
  'r6i.large': [126_000, PUBLISHED], 'r6i.xlarge': [252_000, PUBLISHED],
  'g4dn.xlarge': [526_000, PUBLISHED], 'g4dn.2xlarge': [752_000, PUBLISHED], 'g4dn.4xlarge': [1_204_000, PUBLISHED], 'g4dn.12xlarge': [3_912_000, PUBLISHED],
  'g5.xlarge': [1_006_000, CAPTURED], 'g5.2xlarge': [1_212_000, PUBLISHED], 'g5.4xlarge': [1_624_000, PUBLISHED],
  'g5.12xlarge': [5_672_000, PUBLISHED], 'g5.48xlarge': [16_288_000, PUBLISHED],
  'g6.xlarge': [804_800, CAPTURED], 'g6.2xlarge': [977_600, PUBLISHED], 'g6.12xlarge': [4_601_600, PUBLISHED], 'g6.48xlarge': [13_350_400, PUBLISHED],
  'g6e.xlarge': [1_861_000, CAPTURED], 'g6e.2xlarge': [2_242_080, PUBLISHED], 'g6e.12xlarge': [10_492_640, PUBLISHED],
  'p3.2xlarge': [3_060_000, PUBLISHED], 'p3.8xlarge': [12_240_000, PUBLISHED], 'p3.16xlarge': [24_480_000, PUBLISHED],
  'p4d.24xlarge': [21_957_642, CAPTURED], 'p4de.24xlarge': [27_447_050, PUBLISHED],
  'p5.48xlarge': [55_040_000, PUBLISHED], 'p5en.48xlarge': [63_296_000, PUBLISHED],
};

const IRELAND_PRICES: Record<string, [microUsdPerHour: number, asOf: string]> = {
  't3.nano': [5_700, PUBLISHED], 't3.micro': [11_400, PUBLISHED], 't3.small': [22_800, PUBLISHED], 't3.medium': [45_600, PUBLISHED],
  'm5.large': [107_000, PUBLISHED], 'm5.xlarge': [214_000, PUBLISHED], 'c5.large': [96_000, PUBLISHED], 'c5.xlarge': [192_000, PUBLISHED],
  'g4dn.xlarge': [587_000, PUBLISHED], 'g5.xlarge': [1_123_000, PUBLISHED],
};

const BY_REGION: Record<string, Record<string, [number, string]>> = {
  'us-east-1': US_PRICES,
  'us-east-2': US_PRICES,
  'us-west-2': US_PRICES,
  'eu-west-1': IRELAND_PRICES,
};

export function onDemandPrice(type: string, region: string): OnDemandPrice | undefined {
  const found = BY_REGION[region]?.[type];
  return found && { microUsdPerHour: found[0], asOf: found[1] };
}

/** micro-USD per GiB and month. A month is 30 days, as in the examples of the EBS pricing page. */
const US_STORAGE: Record<string, number> = { gp3: 80_000, gp2: 100_000, io1: 125_000, io2: 125_000, st1: 45_000, sc1: 15_000, standard: 50_000, snapshot: 50_000 };
const IRELAND_STORAGE: Record<string, number> = { gp3: 88_000, gp2: 110_000, io1: 138_000, io2: 138_000, st1: 50_000, sc1: 16_800, standard: 55_000, snapshot: 50_000 };

export const EBS_MONTH_HOURS = 720;
export const VOLUME_TYPES = ['gp3', 'gp2', 'io1', 'io2', 'st1', 'sc1', 'standard'] as const;

/** Of a volume type, or of `snapshot`; micro-USD per GiB and month of 30 days. Undefined: a type that is not listed. */
export function storagePrice(kind: string, region: string): number | undefined {
  return (region === 'eu-west-1' ? IRELAND_STORAGE : US_STORAGE)[kind];
}

/** Public IPv4 address in use, micro-USD per hour. */
export const PUBLIC_IPV4_MICRO_USD_PER_HOUR = 5_000;
