// Every command about one machine in every state, through the real stories: refused before anything is changed, with the state and
// a command that works from it; and what a machine too young for SSM is answered, on a real pretend cloud with a late agent.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandsOfScript, parseCommand, readDocument } from '../../test/support/doc-commands.ts';
import { leapingClock } from '../../test/support/leaping-clock.ts';
import { type TestApp, openTestApp } from '../../test/support/test-app.ts';
import { renderError } from '../cli/output.ts';
import { WORDS } from '../commands/index.ts';
import { RunctlError } from '../core/errors.ts';
import type { Machine, MachineState } from '../core/machine.ts';
import type { Provider } from '../core/ports.ts';
import { type Ledger, openLedger } from '../ledger/ledger.ts';
import { createStyle } from '../ui/style.ts';
import type { App } from './app.ts';
import { exec } from './exec.ts';
import { showLease } from './lease/lease-change.ts';
import { changeLifecycle } from './lifecycle.ts';
import { monitor } from './monitor.ts';
import { processes } from './processes.ts';
import { waitReady } from './ready.ts';
import { VERBS, type Verb, answerFor } from './states.ts';
import { status, trainingStatus } from './status.ts';
import { stopTraining } from './stop-training.ts';
import { train } from './train.ts';

const STATES: MachineState[] = ['pending', 'running', 'stopping', 'stopped', 'shutting-down', 'terminated'];
const ID = 'i-0123456789abcdef0';

let directory: string;
let ledger: Ledger;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'runctl-matrix-'));
  mkdirSync(join(directory, 'project'));
  writeFileSync(join(directory, 'project', 'pyproject.toml'), '[project]\nname = "x"\n');
  writeFileSync(join(directory, 'project', 'job.py'), 'print(1)\n');
  ledger = await openLedger(join(directory, 'ledger.sqlite'));
});
afterAll(() => {
  ledger.close();
  rmSync(directory, { recursive: true });
});

/** A machine that stays as it is; every change that is asked for, and every script, is written down. */
function inState(state: MachineState) {
  const effects: string[] = [];
  const scripts: string[] = [];
  const machine: Machine = { id: ID, provider: 'aws', type: 't3.micro', state, market: 'on-demand', region: 'us-east-1', profile: 'p', stateReason: state === 'running' || state === 'pending' ? undefined : 'User initiated', tags: {} };
  const effect = (name: string) => async () => {
    effects.push(name);
    return machine;
  };
  const provider = {
    name: 'aws', find: async () => machine, price: async () => ({ storageMicroUsd: 0, addressMicroUsd: 0, source: 'test' }), start: effect('start'), stop: effect('stop'), terminate: effect('terminate'), create: effect('create'),
    shell: async () => ({
      channel: 'ssm', maxOutputBytes: 24_000, maxScriptBytes: 60_000,
      run: async (script: string) => {
        scripts.push(script);
        throw new RunctlError('ssm-not-ready', 'not registered', { cause: 'x', hints: ['runctl aws wait-ssm i-1'] });
      },
    }),
    readiness: async () => ({ channel: 'ssm', state: 'none', detail: 'not registered' }),
  } as unknown as Provider;
  const app = {
    clock: leapingClock(0), report() {}, ask: async () => true, cwd: join(directory, 'project'), signal: new AbortController().signal,
    config: { aws: {}, local: { output_dir: 'runs', device: 'auto' }, sync: { exclude: [], include: [], max_direct_mb: 2 }, train: { stop_grace_seconds: 1, timeout_minutes: 0, env: {}, patience_minutes: 1, hang_minutes: 0 } },
    ledger: async () => ledger, provider: async () => provider, store: async () => undefined,
  } as unknown as App;
  return { app, effects, scripts };
}

const one = { provider: 'aws', machineId: ID };
/** As the commands call them. */
const RUN: Record<Verb, (app: App) => Promise<unknown>> = {
  train: (app) => train(app, { ...one, script: 'job.py', args: [], wait: true, force: false, syncCode: true, install: false, includePatterns: [] } as never),
  monitor: (app) => monitor(app, { ...one, follow: false }).next(),
  wait: (app) => waitReady(app, { ...one, timeoutMs: 1000, fromPending: true }),
  'wait-ssm': (app) => waitReady(app, { ...one, timeoutMs: 1000, fromPending: false }),
  start: (app) => changeLifecycle(app, 'start', { ...one, wait: false, timeoutMs: 1000 } as never),
  stop: (app) => changeLifecycle(app, 'stop', { ...one, wait: false, timeoutMs: 1000 } as never),
  terminate: (app) => changeLifecycle(app, 'terminate', { ...one, wait: false, timeoutMs: 1000 } as never),
  'stop-training': (app) => stopTraining(app, one as never),
  processes: (app) => processes(app, { ...one, detailed: false }),
  lease: (app) => showLease(app, one),
  exec: (app) => exec(app, { ...one, words: ['true'] }).next(),
  status: (app) => status(app, one),
  'training-status': (app) => trainingStatus(app, one),
};

const cells = VERBS.flatMap((verb) => STATES.map((state) => [verb, state, answerFor(verb, state)] as const));

describe('R035 every command about one machine looks at its state first', () => {
  test('R035 the table has every command that takes a machine', () => {
    const own = Object.keys(WORDS).flatMap((words) => /^aws (?!create|policy)(.+)$/.exec(words)?.[1] ?? []);
    expect([...VERBS].sort()).toEqual(own.sort());
  });

  test.each(cells.filter(([, , answer]) => answer === 'no'))('R035 %s of a machine that is %s: nothing is changed, and the way on works', async (verb, state) => {
    const { app, effects, scripts } = inState(state);
    const error = await RUN[verb](app).then(() => expect.unreachable(), (thrown: unknown) => thrown as RunctlError);
    expect(error).toMatchObject({ code: 'wrong-state', exitCode: 1 });
    expect(error.message).toMatch(new RegExp(`^cannot [a-z SM]+: ${ID} is ${state}$`));
    expect({ effects, scripts }).toEqual({ effects: [], scripts: [] });
    for (const hint of error.hints) {
      for (const { words } of commandsOfScript(hint, verb)) await parseCommand(words);
      const next = /^runctl aws (\S+)/.exec(hint)?.[1] as Verb | 'create';
      // A way on that is refused too would be no way on.
      expect(next === 'create' || answerFor(next, state) !== 'no', `${verb} in ${state}: ${hint}`).toBe(true);
    }
    expect(error.hints.length).toBeGreaterThan(0);
    expect(error.reason === undefined).toBe(false);
  });

  test.each(cells.filter(([, , answer]) => answer === 'done'))('R035 %s of a machine that is %s is done already: nothing is asked for', async (verb, state) => {
    const { app, effects } = inState(state);
    expect(await RUN[verb](app)).toMatchObject({ state });
    expect(effects).toEqual([]);
  });

  test.each(STATES.flatMap((state) => (['status', 'training-status'] as const).map((verb) => [verb, state] as const)))('R035 %s of a machine that is %s is answered, and changes nothing', async (verb, state) => {
    const { app, effects } = inState(state);
    const answer = (await RUN[verb](app)) as { state?: string; phase?: string; reason?: string };
    if (verb === 'status') expect(answer.state).toBe(state);
    else expect(answer).toMatchObject({ phase: 'unknown', ...(state === 'running' ? {} : { reason: `machine is ${state}` }) });
    expect(effects).toEqual([]);
  });
});

describe('R038 right after its creation a machine is not reached yet, and that is said', () => {
  let home: TestApp;
  let id: string;
  beforeAll(async () => {
    home = await openTestApp({ dial: { ssmOnlineMs: 3_600_000 } });
    home.write('job.py', 'print(1)\n');
    const plan = await home.provider.plan({ type: 't3.micro', profile: 'runctl-ssm-profile', tags: {} });
    id = (await home.provider.create(plan, 'token-late-agent')).id;
    while ((await home.provider.find(id))?.state !== 'running') await home.app.clock.sleep(5);
  });
  afterAll(() => home.close());

  const young: [string, () => Promise<unknown>][] = [
    ['monitor', () => monitor(home.app, { provider: 'aws', machineId: id, follow: false }).next()],
    ['train', () => train(home.app, { provider: 'aws', machineId: id, script: 'job.py', args: [], wait: true, force: false, syncCode: true, install: false, includePatterns: [] } as never)],
    ['processes', () => processes(home.app, { provider: 'aws', machineId: id, detailed: false })],
    ['exec', () => exec(home.app, { provider: 'aws', machineId: id, words: ['true'] }).next()],
  ];
  test.each(young)('R038 %s: SSM is registering, the usual delay, and the command that waits for it', async (_verb, run) => {
    const error = await run().then(() => expect.unreachable(), (thrown: unknown) => thrown as RunctlError);
    expect(error).toMatchObject({ code: 'ssm-not-ready', exitCode: 5, retryable: true });
    expect(error.message).toBe(`the SSM agent on ${id} has not registered yet`);
    const text = renderError(error, { kind: 'text' }, createStyle(false, false));
    expect(text).toMatch(/30-90 s/);
    expect(text).toContain('InvalidInstanceId');
    expect(text).toContain(`  runctl aws wait-ssm ${id}\n`);
    expect(text).toContain('runctl explain');
    expect(text).not.toMatch(/service error/i);
  });

  test('R038 status names it too, and wait-ssm that ends in vain says how long it waited and what may be wrong', async () => {
    expect(await status(home.app, { provider: 'aws', machineId: id })).toMatchObject({ state: 'running', ssm: 'registering', ssmDetail: expect.stringContaining('30-90 s') as string });
    await expect(waitReady(home.app, { provider: 'aws', machineId: id, timeoutMs: 300, fromPending: false })).rejects.toMatchObject({ code: 'ssm-not-ready', hints: expect.arrayContaining([`runctl aws wait-ssm ${id} --timeout 10m`]) as string[] });
  });
});

test('R035 R111 the table in docs/troubleshooting.md is the one that the program goes by', () => {
  const lines = readDocument('docs/troubleshooting.md').split('\n').filter((line) => /^\| [a-z][a-z, -]+ \| /.test(line)).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));
  const says: Record<string, RegExp> = { go: /^yes$/, wait: /^waits/, done: /^(already|under way)$/, no: /^(wait first|start it first|gone)/ };
  const seen = new Set<string>();
  for (const [verbs, ...cells] of lines) {
    for (const verb of verbs!.split(', ') as Verb[]) {
      if (!VERBS.includes(verb)) continue;
      seen.add(verb);
      const written = [...cells.slice(0, 4), cells[4]!, cells[4]!];
      for (const [n, state] of STATES.entries()) expect(written[n], `${verb} ${state}`).toMatch(says[answerFor(verb, state)]!);
    }
  }
  expect([...seen].sort()).toEqual([...VERBS].sort());
});
