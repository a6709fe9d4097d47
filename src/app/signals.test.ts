import { afterEach, expect, test, vi } from 'vitest';
import { abortOnSignals } from './signals.ts';

const NAMES = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const before = new Map(NAMES.map((name) => [name, process.listeners(name)]));
afterEach(() => {
  vi.restoreAllMocks();
  for (const name of NAMES) for (const listener of process.listeners(name)) if (!before.get(name)?.includes(listener)) process.off(name, listener);
});

/** What this process would hear at these moments, in ms. */
function heard(...signals: (readonly [number, (typeof NAMES)[number]])[]): { aborted: unknown; left: number[] } {
  const left: number[] = [];
  const { signal } = abortOnSignals((code) => left.push(code));
  const now = vi.spyOn(performance, 'now');
  for (const [at, name] of signals) {
    now.mockReturnValue(1000 + at);
    (process.listeners(name).at(-1) as (name: NodeJS.Signals) => void)(name);
  }
  return { aborted: signal.aborted && (signal.reason as Error).message, left };
}

test('the first Ctrl-C cleans up, a second one leaves at once', () => {
  expect(heard([0, 'SIGINT'])).toEqual({ aborted: 'interrupted by Ctrl-C', left: [] });
  expect(heard([0, 'SIGINT'], [120, 'SIGINT'])).toEqual({ aborted: 'interrupted by Ctrl-C', left: [130] });
});

test('one Ctrl-C that npx or timeout passes on once more, or a terminal that is closed, is one', () => {
  expect(heard([0, 'SIGINT'], [2, 'SIGINT'])).toEqual({ aborted: 'interrupted by Ctrl-C', left: [] });
  expect(heard([0, 'SIGHUP'], [1, 'SIGTERM'])).toEqual({ aborted: 'interrupted by SIGHUP', left: [] });
  expect(heard([0, 'SIGINT'], [2, 'SIGINT'], [300, 'SIGINT'])).toMatchObject({ left: [130] });
});
