// Does: checks the older S3 signature in URLs (AWSAccessKeyId, Expires, Signature): what AWS CLI v1 and boto3 presign with by default
// in us-east-1.
// Gaps: not in the Authorization header, which no current client sends to S3.
// Source: S3 API Reference "Signing and authenticating REST requests" (with its example); botocore auth.py, HmacV1QueryAuth
// (x-amz- headers travel in the query and are signed as headers).
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Signature } from './call.ts';
import type { Claim, SignatureFault, SignedRequest } from './claim.ts';
import type { CredentialRow } from './credentials.ts';

/** Query parameters that are part of what is signed. */
const SIGNED_PARAMETERS = new Set([
  'accelerate', 'acl', 'analytics', 'cors', 'delete', 'inventory', 'lifecycle', 'location', 'logging', 'metrics', 'notification', 'object-lock',
  'partNumber', 'policy', 'replication', 'requestPayment', 'restore', 'select', 'select-type', 'storageClass', 'tagging', 'torrent',
  'uploadId', 'uploads', 'versionId', 'versioning', 'versions', 'website',
  'response-cache-control', 'response-content-disposition', 'response-content-encoding', 'response-content-language', 'response-content-type', 'response-expires',
]);

export function readQueryV2Claim(query: URLSearchParams): Claim | SignatureFault {
  const expires = query.get('Expires') ?? '';
  const signature = query.get('Signature') ?? '';
  if (signature === '' || !/^\d{1,15}$/.test(expires)) {
    return { kind: 'incomplete', detail: 'Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters' };
  }
  return {
    presigned: true,
    accessKeyId: query.get('AWSAccessKeyId') ?? '',
    date: '',
    // This signature names no region.
    region: 'us-east-1',
    service: 's3',
    signedHeaders: [],
    signature,
    amzDate: '',
    sessionToken: query.get('x-amz-security-token') ?? undefined,
    v2ExpiresAtS: Number(expires),
  };
}

function stringToSign({ method, target, rawHeaders }: SignedRequest, expiresAtS: number): string {
  const [path = '', rawQuery = ''] = target.split(/\?(.*)/s);
  const plain = new Map<string, string>();
  const amz = new Map<string, string[]>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    const value = (rawHeaders[index + 1] ?? '').trim();
    if (name.startsWith('x-amz-')) amz.set(name, [...(amz.get(name) ?? []), value]);
    else plain.set(name, value);
  }
  const signed: [string, string | undefined][] = [];
  for (const [name, value] of new URLSearchParams(rawQuery)) {
    if (name.toLowerCase().startsWith('x-amz-')) amz.set(name.toLowerCase(), [value]);
    // `?acl` and `?acl=` are the same here: botocore and the documentation sign the bare name.
    else if (SIGNED_PARAMETERS.has(name)) signed.push([name, value === '' ? undefined : value]);
  }
  const byName = (a: [string, unknown], b: [string, unknown]): number => (a[0] < b[0] ? -1 : 1);
  const amzLines = [...amz].sort(byName).map(([name, values]) => `${name}:${values.join(',')}\n`).join('');
  const resource = path + (signed.length === 0 ? '' : `?${signed.sort(byName).map(([name, value]) => (value === undefined ? name : `${name}=${value}`)).join('&')}`);
  return `${method}\n${plain.get('content-md5') ?? ''}\n${plain.get('content-type') ?? ''}\n${expiresAtS}\n${amzLines}${resource}`;
}

export function verifyQueryV2(request: SignedRequest, claim: Claim, expiresAtS: number, credential: CredentialRow, nowMs: number): Signature | SignatureFault {
  if (nowMs > expiresAtS * 1000) return { kind: 'expired-url', expiresAt: new Date(expiresAtS * 1000).toISOString(), nowAt: new Date(nowMs).toISOString() };
  const text = stringToSign(request, expiresAtS);
  const expected = Buffer.from(createHmac('sha1', credential.secretAccessKey).update(text).digest('base64'));
  const given = Buffer.from(claim.signature);
  if (given.length !== expected.length || !timingSafeEqual(expected, given)) return { kind: 'mismatch', canonicalRequest: '', stringToSign: text };
  if ((credential.sessionToken ?? '') !== (claim.sessionToken ?? '')) return { kind: 'bad-token' };
  if (credential.expiresAt !== undefined && nowMs > credential.expiresAt) return { kind: 'expired-token' };
  // Nothing can be streamed under this signature, so there is no key to go on with.
  return { signature: claim.signature, signingKey: Buffer.alloc(0), scope: '', amzDate: '' };
}
