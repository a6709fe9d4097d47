// What a plan of faults may say, and what is answered to one that is wrong.
import { describe, expect, test } from 'vitest';
import { RunctlError } from '../../core/errors.ts';
import { KINDS, checkRule, like } from './plan.ts';

const known = { operations: new Map([['ssm', ['SendCommand', 'GetCommandInvocation']], ['s3', ['PutObject', 'GetObject']], ['ec2', ['RunInstances']]]), regions: ['us-east-1', 'eu-west-1'], zonesOf: (type: string) => (type === 't3.micro' ? ['us-east-1a'] : undefined) };

function refusal(input: unknown): { message: string; cause: string | undefined; hints: string[] } {
  try {
    checkRule(input, known);
  } catch (error) {
    if (error instanceof RunctlError && error.code === 'usage') return { message: error.message, cause: error.reason, hints: error.hints };
    throw error;
  }
  throw new Error(`taken: ${JSON.stringify(input)}`);
}

describe('R205 a plan of faults', () => {
  test('R205 a rule that says everything is taken, with durations in milliseconds', () => {
    expect(checkRule({ kind: 'error', operation: 'ssm.Send*', instance: 'i-0123456789abcdef0', skip: 2, times: 3, after: '1.5m', for: 10, code: 'Odd', message: 'very', status: 418 }, known)).toEqual({
      kind: 'error', operation: 'ssm.Send*', instance: 'i-0123456789abcdef0', skip: 2, times: 3, afterMs: 90_000, forMs: 10_000, code: 'Odd', message: 'very', status: 418,
    });
    expect(checkRule({ kind: 'slow', delay: '500ms', bucket: 'b', key: 'runs/*', operation: 's3.*' }, known)).toMatchObject({ delayMs: 500, bucket: 'b', key: 'runs/*' });
  });

  test('R205 every kind has its presets: where, how often, how much', () => {
    const needs: Record<string, object> = { error: { code: 'X' }, slow: { delay: 1 }, 'bucket-elsewhere': { bucketRegion: 'eu-west-1' }, 'agent-late': { delay: 1 }, 'spot-price': { type: 't3.micro', price: '0.01' }, 'spot-capacity': { type: 't3.micro', capacity: 0 } };
    const rules = Object.keys(KINDS).map((kind) => checkRule({ kind, ...needs[kind] }, known));
    const where = Object.fromEntries(rules.map(({ kind, operation }) => [kind, operation]));
    expect(where).toMatchObject({ throttle: '*', reset: '*', capacity: 'ec2.RunInstances', quota: 'ec2.RunInstances', 'bucket-missing': 's3.*', reboot: undefined, 'agent-dead': undefined });
    expect(rules.filter(({ times }) => times === 1).map(({ kind }) => kind)).toEqual(['reboot', 'instance-loss', 'spot-interrupt']);
    expect(checkRule({ kind: 'clock-skew' }, known).byMs).toBe(1_200_000);
    expect(checkRule({ kind: 'clock-skew', skew: '5m' }, known).byMs).toBe(300_000);
    // As plans of earlier versions say it.
    expect(checkRule({ kind: 'clock-skew', by: '5m' }, known).byMs).toBe(300_000);
    expect(checkRule({ kind: 'disk-full' }, known).freeMib).toBe(0);
    expect(checkRule({ kind: 'reset', instance: '*' }, known).instance).toBeUndefined();
  });

  test.each<[unknown, string, string]>([
    ['throttle', 'a rule of weather is a table', '"throttle"'],
    [{}, 'needs a kind', 'throttle, error'],
    [{ kind: 'thunder' }, 'no weather of kind "thunder"', 'throttle, error'],
    [{ kind: 'constructor' }, 'no weather of kind "constructor"', 'throttle'],
    [{ kind: 'throttle', operaton: '*' }, 'has no field operaton', 'operation, instance'],
    [{ kind: 'throttle', code: 'X' }, 'has no field code', 'operation'],
    [{ kind: 'reboot', bucket: 'b' }, 'has no field bucket', 'operation'],
    [{ kind: 'error' }, 'needs the field code', 'any error code'],
    [{ kind: 'bucket-elsewhere' }, 'needs the field bucketRegion', 'another region'],
    [{ kind: 'agent-late' }, 'needs the field delay', 'later'],
    [{ kind: 'slow' }, 'needs the field delay or bytesPerSecond', 'how much'],
    [{ kind: 'throttle', operation: 'SendCommand' }, '"SendCommand" is no operation', 'SERVICE.Operation'],
    [{ kind: 'throttle', operation: 'ssm' }, '"ssm" is no operation', 'SERVICE.Operation'],
    [{ kind: 'throttle', operation: 'sqs.Send' }, 'no service sqs', 'ssm, s3, ec2'],
    [{ kind: 'throttle', operation: 'ssm.SendComand' }, 'ssm has no operation SendComand', 'GetCommandInvocation, SendCommand'],
    [{ kind: 'throttle', operation: 'ssm.Put*' }, 'ssm has no operation Put*', 'SendCommand'],
    [{ kind: 'throttle', instance: 'my-machine' }, '"my-machine" is no instance id', 'i-0123456789abcdef0'],
    [{ kind: 'throttle', operation: 'ec2.*', bucket: 'b' }, 'only calls of S3', 'ec2.*'],
    [{ kind: 'throttle', times: 0 }, 'times must be a whole number from 1, not 0', ''],
    [{ kind: 'throttle', times: '3' }, 'times must be a whole number from 1, not "3"', ''],
    [{ kind: 'throttle', skip: 1.5 }, 'skip must be a whole number from 0, not 1.5', ''],
    [{ kind: 'throttle', after: 'soon' }, 'after must be a duration, not "soon"', '10s'],
    [{ kind: 'throttle', for: -1 }, 'for must be a duration, not -1', '10s'],
    [{ kind: 'html', status: 99 }, 'status must be a whole number from 200 to 599, not 99', ''],
    [{ kind: 'server-error', status: 404 }, '404 is no status of a server error', '500 to 599'],
    [{ kind: 'error', code: 'X', status: 200 }, '200 is no status of an error', '300'],
    [{ kind: 'error', code: '' }, 'code must be a text, not ""', ''],
    [{ kind: 'bucket-elsewhere', bucketRegion: 'mars-1' }, 'no region mars-1', 'eu-west-1'],
    [{ kind: 'instance-loss', state: 'gone' }, '"gone" is no state', 'stopped'],
    [{ kind: 'reboot', skip: 2 }, 'names no operation', 'after'],
    [{ kind: 'disk-full', operation: 'ssm.SendCommand' }, 'no answer to a call', 'operation'],
  ])('R205 a wrong rule is refused by name: %j', (input, message, cause) => {
    const found = refusal(input);
    expect(found.message).toContain(message);
    expect(found.cause ?? '').toContain(cause);
    expect(found.hints).toEqual(['runctl sim weather add --help']);
  });

  test('a star stands for anything, and nothing else is special', () => {
    expect(like('runs/*.log', 'runs/a/b.log')).toBe(true);
    expect(like('runs/*.log', 'runs/a/bxlog')).toBe(false);
    expect(like('a+b', 'aab')).toBe(false);
    expect(like('*', '')).toBe(true);
  });
});
