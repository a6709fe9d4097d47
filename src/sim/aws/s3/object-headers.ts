// What a writer says about an object beside its bytes, and how a reader gets it back.
// Does: system headers, user metadata (2 KB), tags, storage class, refusal of encryption and lock headers it cannot honour.
// Gaps: KMS and customer keys, object lock. By design: header values are kept byte for byte, also when they are not ASCII.
// Sources: S3 API Reference PutObject and GetObject, S3 User Guide "Working with object metadata".
import { AwsFault } from '../../wire/call.ts';
import type { ObjectHeaders, ObjectRow } from './bucket-index.ts';
import { checksumHeader, invalidRequest } from './checksums.ts';
import { invalidArgument, type Exchange } from './exchange.ts';

const SYSTEM = ['content-type', 'cache-control', 'content-disposition', 'content-encoding', 'content-language', 'expires', 'x-amz-website-redirect-location'];
const STORAGE_CLASSES = new Set([
  'STANDARD', 'REDUCED_REDUNDANCY', 'STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'GLACIER', 'DEEP_ARCHIVE', 'GLACIER_IR',
]);
const MAX_USER_METADATA_BYTES = 2048;

export function parseObjectHeaders(exchange: Exchange): ObjectHeaders {
  refuseWhatIsNotHonoured(exchange);
  const system: Record<string, string> = { 'content-type': 'binary/octet-stream' };
  const user: Record<string, string> = {};
  let userBytes = 0;
  for (const [name, value] of Object.entries(exchange.request.headers)) {
    const text = Array.isArray(value) ? value.join(',') : (value ?? '');
    if (SYSTEM.includes(name)) system[name] = text;
    if (!name.startsWith('x-amz-meta-')) continue;
    user[name.slice('x-amz-meta-'.length)] = text;
    userBytes += name.length - 'x-amz-meta-'.length + text.length;
  }
  if (userBytes > MAX_USER_METADATA_BYTES) {
    throw new AwsFault('MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size', 400, {
      body: { Size: String(userBytes), MaxSizeAllowed: String(MAX_USER_METADATA_BYTES) },
    });
  }
  // The transfer's own coding is not the object's.
  const codings = system['content-encoding']?.split(',').map((coding) => coding.trim()).filter((coding) => coding !== 'aws-chunked' && coding !== '');
  if (codings?.length) system['content-encoding'] = codings.join(',');
  else delete system['content-encoding'];
  return { system, user, tags: parseTagHeader(exchange.header('x-amz-tagging')), storageClass: parseStorageClass(exchange) };
}

function parseStorageClass(exchange: Exchange): string {
  const storageClass = exchange.header('x-amz-storage-class') ?? 'STANDARD';
  if (!STORAGE_CLASSES.has(storageClass)) {
    throw new AwsFault('InvalidStorageClass', 'The storage class you specified is not valid', 400, { body: { StorageClassRequested: storageClass } });
  }
  return storageClass;
}

function refuseWhatIsNotHonoured(exchange: Exchange): void {
  const encryption = exchange.header('x-amz-server-side-encryption');
  const names = Object.keys(exchange.request.headers);
  const refused =
    names.find((name) => name.startsWith('x-amz-server-side-encryption-customer-') || name.startsWith('x-amz-server-side-encryption-aws-kms')) ??
    (encryption !== undefined && encryption !== 'AES256' ? 'x-amz-server-side-encryption' : undefined);
  if (refused !== undefined) throw new AwsFault('NotImplemented', `A header you provided implies functionality that is not implemented: ${refused}`, 501, { body: { Header: refused } });
  if (names.some((name) => name.startsWith('x-amz-object-lock-'))) throw invalidRequest('Bucket is missing Object Lock Configuration');
  refuseAcls(exchange);
}

/** New buckets have ACLs switched off; only those that change nothing pass. */
export function refuseAcls(exchange: Exchange): void {
  const acl = exchange.header('x-amz-acl');
  const harmless = acl === undefined || acl === 'private' || acl === 'bucket-owner-full-control';
  if (harmless && !Object.keys(exchange.request.headers).some((name) => name.startsWith('x-amz-grant-'))) return;
  throw new AwsFault('AccessControlListNotSupported', 'The bucket does not allow ACLs', 400);
}

function parseTagHeader(text: string | undefined): [string, string][] {
  return text === undefined ? [] : requireTags([...new URLSearchParams(text)]);
}

export function requireTags(tags: [string, string][], max = 10): [string, string][] {
  if (tags.length > max) throw new AwsFault(max === 10 ? 'BadRequest' : 'InvalidTag', `${max === 10 ? 'Object' : 'Bucket'} tags cannot be greater than ${max}`, 400);
  const seen = new Set<string>();
  for (const [key, value] of tags) {
    if (key.length === 0 || key.length > 128) throw new AwsFault('InvalidTag', 'The TagKey you have provided is invalid', 400, { body: { TagKey: key } });
    if (value.length > 256) throw new AwsFault('InvalidTag', 'The TagValue you have provided is invalid', 400, { body: { TagKey: key } });
    if (seen.has(key)) throw new AwsFault('InvalidTag', 'Cannot provide multiple Tags with the same key', 400, { body: { TagKey: key } });
    seen.add(key);
  }
  return tags;
}

const OVERRIDES = ['content-type', 'content-language', 'expires', 'cache-control', 'content-disposition', 'content-encoding'];

/** Headers of GetObject and HeadObject, without length and range. */
export function renderObjectHeaders(exchange: Exchange, row: ObjectRow): Record<string, string> {
  const headers: Record<string, string> = {
    etag: `"${row.etag}"`,
    'last-modified': new Date(row.modifiedMs).toUTCString(),
    'accept-ranges': 'bytes',
    'x-amz-server-side-encryption': 'AES256',
    ...row.system,
  };
  if (row.storageClass !== 'STANDARD') headers['x-amz-storage-class'] = row.storageClass;
  for (const [name, value] of Object.entries(row.user)) headers[`x-amz-meta-${name}`] = value;
  if (row.tags.length > 0) headers['x-amz-tagging-count'] = String(row.tags.length);
  for (const name of OVERRIDES) {
    const value = exchange.query.get(`response-${name}`);
    if (value === null) continue;
    // oxlint-disable-next-line no-control-regex -- a line break here would forge headers
    if (/[^\t\u0020-\u007e\u0080-\u00ff]/.test(value)) throw invalidArgument(`Header value cannot be represented using ISO-8859-1.`, `response-${name}`, value);
    headers[name] = value;
  }
  return headers;
}

/** Headers that say the checksum of what was stored. */
export function checksumHeaders(checksum: { algorithm: Parameters<typeof checksumHeader>[0]; value: string; type?: string } | undefined): Record<string, string> {
  if (!checksum) return {};
  return { [checksumHeader(checksum.algorithm)]: checksum.value, ...(checksum.type === undefined ? {} : { 'x-amz-checksum-type': checksum.type }) };
}
