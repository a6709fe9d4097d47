// Text from elsewhere (logs, tags, names, messages of servers) made harmless for a terminal: it may colour itself, nothing
// else. Whatever could move the cursor, set a title, ring, hide or reorder text is shown as a sign instead. Pure.

/** Select Graphic Rendition (ECMA-48 8.3.117): colours and weights, which change no letter. */
const COLOUR = /\u001b\[[0-9;:]*m/g;
/** C0 but tab and newline, DEL and C1; overrides of direction; separators, joiners and tags that nobody sees; lone surrogates. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff]|[\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;
const OFF = '\u001b[0m';

/** One sign for one character: ␛, ␍, ␡; beyond ASCII its number, <U+202E>. */
function sign(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return '\u2421';
  return `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`;
}

/** Text of any number of lines. `colour`: sequences that only colour stay, and end with their line; otherwise they are taken out. */
export function harmless(text: string, colour = false): string {
  const parts = text.replaceAll('\r\n', '\n').split('\n').map((line) => harmlessLine(line, colour));
  return parts.join('\n');
}

function harmlessLine(line: string, colour: boolean): string {
  let safe = '';
  let end = 0;
  let coloured = false;
  for (const match of line.matchAll(COLOUR)) {
    safe += line.slice(end, match.index).replace(UNSEEN, sign);
    if (colour) safe += match[0];
    coloured = !/\[0*m$/.test(match[0]);
    end = match.index + match[0].length;
  }
  safe += line.slice(end).replace(UNSEEN, sign);
  return colour && coloured ? `${safe}${OFF}` : safe;
}

/** The log of a job: a progress bar that rewrites its line with carriage returns shows as it would stand there at last. */
export function harmlessLog(text: string, colour = false): string {
  const lines = text.replaceAll('\r\n', '\n').split('\n').map((line) => line.split('\r').findLast((part) => part !== '') ?? '');
  return harmless(lines.join('\n'), colour);
}

/** More of one line than anybody reads; the rest stays in the file that it comes from. */
export function shortened(line: string, most: number): string {
  if (line.length <= most) return line;
  const whole = /[\ud800-\udbff]$/.test(line.slice(0, most)) ? most - 1 : most;
  return `${line.slice(0, whole)} … (${line.length - whole} more characters)`;
}

/** A JSON document that means the same and holds no character of the kind that a terminal obeys. */
export function harmlessJson(json: string): string {
  return json.replace(UNSEEN, (char) => Array.from({ length: char.length }, (_, n) => `\\u${char.charCodeAt(n).toString(16).padStart(4, '0')}`).join(''));
}
