// Scenario files: command lines and what they print, as text. All commands of a file run in one shell, in a project of
// their own and against a cloud of their own. The language:
//   # text             comment; the first line is the test's title and carries its requirement numbers
//   $ command          one command line of sh; variables live on until the end of the file
//   text               the next line of its stdout; with no such line its stdout must be empty
//   ! text             a line of its stderr: in this order, other lines may stand between
//   ...                any number of stdout lines
//   ? 3                its exit code, when that is not 0
// In a line: * any text; a blank any number of blanks; <run> <instance> <time> <number> an id or value of that shape.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CliState, type Outcome, copyTraining, runShell } from './cli.ts';

interface Step {
  line: number;
  command: string;
  stdout: string[];
  stderr: string[];
  code: number;
}

export interface Scenario {
  title: string;
  steps: Step[];
}

export function parseScenario(text: string): Scenario {
  const lines = text.split('\n');
  const title = /^# (.+)/.exec(lines[0] ?? '')?.[1];
  if (title === undefined) throw new SyntaxError('the first line must be "# title"');
  const steps: Step[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.startsWith('#')) continue;
    if (line.startsWith('$ ')) {
      steps.push({ line: index + 1, command: line.slice(2), stdout: [], stderr: [], code: 0 });
      continue;
    }
    const step = steps.at(-1);
    if (!step) {
      if (line.trim() !== '') throw new SyntaxError(`line ${index + 1}: output before the first command`);
    } else if (/^\? \d+$/.test(line)) step.code = Number(line.slice(2));
    else if (line.startsWith('! ')) step.stderr.push(line.slice(2));
    else step.stdout.push(line);
  }
  // Blank lines between commands are for the reader.
  for (const step of steps) while (step.stdout.at(-1) === '') step.stdout.pop();
  return { title, steps };
}

/** Runs all commands; returns one description per command that did something else, the first first. */
export async function runScenario(scenario: Scenario, state: CliState): Promise<string[]> {
  copyTraining(state);
  const records = join(state.directory, 'records');
  mkdirSync(records);
  const script = scenario.steps.map((step, n) => `{ ${step.command}\n} >"$RECORDS/${n}.out" 2>"$RECORDS/${n}.err" </dev/null; echo $? >"$RECORDS/${n}.code"`).join('\n');
  const shell = await runShell(script, { state, env: { RECORDS: records }, timeoutMs: 120_000 });
  if (shell.stderr !== '') return [`the shell itself said: ${shell.stderr}`];
  return scenario.steps.flatMap((step, n) => {
    const read = (kind: string): string => readFileSync(join(records, `${n}.${kind}`), 'utf8');
    const problem = compare(step, { code: Number(read('code')), stdout: read('out'), stderr: read('err') });
    return problem === undefined ? [] : [problem];
  });
}

function compare(step: Step, outcome: Outcome): string | undefined {
  const wrong: string[] = [];
  if (outcome.code !== step.code) wrong.push(`exit code ${outcome.code}, not ${step.code}`);
  if (!matchLines(step.stdout, linesOf(outcome.stdout))) wrong.push(`stdout is not\n${indent(step.stdout)}`);
  const missing = firstMissing(step.stderr, linesOf(outcome.stderr));
  if (missing !== undefined) wrong.push(`stderr lacks, or has in another order: ${missing}`);
  if (/^ +at .+:\d+:\d+\)?$/m.test(outcome.stderr)) wrong.push('stderr holds a stack trace');
  if (wrong.length === 0) return undefined;
  return `line ${step.line}: ${step.command}\n${wrong.join('\n')}\n--- stdout\n${outcome.stdout}--- stderr\n${outcome.stderr}---`;
}

/** The whole of `actual` against patterns, of which `...` takes any number of lines. */
export function matchLines(patterns: readonly string[], actual: readonly string[]): boolean {
  const [first, ...others] = patterns;
  if (first === undefined) return actual.length === 0;
  if (first === '...') return actual.some((_, n) => matchLines(others, actual.slice(n))) || matchLines(others, []);
  return actual.length > 0 && matchLine(first, actual[0]!) && matchLines(others, actual.slice(1));
}

function firstMissing(patterns: readonly string[], actual: readonly string[]): string | undefined {
  let from = 0;
  for (const pattern of patterns) {
    const at = actual.findIndex((line, n) => n >= from && matchLine(pattern, line));
    if (at < 0) return pattern;
    from = at + 1;
  }
  return undefined;
}

const SHAPES: Record<string, string> = {
  '*': '.*',
  ' ': ' +',
  '<run>': 'run-\\d{8}-[a-z0-9]{6}',
  '<instance>': 'i-[0-9a-f]{17}',
  '<time>': '(?:\\d+ms|\\d+\\.\\ds|\\d+m\\d\\ds)',
  '<number>': '-?\\d+(?:\\.\\d+)?',
};

export function matchLine(pattern: string, line: string): boolean {
  const parts = pattern.split(/(\*| +|<run>|<instance>|<time>|<number>)/);
  return new RegExp(`^${parts.map((part) => SHAPES[part.replace(/^ +$/, ' ')] ?? part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('')}$`).test(line);
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function indent(lines: readonly string[]): string {
  return lines.length === 0 ? '  (empty)' : lines.map((line) => `  ${line}`).join('\n');
}
