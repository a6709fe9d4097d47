// Does: Service Quotas GetServiceQuota, GetAWSDefaultServiceQuota and ListServiceQuotas for EC2's vCPU quotas.
// Gaps: other services and quotas; requests for increases.
// Source: Service Quotas API Reference (data type ServiceQuota, NoSuchResourceException).
import type { World } from '../../cloud.ts';
import { QUOTAS, quotaValue } from '../../data/quotas.ts';
import type { QuotaFact } from '../../data/quotas.ts';
import { AwsFault } from '../../wire/call.ts';
import type { JsonService } from '../../wire/call.ts';
import { offsetToken, readOffset } from '../../wire/offset-token.ts';

function quotaShape(quota: QuotaFact, value: number, region: string, accountId: string) {
  return {
    ServiceCode: 'ec2',
    ServiceName: 'Amazon Elastic Compute Cloud (Amazon EC2)',
    QuotaArn: `arn:aws:servicequotas:${region}:${accountId}:ec2/${quota.code}`,
    QuotaCode: quota.code,
    QuotaName: quota.name,
    Value: value,
    Unit: 'None',
    Adjustable: true,
    GlobalQuota: false,
    UsageMetric: {
      MetricNamespace: 'AWS/Usage',
      MetricName: 'ResourceCount',
      MetricDimensions: { Class: quota.market === 'spot' ? 'Standard/Spot' : 'Standard/OnDemand', Resource: 'vCPU', Service: 'EC2', Type: 'Resource' },
      MetricStatisticRecommendation: 'Maximum',
    },
  };
}

function requiredText(body: Record<string, unknown>, name: string): string {
  const value = body[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new AwsFault('IllegalArgumentException', `${name} is required.`);
}

function find(body: Record<string, unknown>): QuotaFact {
  const service = requiredText(body, 'ServiceCode');
  const code = requiredText(body, 'QuotaCode');
  const quota = service === 'ec2' ? QUOTAS.find((candidate) => candidate.code === code) : undefined;
  if (!quota) throw new AwsFault('NoSuchResourceException', `The request failed because the specified service quota does not exist: ${service}/${code}.`);
  return quota;
}

function list(body: Record<string, unknown>, valueOf: (quota: QuotaFact) => number, region: string, world: World) {
  const service = requiredText(body, 'ServiceCode');
  if (service !== 'ec2') throw new AwsFault('NoSuchResourceException', `The request failed because the specified service does not exist: ${service}.`);
  const size = typeof body['MaxResults'] === 'number' ? body['MaxResults'] : 100;
  if (!Number.isInteger(size) || size < 1 || size > 100) throw new AwsFault('IllegalArgumentException', 'MaxResults must be between 1 and 100.');
  const start = readOffset(body['NextToken']);
  if (start === undefined) throw new AwsFault('InvalidPaginationTokenException', 'Invalid token was used.');
  const end = start + size;
  return {
    Quotas: QUOTAS.slice(start, end).map((quota) => quotaShape(quota, valueOf(quota), region, world.accountId)),
    ...(end < QUOTAS.length ? { NextToken: offsetToken(end) } : {}),
  };
}

export const serviceQuotas: JsonService = {
  protocol: 'json',
  name: 'servicequotas',
  target: 'ServiceQuotasV20190624',
  operations: {
    GetServiceQuota(body, { cloud, region, accountId }) {
      const quota = find(body);
      return { Quota: quotaShape(quota, quotaValue(cloud.world, region, quota), region, accountId) };
    },
    GetAWSDefaultServiceQuota(body, { region, accountId }) {
      const quota = find(body);
      return { Quota: quotaShape(quota, quota.value, region, accountId) };
    },
    ListServiceQuotas: (body, { cloud, region }) => list(body, (quota) => quotaValue(cloud.world, region, quota), region, cloud.world),
    ListAWSDefaultServiceQuotas: (body, { cloud, region }) => list(body, (quota) => quota.value, region, cloud.world),
  },
};
