import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createStyle } from './style.ts';
import { harmless, harmlessJson, harmlessLog, shortened } from './terminal.ts';

/** Controls, sequences of every kind, overrides of direction, and ordinary text, thrown together. */
const hostile = fc.array(
  fc.oneof(
    fc.constantFrom(
      '\u001b[2J', '\u001b[1;1H', '\u001b]0;title\u0007', '\u001b]8;;http://evil\u001b\\link', '\u001bP$q"p\u001b\\', '\u001b[?1049h', '\u001b[6n', '\u001b[31m', '\u001b[0m', '\u001b[38;5;9m', '\u001b[', '\u001b', '\u009b31m', '\u009d0;x\u009c',
      '\r', '\n', '\r\n', '\t', '\b', '\u0007', '\u0000', '\u007f', '\u202e', '\u2066', '\u200b', '\ufeff', '\u{e0041}', '\ud800', '\udfff', '\u2028',
    ),
    fc.string({ unit: 'grapheme', maxLength: 8 }),
  ),
  { maxLength: 30 },
).map((parts) => parts.join(''));

const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\u{e0000}-\u{e007f}]|\p{Surrogate}/u;
const COLOURS = /\u001b\[[0-9;:]*m/g;

describe('R272 text from elsewhere on a terminal', () => {
  test('R272 nothing but colours is left of any mixture of controls, sequences and overrides', () => {
    fc.assert(fc.property(hostile, (text) => {
      expect(harmless(text)).not.toMatch(CONTROLS);
      expect(harmlessLog(text)).not.toMatch(CONTROLS);
      for (const line of harmless(text, true).split('\n')) {
        expect(line.replace(COLOURS, '')).not.toMatch(CONTROLS);
        const last = line.match(COLOURS)?.at(-1);
        expect(last === undefined || /\[0*m$/.test(last), JSON.stringify(line)).toBe(true);
      }
    }), { numRuns: 1000 });
  });

  test('R272 what is harmless stays as it is, in every script, and twice is as good as once', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }).filter((text) => !CONTROLS.test(text)), (text) => {
      expect(harmless(text)).toBe(text);
    }));
    fc.assert(fc.property(hostile, (text) => {
      expect(harmless(harmless(text))).toBe(harmless(text));
    }));
    expect(harmless('tab\tand\nnewline, é 数 👩‍🔬 stay')).toBe('tab\tand\nnewline, é 数 👩‍🔬 stay');
  });

  test('R272 the reader sees that something was there', () => {
    expect(harmless('a\u001b[2Jb\rc\u202ed\u0000\u009b')).toBe('a␛[2Jb␍c<U+202E>d␀<U+009B>');
    expect(harmless('\u001b[31mred', true)).toBe('\u001b[31mred\u001b[0m');
    expect(harmless('\u001b[31mred\u001b[0m', true)).toBe('\u001b[31mred\u001b[0m');
    expect(harmlessLog('10%|#   |\r50%|##  |\r100%|####|\r\nnext\r')).toBe('100%|####|\nnext');
  });

  test('R272 R074 in a pipe every byte stays, whatever it is', () => {
    const { foreign, log, safe } = createStyle(false, false);
    fc.assert(fc.property(hostile, (text) => [foreign, log, safe].every((make) => make(text) === text)));
  });

  test('R272 our own emphasis passes the last net, and foreign text brings none of its own where none is wanted', () => {
    const style = createStyle(true, true);
    expect(style.safe(`${style.good('ok')} ${style.foreign('\u001b[31mtag\u001b[2J')}`)).toBe('\u001b[32mok\u001b[39m tag␛[2J\u001b[0m');
    expect(style.log('\u001b[31mred')).toBe('\u001b[31mred\u001b[0m');
    expect(createStyle(false, true).log('\u001b[31mred')).toBe('red');
  });

  test('R272 R081 a JSON document means the same and holds nothing that a terminal obeys', () => {
    fc.assert(fc.property(hostile, (text) => {
      for (const indent of [undefined, 2]) {
        const json = harmlessJson(JSON.stringify({ [text]: [text] }, undefined, indent));
        expect(json).not.toMatch(CONTROLS);
        expect(JSON.parse(json)).toEqual({ [text]: [text] });
      }
    }));
  });

  test('R272 a line that is cut is never cut within a character', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.nat(20), (text, most) => {
      expect(shortened(text, most)).not.toMatch(/\p{Surrogate}/u);
      if (text.length > most) expect(shortened(text, most)).toMatch(/ more characters\)$/);
    }));
  });
});
