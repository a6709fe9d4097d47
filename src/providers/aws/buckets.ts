// Whether a bucket can be used, told apart by status and headers of HeadBucket, whose answer has no body: absent, somebody
// else's, in another region. Source: S3 API Reference, HeadBucket, ListBuckets.
import { RunctlError } from '../../core/errors.ts';
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
  const home = await api.region();
  if (found.state === 'missing') {
    throw new RunctlError('bucket-missing', `no bucket ${name}`, {
      cause: 'S3 answered HeadBucket with 404',
      hints: [`runctl doctor --fix --bucket ${name}`, `aws s3 mb s3://${name} --region ${home}`, 'runctl config set aws.s3_bucket BUCKET  # another bucket: `aws s3 ls` lists them'],
      data: { bucket: name, fault: 'missing' },
    });
  }
  if (found.state === 'forbidden') {
    throw new RunctlError('bucket-forbidden', `bucket ${name} exists, but these credentials may not use it`, {
      cause: 'S3 answered HeadBucket with 403: it belongs to another account, or s3:ListBucket is not granted',
      hints: [`runctl aws policy --bucket ${name}`, 'aws sts get-caller-identity', 'runctl config set aws.s3_bucket BUCKET  # another bucket: `aws s3 ls` lists them'],
      data: { bucket: name, fault: 'forbidden' },
    });
  }
  return found.region ?? home;
}

/** The same, for a bucket that shall lie where the machines are. Throws config-invalid for one that lies elsewhere. */
export async function requireBucketAtHome(api: AwsApi, name: string, signal?: AbortSignal): Promise<string> {
  const [region, home] = await Promise.all([requireBucket(api, name, signal), api.region()]);
  if (region === home) return region;
  throw new RunctlError('config-invalid', `bucket ${name} is in ${region}, the machines are in ${home}`, {
    cause: 'every transfer would cross regions and be charged',
    hints: [`runctl config set aws.region ${region}`, 'runctl config set aws.s3_bucket BUCKET  # one in the region of the machines'],
    data: { bucket: name, fault: 'elsewhere', bucketRegion: region, region: home },
  });
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
