// Headers of tar archives: POSIX.1-1988 ustar (IEEE Std 1003.1, pax utility) with the GNU extensions for long names ('L', 'K')
// and sizes beyond 8 GiB (base-256). GNU because these carry any name byte for byte; GNU tar, bsdtar and busybox read them.

export const BLOCK = 512;

export interface TarEntry {
  name: Buffer;
  type: 'file' | 'link';
  sizeBytes: number;
  mode: number;
  target?: Buffer;
}

/** All blocks that precede the content. Owner, group and time are always 0, so that equal trees give equal archives. */
export function tarHeader({ name, type, sizeBytes, mode, target = Buffer.alloc(0) }: TarEntry): Buffer {
  return Buffer.concat([
    ...(target.length > 100 ? [block(Buffer.from('././@LongLink'), 'K', target.length + 1, 0o644, Buffer.alloc(0)), padded(target)] : []),
    ...(name.length > 100 ? [block(Buffer.from('././@LongLink'), 'L', name.length + 1, 0o644, Buffer.alloc(0)), padded(name)] : []),
    block(name, type === 'link' ? '2' : '0', type === 'link' ? 0 : sizeBytes, mode, target),
  ]);
}

/** Zeros that fill the last block of a content of this size. */
export function tarPadding(sizeBytes: number): Buffer {
  return Buffer.alloc((BLOCK - (sizeBytes % BLOCK)) % BLOCK);
}

/** Two empty blocks. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * BLOCK);
}

function padded(text: Buffer): Buffer {
  const withNul = Buffer.concat([text, Buffer.alloc(1)]);
  return Buffer.concat([withNul, tarPadding(withNul.length)]);
}

function block(name: Buffer, flag: string, sizeBytes: number, mode: number, target: Buffer): Buffer {
  const header = Buffer.alloc(BLOCK);
  name.copy(header, 0, 0, 100);
  octal(header, 100, 8, mode);
  octal(header, 108, 8, 0);
  octal(header, 116, 8, 0);
  size(header, sizeBytes);
  octal(header, 136, 12, 0);
  header.write(flag, 156, 'latin1');
  target.copy(header, 157, 0, 100);
  header.write('ustar  \0', 257, 'latin1');
  header.write(`${checksum(header).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function octal(header: Buffer, offset: number, length: number, value: number): void {
  header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'latin1');
}

function size(header: Buffer, sizeBytes: number): void {
  if (sizeBytes < 8 ** 11) return octal(header, 124, 12, sizeBytes);
  header[124] = 0x80;
  header.writeBigUInt64BE(BigInt(sizeBytes), 128);
}

/** Sum of all bytes, the checksum field itself taken as blanks. */
export function checksum(header: Buffer): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += header[i]!;
  return sum;
}
