// Does: finds the instances that a call names, with EC2's rules: one unknown id fails the whole call.
// Source: EC2 API Reference "Eventual consistency", "Error codes" (InvalidInstanceID.*).
import type { Cloud } from '../../cloud.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams } from '../../wire/call.ts';
import { checkIds, notFound, texts } from './params.ts';
import { ec2Tables } from './rows.ts';
import type { InstanceRow } from './rows.ts';

/** Whether describes already (and still) show it. */
export function isVisible(cloud: Cloud, row: InstanceRow): boolean {
  const now = cloud.clock.now();
  if (now < row.createdAt + cloud.dial.instanceVisibleMs) return false;
  return row.state !== 'terminated' || now <= row.stateSince + cloud.dial.terminatedVisibleMs;
}

export function findInstances(cloud: Cloud, region: string, ids: string[]): InstanceRow[] {
  checkIds(ids, 'i');
  const table = ec2Tables(cloud.world).instances;
  const wanted = [...new Set(ids)];
  const found: InstanceRow[] = [];
  const unknown: string[] = [];
  for (const id of wanted) {
    const row = table.get(id);
    if (row && row.region === region && isVisible(cloud, row)) found.push(row);
    else unknown.push(id);
  }
  if (unknown.length > 0) throw notFound('InvalidInstanceID.NotFound', 'instance', unknown);
  return found;
}

/** For calls that must name at least one. */
export function requiredInstances(cloud: Cloud, region: string, params: QueryParams): InstanceRow[] {
  const ids = texts(params, 'InstanceId');
  if (ids.length === 0) throw new AwsFault('MissingParameter', 'The request must contain the parameter InstanceId');
  return findInstances(cloud, region, ids);
}

/** For calls about exactly one. */
export function oneInstance(cloud: Cloud, region: string, params: QueryParams): InstanceRow {
  const [row, ...more] = requiredInstances(cloud, region, params);
  if (!row || more.length > 0) throw new AwsFault('InvalidParameterValue', 'Exactly one instance ID is expected.');
  return row;
}
