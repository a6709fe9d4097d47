// The only way to ask. `--yes` answers; without a terminal the question becomes an error that names the flag.
import { RunctlError } from '../core/errors.ts';
import type { Ask } from '../core/ports.ts';

/** `input` is a function: the mere sight of process.stdin makes Node open it, which costs milliseconds. */
export function createAsk(options: { yes: boolean; input: () => NodeJS.ReadStream; output: NodeJS.WriteStream; signal: AbortSignal }): Ask {
  return async ({ text, flag }) => {
    if (options.yes) return true;
    const input = options.input();
    if (!input.isTTY || !options.output.isTTY) {
      throw new RunctlError('declined', `nobody is here to answer: ${text}`, { cause: 'Standard input is not a terminal.', hints: [flag] });
    }
    // Most commands never ask: loading this costs 4 ms of start-up.
    const { createInterface } = await import('node:readline/promises');
    const lines = createInterface({ input, output: options.output });
    try {
      const answer = await lines.question(`${text} [y/N] `, { signal: options.signal });
      return /^y(es)?$/i.test(answer.trim());
    } finally {
      lines.close();
    }
  };
}
