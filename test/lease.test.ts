// Leases on real guests of a pretend cloud whose clock skips: nobody there, no network, no keeper, a training that will not end.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readMeter } from '../src/sim/meter-reading.ts';
import type { RunctlError } from '../src/core/errors.ts';
import { LEASE_MARGIN_S, type Lease } from '../src/core/lease.ts';
import { create } from '../src/engine/create.ts';
import { changeLease, showLease } from '../src/engine/lease/lease-change.ts';
import { type LeaseWish, bindLease } from '../src/engine/lease/lease.ts';
import { train } from '../src/engine/train.ts';
import { until } from './support/agent-box.ts';
import { type TestApp, openTestApp } from './support/test-app.ts';

const HOUR_MS = 3_600_000;
const STUBBORN = 'import signal, time\nsignal.signal(signal.SIGTERM, lambda *_: print("not me", flush=True))\nprint("epoch 1", flush=True)\nwhile True: time.sleep(0.05)\n';

let home: TestApp;
beforeAll(async () => {
  home = await openTestApp();
  home.write('stubborn.py', STUBBORN);
});
afterAll(() => home.close());

async function make(lease: LeaseWish, wait = true): Promise<string> {
  const made = await create(home.app, { provider: 'aws', type: 't3.micro', profile: 'runctl-ssm-profile', lease, wait, timeoutMs: 60_000, dryRun: false });
  return made.instanceId!;
}
const launch = (machineId: string, wait: boolean) => train(home.app, { provider: 'aws', machineId, script: 'stubborn.py', args: [], includePatterns: [], syncCode: true, install: false, force: false, wait });
const skip = (ms: number): Promise<void> => home.sim.clock.skip(ms);
const stateOf = async (id: string): Promise<string | undefined> => (await home.machines())[id];
const gone = (id: string): Promise<string> => until(`${id} to be off`, async () => (['stopped', 'terminated'].includes((await stateOf(id)) ?? '') ? stateOf(id) : undefined) as Promise<string | undefined>, 60_000);
const lineOf = (id: string) => readMeter(home.sim.cloud.world, home.sim.clock.now()).lines.find((line) => line.instanceId === id)!;
/** On the disk of the guest, wherever its isolation puts root's home. */
const leaseFileOf = (id: string, name: string): string | undefined =>
  ['root', 'ec2-user'].map((user) => join(home.sim.cloud.world.directory, 'machines', id, 'disk', user, '.runctl-lease', name)).filter((file) => existsSync(file)).map((file) => readFileSync(file, 'utf8'))[0];
/** As whoever has root on the machine sees them: pids of keeper and loop, in the guest's own numbers. */
const onMachine = async (id: string, script: string): Promise<string> => {
  const shell = await home.provider.shell({ id });
  return (await shell.run(script)).stdout;
};

/** What the machine may have run and cost at most, by what was promised for this lease. */
function expectBounded(id: string, { allowedS = 0, graceS, rateMicroUsd = 0 }: Pick<Lease, 'allowedS' | 'graceS' | 'rateMicroUsd'>): void {
  const { runningSeconds, totalMicroUsd } = lineOf(id);
  expect(runningSeconds).toBeLessThanOrEqual(allowedS + graceS + LEASE_MARGIN_S);
  expect(runningSeconds).toBeGreaterThan(allowedS * 0.95);
  expect(totalMicroUsd).toBeLessThanOrEqual(Math.ceil(((allowedS + graceS + LEASE_MARGIN_S) * rateMicroUsd) / 3600));
}

// What takes a second on an idle computer takes half a minute on a busy one.
describe('a machine with a lease ends itself', { timeout: 180_000 }, () => {
  test('R223 R086 runctl gone, network cut, a training that ignores SIGTERM: it ends it and powers off, and the meter stays below the limit', async () => {
    const id = await make({ maxCostMicroUsd: 50_000, graceMs: 2000, onEnd: 'stop' });
    const before = await showLease(home.app, { provider: 'aws', machineId: id });
    expect(before).toMatchObject({ lease: 'on', limit: 'cost', maxCostUsd: 0.05, kept: true });
    await launch(id, false);
    home.sim.cloud.machines.setNetwork(id, false);
    // To just before the end: what is done then takes real time.
    await skip((before.leftS! - 3) * 1000);
    expect(await stateOf(id)).toBe('running');
    expect(await gone(id)).toBe('stopped');
    expect(lineOf(id).totalMicroUsd).toBeLessThanOrEqual(50_000);
    expect(leaseFileOf(id, 'ended')).toMatch(/^reason=cost\n/);
  });

  test('R223 keeper and loop killed, nobody there: the timer of the boot script powers it off', async () => {
    const id = await make({ maxHours: 8, graceMs: 1000, onEnd: 'terminate' });
    const killed = await onMachine(id, 'for p in /proc/[0-9]*; do case $(tr "\\0" " " <$p/cmdline 2>/dev/null) in *.runctl-lease/*) kill -9 "${p#/proc/}" && echo killed ;; esac; done');
    expect(killed.trim().split('\n').length).toBeGreaterThanOrEqual(2);
    await skip(9 * HOUR_MS);
    expect(await gone(id)).toBe('terminated');
    expectBounded(id, { allowedS: 8 * 3600, graceS: 1, rateMicroUsd: 18_734 });
  });

  test('R223 a machine that nobody ever came to has the guard from its first second, and again after a stop', async () => {
    const id = await make({ maxHours: 2, graceMs: 0, onEnd: 'terminate' }, false);
    await until('it to run', async () => ((await stateOf(id)) === 'running' ? true : undefined), 60_000);
    await until('the guard', async () => leaseFileOf(id, 'ticker'), 60_000);
    await skip(1.5 * HOUR_MS);
    expect(await stateOf(id)).toBe('running');
    // The boot script runs at every boot: what was used before counts. The loop catches up with a skip within 30 s.
    await skip(60_000);
    await until('the count', async () => (Number(leaseFileOf(id, 'used')) >= 5400 ? true : undefined), 60_000);
    await home.provider.stop(id);
    await until('it to stop', async () => ((await stateOf(id)) === 'stopped' ? true : undefined), 60_000);
    await home.provider.start(id);
    await until('the guard again', async () => (Number(leaseFileOf(id, 'floor')) >= 5000 ? true : undefined), 60_000);
    await skip(HOUR_MS);
    expect(await gone(id)).toBe('terminated');
    expectBounded(id, { allowedS: 7200, graceS: 0, rateMicroUsd: 18_734 });
  });

  test('R223 R086 while train --wait looks on: the error says that it was the lease, what was saved, and how to go on', async () => {
    const id = await make({ maxHours: 1, graceMs: 1000, onEnd: 'stop' });
    await changeLease(home.app, { provider: 'aws', machineId: id, maxHours: 0.5 });
    const ending = launch(id, true).then(() => expect.unreachable(), (error: unknown) => error as RunctlError);
    await until('the log', async () => (home.logLines().includes('epoch 1') ? true : undefined), 60_000);
    const { leftS } = await showLease(home.app, { provider: 'aws', machineId: id });
    await skip((leftS! - 2) * 1000);
    const error = await ending;
    expect(error).toMatchObject({ code: 'lease-ended', exitCode: 2, data: { reason: 'hours', machine: id } });
    expect(error.message).toContain('by its lease');
    expect(error.hints.join('\n')).toContain(`runctl aws start ${id} --wait`);
    expect(await gone(id)).toBe('stopped');
  });
});

describe('how much time a limit buys', () => {
  const app = {} as never;
  const plan = (over: object = {}) => ({ type: 'g5.xlarge', market: 'on-demand', price: { computeMicroUsd: 1_006_000, storageMicroUsd: 11_112, addressMicroUsd: 5000, source: 'test', ...over }, tags: { a: 'b' } }) as never;

  test('R085 R223 grace and margin are within a cost limit; the lower of two limits counts; spent money counts', () => {
    const { lease, plan: bound } = bindLease(app, plan(), { maxCostMicroUsd: 5_000_000, maxHours: 24, graceMs: 90_000, onEnd: 'terminate' });
    expect(lease).toMatchObject({ limit: 'cost', rateMicroUsd: 1_022_112, allowedS: Math.floor((5_000_000 * 3600) / 1_022_112) - 90 - LEASE_MARGIN_S });
    expect(bound).toMatchObject({ shutdown: 'terminate', tags: { a: 'b', 'runctl:lease': expect.stringContaining('cost=5000000') as string } });
    expect(bindLease(app, plan(), { maxCostMicroUsd: 5_000_000, maxHours: 2 }).lease).toMatchObject({ limit: 'hours', allowedS: 7200 });
    expect(bindLease(app, plan(), { maxCostMicroUsd: 5_000_000, onEnd: 'terminate' }, 4_000_000).lease!.allowedS).toBe(Math.floor((1_000_000 * 3600) / 1_022_112) - LEASE_MARGIN_S);
    expect(bindLease(app, plan(), undefined)).toEqual({ plan: plan() });
  });

  test('R223 a disk that stays is paid from the limit too; a spot machine always terminates, at its worst price', () => {
    const stops = bindLease(app, plan(), { maxCostMicroUsd: 5_000_000, onEnd: 'stop' }).lease!.allowedS!;
    expect(stops).toBe(Math.floor(((5_000_000 - 500_000) * 3600) / 1_022_112) - LEASE_MARGIN_S);
    const spot = { ...(plan({ computeMicroUsd: 300_000, onDemandMicroUsd: 1_006_000 }) as object), market: 'spot' };
    expect(bindLease(app, spot as never, { maxHours: 1, onEnd: 'stop' })).toMatchObject({ plan: { shutdown: 'terminate' }, lease: { onEnd: 'terminate', rateMicroUsd: 1_022_112 } });
    expect(bindLease(app, { ...spot, maxPriceMicroUsd: 400_000 } as never, { maxHours: 1 }).lease).toMatchObject({ rateMicroUsd: 416_112 });
  });

  test('R085 what cannot be kept is refused before anything is bought', () => {
    expect(() => bindLease(app, plan({ computeMicroUsd: undefined }), { maxCostMicroUsd: 5_000_000 })).toThrow(expect.objectContaining({ code: 'usage', message: expect.stringContaining('nobody knows') as string }));
    expect(bindLease(app, plan({ computeMicroUsd: undefined }), { maxHours: 2 }).lease).toEqual({ allowedS: 7200, limit: 'hours', hoursS: 7200, idleS: 0, graceS: 0, onEnd: 'stop' });
    expect(() => bindLease(app, plan(), { maxCostMicroUsd: 100_000 })).toThrow(expect.objectContaining({ code: 'over-budget', exitCode: 6 }));
    expect(() => bindLease(app, plan(), { maxCostMicroUsd: 5_000_000 }, 4_950_000)).toThrow(expect.objectContaining({ code: 'over-budget', message: expect.stringContaining('$4.95') as string }));
  });

  test.each([[0, 'stop'], [0, 'terminate'], [1_950_000, 'stop']] as const)('R085 the limit that is proposed buys the five minutes, and is no dearer than need be (spent %d, %s)', (spent, onEnd) => {
    const buys = (maxCostMicroUsd: number) => bindLease(app, plan(), { maxCostMicroUsd, graceMs: 90_000, onEnd }, spent).lease!.allowedS!;
    const hint = (() => {
      try {
        return buys(spent + 100_000), '';
      } catch (error) {
        return (error as { hints: string[] }).hints[0]!;
      }
    })();
    const proposed = Math.round(Number(/^--max-cost (\d+\.\d\d)$/.exec(hint)![1]) * 1_000_000);
    expect(buys(proposed)).toBeGreaterThanOrEqual(300);
    expect(() => buys(Math.floor(proposed * 0.85))).toThrow('does not buy five minutes');
  });
});
