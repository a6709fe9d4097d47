// Whoever throws an error may know which flag would help, but not what was typed: a hint that is only a flag becomes the
// whole command with that flag, ready to paste.
import { shellWord } from '../core/quote.ts';

/** Given again, these add to each other; any other flag replaces itself. */
const REPEATABLE = new Set(['--include-pattern']);
/** A command with whole data sets in its arguments is not shown again. */
const MOST_CHARS = 1_000;

/** `argv`: what was typed after "runctl". Hints that are commands already stay as they are. */
export function wholeHint(hint: string, argv: readonly string[]): string {
  if (!hint.startsWith('--')) return hint;
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  const flag = /^--[^\s=]*/.exec(hint)?.[0] ?? '';
  // `-- words` are arguments of the script: instead of those that were given, in whichever way.
  const script = flag === '--';
  const own = without(argv.slice(0, end), script ? '--args' : REPEATABLE.has(flag) ? undefined : flag);
  const words = ['runctl', ...own.map(shellWord), hint, ...(script ? [] : argv.slice(end).map(shellWord))].join(' ');
  return words.length > MOST_CHARS ? hint : words;
}

function without(words: readonly string[], flag: string | undefined): string[] {
  return words.filter((word, n) => flag === undefined || (word !== flag && !word.startsWith(`${flag}=`) && (words[n - 1] !== flag || word.startsWith('--'))));
}
