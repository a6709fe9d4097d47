// What weather does to spot machines and the market that they come from, on a clock moved by hand.
import { DescribeInstancesCommand, DescribeSpotInstanceRequestsCommand } from '@aws-sdk/client-ec2';
import type { RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TEST_DIAL, failure, startTestSim } from '../../../test/support/test-sim.ts';
import type { TestSim } from '../../../test/support/test-sim.ts';

let t: TestSim;
beforeEach(async () => {
  t = await startTestSim();
});
afterEach(() => t.close());

const MINUTE = 60_000;
const SPOT: Partial<RunInstancesCommandInput> = { InstanceMarketOptions: { MarketType: 'spot' }, Placement: { AvailabilityZone: 'us-east-1a' } };

async function running(input: Partial<RunInstancesCommandInput> = SPOT): Promise<string> {
  const { InstanceId } = await t.run(input);
  await t.clock.advance(TEST_DIAL.pendingMs);
  return InstanceId!;
}
const stateOf = async (id: string): Promise<string | undefined> => (await t.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))).Reservations![0]!.Instances![0]!.State!.Name;
const statusOf = async (id: string): Promise<string | undefined> =>
  (await t.ec2.send(new DescribeSpotInstanceRequestsCommand({ Filters: [{ Name: 'instance-id', Values: [id] }] }))).SpotInstanceRequests![0]!.Status!.Code;

describe('R205 interruptions', () => {
  test('R205 planned before there is a machine: it falls on the first spot machine so long after that came up, and on no on-demand one', async () => {
    t.sim.weather.add({ kind: 'spot-interrupt', after: '1h', notice: '3m', reason: 'price' });
    const plain = await running({});
    const id = await running();
    await t.clock.advance(60 * MINUTE - 1);
    expect(await statusOf(id)).toBe('fulfilled');
    await t.clock.advance(1);
    expect(await statusOf(id)).toBe('instance-terminated-by-price');
    expect(t.sim.weather.list()).toMatchObject([{ hits: 1, state: 'over', rule: { noticeMs: 180_000 } }]);
    await t.clock.advance(3 * MINUTE - 1);
    expect(await stateOf(id)).toBe('running');
    await t.clock.advance(1);
    expect([await stateOf(id), await stateOf(plain)]).toEqual(['shutting-down', 'running']);
  });

  test('R205 a second one falls on the machine that comes after it', async () => {
    t.sim.weather.add({ kind: 'spot-interrupt', after: '10m', times: 2 });
    const first = await running();
    await t.clock.advance(12 * MINUTE);
    const second = await running();
    await t.clock.advance(12 * MINUTE);
    expect([await stateOf(first), await stateOf(second)]).toEqual(['terminated', 'shutting-down']);
    const third = await running();
    await t.clock.advance(30 * MINUTE);
    expect(await stateOf(third)).toBe('running');
  });

  test('R205 set off by a call', async () => {
    const id = await running();
    t.sim.weather.add({ kind: 'spot-interrupt', operation: 'ec2.DescribeInstances', skip: 1 });
    await stateOf(id);
    expect(await statusOf(id)).toBe('fulfilled');
    await stateOf(id);
    expect(await statusOf(id)).toBe('instance-terminated-no-capacity');
  });
});

describe('R205 the market', () => {
  test('R205 capacity goes after a while, comes back after its time, and meets launches and machines', async () => {
    const id = await running();
    t.sim.weather.add({ kind: 'spot-capacity', type: 't3.micro', zone: 'us-east-1a', capacity: 0, after: '10m', for: '1h' });
    expect(t.sim.weather.list()).toMatchObject([{ state: 'waiting', hits: 0 }]);
    await t.clock.advance(10 * MINUTE);
    expect(await statusOf(id)).toBe('instance-terminated-no-capacity');
    expect(t.sim.weather.list()).toMatchObject([{ state: 'active', hits: 1 }]);
    expect(await failure(t.run(SPOT))).toMatchObject({ name: 'InsufficientInstanceCapacity' });
    await t.clock.advance(60 * MINUTE);
    expect(t.sim.weather.list()).toMatchObject([{ state: 'over' }]);
    expect((await t.run(SPOT)).InstanceLifecycle).toBe('spot');
  });

  test('R205 a price holds over a restart until its time is up', async () => {
    t.sim.weather.add({ kind: 'spot-price', type: 't3.micro', price: '0.02', for: '1h' });
    expect(await failure(t.run(SPOT))).toMatchObject({ name: 'SpotMaxPriceTooLow', message: expect.stringContaining('0.02.') });
    t = await t.restart();
    await t.clock.advance(59 * MINUTE);
    expect(await failure(t.run(SPOT))).toMatchObject({ name: 'SpotMaxPriceTooLow' });
    await t.clock.advance(MINUTE);
    expect((await t.run(SPOT)).InstanceLifecycle).toBe('spot');
  });

  test('R205 a rule that is dropped gives the market back', async () => {
    t.sim.weather.add({ kind: 'spot-capacity', type: 't3.micro', capacity: 0 });
    expect(await failure(t.run(SPOT))).toMatchObject({ name: 'InsufficientInstanceCapacity' });
    t.sim.weather.clear();
    expect((await t.run(SPOT)).InstanceLifecycle).toBe('spot');
  });

  test('R205 capacity and quota on a call for spot machines speak of spot', async () => {
    t.sim.weather.add({ kind: 'capacity', times: 1 });
    expect(await failure(t.run(SPOT))).toMatchObject({ name: 'InsufficientInstanceCapacity', message: 'There is no Spot capacity available that matches your request.' });
    t.sim.weather.add({ kind: 'quota', times: 1 });
    expect(await failure(t.run(SPOT))).toMatchObject({ name: 'MaxSpotInstanceCountExceeded' });
  });

  test.each<[object, string]>([
    [{ kind: 'spot-price', type: 't3.micro' }, 'needs the field price'],
    [{ kind: 'spot-price', type: 't3.micro', price: 'dear' }, 'price must be USD per hour'],
    [{ kind: 'spot-price', type: 't3.micro', price: 0 }, 'price must be USD per hour'],
    [{ kind: 'spot-price', type: 'x9.huge', price: 1 }, 'no instance type x9.huge'],
    [{ kind: 'spot-capacity', type: 'p5.48xlarge', zone: 'us-east-1f', capacity: 1 }, 'no spot machines of type p5.48xlarge are sold in us-east-1f'],
    [{ kind: 'spot-capacity', type: 't3.micro' }, 'needs the field capacity'],
    [{ kind: 'spot-capacity', type: 't3.micro', capacity: 0, operation: 'ec2.RunInstances' }, 'has no field operation'],
    [{ kind: 'spot-interrupt', reason: 'boredom' }, 'no reason of an interruption'],
  ])('R205 a rule that says %j is refused', (input, part) => {
    expect(() => t.sim.weather.load([input])).toThrow(part);
  });
});
