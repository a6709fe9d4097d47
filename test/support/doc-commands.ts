// Finds every command line of runctl in documents and scripts, and parses it with the real grammar.
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseFormat } from '../../src/cli/output.ts';
import { parseInput } from '../../src/cli/parse.ts';
import { resolveWords } from '../../src/cli/words.ts';
import { WORDS } from '../../src/commands/index.ts';
import { REPOSITORY } from './cli.ts';

export interface DocCommand {
  /** File and line, for messages. */
  where: string;
  words: string[];
}

/** One fenced block of a Markdown file. */
export interface Block {
  where: string;
  language: string;
  text: string;
  /** The words of a comment `<!-- try: … -->` on the line above it. */
  attempt: string | undefined;
}

/** README and everything below docs/, as paths from the repository's root. */
export function documents(): string[] {
  const below = (directory: string): string[] =>
    readdirSync(join(REPOSITORY, directory), { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? below(join(directory, entry.name)) : entry.name.endsWith('.md') ? [join(directory, entry.name)] : [],
    );
  return ['README.md', 'CONTRIBUTING.md', 'ARCHITECTURE.md', 'CHANGELOG.md', ...below('docs')];
}

export function exampleScripts(): string[] {
  return readdirSync(join(REPOSITORY, 'examples')).filter((name) => name.endsWith('.sh')).sort().map((name) => join('examples', name));
}

export function readDocument(path: string): string {
  return readFileSync(join(REPOSITORY, path), 'utf8');
}

export function blocksOf(path: string): Block[] {
  const lines = readDocument(path).split('\n');
  const blocks: Block[] = [];
  for (let n = 0; n < lines.length; n++) {
    const fence = /^( *)```(\w*)/.exec(lines[n]!);
    if (!fence) continue;
    const end = lines.findIndex((line, m) => m > n && line.trim() === '```');
    if (end < 0) throw new SyntaxError(`${path}:${n + 1}: a fence that is never closed`);
    blocks.push({ where: `${path}:${n + 1}`, language: fence[2]!, text: lines.slice(n + 1, end).join('\n'), attempt: /^ *<!-- try: (.+) -->$/.exec(lines[n - 1] ?? '')?.[1] });
    n = end;
  }
  return blocks;
}

/** From shell blocks, from the `$ ` lines of terminal sessions, and from `code` in the text. */
export function commandsOfDocument(path: string): DocCommand[] {
  const fromBlocks = blocksOf(path).flatMap((block) => {
    const script = ['sh', 'bash', 'console'].includes(block.language) ? block.text
      : block.text.split('\n').map((line) => (line.startsWith('$ ') ? line.slice(2) : '')).join('\n');
    return commandsOfScript(script, block.where);
  });
  const prose = readDocument(path).replace(/^ *```[^]*?^ *```$/gm, '');
  const inline = [...prose.matchAll(/`((?:npx )?runctl [^`]+)`/g)].flatMap(([, code]) => commandsOfScript(code!, path));
  return [...fromBlocks, ...inline];
}

export function commandsOfScript(script: string, where: string): DocCommand[] {
  return splitShell(script).flatMap((words) => {
    const start = words.findIndex((word) => word === 'runctl');
    const before = words.slice(0, start);
    // `npx runctl`, `if runctl`, `NAME=value runctl`; not `command -v runctl`, `echo runctl`.
    const isCall = start >= 0 && before.every((word) => /^(npx|if|while|until|then|do|else|!|\{|eval|exec|time|[A-Za-z_]\w*=.*)$/.test(word));
    return isCall ? [{ where, words: words.slice(start + 1) }] : [];
  });
}

/** Throws what the program would say to this command line. */
export async function parseCommand(words: readonly string[]): Promise<void> {
  if (words.length === 1 && words[0] === '--version') return;
  const found = resolveWords(words, WORDS);
  if (found.kind === 'group' || found.help) return;
  const { globals } = await parseInput(await found.entry.load(), found.words, found.args, found.rest);
  parseFormat(globals.output);
}

/**
 * Simple commands of a POSIX sh text as words: quotes taken off, command substitutions as commands of their own,
 * variables left as they are written. No here-documents, no `case` patterns: documents need neither.
 */
export function splitShell(script: string): string[][] {
  const commands: string[][] = [];
  let at = 0;

  function list(end: string): void {
    let words: string[] = [];
    let word: string | undefined;
    const endWord = (): void => {
      if (word !== undefined) words.push(word);
      word = undefined;
    };
    const endCommand = (): void => {
      endWord();
      if (words.length > 0) commands.push(words);
      words = [];
    };
    while (at < script.length) {
      const char = script[at]!;
      if (char === end) break;
      if (char === '\\') {
        if (script[at + 1] !== '\n') word = (word ?? '') + (script[at + 1] ?? '');
        at += 2;
      } else if (char === "'") {
        const close = script.indexOf("'", at + 1);
        if (close < 0) throw new SyntaxError(`a quote is never closed: ${script.slice(at, at + 40)}`);
        word = (word ?? '') + script.slice(at + 1, close);
        at = close + 1;
      } else if (char === '"') {
        at++;
        word = (word ?? '') + doubleQuoted();
      } else if (script.startsWith('$(', at)) word = (word ?? '') + substitution();
      else if (char === '#' && word === undefined) {
        while (at < script.length && script[at] !== '\n') at++;
      } else if (/[;&|\n()]/.test(char)) {
        endCommand();
        at++;
      } else if (/[<>]/.test(char)) {
        // A redirection: its number and its target are no words of the command.
        if (word !== undefined && /^\d$/.test(word)) word = undefined;
        endWord();
        at = script.slice(at).search(/[^<>& ]/) + at;
        while (at < script.length && !/[\s;&|()]/.test(script[at]!)) at++;
      } else if (/\s/.test(char)) {
        endWord();
        at++;
      } else {
        word = (word ?? '') + char;
        at++;
      }
    }
    endCommand();
  }

  function doubleQuoted(): string {
    let text = '';
    while (script[at] !== '"') {
      if (at >= script.length) throw new SyntaxError('a double quote is never closed');
      if (script[at] === '\\') text += script[++at] ?? '';
      else if (script.startsWith('$(', at)) {
        text += substitution();
        continue;
      } else text += script[at];
      at++;
    }
    at++;
    return text;
  }

  /** Its commands count; its value is unknown here. */
  function substitution(): string {
    at += 2;
    list(')');
    at++;
    return 'VALUE';
  }

  while (at < script.length) {
    list('');
    at++;
  }
  return commands;
}

/** Command lines that the program itself proposes: texts in src/ that begin with `runctl `, variables filled in. */
export function commandsInSource(): DocCommand[] {
  const below = (directory: string): string[] =>
    readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      const path = join(directory, entry.name);
      return entry.isDirectory() ? below(path) : entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts') ? [path] : [];
    });
  return below(join(REPOSITORY, 'src')).flatMap((file) =>
    readFileSync(file, 'utf8').split('\n').flatMap((line, n) => {
      if (/^\s*(\/\/|\*|\/\*)/.test(line)) return [];
      return [...line.matchAll(/(['"`])((?:\\.|(?!\1).)*)\1/g)].flatMap(([, , text]) => {
        const whole = /^(?:runctl|.*: runctl) (?!WORDS|COMMAND|(?:\$\{provider\} )?\$\{(?:words|group)\}|\.\.\.)(.+)/.exec(text!);
        // Prose has commas, colons and semicolons where command lines have none.
        if (!whole || /Usage:|- train on cloud|; |^runctl \S+[,:] /.test(text!)) return [];
        const filled = `runctl ${whole[1]}`
          .replace(/ {2,}[(#].*$/, '')
          .replaceAll(/\$\{(?:\w+\.)?provider(?:\.name)?\}/g, 'aws')
          .replaceAll(/\$\{verb\}/g, 'stop')
          .replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '1');
        return commandsOfScript(filled, `${relative(REPOSITORY, file)}:${n + 1}`);
      });
    }),
  );
}
