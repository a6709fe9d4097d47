import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { RunctlError } from '../core/errors.ts';
import type { Ask } from '../core/ports.ts';
import { createAsk } from './ask.ts';

/** A terminal with somebody who types. */
function terminal(isTTY = true): { ask: Ask; type(text: string): void; shown(): string } {
  const input = Object.assign(new PassThrough(), { isTTY, setRawMode: () => undefined });
  const output = Object.assign(new PassThrough(), { isTTY, columns: 80 });
  let shown = '';
  output.on('data', (chunk: Buffer) => (shown += chunk.toString()));
  const controller = new AbortController();
  const ask = createAsk({
    yes: false, input: () => input as never, output: output as never, signal: controller.signal,
    interrupt: () => controller.abort(new RunctlError('interrupted', 'interrupted by Ctrl-C')),
  });
  return { ask, type: (text) => void setTimeout(() => input.write(text), 20), shown: () => shown };
}

test.each([['y\r', true], ['Yes\r', true], ['n\r', false], ['\r', false], ['\u0004', false]])('R118 the answer %j is %j', async (typed, expected) => {
  const { ask, type } = terminal();
  type(typed);
  expect(await ask({ text: 'Terminate?', flag: '--yes' })).toBe(expected);
});

test('R115 Ctrl-C at a question is an interruption and no bug, and what follows begins on a line of its own', async () => {
  const { ask, type, shown } = terminal();
  type('\u0003');
  await expect(ask({ text: 'Terminate?', flag: '--yes' })).rejects.toMatchObject({ code: 'interrupted', message: 'interrupted by Ctrl-C' });
  expect(shown().endsWith('\n')).toBe(true);
});

test('R118 without a terminal nobody is asked, and the flag that answers is named', async () => {
  await expect(terminal(false).ask({ text: 'Terminate?', flag: '--yes' })).rejects.toMatchObject({ code: 'declined', hints: ['--yes'] });
});

test('R022 what must be seen before a question is shown just before it, and not where nobody is asked', async () => {
  const order: string[] = [];
  const before = (): void => void order.push('shown');
  const { ask, type, shown } = terminal();
  type('y\r');
  expect(await ask({ text: 'Buy?', flag: '--yes', before: () => (before(), expect(shown()).toBe('')) as unknown as void })).toBe(true);
  expect(order).toEqual(['shown']);
  await expect(terminal(false).ask({ text: 'Buy?', flag: '--yes', before })).rejects.toThrow(RunctlError);
  expect(await createAsk({ yes: true, input: () => expect.unreachable(), output: process.stderr, signal: new AbortController().signal, interrupt: () => undefined })({ text: 'Buy?', flag: '--yes', before })).toBe(true);
  expect(order).toEqual(['shown']);
});
