// On-demand Linux prices in us-east-1 for when the Price List API cannot be asked. Each with its source and date; a type that is
// not here has an unknown price, and other regions have none: prices differ between them.

export interface TablePrice {
  usdPerHour: string;
  source: string;
}

const CAPTURE = 'Price List API capture of 2026-08-17 found in public code';
const TABLES = 'public price tables 2025-2026';

export const TABLE_REGION = 'us-east-1';
export const TABLE_DATE = '2026-08-17';

export const PRICE_TABLE: Readonly<Record<string, TablePrice>> = {
  't3.micro': { usdPerHour: '0.0104', source: 'https://cloud-bench.com/blog/aws-t3-micro-vs-t3-small' },
  't3.small': { usdPerHour: '0.0208', source: 'https://cloud-bench.com/blog/aws-t3-micro-vs-t3-small' },
  'g4dn.xlarge': { usdPerHour: '0.526', source: TABLES },
  'g5.xlarge': { usdPerHour: '1.006', source: CAPTURE },
  'g6.xlarge': { usdPerHour: '0.8048', source: CAPTURE },
  'g6e.xlarge': { usdPerHour: '1.861', source: CAPTURE },
  'p3.2xlarge': { usdPerHour: '3.06', source: TABLES },
  'p4d.24xlarge': { usdPerHour: '21.957642', source: CAPTURE },
  'p4de.24xlarge': { usdPerHour: '27.44705', source: TABLES },
  'p5.48xlarge': { usdPerHour: '55.04', source: TABLES },
  'p5en.48xlarge': { usdPerHour: '63.296', source: TABLES },
};

/** gp3 storage in us-east-1 (EBS pricing page, 2026): per GB and month of 720 hours. */
export const GP3_USD_PER_GB_MONTH = '0.08';
/** Public IPv4 address in use or idle, every commercial region (AWS News Blog 2023-07-28, in force since 2024-02-01). */
export const IPV4_USD_PER_HOUR = '0.005';
