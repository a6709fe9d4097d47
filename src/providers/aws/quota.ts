// The vCPU quota of an account, looked at before a launch: a new account often has none for GPU families. Unknown is no obstacle.
import { RunctlError } from '../../core/errors.ts';
import type { AwsApi } from './clients.ts';

/** Quota codes of "Running On-Demand … instances" (Service Quotas console, Amazon EC2). */
function quotaOf(type: string): { code: string; name: string } | undefined {
  const family = /^[a-z]+/.exec(type)?.[0] ?? '';
  if (/^(g|gr|vt)$/.test(family)) return { code: 'L-DB2E81BA', name: 'Running On-Demand G and VT instances' };
  if (family === 'p') return { code: 'L-417A185B', name: 'Running On-Demand P instances' };
  if (/^[acdhimrtz]/.test(family) && !/^(inf|trn|dl|hpc|mac)/.test(family)) return { code: 'L-1216C47A', name: 'Running On-Demand Standard instances' };
  return undefined;
}

/** The quota in vCPUs; undefined when nobody could tell (no permission, no such service at the endpoint). */
export async function readQuota(api: AwsApi, type: string, signal?: AbortSignal): Promise<number | undefined> {
  const quota = quotaOf(type);
  if (!quota) return undefined;
  try {
    const answer = await api.quotas('GetServiceQuota', { ServiceCode: 'ec2', QuotaCode: quota.code }, { signal, once: true, timeoutMs: 3_000, subject: type });
    return answer.Quota?.Value;
  } catch (error) {
    // EC2 enforces the quota anyway; this look only makes the message come earlier.
    if (error instanceof RunctlError) return undefined;
    throw error;
  }
}

export function requireQuota(type: string, vcpus: number | undefined, quotaVcpus: number | undefined, region: string): void {
  const quota = quotaOf(type);
  if (!quota || vcpus === undefined || quotaVcpus === undefined || quotaVcpus >= vcpus) return;
  throw new RunctlError('quota', `${type} needs ${vcpus} vCPUs, but the account's quota in ${region} is ${quotaVcpus}`, {
    cause: `quota ${quota.code}, ${quota.name}`,
    hints: [`aws service-quotas request-service-quota-increase --service-code ec2 --quota-code ${quota.code} --desired-value ${vcpus} --region ${region}`],
    data: { quotaCode: quota.code, quotaVcpus, vcpus },
  });
}
