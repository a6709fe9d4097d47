// Help texts, from the same definitions that parse. One layout for the root, for groups and for commands.
import type { Command, Entry, FlagSpec, Flags } from './command.ts';
import { GLOBAL_FLAGS } from './global-flags.ts';
import { wordsBelow, type WordTable } from './words.ts';

const GROUP_SUMMARIES: Record<string, string> = {
  aws: 'machines on AWS EC2: create, train, watch, stop, terminate',
  workflow: 'whole stories in one command',
  resources: 'what you have in the cloud, what it costs and has cost, and removing what was left behind',
  runs: 'what was run, with steps and costs',
  config: 'show and change settings',
  sim: 'the built-in cloud: an AWS-compatible server on this machine',
  'sim weather': 'a plan of faults for the built-in cloud, to see what happens when things go wrong',
};

export function renderRootHelp(table: WordTable, version: string): string {
  return [
    `runctl ${version} - train on cloud machines without losing money or work`,
    '',
    'Try it now, free, on this machine:',
    '  runctl workflow train training/train_mnist_e2e.py --sim -- --epochs 3',
    '',
    'Usage: runctl WORDS [ARGUMENTS] [--flags] [-- script arguments]',
    '',
    'Commands:',
    ...columns(wordsBelow('', table).map((row) => [row.word, row.summary ?? GROUP_SUMMARIES[row.word] ?? ''])),
    '',
    'Flags of every command:',
    ...flagLines(GLOBAL_FLAGS),
    '',
    'Exit codes: 0 done, 1 usage or state, 2 cloud, 3 configuration, 4 job failed, 5 not finished, 6 declined, 70 bug, 130 interrupted.',
    'More: runctl COMMAND --help',
    '',
  ].join('\n');
}

export function renderGroupHelp(group: string, table: WordTable): string {
  return [
    `runctl ${group} - ${GROUP_SUMMARIES[group] ?? ''}`,
    '',
    `Usage: runctl ${group} COMMAND`,
    '',
    'Commands:',
    ...columns(wordsBelow(group, table).map((row) => [row.word, row.summary ?? GROUP_SUMMARIES[`${group} ${row.word}`] ?? ''])),
    '',
    `More: runctl ${group} COMMAND --help`,
    '',
  ].join('\n');
}

export function renderCommandHelp(words: string, entry: Entry, command: Command): string {
  const args = command.args ?? [];
  const usage = [
    `runctl ${words}`,
    ...args.map((arg) => (arg.optional ? `[${arg.name.toUpperCase()}]` : arg.name.toUpperCase())),
    '[flags]',
    ...(command.rest === undefined ? [] : ['[-- ARGUMENTS]']),
  ].join(' ');
  const own = Object.fromEntries(Object.entries(command.flags ?? {}).filter(([, spec]) => !spec.hidden));
  return [
    `runctl ${words} - ${entry.summary}`,
    ...(command.description ? ['', ...wrap(command.description)] : []),
    '',
    `Usage: ${usage}`,
    ...(entry.aliases?.length ? [`Also: ${entry.aliases.map((alias) => `${words.slice(0, words.lastIndexOf(' ') + 1)}${alias}`).join(', ')}`] : []),
    ...(args.length > 0 ? ['', 'Arguments:', ...columns(args.map((arg) => [arg.name.toUpperCase(), arg.summary]))] : []),
    ...(command.rest === undefined ? [] : args.length > 0 ? columns([['-- …', command.rest]]) : ['', 'Arguments:', ...columns([['-- …', command.rest]])]),
    ...(Object.keys(own).length > 0 ? ['', 'Flags:', ...flagLines(own)] : []),
    '',
    'Flags of every command:',
    ...flagLines(GLOBAL_FLAGS),
    '',
    'Examples:',
    ...command.examples.map((line) => `  ${line}`),
    '',
  ].join('\n');
}

function flagLines(flags: Flags): string[] {
  return columns(
    Object.entries(flags).map(([name, spec]) => [
      `${spec.short ? `-${spec.short}, ` : '    '}--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}${placeholder(spec)}`,
      spec.summary + defaultText(spec),
    ]),
  );
}

function placeholder(spec: FlagSpec): string {
  if (spec.kind === 'switch') return '';
  return ` ${spec.kind === 'choice' ? spec.values.join('|') : spec.placeholder}`;
}

function defaultText(spec: FlagSpec): string {
  if (spec.kind === 'texts') return ' (repeatable)';
  if (!('default' in spec) || spec.default === undefined || spec.default === false) return '';
  return spec.kind === 'switch' ? ' (on; --no- turns it off)' : ` (default ${spec.default})`;
}

/** Two columns, the second wrapped at 100. */
export function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.min(34, Math.max(...rows.map(([left]) => left.length)));
  return rows.flatMap(([left, right]) => {
    const lines = wrap(right, 100 - width - 4);
    const first = `  ${left.padEnd(width)}  ${lines[0] ?? ''}`.trimEnd();
    const head = left.length > width ? [`  ${left}`, ...(lines[0] ? [`${' '.repeat(width + 4)}${lines[0]}`] : [])] : [first];
    return [...head, ...lines.slice(1).map((line) => `${' '.repeat(width + 4)}${line}`)];
  });
}

function wrap(text: string, width = 100): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + word.length + 1 > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === '' ? word : `${line} ${word}`;
      }
    }
    return [...lines, line];
  });
}
