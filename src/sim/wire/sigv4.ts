// Does: checks Signature Version 4, in the Authorization header and in presigned query strings.
// Gaps: no Signature Version 4A (ECDSA), no browser POST policies. Version 2 in S3 URLs is in sigv2.ts.
// By design: clock skew is judged by real time; every fault has a kind, which the service's protocol then names in its own words.
// Source: IAM User Guide "Create a signed AWS API request"; S3 API Reference "Authenticating Requests (AWS Signature Version 4)".
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Signature } from './call.ts';
import type { Claim, SignatureFault, SignedRequest } from './claim.ts';
import type { CredentialRow } from './credentials.ts';
import { readQueryV2Claim, verifyQueryV2 } from './sigv2.ts';

export const MOST_SKEW_MS = 15 * 60_000;
const LONGEST_PRESIGN_S = 604_800;
const ALGORITHM = 'AWS4-HMAC-SHA256';

export function headerValues(rawHeaders: string[], name: string): string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === name) values.push(rawHeaders[index + 1] ?? '');
  }
  return values;
}

/** Percent-decode to bytes, without failing on stray percent signs. */
function decodeBytes(text: string, plusIsSpace: boolean): Buffer {
  const plain = plusIsSpace ? text.replaceAll('+', '%20') : text;
  const bytes: number[] = [];
  const source = Buffer.from(plain, 'utf8');
  for (let index = 0; index < source.length; index++) {
    const hex = source[index] === 0x25 ? source.subarray(index + 1, index + 3).toString('latin1') : '';
    if (/^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes.push(Number.parseInt(hex, 16));
      index += 2;
    } else {
      bytes.push(source[index] ?? 0);
    }
  }
  return Buffer.from(bytes);
}

/** UriEncode of the specification: everything but A-Z a-z 0-9 - . _ ~ (and / where asked). */
function uriEncode(bytes: Buffer, keepSlash: boolean): string {
  let text = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    const plain = /[A-Za-z0-9\-._~]/.test(character) || (keepSlash && character === '/');
    text += plain ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

export function canonicalPath(rawPath: string, service: string): string {
  const once = uriEncode(decodeBytes(rawPath || '/', false), true);
  if (service === 's3') return once;
  const parts: string[] = [];
  for (const part of once.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  const path = `/${parts.join('/')}${parts.length > 0 && once.endsWith('/') ? '/' : ''}`;
  return uriEncode(Buffer.from(path), true);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function queryPairs(rawQuery: string): { name: string; value: string }[] {
  return rawQuery
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const at = part.indexOf('=');
      const name = at < 0 ? part : part.slice(0, at);
      const value = at < 0 ? '' : part.slice(at + 1);
      return { name: uriEncode(decodeBytes(name, true), false), value: uriEncode(decodeBytes(value, true), false) };
    });
}

function splitTarget(target: string): { path: string; query: string } {
  const at = target.indexOf('?');
  return at < 0 ? { path: target, query: '' } : { path: target.slice(0, at), query: target.slice(at + 1) };
}

export function canonicalRequest(request: SignedRequest, claim: Pick<Claim, 'service' | 'signedHeaders'>, payloadHash: string): string {
  const { path, query } = splitTarget(request.target);
  const canonicalQuery = queryPairs(query)
    .filter(({ name }) => name !== 'X-Amz-Signature')
    .sort((a, b) => compare(a.name, b.name) || compare(a.value, b.value))
    .map(({ name, value }) => `${name}=${value}`)
    .join('&');
  const headers = claim.signedHeaders
    .map((name) => `${name}:${headerValues(request.rawHeaders, name).map((value) => value.trim().replaceAll(/ +/g, ' ')).join(',')}\n`)
    .join('');
  return [request.method, canonicalPath(path, claim.service), canonicalQuery, headers, claim.signedHeaders.join(';'), payloadHash].join('\n');
}

/** What the request says about its own signature; undefined when it is not signed at all. */
export function readClaim(request: SignedRequest): Claim | SignatureFault | undefined {
  const authorization = headerValues(request.rawHeaders, 'authorization')[0];
  if (authorization !== undefined) return readHeaderClaim(authorization, request.rawHeaders);
  const query = new URLSearchParams(splitTarget(request.target).query);
  if (query.has('X-Amz-Algorithm') || query.has('X-Amz-Signature')) return readQueryClaim(query);
  if (query.has('AWSAccessKeyId')) return readQueryV2Claim(query);
  return undefined;
}

export function isFault(value: Claim | SignatureFault): value is SignatureFault {
  return 'kind' in value;
}

function readHeaderClaim(authorization: string, rawHeaders: string[]): Claim | SignatureFault {
  if (!authorization.startsWith(`${ALGORITHM} `)) return { kind: 'incomplete', detail: `Authorization header requires algorithm ${ALGORITHM}.` };
  const fields = new Map<string, string>();
  for (const part of authorization.slice(ALGORITHM.length + 1).split(',')) {
    const at = part.indexOf('=');
    if (at > 0) fields.set(part.slice(0, at).trim(), part.slice(at + 1).trim());
  }
  for (const name of ['Credential', 'Signature', 'SignedHeaders']) {
    if (!fields.get(name)) return { kind: 'incomplete', detail: `Authorization header requires '${name}' parameter.` };
  }
  const amzDate = headerValues(rawHeaders, 'x-amz-date')[0] ?? toAmzDate(headerValues(rawHeaders, 'date')[0]);
  if (!amzDate) return { kind: 'incomplete', detail: "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header." };
  return buildClaim(false, fields.get('Credential') ?? '', fields.get('SignedHeaders') ?? '', fields.get('Signature') ?? '', amzDate, {
    sessionToken: headerValues(rawHeaders, 'x-amz-security-token')[0],
  });
}

function toAmzDate(httpDate: string | undefined): string | undefined {
  const at = httpDate === undefined ? Number.NaN : Date.parse(httpDate);
  return Number.isNaN(at) ? undefined : formatAmzDate(at);
}

function readQueryClaim(query: URLSearchParams): Claim | SignatureFault {
  if (query.get('X-Amz-Algorithm') !== ALGORITHM) return { kind: 'incomplete', detail: 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"' };
  const names = ['X-Amz-Credential', 'X-Amz-Date', 'X-Amz-SignedHeaders', 'X-Amz-Signature'] as const;
  for (const name of names) {
    if (!query.get(name)) return { kind: 'incomplete', detail: `Query-string authentication version 4 requires the ${name} parameter.` };
  }
  const expires = query.get('X-Amz-Expires');
  const expiresS = expires === null ? undefined : Number(expires);
  if (expiresS !== undefined && (!Number.isInteger(expiresS) || expiresS < 0 || expiresS > LONGEST_PRESIGN_S)) {
    return { kind: 'incomplete', detail: 'X-Amz-Expires must be less than a week (in seconds) that is 604800' };
  }
  return buildClaim(
    true,
    query.get('X-Amz-Credential') ?? '',
    query.get('X-Amz-SignedHeaders') ?? '',
    query.get('X-Amz-Signature') ?? '',
    query.get('X-Amz-Date') ?? '',
    { sessionToken: query.get('X-Amz-Security-Token') ?? undefined, expiresS },
  );
}

function buildClaim(
  presigned: boolean,
  credential: string,
  signedHeaders: string,
  signature: string,
  amzDate: string,
  rest: { sessionToken?: string; expiresS?: number },
): Claim | SignatureFault {
  // Keys may hold no slash, so the scope is the last four parts.
  const parts = credential.split('/');
  const [terminator, service, region, date] = parts.slice(-4).reverse();
  const accessKeyId = parts.slice(0, -4).join('/');
  if (!accessKeyId || !date || !region || !service || terminator !== 'aws4_request') {
    return { kind: 'incomplete', detail: `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${credential}'` };
  }
  if (!/^\d{8}T\d{6}Z$/.test(amzDate)) return { kind: 'incomplete', detail: `Date must be in ISO-8601 'basic format'. Got '${amzDate}'.` };
  if (!amzDate.startsWith(date)) return { kind: 'incomplete', detail: `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${date}' != '${amzDate.slice(0, 8)}'` };
  const names = signedHeaders.toLowerCase().split(';');
  if (!names.includes('host')) return { kind: 'incomplete', detail: "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization." };
  return { presigned, accessKeyId, date, region, service, signedHeaders: names, signature, amzDate, ...rest };
}

function formatAmzDate(epochMs: number): string {
  return new Date(epochMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
}

function parseAmzDate(amzDate: string): number {
  return Date.parse(amzDate.replace(/^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

export function signingKey(secret: string, date: string, region: string, service: string): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), service), 'aws4_request');
}

/** Verify a claim. `payloadHash` is the last line of the canonical request. */
export function verify(request: SignedRequest, claim: Claim, credential: CredentialRow | undefined, payloadHash: string, nowMs: number): Signature | SignatureFault {
  if (!credential) return { kind: 'unknown-key' };
  if (claim.v2ExpiresAtS !== undefined) return verifyQueryV2(request, claim, claim.v2ExpiresAtS, credential, nowMs);
  const requestAt = parseAmzDate(claim.amzDate);
  if (claim.presigned && claim.expiresS !== undefined) {
    if (requestAt > nowMs + MOST_SKEW_MS) return { kind: 'skewed', requestAt: claim.amzDate };
    const expiresAt = requestAt + claim.expiresS * 1000;
    if (nowMs > expiresAt) return { kind: 'expired-url', expiresAt: new Date(expiresAt).toISOString(), nowAt: new Date(nowMs).toISOString() };
  } else if (Number.isNaN(requestAt) || Math.abs(nowMs - requestAt) > MOST_SKEW_MS) {
    return { kind: 'skewed', requestAt: claim.amzDate };
  }
  const canonical = canonicalRequest(request, claim, payloadHash);
  const scope = `${claim.date}/${claim.region}/${claim.service}/aws4_request`;
  const stringToSign = [ALGORITHM, claim.amzDate, scope, createHash('sha256').update(canonical).digest('hex')].join('\n');
  const key = signingKey(credential.secretAccessKey, claim.date, claim.region, claim.service);
  const expected = hmac(key, stringToSign).toString('hex');
  const given = Buffer.from(claim.signature);
  if (given.length !== expected.length || !timingSafeEqual(Buffer.from(expected), given)) {
    return { kind: 'mismatch', canonicalRequest: canonical, stringToSign };
  }
  if ((credential.sessionToken ?? '') !== (claim.sessionToken ?? '')) return { kind: 'bad-token' };
  if (credential.expiresAt !== undefined && nowMs > credential.expiresAt) return { kind: 'expired-token' };
  if (claim.service === 's3') {
    const unsigned = unsignedAmzHeaders(request.rawHeaders, claim.signedHeaders);
    if (unsigned.length > 0) return { kind: 'unsigned-headers', names: unsigned };
  }
  return { signature: expected, signingKey: key, scope, amzDate: claim.amzDate };
}

/** S3 refuses x-amz- headers that the signature does not cover: somebody else may have added them. */
function unsignedAmzHeaders(rawHeaders: string[], signed: string[]): string[] {
  const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  return names.filter((name) => name.startsWith('x-amz-') && name !== 'x-amz-content-sha256' && name !== 'x-amz-user-agent' && !signed.includes(name));
}
