import { describe, expect, test } from 'vitest';
import { RunctlError } from '../core/errors.ts';
import { createStyle } from '../ui/style.ts';
import type { Command } from './command.ts';
import { parseFormat, renderError, renderResult, requireField } from './output.ts';

const style = createStyle(false, false);
const command: Command = { examples: [], run: async () => ({}), text: (result) => `made ${(result as { instanceId: string }).instanceId}` };
const result = { instanceId: 'i-1', publicIp: undefined, price: { usd: 1 }, dryRun: false };
const render = (format: string) => renderResult(result, parseFormat(format), command, style, false);

describe('R081 stdout is the result and nothing else', () => {
  test('D11 R014 one field, alone on its line', () => {
    expect(render('instance-id')).toBe('i-1\n');
    expect(render('dry-run')).toBe('false\n');
  });

  test('D12 R081 json is one document, jsonl one line', () => {
    expect(JSON.parse(render('json'))).toEqual({ instanceId: 'i-1', price: { usd: 1 }, dryRun: false });
    expect(render('jsonl').trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(render('jsonl'))).toMatchObject({ kind: 'result', result: { instanceId: 'i-1' } });
  });

  test('an unknown field names those there are; an unknown format names the formats', () => {
    expect(() => render('instance')).toThrow(/no field "instance"/);
    try {
      render('instance-i');
    } catch (error) {
      expect((error as RunctlError).reason).toContain('did you mean --output instance-id?');
    }
    expect(() => parseFormat('XML!')).toThrow(/unknown output format/);
  });

  test('R014 a command that spends money names its fields beforehand: a wrong one is refused before anything is made', () => {
    expect(() => requireField('instance-id', ['runId', 'instanceId'])).not.toThrow();
    expect(() => requireField('instnce-id', ['runId', 'instanceId'])).toThrow(expect.objectContaining({ code: 'usage', reason: 'Nothing was done. There are run-id, instance-id.', hints: ['--output instance-id', '--output json'] }) as Error);
  });
});

describe('errors', () => {
  const error = new RunctlError('wrong-state', 'cannot train: i-1 is stopped', { cause: 'somebody stopped it', hints: ['runctl aws start i-1 --wait'], step: 'find machine' });

  test('D14 text: what, where, why, what next', () => {
    expect(renderError(error, { kind: 'text' }, style)).toBe('error: find machine: cannot train: i-1 is stopped\n  somebody stopped it\n\nTry:\n  runctl aws start i-1 --wait\n\ndocs: runctl explain wrong-state   # docs/troubleshooting.md#the-machine-is-in-the-wrong-state\n');
  });

  test('R078 R079 the page of whoever refused, and the command that explains its code offline', () => {
    const refused = new RunctlError('quota', 'no more', { cause: 'VcpuLimitExceeded: m (request r-1)', data: { awsCode: 'VcpuLimitExceeded', docs: 'https://docs.aws.amazon.com/x' } });
    expect(renderError(refused, { kind: 'text' }, style)).toBe('error: no more\n  VcpuLimitExceeded: m (request r-1)\n\ndocs: https://docs.aws.amazon.com/x\n      runctl explain VcpuLimitExceeded\n');
    expect(JSON.parse(renderError(refused, { kind: 'json' }, style))).toMatchObject({ error: { docs: 'https://docs.aws.amazon.com/x', explain: 'runctl explain VcpuLimitExceeded' } });
  });

  test('what an endpoint calls a code never becomes more than a word of a command', () => {
    expect(renderError(new RunctlError('cloud-refused', 'x', { data: { awsCode: 'A; rm -rf ~' } }), { kind: 'text' }, style)).toContain('runctl explain cloud-refused ');
  });

  test('--verbose adds code and data', () => {
    const refused = new RunctlError('quota', 'no', { data: { awsCode: 'VcpuLimitExceeded', requestId: 'r-1' } });
    expect(renderError(refused, { kind: 'text' }, style, true)).toContain('code quota, exit 2, {"awsCode":"VcpuLimitExceeded","requestId":"r-1"}');
    expect(renderError(refused, { kind: 'text' }, style)).not.toContain('r-1');
  });

  test('R081 json: one document with stable code and exit code', () => {
    expect(JSON.parse(renderError(error, { kind: 'json' }, style))).toEqual({
      error: { code: 'wrong-state', message: error.message, cause: 'somebody stopped it', step: 'find machine', hints: ['runctl aws start i-1 --wait'], docs: 'docs/troubleshooting.md#the-machine-is-in-the-wrong-state', explain: 'runctl explain wrong-state', exitCode: 1 },
    });
  });
});
