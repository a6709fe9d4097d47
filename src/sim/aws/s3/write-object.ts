// PutObject, and the taking in of bytes that UploadPart shares with it.
// Does: streaming to a data file, all verifications of body.ts, conditional writes, the object in one step at the end.
// Gaps: versioning, appends (x-amz-write-offset-bytes). By design: an object appears only when its whole body was good.
// Source: S3 API Reference, PutObject.
import { AwsFault } from '../../wire/call.ts';
import { MAX_PUT_BYTES, readBody, type ReadBody } from './body.ts';
import type { ObjectRow } from './bucket-index.ts';
import type { ChecksumAlgorithm } from './checksums.ts';
import { writeCondition } from './conditional.ts';
import type { Segment } from './data-files.ts';
import type { Exchange } from './exchange.ts';
import { checksumHeaders, parseObjectHeaders } from './object-headers.ts';
import type { BucketRow } from './store.ts';

export type Received = ReadBody & { segments: Segment[] };

/** Put the request's body into a new data file; nothing stays behind when it is refused. */
export async function receiveData(exchange: Exchange, bucket: BucketRow, algorithm?: ChecksumAlgorithm): Promise<Received> {
  const writer = exchange.store.index(bucket).data.writer();
  try {
    const body = await readBody(exchange, (chunk) => writer.write(chunk), { maxBytes: MAX_PUT_BYTES, algorithm });
    exchange.requireStillThere(bucket);
    return { ...body, segments: await writer.finish() };
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

/** Run the synchronous `commit`; when it refuses, the data goes. */
export function commitOrRemove(exchange: Exchange, bucket: BucketRow, segments: Segment[], commit: () => void): void {
  try {
    exchange.requireStillThere(bucket);
    commit();
  } catch (error) {
    exchange.store.index(bucket).data.remove(segments);
    throw error;
  }
}

export async function putObject(exchange: Exchange): Promise<void> {
  const bucket = exchange.bucket();
  const index = exchange.store.index(bucket);
  if (exchange.header('x-amz-write-offset-bytes') !== undefined) {
    throw new AwsFault('NotImplemented', 'A header you provided implies functionality that is not implemented', 501, { body: { Header: 'x-amz-write-offset-bytes' } });
  }
  const headers = parseObjectHeaders(exchange);
  const condition = writeCondition(exchange);
  condition(index.find(exchange.key));
  const { segments, md5, sizeBytes, checksum } = await receiveData(exchange, bucket);
  const row: ObjectRow = { ...headers, etag: md5.toString('hex'), sizeBytes, modifiedMs: exchange.nowMs(), segments };
  if (checksum) row.checksum = { ...checksum, type: 'FULL_OBJECT' };
  commitOrRemove(exchange, bucket, segments, () => {
    condition(index.find(exchange.key));
    index.put(exchange.key, row);
  });
  exchange.answer(200, { etag: `"${row.etag}"`, 'x-amz-server-side-encryption': 'AES256', ...checksumHeaders(row.checksum), 'content-length': '0' });
}
