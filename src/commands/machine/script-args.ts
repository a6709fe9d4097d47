// The three ways to give a script its arguments: after --, as one line, as hyperparameters. One meaning for every command that trains.
import type { Flags, Input } from '../../cli/command.ts';
import { RunctlError } from '../../core/errors.ts';
import { splitWords } from '../../core/quote.ts';

export const SCRIPT_FLAGS = {
  args: { kind: 'text', placeholder: 'LINE', summary: 'arguments of the script as one line, the same as after --' },
  scriptArgs: { kind: 'text', placeholder: 'LINE', hidden: true, summary: 'the same as --args' },
  hyperparams: { kind: 'text', placeholder: 'K=V,…', summary: 'such as lr=0.001,batch=32: reaches the script as --lr 0.001 --batch 32' },
} as const satisfies Flags;

export interface ScriptArguments {
  args: string[];
  hyperparams?: Record<string, string>;
}

/** Everything the script gets, in the order: hyperparameters, --args, after --. Throws `usage` for what contradicts itself. */
export function scriptArguments({ flags, rest }: Pick<Input<typeof SCRIPT_FLAGS>, 'flags' | 'rest'>): ScriptArguments {
  const line = flags.args ?? flags.scriptArgs;
  if (line !== undefined && rest.length > 0) {
    throw new RunctlError('usage', 'arguments of the script were given twice: by --args and after --', { hints: [`-- ${[...words(line), ...rest].join(' ')}`] });
  }
  const given = line === undefined ? rest : words(line);
  const hyperparams = parseHyperparams(flags.hyperparams);
  const flagsOfScript = given.filter((word) => word.startsWith('--')).map((word) => word.slice(2).split('=')[0]);
  const twice = Object.keys(hyperparams).find((name) => flagsOfScript.includes(name));
  if (twice !== undefined) {
    throw new RunctlError('usage', `--${twice} was given twice: as a hyperparameter and to the script`, { hints: ['leave one of them out'] });
  }
  const args = [...Object.entries(hyperparams).flatMap(([name, value]) => [`--${name}`, value]), ...given];
  return { args, ...(flags.hyperparams === undefined ? {} : { hyperparams }) };
}

function words(line: string): string[] {
  try {
    return splitWords(line);
  } catch (error) {
    throw new RunctlError('usage', (error as Error).message, { hints: [`--args "--name 'my run'"`] });
  }
}

function parseHyperparams(text: string | undefined): Record<string, string> {
  if (text === undefined) return {};
  const found = new Map<string, string>();
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    const name = part.slice(0, at).trim().replace(/^--/, '');
    if (at < 1 || !/^[A-Za-z][\w.-]*$/.test(name)) {
      throw new RunctlError('usage', `"${part}" is not a hyperparameter`, { cause: 'It must be NAME=VALUE; several are separated by commas.', hints: ['--hyperparams "lr=0.001,batch=32"'] });
    }
    if (found.has(name)) throw new RunctlError('usage', `the hyperparameter ${name} was given twice`, { hints: ['--hyperparams "lr=0.001,batch=32"'] });
    found.set(name, part.slice(at + 1).trim());
  }
  return Object.fromEntries(found);
}
