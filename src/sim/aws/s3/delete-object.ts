// DeleteObject and DeleteObjects.
// Does: 204 whether or not the key was there, If-Match, up to 1,000 keys at once with per-key errors, Quiet, the demanded checksum.
// Gaps: versions, MFA. Source: S3 API Reference, DeleteObject, DeleteObjects.
import { readText } from './body.ts';
import type { BucketIndex } from './bucket-index.ts';
import { declaredChecksum, invalidRequest } from './checksums.ts';
import { writeCondition } from './conditional.ts';
import type { Exchange } from './exchange.ts';
import { requireNullVersion } from './read-object.ts';
import { listOf, malformedXml, parseXml, textOf, type XmlContent } from './xml.ts';

export async function deleteObject(exchange: Exchange): Promise<void> {
  const index = exchange.index();
  requireNullVersion(exchange.query.get('versionId'));
  if (exchange.header('if-match') !== undefined && exchange.header('if-match')?.trim() !== '*') writeCondition(exchange)(index.find(exchange.key));
  index.delete(exchange.key);
  exchange.answer(204);
}

export async function deleteObjects(exchange: Exchange): Promise<void> {
  const bucket = exchange.bucket();
  if (exchange.header('content-md5') === undefined && !declaredChecksum(exchange.request.headers)) {
    throw invalidRequest('Missing required header for this request: Content-MD5 OR x-amz-checksum-*');
  }
  const root = parseXml(await readText(exchange), 'Delete');
  const items = listOf(root, 'Object');
  if (items.length === 0 || items.length > 1000) throw malformedXml();
  const wanted = items.map((item) => {
    const key = textOf(item, 'Key');
    if (key === undefined || key === '') throw malformedXml();
    return { key, versionId: textOf(item, 'VersionId'), etag: textOf(item, 'ETag') };
  });
  exchange.requireStillThere(bucket);
  const index = exchange.store.index(bucket);
  const quiet = textOf(root, 'Quiet') === 'true';
  const deleted: XmlContent[] = [];
  const errors: XmlContent[] = [];
  for (const item of wanted) {
    const error = deleteOne(index, item);
    if (error) errors.push({ Key: item.key, VersionId: item.versionId, ...error });
    else if (!quiet) deleted.push({ Key: item.key, VersionId: item.versionId });
  }
  exchange.answerXml('DeleteResult', { Deleted: deleted, Error: errors });
}

function deleteOne(index: BucketIndex, item: { key: string; versionId?: string | undefined; etag?: string | undefined }): { Code: string; Message: string } | undefined {
  if (item.versionId !== undefined && item.versionId !== 'null') return { Code: 'NoSuchVersion', Message: 'The specified version does not exist.' };
  if (Buffer.byteLength(item.key) > 1024) return { Code: 'KeyTooLongError', Message: 'Your key is too long' };
  const row = index.find(item.key);
  if (item.etag !== undefined && row && item.etag.replaceAll('"', '') !== row.etag) {
    return { Code: 'PreconditionFailed', Message: 'At least one of the pre-conditions you specified did not hold' };
  }
  index.delete(item.key);
  return undefined;
}
