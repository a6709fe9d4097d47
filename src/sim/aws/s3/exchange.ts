// One S3 request with its address taken apart: bucket, key and query, whichever style the client uses; and the plain ways to answer.
// Does: path style; virtual-host style under localhost, 127.0.0.1 and amazonaws.com; keys of any UTF-8, `..` and `//` included.
// By design: reads the request target itself, since the URL class would fold `a/../b`, which in S3 is a key like any other.
// Sources: S3 User Guide "Virtual hosting of buckets", "Creating object key names" (1,024 bytes).
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AwsFault, type CallContext, type RestService } from '../../wire/call.ts';
import type { BucketIndex } from './bucket-index.ts';
import { storeOf, type BucketRow, type Store } from './store.ts';
import { renderXml, type XmlContent } from './xml.ts';

export type RestContext = Parameters<RestService['handle']>[2];

export interface Address {
  bucket: string;
  key: string;
  query: URLSearchParams;
  virtualHost: boolean;
}

const MAX_KEY_BYTES = 1024;

export function parseAddress(target: string, host: string): Address {
  const path = target.startsWith('/') ? target : target.replace(/^[a-z]+:\/\/[^/?]*/i, '');
  const mark = path.indexOf('?');
  const rawPath = mark === -1 ? path : path.slice(0, mark);
  const query = new URLSearchParams(mark === -1 ? '' : path.slice(mark + 1));
  const hostBucket = bucketOfHost(host);
  if (hostBucket !== undefined) return { bucket: hostBucket, key: decodeKey(rawPath.slice(1)), query, virtualHost: true };
  const slash = rawPath.indexOf('/', 1);
  return {
    bucket: decodePath(slash === -1 ? rawPath.slice(1) : rawPath.slice(1, slash)),
    key: slash === -1 ? '' : decodeKey(rawPath.slice(slash + 1)),
    query,
    virtualHost: false,
  };
}

/** `bucket.localhost:4566`, `bucket.s3.localhost`, `bucket.s3.eu-west-1.amazonaws.com`; undefined when the host names no bucket. */
function bucketOfHost(host: string): string | undefined {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  const base = ['.localhost', '.127.0.0.1', '.amazonaws.com'].find((suffix) => name.endsWith(suffix));
  if (base === undefined) return undefined;
  const labels = name.slice(0, -base.length);
  const service = /^(?:(.+)\.)?s3(?:[.-][a-z]{2}(?:-[a-z]+)+-\d)?$/.exec(labels);
  if (service) return service[1];
  // Other services' names have no bucket before them.
  return base === '.amazonaws.com' ? undefined : labels;
}

function decodePath(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch (cause) {
    throw Object.assign(new AwsFault('InvalidURI', "Couldn't parse the specified URI.", 400, { body: { URI: raw } }), { cause });
  }
}

function decodeKey(raw: string): string {
  const key = decodePath(raw);
  const sizeBytes = Buffer.byteLength(key);
  if (sizeBytes > MAX_KEY_BYTES) {
    throw new AwsFault('KeyTooLongError', 'Your key is too long', 400, { body: { Size: String(sizeBytes), MaxSizeAllowed: String(MAX_KEY_BYTES) } });
  }
  return key;
}

export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly context: RestContext;
  readonly address: Address;
  readonly store: Store;

  constructor(request: IncomingMessage, response: ServerResponse, context: RestContext, address: Address) {
    this.request = request;
    this.response = response;
    this.context = context;
    this.address = address;
    this.store = storeOf(context.cloud.world);
  }

  get key(): string {
    return this.address.key;
  }

  get query(): URLSearchParams {
    return this.address.query;
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value.join(',') : value;
  }

  /** World time in whole seconds, as S3 keeps it. */
  nowMs(): number {
    return Math.floor(this.context.cloud.clock.now() / 1000) * 1000;
  }

  /** The addressed bucket, in the region that the request was signed for. */
  bucket(): BucketRow {
    const row = this.findBucket(this.address.bucket);
    requireRegion(row, this.context, this.address.virtualHost);
    const expectedOwner = this.header('x-amz-expected-bucket-owner');
    if (expectedOwner !== undefined && expectedOwner !== this.context.accountId) throw new AwsFault('AccessDenied', 'Access Denied', 403);
    return row;
  }

  findBucket(name: string): BucketRow {
    const row = this.store.buckets.get(name);
    if (!row) throw noSuchBucket(name);
    const { bucketRegion } = this.context;
    return bucketRegion === undefined || name !== this.address.bucket ? row : { ...row, region: bucketRegion };
  }

  index(): BucketIndex {
    return this.store.index(this.bucket());
  }

  /** Call before committing a body that took a while to arrive: the bucket may be gone, and its data files with it. */
  requireStillThere(bucket: BucketRow): void {
    if (this.findBucket(bucket.name).id !== bucket.id) throw noSuchBucket(bucket.name);
  }

  /** A query parameter that must be a whole number between 0 and 2^31-1. */
  queryInteger(name: string, absent: number): number {
    const text = this.query.get(name);
    if (text === null || text === '') return absent;
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value <= 0x7fffffff)) throw invalidArgument(`Provided ${name} not an integer or within integer range`, name, text);
    return value;
  }

  answer(status: number, headers: Record<string, string> = {}): void {
    this.response.writeHead(status, headers);
    this.response.end();
  }

  answerXml(rootName: string, content: XmlContent, headers: Record<string, string> = {}): void {
    const body = Buffer.from(renderXml(rootName, content));
    this.response.writeHead(200, { 'content-type': 'application/xml', 'content-length': String(body.length), ...headers });
    this.response.end(body);
  }
}

/** The second id of a reply; on S3 it names the host, here it only looks like it. */
export function hostIdOf(requestId: string): string {
  return createHash('sha384').update(requestId).digest('base64');
}

function requireRegion(bucket: BucketRow, context: CallContext & { presigned: boolean }, virtualHost: boolean): void {
  if (bucket.region === context.region) return;
  const headers = { 'x-amz-bucket-region': bucket.region };
  // A virtual host signed for us-east-1 is what clients of the global endpoint send: DNS leads it to the bucket's region,
  // which refuses the signature. Everything else reached the endpoint of the wrong region, which redirects.
  if (virtualHost && context.region === 'us-east-1') {
    const code = context.presigned ? 'AuthorizationQueryParametersError' : 'AuthorizationHeaderMalformed';
    const what = context.presigned ? 'Error parsing the X-Amz-Credential parameter' : 'The authorization header is malformed';
    throw new AwsFault(code, `${what}; the region '${context.region}' is wrong; expecting '${bucket.region}'`, 400, { headers, body: { Region: bucket.region } });
  }
  throw new AwsFault('PermanentRedirect', 'The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.', 301, {
    headers,
    body: { Endpoint: `${bucket.name}.s3.${bucket.region}.amazonaws.com`, Bucket: bucket.name },
  });
}

export function invalidArgument(message: string, name: string, value: string): AwsFault {
  return new AwsFault('InvalidArgument', message, 400, { body: { ArgumentName: name, ArgumentValue: value } });
}

function noSuchBucket(name: string): AwsFault {
  return new AwsFault('NoSuchBucket', 'The specified bucket does not exist', 404, { body: { BucketName: name } });
}

export function noSuchKey(key: string): AwsFault {
  return new AwsFault('NoSuchKey', 'The specified key does not exist.', 404, { body: { Key: key } });
}
