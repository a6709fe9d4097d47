// Does: the vCPU quotas of EC2 as Service Quotas lists them, and which instance families count against which.
// By design: generous values, so that a first try works; new AWS accounts often have 0 for G and P. A world can be given
// others in its table servicequotas.values.
// Source: Service Quotas console, "Amazon EC2" (codes and names); EC2 User Guide "Amazon EC2 instance type quotas".
import type { World } from '../cloud.ts';

export interface QuotaFact {
  code: string;
  name: string;
  /** vCPUs. */
  value: number;
  market: 'on-demand' | 'spot';
  /** Matches the family part of an instance type. */
  family: RegExp;
}

const STANDARD = /^(?:[acdhimrtz]\d|im\d|is\d)/;
const GRAPHICS = /^(?:g|vt|gr)\d/;
const P = /^p\d/;

export const QUOTAS: QuotaFact[] = [
  { code: 'L-1216C47A', name: 'Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances', value: 256, market: 'on-demand', family: STANDARD },
  { code: 'L-DB2E81BA', name: 'Running On-Demand G and VT instances', value: 192, market: 'on-demand', family: GRAPHICS },
  { code: 'L-417A185B', name: 'Running On-Demand P instances', value: 192, market: 'on-demand', family: P },
  { code: 'L-34B43A08', name: 'All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests', value: 256, market: 'spot', family: STANDARD },
  { code: 'L-3819A6DF', name: 'All G and VT Spot Instance Requests', value: 192, market: 'spot', family: GRAPHICS },
  { code: 'L-7212CCBC', name: 'All P4, P3 and P2 Spot Instance Requests', value: 192, market: 'spot', family: /^p[234]/ },
  { code: 'L-C4BD4855', name: 'All P5 Spot Instance Requests', value: 192, market: 'spot', family: /^p5/ },
];

/** Key: region/code. */
export interface QuotaRow {
  value: number;
}

export function quotaValue(world: World, region: string, quota: QuotaFact): number {
  return world.table<QuotaRow>('servicequotas.values').get(`${region}/${quota.code}`)?.value ?? quota.value;
}

export function quotaOf(type: string, market: QuotaFact['market']): QuotaFact | undefined {
  return QUOTAS.find((quota) => quota.market === market && quota.family.test(type));
}
