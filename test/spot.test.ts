// Buying spot machines on the real pretend cloud, over HTTP, with real guests: whole stories. What every refusal comes to with every
// policy is in src/engine/buying/buy.test.ts.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { billRows } from '../src/commands/sim/bill-rows.ts';
import { RunctlError } from '../src/core/errors.ts';
import type { Event } from '../src/core/events.ts';
import type { MachinePlan } from '../src/core/machine.ts';
import { newStake } from '../src/core/stake.ts';
import type { App } from '../src/engine/app.ts';
import { type CreateRequest, create } from '../src/engine/create.ts';
import { changeLifecycle } from '../src/engine/lifecycle.ts';
import { status } from '../src/engine/status.ts';
import { workflowTrain } from '../src/engine/workflow-train.ts';
import type { MeterReading } from '../src/sim/meter-reading.ts';
import { type TestApp, openTestApp } from './support/test-app.ts';

let t: TestApp;
let launches: { token: string; plan: MachinePlan }[] = [];

beforeAll(async () => {
  t = await openTestApp();
  t.use({
    ...t.provider,
    create: (plan, token, signal) => {
      launches.push({ token, plan });
      return t.provider.create(plan, token, signal);
    },
  });
  t.write('job.py', 'import sys, time\nprint("epoch 1/1 loss 0.5", flush=True)\ntime.sleep(float(sys.argv[1]))\n');
});
afterAll(() => t?.close());
afterEach(async () => {
  t.sim.weather.load([]);
  await t.sim.call('market-set', { type: 't3.micro', capacity: null, microUsdPerHour: null });
  for (const [id, state] of Object.entries(await t.machines())) if (state === 'running' || state === 'pending') await t.provider.terminate(id);
  launches = [];
  t.events.length = 0;
});

const app = (more: Partial<App> = {}): App => ({ ...t.app, stake: newStake(), ...more });
const nobody: App['ask'] = async ({ text, flag }) => {
  throw new RunctlError('declined', text, { hints: [flag] });
};
const SPOT: NonNullable<CreateRequest['spot']> = { types: ['t3.micro'], timeoutMs: 60_000, policy: 'fail', policyGiven: false };
const CREATE: CreateRequest = { provider: 'aws', type: 't3.micro', spot: SPOT, wait: false, timeoutMs: 60_000, dryRun: false };
const failure = async (promise: Promise<unknown>): Promise<RunctlError> => promise.then(() => expect.unreachable('it should have failed'), (error: unknown) => error as RunctlError);
const of = <K extends Event['kind']>(kind: K): Extract<Event, { kind: K }>[] => t.events.filter((event) => event.kind === kind) as Extract<Event, { kind: K }>[];
const alive = async (): Promise<string[]> => Object.entries(await t.machines()).filter(([, state]) => state === 'running' || state === 'pending').map(([id]) => id);
interface PoolRow { type: string; zone: string; microUsdPerHour: number }
const price = async (zone: string): Promise<number> => ((await t.sim.call('market', { type: 't3.micro', region: 'us-east-1' })) as { pools: PoolRow[] }).pools.find((pool) => pool.zone === zone)!.microUsdPerHour;

test('D1 R016 R024 R025 the market sells: that machine, at the market\'s price, one launch, on demand never; status and lists say spot', async () => {
  const made = await create(app({ ask: nobody }), CREATE);
  expect(launches.map(({ plan }) => plan.market)).toEqual(['spot']);
  expect(made).toMatchObject({ market: 'spot', fellBack: false, instanceType: 't3.micro', zone: launches[0]!.plan.zone, spotRequestId: expect.stringMatching(/^sir-/) as string });
  expect(await alive()).toEqual([made.instanceId]);
  const [estimate] = of('cost.estimated');
  expect(estimate!.computeMicroUsd).toBe(await price(made.zone!));
  expect(estimate).toMatchObject({ market: 'spot', onDemandHourlyMicroUsd: Math.round(made.onDemandPerHourUsd! * 1e6), hourlyMicroUsd: Math.round(made.costPerHourUsd! * 1e6) });
  expect(made.savingPercent).toBe(Math.round((1 - made.costPerHourUsd! / made.onDemandPerHourUsd!) * 100));
  const now = await status(app(), { provider: 'aws', machineId: made.instanceId! });
  expect(now).toMatchObject({ market: 'spot', spotRequestId: made.spotRequestId });
  // Whether it has its address yet or not, the two markets are as far apart.
  expect(now.onDemandPerHourUsd! - now.costPerHourUsd!).toBeCloseTo(made.onDemandPerHourUsd! - made.costPerHourUsd!, 6);
  await expect(changeLifecycle(app(), 'stop', { provider: 'aws', machineId: made.instanceId!, wait: false, timeoutMs: 1000 })).rejects.toMatchObject({ code: 'wrong-state', reason: 'Nothing was done to it.' });
  expect((await t.provider.list()).find(({ id }) => id === made.instanceId)).toMatchObject({ market: 'spot', tags: { 'runctl:market': 'spot', 'runctl:run': made.runId } });
});

test('R025 R224 --dry-run of an on-demand machine shows the other market beside it, and buys nothing', async () => {
  const planned = await create(app(), { ...CREATE, spot: undefined, dryRun: true, hours: 2 });
  expect(planned).toMatchObject({ market: 'on-demand', dryRun: true, expectedHours: 2, expectedCostUsd: expect.closeTo(planned.costPerHourUsd! * 2, 5) as number });
  const [estimate] = of('cost.estimated');
  expect(estimate).toMatchObject({ market: 'on-demand', worst: 'no limit', spotZone: expect.stringMatching(/^us-east-1/) as string });
  expect(estimate!.spotHourlyMicroUsd! - estimate!.storageMicroUsd! - estimate!.addressMicroUsd!).toBe(await price(estimate!.spotZone!));
  expect([launches, await alive()]).toEqual([[], []]);
});

test('R016 R234 refused where it is cheapest: the next zone, with a token of its own', async () => {
  const first = (await create(app(), { ...CREATE, dryRun: true })).zone!;
  await t.sim.call('market-set', { type: 't3.micro', zone: first, capacity: 0 });
  const made = await create(app(), CREATE);
  expect(launches.map(({ plan }) => plan.zone)).toEqual([first, made.zone]);
  expect(new Set(launches.map(({ token }) => token)).size).toBe(2);
  expect(of('spot.refused')).toMatchObject([{ zone: first, refusal: 'capacity', text: expect.stringContaining('InsufficientInstanceCapacity') as string }]);
  expect(await alive()).toEqual([made.instanceId]);
});

test('D2 R018 R019 R023 sold out: it ends in time, says why, buys nothing else and leaves nothing open', async () => {
  await t.sim.call('market-set', { type: 't3.micro', capacity: 0 });
  const before = Date.now();
  const error = await failure(create(app({ ask: nobody }), { ...CREATE, zones: ['us-east-1a', 'us-east-1b'], spot: { ...SPOT, timeoutMs: 1500 } }));
  expect(Date.now() - before).toBeLessThan(40_000);
  expect(error).toMatchObject({ code: 'spot-unavailable', exitCode: 2, reason: expect.stringMatching(/t3\.micro +us-east-1[ab](, [ab])? +\d+x +no capacity +There is no Spot capacity/) as string });
  expect(launches.every(({ plan }) => plan.market === 'spot')).toBe(true);
  expect(await alive()).toEqual([]);
});

test('R019 R021 R022 the highest price is too low: on demand with both prices, because the command line said so', async () => {
  const made = await create(app({ ask: nobody }), { ...CREATE, hours: 3, spot: { ...SPOT, timeoutMs: 1500, maxPriceMicroUsd: 1100, policy: 'on-demand', policyGiven: true } });
  expect(made).toMatchObject({ market: 'on-demand', fellBack: true, expectedHours: 3 });
  const [choice] = of('spot.fallback');
  expect(choice).toMatchObject({ hours: 3, onDemandHourlyMicroUsd: Math.round(made.costPerHourUsd! * 1e6) });
  expect(choice!.spotHourlyMicroUsd).toBeLessThan(choice!.onDemandHourlyMicroUsd!);
  expect(choice!.tried.join('\n')).toMatch(/price +costs \$0\.\d+ an hour now/);
});

test('R016 R020 the answer of the launch is lost: the machine is found by its token, and there is no other', async () => {
  t.sim.weather.add({ kind: 'lost-reply', operation: 'ec2.RunInstances', times: 1 });
  const made = await create(app(), CREATE);
  expect(made.market).toBe('spot');
  expect(await alive()).toEqual([made.instanceId]);
  expect(new Set(launches.map(({ token }) => token)).size).toBe(1);
});

const WORKFLOW = { provider: 'aws', type: 't3.micro', spot: SPOT, profile: 'runctl-ssm-profile', script: 'job.py', includePatterns: [], syncCode: true, install: false, onFailure: 'stop' as const, keep: false, timeoutMs: 60_000 };

test('R087 R024 a whole training on spot: what was obtained, what it cost, and what it would have cost', async () => {
  const result = await workflowTrain(app(), { ...WORKFLOW, args: ['0'] });
  expect(result).toMatchObject({ phase: 'succeeded', market: 'spot', fellBack: false, machineState: 'terminated', zone: launches[0]!.plan.zone });
  expect(result.onDemandCostUsd).toBeGreaterThan(0);
  expect(of('note').map(({ text }) => text).join('\n')).toContain('a spot machine cannot be stopped');
});

test('R087 taken back in the middle of a training: that is what is said, with what it cost and how to go on', async () => {
  const running = app({
    report: (event) => {
      t.events.push(event);
      if (event.kind === 'log.line') void t.sim.call('interrupt', { instanceId: running.stake!.machineId, noticeMs: 0 });
    },
  });
  const error = await failure(workflowTrain(running, { ...WORKFLOW, args: ['60'] }));
  expect(error).toMatchObject({ code: 'machine-lost', exitCode: 2, data: { interrupted: true, market: 'spot' } });
  expect(error.message).toMatch(/^spot machine i-\w+ was taken back by the cloud after \d+ s$/);
  expect(error.reason).toMatch(/It has cost \$0\.\d{6}/);
  expect(error.hints).toEqual(expect.arrayContaining(['--spot', '--on-demand']));
  expect(await alive()).toEqual([]);
});

test('R087 taken back before anybody could use it: said as such, paid for as the meter has it, and the way on is spot again', async () => {
  const waiting = app({
    report: (event) => {
      t.events.push(event);
      if (event.kind === 'step.done' && event.step === 'running') void t.sim.call('interrupt', { instanceId: waiting.stake!.machineId, noticeMs: 0 });
    },
  });
  const error = await failure(create(waiting, { ...CREATE, profile: 'runctl-ssm-profile', wait: true }));
  const id = String(error.data!['machine']);
  expect(error).toMatchObject({ code: 'machine-lost', message: expect.stringContaining('was taken back by the cloud') as string, hints: expect.arrayContaining(['--spot', '--on-demand']) as string[] });
  const [cost] = (await t.app.ledger()).costsOf((await t.app.ledger()).listRuns({ machineId: id })[0]!.id);
  const rows = billRows((await t.sim.call('bill')) as unknown as MeterReading, 'machine');
  expect(cost!.costMicroUsd).toBe(rows.find(({ name }) => name === id)!.totalMicroUsd);
});

test('R090 results that cannot come home are not thrown away with a spot machine: it is kept, since it cannot be stopped', async () => {
  t.write('big.py', 'import os\nopen(os.environ["RUNCTL_CHECKPOINT_DIR"] + "/w.bin", "wb").write(os.urandom(9_000_000))\n');
  const error = await failure(workflowTrain(app(), { ...WORKFLOW, script: 'big.py', args: [], onFailure: 'terminate' }));
  expect(error).toMatchObject({ code: 'bucket-missing', data: { machineState: 'running' } });
  expect(error.hints).toContain(`runctl aws terminate ${String(error.data!['machine'])} --wait   (fetches the results first)`);
  expect(error.hints.some((hint) => hint.startsWith('runctl aws start'))).toBe(false);
  expect(await alive()).toEqual([error.data!['machine']]);
});
