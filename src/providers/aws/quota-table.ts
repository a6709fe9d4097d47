// Which vCPU quota of an account a type counts against. Source: Service Quotas console, "Amazon EC2" (codes and names); EC2 User
// Guide, "Amazon EC2 service quotas" and "Spot Instance quotas".
import type { Market } from '../../core/machine.ts';

export interface Quota {
  market: Market;
  code: string;
  name: string;
  /** Types that count against it. */
  types: RegExp;
  /** The same for an EC2 filter, perhaps wider. */
  patterns: string[];
}

const STANDARD = { types: /^(?!inf|trn|dl|hpc|mac)[acdhimrtz]/, patterns: ['a*', 'c*', 'd*', 'h*', 'i*', 'm*', 'r*', 't*', 'z*'] };
const GRAPHICS = { types: /^(g|gr|vt)\d/, patterns: ['g*', 'vt*'] };

/** Those of spot count open requests too. */
const QUOTAS: readonly Quota[] = [
  { market: 'on-demand', code: 'L-DB2E81BA', name: 'Running On-Demand G and VT instances', ...GRAPHICS },
  { market: 'on-demand', code: 'L-417A185B', name: 'Running On-Demand P instances', types: /^p\d/, patterns: ['p*'] },
  { market: 'on-demand', code: 'L-1216C47A', name: 'Running On-Demand Standard instances', ...STANDARD },
  { market: 'spot', code: 'L-3819A6DF', name: 'All G and VT Spot Instance Requests', ...GRAPHICS },
  { market: 'spot', code: 'L-7212CCBC', name: 'All P4, P3 and P2 Spot Instance Requests', types: /^p[234]/, patterns: ['p2*', 'p3*', 'p4*'] },
  { market: 'spot', code: 'L-C4BD4855', name: 'All P5 Spot Instance Requests', types: /^p5/, patterns: ['p5*'] },
  { market: 'spot', code: 'L-34B43A08', name: 'All Standard Spot Instance Requests', ...STANDARD },
];

/** Undefined: none is known. */
export const quotaOf = (type: string, market: Market): Quota | undefined => QUOTAS.find((quota) => quota.market === market && quota.types.test(type));

/** Code of the quota that a type counts against; undefined when none is known. */
export const quotaCode = (type: string, market: Market): string | undefined => quotaOf(type, market)?.code;
