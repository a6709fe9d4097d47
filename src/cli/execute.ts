// Runs one command from its tokens to its exit code: parse, run, render. Streams and the app come from outside.
import { RunctlError } from '../core/errors.ts';
import type { Reporter } from '../ui/reporter.ts';
import type { Style } from '../ui/style.ts';
import type { Command, Passed } from './command.ts';
import type { GlobalValues } from './global-flags.ts';
import { type Format, renderResult, requireField } from './output.ts';
import type { Input } from './command.ts';

export interface Execution<A> {
  command: Command<any, any, A>;
  input: Input;
  globals: GlobalValues;
  format: Format;
  app: A;
  reporter: Reporter;
  style: Style;
  /** Resolves when the bytes are taken, so that a slow reader slows us down. */
  write(text: string): Promise<void>;
  /** The same for what a program elsewhere printed. */
  pass(output: Passed): Promise<void>;
}

export async function execute<A>({ command, input, format, app, reporter, style, write, pass }: Execution<A>): Promise<number> {
  if (format.kind === 'field' && command.fields) requireField(format.name, command.fields);
  const outcome = command.run(input, app);
  let exitCode = 0;
  if (Symbol.asyncIterator in outcome) {
    if (command.gather && (format.kind === 'json' || format.kind === 'field')) {
      const items = [];
      for await (const item of outcome) {
        items.push(item);
        exitCode = command.exitCode?.(item) ?? 0;
      }
      reporter.end();
      await write(renderResult(command.gather(items), format, command, style, false));
      return exitCode;
    }
    if (format.kind === 'field') throw new RunctlError('usage', `this command streams; it has no field "${format.name}"`, { hints: ['--output json'] });
    for await (const item of outcome) {
      reporter.end();
      const passed = format.kind === 'text' ? command.passes?.(item) : undefined;
      if (passed) await pass(passed);
      const text = renderResult(item, format, command, style, true);
      if (text !== '') await write(text);
      exitCode = command.exitCode?.(item) ?? 0;
    }
    return exitCode;
  }
  const result = await outcome;
  reporter.end();
  await write(renderResult(result, format, command, style, false));
  return command.exitCode?.(result) ?? 0;
}
