// From tokens to typed input, by stricli's scanner. Its messages are turned into our own error; it never prints or runs anything.
import {
  AliasNotFoundError, ArgumentScannerError, FlagNotFoundError, UnexpectedPositionalError, UnsatisfiedPositionalError,
  buildApplication, buildCommand, formatMessageForArgumentScannerError, numberParser, run, text_en,
} from '@stricli/core';
import { RunctlError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import { shellWord } from '../core/quote.ts';
import type { Command, FlagSpec, Flags, Input } from './command.ts';
import { GLOBAL_FLAGS, type GlobalValues } from './global-flags.ts';

export interface Parsed {
  input: Input;
  globals: GlobalValues;
}

/** Throws RunctlError `usage`. `words` is only for messages. */
export async function parseInput(command: Command, words: string, args: readonly string[], rest: readonly string[] | undefined): Promise<Parsed> {
  if (rest !== undefined && command.rest === undefined) {
    throw new RunctlError('usage', `"runctl ${words}" takes nothing after --`, { hints: [`runctl ${words} --help`] });
  }
  let taken: { flags: Record<string, unknown>; args: string[] } | undefined;
  let failure: unknown;
  // --help is answered before anything is parsed; stricli brings a flag of that name itself.
  const { help: _, ...globalFlags } = GLOBAL_FLAGS;
  const specs: Flags = { ...command.flags, ...globalFlags };
  const scanner = buildCommand({
    docs: { brief: words },
    func(this: unknown, flags: Record<string, unknown>, ...positional: string[]) {
      taken = { flags, args: positional };
    },
    parameters: {
      flags: Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, toStricli(spec)])) as never,
      aliases: Object.fromEntries(Object.entries(specs).flatMap(([name, spec]) => (spec.short ? [[spec.short, name]] : []))) as never,
      positional: {
        kind: 'tuple',
        parameters: (command.args ?? []).map((arg) => ({ brief: arg.summary, placeholder: arg.name, parse: String, optional: arg.optional ?? false })),
      } as never,
    },
  });
  const application = buildApplication(scanner, {
    name: `runctl ${words}`,
    scanner: { caseStyle: 'allow-kebab-for-camel' },
    localization: {
      text: {
        ...text_en,
        exceptionWhileParsingArguments: (error) => ((failure = error), ''),
        exceptionWhileRunningCommand: (error) => ((failure = error), ''),
      },
    },
  });
  const silent = { write() {} };
  await run(application, args, { process: { stdout: silent, stderr: silent } });
  if (failure || !taken) throw usageError(failure, command, words, args);
  const { flags } = taken;
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(command.flags ?? {})) {
    values[name] = flags[name] ?? (spec.kind === 'texts' ? [] : undefined);
  }
  const positional = (command.args ?? []).map((arg, i) => [arg.name, taken?.args[i]] as const);
  return {
    input: {
      args: Object.fromEntries(positional.filter(([, value]) => value !== undefined)) as Record<string, string>,
      flags: values as Input['flags'],
      rest: [...(rest ?? [])],
    },
    globals: {
      output: (flags['output'] as string | undefined) ?? 'text',
      sim: flags['sim'] === true,
      region: flags['region'] as string | undefined,
      config: flags['config'] as string | undefined,
      yes: flags['yes'] === true,
      quiet: flags['quiet'] === true,
      verbose: flags['verbose'] === true,
    },
  };
}

function toStricli(spec: FlagSpec): object {
  const base = { brief: spec.summary, optional: true, hidden: spec.hidden ?? false };
  switch (spec.kind) {
    case 'switch':
      return spec.default === undefined ? { ...base, kind: 'boolean' } : { kind: 'boolean', brief: spec.summary, default: spec.default };
    case 'text':
      return { ...base, kind: 'parsed', parse: String, placeholder: spec.placeholder };
    case 'texts':
      return { ...base, kind: 'parsed', parse: String, placeholder: spec.placeholder, variadic: true };
    case 'choice':
      return { ...base, ...withDefault(spec.default), kind: 'enum', values: spec.values };
    case 'number':
      return { ...base, ...withDefault(spec.default?.toString()), kind: 'parsed', placeholder: spec.placeholder, parse: (text: string) => inRange(numberParser(text), spec.min, spec.max) };
    case 'duration':
      return { ...base, ...withDefault(spec.default), kind: 'parsed', placeholder: spec.placeholder, parse: parseDuration };
  }
}

function withDefault(value: string | undefined): object {
  return value === undefined ? {} : { optional: false, default: value };
}

function inRange(value: number, min = -Infinity, max = Infinity): number {
  if (value < min || value > max) throw new RangeError(`${value} is not between ${min} and ${max}`);
  return value;
}

/** `90`, `90s`, `1.5m`, `2h` to milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text.trim());
  if (!match) throw new SyntaxError(`"${text}" is not a duration such as 90s, 5m or 2h`);
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] ?? 's'] as number;
  return Math.round(Number(match[1]) * unit);
}

function usageError(failure: unknown, command: Command, words: string, args: readonly string[]): RunctlError {
  const hints: string[] = [];
  let message = failure instanceof ArgumentScannerError ? formatMessageForArgumentScannerError(failure, {}) : String(failure);
  message = (message.charAt(0).toLowerCase() + message.slice(1)).replace('no flag registered for', 'unknown flag').replace(/--[a-z]+[A-Z]\w*/g, kebab);
  const unknownFlag = failure instanceof FlagNotFoundError || failure instanceof AliasNotFoundError;
  const positional = (command.args ?? []).map((arg) => (arg.optional ? `[${arg.name.toUpperCase()}]` : arg.name.toUpperCase())).join(' ');
  if (failure instanceof UnsatisfiedPositionalError) message = `${failure.placeholder.toUpperCase()} is missing`;
  if (failure instanceof UnexpectedPositionalError) message = `"${failure.input}" is one argument too many`;
  // --help is not the scanner's, so it guesses other words.
  const forHelp = failure instanceof FlagNotFoundError && nearest(failure.input, ['help', ...Object.keys(command.flags ?? {}), ...Object.keys(GLOBAL_FLAGS)]) === 'help';
  if (forHelp) message = `unknown flag --${kebab(failure.input)}, did you mean --help?`;
  else if (command.rest !== undefined && (unknownFlag || failure instanceof UnexpectedPositionalError)) {
    const at = misplacedAt(failure, args);
    const given = args.slice(0, at);
    const enough = given.filter((word) => !word.startsWith('-')).length >= (command.args ?? []).filter((arg) => !arg.optional).length;
    hints.push(`runctl ${words} ${enough ? given.map(shellWord).join(' ') : positional} -- ${args.slice(at).map(shellWord).join(' ')}   (${command.rest.split(',')[0]} go after --)`);
  } else if (failure instanceof UnsatisfiedPositionalError || failure instanceof UnexpectedPositionalError) {
    hints.push(`runctl ${words} ${positional}`.trim());
  }
  hints.push(`runctl ${words} --help`);
  return new RunctlError('usage', message, { hints, source: failure });
}

/** The first token that was not understood; from there on it was most likely meant for the script. */
function misplacedAt(failure: unknown, args: readonly string[]): number {
  return Math.max(
    0,
    failure instanceof FlagNotFoundError ? args.findIndex((token) => token.startsWith('--') && token.slice(2).split('=')[0] === kebab(failure.input))
    : failure instanceof UnexpectedPositionalError ? args.indexOf(failure.input)
    : args.findIndex((token) => /^-[^-]/.test(token)),
  );
}

/** `keyName` -> `key-name`, as typed on the command line. */
export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
