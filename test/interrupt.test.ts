// Ctrl-C at every step of every command that lasts: what keeps running, what it costs an hour, how to come back. The first one
// cleans up where that was promised; what a second one would say is known at every moment.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RunctlError } from '../src/core/errors.ts';
import type { Event } from '../src/core/events.ts';
import { type Stake, describeStake, newStake } from '../src/core/stake.ts';
import type { App } from '../src/engine/app.ts';
import { create } from '../src/engine/create.ts';
import { changeLifecycle } from '../src/engine/lifecycle.ts';
import { trainLocally } from '../src/engine/local.ts';
import { monitor } from '../src/engine/monitor.ts';
import { waitReady } from '../src/engine/ready.ts';
import { train } from '../src/engine/train.ts';
import { workflowTrain } from '../src/engine/workflow-train.ts';
import { quickClock } from './support/quick-clock.ts';
import { type TestApp, openTestApp } from './support/test-app.ts';

const PRICE = /costs \$0\.0\d+ an hour/;
const LONG = 'import os, signal, sys, time\nd = os.environ["RUNCTL_CHECKPOINT_DIR"]\ndef save(*_):\n    open(d + "/on-term.json", "w").write("{}")\n    sys.exit(143)\nsignal.signal(signal.SIGTERM, save)\nprint("ready", flush=True)\nwhile True: time.sleep(0.05)\n';

let t: TestApp;
let stake: Stake;

beforeAll(async () => {
  t = await openTestApp({ dial: { ssmOnlineMs: 200 }, config: { 'train.stop_grace_seconds': 5, 'aws.max_instances': 1000 } });
  t.write('long.py', LONG);
  t.write('end.py', 'print("done")\n');
});
afterAll(() => t?.close());
beforeEach(() => {
  t.events.length = 0;
});

/** The app of one command, with a Ctrl-C of its own when `at` says so, and what a second one at that moment would say. */
function appWith(at: (event: Event) => boolean): { app: App; second: () => ReturnType<typeof describeStake>; struck: () => boolean } {
  const abort = new AbortController();
  let second = describeStake(newStake());
  stake = newStake();
  const mine = stake;
  const report = (event: Event): void => {
    t.events.push(event);
    if (abort.signal.aborted || !at(event)) return;
    second = describeStake(mine);
    abort.abort(new RunctlError('interrupted', 'interrupted by Ctrl-C'));
  };
  return { app: { ...t.app, signal: abort.signal, stake, report }, second: () => second, struck: () => abort.signal.aborted };
}

const atStep = (step: string) => (event: Event): boolean => event.kind === 'step.started' && event.step === step;
const afterStep = (step: string) => (event: Event): boolean => event.kind === 'step.done' && event.step === step;
const onLine = (text: string) => (event: Event): boolean => event.kind === 'log.line' && event.text.includes(text);
const ended = async (promise: Promise<unknown>): Promise<RunctlError> => promise.then(() => expect.unreachable('it should have been interrupted'), (error: unknown) => error as RunctlError);
const notes = (): string => t.events.flatMap((event) => (event.kind === 'note' ? [event.text] : [])).join('\n');
const alive = async (): Promise<string[]> => Object.entries(await t.machines()).filter(([, state]) => state !== 'terminated' && state !== 'shutting-down').map(([id]) => id);

async function machine(): Promise<string> {
  const made = await create({ ...t.app, stake: undefined }, { provider: 'aws', type: 't3.micro', profile: 'runctl-ssm-profile', wait: true, timeoutMs: 60_000, dryRun: false });
  return made.instanceId as string;
}
const CREATE = { provider: 'aws', type: 't3.micro', profile: 'runctl-ssm-profile', wait: true, timeoutMs: 60_000, dryRun: false };
const TRAIN = { provider: 'aws', script: 'long.py', args: [], includePatterns: [], syncCode: true, install: false, wait: true, force: true };
const WORKFLOW = { provider: 'aws', type: 't3.micro', profile: 'runctl-ssm-profile', script: 'long.py', args: [], includePatterns: [], syncCode: true, install: false, onFailure: 'terminate' as const, keep: false, timeoutMs: 60_000 };

describe('create', () => {
  test.each(['preflight', 'plan'])('during %s: nothing is left, and that is said', async (step) => {
    const before = await alive();
    const { app, second } = appWith(atStep(step));
    const error = await ended(create(app, CREATE));
    expect(error).toMatchObject({ code: 'interrupted', exitCode: 130, reason: 'Nothing is left running.' });
    expect(second()).toEqual({ facts: [], hints: [] });
    expect(await alive()).toEqual(before);
  });

  test('in the middle of the launch: what was made all the same is found and terminated; a second Ctrl-C names the way to look', async () => {
    const before = await alive();
    const { app, second } = appWith(() => false);
    const abort = new AbortController();
    let there = second();
    const provider = { ...t.provider, create: async (plan: never, token: string) => {
      await t.provider.create(plan, token);
      there = describeStake(stake);
      abort.abort(new RunctlError('interrupted', 'interrupted by Ctrl-C'));
      throw abort.signal.reason;
    } };
    const error = await ended(create({ ...app, signal: abort.signal, provider: async () => provider }, CREATE));
    expect(error).toMatchObject({ code: 'interrupted', exitCode: 130, reason: 'Nothing is left running.' });
    expect(there.facts.join()).toMatch(/not known whether a machine was made/);
    expect(there.hints).toEqual([expect.stringMatching(/^aws ec2 describe-instances --filters Name=client-token,Values=\S+$/)]);
    expect(await alive()).toEqual(before);
  });

  test.each(['running', 'ssm'])('during %s: the machine is named, with its price, the way back and the way out', async (step) => {
    const { app, second } = appWith(atStep(step));
    const error = await ended(create(app, CREATE));
    const id = stake.machineId!;
    expect(error).toMatchObject({ code: 'interrupted', exitCode: 130 });
    for (const text of [error.reason!, second().facts.join(' ')]) expect(text).toMatch(PRICE);
    for (const hints of [error.hints, second().hints]) expect(hints).toEqual(expect.arrayContaining([`runctl aws wait ${id}`, `runctl aws terminate ${id} --wait`]));
    expect(t.ledger.getRun(stake.runId!).state).toBe('interrupted');
    expect(await alive()).toContain(id);
  });
});

describe('train', () => {
  let shared: string | undefined;

  test.each([
    ['machine', atStep('machine'), /No training was started/, 'wait'],
    ['prepare', atStep('prepare'), /No training was started/, 'wait'],
    ['sync', atStep('sync'), /No training was started/, 'wait'],
    ['launch', atStep('launch'), /not known whether the training run-\S+ was started/, 'training-status'],
    ['just after the launch', afterStep('launch'), /The training run-\S+ goes on/, 'training-status'],
    ['training', (event) => (event.kind === 'step.progress' && event.step === 'train' && stake.price !== undefined), new RegExp(`The training run-\\S+ goes on.*${PRICE.source}`), 'monitor'],
  ] as [string, (event: Event) => boolean, RegExp, string][])('%s: what runs on, its price, the way back', async (name, at, fact, back) => {
    const id = (shared ??= await machine());
    const { app, second } = appWith(at);
    const error = await ended(train(app, { ...TRAIN, machineId: id }));
    expect(error).toMatchObject({ code: 'interrupted', exitCode: 130, data: { machine: id } });
    for (const text of [error.reason!, second().facts.join(' ')]) {
      expect(text).toMatch(fact);
      expect(text).toMatch(new RegExp(`${id} ${name === 'machine' ? 'was not touched' : 'goes on running'}`));
    }
    for (const hints of [error.hints, second().hints]) {
      expect(hints.some((hint) => hint.startsWith(`runctl aws ${back} ${id}`))).toBe(true);
      expect(hints).toContain(`runctl aws terminate ${id} --wait`);
    }
    expect(t.ledger.getRun(stake.runId!).state).toBe('interrupted');
    expect((await t.machines())[id]).toBe('running');
  });

  test('while results are fetched: the training has ended, and they are still there', async () => {
    const id = (shared ??= await machine());
    const { app } = appWith(atStep('collect'));
    const error = await ended(train(app, { ...TRAIN, script: 'end.py', machineId: id }));
    expect(error.code).toBe('interrupted');
    expect(error.reason).toMatch(new RegExp(`has ended; its results are still on ${id}.*${PRICE.source}`));
    expect(error.hints).toContain(`runctl aws monitor ${id}`);
  });

  test('on this computer: the job may save, and nothing is said of machines and prices', async () => {
    const { app } = appWith(onLine('ready'));
    const { createLocalProvider } = await import('../src/providers/local/local-provider.ts');
    const local = createLocalProvider({ base: join(t.project, '.local'), env: { PATH: process.env['PATH'], HOME: t.project } });
    const error = await ended(trainLocally({ ...app, provider: async () => local }, { script: 'long.py', args: [] }));
    expect(error).toMatchObject({ code: 'interrupted', exitCode: 130 });
    expect(error.reason ?? '').not.toMatch(/costs|bill/);
    expect(existsSync(join(t.project, 'runs', stake.runId!, 'checkpoints/on-term.json'))).toBe(true);
  });
});

describe('workflow train', () => {
  test.each([
    ['preflight', atStep('preflight'), false],
    ['plan', atStep('plan'), false],
    ['running', atStep('running'), true],
    ['ssm', atStep('ssm'), true],
    ['prepare', atStep('prepare'), true],
    ['sync', atStep('sync'), true],
    ['launch', atStep('launch'), true],
    ['training', onLine('ready'), true],
  ] as const)('%s: cleaned up as promised, and a second Ctrl-C would name what is left', async (_name, at, made) => {
    const before = await alive();
    const { app, second } = appWith(at);
    const error = await ended(workflowTrain(app, WORKFLOW));
    expect(error).toMatchObject({ code: 'interrupted', exitCode: 130, reason: 'Nothing is left running.' });
    expect(await alive()).toEqual(before);
    expect(t.ledger.getRun(stake.runId!).state).toBe('interrupted');
    if (!made) return expect(second().facts).toEqual([]);
    expect(second().facts.join(' ')).toMatch(PRICE);
    expect(second().hints[0]).toBe(`runctl aws terminate ${stake.machineId} --wait`);
    expect(notes()).toMatch(new RegExp(`interrupted: .*${stake.machineId} will be terminated\\. Ctrl-C again leaves at once`));
    expect(notes()).toMatch(/it has cost \$0\.0/);
  });

  test.each([['while results are fetched', atStep('collect')], ['while the machine is terminated', atStep('terminate')]] as const)('%s: results are at home and nothing is left', async (_name, at) => {
    const before = await alive();
    const { app, second } = appWith(at);
    const error = await ended(workflowTrain(app, { ...WORKFLOW, script: 'end.py' }));
    expect(error).toMatchObject({ code: 'interrupted', reason: 'Nothing is left running.' });
    expect(existsSync(join(t.project, 'runs', stake.runId!, 'training.log'))).toBe(true);
    expect(await alive()).toEqual(before);
    expect(second().hints[0]).toBe(`runctl aws terminate ${stake.machineId} --wait`);
  });

  test.each(['stop', 'keep'] as const)('with --on-failure %s that is what happens, and what stays is told', async (onFailure) => {
    const { app } = appWith(onLine('ready'));
    const error = await ended(workflowTrain(app, { ...WORKFLOW, onFailure }));
    const id = stake.machineId!;
    expect((await t.machines())[id]).toBe(onFailure === 'stop' ? 'stopped' : 'running');
    if (onFailure === 'keep') {
      expect(error.reason).toMatch(PRICE);
      expect(error.hints).toContain(`runctl aws terminate ${id} --wait`);
    } else {
      expect(error.reason).toMatch(new RegExp(`${id} is stopped; its disk costs \\$0\\.0\\d+ an hour`));
      expect(error.hints).toContain(`runctl aws start ${id} --wait`);
    }
  });
});

describe('commands that only wait', () => {
  test('wait: the machine goes on, and what it costs', async () => {
    const id = await machine();
    await changeLifecycle({ ...t.app, stake: undefined }, 'stop', { provider: 'aws', machineId: id, wait: true, timeoutMs: 30_000 });
    // Else it may be ready before its price is known.
    t.sim.weather.add({ kind: 'agent-late', instance: id, delay: '1m' });
    await changeLifecycle({ ...t.app, stake: undefined }, 'start', { provider: 'aws', machineId: id, wait: false, timeoutMs: 30_000 });
    const { app } = appWith((event) => event.kind === 'step.progress' && stake.price !== undefined);
    const error = await ended(waitReady(app, { provider: 'aws', machineId: id, timeoutMs: 60_000, fromPending: true }));
    expect(error).toMatchObject({ code: 'interrupted', exitCode: 130, reason: expect.stringMatching(PRICE) });
    expect(error.hints).toEqual([`runctl aws wait ${id}`, `runctl aws terminate ${id} --wait`]);
  });

  test('monitor --follow: the training goes on', async () => {
    const id = await machine();
    await train(t.app, { ...TRAIN, machineId: id, wait: false });
    const { app } = appWith((event) => event.kind === 'step.progress' && event.step === 'follow' && stake.price !== undefined);
    const watching = (async () => {
      for await (const _item of monitor({ ...app, clock: quickClock(4) }, { provider: 'aws', machineId: id, follow: true }));
    })();
    const error = await ended(watching);
    expect(error).toMatchObject({ code: 'interrupted', exitCode: 130 });
    expect(error.reason).toMatch(new RegExp(`The training run-\\S+ goes on on ${id}\\. .*${PRICE.source}`));
    expect(error.hints).toContain(`runctl aws monitor ${id} --follow`);
  });

  test.each([
    ['stop', /was told to stop and stops without this command/],
    ['terminate', /was told to terminate and terminates without this command/],
  ] as const)('%s --wait: it happens by itself', async (verb, fact) => {
    const id = await machine();
    const { app, second } = appWith(atStep('settle'));
    const error = await ended(changeLifecycle(app, verb, { provider: 'aws', machineId: id, wait: true, timeoutMs: 30_000 }));
    expect(error).toMatchObject({ code: 'interrupted', exitCode: 130, reason: expect.stringMatching(fact) });
    expect(second().facts.join()).toMatch(fact);
    expect(error.hints).toEqual([`runctl aws status ${id}`, `runctl aws ${verb} ${id} --wait`]);
  });

  test('start --wait: it starts by itself, and costs from now on', async () => {
    const id = await machine();
    await changeLifecycle({ ...t.app, stake: undefined }, 'stop', { provider: 'aws', machineId: id, wait: true, timeoutMs: 30_000 });
    const { app } = appWith(atStep('settle'));
    const error = await ended(changeLifecycle(app, 'start', { provider: 'aws', machineId: id, wait: true, timeoutMs: 30_000 }));
    expect(error.reason).toMatch(/was told to start and starts without this command; it costs/);
    expect(error.hints).toContain(`runctl aws wait ${id}`);
  });
});

test('a pipe or process that was aborted by Ctrl-C is the interruption too, never a bug', async () => {
  const { app } = appWith(() => false);
  const abort = new AbortController();
  const abortError = Object.assign(new Error('The operation was aborted'), { name: 'AbortError' });
  const provider = { ...t.provider, find: async () => {
    abort.abort(new RunctlError('interrupted', 'interrupted by SIGTERM'));
    throw abortError;
  } };
  const error = await ended(train({ ...app, signal: abort.signal, provider: async () => provider }, { ...TRAIN, machineId: 'i-0123456789abcdef0' }));
  expect(error).toMatchObject({ code: 'interrupted', exitCode: 130, message: 'interrupted by SIGTERM' });
});
