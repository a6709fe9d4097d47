// One text as one word of POSIX sh, byte for byte. Two opening braces in a row are split: Systems Manager takes them for
// a parameter of the document.

export function shellQuote(text: string): string {
  if (text.includes('\0')) throw new RangeError('a NUL character cannot be part of a shell word');
  return `'${text.replaceAll("'", String.raw`'\''`).replace(/\{(?=\{)/g, "{''")}'`;
}

/** Quoted only where it must be: for command lines that people read. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : shellQuote(text);
}

/** The words of a line as POSIX sh would split it: quotes and backslashes, nothing else ($, * and ; are plain characters).
 *  The inverse of shellQuote. Throws SyntaxError for a quote that is never closed. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < line.length; i++) {
    const char = line[i] as string;
    if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === "'" || char === '"') {
      const [text, end] = quoted(line, i);
      word = (word ?? '') + text;
      i = end;
    } else if (char === '\\' && i + 1 < line.length) {
      word = (word ?? '') + (line[++i] as string);
    } else {
      word = (word ?? '') + char;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** What stands between the quote at `start` and its partner, and where that is. */
function quoted(line: string, start: number): [string, number] {
  const quote = line[start];
  let text = '';
  for (let i = start + 1; i < line.length; i++) {
    const char = line[i] as string;
    if (char === quote) return [text, i];
    // In double quotes a backslash escapes only these (POSIX, Shell Command Language 2.2.3).
    if (quote === '"' && char === '\\' && '"\\$`'.includes(line[i + 1] ?? ' ')) text += line[++i] as string;
    else text += char;
  }
  throw new SyntaxError(`the quote ${quote} in ${JSON.stringify(line)} is never closed`);
}
