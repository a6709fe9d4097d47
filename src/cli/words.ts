// Finds the command that the words of a command line name, without loading anything.
import { RunctlError } from '../core/errors.ts';
import type { Entry } from './command.ts';
import { GLOBAL_FLAGS } from './global-flags.ts';
import { nearest } from '../core/nearest.ts';

/** `aws create` -> entry. Keys are the words as typed, one space between. */
export type WordTable = Record<string, Entry>;

export type Resolution =
  | { kind: 'command'; words: string; entry: Entry; args: string[]; rest: string[] | undefined; help: boolean }
  | { kind: 'group'; words: string; help: boolean };

const VALUE_FLAGS = new Set(
  Object.entries(GLOBAL_FLAGS).flatMap(([name, flag]) =>
    flag.kind === 'text' ? [`--${name}`, ...('short' in flag ? [`-${flag.short}`] : [])] : [],
  ),
);

/** Split argv into the words of a command, its own arguments, and what follows `--`. Throws `usage` for an unknown word. */
export function resolveWords(argv: readonly string[], table: WordTable): Resolution {
  const end = argv.indexOf('--');
  const own = end < 0 ? [...argv] : argv.slice(0, end);
  const rest = end < 0 ? undefined : argv.slice(end + 1);
  const args: string[] = [];
  let words = '';
  let found: Entry | undefined;
  let searching = true;
  for (let i = 0; i < own.length; i++) {
    const token = own[i] as string;
    if (!searching || token.startsWith('-')) {
      args.push(token);
      if (searching && VALUE_FLAGS.has(token) && i + 1 < own.length) args.push(own[++i] as string);
      continue;
    }
    const match = step(words, token, table);
    if (!match) throw unknownWord(words, token, table);
    words = match.words;
    found = match.entry;
    searching = found === undefined;
  }
  const help = args.some((token) => token === '--help' || token === '-h');
  return found ? { kind: 'command', words, entry: found, args, rest, help } : { kind: 'group', words, help };
}

/** The words directly below a group: `['create', 'train', …]` with the summary of each. */
export function wordsBelow(group: string, table: WordTable): { word: string; summary?: string }[] {
  const prefix = group === '' ? '' : `${group} `;
  const seen = new Map<string, string | undefined>();
  for (const [words, entry] of Object.entries(table)) {
    if (!words.startsWith(prefix)) continue;
    const word = words.slice(prefix.length).split(' ')[0] as string;
    const whole = words === prefix + word;
    if (!seen.has(word) || whole) seen.set(word, whole ? entry.summary : undefined);
  }
  return [...seen].map(([word, summary]) => ({ word, summary }));
}

function step(words: string, token: string, table: WordTable): { words: string; entry: Entry | undefined } | undefined {
  const prefix = words === '' ? '' : `${words} `;
  const exact = prefix + token;
  if (table[exact]) return { words: exact, entry: table[exact] };
  if (Object.keys(table).some((key) => key.startsWith(`${exact} `))) return { words: exact, entry: undefined };
  for (const [key, entry] of Object.entries(table)) {
    const cut = key.lastIndexOf(' ') + 1;
    if (key.slice(0, cut) === prefix && entry.aliases?.includes(token)) return { words: key, entry };
  }
  return undefined;
}

function unknownWord(words: string, token: string, table: WordTable): RunctlError {
  const below = wordsBelow(words, table).map((row) => row.word);
  const close = nearest(token, below);
  const group = words === '' ? 'runctl' : `runctl ${words}`;
  return new RunctlError('usage', `unknown command "${token}"`, {
    cause: words === '' ? undefined : `"${words}" has ${below.join(', ')}.`,
    hints: [...(close ? [`${group} ${close}`] : []), `${group} --help`],
  });
}
