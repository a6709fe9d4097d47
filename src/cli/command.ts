// What a command is: data (arguments, flags, examples) plus two small functions (run, text). Never prints, never looks at --output.
// `A` is whatever the program hands its commands; this room does not know it (commands/define.ts does).

import type { Style } from '../ui/style.ts';

interface FlagBase {
  summary: string;
  /** One letter. */
  short?: string;
  /** Understood but not shown: old spellings that people still type. */
  hidden?: boolean;
}

export type FlagSpec =
  | (FlagBase & { kind: 'switch'; default?: boolean })
  | (FlagBase & { kind: 'text'; placeholder: string })
  | (FlagBase & { kind: 'texts'; placeholder: string })
  | (FlagBase & { kind: 'number'; placeholder: string; default?: number; min?: number; max?: number })
  /** Seconds by default; `90`, `90s`, `5m`, `2h`. The value arrives in milliseconds. */
  | (FlagBase & { kind: 'duration'; placeholder: string; default?: string })
  | (FlagBase & { kind: 'choice'; values: readonly string[]; default?: string });

export type Flags = Record<string, FlagSpec>;

type FlagValue<S extends FlagSpec> = S extends { kind: 'switch' }
  ? S extends { default: boolean } ? boolean : boolean | undefined
  : S extends { kind: 'texts' }
    ? string[]
    : S extends { kind: 'number' | 'duration' }
      ? S extends { default: number | string } ? number : number | undefined
      : S extends { kind: 'choice'; values: readonly (infer V)[] }
        ? S extends { default: string } ? V : V | undefined
        : string | undefined;

export interface ArgumentSpec {
  name: string;
  summary: string;
  optional?: boolean;
}

export interface Input<F extends Flags = Flags> {
  /** By argument name; optional ones may be absent. */
  args: Record<string, string>;
  flags: { [K in keyof F]: FlagValue<F[K]> };
  /** Everything after `--`, untouched. */
  rest: string[];
}

/** Output of a program: the bytes, and the same as text for a terminal. */
export interface Passed {
  stream: 'stdout' | 'stderr';
  bytes: Uint8Array;
  text: string;
}

export interface Command<F extends Flags = Flags, R = unknown, A = any> {
  /** A paragraph for --help, after the one-line summary of the word table. */
  description?: string;
  args?: readonly ArgumentSpec[];
  flags?: F;
  /** What `--` introduces; absent: nothing may follow it. */
  rest?: string;
  /** Whole command lines. All of them are parsed by the tests, most are run. */
  examples: readonly string[];
  run(input: Input<F>, app: A): Promise<R> | AsyncIterable<R>;
  /** Lines for people. For streams: called for every item. */
  text(result: R, style: Style): string;
  /** For streams in text form: an item that is what a program elsewhere printed, to go to the same stream here in place of `text`. */
  passes?(item: R): Passed | undefined;
  /** For streams that are one thing after all: what --output json and single fields show, made of every item. */
  gather?(items: R[]): unknown;
  /** Every field that `--output FIELD` can print. For commands that make or spend something: a wrong name is refused before anything
   *  happens, and not afterwards. */
  fields?: readonly string[];
  /** Exit status of a result that is no error; default 0. */
  exitCode?(result: R): number;
}

/** One row of the word table: everything about a command that must be known without loading it. */
export interface Entry {
  summary: string;
  /** Other last words that mean the same. */
  aliases?: readonly string[];
  /** Told in the help of its group under this heading. */
  load: () => Promise<Command<any, any>>;
}
