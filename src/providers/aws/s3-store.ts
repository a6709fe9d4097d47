// A Store on one S3 bucket. Bytes go by presigned URL and plain HTTP; the SDK only signs, and removes. Machines get URLs and so
// need no rights and no AWS CLI of their own.
import type { Store } from '../../core/ports.ts';
import { requireBucket } from './buckets.ts';
import type { AwsApi } from './clients.ts';
import { downloadFile, uploadFile } from './http-transfer.ts';

/** For transfers of our own: signed just before each try. */
const OWN_URL_S = 3_600;
/** The most that a signature may live (Signature Version 4, query parameters). */
const LONGEST_URL_S = 604_800;

/** `knownRegion`: where the bucket lies, once a check has found out. */
export function createS3Store(api: AwsApi, bucket: string, knownRegion: () => string | undefined = () => undefined): Store {
  // Asked once: a URL must be signed for the bucket's own region, and curl does not follow to another.
  let known: Promise<string> | undefined;
  const region = async (): Promise<string> => {
    const told = knownRegion();
    if (told !== undefined) return told;
    known ??= requireBucket(api, bucket).catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return known;
  };
  const sign = async (verb: 'get' | 'put', key: string, expiresS: number): Promise<string> => api.presign(verb, bucket, key, Math.min(expiresS, LONGEST_URL_S), await region());
  const nameOf = (key: string): string => `s3://${bucket}/${key}`;
  return {
    name: `s3://${bucket}`,
    put: (key, file, options) => uploadFile(() => sign('put', key, OWN_URL_S), file, { ...options, clock: api.clock, name: nameOf(key) }),
    get: (key, file, options) => downloadFile(() => sign('get', key, OWN_URL_S), file, { ...options, clock: api.clock, name: nameOf(key) }),
    async remove(key) {
      await api.s3('DeleteObject', { Bucket: bucket, Key: key }, { subject: nameOf(key), region: await region() });
    },
    urlToRead: (key, expiresS) => sign('get', key, expiresS),
    urlToWrite: (key, expiresS) => sign('put', key, expiresS),
  };
}
