// Reads a tar archive as a stream: ustar, GNU long names, pax paths and sizes. Memory is bounded, whatever the archive says
// of itself; anything that is not a whole, well-formed archive is an error.
import { RunctlError } from '../core/errors.ts';
import { BLOCK, checksum } from './tar-header.ts';

export interface ReadEntry {
  /** As in the archive: not to be trusted. */
  name: string;
  type: 'file' | 'directory' | 'link' | 'hardlink' | 'other';
  sizeBytes: number;
  mode: number;
  mtimeS: number;
  /** Of links. */
  target: string;
  /** Has to be read to its end, or not at all, before the next entry is asked for. */
  content(): AsyncGenerator<Buffer>;
}

const TYPES: Record<string, ReadEntry['type']> = { '0': 'file', '\0': 'file', '7': 'file', '1': 'hardlink', '2': 'link', '5': 'directory' };
/** Long names and pax records: nobody needs more than this. */
const MAX_META_BYTES = 1024 * 1024;

export async function* readTar(chunks: AsyncIterable<Buffer>): AsyncGenerator<ReadEntry> {
  const source = new Source(chunks);
  let meta: Record<string, string> = {};
  for (;;) {
    const header = await source.exactly(BLOCK);
    if (header.every((byte) => byte === 0)) return;
    if (number(header, 148, 8) !== checksum(header)) throw damaged('a header has the wrong checksum');
    const flag = String.fromCharCode(header[156]!);
    const sizeBytes = meta.size === undefined ? number(header, 124, 12) : Number(meta.size);
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw damaged('a size is not a number');
    if ('LKxg'.includes(flag)) {
      if (sizeBytes > MAX_META_BYTES) throw damaged('a name is longer than a mebibyte');
      const body = await source.exactly(sizeBytes);
      await source.skip(padding(sizeBytes));
      if (flag === 'L') meta.path = text(body, 0, body.length);
      else if (flag === 'K') meta.linkpath = text(body, 0, body.length);
      else if (flag === 'x') meta = { ...meta, ...paxRecords(body) };
      continue; // Global pax headers (`g`) hold nothing that is used here.
    }
    const prefix = header.toString('latin1', 257, 262) === 'ustar' && header[262] === 0 ? text(header, 345, 155) : '';
    const hasContent = !['1', '2', '3', '4', '5', '6'].includes(flag);
    const left = { bytes: hasContent ? sizeBytes : 0 };
    const sparse = Object.keys(meta).some((key) => key.startsWith('GNU.sparse'));
    yield {
      name: meta.path ?? `${prefix === '' ? '' : `${prefix}/`}${text(header, 0, 100)}`,
      type: sparse ? 'other' : (TYPES[flag] ?? 'other'),
      sizeBytes: left.bytes,
      mode: number(header, 100, 8) & 0o777,
      mtimeS: Number(meta.mtime ?? number(header, 136, 12)),
      target: meta.linkpath ?? text(header, 157, 100),
      content: () => source.pieces(left),
    };
    await source.skip(left.bytes + padding(hasContent ? sizeBytes : 0));
    meta = {};
  }
}

function padding(sizeBytes: number): number {
  return (BLOCK - (sizeBytes % BLOCK)) % BLOCK;
}

function text(bytes: Buffer, offset: number, length: number): string {
  const field = bytes.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? field.length : end);
}

function number(header: Buffer, offset: number, length: number): number {
  if (header[offset]! & 0x80) return Number(header.subarray(offset + length - 8, offset + length).readBigUInt64BE());
  const digits = text(header, offset, length).trim();
  if (!/^[0-7]*$/.test(digits)) throw damaged('a header holds something that is not a number');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function paxRecords(body: Buffer): Record<string, string> {
  const records: Record<string, string> = {};
  for (let at = 0; at < body.length; ) {
    const blank = body.indexOf(0x20, at);
    const length = Number(body.toString('latin1', at, blank));
    if (blank < 0 || !Number.isInteger(length) || length <= blank - at || at + length > body.length) throw damaged('a pax record is malformed');
    const record = body.toString('utf8', blank + 1, at + length - 1);
    const equals = record.indexOf('=');
    if (equals > 0) records[record.slice(0, equals)] = record.slice(equals + 1);
    at += length;
  }
  return records;
}

function damaged(why: string): RunctlError {
  return new RunctlError('transfer-failed', 'the archive is damaged', { cause: why, hints: ['runctl explain transfer-failed'] });
}

/** A stream of chunks, read by the byte. */
class Source {
  private readonly chunks: AsyncIterator<Buffer>;
  private rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.chunks = chunks[Symbol.asyncIterator]();
  }

  /** At most `bytes`, at least one. */
  private async some(bytes: number): Promise<Buffer> {
    while (this.rest.length === 0) {
      const { value, done } = await this.chunks.next();
      if (done) throw damaged('it ends too early');
      this.rest = value;
    }
    const piece = this.rest.subarray(0, bytes);
    this.rest = this.rest.subarray(piece.length);
    return piece;
  }

  async exactly(bytes: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let left = bytes; left > 0; ) {
      const piece = await this.some(left);
      pieces.push(piece);
      left -= piece.length;
    }
    return Buffer.concat(pieces);
  }

  async skip(bytes: number): Promise<void> {
    for (let left = bytes; left > 0; ) left -= (await this.some(left)).length;
  }

  async *pieces(left: { bytes: number }): AsyncGenerator<Buffer> {
    while (left.bytes > 0) {
      const piece = await this.some(left.bytes);
      left.bytes -= piece.length;
      yield piece;
    }
  }
}
