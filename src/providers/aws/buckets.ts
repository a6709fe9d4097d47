// Whether a bucket can be used, told apart by the status of HeadBucket, whose answer has no body: absent, somebody else's,
// in another region. Source: S3 API Reference, HeadBucket.
import { RunctlError } from '../../core/errors.ts';
import type { Check } from '../../core/ports.ts';
import type { AwsApi } from './clients.ts';
import { awsErrorData } from './errors.ts';

export interface BucketState {
  state: 'usable' | 'missing' | 'forbidden';
  /** Where it is, when the answer said so. */
  region?: string;
}

export async function probeBucket(api: AwsApi, name: string, signal?: AbortSignal): Promise<BucketState> {
  try {
    const answer = await api.s3('HeadBucket', { Bucket: name }, { signal, subject: name });
    return { state: 'usable', ...(answer.BucketRegion ? { region: answer.BucketRegion } : {}) };
  } catch (error) {
    const data = awsErrorData(error);
    const region = data?.bucketRegion;
    const where = region ? { region } : {};
    if (data?.httpStatus === 404) return { state: 'missing' };
    if (data?.httpStatus === 403) return { state: 'forbidden', ...where };
    // 301, and 400 from some regions: it exists elsewhere, and the header says where.
    if ((data?.httpStatus === 301 || data?.httpStatus === 307 || data?.httpStatus === 400) && region) return { state: 'usable', region };
    throw error;
  }
}

/** The region of a bucket that is about to be used. Throws bucket-missing or bucket-forbidden. */
export async function requireBucket(api: AwsApi, name: string, signal?: AbortSignal): Promise<string> {
  const found = await probeBucket(api, name, signal);
  if (found.state === 'missing') {
    throw new RunctlError('bucket-missing', `no bucket ${name}`, { cause: 'S3 answered HeadBucket with 404', hints: [createCommand(name, await api.region()), 'runctl config set aws.s3_bucket BUCKET'] });
  }
  if (found.state === 'forbidden') {
    throw new RunctlError('bucket-forbidden', `bucket ${name} exists, but these credentials may not use it`, { cause: 'S3 answered HeadBucket with 403: it belongs to another account, or s3:ListBucket is not granted', hints: ['runctl aws policy', 'aws sts get-caller-identity', 'runctl config set aws.s3_bucket BUCKET'] });
  }
  return found.region ?? (await api.region());
}

export async function checkBucket(api: AwsApi, name: string, signal?: AbortSignal): Promise<Check> {
  const home = await api.region();
  const found = await probeBucket(api, name, signal);
  if (found.state === 'missing') return { name: 'bucket', outcome: 'failed', detail: `no bucket ${name}`, fix: createCommand(name, home) };
  if (found.state === 'forbidden') {
    return { name: 'bucket', outcome: 'failed', detail: `bucket ${name} exists, but these credentials may not use it (another account's, or s3:ListBucket is missing)`, fix: 'runctl aws policy' };
  }
  if (found.region && found.region !== home) {
    return { name: 'bucket', outcome: 'failed', detail: `bucket ${name} is in ${found.region}, the machines are in ${home}: every transfer would cross regions and be charged`, fix: `runctl config set aws.region ${found.region}` };
  }
  return { name: 'bucket', outcome: 'ok', detail: `bucket ${name}${found.region ? ` in ${found.region}` : ''}` };
}

/** Names of the account's buckets, for suggestions; empty when the credentials may not list them. */
export async function listBuckets(api: AwsApi, signal?: AbortSignal): Promise<string[]> {
  try {
    const answer = await api.s3('ListBuckets', {}, { signal });
    return (answer.Buckets ?? []).flatMap((bucket) => (bucket.Name ? [bucket.Name] : []));
  } catch (error) {
    if (error instanceof RunctlError && error.code === 'not-permitted') return [];
    throw error;
  }
}

const createCommand = (name: string, region: string): string => `aws s3 mb s3://${name} --region ${region}`;
