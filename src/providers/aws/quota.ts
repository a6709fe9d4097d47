// The vCPU quota of an account and what of it is in use, looked at before a launch: a new account often has none for GPU
// families. Only a sure shortage is a failure: EC2 enforces the quota anyway, and what nobody could read is no obstacle.
import { RunctlError } from '../../core/errors.ts';
import type { Market } from '../../core/machine.ts';
import type { AwsApi } from './clients.ts';
import { type Quota, quotaOf } from './quota-table.ts';

export interface QuotaState {
  /** vCPUs; undefined when nobody could tell, and `why` says why. */
  limit?: number;
  /** vCPUs of pending and running machines of the same market that count against it; undefined when nobody could tell. */
  used?: number;
  why?: string;
}

/** Limit and use. The use is asked for only when the limit alone would allow the type. */
export async function readQuota(api: AwsApi, type: string, vcpus: number | undefined, market: Market, signal?: AbortSignal): Promise<QuotaState> {
  const quota = quotaOf(type, market);
  if (!quota) return { why: `no quota is known for ${type}` };
  let limit: number | undefined;
  try {
    limit = (await api.quotas('GetServiceQuota', { ServiceCode: 'ec2', QuotaCode: quota.code }, { signal, once: true, timeoutMs: 3_000, subject: type })).Quota?.Value;
  } catch (error) {
    if (error instanceof RunctlError) return { why: error.message };
    throw error;
  }
  if (limit === undefined) return { why: `Service Quotas does not say how much ${quota.code} is` };
  if (vcpus === undefined || limit < vcpus) return { limit };
  const used = await readUse(api, quota, market, signal);
  return { limit, ...(used === undefined ? {} : { used }) };
}

async function readUse(api: AwsApi, quota: Quota, market: Market, signal?: AbortSignal): Promise<number | undefined> {
  let used = 0;
  let token: string | undefined;
  try {
    do {
      const page = await api.ec2(
        'DescribeInstances',
        {
          Filters: [{ Name: 'instance-state-name', Values: ['pending', 'running'] }, { Name: 'instance-type', Values: quota.patterns }],
          MaxResults: 1000,
          ...(token ? { NextToken: token } : {}),
        },
        { signal, once: true, timeoutMs: 5_000 },
      );
      for (const instance of (page.Reservations ?? []).flatMap((one) => one.Instances ?? [])) {
        if ((instance.InstanceLifecycle === 'spot') !== (market === 'spot') || quotaOf(instance.InstanceType ?? '', market) !== quota) continue;
        const cores = instance.CpuOptions?.CoreCount;
        // Without it a sum would be too small, and that is worse than none.
        if (cores === undefined) return undefined;
        used += cores * (instance.CpuOptions?.ThreadsPerCore ?? 1);
      }
      token = page.NextToken || undefined;
    } while (token);
    return used;
  } catch (error) {
    if (error instanceof RunctlError) return undefined;
    throw error;
  }
}

/** Throws `quota` when the type surely does not fit. */
export function requireQuota(type: string, vcpus: number | undefined, { limit, used = 0 }: QuotaState, market: Market, region: string): void {
  const quota = quotaOf(type, market);
  if (!quota || vcpus === undefined || limit === undefined || limit - used >= vcpus) return;
  const wanted = used + vcpus;
  throw new RunctlError('quota', `${type} needs ${vcpus} vCPUs, but the account's ${market === 'spot' ? 'spot quota' : 'quota'} in ${region} is ${limit}${used > 0 ? `, of which ${used} are in use` : ''}`, {
    cause: `quota ${quota.code}, ${quota.name}`,
    hints: [
      `aws service-quotas request-service-quota-increase --service-code ec2 --quota-code ${quota.code} --desired-value ${wanted} --region ${region}`,
      ...(market === 'spot' ? [`runctl aws create ${type} --on-demand   # has a quota of its own`] : []),
      ...(used > 0 ? [`aws ec2 describe-instances --filters Name=instance-state-name,Values=running${market === 'spot' ? ' Name=instance-lifecycle,Values=spot' : ''} --query 'Reservations[].Instances[].[InstanceId,InstanceType,LaunchTime]' --output text --region ${region}`] : []),
    ],
    data: { quotaCode: quota.code, quotaVcpus: limit, usedVcpus: used, vcpus },
  });
}

/** One sentence for people. */
export function describeQuota(vcpus: number | undefined, { limit, used, why }: QuotaState): string {
  if (limit === undefined) return `could not be checked: ${why ?? 'no answer'}`;
  return `needs ${vcpus ?? 'an unknown number of'} vCPUs, the limit is ${limit}, ${used ?? 'an unknown number'} in use`;
}
