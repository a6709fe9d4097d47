import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Claim, SignedRequest } from './claim.ts';
import { canonicalPath, isFault, readClaim, verify } from './sigv4.ts';

const EMPTY = createHash('sha256').update('').digest('hex');

function claimOf(request: SignedRequest): Claim {
  const claim = readClaim(request);
  if (claim === undefined || isFault(claim)) throw new Error(`no claim: ${JSON.stringify(claim)}`);
  return claim;
}

function credential(accessKeyId: string, secretAccessKey: string) {
  return { accessKeyId, secretAccessKey, principalArn: '', userId: '' };
}

// AWS Signature Version 4 test suite, "get-vanilla" and "get-vanilla-query-order-key-case".
const SUITE = credential('AKIDEXAMPLE', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY');
const SUITE_TIME = Date.parse('2015-08-30T12:36:00Z');

function suite(target: string, signature: string): SignedRequest {
  return {
    method: 'GET',
    target,
    rawHeaders: [
      'Host', 'example.amazonaws.com',
      'X-Amz-Date', '20150830T123600Z',
      'Authorization', `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`,
    ],
  };
}

// S3 API Reference, "Signature Calculations" and "Query String Parameters": the published examples.
const S3_CREDENTIAL = credential('AKIAIOSFODNN7EXAMPLE', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY');
const S3_TIME = Date.parse('2013-05-24T00:00:00Z');
const S3_GET: SignedRequest = {
  method: 'GET',
  target: '/test.txt',
  rawHeaders: [
    'Host', 'examplebucket.s3.amazonaws.com',
    'Range', 'bytes=0-9',
    'x-amz-content-sha256', EMPTY,
    'x-amz-date', '20130524T000000Z',
    'Authorization',
    'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  ],
};
const S3_PRESIGNED: SignedRequest = {
  method: 'GET',
  target:
    '/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
  rawHeaders: ['Host', 'examplebucket.s3.amazonaws.com'],
};

describe('Signature Version 4', () => {
  test('R208 accepts the published test vectors: header-signed', () => {
    const vanilla = suite('/', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31');
    expect(verify(vanilla, claimOf(vanilla), SUITE, EMPTY, SUITE_TIME)).toMatchObject({ scope: '20150830/us-east-1/service/aws4_request' });
    const ordered = suite('/?Param2=value2&Param1=value1', 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500');
    expect(verify(ordered, claimOf(ordered), SUITE, EMPTY, SUITE_TIME)).toHaveProperty('signature');
    expect(verify(S3_GET, claimOf(S3_GET), S3_CREDENTIAL, EMPTY, S3_TIME)).toHaveProperty('signingKey');
  });

  test('R208 accepts the published presigned URL, until it expires', () => {
    const claim = claimOf(S3_PRESIGNED);
    expect(claim.presigned).toBe(true);
    expect(verify(S3_PRESIGNED, claim, S3_CREDENTIAL, 'UNSIGNED-PAYLOAD', S3_TIME + 86_400_000)).toHaveProperty('signature');
    expect(verify(S3_PRESIGNED, claim, S3_CREDENTIAL, 'UNSIGNED-PAYLOAD', S3_TIME + 86_400_001)).toMatchObject({ kind: 'expired-url' });
    expect(verify(S3_PRESIGNED, claim, S3_CREDENTIAL, 'UNSIGNED-PAYLOAD', S3_TIME - 16 * 60_000)).toMatchObject({ kind: 'skewed' });
  });

  test('R208 refuses a wrong secret, a changed path, header, payload and an unknown key', () => {
    const claim = claimOf(S3_GET);
    const mismatch = { kind: 'mismatch' };
    expect(verify(S3_GET, claim, credential('AKIAIOSFODNN7EXAMPLE', 'wrong'), EMPTY, S3_TIME)).toMatchObject(mismatch);
    expect(verify({ ...S3_GET, target: '/other.txt' }, claim, S3_CREDENTIAL, EMPTY, S3_TIME)).toMatchObject(mismatch);
    const changed = S3_GET.rawHeaders.map((value) => (value === 'bytes=0-9' ? 'bytes=0-8' : value));
    expect(verify({ ...S3_GET, rawHeaders: changed }, claim, S3_CREDENTIAL, EMPTY, S3_TIME)).toMatchObject(mismatch);
    expect(verify(S3_GET, claim, S3_CREDENTIAL, 'f'.repeat(64), S3_TIME)).toMatchObject(mismatch);
    expect(verify(S3_GET, claim, undefined, EMPTY, S3_TIME)).toEqual({ kind: 'unknown-key' });
  });

  test('R208 a signature of the right length with characters beyond ASCII is a mismatch, not a crash', () => {
    const claim = { ...claimOf(S3_GET), signature: 'é'.repeat(64) };
    expect(verify(S3_GET, claim, S3_CREDENTIAL, EMPTY, S3_TIME)).toMatchObject({ kind: 'mismatch' });
  });

  test('R208 more than 15 minutes of skew is refused either way', () => {
    const claim = claimOf(S3_GET);
    for (const skewMs of [15 * 60_000 + 1000, -(15 * 60_000 + 1000)]) {
      expect(verify(S3_GET, claim, S3_CREDENTIAL, EMPTY, S3_TIME + skewMs)).toMatchObject({ kind: 'skewed' });
    }
    expect(verify(S3_GET, claim, S3_CREDENTIAL, EMPTY, S3_TIME + 15 * 60_000)).toHaveProperty('signature');
  });

  test('R208 temporary keys need their token and end with it', () => {
    const token = { ...S3_CREDENTIAL, sessionToken: 'token' };
    const claim = claimOf(S3_GET);
    expect(verify(S3_GET, claim, token, EMPTY, S3_TIME)).toEqual({ kind: 'bad-token' });
    expect(verify(S3_GET, { ...claim, sessionToken: 'other' }, token, EMPTY, S3_TIME)).toEqual({ kind: 'bad-token' });
    expect(verify(S3_GET, { ...claim, sessionToken: 'token' }, token, EMPTY, S3_TIME)).toHaveProperty('signature');
    expect(verify(S3_GET, { ...claim, sessionToken: 'token' }, { ...token, expiresAt: S3_TIME - 1 }, EMPTY, S3_TIME)).toEqual({ kind: 'expired-token' });
    expect(verify(S3_GET, { ...claim, sessionToken: 'uninvited' }, S3_CREDENTIAL, EMPTY, S3_TIME)).toEqual({ kind: 'bad-token' });
  });

  test.each([
    ['no Credential', 'AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00'],
    ['another algorithm', 'AWS4-ECDSA-P256-SHA256 Credential=a/20150830/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00'],
    ['basic auth', 'Basic dXNlcjpwYXNz'],
    ['short scope', 'AWS4-HMAC-SHA256 Credential=a/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00'],
    ['host not signed', 'AWS4-HMAC-SHA256 Credential=a/20150830/us-east-1/s3/aws4_request, SignedHeaders=x-amz-date, Signature=00'],
    ['scope of another day', 'AWS4-HMAC-SHA256 Credential=a/20150829/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00'],
  ])('R208 an incomplete Authorization header is refused: %s', (_, authorization) => {
    const request = { method: 'GET', target: '/', rawHeaders: ['Host', 'h', 'X-Amz-Date', '20150830T123600Z', 'Authorization', authorization] };
    expect(readClaim(request)).toMatchObject({ kind: 'incomplete' });
  });

  test('S3 paths are encoded once and kept as they are; others are normalised and encoded twice', () => {
    expect(canonicalPath('/a//b/../c%20d+e/%C3%BC', 's3')).toBe('/a//b/../c%20d%2Be/%C3%BC');
    expect(canonicalPath('/a//b/../c%20d/', 'execute-api')).toBe('/a/c%2520d/');
    expect(canonicalPath('', 's3')).toBe('/');
    expect(canonicalPath('/100%', 's3')).toBe('/100%25');
  });
});
