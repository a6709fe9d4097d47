// CopyObject, and the finding and conditions of a copy's source that UploadPartCopy shares with it.
// Does: metadata and tagging directives, copy conditions, If-None-Match/If-Match on the target, checksum carried over or made new.
// Gaps: access point ARNs, versions. By design: bytes are read and hashed again, since a copy's ETag is that of a single put.
// Source: S3 API Reference, CopyObject.
import { createHash } from 'node:crypto';
import { AwsFault } from '../../wire/call.ts';
import { MAX_PUT_BYTES, type ReadBody } from './body.ts';
import type { BucketIndex, ObjectRow } from './bucket-index.ts';
import { checksumElement, newDigest, parseAlgorithm, type ChecksumAlgorithm } from './checksums.ts';
import { isNotModified, preconditionFailed, writeCondition } from './conditional.ts';
import type { Segment } from './data-files.ts';
import { invalidArgument, noSuchKey, type Exchange } from './exchange.ts';
import { parseObjectHeaders } from './object-headers.ts';
import { readSegments, requireNullVersion } from './read-object.ts';
import type { BucketRow } from './store.ts';
import { commitOrRemove } from './write-object.ts';

export interface CopySource {
  bucket: BucketRow;
  index: BucketIndex;
  key: string;
  row: ObjectRow;
}

export function findCopySource(exchange: Exchange): CopySource {
  const header = exchange.header('x-amz-copy-source') ?? '';
  const [path = '', search = ''] = header.split('?', 2) as [string, string?];
  requireNullVersion(new URLSearchParams(search).get('versionId'));
  let decoded: string;
  try {
    decoded = decodeURIComponent(path).replace(/^\//, '');
  } catch {
    throw invalidArgument('Invalid copy source encoding.', 'x-amz-copy-source', header);
  }
  const slash = decoded.indexOf('/');
  if (slash <= 0 || slash === decoded.length - 1 || decoded.startsWith('arn:')) {
    throw invalidArgument('Invalid copy source object key', 'x-amz-copy-source', header);
  }
  const bucket = exchange.findBucket(decoded.slice(0, slash));
  const index = exchange.store.index(bucket);
  const key = decoded.slice(slash + 1);
  const row = index.find(key);
  if (!row) throw noSuchKey(key);
  if (isNotModified(exchange, row, 'x-amz-copy-source-')) throw preconditionFailed('x-amz-copy-source-If-None-Match');
  return { bucket, index, key, row };
}

/** Copy bytes of the source into a new data file of `target`, hashing on the way. */
export async function copyData(source: CopySource, target: BucketIndex, start: number, end: number, algorithm: ChecksumAlgorithm | undefined): Promise<ReadBody & { segments: Segment[] }> {
  const unpin = source.index.data.pin(source.row.segments);
  const writer = target.data.writer();
  const md5 = createHash('md5');
  const digest = algorithm && newDigest(algorithm);
  try {
    for await (const chunk of readSegments(source.index.data, source.row.segments, start, end)) {
      md5.update(chunk);
      digest?.update(chunk);
      await writer.write(chunk);
    }
    const segments = await writer.finish();
    return { segments, sizeBytes: end - start, md5: md5.digest(), checksum: algorithm && digest && { algorithm, value: digest.digest().toString('base64') } };
  } catch (error) {
    await writer.abandon();
    throw error;
  } finally {
    unpin();
  }
}

export async function copyObject(exchange: Exchange): Promise<void> {
  const bucket = exchange.bucket();
  const index = exchange.store.index(bucket);
  const source = findCopySource(exchange);
  const given = parseObjectHeaders(exchange);
  const replaceMetadata = directive(exchange, 'x-amz-metadata-directive') === 'REPLACE';
  const replaceTags = directive(exchange, 'x-amz-tagging-directive') === 'REPLACE';
  const storageClass = exchange.header('x-amz-storage-class');
  const toItself = source.bucket.id === bucket.id && source.key === exchange.key;
  if (toItself && !replaceMetadata && storageClass === undefined && exchange.header('x-amz-server-side-encryption') === undefined) {
    throw new AwsFault('InvalidRequest', "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.", 400);
  }
  if (source.row.sizeBytes > MAX_PUT_BYTES) {
    throw new AwsFault('InvalidRequest', 'The specified copy source is larger than the maximum allowable size for a copy source: 5368709120', 400);
  }
  const condition = writeCondition(exchange);
  condition(index.find(exchange.key));
  const asked = exchange.header('x-amz-checksum-algorithm');
  const algorithm = asked === undefined ? source.row.checksum?.algorithm : parseAlgorithm(asked, 'x-amz-checksum-algorithm');
  const copied = await copyData(source, index, 0, source.row.sizeBytes, algorithm);
  const row: ObjectRow = {
    system: replaceMetadata ? given.system : source.row.system,
    user: replaceMetadata ? given.user : source.row.user,
    tags: replaceTags ? given.tags : source.row.tags,
    storageClass: given.storageClass,
    etag: copied.md5.toString('hex'),
    sizeBytes: copied.sizeBytes,
    modifiedMs: exchange.nowMs(),
    segments: copied.segments,
  };
  if (copied.checksum) row.checksum = { ...copied.checksum, type: 'FULL_OBJECT' };
  commitOrRemove(exchange, bucket, copied.segments, () => {
    condition(index.find(exchange.key));
    index.put(exchange.key, row);
  });
  exchange.answerXml('CopyObjectResult', {
    LastModified: new Date(row.modifiedMs).toISOString(),
    ETag: `"${row.etag}"`,
    ...(row.checksum ? { [checksumElement(row.checksum.algorithm)]: row.checksum.value, ChecksumType: row.checksum.type } : {}),
  }, { 'x-amz-server-side-encryption': 'AES256' });
}

function directive(exchange: Exchange, name: string): 'COPY' | 'REPLACE' {
  const text = exchange.header(name) ?? 'COPY';
  if (text !== 'COPY' && text !== 'REPLACE') throw invalidArgument(`Unknown ${name.slice('x-amz-'.length)}.`, name, text);
  return text;
}
