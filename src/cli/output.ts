// The one place that looks at --output: how a result and an error are written.
import { ERROR_CODES, RunctlError } from '../core/errors.ts';
import type { Style } from '../ui/style.ts';
import { harmless, harmlessJson } from '../ui/terminal.ts';
import type { Command } from './command.ts';
import { nearest } from '../core/nearest.ts';

export type Format = { kind: 'text' } | { kind: 'json' } | { kind: 'jsonl' } | { kind: 'field'; name: string };

export function parseFormat(text: string): Format {
  if (text === 'text' || text === 'json' || text === 'jsonl') return { kind: text };
  if (/^[a-z][a-z0-9-]*$/.test(text)) return { kind: 'field', name: text };
  throw new RunctlError('usage', `unknown output format "${text}"`, { hints: ['--output text', '--output json', '--output jsonl'] });
}

/** The result as the bytes for stdout. `streamed`: one of several items. */
export function renderResult(result: unknown, format: Format, command: Command, style: Style, streamed: boolean): string {
  switch (format.kind) {
    case 'text': {
      const text = style.safe(command.text(result, style));
      return text === '' || text.endsWith('\n') || streamed ? text : `${text}\n`;
    }
    case 'json':
      return `${harmlessJson(JSON.stringify(result, undefined, streamed ? undefined : 2))}\n`;
    case 'jsonl':
      return `${harmlessJson(JSON.stringify({ kind: 'result', result }))}\n`;
    case 'field':
      return `${style.safe(fieldOf(result, format.name))}\n`;
  }
}

/** Throws `usage` for a name that no result of the command has. */
export function requireField(name: string, fields: readonly string[]): void {
  const names = fields.map(flagLike);
  if (names.includes(name)) return;
  const close = nearest(name, names);
  throw new RunctlError('usage', `the result has no field "${name}"`, { cause: `Nothing was done. There are ${names.join(', ')}.`, hints: [...(close ? [`--output ${close}`] : []), '--output json'] });
}

/** `instanceId` as people type it. */
function flagLike(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function fieldOf(result: unknown, name: string): string {
  const fields = Object.entries(result ?? {}).filter(([, value]) => value === null || typeof value !== 'object');
  const names = fields.map(([key]) => flagLike(key));
  const at = names.indexOf(name);
  if (at < 0) {
    const close = nearest(name, names);
    const runId = (result as { runId?: string } | null)?.runId;
    throw new RunctlError('usage', `the result has no field "${name}"`, {
      // The same command again, with the right name, would do again what it did.
      cause: `The command itself was carried out. Its result has ${names.join(', ')}${close ? `; did you mean --output ${close}?` : '.'}`,
      hints: [runId === undefined ? 'runctl runs list' : `runctl runs show ${runId}`],
      data: { result },
    });
  }
  return String(fields[at]?.[1] ?? '');
}

export function renderError(error: RunctlError, format: Format, style: Style, verbose = false): string {
  if (format.kind === 'json' || format.kind === 'jsonl') {
    const body = {
      code: error.code, message: error.message, cause: error.reason, step: error.step,
      hints: error.hints, docs: error.docs, explain: explainCommand(error), exitCode: error.exitCode, data: error.data,
    };
    return `${harmlessJson(JSON.stringify(format.kind === 'jsonl' ? { kind: 'error', error: body } : { error: body }))}\n`;
  }
  return [
    `${style.bad('error:')} ${harmless(`${error.step ? `${error.step}: ` : ''}${error.message}`)}`,
    ...reasonOf(error).map((reason) => `  ${harmless(reason).replaceAll('\n', '\n  ')}`),
    ...(verbose ? [style.dim(`  code ${error.code}, exit ${error.exitCode}${error.data ? `, ${harmlessJson(JSON.stringify(error.data))}` : ''}`)] : []),
    ...(error.hints.length > 0 ? ['', 'Try:', ...error.hints.map((hint) => `  ${style.bold(harmless(hint).replaceAll('\n', '\n  '))}`)] : []),
    '',
    ...linesOfDocs(error).map((line) => style.dim(line)),
    '',
  ].join('\n');
}

/** Without a cause of its own an error has at least what its code means; a mistyped word speaks for itself. */
function reasonOf({ reason, code }: RunctlError): string[] {
  if (reason) return [reason];
  return code === 'usage' || code === 'declined' || code === 'interrupted' ? [] : [ERROR_CODES[code].meaning];
}

/** A page elsewhere on its own line; ours can be read without a network, and its path is a comment for the shell. */
function linesOfDocs(error: RunctlError): string[] {
  const more = explainCommand(error);
  return error.docs.startsWith('docs/') ? [`docs: ${more}   # ${error.docs}`] : [`docs: ${error.docs}`, `      ${more}`];
}

const explainCommand = (error: RunctlError): string => `runctl explain ${error.topic}`;
