// Buckets: list, create, delete, head, location.
// Does: name rules, LocationConstraint rules, re-creation of one's own bucket, x-amz-bucket-region, paged ListBuckets.
// Gaps: object lock, directory buckets, names taken by other accounts (there is only one account).
// Sources: S3 API Reference CreateBucket, HeadBucket, ListBuckets; S3 User Guide "Bucket naming rules"; Error responses.
import { AwsFault } from '../../wire/call.ts';
import { readText } from './body.ts';
import { invalidArgument, type Exchange } from './exchange.ts';
import { refuseAcls } from './object-headers.ts';
import { compareKeys } from './key-order.ts';
import { parseXml, renderXml, textOf, S3_NAMESPACE } from './xml.ts';

export async function listBuckets(exchange: Exchange): Promise<void> {
  const { query, store } = exchange;
  const paged = query.has('max-buckets');
  const limit = exchange.queryInteger('max-buckets', 10_000);
  if (limit < 1 || limit > 10_000) throw invalidArgument('Argument max-buckets must be an integer between 1 and 10000.', 'max-buckets', String(limit));
  const prefix = query.get('prefix') ?? '';
  const region = query.get('bucket-region');
  const after = Buffer.from(query.get('continuation-token') ?? '', 'base64url').toString('utf8');
  const rows = store.buckets
    .values()
    .filter((row) => row.name.startsWith(prefix) && (region === null || row.region === region) && row.name > after)
    .sort((a, b) => compareKeys(a.name, b.name));
  const page = rows.slice(0, limit);
  exchange.answerXml('ListAllMyBucketsResult', {
    Owner: { ID: store.ownerId },
    Buckets: {
      Bucket: page.map((row) => ({
        Name: row.name,
        CreationDate: new Date(row.createdMs).toISOString(),
        BucketRegion: paged || region !== null || prefix !== '' ? row.region : undefined,
      })),
    },
    Prefix: prefix === '' ? undefined : prefix,
    ContinuationToken: page.length < rows.length ? Buffer.from(page.at(-1)?.name ?? '').toString('base64url') : undefined,
  });
}

export async function createBucket(exchange: Exchange): Promise<void> {
  const name = exchange.address.bucket;
  requireBucketName(name);
  refuseAcls(exchange);
  if (exchange.header('x-amz-bucket-object-lock-enabled')?.toLowerCase() === 'true') {
    throw new AwsFault('NotImplemented', 'A header you provided implies functionality that is not implemented', 501, { body: { Header: 'x-amz-bucket-object-lock-enabled' } });
  }
  const constraint = await readLocationConstraint(exchange);
  const region = regionFor(constraint, exchange.context.region);
  const existing = exchange.store.buckets.get(name);
  if (existing) {
    // The oldest region answers a repeated creation by its owner as if it had worked.
    if (existing.region === 'us-east-1' && region === 'us-east-1') return exchange.answer(200, { location: `/${name}`, 'content-length': '0' });
    throw new AwsFault('BucketAlreadyOwnedByYou', 'Your previous request to create the named bucket succeeded and you already own it.', 409, {
      body: { BucketName: name },
      headers: { 'x-amz-bucket-region': existing.region },
    });
  }
  exchange.store.create(name, region, exchange.nowMs());
  const location = region === 'us-east-1' ? `/${name}` : `http://${name}.s3.amazonaws.com/`;
  exchange.answer(200, { location, 'content-length': '0' });
}

async function readLocationConstraint(exchange: Exchange): Promise<string | undefined> {
  // Some clients send this PUT without a body and without a length.
  const { headers } = exchange.request;
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return undefined;
  const text = await readText(exchange);
  if (text.trim() === '') return undefined;
  return textOf(parseXml(text, 'CreateBucketConfiguration'), 'LocationConstraint')?.trim() || undefined;
}

/** The region the bucket is made in, from what the body asks for and the endpoint that the request was signed for. */
function regionFor(constraint: string | undefined, endpointRegion: string): string {
  const incompatible = (what: string): AwsFault =>
    new AwsFault('IllegalLocationConstraintException', `The ${what} location constraint is incompatible for the region specific endpoint this request was sent to.`, 400);
  if (constraint === undefined) {
    if (endpointRegion === 'us-east-1') return 'us-east-1';
    throw incompatible('unspecified');
  }
  const region = constraint === 'EU' ? 'eu-west-1' : constraint;
  if (region === 'us-east-1' || !/^[a-z]{2}(-[a-z]+)+-\d$/.test(region)) {
    throw new AwsFault('InvalidLocationConstraint', 'The specified location-constraint is not valid', 400, { body: { LocationConstraint: constraint } });
  }
  // The endpoint of us-east-1 makes buckets in every region, the others only in their own.
  if (endpointRegion !== 'us-east-1' && region !== endpointRegion) throw incompatible(constraint);
  return region;
}

export function requireBucketName(name: string): void {
  const good =
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !name.includes('..') && !/^\d+\.\d+\.\d+\.\d+$/.test(name) &&
    !/^(xn--|sthree-|amzn-s3-demo-)/.test(name) && !/(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$/.test(name);
  if (!good) throw new AwsFault('InvalidBucketName', 'The specified bucket is not valid.', 400, { body: { BucketName: name } });
}

export async function deleteBucket(exchange: Exchange): Promise<void> {
  const bucket = exchange.bucket();
  if (exchange.store.index(bucket).size > 0) {
    throw new AwsFault('BucketNotEmpty', 'The bucket you tried to delete is not empty', 409, { body: { BucketName: bucket.name } });
  }
  exchange.store.delete(bucket);
  exchange.answer(204);
}

export async function headBucket(exchange: Exchange): Promise<void> {
  const bucket = exchange.bucket();
  exchange.answer(200, { 'x-amz-bucket-region': bucket.region, 'x-amz-access-point-alias': 'false', 'content-type': 'application/xml' });
}

/** Also answers for buckets of other regions when asked at us-east-1, as the classic endpoint does: clients find out the region so. */
export async function getBucketLocation(exchange: Exchange): Promise<void> {
  const row = exchange.context.region === 'us-east-1' ? exchange.findBucket(exchange.address.bucket) : exchange.bucket();
  const text = row.region === 'us-east-1' ? '' : row.region;
  const body = renderXml('LocationConstraint', text, S3_NAMESPACE);
  exchange.response.writeHead(200, { 'content-type': 'application/xml', 'content-length': String(Buffer.byteLength(body)) });
  exchange.response.end(body);
}
