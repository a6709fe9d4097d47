// Texts of any characters for property tests. fast-check's own unit 'binary' lists all of them when it is first used: a second of CPU
// time in each worker.
import * as fc from 'fast-check';

const SURROGATES = { first: 0xd800, count: 0x800 };
const anyCharacter = fc.nat(0x10_ffff - SURROGATES.count).map((nth) => String.fromCodePoint(nth < SURROGATES.first ? nth : nth + SURROGATES.count));

/** As often of ASCII, control characters included, as from anywhere. */
export const anyText = (constraints: { minLength?: number; maxLength?: number } = {}): fc.Arbitrary<string> =>
  fc.string({ ...constraints, unit: fc.oneof(anyCharacter, fc.nat(0x7f).map((code) => String.fromCodePoint(code))) });
