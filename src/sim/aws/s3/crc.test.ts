import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { combineCrc, newCrc, POLYNOMIALS, type CrcName } from './crc.ts';

const names = Object.keys(POLYNOMIALS) as CrcName[];
const crcOf = (name: CrcName, ...chunks: Uint8Array[]): Buffer => {
  const crc = newCrc(name);
  for (const chunk of chunks) crc.update(chunk);
  return crc.digest();
};

describe('crc', () => {
  // The check values of the CRC catalogue (reveng) for the text "123456789".
  test.each([['CRC32', 'cbf43926'], ['CRC32C', 'e3069283'], ['CRC64NVME', 'ae8b14860a799888']] as const)('%s of 123456789 is %s', (name, check) => {
    expect(crcOf(name, Buffer.from('123456789')).toString('hex')).toBe(check);
  });

  test.each(names)('%s does not depend on how the bytes are cut, and joins', (name) => {
    const bytes = randomBytes(100_003);
    const whole = crcOf(name, bytes);
    for (const cut of [0, 1, 7, 8, 50_001, 100_003]) {
      const [a, b] = [bytes.subarray(0, cut), bytes.subarray(cut)];
      expect(crcOf(name, a, b)).toEqual(whole);
      expect(combineCrc(name, crcOf(name, a), crcOf(name, b), b.length)).toEqual(whole);
    }
  });
});
