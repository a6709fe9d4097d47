// The one place that looks at --output: how a result and an error are written.
import { RunctlError } from '../core/errors.ts';
import type { Style } from '../ui/style.ts';
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
      const text = command.text(result, style);
      return text === '' || text.endsWith('\n') || streamed ? text : `${text}\n`;
    }
    case 'json':
      return `${JSON.stringify(result, undefined, streamed ? undefined : 2)}\n`;
    case 'jsonl':
      return `${JSON.stringify({ kind: 'result', result })}\n`;
    case 'field':
      return `${fieldOf(result, format.name)}\n`;
  }
}

function fieldOf(result: unknown, name: string): string {
  const fields = Object.entries(result ?? {}).filter(([, value]) => value === null || typeof value !== 'object');
  const names = fields.map(([key]) => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
  const at = names.indexOf(name);
  if (at < 0) {
    const close = nearest(name, names);
    throw new RunctlError('usage', `the result has no field "${name}"`, {
      cause: `It has ${names.join(', ')}.`,
      hints: [`--output ${close ?? 'json'}`],
    });
  }
  return String(fields[at]?.[1] ?? '');
}

export function renderError(error: RunctlError, format: Format, style: Style, verbose = false): string {
  if (format.kind === 'json' || format.kind === 'jsonl') {
    const body = {
      code: error.code, message: error.message, cause: error.reason, step: error.step,
      hints: error.hints, exitCode: error.exitCode, data: error.data,
    };
    return `${JSON.stringify(format.kind === 'jsonl' ? { kind: 'error', error: body } : { error: body })}\n`;
  }
  return [
    `${style.bad('error:')} ${error.step ? `${error.step}: ` : ''}${error.message}`,
    ...(error.reason ? [`  ${error.reason.replaceAll('\n', '\n  ')}`] : []),
    ...(verbose ? [style.dim(`  code ${error.code}, exit ${error.exitCode}${error.data ? `, ${JSON.stringify(error.data)}` : ''}`)] : []),
    ...(error.hints.length > 0 ? ['', 'Try:', ...error.hints.map((hint) => `  ${style.bold(hint.replaceAll('\n', '\n  '))}`)] : []),
    '',
  ].join('\n');
}
