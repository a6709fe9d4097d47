// ListObjectsV2, ListObjects and ListObjectVersions: one page of keys in UTF-8 byte order.
// Does: prefix, delimiter and common prefixes, max-keys, tokens and markers, start-after, encoding-type=url, fetch-owner.
// Gaps: versions (every object is the one version `null`). By design: a token is the last name in base64url; a page costs a
// few binary searches however large the bucket. Source: S3 API Reference, ListObjectsV2, ListObjects.
import type { BucketIndex, ObjectRow } from './bucket-index.ts';
import { invalidArgument, type Exchange } from './exchange.ts';
import type { XmlContent } from './xml.ts';

const PAGE = 1000;

export interface Page {
  keys: string[];
  commonPrefixes: string[];
  truncated: boolean;
  /** The last key or common prefix on the page. */
  last: string;
}

export function listPage(index: BucketIndex, prefix: string, delimiter: string, after: string, limit: number): Page {
  const page: Page = { keys: [], commonPrefixes: [], truncated: false, last: '' };
  if (limit === 0) return page;
  let at = Math.max(index.keys.firstAtOrAfter(prefix), after === '' ? 0 : index.keys.firstAfter(after));
  for (;;) {
    const key = index.keys.at(at);
    if (key === undefined || !key.startsWith(prefix)) return page;
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const common = cut === -1 ? undefined : key.slice(0, cut + delimiter.length);
    // Continuing behind a common prefix: everything in it was on the page before.
    const seen = common !== undefined && common === after;
    if (!seen) {
      if (page.keys.length + page.commonPrefixes.length === limit) {
        page.truncated = true;
        return page;
      }
      if (common === undefined) page.keys.push(key);
      else page.commonPrefixes.push(common);
      page.last = common ?? key;
    }
    at = common === undefined ? at + 1 : index.keys.firstBeyondPrefix(common);
  }
}

/** As S3 encodes keys for `encoding-type=url`: slashes stay, a blank becomes a plus. */
export function encodeKey(key: string): string {
  return encodeURIComponent(key).replace(/[!'()]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`).replaceAll('%2F', '/').replaceAll('%20', '+');
}

export function keyEncoder(exchange: Exchange): { encodingType: string | undefined; encode: (key: string) => string } {
  const encodingType = exchange.query.get('encoding-type') ?? undefined;
  if (encodingType !== undefined && encodingType !== 'url') throw invalidArgument('Invalid Encoding Method specified in Request', 'encoding-type', encodingType);
  return { encodingType, encode: encodingType === undefined ? (key) => key : encodeKey };
}

function optional(text: string, encode: (key: string) => string): string | undefined {
  return text === '' ? undefined : encode(text);
}

function renderRow(exchange: Exchange, row: ObjectRow, withOwner: boolean): { [name: string]: XmlContent } {
  return {
    LastModified: new Date(row.modifiedMs).toISOString(),
    ETag: `"${row.etag}"`,
    ChecksumAlgorithm: row.checksum?.algorithm,
    ChecksumType: row.checksum?.type,
    Size: row.sizeBytes,
    Owner: withOwner ? { ID: exchange.store.ownerId } : undefined,
    StorageClass: row.storageClass,
  };
}

interface Listing {
  index: BucketIndex;
  prefix: string;
  delimiter: string;
  maxKeys: number;
  encodingType: string | undefined;
  encode: (key: string) => string;
}

function parseListing(exchange: Exchange): Listing {
  const index = exchange.index();
  const maxKeys = Math.min(exchange.queryInteger('max-keys', PAGE), PAGE);
  return { index, prefix: exchange.query.get('prefix') ?? '', delimiter: exchange.query.get('delimiter') ?? '', maxKeys, ...keyEncoder(exchange) };
}

function renderPage(exchange: Exchange, listing: Listing, page: Page, withOwner: boolean): { [name: string]: XmlContent } {
  return {
    Contents: page.keys.map((key) => ({ Key: listing.encode(key), ...renderRow(exchange, listing.index.find(key) as ObjectRow, withOwner) })),
    CommonPrefixes: page.commonPrefixes.map((prefix) => ({ Prefix: listing.encode(prefix) })),
  };
}

export async function listObjectsV2(exchange: Exchange): Promise<void> {
  const listing = parseListing(exchange);
  const token = exchange.query.get('continuation-token');
  const startAfter = exchange.query.get('start-after') ?? '';
  if (token === '' || (token !== null && Buffer.from(token, 'base64url').toString('base64url') !== token)) {
    throw invalidArgument('The continuation token provided is incorrect', 'continuation-token', token);
  }
  const after = token === null ? startAfter : Buffer.from(token, 'base64url').toString('utf8');
  const page = listPage(listing.index, listing.prefix, listing.delimiter, after, listing.maxKeys);
  exchange.answerXml('ListBucketResult', {
    Name: exchange.address.bucket,
    Prefix: listing.encode(listing.prefix),
    ContinuationToken: token ?? undefined,
    NextContinuationToken: page.truncated ? Buffer.from(page.last).toString('base64url') : undefined,
    StartAfter: optional(startAfter, listing.encode),
    KeyCount: page.keys.length + page.commonPrefixes.length,
    MaxKeys: listing.maxKeys,
    Delimiter: optional(listing.delimiter, listing.encode),
    EncodingType: listing.encodingType,
    IsTruncated: page.truncated,
    ...renderPage(exchange, listing, page, exchange.query.get('fetch-owner') === 'true'),
  });
}

export async function listObjects(exchange: Exchange): Promise<void> {
  const listing = parseListing(exchange);
  const marker = exchange.query.get('marker') ?? '';
  const page = listPage(listing.index, listing.prefix, listing.delimiter, marker, listing.maxKeys);
  exchange.answerXml('ListBucketResult', {
    Name: exchange.address.bucket,
    Prefix: listing.encode(listing.prefix),
    Marker: listing.encode(marker),
    NextMarker: page.truncated && listing.delimiter !== '' ? listing.encode(page.last) : undefined,
    MaxKeys: listing.maxKeys,
    Delimiter: optional(listing.delimiter, listing.encode),
    EncodingType: listing.encodingType,
    IsTruncated: page.truncated,
    ...renderPage(exchange, listing, page, true),
  });
}

export async function listObjectVersions(exchange: Exchange): Promise<void> {
  const listing = parseListing(exchange);
  const marker = exchange.query.get('key-marker') ?? '';
  const page = listPage(listing.index, listing.prefix, listing.delimiter, marker, listing.maxKeys);
  exchange.answerXml('ListVersionsResult', {
    Name: exchange.address.bucket,
    Prefix: listing.encode(listing.prefix),
    KeyMarker: listing.encode(marker),
    VersionIdMarker: exchange.query.get('version-id-marker') ?? '',
    NextKeyMarker: page.truncated ? listing.encode(page.last) : undefined,
    NextVersionIdMarker: page.truncated ? 'null' : undefined,
    MaxKeys: listing.maxKeys,
    Delimiter: optional(listing.delimiter, listing.encode),
    EncodingType: listing.encodingType,
    IsTruncated: page.truncated,
    Version: page.keys.map((key) => ({
      Key: listing.encode(key), VersionId: 'null', IsLatest: true, ...renderRow(exchange, listing.index.find(key) as ObjectRow, true),
    })),
    CommonPrefixes: page.commonPrefixes.map((prefix) => ({ Prefix: listing.encode(prefix) })),
  });
}
