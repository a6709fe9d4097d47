// The patterns of gitignore(5), matched byte by byte as git does. Texts here hold one byte per character (latin1), so that
// names which are not UTF-8, and `?` for half of an umlaut, behave as in git. Says which rule decided, and where it stands.

export interface Rule {
  /** As written, without the line's trailing blanks; for people, in UTF-8. */
  pattern: string;
  /** Absolute path of the file it stands in; undefined for patterns that came from settings, flags or runctl itself. */
  file?: string;
  /** From 1; in lists without a file the position in the list. */
  line: number;
  /** Begins with `!`: brings back. */
  negated: boolean;
}

interface CompiledRule extends Rule {
  directoriesOnly: boolean;
  /** `name`: the last part of the path; `inside`: the path below the directory that the list speaks for. */
  matches(name: string, inside: string): boolean;
}

export interface ListOptions {
  /** The directory that the patterns speak for, relative to the tree, in latin1; '' for its root. */
  base?: string;
  file?: string;
  /** core.ignoreCase of git. */
  ignoreCase?: boolean;
}

/** One file of patterns, or one list of them. */
export class RuleList {
  private readonly rules: CompiledRule[] = [];
  private readonly base: string;
  private readonly ignoreCase: boolean;

  /** `text` in latin1, as it stands in the file. */
  constructor(text: string, { base = '', file, ignoreCase = false }: ListOptions = {}) {
    this.base = base;
    this.ignoreCase = ignoreCase;
    // A byte order mark, as three bytes.
    const lines = text.replace(/^\xef\xbb\xbf/, '').split('\n');
    lines.forEach((line, i) => {
      const rule = compile(line, ignoreCase);
      if (rule) this.rules.push({ ...rule, file, line: i + 1 });
    });
  }

  static ofPatterns(patterns: readonly string[]): RuleList {
    return new RuleList(patterns.map((pattern) => latin1(pattern)).join('\n'));
  }

  get isEmpty(): boolean {
    return this.rules.length === 0;
  }

  /** The last rule that speaks of this very path; what it says of directories above is for the caller. */
  decide(path: string, isDirectory: boolean): Rule | undefined {
    const exact = this.base === '' ? path : path.slice(this.base.length + 1);
    const inside = this.ignoreCase ? lower(exact) : exact;
    const name = inside.slice(inside.lastIndexOf('/') + 1);
    for (let i = this.rules.length - 1; i >= 0; i--) {
      const rule = this.rules[i]!;
      if ((isDirectory || !rule.directoriesOnly) && rule.matches(name, inside)) return rule;
    }
    return undefined;
  }
}

/** A list as a judge of any path: what lies in a matched directory is matched. Remembers its verdicts on directories. */
export function pathMatcher(list: RuleList): (path: string, isDirectory: boolean) => Rule | undefined {
  const directories = new Map<string, Rule | undefined>();
  const ofDirectory = (path: string): Rule | undefined => {
    if (path === '') return undefined;
    if (directories.has(path)) return directories.get(path);
    const above = ofDirectory(parentOf(path));
    const rule = above ?? positive(list.decide(path, true));
    directories.set(path, rule);
    return rule;
  };
  if (list.isEmpty) return () => undefined;
  return (path, isDirectory) => (isDirectory ? ofDirectory(path) : (ofDirectory(parentOf(path)) ?? positive(list.decide(path, false))));
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

/** One byte per character. */
export function latin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function positive(rule: Rule | undefined): Rule | undefined {
  return rule?.negated ? undefined : rule;
}

function lower(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function compile(line: string, ignoreCase: boolean): Omit<CompiledRule, 'line'> | undefined {
  if (line.startsWith('#')) return undefined;
  const pattern = withoutTrailingBlanks(line.endsWith('\r') ? line.slice(0, -1) : line);
  const negated = pattern.startsWith('!');
  const whole = negated ? pattern.slice(1) : pattern;
  const directoriesOnly = whole.endsWith('/');
  const glob = directoriesOnly ? whole.slice(0, -1) : whole;
  if (glob === '') return undefined;
  return { pattern: Buffer.from(pattern, 'latin1').toString('utf8'), negated, directoriesOnly, matches: matcherOf(ignoreCase ? lower(glob) : glob, ignoreCase) };
}

/** Only blanks, and none that a backslash keeps. */
function withoutTrailingBlanks(line: string): string {
  let end = 0;
  for (let i = 0; i < line.length; i++) {
    if (line[i] === '\\') {
      i++;
      // A lone backslash at the end keeps the whole line as it is.
      if (i >= line.length) return line;
      end = i + 1;
    } else if (line[i] !== ' ') end = i + 1;
  }
  return line.slice(0, end);
}

function matcherOf(glob: string, ignoreCase: boolean): CompiledRule['matches'] {
  const literal = /^[^*?[\\]*/.exec(glob)![0];
  if (!glob.includes('/')) {
    if (literal.length === glob.length) return (name) => name === glob;
    if (/^\*[^*?[\\]*$/.test(glob)) return (name) => name.endsWith(glob.slice(1));
    const expression = toExpression(glob, false, ignoreCase);
    return expression === undefined ? () => false : (name) => expression.test(name);
  }
  const anchored = glob.startsWith('/') ? glob.slice(1) : glob;
  const start = /^[^*?[\\]*/.exec(anchored)![0];
  if (start.length === anchored.length) return (_name, inside) => inside === anchored;
  // git compares what comes before the first special character, and matches the rest as a pattern of its own: two asterisks
  // that follow it stand at a beginning, even in the middle of a name.
  const expression = toExpression(anchored.slice(start.length), true, ignoreCase);
  return expression === undefined ? () => false : (_name, inside) => inside.startsWith(start) && expression.test(inside.slice(start.length));
}

/** Undefined for a pattern that git gives up on: it matches nothing. `inPath`: `*` and the like stop at slashes. */
function toExpression(glob: string, inPath: boolean, ignoreCase: boolean): RegExp | undefined {
  const any = inPath ? '[^/]' : '[^]';
  let source = '';
  for (let i = 0; i < glob.length; ) {
    const char = glob[i]!;
    if (char === '*') {
      const end = i + /^\*+/.exec(glob.slice(i))![0].length;
      const alone = end - i > 1 && (i === 0 || glob[i - 1] === '/') && (end === glob.length || glob[end] === '/' || glob.startsWith('\\/', end));
      if (alone && inPath && glob[end] === '/') {
        source += '(?:[^]*/)?';
        i = end + 1;
      } else {
        source += alone ? '[^]*' : `${any}*`;
        i = end;
      }
    } else if (char === '?') {
      source += any;
      i++;
    } else if (char === '[') {
      const set = readSet(glob, i, ignoreCase);
      if (set === undefined) return undefined;
      source += classOf(set.members, set.negated, inPath);
      i = set.end;
    } else {
      const literal = char === '\\' ? glob[++i] : char;
      if (literal === undefined) return undefined;
      source += escaped(literal.charCodeAt(0));
      i++;
    }
  }
  return new RegExp(`^${source}$`);
}

const NAMED_SETS: Record<string, RegExp> = {
  alnum: /[0-9A-Za-z]/, alpha: /[A-Za-z]/, blank: /[ \t]/, cntrl: /[\0-\x1f\x7f]/, digit: /[0-9]/, graph: /[!-~]/, lower: /[a-z]/, print: /[ -~]/,
  punct: /[!-/:-@[-`{-~]/, space: /[\t\n\r ]/, upper: /[A-Z]/, xdigit: /[0-9A-Fa-f]/,
};

/** What stands in brackets from `start`. Undefined when the brackets never close, or name a set that is none. */
function readSet(glob: string, start: number, ignoreCase: boolean): { members: Set<number>; negated: boolean; end: number } | undefined {
  const members = new Set<number>();
  let i = start + 1;
  const negated = glob[i] === '!' || glob[i] === '^';
  if (negated) i++;
  // What a hyphen would count from; undefined at the beginning and after a range or a named set.
  let from: number | undefined;
  for (let first = true; first || glob[i] !== ']'; first = false) {
    const char = glob[i];
    if (char === undefined) return undefined;
    if (char === '-' && from !== undefined && glob[i + 1] !== undefined && glob[i + 1] !== ']') {
      if (glob[++i] === '\\') i++;
      if (i >= glob.length) return undefined;
      for (let code = from; code <= glob.charCodeAt(i); code++) members.add(code);
      from = undefined;
      i++;
    } else if (char === '[' && glob[i + 1] === ':') {
      const close = glob.indexOf(']', i + 2);
      if (close < 0) return undefined;
      if (close > i + 2 && glob[close - 1] === ':') {
        const setName = glob.slice(i + 2, close - 1);
        const named = Object.hasOwn(NAMED_SETS, setName) ? NAMED_SETS[setName] : undefined;
        if (named === undefined) return undefined;
        for (let code = 1; code < 256; code++) if (named.test(String.fromCharCode(code))) members.add(code);
        from = undefined;
        i = close + 1;
      } else {
        members.add((from = 0x5b));
        i++;
      }
    } else {
      if (char === '\\') i++;
      if (i >= glob.length) return undefined;
      members.add((from = glob.charCodeAt(i)));
      i++;
    }
  }
  // Names come in small letters then; a capital in a range stands for them.
  if (ignoreCase) for (let code = 0x41; code <= 0x5a; code++) if (members.has(code)) members.add(code + 0x20);
  return { members, negated, end: i + 1 };
}

function classOf(members: Set<number>, negated: boolean, inPath: boolean): string {
  const slash = '/'.charCodeAt(0);
  const codes = [...members].filter((code) => code !== slash);
  if (negated) return `[^${codes.map(escaped).join('')}${inPath || members.has(slash) ? '/' : ''}]`;
  return `[${codes.map(escaped).join('')}]`;
}

function escaped(code: number): string {
  return `\\x${code.toString(16).padStart(2, '0')}`;
}
