import { DescribeInstancesCommand, DescribeSpotInstanceRequestsCommand, DescribeVolumesCommand, StartInstancesCommand, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import type { Instance, RunInstancesCommandInput, SpotInstanceRequest } from '@aws-sdk/client-ec2';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TEST_DIAL, failure, startTestSim } from '../../../test/support/test-sim.ts';
import type { TestSim } from '../../../test/support/test-sim.ts';
import { lookUp, metadataOf } from '../aws/imds/metadata.ts';
import { ec2Tables } from '../aws/ec2/rows.ts';
import { spotPriceChanges } from './prices.ts';

let t: TestSim;
beforeEach(async () => {
  t = await startTestSim();
});
afterEach(() => t.close());

const SPOT: Partial<RunInstancesCommandInput> = { InstanceMarketOptions: { MarketType: 'spot' }, Placement: { AvailabilityZone: 'us-east-1a' } };
const STOPPABLE: Partial<RunInstancesCommandInput> = {
  InstanceMarketOptions: { MarketType: 'spot', SpotOptions: { SpotInstanceType: 'persistent', InstanceInterruptionBehavior: 'stop' } },
  Placement: { AvailabilityZone: 'us-east-1a' },
};
const MINUTE = 60_000;

const see = async (id: string, sim = t): Promise<Instance> => (await sim.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))).Reservations![0]!.Instances![0]!;
const requestOf = async (instance: Instance, sim = t): Promise<SpotInstanceRequest> =>
  (await sim.ec2.send(new DescribeSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [instance.SpotInstanceRequestId!] }))).SpotInstanceRequests![0]!;
const metadata = (id: string, path: string, { sim } = t): string | undefined => lookUp(metadataOf(sim.cloud, ec2Tables(sim.cloud.world).instances.get(id)!), `meta-data/${path}`);
const interrupt = (id: string, fields: object = {}) => t.sim.call('interrupt', { instanceId: id, ...fields });
const iso = (afterStartMs: number): string => new Date(Date.parse('2026-01-01T00:00:00Z') + afterStartMs).toISOString();

async function running(input: Partial<RunInstancesCommandInput> = SPOT): Promise<Instance> {
  const launched = await t.run(input);
  await t.clock.advance(TEST_DIAL.pendingMs);
  return see(launched.InstanceId!);
}

describe('by order', () => {
  test('R204 notice in the metadata two minutes before the end, the machine runs on meanwhile, then it is terminated with its reason', async () => {
    const spot = await running();
    const id = spot.InstanceId!;
    expect(metadata(id, 'instance-life-cycle')).toBe('spot');
    expect(metadata(id, 'spot/instance-action')).toBeUndefined();
    await t.clock.advance(10 * MINUTE);
    await interrupt(id);
    const end = iso(12 * MINUTE + TEST_DIAL.pendingMs).replace('.000', '');
    expect(JSON.parse(metadata(id, 'spot/instance-action')!)).toEqual({ action: 'terminate', time: end });
    expect(metadata(id, 'spot/termination-time')).toBe(end);
    expect(metadata(id, 'events/recommendations/rebalance')).toBeUndefined();
    expect(await requestOf(spot)).toMatchObject({ State: 'closed', Status: { Code: 'instance-terminated-no-capacity' } });
    await t.clock.advance(2 * MINUTE - 1);
    expect(await see(id)).toMatchObject({ State: { Name: 'running' } });
    await t.clock.advance(1);
    expect(await see(id)).toMatchObject({
      State: { Name: 'shutting-down' },
      StateReason: { Code: 'Server.SpotInstanceTermination', Message: expect.stringMatching(/^Server\.SpotInstanceTermination: /) },
      StateTransitionReason: 'Server.SpotInstanceTermination (2026-01-01 00:12:10 GMT)',
    });
    expect((await requestOf(spot)).Status).toMatchObject({ Code: 'instance-terminated-no-capacity', UpdateTime: new Date('2026-01-01T00:12:10Z') });
    expect(t.machines.calls).toContain(`shutdown ${id} ${TEST_DIAL.shuttingDownMs}`);
    await t.clock.advance(TEST_DIAL.shuttingDownMs);
    expect((await see(id)).State!.Name).toBe('terminated');
  });

  test('R204 the recommendation to rebalance comes before the notice', async () => {
    const id = (await running()).InstanceId!;
    await interrupt(id, { rebalanceMs: 5 * MINUTE, noticeMs: 2 * MINUTE });
    expect(JSON.parse(metadata(id, 'events/recommendations/rebalance')!)).toEqual({ noticeTime: iso(TEST_DIAL.pendingMs).replace('.000', '') });
    await t.clock.advance(5 * MINUTE - 1);
    expect(metadata(id, 'spot/instance-action')).toBeUndefined();
    await t.clock.advance(1);
    expect(metadata(id, 'spot/instance-action')).toContain('terminate');
    await t.clock.advance(2 * MINUTE);
    expect((await see(id)).State!.Name).toBe('shutting-down');
  });

  test('R204 volumes are kept or deleted as DeleteOnTermination says', async () => {
    const spot = await running({
      ...SPOT,
      BlockDeviceMappings: [
        { DeviceName: '/dev/sdf', Ebs: { VolumeSize: 5, DeleteOnTermination: false } },
        { DeviceName: '/dev/sdg', Ebs: { VolumeSize: 6, DeleteOnTermination: true } },
      ],
    });
    expect((await t.ec2.send(new DescribeVolumesCommand({}))).Volumes).toHaveLength(3);
    await interrupt(spot.InstanceId!, { noticeMs: 0 });
    await t.clock.advance(TEST_DIAL.shuttingDownMs);
    expect((await t.ec2.send(new DescribeVolumesCommand({}))).Volumes).toMatchObject([{ Size: 5, State: 'available' }]);
  });

  test('R204 the notice and the end survive a restart of the server', async () => {
    const spot = await running();
    const id = spot.InstanceId!;
    await interrupt(id, { rebalanceMs: MINUTE });
    await t.clock.advance(MINUTE / 2);
    t = await t.restart();
    expect(metadata(id, 'spot/instance-action')).toBeUndefined();
    await t.clock.advance(MINUTE / 2);
    expect(metadata(id, 'spot/instance-action')).toContain('terminate');
    expect(await requestOf(spot)).toMatchObject({ State: 'closed', Status: { Code: 'instance-terminated-no-capacity' } });
    t = await t.restart();
    await t.clock.advance(2 * MINUTE);
    expect(await see(id)).toMatchObject({ State: { Name: 'shutting-down' }, StateReason: { Code: 'Server.SpotInstanceTermination' } });
  });

  test('R204 a user who terminates within the notice has terminated it himself', async () => {
    const spot = await running();
    await interrupt(spot.InstanceId!);
    await t.clock.advance(MINUTE);
    await t.ec2.send(new TerminateInstancesCommand({ InstanceIds: [spot.InstanceId!] }));
    await t.clock.advance(5 * MINUTE);
    expect(await see(spot.InstanceId!)).toMatchObject({ State: { Name: 'terminated' }, StateReason: { Code: 'Client.UserInitiatedShutdown' } });
  });

  test('R204 what cannot be interrupted is refused in words', async () => {
    const plain = (await t.run()).InstanceId!;
    const pending = (await t.run(SPOT)).InstanceId!;
    expect(await failure(interrupt('i-0123456789abcdef0'))).toMatchObject({ code: 'not-found' });
    expect(await failure(interrupt(plain))).toMatchObject({ code: 'usage', message: `${plain} is no spot machine` });
    expect(await failure(interrupt(pending))).toMatchObject({ code: 'usage', message: `${pending} is pending` });
    await t.clock.advance(TEST_DIAL.pendingMs);
    await interrupt(pending);
    expect(await failure(interrupt(pending))).toMatchObject({ code: 'usage', message: `${pending} is being interrupted already` });
    expect(await failure(interrupt(pending, { reason: 'boredom' }))).toMatchObject({ code: 'usage' });
    expect(await failure(interrupt(pending, { noticeMs: -1 }))).toMatchObject({ code: 'usage' });
  });
});

describe('by the market', () => {
  const set = (fields: object) => t.sim.call('market-set', { type: 't3.micro', zone: 'us-east-1a', ...fields });

  test('R204 a price set above what is paid at most interrupts by price, and nobody who pays more', async () => {
    const cheap = await running({ ...SPOT, InstanceMarketOptions: { MarketType: 'spot', SpotOptions: { MaxPrice: '0.008' } } });
    const dear = await running({ ...SPOT, InstanceMarketOptions: { MarketType: 'spot', SpotOptions: { MaxPrice: '0.05' } } });
    await set({ microUsdPerHour: 20_000 });
    expect(await requestOf(cheap)).toMatchObject({ State: 'closed', Status: { Code: 'instance-terminated-by-price' } });
    await t.clock.advance(2 * MINUTE);
    expect(await see(cheap.InstanceId!)).toMatchObject({ State: { Name: 'shutting-down' }, StateReason: { Code: 'Server.SpotInstanceTermination' } });
    expect((await see(dear.InstanceId!)).State!.Name).toBe('running');
  });

  test('R204 the market by itself interrupts at the moment at which its price rises too high', async () => {
    const { pools } = (await t.sim.call('market', { type: 't3.2xlarge', zone: 'us-east-1a' })) as { pools: { microUsdPerHour: number }[] };
    const spot = await running({ ...SPOT, InstanceType: 't3.2xlarge', InstanceMarketOptions: { MarketType: 'spot', SpotOptions: { MaxPrice: String(pools[0]!.microUsdPerHour / 1e6) } } });
    const now = t.clock.now();
    const rise = spotPriceChanges(t.sim.cloud.world, 't3.2xlarge', 'us-east-1a', now, now + 90 * 24 * 60 * MINUTE).find((change) => change.microUsdPerHour > pools[0]!.microUsdPerHour)!;
    await t.clock.advance(rise.at - now - 1000);
    expect((await requestOf(spot)).Status!.Code).toBe('fulfilled');
    await t.clock.advance(1000);
    expect((await requestOf(spot)).Status!.Code).toBe('instance-terminated-by-price');
  });

  test('R204 capacity taken away interrupts the latest launched first, and only as many as must go', async () => {
    const [first, second, third] = [await running(), await running(), await running()];
    await set({ capacity: 1 });
    expect((await requestOf(first!)).Status!.Code).toBe('fulfilled');
    expect((await requestOf(second!)).Status!.Code).toBe('instance-terminated-no-capacity');
    expect((await requestOf(third!)).Status!.Code).toBe('instance-terminated-no-capacity');
    await t.clock.advance(2 * MINUTE);
    expect((await see(first!.InstanceId!)).State!.Name).toBe('running');
    await t.clock.advance(30 * MINUTE);
    expect((await see(first!.InstanceId!)).State!.Name).toBe('running');
  });

  test('R204 an instance that is stopped by the market waits (disabled), refuses its user, and is started again by EC2 when there is room', async () => {
    const spot = await running(STOPPABLE);
    const id = spot.InstanceId!;
    await set({ capacity: 0 });
    expect(await requestOf(spot)).toMatchObject({ State: 'active', Status: { Code: 'marked-for-stop' } });
    expect(JSON.parse(metadata(id, 'spot/instance-action')!)).toMatchObject({ action: 'stop' });
    expect(metadata(id, 'spot/termination-time')).toBeUndefined();
    await t.clock.advance(2 * MINUTE);
    expect(await see(id)).toMatchObject({
      State: { Name: 'stopping' },
      StateReason: { Code: 'Server.SpotInstanceShutdown' },
      StateTransitionReason: 'Server.SpotInstanceShutdown (2026-01-01 00:02:10 GMT)',
    });
    expect(await requestOf(spot)).toMatchObject({ State: 'disabled', Status: { Code: 'instance-stopped-no-capacity', UpdateTime: new Date('2026-01-01T00:02:10Z') } });
    await t.clock.advance(TEST_DIAL.stoppingMs);
    expect(await failure(t.ec2.send(new StartInstancesCommand({ InstanceIds: [id] })))).toMatchObject({ name: 'IncorrectSpotRequestState' });
    await t.clock.advance(60 * MINUTE);
    expect((await see(id)).State!.Name).toBe('stopped');
    await set({ capacity: 1 });
    expect(await requestOf(spot)).toMatchObject({ State: 'active', Status: { Code: 'fulfilled' } });
    await t.clock.advance(TEST_DIAL.pendingMs);
    expect((await see(id)).State!.Name).toBe('running');
    expect(metadata(id, 'spot/instance-action')).toBeUndefined();
  });

  test('R204 hibernation begins at its notice', async () => {
    const spot = await running({ ...STOPPABLE, InstanceMarketOptions: { MarketType: 'spot', SpotOptions: { SpotInstanceType: 'persistent', InstanceInterruptionBehavior: 'hibernate' } } });
    await interrupt(spot.InstanceId!);
    await t.clock.advance(0);
    expect(await see(spot.InstanceId!)).toMatchObject({ State: { Name: 'stopping' }, StateReason: { Code: 'Server.SpotInstanceShutdown' } });
  });

  test('R204 a machine stopped by order is started again by the market five minutes later, also by a restarted server', async () => {
    const spot = await running(STOPPABLE);
    await interrupt(spot.InstanceId!, { noticeMs: 0 });
    await t.clock.advance(TEST_DIAL.stoppingMs);
    t = await t.restart();
    await t.clock.advance(4 * MINUTE);
    expect((await see(spot.InstanceId!)).State!.Name).toBe('stopped');
    await t.clock.advance(MINUTE);
    expect((await see(spot.InstanceId!)).State!.Name).toBe('running');
    expect(await requestOf(spot)).toMatchObject({ State: 'active', Status: { Code: 'fulfilled' } });
  });
});
