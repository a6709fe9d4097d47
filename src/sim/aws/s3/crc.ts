// Cyclic redundancy checks that S3 accepts as object checksums: CRC32 (native in zlib), CRC32C and CRC64NVME (tables, eight
// bytes a step), and the joining of two checks into that of the concatenation, for FULL_OBJECT checksums of multipart uploads.
// By design: own code, sharing nothing with the SDK that it checks. Sources: RFC 3720 (CRC32C), NVM Command Set
// Specification (CRC64NVME), zlib crc32.c (combination by x^(8n) mod P).
import { crc32 } from 'node:zlib';

export interface Crc {
  update(chunk: Uint8Array): void;
  digest(): Buffer;
}

/** Reflected polynomials. */
export const POLYNOMIALS = {
  CRC32: { width: 32, polynomial: 0xedb88320n },
  CRC32C: { width: 32, polynomial: 0x82f63b78n },
  CRC64NVME: { width: 64, polynomial: 0x9a6c9329ac4bc9b5n },
} as const;

export type CrcName = keyof typeof POLYNOMIALS;

export function newCrc(name: CrcName): Crc {
  if (name === 'CRC32') return new ZlibCrc32();
  return name === 'CRC32C' ? new TableCrc32('CRC32C') : new TableCrc64('CRC64NVME');
}

class ZlibCrc32 implements Crc {
  #value = 0;
  update(chunk: Uint8Array): void {
    this.#value = crc32(chunk, this.#value);
  }
  digest(): Buffer {
    const out = Buffer.alloc(4);
    out.writeUInt32BE(this.#value >>> 0);
    return out;
  }
}

interface Tables {
  low: Uint32Array;
  high: Uint32Array;
}

const tablesByName = new Map<CrcName, Tables>();

/** Eight tables of 256 entries after one another, each entry split in 32-bit halves. */
function tablesOf(name: CrcName): Tables {
  const known = tablesByName.get(name);
  if (known) return known;
  const { polynomial } = POLYNOMIALS[name];
  const entries: bigint[] = [];
  for (let byte = 0; byte < 256; byte++) {
    let value = BigInt(byte);
    for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ polynomial : value >> 1n;
    entries.push(value);
  }
  for (let index = 256; index < 8 * 256; index++) {
    const previous = entries[index - 256] as bigint;
    entries.push((entries[Number(previous & 0xffn)] as bigint) ^ (previous >> 8n));
  }
  const tables = {
    low: Uint32Array.from(entries, (value) => Number(value & 0xffffffffn)),
    high: Uint32Array.from(entries, (value) => Number(value >> 32n)),
  };
  tablesByName.set(name, tables);
  return tables;
}

class TableCrc32 implements Crc {
  #value = 0xffffffff;
  readonly #table: Uint32Array;
  constructor(name: CrcName) {
    this.#table = tablesOf(name).low;
  }
  update(chunk: Uint8Array): void {
    const t = this.#table as Uint32Array & Record<number, number>;
    let crc = this.#value;
    let i = 0;
    const b = chunk as Uint8Array & Record<number, number>;
    for (const end = chunk.length - 7; i < end; i += 8) {
      crc ^= b[i]! | (b[i + 1]! << 8) | (b[i + 2]! << 16) | (b[i + 3]! << 24);
      crc =
        t[1792 + (crc & 255)]! ^ t[1536 + ((crc >>> 8) & 255)]! ^ t[1280 + ((crc >>> 16) & 255)]! ^ t[1024 + (crc >>> 24)]! ^
        t[768 + b[i + 4]!]! ^ t[512 + b[i + 5]!]! ^ t[256 + b[i + 6]!]! ^ t[b[i + 7]!]!;
    }
    for (; i < chunk.length; i++) crc = t[(crc ^ b[i]!) & 255]! ^ (crc >>> 8);
    this.#value = crc;
  }
  digest(): Buffer {
    const out = Buffer.alloc(4);
    out.writeUInt32BE(~this.#value >>> 0);
    return out;
  }
}

class TableCrc64 implements Crc {
  #low = 0xffffffff;
  #high = 0xffffffff;
  readonly #tables: Tables;
  constructor(name: CrcName) {
    this.#tables = tablesOf(name);
  }
  update(chunk: Uint8Array): void {
    const { low: tl, high: th } = this.#tables;
    let low = this.#low;
    let high = this.#high;
    let i = 0;
    for (const end = chunk.length - 7; i < end; i += 8) {
      low ^= chunk[i]! | (chunk[i + 1]! << 8) | (chunk[i + 2]! << 16) | (chunk[i + 3]! << 24);
      high ^= chunk[i + 4]! | (chunk[i + 5]! << 8) | (chunk[i + 6]! << 16) | (chunk[i + 7]! << 24);
      const a = 1792 + (low & 255);
      const b = 1536 + ((low >>> 8) & 255);
      const c = 1280 + ((low >>> 16) & 255);
      const d = 1024 + (low >>> 24);
      const e = 768 + (high & 255);
      const f = 512 + ((high >>> 8) & 255);
      const g = 256 + ((high >>> 16) & 255);
      const h = high >>> 24;
      low = tl[a]! ^ tl[b]! ^ tl[c]! ^ tl[d]! ^ tl[e]! ^ tl[f]! ^ tl[g]! ^ tl[h]!;
      high = th[a]! ^ th[b]! ^ th[c]! ^ th[d]! ^ th[e]! ^ th[f]! ^ th[g]! ^ th[h]!;
    }
    for (; i < chunk.length; i++) {
      const index = (low ^ chunk[i]!) & 255;
      low = ((low >>> 8) | (high << 24)) ^ tl[index]!;
      high = (high >>> 8) ^ th[index]!;
    }
    this.#low = low;
    this.#high = high;
  }
  digest(): Buffer {
    const out = Buffer.alloc(8);
    out.writeUInt32BE(~this.#high >>> 0, 0);
    out.writeUInt32BE(~this.#low >>> 0, 4);
    return out;
  }
}

/** The check of `first` followed by `second`, from their checks and the length of the second. */
export function combineCrc(name: CrcName, first: Buffer, second: Buffer, secondSizeBytes: number): Buffer {
  const { width, polynomial } = POLYNOMIALS[name];
  const multiply = (a: bigint, b: bigint): bigint => multiplyModulo(a, b, polynomial, width);
  let shift = 1n << BigInt(width - 1);
  let square = shift >> 1n;
  for (let bits = BigInt(secondSizeBytes) * 8n; bits > 0n; bits >>= 1n) {
    if (bits & 1n) shift = multiply(square, shift);
    square = multiply(square, square);
  }
  const value = multiply(shift, BigInt(`0x${first.toString('hex')}`)) ^ BigInt(`0x${second.toString('hex')}`);
  return Buffer.from(value.toString(16).padStart(width / 4, '0'), 'hex');
}

/** a times b modulo the polynomial, bits reflected: the highest bit stands for x^0. */
function multiplyModulo(a: bigint, b: bigint, polynomial: bigint, width: number): bigint {
  let product = 0n;
  for (let bit = 1n << BigInt(width - 1); bit > 0n; bit >>= 1n) {
    if (a & bit) product ^= b;
    b = b & 1n ? (b >> 1n) ^ polynomial : b >> 1n;
  }
  return product;
}
