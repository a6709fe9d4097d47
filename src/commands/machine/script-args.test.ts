import { describe, expect, test } from 'vitest';
import { RunctlError } from '../../core/errors.ts';
import { scriptArguments } from './script-args.ts';

const given = (flags: { args?: string; scriptArgs?: string; hyperparams?: string }, rest: string[] = []) =>
  scriptArguments({ flags: { args: undefined, scriptArgs: undefined, hyperparams: undefined, ...flags }, rest });
const refused = (...input: Parameters<typeof given>): RunctlError => {
  try {
    given(...input);
  } catch (error) {
    return error as RunctlError;
  }
  return expect.unreachable();
};

describe('arguments of the script', () => {
  test('R057 --args and --script-args are the same as --', () => {
    expect(given({ args: '--epochs 3 --name "my run"' })).toEqual(given({}, ['--epochs', '3', '--name', 'my run']));
    expect(given({ scriptArgs: '--epochs 3' })).toEqual(given({ args: '--epochs 3' }));
    expect(refused({ args: '--a' }, ['--b']).message).toContain('twice');
    expect(refused({ args: '"open' }).message).toContain('never closed');
  });

  test('R058 hyperparameters become flags of the script and are kept by name', () => {
    expect(given({ hyperparams: 'lr=0.001,batch=32' }, ['--epochs', '3'])).toEqual({ args: ['--lr', '0.001', '--batch', '32', '--epochs', '3'], hyperparams: { lr: '0.001', batch: '32' } });
    expect(given({ hyperparams: 'name=a=b' }).args).toEqual(['--name', 'a=b']);
  });

  test('R058 contradictions and nonsense are refused', () => {
    expect(refused({ hyperparams: 'lr=0.001' }, ['--lr', '1']).message).toContain('--lr was given twice');
    expect(refused({ hyperparams: 'lr=0.001' }, ['--lr=1']).message).toContain('twice');
    expect(refused({ hyperparams: 'lr=1,lr=2' }).message).toContain('twice');
    for (const wrong of ['lr', '=1', 'lr=1,', 'a b=1', '1x=2']) expect(refused({ hyperparams: wrong }).code).toBe('usage');
  });
});
