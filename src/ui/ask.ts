// The only way to ask. `--yes` answers; without a terminal the question becomes an error that names the flag.
import { RunctlError } from '../core/errors.ts';
import type { Ask } from '../core/ports.ts';

export interface AskOptions {
  /** Answer every question with yes. */
  yes: boolean;
  /** A function: the mere sight of process.stdin makes Node open it, which costs milliseconds. */
  input: () => NodeJS.ReadStream;
  output: NodeJS.WriteStream;
  /** Aborted by Ctrl-C; a question under way throws its reason. */
  signal: AbortSignal;
  /** What Ctrl-C does: while a question is open the terminal hands it to the question, not to the process. */
  interrupt(): void;
}

export function createAsk(options: AskOptions): Ask {
  return async ({ text, flag, before }) => {
    if (options.yes) return true;
    const input = options.input();
    if (!input.isTTY || !options.output.isTTY) {
      throw new RunctlError('declined', `nobody is here to answer: ${text}`, { cause: 'Standard input is not a terminal.', hints: [flag] });
    }
    before?.();
    // Most commands never ask: loading this costs 4 ms of start-up.
    const { createInterface } = await import('node:readline/promises');
    const lines = createInterface({ input, output: options.output });
    lines.on('SIGINT', () => options.interrupt());
    // Ctrl-D, or a terminal that goes away: no answer is no.
    const closed = new Promise<string>((resolve) => void lines.once('close', () => resolve('')));
    try {
      const answer = await Promise.race([lines.question(`${text} [y/N] `, { signal: options.signal }), closed.then((none) => (options.output.write('\n'), none))]);
      return /^y(es)?$/i.test(answer.trim());
    } catch (error) {
      options.output.write('\n');
      if (options.signal.aborted) throw options.signal.reason;
      if (error instanceof Error && error.name === 'AbortError') return false;
      throw error;
    } finally {
      lines.removeAllListeners('close');
      lines.close();
    }
  };
}
