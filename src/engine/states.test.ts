// Every verb in every state: done, waited for, or refused before anything is asked of the cloud.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leapingClock } from '../../test/support/leaping-clock.ts';
import { RunctlError } from '../core/errors.ts';
import type { Machine, MachineState } from '../core/machine.ts';
import type { Provider } from '../core/ports.ts';
import { type Ledger, openLedger } from '../ledger/ledger.ts';
import type { App } from './app.ts';
import { changeLifecycle } from './lifecycle.ts';
import { monitor } from './monitor.ts';
import { waitReady } from './ready.ts';
import { type Verb, answerFor, wrongState } from './states.ts';

const STATES: MachineState[] = ['pending', 'running', 'stopping', 'stopped', 'shutting-down', 'terminated'];
const VERBS: Verb[] = ['train', 'monitor', 'start', 'stop', 'terminate', 'wait'];

let directory: string;
let ledger: Ledger;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'runctl-states-'));
  ledger = await openLedger(join(directory, 'ledger.sqlite'));
});
afterAll(() => {
  ledger.close();
  rmSync(directory, { recursive: true });
});

/** No command gets through to it: whoever asks it something learns nothing. */
const silent = async (): Promise<never> => {
  throw new RunctlError('ssm-not-ready', 'the SSM agent is not registered');
};

/** A machine that stays in its state for `lastsS` seconds, then is in the state after it; every effect on it is written down. */
function inState(state: MachineState, lastsS = Infinity, after: MachineState = state) {
  const clock = leapingClock(0);
  const effects: string[] = [];
  const machine = (): Machine => ({ id: 'i-1', provider: 'aws', type: 't3.micro', market: 'on-demand', region: 'us-east-1', tags: { 'runctl:owner': 'me', 'runctl:run': 'run-20260101-abc234' }, state: clock.now() / 1000 < lastsS ? state : after });
  const effect = (name: string) => async () => {
    effects.push(name);
    return machine();
  };
  const provider = { name: 'aws', find: async () => machine(), start: effect('start'), stop: effect('stop'), terminate: effect('terminate'), shell: async () => ({ run: silent }), readiness: async () => ({ channel: 'none', state: 'none', detail: 'no instance profile' }) } as unknown as Provider;
  const app = { clock, report() {}, cwd: directory, config: { local: { output_dir: 'runs' }, train: { stop_grace_seconds: 1 } }, signal: new AbortController().signal, ledger: async () => ledger, provider: async () => provider } as unknown as App;
  return { app, effects };
}

function run(verb: Verb, app: App): Promise<unknown> {
  if (verb === 'start' || verb === 'stop' || verb === 'terminate') return changeLifecycle(app, verb, { provider: 'aws', machineId: 'i-1', wait: false, timeoutMs: 1000 });
  if (verb === 'monitor') return monitor(app, { provider: 'aws', machineId: 'i-1', follow: false }).next();
  return waitReady(app, { provider: 'aws', machineId: 'i-1', timeoutMs: 1000, fromPending: true });
}

const refusals = VERBS.flatMap((verb) => STATES.filter((state) => answerFor(verb, state) === 'no').map((state) => [verb, state] as const));

describe('R035 the state is looked at before anything is done', () => {
  test.each(refusals.filter(([verb]) => verb !== 'train'))('R035 %s of a machine that is %s: refused, nothing asked, state and way on are named', async (verb, state) => {
    const { app, effects } = inState(state);
    const error = await run(verb, app).then(() => expect.unreachable(), (thrown: unknown) => thrown as RunctlError);
    expect(error.code).toBe('wrong-state');
    expect(error.message).toContain(`i-1 is ${state}`);
    expect(error.hints.length).toBeGreaterThan(0);
    expect(error.hints.every((hint) => hint.startsWith('runctl aws '))).toBe(true);
    expect(effects).toEqual([]);
  });

  test('R035 every refusal has a command that leads on', () => {
    for (const [verb, state] of refusals) {
      const error = wrongState(verb, { id: 'i-1', provider: 'aws', type: 't3.micro', state, market: 'on-demand', region: 'r', tags: {} });
      expect(error.hints, `${verb} ${state}`).not.toEqual([]);
    }
  });

  test.each([
    ['start', 'running'], ['start', 'pending'], ['stop', 'stopped'], ['stop', 'stopping'], ['terminate', 'terminated'], ['terminate', 'shutting-down'],
  ] as const)('R035 %s of a machine that is already %s is done without a call', async (verb, state) => {
    const { app, effects } = inState(state);
    expect(await run(verb, app)).toMatchObject({ state, previousState: state });
    expect(effects).toEqual([]);
  });

  test.each([
    ['start', 'stopping', 'stopped'], ['stop', 'pending', 'running'],
  ] as const)('R035 %s of a machine that is %s waits until it is %s, then acts once', async (verb, state, after) => {
    const { app, effects } = inState(state, 20, after);
    await run(verb, app);
    expect(effects).toEqual([verb]);
  });

  test('R035 a state that should pass and does not ends in a refusal, not in waiting for ever', async () => {
    const { app, effects } = inState('stopping');
    const error = await run('start', app).then(() => expect.unreachable(), (thrown: unknown) => thrown as RunctlError);
    expect(error).toMatchObject({ code: 'wrong-state' });
    expect(effects).toEqual([]);
  });
});
