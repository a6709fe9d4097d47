// Multipart uploads up to their end: create, upload or copy a part, abort.
// Does: parts 1..10,000 in any order and repeated, checksums per part (computed when the upload names an algorithm).
// Gaps: uploads do not expire. By design: a part is a data file of its own and stays one after completion; nothing is joined.
// Sources: S3 API Reference CreateMultipartUpload, UploadPart, UploadPartCopy; S3 User Guide "Multipart upload limits".
import { randomBytes } from 'node:crypto';
import { AwsFault } from '../../wire/call.ts';
import { MAX_PUT_BYTES, tooLarge, type ReadBody } from './body.ts';
import type { BucketIndex, PartRow, Upload, UploadRow } from './bucket-index.ts';
import { checksumElement, checksumTypeOf, declaredChecksum, invalidRequest, parseAlgorithm } from './checksums.ts';
import { copyData, findCopySource } from './copy-object.ts';
import type { Segment } from './data-files.ts';
import { invalidArgument, type Exchange } from './exchange.ts';
import { checksumHeaders, parseObjectHeaders } from './object-headers.ts';
import type { BucketRow } from './store.ts';
import { commitOrRemove, receiveData } from './write-object.ts';

export function noSuchUpload(id: string): AwsFault {
  return new AwsFault('NoSuchUpload', 'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.', 404, { body: { UploadId: id } });
}

export function findUpload(exchange: Exchange, index: BucketIndex): { id: string; upload: Upload } {
  const id = exchange.query.get('uploadId') ?? '';
  const upload = index.uploads.get(id);
  if (!upload || upload.row.key !== exchange.key) throw noSuchUpload(id);
  return { id, upload };
}

export async function createMultipartUpload(exchange: Exchange): Promise<void> {
  const index = exchange.index();
  const row: UploadRow = { ...parseObjectHeaders(exchange), key: exchange.key, initiatedMs: exchange.nowMs() };
  const asked = exchange.header('x-amz-checksum-algorithm');
  const type = exchange.header('x-amz-checksum-type');
  if (asked !== undefined) {
    const algorithm = parseAlgorithm(asked, 'x-amz-checksum-algorithm');
    row.checksum = { algorithm, type: checksumTypeOf(algorithm, type) };
  } else if (type !== undefined) throw invalidRequest('The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.');
  const id = randomBytes(48).toString('base64url');
  index.beginUpload(id, row);
  exchange.answerXml('InitiateMultipartUploadResult', { Bucket: exchange.address.bucket, Key: exchange.key, UploadId: id }, {
    'x-amz-server-side-encryption': 'AES256',
    ...(row.checksum ? { 'x-amz-checksum-algorithm': row.checksum.algorithm, 'x-amz-checksum-type': row.checksum.type } : {}),
  });
}

function partNumberOf(exchange: Exchange): number {
  const text = exchange.query.get('partNumber') ?? '';
  const number = Number(text);
  if (!/^\d{1,5}$/.test(text) || number < 1 || number > 10_000) {
    throw invalidArgument('Part number must be an integer between 1 and 10000, inclusive', 'partNumber', text);
  }
  return number;
}

export async function uploadPart(exchange: Exchange): Promise<void> {
  const bucket = exchange.bucket();
  const index = exchange.store.index(bucket);
  const number = partNumberOf(exchange);
  const { id, upload } = findUpload(exchange, index);
  const wanted = upload.row.checksum?.algorithm;
  const declared = declaredChecksum(exchange.request.headers);
  if (wanted && declared && declared.algorithm !== wanted) {
    throw invalidRequest(`Checksum Type mismatch occurred, expected checksum Type: ${wanted.toLowerCase()}, actual checksum Type: ${declared.algorithm.toLowerCase()}`);
  }
  const received = await receiveData(exchange, bucket, wanted);
  const part = commitPart(exchange, bucket, index, id, number, received);
  exchange.answer(200, { etag: `"${part.etag}"`, 'x-amz-server-side-encryption': 'AES256', ...checksumHeaders(part.checksum), 'content-length': '0' });
}

export async function uploadPartCopy(exchange: Exchange): Promise<void> {
  const bucket = exchange.bucket();
  const index = exchange.store.index(bucket);
  const number = partNumberOf(exchange);
  const { id, upload } = findUpload(exchange, index);
  const source = findCopySource(exchange);
  const [start, end] = copyRange(exchange.header('x-amz-copy-source-range'), source.row.sizeBytes);
  if (end - start > MAX_PUT_BYTES) throw tooLarge(end - start, MAX_PUT_BYTES);
  const copied = await copyData(source, index, start, end, upload.row.checksum?.algorithm);
  const part = commitPart(exchange, bucket, index, id, number, copied);
  exchange.answerXml('CopyPartResult', {
    LastModified: new Date(part.modifiedMs).toISOString(),
    ETag: `"${part.etag}"`,
    ...(part.checksum ? { [checksumElement(part.checksum.algorithm)]: part.checksum.value } : {}),
  }, { 'x-amz-server-side-encryption': 'AES256' });
}

function copyRange(header: string | undefined, sizeBytes: number): [number, number] {
  if (header === undefined) return [0, sizeBytes];
  const match = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(header);
  const start = Number(match?.[1]);
  const end = Number(match?.[2]) + 1;
  if (!match || start >= end) {
    throw invalidArgument('The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy', 'x-amz-copy-source-range', header);
  }
  if (end > sizeBytes) throw invalidArgument(`Range specified is not valid for source object of size: ${sizeBytes}`, 'x-amz-copy-source-range', header);
  return [start, end];
}

function commitPart(exchange: Exchange, bucket: BucketRow, index: BucketIndex, id: string, number: number, body: ReadBody & { segments: Segment[] }): PartRow {
  const part: PartRow = { etag: body.md5.toString('hex'), sizeBytes: body.sizeBytes, modifiedMs: exchange.nowMs(), segments: body.segments, checksum: body.checksum };
  commitOrRemove(exchange, bucket, body.segments, () => {
    if (!index.putPart(id, number, part)) throw noSuchUpload(id);
  });
  return part;
}

export async function abortMultipartUpload(exchange: Exchange): Promise<void> {
  const index = exchange.index();
  index.abortUpload(findUpload(exchange, index).id);
  exchange.answer(204);
}
