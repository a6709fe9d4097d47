// Who calls and where. What is wrong with that makes every other check fail too, so it is reported once, under its own name,
// and the others are called skipped. Operations need no call of their own for it: every answer proves credentials and region.
import { RunctlError } from '../../core/errors.ts';
import { nearest } from '../../core/nearest.ts';
import type { Check } from '../../core/ports.ts';
import type { AwsApi } from './clients.ts';
import { endpointFromEnvironment, regionFromEnvironment } from './environment.ts';

/** Source: AWS General Reference, "Regions and zones". Only for "did you mean": new ones appear without us. */
const REGIONS = [
  'us-east-1', 'us-east-2', 'us-west-1', 'us-west-2', 'ca-central-1', 'ca-west-1', 'mx-central-1', 'sa-east-1', 'eu-west-1', 'eu-west-2', 'eu-west-3', 'eu-central-1', 'eu-central-2',
  'eu-north-1', 'eu-south-1', 'eu-south-2', 'il-central-1', 'me-central-1', 'me-south-1', 'af-south-1', 'ap-east-1', 'ap-northeast-1', 'ap-northeast-2', 'ap-northeast-3', 'ap-south-1',
  'ap-south-2', 'ap-southeast-1', 'ap-southeast-2', 'ap-southeast-3', 'ap-southeast-4', 'ap-southeast-5', 'ap-southeast-7',
];

export interface Account {
  credentials(): Promise<Check>;
  /** A region is right when EC2 answers there; the default VPC decides whether a machine finds a place by itself. */
  region(configured: string | undefined): Promise<Check>;
  /** Twelve digits. */
  number(): Promise<string>;
}

export function account(api: AwsApi, signal?: AbortSignal): Account {
  let asked: Promise<{ Account?: string; Arn?: string }> | undefined;
  const identity = (): Promise<{ Account?: string; Arn?: string }> => (asked ??= api.sts('GetCallerIdentity', {}, { signal }));
  return {
    async credentials() {
      const { Account: number, Arn } = await identity();
      return { name: 'credentials', outcome: 'ok', detail: `account ${number}, ${Arn}` };
    },
    async region(configured) {
      const name = await api.region();
      const from = regionFromEnvironment(configured, api.env)?.from ?? 'the AWS profile';
      const answer = await api.ec2('DescribeVpcs', { Filters: [{ Name: 'is-default', Values: ['true'] }] }, { signal });
      const vpc = answer.Vpcs?.[0]?.VpcId;
      if (vpc) return { name: 'region', outcome: 'ok', detail: `${name} (from ${from}), default VPC ${vpc}` };
      return { name: 'region', outcome: 'warning', detail: `${name} (from ${from}) has no default VPC: machines need --subnet-id`, fix: `aws ec2 create-default-vpc --region ${name}` };
    },
    number: async () => (await identity()).Account ?? '',
  };
}

type Scope = 'credentials' | 'region' | 'endpoint';

/** What an error says about the whole account rather than about what was looked at. */
function scopeOf({ error }: Check, region: string | undefined): Scope | undefined {
  if (!error) return undefined;
  if (error.code === 'credentials-missing' || error.code === 'credentials-rejected') return 'credentials';
  if (error.code === 'region-missing' || error.data?.awsCode === 'OptInRequired') return 'region';
  if (error.code === 'endpoint-foreign') return 'endpoint';
  if (error.code !== 'endpoint-unreachable') return undefined;
  return region !== undefined && !REGIONS.includes(region) && /^(ENOTFOUND|EAI_)/.test(String(error.data?.transport)) ? 'region' : 'endpoint';
}

/** Faults of the account to the front, once each; what fails for the same reason only is skipped. */
export async function foldAccount(api: AwsApi, checks: Check[]): Promise<Check[]> {
  const region = await api.region().catch((error: unknown) => {
    if (error instanceof RunctlError) return undefined;
    throw error;
  });
  const plain = checks.map((check) => ({ check, scope: scopeOf(check, region) }));
  // S3 refuses bad credentials and other people's buckets with the same status, and says no more.
  const stranger = plain.some(({ scope }) => scope === 'credentials');
  const scoped = plain.map(({ check, scope }) => ({ check, scope: stranger && check.error?.code === 'bucket-forbidden' ? ('credentials' as const) : scope }));
  // One service that cannot be reached says nothing about the others, which answered.
  const answered = checks.some(({ outcome }) => outcome === 'ok');
  const found = new Map<Scope, Check>();
  for (const { check, scope } of plain) {
    if (scope === undefined || (scope === 'endpoint' && answered) || found.has(scope)) continue;
    found.set(scope, scope === 'region' ? explainRegion(check, region, api) : { ...check, name: scope });
  }
  const first = [...found.values()][0];
  const rest = scoped.flatMap(({ check, scope }): Check[] => {
    if (scope === undefined || !found.has(scope)) return [check];
    // Two questions may hang on one thing, such as the region.
    if (check.name === scope || checks.findIndex(({ name }) => name === check.name) !== checks.indexOf(check)) return [];
    return [{ name: check.name, outcome: 'skipped', detail: `not looked at: ${scope} comes first` }];
  });
  const known = new Set([...found.keys(), ...rest.map(({ name }) => name)]);
  // Whoever answered has taken the credentials, in this region.
  const proven: Check[] = first || !answered ? [] : [
    ...(known.has('credentials') ? [] : [{ name: 'credentials', outcome: 'ok' as const, detail: 'accepted' }]),
    ...(known.has('region') || region === undefined ? [] : [{ name: 'region', outcome: 'ok' as const, detail: region }]),
  ];
  return [...proven, ...found.values(), ...rest];
}

function explainRegion(check: Check, region: string | undefined, api: AwsApi): Check {
  const error = check.error;
  if (region === undefined || !error || error.code === 'region-missing') return { ...check, name: 'region' };
  const near = nearest(region, REGIONS);
  const known = REGIONS.includes(region);
  const message = known ? `the account may not use the region ${region}` : `there is no AWS region ${region}`;
  const hints = [
    ...(near && !known ? [`--region ${near}`, `runctl config set aws.region ${near}`] : []),
    ...(known ? [`aws account enable-region --region-name ${region}`, `aws account get-region-opt-status --region-name ${region}`] : []),
    ...(endpointFromEnvironment('ec2', api.env) ? ['env | grep AWS_ENDPOINT_URL'] : []),
  ];
  return {
    name: 'region',
    outcome: 'failed',
    detail: `${message}${near && !known ? `: did you mean ${near}?` : ''}`,
    ...(hints[0] ? { fix: hints[0] } : {}),
    error: { ...error, message, cause: [near && !known ? `did you mean ${near}?` : '', error.cause ?? ''].filter(Boolean).join('\n'), hints },
  };
}
