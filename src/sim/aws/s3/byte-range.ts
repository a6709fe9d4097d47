// Which bytes a read asks for: the Range header or the partNumber parameter.
// Does: bytes=a-b, a-, -n; parts of multipart objects. Gaps: several ranges in one header get the whole object, as on S3.
// Sources: S3 API Reference GetObject, RFC 9110 section 14.
import { AwsFault } from '../../wire/call.ts';
import type { ObjectRow } from './bucket-index.ts';
import { invalidRequest } from './checksums.ts';
import { invalidArgument, type Exchange } from './exchange.ts';

export interface ByteRange {
  start: number;
  /** Exclusive. */
  end: number;
  /** Answer 206 with Content-Range. */
  partial: boolean;
  /** Counted from 1, when a part was asked for. */
  partNumber?: number;
}

export function rangeOf(exchange: Exchange, row: ObjectRow): ByteRange {
  const whole: ByteRange = { start: 0, end: row.sizeBytes, partial: false };
  const header = exchange.header('range');
  const partText = exchange.query.get('partNumber');
  if (partText !== null) {
    if (header !== undefined) throw invalidRequest('Cannot specify both Range header and partNumber query parameter');
    return partRange(row, partText);
  }
  if (header === undefined) return whole;
  const match = /^bytes=(\d*)-(\d*)$/.exec(header.trim());
  if (!match || (match[1] === '' && match[2] === '')) return whole;
  const [first, last] = [match[1] as string, match[2] as string];
  const start = first === '' ? Math.max(0, row.sizeBytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? row.sizeBytes : Math.min(row.sizeBytes, Number(last) + 1);
  if (first !== '' && last !== '' && Number(last) < start) return whole;
  if (start >= end) {
    throw new AwsFault('InvalidRange', 'The requested range is not satisfiable', 416, {
      headers: { 'content-range': `bytes */${row.sizeBytes}` },
      body: { RangeRequested: header, ActualObjectSize: String(row.sizeBytes) },
    });
  }
  return { start, end, partial: true };
}

function partRange(row: ObjectRow, text: string): ByteRange {
  const partNumber = Number(text);
  if (!/^\d{1,5}$/.test(text) || partNumber < 1 || partNumber > 10_000) {
    throw invalidArgument('Part number must be an integer between 1 and 10000, inclusive', 'partNumber', text);
  }
  const sizes = row.parts?.map((part) => part.sizeBytes) ?? [row.sizeBytes];
  const sizeBytes = sizes[partNumber - 1];
  if (sizeBytes === undefined) {
    throw new AwsFault('InvalidPartNumber', 'The requested partnumber is not satisfiable', 416, {
      body: { PartNumberRequested: text, ActualPartCount: String(sizes.length) },
    });
  }
  const start = sizes.slice(0, partNumber - 1).reduce((sum, size) => sum + size, 0);
  return { start, end: start + sizeBytes, partial: sizeBytes > 0, partNumber };
}
