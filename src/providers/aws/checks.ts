// What `doctor` and every costly command ask first: credentials, region, profile, bucket, each with the command that puts it right.
import { RunctlError } from '../../core/errors.ts';
import type { Check } from '../../core/ports.ts';
import { checkBucket, listBuckets } from './buckets.ts';
import type { AwsApi } from './clients.ts';
import { regionFromEnvironment } from './environment.ts';
import { checkProfile } from './profile.ts';

export interface CheckSubject {
  region?: string;
  bucket?: string;
  profile?: string;
}

export async function runChecks(api: AwsApi, subject: CheckSubject, signal?: AbortSignal): Promise<Check[]> {
  return Promise.all([
    guarded('credentials', () => credentials(api, signal)),
    guarded('region', () => region(api, subject.region, signal)),
    guarded('bucket', () => bucket(api, subject.bucket, signal)),
    guarded('profile', () => profile(api, subject.profile, signal)),
  ]);
}

async function credentials(api: AwsApi, signal?: AbortSignal): Promise<Check> {
  const identity = await api.sts('GetCallerIdentity', {}, { signal });
  return { name: 'credentials', outcome: 'ok', detail: `account ${identity.Account}, ${identity.Arn}` };
}

/** A region is right when EC2 answers there; the default VPC decides whether a machine finds a place. */
async function region(api: AwsApi, option: string | undefined, signal?: AbortSignal): Promise<Check> {
  const name = await api.region();
  const from = regionFromEnvironment(option, api.env)?.from ?? 'the AWS profile';
  const answer = await api.ec2('DescribeVpcs', { Filters: [{ Name: 'is-default', Values: ['true'] }] }, { signal });
  const vpc = answer.Vpcs?.[0]?.VpcId;
  if (vpc) return { name: 'region', outcome: 'ok', detail: `${name} (from ${from}), default VPC ${vpc}` };
  return { name: 'region', outcome: 'warning', detail: `${name} (from ${from}) has no default VPC: machines need --subnet-id`, fix: `aws ec2 create-default-vpc --region ${name}` };
}

async function profile(api: AwsApi, name: string | undefined, signal?: AbortSignal): Promise<Check> {
  if (!name) {
    return { name: 'profile', outcome: 'warning', detail: 'no instance profile configured: machines cannot be reached through SSM without one', fix: 'runctl config set aws.iam_instance_profile runctl-ssm-profile' };
  }
  const outcome = await checkProfile(api, name, signal);
  return outcome === 'ok'
    ? { name: 'profile', outcome: 'ok', detail: `instance profile ${name} has a role that EC2 may take` }
    : { name: 'profile', outcome: 'warning', detail: `instance profile ${name} could not be looked at: iam:GetInstanceProfile is not granted`, fix: 'runctl aws policy' };
}

async function bucket(api: AwsApi, name: string | undefined, signal?: AbortSignal): Promise<Check> {
  if (name) return checkBucket(api, name, signal);
  const names = await listBuckets(api, signal);
  const first = names[0];
  return {
    name: 'bucket',
    outcome: 'warning',
    detail: `no bucket configured: only small projects can be sent through SSM alone${names.length > 0 ? `; this account has ${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}` : ''}`,
    fix: first ? `runctl config set aws.s3_bucket ${first}` : `aws s3 mb s3://BUCKET --region ${await api.region()} && runctl config set aws.s3_bucket BUCKET`,
  };
}

/** A check that fails is a finding, not an exception. */
async function guarded(name: string, work: () => Promise<Check>): Promise<Check> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RunctlError)) throw error;
    const fix = error.code === 'profile-missing' && error.hints.length > 1 ? error.hints.filter((hint) => !hint.includes('list-instance-profiles')).join(' && ') : error.hints[0];
    return { name, outcome: 'failed', detail: error.reason ? `${error.message}: ${error.reason}` : error.message, ...(fix ? { fix } : {}), error: { code: error.code, message: error.message, cause: error.reason, hints: error.hints } };
  }
}
