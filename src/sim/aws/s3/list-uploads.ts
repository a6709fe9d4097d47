// ListParts and ListMultipartUploads.
// Does: paging by markers, prefix, delimiter, encoding-type. Source: S3 API Reference, ListParts, ListMultipartUploads.
import type { UploadRow } from './bucket-index.ts';
import { checksumElement } from './checksums.ts';
import type { Exchange } from './exchange.ts';
import { compareKeys } from './key-order.ts';
import { keyEncoder } from './list-objects.ts';
import { findUpload } from './multipart.ts';

export async function listParts(exchange: Exchange): Promise<void> {
  const { id, upload } = findUpload(exchange, exchange.index());
  const marker = exchange.queryInteger('part-number-marker', 0);
  const maxParts = Math.min(exchange.queryInteger('max-parts', 1000), 1000);
  const rest = [...upload.parts].filter(([number]) => number > marker).sort(([a], [b]) => a - b);
  const page = rest.slice(0, maxParts);
  const owner = { ID: exchange.store.ownerId };
  exchange.answerXml('ListPartsResult', {
    Bucket: exchange.address.bucket,
    Key: exchange.key,
    UploadId: id,
    Initiator: owner,
    Owner: owner,
    StorageClass: upload.row.storageClass,
    PartNumberMarker: marker,
    NextPartNumberMarker: page.at(-1)?.[0] ?? 0,
    MaxParts: maxParts,
    IsTruncated: page.length > 0 && page.length < rest.length,
    ChecksumAlgorithm: upload.row.checksum?.algorithm,
    ChecksumType: upload.row.checksum?.type,
    Part: page.map(([number, part]) => ({
      PartNumber: number,
      LastModified: new Date(part.modifiedMs).toISOString(),
      ETag: `"${part.etag}"`,
      Size: part.sizeBytes,
      ...(part.checksum ? { [checksumElement(part.checksum.algorithm)]: part.checksum.value } : {}),
    })),
  });
}

interface Item {
  key: string;
  id: string;
  row: UploadRow;
}

export async function listMultipartUploads(exchange: Exchange): Promise<void> {
  const index = exchange.index();
  const prefix = exchange.query.get('prefix') ?? '';
  const delimiter = exchange.query.get('delimiter') ?? '';
  const keyMarker = exchange.query.get('key-marker') ?? '';
  const idMarker = exchange.query.get('upload-id-marker') ?? '';
  const maxUploads = Math.min(exchange.queryInteger('max-uploads', 1000), 1000);
  const { encodingType, encode } = keyEncoder(exchange);

  const sorted: Item[] = [...index.uploads]
    .map(([id, { row }]) => ({ key: row.key, id, row }))
    .filter((item) => item.key.startsWith(prefix) && isBehind(item, keyMarker, idMarker))
    .sort(byKeyThenId);
  const uploads: Item[] = [];
  const prefixes = new Set<string>();
  let truncated = false;
  let last: { key: string; id: string } = { key: '', id: '' };
  for (const item of sorted) {
    const cut = delimiter === '' ? -1 : item.key.indexOf(delimiter, prefix.length);
    const common = cut === -1 ? undefined : item.key.slice(0, cut + delimiter.length);
    if (common !== undefined && (prefixes.has(common) || common === keyMarker)) continue;
    if (uploads.length + prefixes.size === maxUploads) {
      truncated = maxUploads > 0;
      break;
    }
    if (common === undefined) uploads.push(item);
    else prefixes.add(common);
    last = common === undefined ? item : { key: common, id: '' };
  }
  const owner = { ID: exchange.store.ownerId };
  exchange.answerXml('ListMultipartUploadsResult', {
    Bucket: exchange.address.bucket,
    KeyMarker: encode(keyMarker),
    UploadIdMarker: idMarker,
    NextKeyMarker: truncated ? encode(last.key) : undefined,
    NextUploadIdMarker: truncated ? last.id : undefined,
    Prefix: encode(prefix),
    Delimiter: delimiter === '' ? undefined : encode(delimiter),
    EncodingType: encodingType,
    MaxUploads: maxUploads,
    IsTruncated: truncated,
    Upload: uploads.map(({ key, id, row }) => ({
      Key: encode(key),
      UploadId: id,
      Initiator: owner,
      Owner: owner,
      StorageClass: row.storageClass,
      Initiated: new Date(row.initiatedMs).toISOString(),
      ChecksumAlgorithm: row.checksum?.algorithm,
      ChecksumType: row.checksum?.type,
    })),
    CommonPrefixes: [...prefixes].map((common) => ({ Prefix: encode(common) })),
  });
}

/** Uploads of one key come in the order of their ids here, so that the id marker can stand between them. */
function byKeyThenId(a: Item, b: Item): number {
  return compareKeys(a.key, b.key) || (a.id < b.id ? -1 : 1);
}

function isBehind(item: Item, keyMarker: string, idMarker: string): boolean {
  if (keyMarker === '') return true;
  const order = compareKeys(item.key, keyMarker);
  return order > 0 || (order === 0 && idMarker !== '' && item.id > idMarker);
}
