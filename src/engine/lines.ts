// Text lines out of the bytes of a log as they come.
/** Cuts bytes into text lines; the last, unfinished one is kept back until it is complete. Bytes that are no UTF-8 become U+FFFD. */
export class LineCutter {
  #decoder = new TextDecoder('utf-8');
  #kept = '';

  lines(bytes: Buffer): string[] {
    const parts = (this.#kept + this.#decoder.decode(bytes, { stream: true })).split('\n');
    this.#kept = parts.pop() ?? '';
    return parts;
  }

  rest(): string[] {
    const last = this.#kept + this.#decoder.decode();
    this.#kept = '';
    return last === '' ? [] : [last];
  }
}
