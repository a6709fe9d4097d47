// The kinds of values a setting can have: how each is checked, read from a word (environment, command line) and shown.
// A check answers with the value, or says what would have been right.

export interface Setting<T> {
  kind: 'text' | 'integer' | 'number' | 'boolean' | 'choice' | 'list' | 'table';
  doc: string;
  fallback: T;
  /** Shown in the file made by `init` where there is no default. */
  example?: unknown;
  choices?: readonly string[];
  min?: number;
  max?: number;
  /** `wanted` is set when the value is not right. */
  check(value: unknown): { value: T } | { wanted: string };
  /** From a word, as typed after `config set KEY` or found in the environment. */
  fromWord(word: string): unknown;
}

interface Form {
  pattern: RegExp;
  says: string;
}

const asText = (word: string): unknown => word;

export function text(fallback: string, doc: string, form: Form): Setting<string> {
  return { kind: 'text', doc, fallback, check: textCheck(form), fromWord: asText };
}

export function optionalText(example: string, doc: string, form: Form): Setting<string | undefined> {
  return { kind: 'text', doc, fallback: undefined, example, check: textCheck(form), fromWord: asText };
}

function textCheck(form: Form) {
  return (value: unknown): { value: string } | { wanted: string } => (typeof value === 'string' && form.pattern.test(value) ? { value } : { wanted: form.says });
}

interface Range {
  min: number;
  max: number;
}

export function integer(fallback: number, doc: string, range: Range): Setting<number> {
  return { kind: 'integer', doc, fallback, ...range, check: integerCheck(range), fromWord: integerFromWord };
}

export function optionalInteger(example: number, doc: string, range: Range): Setting<number | undefined> {
  return { kind: 'integer', doc, fallback: undefined, example, ...range, check: integerCheck(range), fromWord: integerFromWord };
}

/** Decimals too: dollars, hours. A number written as a text is one too, as in files of the earlier tool. */
export function optionalNumber(example: number, doc: string, { min, max }: Range): Setting<number | undefined> {
  const fromWord = (word: string): unknown => (/^\d{1,12}(\.\d{1,9})?$/.test(word) ? Number(word) : word);
  return {
    kind: 'number',
    doc,
    fallback: undefined,
    example,
    min,
    max,
    check(given) {
      const value = typeof given === 'string' ? fromWord(given) : given;
      return typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max ? { value } : { wanted: `a number from ${min} to ${max}` };
    },
    fromWord,
  };
}

function integerCheck({ min, max }: Range) {
  return (value: unknown): { value: number } | { wanted: string } =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? { value } : { wanted: `a whole number from ${min} to ${max}` };
}

function integerFromWord(word: string): unknown {
  return /^-?\d{1,15}$/.test(word) ? Number(word) : word;
}

export function boolean(fallback: boolean, doc: string): Setting<boolean> {
  return {
    kind: 'boolean',
    doc,
    fallback,
    check: (value) => (typeof value === 'boolean' ? { value } : { wanted: 'true or false' }),
    fromWord: (word) => (/^(true|1|yes|on)$/i.test(word) ? true : /^(false|0|no|off)$/i.test(word) ? false : word),
  };
}

export function choice<const T extends string>(choices: readonly T[], fallback: NoInfer<T>, doc: string): Setting<T> {
  return {
    kind: 'choice',
    doc,
    fallback,
    choices,
    check: (value) => (choices.includes(value as T) ? { value: value as T } : { wanted: `one of ${choices.map((word) => `"${word}"`).join(', ')}` }),
    fromWord: asText,
  };
}

export function list(doc: string, example: string[]): Setting<string[]> {
  return {
    kind: 'list',
    doc,
    fallback: [],
    example,
    check: (value) => (Array.isArray(value) && value.every((item) => typeof item === 'string') ? { value } : { wanted: 'a list of texts such as ["data/", "*.mp4"]' }),
    fromWord: (word) => (word === '' ? [] : word.split(',').map((item) => item.trim())),
  };
}

export function table(doc: string, names: Form): Setting<Record<string, string>> {
  return {
    kind: 'table',
    doc,
    fallback: {},
    check: (value) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Date) return { wanted: 'a table such as { NAME = "value" }' };
      if (!Object.values(value).every((item) => typeof item === 'string')) return { wanted: 'texts as values, such as { NAME = "value" }' };
      if (!Object.keys(value).every((name) => names.pattern.test(name))) return { wanted: names.says };
      return { value: value as Record<string, string> };
    },
    fromWord: (word) => {
      const parts = word === '' ? [] : word.split(',').map((item) => /^\s*([^=]+)=(.*)$/s.exec(item));
      return parts.every((part) => part !== null) ? Object.fromEntries(parts.map((part) => [part![1]!, part![2]!])) : word;
    },
  };
}
