// The agent's answers as facts: key=value lines between two marks, a key that ends in 64 holding base64. Pure. Lines before and
// after (message of the day, shell noise) are ignored; an answer without its end is an error, never half a truth.
import { RunctlError } from '../core/errors.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { ShellResult } from '../core/ports.ts';

/** Standard output alone, or all that came back, which makes for better errors. */
export type Answer = string | ShellResult;
export type Facts = Map<string, string>;

const BEGIN = 'runctl-facts-begin';
const END = 'runctl-facts-end';

export function readFacts(answer: Answer): Facts {
  const { stdout, stderr, exitCode }: Partial<ShellResult> & { stdout: string } = typeof answer === 'string' ? { stdout: answer } : answer;
  const lines = stdout.split('\n').map((line) => line.replace(/\r$/, ''));
  const begin = lines.lastIndexOf(BEGIN);
  if (begin < 0) {
    const said = lastLine(stderr) ?? lastLine(stdout);
    const exit = exitCode === undefined ? '' : ` (exit code ${exitCode})`;
    throw broken(`no answer of the agent${exit}${said === undefined ? '' : `: ${said}`}`);
  }
  const end = lines.indexOf(END, begin);
  if (end < 0) throw broken(`an answer that breaks off after ${stdout.length} characters`);
  const facts: Facts = new Map();
  for (const line of lines.slice(begin + 1, end)) {
    const at = line.indexOf('=');
    if (at > 0) facts.set(line.slice(0, at), line.slice(at + 1));
  }
  const error = facts.get('error');
  if (error !== undefined) throw agentError(error, facts.has('message64') ? text(facts, 'message64') : error);
  return facts;
}

const AGENT_ERRORS: Record<string, ErrorCode> = {
  'unknown-run': 'not-found',
  unwritable: 'wrong-state',
  'log-unwritable': 'wrong-state',
  'not-started': 'wrong-state',
  'no-process': 'wrong-state',
  'not-held': 'wrong-state',
  'no-directory': 'not-found',
  'not-measured': 'wrong-state',
  'no-python': 'dependencies-failed',
};

function agentError(error: string, message: string): RunctlError {
  const code = AGENT_ERRORS[error] ?? 'answer-broken';
  const hints = error === 'log-unwritable' ? ['runctl config set train.log_dir logs   (below the home directory there)', 'runctl config show'] : [];
  return new RunctlError(code, `on the machine: ${message}`, { hints, data: { agentError: error } });
}

export function broken(what: string): RunctlError {
  return new RunctlError('answer-broken', `the machine gave ${what}`, { hints: ['runctl explain answer-broken'] });
}

export function text(facts: Facts, key: string): string {
  if (key.endsWith('64')) return data(facts, key).toString('utf8');
  const value = facts.get(key);
  if (value === undefined) throw broken(`an answer without ${key}`);
  return value;
}

export function data(facts: Facts, key: string): Buffer {
  const value = facts.get(key);
  if (value === undefined) throw broken(`an answer without ${key}`);
  if (value.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) throw broken(`a ${key} that is not base64`);
  return Buffer.from(value, 'base64');
}

export function count(facts: Facts, key: string): number {
  const value = text(facts, key);
  if (!/^\d{1,15}$/.test(value)) throw broken(`a ${key} of ${JSON.stringify(value)}`);
  return Number(value);
}

export function epochMs(facts: Facts, key: string): number {
  return count(facts, key) * 1_000;
}

export function oneOf<T extends string>(facts: Facts, key: string, values: readonly T[]): T {
  const value = text(facts, key);
  const found = values.find((known) => known === value);
  if (found === undefined) throw broken(`a ${key} of ${JSON.stringify(value)}`);
  return found;
}

export function maybe<T>(facts: Facts, key: string, read: (facts: Facts, key: string) => T): T | undefined {
  return facts.has(key) ? read(facts, key) : undefined;
}

function lastLine(output: string | undefined): string | undefined {
  return output?.split('\n').map((line) => line.trim()).findLast((line) => line !== '');
}
