import { describe, expect, test } from 'vitest';
import { RunctlError } from '../core/errors.ts';
import { type Command } from './command.ts';
import { parseDuration, parseInput } from './parse.ts';

const command: Command = {
  args: [{ name: 'machine', summary: 'm' }, { name: 'script', summary: 's', optional: true }],
  rest: 'arguments of the script',
  flags: {
    wait: { kind: 'switch', summary: 'w' },
    syncCode: { kind: 'switch', default: true, summary: 's' },
    keyName: { kind: 'text', placeholder: 'NAME', summary: 'k' },
    include: { kind: 'texts', placeholder: 'GLOB', summary: 'i' },
    timeout: { kind: 'duration', placeholder: 'TIME', default: '10m', summary: 't' },
    onFailure: { kind: 'choice', values: ['stop', 'keep'], summary: 'o' },
    size: { kind: 'number', placeholder: 'GB', min: 1, max: 10, summary: 'z' },
  },
  examples: [],
  run: async () => ({}),
  text: () => '',
};

const parse = (...args: string[]) => {
  const end = args.indexOf('--');
  return end < 0 ? parseInput(command, 'aws train', args, undefined) : parseInput(command, 'aws train', args.slice(0, end), args.slice(end + 1));
};
const fail = async (...args: string[]): Promise<RunctlError> => {
  const error = await parse(...args).then(() => undefined, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(RunctlError);
  return error as RunctlError;
};

describe('R115 argument parsing', () => {
  test('flags, arguments and global flags in any order', async () => {
    const { input, globals } = await parse('--wait', 'i-1', '--output', 'json', 's.py', '--key-name=k', '--include', 'a', '--include', 'b', '--timeout', '90s', '--no-sync-code', '--sim');
    expect(input.args).toEqual({ machine: 'i-1', script: 's.py' });
    expect(input.flags).toMatchObject({ wait: true, syncCode: false, keyName: 'k', include: ['a', 'b'], timeout: 90_000 });
    expect(globals).toMatchObject({ output: 'json', sim: true, quiet: false });
  });

  test('defaults are there, the rest is undefined', async () => {
    const { input } = await parse('i-1');
    expect(input.flags).toMatchObject({ syncCode: true, timeout: 600_000, include: [] });
    expect(input.flags['wait']).toBeUndefined();
  });

  test('R055 everything after -- is passed on untouched, even what looks like our own flags', async () => {
    const rest = ['--output', 'json', '--', '-x', '', 'a b', '$HOME', '"', "'", '\n', 'ü'];
    const { input, globals } = await parse('i-1', 's.py', '--', ...rest);
    expect(input.rest).toEqual(rest);
    expect(globals.output).toBe('text');
  });

  test('a forgotten -- is noticed and the right line is shown', async () => {
    const error = await fail('i-1', 's.py', '--epochs', '3');
    expect(error.code).toBe('usage');
    expect(error.message).toContain('--epochs');
    expect(error.hints[0]).toBe('runctl aws train i-1 s.py -- --epochs 3   (arguments of the script go after --)');
    expect((await fail('--epochs', '3')).hints[0]).toContain('MACHINE [SCRIPT] -- --epochs 3');
  });

  test('a missing argument is named, with the form', async () => {
    const error = await fail();
    expect(error.message).toBe('MACHINE is missing');
    expect(error.hints).toContain('runctl aws train --help');
  });

  test('wrong choices, numbers and durations are refused with what would be right', async () => {
    expect((await fail('i-1', '--on-failure', 'explode')).message).toContain('stop');
    expect((await fail('i-1', '--size', '11')).message).toContain('between 1 and 10');
    expect((await fail('i-1', '--size', 'big')).message).toContain('big');
    expect((await fail('i-1', '--timeout', 'soon')).message).toContain('90s');
  });

  test('a misspelled flag is answered with the near one', async () => {
    expect((await fail('i-1', '--key-nam', 'x')).message).toContain('--key-name');
    expect(await fail('i-1', '--hlep')).toMatchObject({ message: 'unknown flag --hlep, did you mean --help?', hints: ['runctl aws train --help'] });
  });

  test('nothing may follow -- where the command takes nothing', async () => {
    const error = await parseInput({ ...command, rest: undefined }, 'aws stop', ['i-1'], ['x']).catch((thrown: unknown) => thrown);
    expect((error as RunctlError).message).toContain('nothing after --');
  });
});

test('parseDuration knows units', () => {
  expect(['90', '90s', '1.5m', '2h', '1d', '20ms'].map(parseDuration)).toEqual([90_000, 90_000, 90_000, 7_200_000, 86_400_000, 20]);
  for (const wrong of ['', '-1', '5 parsecs', 's']) expect(() => parseDuration(wrong)).toThrow(SyntaxError);
});
