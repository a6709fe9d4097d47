// Whoever throws an error knows what would help, but not what was typed. Here a hint becomes a command that can be pasted:
// a mere flag joins the command line that failed, and a command goes to the same cloud as that one.
import { shellWord } from '../core/quote.ts';

/** Given again, these add to each other; any other flag replaces itself. */
const REPEATABLE = new Set(['--include-pattern']);
/** Flags that say which cloud is meant; a hint that lacks them would speak of another. */
const PLACE = [/^--sim$/, /^--region$/, /^(?:--config|-c)$/];
/** The same of commands about many machines. */
const PLACES = /^--(?:all-regions|regions)$/;
const SWITCHES = new Set(['--sim', '--all-regions']);
/** Commands that look at a cloud. */
const ASKS_A_CLOUD = /^runctl (?:aws (?!policy)|workflow |resources |doctor\b)(?!.* --help)/;
/** What contradicts a flag goes when that flag comes: switches, and flags with their values. */
const CONTRADICTED: Record<string, { switches: string[]; valued: string[] }> = {
  '--on-demand': { switches: ['--spot', '--fail-if-no-spot', '--no-fallback'], valued: ['--spot-timeout', '--spot-max-price', '--types', '--on-spot-failure'] },
  '--spot': { switches: ['--on-demand', '--no-spot'], valued: [] },
  '--on-spot-failure': { switches: ['--fail-if-no-spot', '--no-fallback'], valued: [] },
};
/** A command with whole data sets in its arguments is not shown again. */
const MOST_CHARS = 1_000;

/** `argv`: what was typed after "runctl". */
export function completeHint(hint: string, argv: readonly string[]): string {
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  const own = argv.slice(0, end);
  if (ASKS_A_CLOUD.test(hint)) return inPlace(hint, own);
  if (!hint.startsWith('--')) return hint;
  const flag = /^--[^\s=]*/.exec(hint)?.[0] ?? '';
  // `-- words` are arguments of the script: instead of those that were given, in whichever way.
  const script = flag === '--';
  const { switches = [], valued = [] } = CONTRADICTED[flag] ?? {};
  const fitting = valued.reduce((words, one) => without(words, one, true), switches.reduce((words, one) => without(words, one, false), own));
  const kept = REPEATABLE.has(flag) ? fitting : without(fitting, script ? '--args' : flag, script || /\s/.test(hint));
  const words = ['runctl', ...kept.map(shellWord), hint, ...(script ? [] : argv.slice(end).map(shellWord))].join(' ');
  return words.length > MOST_CHARS ? hint : words;
}

function inPlace(hint: string, own: readonly string[]): string {
  const [, command = hint, rest = ''] = /^(.*?)((?: -- | {2,}[(#]).*)?$/s.exec(hint) ?? [];
  const given = command.split(' ');
  const places = command.startsWith('runctl resources ') ? [...PLACE, PLACES] : PLACE;
  const missing = own.flatMap((word, n): string[] => {
    const name = word.split('=')[0] as string;
    const place = places.find((flag) => flag.test(name));
    if (place === undefined || given.some((other) => place.test(other.split('=')[0] as string))) return [];
    return SWITCHES.has(name) || word.includes('=') ? [word] : own.slice(n, n + 2);
  });
  return `${[command, ...missing.map(shellWord)].join(' ')}${rest}`;
}

function without(words: readonly string[], flag: string, takesValue: boolean): string[] {
  return words.filter((word, n) => word !== flag && !word.startsWith(`${flag}=`) && !(takesValue && words[n - 1] === flag));
}
