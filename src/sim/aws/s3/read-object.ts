// GetObject and HeadObject, and the reading of an object's bytes that copies share with them.
// Does: ranges, parts, conditions, checksum headers, response-* overrides; a reader keeps its bytes when the key is overwritten.
// Gaps: versions (only `null`), restore of archived classes. Source: S3 API Reference, GetObject, HeadObject.
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import type { ObjectRow } from './bucket-index.ts';
import type { ByteRange } from './byte-range.ts';
import { rangeOf } from './byte-range.ts';
import { isNotModified } from './conditional.ts';
import type { DataFiles, Segment } from './data-files.ts';
import { invalidArgument, noSuchKey, type Exchange } from './exchange.ts';
import { checksumHeaders, renderObjectHeaders } from './object-headers.ts';

const READ_BYTES = 512 * 1024;
/** Up to here a synchronous read is quicker than the way through the thread pool. */
const SYNC_READ_BYTES = 64 * 1024;

export function findObject(exchange: Exchange): ObjectRow {
  const row = exchange.index().find(exchange.key);
  requireNullVersion(exchange.query.get('versionId'));
  if (!row) throw noSuchKey(exchange.key);
  return row;
}

export function requireNullVersion(versionId: string | null): void {
  if (versionId !== null && versionId !== 'null') throw invalidArgument('Invalid version id specified', 'versionId', versionId);
}

export function headObject(exchange: Exchange): Promise<void> {
  return readObject(exchange, false);
}

export function getObject(exchange: Exchange): Promise<void> {
  return readObject(exchange, true);
}

async function readObject(exchange: Exchange, withBody: boolean): Promise<void> {
  const row = findObject(exchange);
  const headers = renderObjectHeaders(exchange, row);
  if (isNotModified(exchange, row)) {
    delete headers['content-type'];
    return exchange.answer(304, headers);
  }
  const range = rangeOf(exchange, row);
  Object.assign(headers, rangeHeaders(exchange, row, range));
  const status = range.partial ? 206 : 200;
  if (!withBody || range.start === range.end) return exchange.answer(status, headers);
  const { data } = exchange.index();
  const { response } = exchange;
  response.writeHead(status, headers);
  const only = row.segments.length === 1 ? row.segments[0] : undefined;
  if (only && only.sizeBytes <= SYNC_READ_BYTES) {
    response.end(readFileSync(data.path(only.id)).subarray(range.start, range.end));
    return;
  }
  const unpin = data.pin(row.segments);
  try {
    for await (const chunk of readSegments(data, row.segments, range.start, range.end)) {
      if (response.destroyed) return;
      if (!response.write(chunk)) await drained(response);
    }
    response.end();
  } finally {
    unpin();
  }
}

/** Resolves when the client has taken what was written, or has gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

function rangeHeaders(exchange: Exchange, row: ObjectRow, range: ByteRange): Record<string, string> {
  const headers: Record<string, string> = { 'content-length': String(range.end - range.start) };
  if (range.partial) headers['content-range'] = `bytes ${range.start}-${range.end - 1}/${row.sizeBytes}`;
  if (range.partNumber !== undefined && row.parts) headers['x-amz-mp-parts-count'] = String(row.parts.length);
  if (exchange.header('x-amz-checksum-mode')?.toUpperCase() !== 'ENABLED' || !row.checksum) return headers;
  // A checksum must be that of the bytes sent: of the whole object, or of the one part.
  if (range.end - range.start === row.sizeBytes) return { ...headers, ...checksumHeaders(row.checksum) };
  const part = range.partNumber === undefined ? undefined : row.parts?.[range.partNumber - 1];
  if (part?.checksum === undefined) return headers;
  return { ...headers, ...checksumHeaders({ algorithm: row.checksum.algorithm, value: part.checksum, type: row.checksum.type }) };
}

/** Bytes `start` to `end` (exclusive) of the segments put together. The caller holds a pin. */
export async function* readSegments(data: DataFiles, segments: Segment[], start: number, end: number): AsyncGenerator<Buffer> {
  let offset = 0;
  for (const segment of segments) {
    const from = Math.max(start - offset, 0);
    const to = Math.min(end - offset, segment.sizeBytes);
    offset += segment.sizeBytes;
    if (from >= to) continue;
    const file = await open(data.path(segment.id), 'r');
    try {
      for (let at = from; at < to; ) {
        const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, to - at));
        const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
        if (bytesRead === 0) throw new Error(`a data file of the simulated S3 is shorter than its row says: ${data.path(segment.id)}`);
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }
}
