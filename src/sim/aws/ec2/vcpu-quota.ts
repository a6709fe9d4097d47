// Does: how many vCPUs of a quota are left, on-demand or spot, and the error when they do not suffice.
// By design: pending and running instances count, in their region, market and family bucket; of spot, open requests as well.
// Source: EC2 User Guide "On-Demand Instance quotas", "Spot Instance quotas" (running instances and requests that are pending
// fulfilment); texts of VcpuLimitExceeded and MaxSpotInstanceCountExceeded as quoted in public issue threads.
import type { Cloud } from '../../cloud.ts';
import { findInstanceType } from '../../data/instance-types.ts';
import { quotaOf, quotaValue } from '../../data/quotas.ts';
import type { QuotaFact } from '../../data/quotas.ts';
import { AwsFault } from '../../wire/call.ts';
import { ec2Tables } from './rows.ts';

/** Undefined: no quota covers this type. */
export function vcpuRoom(cloud: Cloud, region: string, type: string, market: QuotaFact['market'] = 'on-demand'): { limit: number; left: number } | undefined {
  const quota = quotaOf(type, market);
  if (!quota) return undefined;
  const limit = quotaValue(cloud.world, region, quota);
  const { instances, spotRequests } = ec2Tables(cloud.world);
  const up = instances
    .values()
    .filter((row) => row.region === region && (row.state === 'pending' || row.state === 'running') && (row.spot !== undefined) === (market === 'spot'))
    .map((row) => row.type);
  const wanted = market === 'spot' ? spotRequests.values().filter((row) => row.region === region && row.state === 'open').map((row) => row.instanceType) : [];
  const used = [...up, ...wanted].filter((name) => quotaOf(name, market) === quota).reduce((sum, name) => sum + (findInstanceType(name)?.vcpus ?? 0), 0);
  return { limit, left: limit - used };
}

export function vcpuLimitExceeded(limit: number): AwsFault {
  return new AwsFault(
    'VcpuLimitExceeded',
    `You have requested more vCPU capacity than your current vCPU limit of ${limit} allows for the instance bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.`,
  );
}

export function spotCountExceeded(): AwsFault {
  return new AwsFault('MaxSpotInstanceCountExceeded', 'Max spot instance count exceeded');
}
