// The AWS provider buys spot machines from the pretend cloud, over HTTP, on a clock that the test drives. What the engine makes
// of it (attempts, fallback) is tested beside the engine.
import { DescribeSpotInstanceRequestsCommand } from '@aws-sdk/client-ec2';
import type { SpotInstanceRequest } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Clock } from '../src/core/clock.ts';
import type { MachineRequest, Pool } from '../src/core/machine.ts';
import { createAwsProvider } from '../src/providers/aws/aws-provider.ts';
import { createSsm } from '../src/sim/aws/ssm/create-ssm.ts';
import { startTestSim } from './support/test-sim.ts';
import type { TestSim } from './support/test-sim.ts';

let t: TestSim;
let provider: ReturnType<typeof createAwsProvider>;
beforeAll(async () => {
  t = await startTestSim({
    parts: (cloud) => {
      const ssm = createSsm(cloud, () => undefined);
      return [{ service: ssm.service, close: () => ssm.close() }];
    },
  });
  const clock: Clock = { now: () => t.clock.now(), monotonic: () => t.clock.now(), sleep: async (ms) => void (await t.clock.advance(ms)) };
  const { accessKeyId, secretAccessKey } = t.sim.credentials();
  provider = createAwsProvider({ owner: 'ann', clock, env: { HOME: '/nonexistent', AWS_ENDPOINT_URL: t.sim.endpoint, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: 'us-east-1' } });
});
afterAll(async () => {
  provider.close();
  await t.close();
});

const market = (fields: object) => t.sim.call('market-set', fields);
const request: MachineRequest = { type: 't3.micro', market: 'spot', tags: { 'runctl:run': 'run-1', 'runctl:project': 'p' } };
const pools = (types = ['t3.micro'], more: object = {}): Promise<Pool[]> => provider.pools!({ request: { ...request, ...more }, types });
async function requestsOf(token: string): Promise<SpotInstanceRequest[]> {
  return (await t.ec2.send(new DescribeSpotInstanceRequestsCommand({ Filters: [{ Name: 'tag:runctl:token', Values: [token] }] }))).SpotInstanceRequests ?? [];
}

test('R016 R024 D1 from the list of pools to a machine of the cheapest one: fulfilled, tagged, and spot wherever it is looked at', async () => {
  const all = await pools();
  expect(all.length).toBeGreaterThan(2);
  for (const pool of all) {
    expect(pool).toMatchObject({ market: 'spot', type: 't3.micro', onDemandMicroUsdPerHour: 10_400, quota: 'L-34B43A08' });
    expect(pool.microUsdPerHour).toBeLessThanOrEqual(10_400);
    expect(pool.score).toBeGreaterThanOrEqual(1);
  }
  const best = all[0]!;
  const plan = await provider.plan({ ...request, zone: best.zone });
  expect(plan).toMatchObject({ market: 'spot', zone: best.zone, price: { computeMicroUsd: best.microUsdPerHour, onDemandMicroUsd: 10_400 } });
  const made = await provider.create(plan, 'story-1');
  expect(made).toMatchObject({ market: 'spot', zone: best.zone, tags: { 'runctl:market': 'spot', 'runctl:run': 'run-1', 'runctl:owner': 'ann' } });
  const [record] = await requestsOf('story-1');
  expect(record).toMatchObject({ State: 'active', Status: { Code: 'fulfilled' }, InstanceId: made.id, SpotInstanceRequestId: made.spotRequestId });
  expect(await provider.create(plan, 'story-1')).toMatchObject({ id: made.id });
  expect(await provider.findByToken('story-1')).toMatchObject({ id: made.id, market: 'spot' });
  expect((await provider.list()).filter((one) => one.tags['runctl:run'] === 'run-1').map(({ id }) => id)).toEqual([made.id]);
  await t.clock.advance(30_000);
  const running = await provider.find(made.id);
  expect(running).toMatchObject({ state: 'running', market: 'spot' });
  expect(running?.firstLaunchedAt).toBeLessThanOrEqual(running?.launchedAt ?? 0);
  expect((await provider.price(running!)).onDemandMicroUsd).toBe(10_400);
  const endsAt = t.clock.now() + 120_000;
  await t.sim.call('interrupt', { instanceId: made.id, noticeMs: 120_000 });
  await t.clock.advance(180_000);
  const taken = await provider.find(made.id);
  expect(taken).toMatchObject({ state: 'terminated', interrupted: true, market: 'spot', stateReason: expect.stringContaining('a spot interruption') as string });
  expect(taken?.endedAt).toBe(Math.floor(endsAt / 1000) * 1000);
});

test('R019 R023 a market without capacity, and one above the highest price, refuse each in their way, and nothing is bought', async () => {
  const plan = await provider.plan(request);
  const before = (await provider.list()).length;
  await market({ type: 't3.micro', capacity: 0 });
  await expect(provider.create(plan, 'empty-1')).rejects.toMatchObject({ code: 'capacity', message: `no spot capacity for t3.micro in ${plan.zone} now` });
  await market({ type: 't3.micro', capacity: null });
  await market({ type: 't3.micro', zone: plan.zone, microUsdPerHour: 9_000 });
  const dear = { ...plan, maxPriceMicroUsd: 4_000 };
  await expect(provider.create(dear, 'dear-1')).rejects.toMatchObject({ code: 'capacity', data: { awsCode: 'SpotMaxPriceTooLow', refusal: 'price' }, message: expect.stringContaining('below its spot price of $0.009') as string });
  expect((await pools(['t3.micro'], { maxPriceMicroUsd: 8_000 })).at(-1)).toMatchObject({ zone: plan.zone, microUsdPerHour: 9_000 });
  await expect(provider.plan({ ...request, zone: plan.zone, maxPriceMicroUsd: 8_000 })).rejects.toMatchObject({ data: { awsCode: 'price-too-low' } });
  await market({ type: 't3.micro', zone: plan.zone, microUsdPerHour: null });
  expect((await provider.list()).length).toBe(before);
});

test('R020 D2 giving up after the machine was made names it and cancels its request; a second time changes nothing', async () => {
  const made = await provider.create(await provider.plan(request), 'late-1');
  expect(await provider.withdraw!('late-1')).toMatchObject({ cancelled: [made.spotRequestId], machine: { id: made.id, market: 'spot' } });
  expect((await requestsOf('late-1')).map(({ State }) => State)).toEqual(['cancelled']);
  expect(await provider.withdraw!('late-1')).toMatchObject({ cancelled: [], machine: { id: made.id } });
  expect(await provider.withdraw!('never-sent')).toEqual({ cancelled: [] });
  await provider.terminate(made.id);
});

test('R019 the quota of spot is asked of Service Quotas and counted by the cloud alike', async () => {
  const checks = await provider.checks({ machine: { type: 'g5.xlarge', market: 'spot' } });
  expect(checks.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
  expect(checks.find(({ name }) => name === 'quota')).toMatchObject({ outcome: 'ok', detail: 'spot: needs 4 vCPUs, the limit is 192, 0 in use' });
  expect(checks.find(({ name }) => name === 'spot')).toMatchObject({ outcome: 'ok', detail: expect.stringMatching(/^\$0\.\d+ per hour in us-east-1[a-f] now, \$1\.006 on demand;/) as string });
});

test('D20 a security group is given by name or by id for spot as for any other', async () => {
  const plan = await provider.plan({ ...request, securityGroup: 'default' });
  expect(plan.securityGroup).toMatch(/^sg-/);
  expect((await provider.plan({ ...request, securityGroup: plan.securityGroup })).securityGroup).toBe(plan.securityGroup);
});

test('a rehearsal of a spot launch is allowed, and makes no request', async () => {
  const before = (await t.ec2.send(new DescribeSpotInstanceRequestsCommand({}))).SpotInstanceRequests!.length;
  await provider.rehearse(await provider.plan(request));
  expect((await t.ec2.send(new DescribeSpotInstanceRequestsCommand({}))).SpotInstanceRequests).toHaveLength(before);
});
