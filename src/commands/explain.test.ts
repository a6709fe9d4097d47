// runctl explain, and the pages that its answers point to.
import { describe, expect, test } from 'vitest';
import troubleshooting from '../../docs/troubleshooting.md?raw';
import { parseCommand, commandsOfScript } from '../../test/support/doc-commands.ts';
import { ERROR_GUIDE } from '../core/error-guide.ts';
import { ERROR_CODES, type ErrorCode, RunctlError, docsOf } from '../core/errors.ts';
import { renderError } from '../cli/output.ts';
import { ERROR_TABLE, docsOfRow } from '../providers/aws/error-table.ts';
import { createStyle } from '../ui/style.ts';
import { anchorOf, explain, explainCommand, topics } from './explain.ts';

const style = createStyle(false, false);
const anchors = [...troubleshooting.matchAll(/^## (.+)$/gm)].map(([, heading]) => anchorOf(heading!));
const inTroubleshooting = (page: string): string | undefined => /^docs\/troubleshooting\.md#(.+)$/.exec(page)?.[1];

describe('R111 error texts lead to the entry about them', () => {
  test('R111 every link of an error code and of an AWS code is an anchor that exists', () => {
    const links = [...Object.keys(ERROR_CODES).map((code) => docsOf(code as ErrorCode)), ...ERROR_TABLE.map(docsOfRow)].flatMap((page) => inTroubleshooting(page) ?? []);
    expect([...new Set(links)].filter((anchor) => !anchors.includes(anchor))).toEqual([]);
    expect(new Set(links).size).toBeGreaterThan(15);
  });

  test.each([
    ['sync-failed', 'ssm-is-available-but-the-code-does-not-arrive'], ['bucket-missing', 'the-bucket'], ['bucket-forbidden', 'the-bucket'],
    ['quota', 'no-capacity-or-a-quota'], ['capacity', 'no-capacity-or-a-quota'], ['credentials-missing', 'no-credentials'],
    ['endpoint-unreachable', 'a-proxy-or-no-way-to-aws'], ['ssm-not-ready', 'the-ssm-agent-does-not-register'], ['state-unusable', 'the-disk-is-full'],
    ['dependencies-failed', 'the-packages-cannot-be-installed'], ['job-lost', 'the-job-or-its-machine-is-lost'],
  ] as const)('R111 the text of %s names its entry and the command that shows it offline', (code, anchor) => {
    const text = renderError(new RunctlError(code, 'x', { cause: 'y' }), { kind: 'text' }, style);
    expect(text).toContain(`docs: runctl explain ${code}   # docs/troubleshooting.md#${anchor}\n`);
    expect(explain(code).section!.length).toBeGreaterThan(100);
  });

  test('R111 spot codes lead to what holds about spot now', () => {
    expect(explain('SpotMaxPriceTooLow').docs).toContain('docs/troubleshooting.md#no-spot-capacity');
    expect(explain('spot-fell-back-to-on-demand').section).toContain('It does not by itself');
  });
});

describe('explain', () => {
  test('R079 every code of runctl has causes, commands that exist, and a page', async () => {
    expect(Object.keys(ERROR_GUIDE)).toEqual(expect.arrayContaining(Object.keys(ERROR_CODES)));
    for (const code of topics().runctl) {
      const { causes, remedies, docs, meaning } = explain(code);
      expect([causes.length, remedies.length, docs.length].every((count) => count > 0), code).toBe(true);
      expect(meaning).toMatch(/\.$/);
      for (const { words } of remedies.flatMap((line) => commandsOfScript(line, code))) await parseCommand(words);
    }
  });

  test('R079 every AWS code has causes, pages, and commands that exist', async () => {
    for (const code of topics().aws) {
      const found = explain(code);
      expect([found.causes.length, found.remedies.length, found.docs.length].every((count) => count > 0), code).toBe(true);
      for (const { words } of found.remedies.flatMap((line) => commandsOfScript(line, code))) await parseCommand(words);
    }
  });

  test('spelling does not matter; a code that nobody knows still gets a way on', () => {
    expect(explain('SSM-NOT-READY').topic).toBe('ssm-not-ready');
    expect(explain('vcpulimitexceeded')).toMatchObject({ topic: 'VcpuLimitExceeded', kind: 'aws', becomes: 'quota', exitCode: 2 });
    expect(explain('server.insufficientInstanceCapacity').topic).toMatch(/InsufficientInstanceCapacity$/);
    expect(explain('SomethingBrandNew').remedies).toContain('runctl doctor');
  });

  test('a word that is no code names the nearest', () => {
    for (const [word, hint] of [['ssm-notready', 'runctl explain ssm-not-ready'], ['vcpulimit', 'runctl explain VcpuLimitExceeded']] as const) {
      try {
        explain(word);
        expect.unreachable();
      } catch (error) {
        expect((error as RunctlError).hints).toEqual([hint, 'runctl explain']);
      }
    }
  });

  test('the text has meaning, causes, commands and pages; without a code there is the list', async () => {
    const run = (code?: string) => explainCommand.run({ args: code === undefined ? {} : { code }, flags: {}, rest: [] }, undefined as never) as Promise<ReturnType<typeof explain>>;
    const text = explainCommand.text(await run('ssm-not-ready'), style);
    for (const part of ['ssm-not-ready: The machine runs', 'exit code 5; trying again may help', 'Usual causes:', 'Try:\n  runctl aws wait-ssm', 'No instance profile', 'docs/troubleshooting.md#the-ssm-agent']) expect(text).toContain(part);
    expect(explainCommand.text(await run(), style)).toMatch(/runctl:[^]*AWS:[^]*VcpuLimitExceeded[^]*sections/);
  });
});
