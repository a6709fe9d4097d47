// Every error that the program can make, read from its sources: what failed, why, what to do next, and with which exit code.
import { describe, expect, test } from 'vitest';
import { renderError } from '../src/cli/output.ts';
import { ERROR_CODES, EXIT, type ErrorCode, RunctlError } from '../src/core/errors.ts';
import { createStyle } from '../src/ui/style.ts';
import { commandsInSource, commandsOfScript, parseCommand } from './support/doc-commands.ts';
import { type ErrorSite, errorSites, sitesOf } from './support/error-sites.ts';

/** Names that are written so wherever they stand. */
const PROPER = /^(AWS|EC2|S3|SSM|IAM|STS|SQLite|Python|Node|AWS_[A-Z_]+)\b/;
/** Nothing is left to do: the message says what was ended and what goes on. */
const NO_WAY_ON = new Set<string | undefined>(['interrupted']);

function faultsOf({ code, message, details, hints }: ErrorSite): string[] {
  const faults: string[] = [];
  if (code !== undefined && !(code in ERROR_CODES)) faults.push(`unknown code ${code}`);
  for (const line of message?.split('\n') ?? []) {
    if (line.endsWith('.')) faults.push(`ends with a full stop: ${line}`);
    if (/^[A-Z]/.test(line) && !PROPER.test(line)) faults.push(`begins with a capital: ${line}`);
    if (/\b(service error|an error occurred|something went wrong|failed\.?$)/i.test(line) && line.length < 25) faults.push(`says nothing: ${line}`);
  }
  if (details !== undefined && !NO_WAY_ON.has(code) && !details.has('hints')) faults.push('no way on (hints)');
  for (const hint of hints) {
    if (/[a-z]\.$/.test(hint)) faults.push(`a hint is a command or a line of settings, not a sentence: ${hint}`);
  }
  return faults;
}

describe('R079 every place that makes an error', () => {
  const sites = errorSites();

  test('R079 names a known code, begins like a part of a sentence, and leads on', () => {
    expect(sites.length).toBeGreaterThan(120);
    expect(sites.flatMap((site) => faultsOf(site).map((fault) => `${site.where}: ${fault}`)).join('\n')).toBe('');
  });

  test('R079 a bad place is seen', () => {
    const bad = sitesOf(`const a = 1;
throw new RunctlError('oops' as never, 'Failed.', {});
throw new RunctlError('usage', cond ? 'no such' : \`No \${a}\`, { hints: ['Try again.'], cause: 'x' });
throw new RunctlError('interrupted', 'left');`, 'x.ts');
    expect(bad.map(({ where }) => where)).toEqual(['x.ts:2', 'x.ts:3', 'x.ts:4']);
    expect(faultsOf({ ...bad[0]!, code: 'oops' })).toEqual(['unknown code oops', 'ends with a full stop: Failed.', 'begins with a capital: Failed.', 'says nothing: Failed.', 'no way on (hints)']);
    expect(faultsOf(bad[1]!)).toEqual(['begins with a capital: No …', 'a hint is a command or a line of settings, not a sentence: Try again.']);
    expect(faultsOf(bad[2]!)).toEqual([]);
  });

  test('R079 D45 every runctl command in a hint is one that there is', async () => {
    const wrong: string[] = [];
    const try_ = (where: string, words: string[]) => parseCommand(words).catch((error: Error) => wrong.push(`${where}: runctl ${words.join(' ')}: ${error.message}`));
    const commands = [
      ...sites.flatMap(({ where, hints }) => hints.filter((hint) => hint.startsWith('runctl ')).flatMap((hint) => commandsOfScript(filled(hint), where))),
      ...commandsInSource(),
    ];
    expect(commands.length).toBeGreaterThan(100);
    for (const { where, words } of commands) if (!words.some((word) => word.startsWith('…'))) await try_(where, words);
    expect(wrong.join('\n')).toBe('');
    // The check itself: a command and a flag that the earlier tool advised, and that never were.
    for (const old of ['runctl ebs list --instance-id i-1', 'runctl aws status i-1 --json', 'runctl aws instances list']) {
      await Promise.all(commandsOfScript(old, 'x').map(({ words }) => expect(parseCommand(words)).rejects.toBeInstanceOf(RunctlError)));
    }
  });
});

describe('R079 every error code', () => {
  test('R079 has an exit code of the table, a meaning, and is shown with what failed, why, what next and where more is written', () => {
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
      expect(Object.values(EXIT), code).toContain(ERROR_CODES[code].exit);
      expect(ERROR_CODES[code].exit, code).not.toBe(0);
      const bare = renderError(new RunctlError(code, 'x of y went wrong'), { kind: 'text' }, createStyle(false, false));
      expect(bare, code).toContain('error: x of y went wrong\n');
      expect(bare, code).toContain(`docs: runctl explain ${code}`);
      // Whoever gives no cause gets at least what the code means; words that were mistyped speak for themselves.
      if (!['usage', 'declined', 'interrupted'].includes(code)) expect(bare, code).toContain(`  ${ERROR_CODES[code].meaning}\n`);
    }
  });
});

/** `…` where a value will stand: an id for the first word of one, else a word. */
function filled(hint: string): string {
  return hint.replace(/ {2,}[(#].*$/, '').replace(/^runctl …/, 'runctl aws').replaceAll('…', '1');
}
