// A story's promises: intent on disk before the effect, outcome after it, and nothing done twice.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { leapingClock } from '../../test/support/leaping-clock.ts';
import { RunctlError } from '../core/errors.ts';
import type { Event } from '../core/events.ts';
import { newRunId } from '../core/ids.ts';
import { type Ledger, openLedger } from '../ledger/ledger.ts';
import type { App } from './app.ts';
import { type Effect, tell } from './steps.ts';

let directory: string;
let ledger: Ledger;
let events: Event[];
let app: App;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'runctl-steps-'));
  ledger = await openLedger(join(directory, 'ledger.sqlite'));
  events = [];
  app = { clock: leapingClock(), report: (event: Event) => void events.push(event), signal: new AbortController().signal, ledger: async () => ledger } as unknown as App;
});
afterEach(() => {
  ledger.close();
  rmSync(directory, { recursive: true });
});

const runId = newRunId(Date.UTC(2026, 0, 1));
const story = <T>(body: Parameters<typeof tell<T>>[2]) => tell(app, { runId, verb: 'test', request: {} }, body);
const making = (act: (token: string) => Promise<string>, look: (token: string) => Promise<string | undefined> = async () => undefined): Effect<string> => ({ kind: 'made', request: { what: 'thing' }, look, act, resource: (id) => id });

describe('effects', () => {
  test('the intent is on disk before the effect happens, the outcome after it', async () => {
    await story(async (s) => {
      await s.effect('make', making(async (token) => {
        expect(ledger.findOpenEffects(runId)).toMatchObject([{ token, state: 'intended', request: { what: 'thing' } }]);
        return 'id-1';
      }));
      expect(ledger.effectsOf(runId)).toMatchObject([{ state: 'done', resourceId: 'id-1' }]);
    });
    expect(ledger.getRun(runId)).toMatchObject({ state: 'succeeded' });
  });

  test('a refusal is settled and the next try has a new token; a lost reply stays open and keeps its token', async () => {
    const tokens: string[] = [];
    const attempt = (code: 'quota' | 'endpoint-unreachable') => async (token: string) => {
      tokens.push(token);
      throw new RunctlError(code, code);
    };
    await story(async (s) => {
      await s.effect('refused', making(attempt('quota'))).catch(() => undefined);
      await s.effect('refused', making(attempt('quota'))).catch(() => undefined);
      await s.effect('lost', making(attempt('endpoint-unreachable'))).catch(() => undefined);
      expect(ledger.findOpenEffects(runId).map((effect) => effect.step)).toEqual(['lost']);
      expect(await s.effect('lost', making(async (token) => (tokens.push(token), 'made again'), async () => 'found'))).toBe('found');
    });
    expect(new Set(tokens.slice(0, 2)).size).toBe(2);
    expect(tokens).toHaveLength(3);
  });

  test('what was intended before is looked for, and made only when it is not there', async () => {
    let made = 0;
    await story(async (s) => {
      await s.effect('make', making(async () => Promise.reject(new RunctlError('endpoint-unreachable', 'lost')))).catch(() => undefined);
      await s.effect('make', making(async () => `id-${++made}`));
      await s.effect('make', making(async () => `id-${++made}`, async () => 'id-1'));
    });
    expect(made).toBe(1);
    expect(ledger.effectsOf(runId)).toHaveLength(1);
  });
});

describe('steps', () => {
  test('R026 each step is told with its time, a failed one with its reason, and the error knows its step', async () => {
    const error = await story(async (s) => {
      await s.step('one', 'first thing', async () => app.clock.sleep(1200), () => 'fine');
      await s.step('two', 'second thing', async () => Promise.reject(new RunctlError('quota', 'used up')));
    }).catch((thrown: unknown) => thrown as RunctlError);
    expect(error).toMatchObject({ code: 'quota', step: 'second thing' });
    const done = events.find((event) => event.kind === 'step.done');
    expect(done).toMatchObject({ step: 'one', detail: 'fine' });
    expect(done!.kind === 'step.done' && done!.elapsedMs).toBeGreaterThanOrEqual(1200);
    expect(events.filter((event) => event.kind === 'step.failed')).toMatchObject([{ step: 'two', message: 'used up' }]);
    expect(ledger.stepsOf(runId)).toMatchObject([{ name: 'one', state: 'done' }, { name: 'two', state: 'failed', error: { code: 'quota' } }]);
    expect(ledger.getRun(runId)).toMatchObject({ state: 'failed', result: { code: 'quota' } });
  });

  test('R080 a long step is never silent for five seconds, whatever it does', async () => {
    await story((s) => s.step('long', 'long thing', async () => {
      for (let i = 0; i < 40; i++) await app.clock.sleep(500);
    }));
    const told = events.flatMap((event) => (event.kind === 'step.progress' ? [event.elapsedMs] : []));
    expect(told.length).toBeGreaterThan(10);
    expect(Math.max(...told.map((at, i) => at - (told[i - 1] ?? 0)))).toBeLessThan(5000);
  });

  test('when even the failure cannot be written down, the first error is the one that is told', async () => {
    const failing = { ...ledger, failStep: () => { throw new RunctlError('state-unusable', 'disk full'); }, endRun: () => { throw new RunctlError('state-unusable', 'disk full'); } };
    app.ledger = async () => failing;
    const error = await story((s) => s.step('one', 'first thing', async () => Promise.reject(new RunctlError('quota', 'used up')))).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'quota' });
    expect(events.filter((event) => event.kind === 'note')).toHaveLength(2);
  });
});
