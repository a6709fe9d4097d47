import { describe, expect, test } from 'vitest';
import type { SignedRequest } from './claim.ts';
import { isFault, readClaim, verify } from './sigv4.ts';

// S3 API Reference, "Signing and authenticating REST requests", "Query string request authentication": the published example.
const CREDENTIAL = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', principalArn: '', userId: '' };
const EXPIRES_S = 1175139620;
const NOW = (EXPIRES_S - 60) * 1000;
const SIGNED = `AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=${EXPIRES_S}`;

function judge(target: string, { method = 'GET', headers = [] as string[], now = NOW, credential = CREDENTIAL } = {}) {
  const request: SignedRequest = { method, target, rawHeaders: ['Host', '127.0.0.1', ...headers] };
  const claim = readClaim(request);
  if (claim === undefined || isFault(claim)) return claim;
  return verify(request, claim, credential, 'UNSIGNED-PAYLOAD', now);
}

describe('the older S3 signature in URLs', () => {
  test('R200 R208 the published example is accepted, in any order of its parameters', () => {
    expect(judge(`/johnsmith/photos/puppy.jpg?${SIGNED}`)).toMatchObject({ signature: 'NpgCjnDzrM+WFzoENXmpNDUsSn8=' });
    expect(judge(`/johnsmith/photos/puppy.jpg?${SIGNED.split('&').reverse().join('&')}`)).not.toHaveProperty('kind');
    // Parameters that are no part of the resource do not matter.
    expect(judge(`/johnsmith/photos/puppy.jpg?x-id=GetObject&${SIGNED}`)).not.toHaveProperty('kind');
  });

  test.each([
    ['another key', { target: '/johnsmith/photos/kitten.jpg' }],
    ['another method', { method: 'DELETE' }],
    ['a content type that was not signed', { headers: ['Content-Type', 'text/plain'] }],
    ['an x-amz- header that was not signed', { headers: ['x-amz-acl', 'public-read'] }],
    ['a subresource that was not signed', { target: '/johnsmith/photos/puppy.jpg?acl&' }],
    ['another expiry', { signed: SIGNED.replace(String(EXPIRES_S), String(EXPIRES_S + 1)) }],
    ['another secret', { credential: { ...CREDENTIAL, secretAccessKey: 'no' } }],
  ])('R208 %s is refused', (_what, { target = '/johnsmith/photos/puppy.jpg?', signed = SIGNED, ...rest }: { target?: string; signed?: string; method?: string; headers?: string[]; credential?: typeof CREDENTIAL }) => {
    expect(judge(`${target.includes('?') ? target : `${target}?`}${signed}`, rest)).toMatchObject({ kind: 'mismatch' });
  });

  test('R208 expired, incomplete and without its session token: refused by kind', () => {
    const target = `/johnsmith/photos/puppy.jpg?${SIGNED}`;
    expect(judge(target, { now: EXPIRES_S * 1000 + 1 })).toMatchObject({ kind: 'expired-url' });
    expect(judge('/b/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Expires=1175139620')).toMatchObject({ kind: 'incomplete' });
    expect(judge('/b/k?AWSAccessKeyId=A&Signature=x&Expires=soon')).toMatchObject({ kind: 'incomplete' });
    expect(judge(target, { credential: { ...CREDENTIAL, sessionToken: 'token' } as typeof CREDENTIAL })).toMatchObject({ kind: 'bad-token' });
  });
});
