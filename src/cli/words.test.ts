import { describe, expect, test } from 'vitest';
import { RunctlError } from '../core/errors.ts';
import { resolveWords, wordsBelow, type WordTable } from './words.ts';

const load = async (): Promise<never> => {
  throw new Error('nothing is loaded to find a word');
};
const table: WordTable = {
  'aws create': { summary: 'make', aliases: ['new'], load },
  'aws stop': { summary: 'stop', load },
  local: { summary: 'here', load },
};

describe('resolveWords', () => {
  test('global flags may stand before the words', () => {
    const found = resolveWords(['--output', 'json', '--sim', 'aws', 'create', 't3.micro', '--wait'], table);
    expect(found).toMatchObject({ kind: 'command', words: 'aws create', args: ['--output', 'json', '--sim', 't3.micro', '--wait'], rest: undefined });
  });

  test('aliases of the earlier tool still work', () => {
    expect(resolveWords(['aws', 'new', 't3.micro'], table)).toMatchObject({ words: 'aws create', args: ['t3.micro'] });
  });

  test('after the command everything is an argument, even a word of ours', () => {
    expect(resolveWords(['local', 'aws', '--', 'aws'], table)).toMatchObject({ words: 'local', args: ['aws'], rest: ['aws'] });
  });

  test('an empty -- is kept apart from none', () => {
    expect(resolveWords(['local', 'x', '--'], table)).toMatchObject({ rest: [] });
  });

  test('a group alone, and help', () => {
    expect(resolveWords(['aws'], table)).toEqual({ kind: 'group', words: 'aws', help: false });
    expect(resolveWords(['--help'], table)).toEqual({ kind: 'group', words: '', help: true });
    expect(resolveWords(['local', '-h'], table)).toMatchObject({ kind: 'command', help: true });
    expect(resolveWords(['local', 'x', '--', '--help'], table)).toMatchObject({ help: false });
  });

  test('R118 an unknown word is answered with the near one', () => {
    try {
      resolveWords(['aws', 'crate'], table);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(RunctlError);
      expect((error as RunctlError).hints).toEqual(['runctl aws create', 'runctl aws --help']);
    }
  });

  test('words below a group', () => {
    expect(wordsBelow('', table).map((row) => row.word)).toEqual(['aws', 'local']);
    expect(wordsBelow('aws', table)).toEqual([{ word: 'create', summary: 'make' }, { word: 'stop', summary: 'stop' }]);
  });
});
