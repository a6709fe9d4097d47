// What `doctor --fix` can put right: a bucket of ours, a role and an instance profile that carry SSM, or only a setting.
// Every step is safe to repeat, and none touches what somebody else made, except that a policy is attached to a profile's role.
// Sources: S3 API Reference CreateBucket, PutPublicAccessBlock, PutBucketEncryption; IAM API Reference; IAM User Guide
// "Troubleshoot IAM" (changes are not visible at once).
import { randomBytes } from 'node:crypto';
import { RunctlError } from '../../core/errors.ts';
import type { Remedy, Repaired } from '../../core/ports.ts';
import type { AwsApi } from './clients.ts';
import { awsErrorData, isAwsCode } from './errors.ts';
import { BUCKET_POLICY_NAME, OWN_ROLE, SSM_CORE_POLICY, machineBucketPolicy, trustPolicy } from './policies.ts';

type Setting = NonNullable<Repaired['setting']>;

type Detail =
  | { action: 'set'; setting: Setting }
  | { action: 'bucket'; bucket: string; region: string }
  | { action: 'profile'; profile: string; role?: string; bucket?: string; setting?: Setting };

/** `existing`: buckets of the account; one that bears the name is simply used. */
export function bucketRemedy(bucket: string, region: string, existing: string[]): Remedy {
  const setting = { name: 'aws.s3_bucket', value: bucket };
  if (existing.includes(bucket)) return { id: 'bucket-setting', question: `Use the bucket ${bucket} from now on?`, detail: { action: 'set', setting } satisfies Detail };
  return {
    id: 'bucket',
    question: `Create the S3 bucket ${bucket} in ${region} (public access blocked, encrypted; costs nothing while it is empty)?`,
    detail: { action: 'bucket', bucket, region } satisfies Detail,
  };
}

/** `data`: that of the profile's error, with fault and role. */
export function profileRemedy(profile: string, data: Record<string, unknown> | undefined, bucket: string | undefined, setting?: Setting): Remedy {
  const role = typeof data?.role === 'string' ? data.role : undefined;
  const what: Record<string, string> = {
    absent: `Create the instance profile ${profile} with the role ${OWN_ROLE} (AmazonSSMManagedInstanceCore${bucket ? `, and access to the bucket ${bucket}` : ''})?`,
    'no-role': `Put the role ${OWN_ROLE} (AmazonSSMManagedInstanceCore${bucket ? `, and access to the bucket ${bucket}` : ''}) into the instance profile ${profile}?`,
    'no-ssm': `Attach AmazonSSMManagedInstanceCore to the role ${role} of instance profile ${profile}?`,
  };
  return { id: 'profile', question: what[String(data?.fault)] ?? `Make the instance profile ${profile} work with SSM?`, detail: { action: 'profile', profile, ...(role ? { role } : {}), ...(bucket ? { bucket } : {}), ...(setting ? { setting } : {}) } satisfies Detail };
}

export async function repair(api: AwsApi, remedy: Remedy, signal?: AbortSignal): Promise<Repaired> {
  try {
    return await carryOut(api, remedy.detail as Detail, signal);
  } catch (error) {
    // These rights are not among those that a day's work needs.
    if (error instanceof RunctlError && error.code === 'not-permitted') error.hints.unshift('runctl aws policy setup');
    throw error;
  }
}

async function carryOut(api: AwsApi, detail: Detail, signal?: AbortSignal): Promise<Repaired> {
  switch (detail.action) {
    case 'set':
      return { done: `${detail.setting.value} is used from now on`, setting: detail.setting };
    case 'bucket': {
      const bucket = await makeBucket(api, detail.bucket, detail.region, signal);
      return { done: `created the bucket ${bucket} in ${detail.region}`, setting: { name: 'aws.s3_bucket', value: bucket } };
    }
    case 'profile': {
      const done = await makeProfile(api, detail, signal);
      return { done, ...(detail.setting ? { setting: detail.setting } : {}) };
    }
  }
}

async function makeBucket(api: AwsApi, wanted: string, region: string, signal?: AbortSignal): Promise<string> {
  let bucket = wanted;
  try {
    await createBucket(api, bucket, region, signal);
  } catch (error) {
    // Bucket names are one space for all accounts, and ours can be guessed.
    if (!isAwsCode(error, 'BucketAlreadyExists') || !wanted.startsWith('runctl-')) throw error;
    bucket = `${wanted}-${randomBytes(4).toString('hex')}`;
    await createBucket(api, bucket, region, signal);
  }
  const about = { signal, subject: bucket };
  // One after the other: S3 refuses changes of one bucket at the same time.
  await api.s3('PutPublicAccessBlock', { Bucket: bucket, PublicAccessBlockConfiguration: { BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true } }, about);
  await api.s3('PutBucketEncryption', { Bucket: bucket, ServerSideEncryptionConfiguration: { Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }] } }, about);
  return bucket;
}

async function createBucket(api: AwsApi, bucket: string, region: string, signal?: AbortSignal): Promise<void> {
  try {
    // The oldest region is the one that must not be named.
    await api.s3('CreateBucket', { Bucket: bucket, ...(region === 'us-east-1' ? {} : { CreateBucketConfiguration: { LocationConstraint: region as never } }) }, { signal, subject: bucket });
  } catch (error) {
    if (!isAwsCode(error, 'BucketAlreadyOwnedByYou')) throw error;
  }
}

async function makeProfile(api: AwsApi, { profile, role: itsRole, bucket }: Extract<Detail, { action: 'profile' }>, signal?: AbortSignal): Promise<string> {
  const role = itsRole ?? OWN_ROLE;
  const about = { signal, subject: role };
  if (itsRole === undefined) await unlessThere(api.iam('CreateRole', { RoleName: role, AssumeRolePolicyDocument: JSON.stringify(trustPolicy()), Description: 'Machines of runctl: reached through SSM' }, about));
  await api.iam('AttachRolePolicy', { RoleName: role, PolicyArn: SSM_CORE_POLICY }, about);
  // Only a role of ours gets more than what is missing.
  const own = bucket !== undefined && role === OWN_ROLE;
  if (own) await api.iam('PutRolePolicy', { RoleName: role, PolicyName: BUCKET_POLICY_NAME, PolicyDocument: JSON.stringify(machineBucketPolicy(bucket)) }, about);
  if (itsRole !== undefined) return `attached AmazonSSMManagedInstanceCore to the role ${role}`;
  await unlessThere(api.iam('CreateInstanceProfile', { InstanceProfileName: profile }, { signal, subject: profile }));
  await untilVisible(api, signal, () => addRole(api, profile, role, signal));
  await untilVisible(api, signal, () => api.iam('GetInstanceProfile', { InstanceProfileName: profile }, { signal, subject: profile }));
  return `the instance profile ${profile} has the role ${role} with AmazonSSMManagedInstanceCore${own ? ` and access to the bucket ${bucket}` : ''}`;
}

async function addRole(api: AwsApi, profile: string, role: string, signal?: AbortSignal): Promise<void> {
  try {
    await api.iam('AddRoleToInstanceProfile', { InstanceProfileName: profile, RoleName: role }, { signal, subject: profile });
  } catch (error) {
    if (!isAwsCode(error, 'LimitExceeded', 'LimitExceededException')) throw error;
    // It has a role already: ours when this is done a second time.
    const { InstanceProfile: now } = await api.iam('GetInstanceProfile', { InstanceProfileName: profile }, { signal, subject: profile });
    if (now?.Roles?.[0]?.RoleName !== role) throw error;
  }
}

async function unlessThere(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isAwsCode(error, 'EntityAlreadyExists', 'EntityAlreadyExistsException')) throw error;
  }
}

const VISIBLE_AFTER_MS = 30_000;

/** IAM denies for some seconds what it has just made. */
async function untilVisible(api: AwsApi, signal: AbortSignal | undefined, work: () => Promise<unknown>): Promise<void> {
  const startedAt = api.clock.now();
  for (let pauseMs = 500; ; pauseMs = Math.min(pauseMs * 2, 4_000)) {
    try {
      await work();
      return;
    } catch (error) {
      const absent = error instanceof RunctlError && awsErrorData(error)?.awsCode?.startsWith('NoSuchEntity');
      if (!absent || api.clock.now() - startedAt > VISIBLE_AFTER_MS) throw error;
      await api.clock.sleep(pauseMs, signal);
    }
  }
}
