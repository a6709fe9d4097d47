// Object checksums: which algorithms there are, what a request declares about its body, and the faults when that is wrong.
// Does: CRC32, CRC32C, CRC64NVME, SHA1, SHA256 in header or trailer; Content-MD5; composite and full-object values.
// Gaps: the newer MD5, SHA512 and XXHASH checksum headers answer NotImplemented.
// By design: no checksum is computed for a body that declares none (S3 adds CRC64NVME by itself); a checksum in the query
// string of a presigned URL is ignored. Sources: S3 User Guide "Checking object integrity", botocore httpChecksum trait.
import { createHash } from 'node:crypto';
import { AwsFault } from '../../wire/call.ts';
import { combineCrc, newCrc, type CrcName } from './crc.ts';

export type ChecksumAlgorithm = 'CRC32' | 'CRC32C' | 'CRC64NVME' | 'SHA1' | 'SHA256';
export type ChecksumType = 'COMPOSITE' | 'FULL_OBJECT';

/** As stored and returned: base64, with `-N` behind it for a composite one. */
export interface Checksum {
  algorithm: ChecksumAlgorithm;
  value: string;
  type: ChecksumType;
}

export interface Digest {
  update(chunk: Uint8Array): unknown;
  digest(): Buffer;
}

const SIZES_BYTES: Record<ChecksumAlgorithm, number> = { CRC32: 4, CRC32C: 4, CRC64NVME: 8, SHA1: 20, SHA256: 32 };

export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`;
}

/** The element name in XML, e.g. ChecksumCRC32. */
export function checksumElement(algorithm: ChecksumAlgorithm): string {
  return `Checksum${algorithm}`;
}

export const CHECKSUM_ALGORITHMS = Object.keys(SIZES_BYTES) as ChecksumAlgorithm[];

export function newDigest(algorithm: ChecksumAlgorithm): Digest {
  if (algorithm === 'SHA1' || algorithm === 'SHA256') return createHash(algorithm.toLowerCase());
  return newCrc(algorithm);
}

export function parseAlgorithm(text: string, headerName: string): ChecksumAlgorithm {
  const algorithm = CHECKSUM_ALGORITHMS.find((name) => name === text.toUpperCase());
  if (!algorithm) throw invalidRequest(`Checksum algorithm provided is unsupported. Please try again with any of the valid types: [${CHECKSUM_ALGORITHMS.join(', ')}] (${headerName})`);
  return algorithm;
}

/** What the request says its body's checksum is; `expected` is absent while it is still to come in the trailer. */
export interface DeclaredChecksum {
  algorithm: ChecksumAlgorithm;
  expected?: string;
}

const NOT_VALUES = new Set(['x-amz-checksum-mode', 'x-amz-checksum-algorithm', 'x-amz-checksum-type']);

export function declaredChecksum(headers: NodeJS.Dict<string | string[]>): DeclaredChecksum | undefined {
  const names = Object.keys(headers).filter((name) => name.startsWith('x-amz-checksum-') && !NOT_VALUES.has(name));
  const trailer = typeof headers['x-amz-trailer'] === 'string' ? headers['x-amz-trailer'].toLowerCase().split(',').map((name) => name.trim()) : [];
  const trailing = trailer.filter((name) => name.startsWith('x-amz-checksum-'));
  if (names.length + trailing.length > 1) {
    throw invalidRequest('Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.');
  }
  const name = names[0] ?? trailing[0];
  const announced = headers['x-amz-sdk-checksum-algorithm'];
  if (name === undefined) {
    if (typeof announced === 'string' && headers['content-md5'] === undefined) {
      throw invalidRequest('x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.');
    }
    return undefined;
  }
  const algorithm = CHECKSUM_ALGORITHMS.find((candidate) => checksumHeader(candidate) === name);
  if (!algorithm) throw new AwsFault('NotImplemented', `A header you provided implies functionality that is not implemented: ${name}`, 501, { body: { Header: name } });
  const value = headers[name];
  if (typeof value !== 'string') return { algorithm };
  requireWellFormed(algorithm, value);
  return { algorithm, expected: value };
}

export function requireWellFormed(algorithm: ChecksumAlgorithm, value: string): void {
  const bytes = Buffer.from(value, 'base64');
  if (bytes.length !== SIZES_BYTES[algorithm] || bytes.toString('base64') !== value) {
    throw invalidRequest(`Value for ${checksumHeader(algorithm)} header is invalid.`);
  }
}

/** The 16 bytes of a Content-MD5 header. */
export function parseContentMd5(value: string): Buffer {
  const bytes = Buffer.from(value, 'base64');
  if (bytes.length !== 16 || bytes.toString('base64') !== value) throw new AwsFault('InvalidDigest', 'The Content-MD5 you specified was invalid.', 400, { body: { 'Content-MD5': value } });
  return bytes;
}

export function badDigest(algorithm: ChecksumAlgorithm): AwsFault {
  return new AwsFault('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`, 400);
}

export interface PartChecksum {
  sizeBytes: number;
  /** Base64. */
  value: string;
}

/** The checksum of an object from those of its parts. */
export function joinChecksums(algorithm: ChecksumAlgorithm, type: ChecksumType, parts: PartChecksum[]): Checksum {
  const values: Buffer[] = parts.map((part) => Buffer.from(part.value, 'base64'));
  if (type === 'COMPOSITE') {
    const digest = newDigest(algorithm);
    for (const value of values) digest.update(value);
    return { algorithm, type, value: `${digest.digest().toString('base64')}-${parts.length}` };
  }
  const whole = values.reduce((first, second, index) => combineCrc(algorithm as CrcName, first, second, parts[index]?.sizeBytes ?? 0));
  return { algorithm, type, value: whole.toString('base64') };
}

/** The type that an upload's checksum gets, refusing what S3 has not: hashes cannot be joined, CRC64NVME is never composite. */
export function checksumTypeOf(algorithm: ChecksumAlgorithm, asked: string | undefined): ChecksumType {
  const type = asked ?? (algorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE');
  const isHash = algorithm === 'SHA1' || algorithm === 'SHA256';
  if ((type !== 'COMPOSITE' && type !== 'FULL_OBJECT') || (type === 'FULL_OBJECT' && isHash) || (type === 'COMPOSITE' && algorithm === 'CRC64NVME')) {
    throw invalidRequest(`The ${type} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`);
  }
  return type;
}

export function invalidRequest(message: string): AwsFault {
  return new AwsFault('InvalidRequest', message, 400);
}
