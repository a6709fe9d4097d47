import fc from 'fast-check';
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { shellQuote, splitWords } from './quote.ts';
import { anyText } from '../../test/support/any-text.ts';

describe('splitWords', () => {
  test('R057 takes apart what shellQuote put together, whatever it is', () => {
    fc.assert(fc.property(fc.array(anyText().map((text) => text.replaceAll('\0', ''))), (args) => {
      expect(splitWords(args.map(shellQuote).join(' '))).toEqual(args);
    }));
  });

  test('R057 splits as a real shell does, where nothing is to be expanded', () => {
    for (const line of ['--epochs 3', `--name "my run" --note 'it'"'"'s'`, 'a\\ b c', '"a\\"b" "\\\\" "\\n"', "''", '  x   y ', 'a"b c"d', 'ü 漢字']) {
      const { stdout } = spawnSync('sh', ['-c', `for w in ${line}; do printf '%s\\0' "$w"; done`], { encoding: 'utf8' });
      expect(splitWords(line), line).toEqual(stdout.split('\0').slice(0, -1));
    }
  });

  test('R057 nothing is expanded, and an open quote is an error', () => {
    expect(splitWords('$HOME *.py `id` a;b')).toEqual(['$HOME', '*.py', '`id`', 'a;b']);
    expect(() => splitWords('--name "my run')).toThrow(/never closed/);
  });
});
