// One text as one word of POSIX sh, byte for byte. Here because arguments of a training script must arrive exactly as typed.
// Two opening braces in a row are split: Systems Manager takes them for a parameter of the document.

export function shellQuote(text: string): string {
  if (text.includes('\0')) throw new RangeError('a NUL character cannot be part of a shell word');
  return `'${text.replaceAll("'", String.raw`'\''`).replace(/\{(?=\{)/g, "{''")}'`;
}
