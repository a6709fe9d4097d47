// Does: how many vCPUs of an on-demand quota are left, and the error when they do not suffice.
// By design: pending and running instances count, in their region and family bucket.
// Source: EC2 User Guide "On-Demand Instance quotas"; VcpuLimitExceeded text as quoted in public issue threads.
import type { Cloud } from '../../cloud.ts';
import { findInstanceType } from '../../data/instance-types.ts';
import { quotaOf, quotaValue } from '../../data/quotas.ts';
import { AwsFault } from '../../wire/call.ts';
import { ec2Tables } from './rows.ts';

/** Undefined: no quota covers this type. */
export function vcpuRoom(cloud: Cloud, region: string, type: string): { limit: number; left: number } | undefined {
  const quota = quotaOf(type, 'on-demand');
  if (!quota) return undefined;
  const limit = quotaValue(cloud.world, region, quota);
  const used = ec2Tables(cloud.world)
    .instances.values()
    .filter((row) => row.region === region && (row.state === 'pending' || row.state === 'running') && quotaOf(row.type, 'on-demand') === quota)
    .reduce((sum, row) => sum + (findInstanceType(row.type)?.vcpus ?? 0), 0);
  return { limit, left: limit - used };
}

export function vcpuLimitExceeded(limit: number): AwsFault {
  return new AwsFault(
    'VcpuLimitExceeded',
    `You have requested more vCPU capacity than your current vCPU limit of ${limit} allows for the instance bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.`,
  );
}
