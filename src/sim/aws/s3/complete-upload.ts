// CompleteMultipartUpload: the listed parts become the object, in one step.
// Does: part order, ETags, the 5 MiB minimum, part and whole checksums, x-amz-mp-object-size, conditions.
// Gaps: S3's white space while it works, and its 200 with an error inside. By design: a second call gets NoSuchUpload.
// Source: S3 API Reference, CompleteMultipartUpload; S3 User Guide "Checking object integrity" (composite, full object).
import { createHash } from 'node:crypto';
import { AwsFault } from '../../wire/call.ts';
import { readText } from './body.ts';
import type { ObjectRow, PartRow, Upload } from './bucket-index.ts';
import { badDigest, checksumElement, checksumHeader, invalidRequest, joinChecksums, requireWellFormed, type Checksum } from './checksums.ts';
import { writeCondition } from './conditional.ts';
import type { Exchange } from './exchange.ts';
import { findUpload } from './multipart.ts';
import { listOf, malformedXml, parseXml, textOf, type XmlNode } from './xml.ts';

const MIN_PART_BYTES = 5 * 1024 * 1024;

export async function completeMultipartUpload(exchange: Exchange): Promise<void> {
  const bucket = exchange.bucket();
  const condition = writeCondition(exchange);
  findUpload(exchange, exchange.store.index(bucket));
  // The whole-object checksum in the header is not that of the request's body.
  const text = await readText(exchange, { ignoreChecksumHeader: true });
  exchange.requireStillThere(bucket);
  // From here on nothing waits: check and commit are one step.
  const index = exchange.store.index(bucket);
  const { id, upload } = findUpload(exchange, index);
  const items = listOf(parseXml(text, 'CompleteMultipartUpload'), 'Part');
  const parts = chooseParts(upload, items);
  condition(index.find(exchange.key));
  const md5 = createHash('md5');
  for (const part of parts) md5.update(Buffer.from(part.etag, 'hex'));
  const checksum = checksumOf(exchange, upload, parts);
  const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  const claimedSize = exchange.header('x-amz-mp-object-size');
  if (claimedSize !== undefined && claimedSize !== String(sizeBytes)) {
    throw invalidRequest(`The provided 'x-amz-mp-object-size' header value ${claimedSize} does not match what was computed: ${sizeBytes}`);
  }
  const { key, initiatedMs, checksum: _declared, ...headers } = upload.row;
  const row: ObjectRow = {
    ...headers,
    etag: `${md5.digest('hex')}-${parts.length}`,
    sizeBytes,
    // S3 dates the object by the start of the upload.
    modifiedMs: initiatedMs,
    segments: parts.flatMap((part) => part.segments),
    parts: parts.map((part) => ({ sizeBytes: part.sizeBytes, checksum: checksum && part.checksum?.value })),
  };
  if (checksum) row.checksum = checksum;
  index.put(key, row, id);
  exchange.answerXml('CompleteMultipartUploadResult', {
    Location: `http://${exchange.header('host') ?? 'localhost'}/${exchange.address.virtualHost ? '' : `${bucket.name}/`}${encodeURIComponent(key)}`,
    Bucket: bucket.name,
    Key: key,
    ETag: `"${row.etag}"`,
    ...(checksum ? { [checksumElement(checksum.algorithm)]: checksum.value, ChecksumType: checksum.type } : {}),
  }, { 'x-amz-server-side-encryption': 'AES256' });
}

function chooseParts(upload: Upload, items: XmlNode[]): PartRow[] {
  if (items.length === 0 || items.length > 10_000) throw malformedXml();
  const chosen: PartRow[] = [];
  let previous = 0;
  for (const item of items) {
    const number = Number(textOf(item, 'PartNumber') ?? Number.NaN);
    const etag = textOf(item, 'ETag')?.trim().replaceAll('"', '');
    if (!Number.isInteger(number) || etag === undefined) throw malformedXml();
    if (number <= previous) throw new AwsFault('InvalidPartOrder', 'The list of parts was not in ascending order. Parts must be ordered by part number.', 400);
    previous = number;
    const part = upload.parts.get(number);
    if (!part || part.etag !== etag) throw invalidPart(number, etag);
    requirePartChecksum(upload, number, part, item);
    chosen.push(part);
  }
  for (const [position, part] of chosen.slice(0, -1).entries()) {
    if (part.sizeBytes < MIN_PART_BYTES) {
      throw new AwsFault('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', 400, {
        body: { ProposedSize: String(part.sizeBytes), MinSizeAllowed: String(MIN_PART_BYTES), PartNumber: textOf(items[position], 'PartNumber') ?? '', ETag: part.etag },
      });
    }
  }
  return chosen;
}

function requirePartChecksum(upload: Upload, number: number, part: PartRow, item: XmlNode): void {
  const stored = part.checksum;
  const claimed = stored && textOf(item, checksumElement(stored.algorithm));
  if (claimed !== undefined && claimed !== stored?.value) throw invalidPart(number, part.etag);
  const declared = upload.row.checksum;
  if (claimed === undefined && declared?.type === 'COMPOSITE') {
    throw invalidRequest(`The upload was created using a ${declared.algorithm.toLowerCase()} checksum. The complete request must include the checksum for each part. It was missing for part ${number} in the request.`);
  }
}

function invalidPart(number: number, etag: string): AwsFault {
  return new AwsFault('InvalidPart', "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.", 400, {
    body: { PartNumber: String(number), ETag: etag },
  });
}

function checksumOf(exchange: Exchange, upload: Upload, parts: PartRow[]): Checksum | undefined {
  const declared = upload.row.checksum;
  if (!declared) return undefined;
  const checksum = joinChecksums(declared.algorithm, declared.type, parts.map((part) => ({ sizeBytes: part.sizeBytes, value: part.checksum?.value ?? '' })));
  const claimed = exchange.header(checksumHeader(declared.algorithm));
  if (claimed === undefined) return checksum;
  requireWellFormed(declared.algorithm, claimed.replace(/-\d+$/, ''));
  if (claimed !== checksum.value) throw badDigest(declared.algorithm);
  return checksum;
}
