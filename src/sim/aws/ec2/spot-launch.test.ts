import { CreateTagsCommand, DescribeInstancesCommand, DescribeSpotInstanceRequestsCommand, EC2Client, RunInstancesCommand, StartInstancesCommand, StopInstancesCommand } from '@aws-sdk/client-ec2';
import type { Instance, RunInstancesCommandInput, SpotInstanceRequest } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TEST_DIAL, X86_IMAGE, failure, startTestSim } from '../../../../test/support/test-sim.ts';
import type { TestSim } from '../../../../test/support/test-sim.ts';
import { spotPriceAt } from '../../market/prices.ts';

let t: TestSim;
beforeAll(async () => {
  t = await startTestSim();
});
afterAll(() => t.close());

const SPOT: Partial<RunInstancesCommandInput> = { InstanceMarketOptions: { MarketType: 'spot' } };
const spotOptions = (SpotOptions: NonNullable<RunInstancesCommandInput['InstanceMarketOptions']>['SpotOptions']): Partial<RunInstancesCommandInput> => ({ InstanceMarketOptions: { MarketType: 'spot', SpotOptions } });
const inZone = (zone: string): Partial<RunInstancesCommandInput> => ({ Placement: { AvailabilityZone: zone } });
const set = (fields: object) => t.sim.call('market-set', fields);
const see = async (id: string): Promise<Instance> => (await t.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))).Reservations![0]!.Instances![0]!;
const requestOf = async (instance: Instance): Promise<SpotInstanceRequest> =>
  (await t.ec2.send(new DescribeSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [instance.SpotInstanceRequestId!] }))).SpotInstanceRequests![0]!;

describe('RunInstances with market options', () => {
  test('R204 a spot launch carries its lifecycle and a request that is fulfilled, with tags of its own', async () => {
    const launched = await t.run({
      ...SPOT,
      TagSpecifications: [
        { ResourceType: 'instance', Tags: [{ Key: 'a', Value: 'machine' }] },
        { ResourceType: 'spot-instances-request', Tags: [{ Key: 'a', Value: 'request' }] },
      ],
    });
    expect(launched).toMatchObject({ InstanceLifecycle: 'spot', SpotInstanceRequestId: expect.stringMatching(/^sir-/), State: { Name: 'pending' } });
    const request = await requestOf(launched);
    expect(request).toMatchObject({
      State: 'active',
      Status: { Code: 'fulfilled', UpdateTime: new Date(t.clock.now()) },
      InstanceId: launched.InstanceId,
      Type: 'one-time',
      InstanceInterruptionBehavior: 'terminate',
      SpotPrice: '0.0104',
      LaunchedAvailabilityZone: launched.Placement!.AvailabilityZone,
      ProductDescription: 'Linux/UNIX',
      LaunchSpecification: { ImageId: X86_IMAGE, InstanceType: 't3.micro' },
      Tags: [{ Key: 'a', Value: 'request' }],
    });
    await t.ec2.send(new CreateTagsCommand({ Resources: [request.SpotInstanceRequestId!], Tags: [{ Key: 'b', Value: '2' }] }));
    expect((await requestOf(launched)).Tags).toHaveLength(2);
    const found = await t.ec2.send(new DescribeInstancesCommand({ Filters: [{ Name: 'spot-instance-request-id', Values: [request.SpotInstanceRequestId!] }, { Name: 'instance-lifecycle', Values: ['spot'] }] }));
    expect(found.Reservations!.flatMap((each) => each.Instances!.map((row) => row.InstanceId))).toEqual([launched.InstanceId]);
  });

  test('R204 an on-demand instance has no lifecycle and is not found by that filter', async () => {
    const plain = await t.run();
    expect(plain.InstanceLifecycle).toBeUndefined();
    const spot = await t.ec2.send(new DescribeInstancesCommand({ Filters: [{ Name: 'instance-lifecycle', Values: ['spot'] }] }));
    expect(spot.Reservations!.flatMap((each) => each.Instances!.map((row) => row.InstanceId))).not.toContain(plain.InstanceId);
  });

  test('R204 the same token gives the same spot instance and no second request', async () => {
    const first = await t.run({ ...SPOT, ClientToken: 'once' });
    expect(await t.run({ ...SPOT, ClientToken: 'once' })).toMatchObject({ InstanceId: first.InstanceId, SpotInstanceRequestId: first.SpotInstanceRequestId });
    expect(await failure(t.run({ ClientToken: 'once' }))).toMatchObject({ name: 'IdempotentParameterMismatch' });
  });

  test('R204 without a zone a spot launch goes to the cheapest pool with room', async () => {
    const zones = ['a', 'b', 'c', 'd', 'e', 'f'].map((letter) => `us-east-1${letter}`);
    const byPrice = zones.sort((a, b) => spotPriceAt(t.sim.cloud.world, 'm5.large', a, t.clock.now())! - spotPriceAt(t.sim.cloud.world, 'm5.large', b, t.clock.now())!);
    expect((await t.run({ ...SPOT, InstanceType: 'm5.large' })).Placement!.AvailabilityZone).toBe(byPrice[0]);
    await set({ type: 'm5.large', zone: byPrice[0], capacity: 1 });
    expect((await t.run({ ...SPOT, InstanceType: 'm5.large' })).Placement!.AvailabilityZone).toBe(byPrice[1]);
  });
});

describe('refusals at once', () => {
  test('R204 a price below the market: SpotMaxPriceTooLow with both prices; at the price it is given', async () => {
    await set({ type: 'c5.large', zone: 'us-east-1b', microUsdPerHour: 37_400 });
    const at = (MaxPrice: string) => t.run({ ...spotOptions({ MaxPrice }), ...inZone('us-east-1b'), InstanceType: 'c5.large' });
    expect(await failure(at('0.001'))).toMatchObject({
      name: 'SpotMaxPriceTooLow',
      message: 'Your Spot request price of 0.001 is lower than the minimum required Spot request fulfillment price of 0.0374.',
      $metadata: { httpStatusCode: 400 },
    });
    expect(await failure(at('0.0373'))).toMatchObject({ name: 'SpotMaxPriceTooLow' });
    expect((await requestOf(await at('0.0374'))).SpotPrice).toBe('0.0374');
  });

  test('R204 an empty pool: InsufficientInstanceCapacity with status 500; a zone beside it has room, on-demand has too', async () => {
    await set({ type: 'c5.xlarge', zone: 'us-east-1a', capacity: 0 });
    const error = await failure(t.run({ ...SPOT, ...inZone('us-east-1a'), InstanceType: 'c5.xlarge' }));
    expect(error).toMatchObject({ name: 'InsufficientInstanceCapacity', message: 'There is no Spot capacity available that matches your request.', $metadata: { httpStatusCode: 500 } });
    expect((await t.run({ ...SPOT, ...inZone('us-east-1b'), InstanceType: 'c5.xlarge' })).InstanceLifecycle).toBe('spot');
    expect((await t.run({ ...inZone('us-east-1a'), InstanceType: 'c5.xlarge' })).InstanceLifecycle).toBeUndefined();
  });

  test('R204 a pool with less room than MaxCount gives what it has, down to MinCount', async () => {
    await set({ type: 'c5.2xlarge', zone: 'us-east-1c', capacity: 2 });
    const many = (MinCount: number) => t.ec2.send(new RunInstancesCommand({ ImageId: X86_IMAGE, InstanceType: 'c5.2xlarge', MinCount, MaxCount: 3, ...SPOT, ...inZone('us-east-1c') }));
    expect(await failure(many(3))).toMatchObject({ name: 'InsufficientInstanceCapacity' });
    const { Instances } = await many(1);
    expect(new Set(Instances!.map((row) => row.SpotInstanceRequestId)).size).toBe(2);
  });

  test('R204 the quota of spot vCPUs is its own: MaxSpotInstanceCountExceeded, while on-demand still goes', async () => {
    for (const code of ['L-3819A6DF', 'L-DB2E81BA']) t.sim.cloud.world.table<{ value: number }>('servicequotas.values').put(`us-west-2/${code}`, { value: 4 });
    const client = t.client(EC2Client, 'us-west-2');
    const west: RunInstancesCommandInput = { ImageId: 'resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64', InstanceType: 'g5.xlarge', MinCount: 1, MaxCount: 1 };
    await client.send(new RunInstancesCommand({ ...west, ...SPOT }));
    const error = await failure(client.send(new RunInstancesCommand({ ...west, ...SPOT })));
    expect(error).toMatchObject({ name: 'MaxSpotInstanceCountExceeded', message: 'Max spot instance count exceeded', $metadata: { httpStatusCode: 400 } });
    expect((await client.send(new RunInstancesCommand(west))).Instances).toHaveLength(1);
    expect(await failure(client.send(new RunInstancesCommand(west)))).toMatchObject({ name: 'VcpuLimitExceeded' });
    client.destroy();
  });

  test('R204 a dry run says whether it would be allowed, and leaves no request behind', async () => {
    const before = (await t.ec2.send(new DescribeSpotInstanceRequestsCommand({}))).SpotInstanceRequests!.length;
    expect(await failure(t.run({ ...SPOT, DryRun: true }))).toMatchObject({ name: 'DryRunOperation', $metadata: { httpStatusCode: 412 } });
    expect((await t.ec2.send(new DescribeSpotInstanceRequestsCommand({}))).SpotInstanceRequests).toHaveLength(before);
  });

  test.each<[string, Partial<RunInstancesCommandInput>, string, string]>([
    ['one-time that stops', spotOptions({ SpotInstanceType: 'one-time', InstanceInterruptionBehavior: 'stop' }), 'InvalidParameterCombination', "The request with type 'one-time' is not supported when instanceInterruptionBehavior is set to 'stop'."],
    ['persistent that terminates', spotOptions({ SpotInstanceType: 'persistent' }), 'InvalidParameterCombination', 'persistent'],
    ['one-time with an end date', spotOptions({ ValidUntil: new Date('2026-02-01T00:00:00Z') }), 'InvalidParameterCombination', 'ValidUntil'],
    ['an end date that has passed', spotOptions({ SpotInstanceType: 'persistent', InstanceInterruptionBehavior: 'stop', ValidUntil: new Date('2025-02-01T00:00:00Z') }), 'InvalidTime', 'future'],
    ['a price of nothing', spotOptions({ MaxPrice: '0.0005' }), 'InvalidParameterValue', '0.0005'],
    ['a price that is none', spotOptions({ MaxPrice: 'cheap' }), 'InvalidParameterValue', 'cheap'],
    ['an unknown market', { InstanceMarketOptions: { MarketType: 'bazaar' as 'spot' } }, 'InvalidParameterValue', 'bazaar'],
    ['a market that is not here', { InstanceMarketOptions: { MarketType: 'capacity-block' } }, 'UnsupportedOperation', 'capacity-block'],
    ['options without a market', { InstanceMarketOptions: { SpotOptions: { MaxPrice: '1' } } }, 'InvalidParameterCombination', 'spot'],
    ['an unknown behaviour', spotOptions({ InstanceInterruptionBehavior: 'sulk' as 'stop' }), 'InvalidParameterValue', 'sulk'],
    ['stop protection', { ...SPOT, DisableApiStop: true }, 'UnsupportedOperation', 'Stop protection'],
  ])('R204 %s is refused', async (_, input, name, part) => {
    expect(await failure(t.run(input))).toMatchObject({ name, message: expect.stringContaining(part) });
  });
});

describe('stop and start by the user', () => {
  test('R204 a one-time spot instance cannot be stopped', async () => {
    const id = (await t.run(SPOT)).InstanceId!;
    await t.clock.advance(TEST_DIAL.pendingMs);
    const error = await failure(t.ec2.send(new StopInstancesCommand({ InstanceIds: [id] })));
    expect(error).toMatchObject({
      name: 'UnsupportedOperation',
      message: `You can't stop the Spot Instance '${id}' because it is associated with a one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests.`,
    });
    expect((await see(id)).State!.Name).toBe('running');
  });

  test('R204 a persistent one stops by its user (disabled) and starts again (active), if the market lets it', async () => {
    const zone = inZone('us-east-1d');
    const launched = await t.run({ ...spotOptions({ SpotInstanceType: 'persistent', InstanceInterruptionBehavior: 'stop' }), ...zone, InstanceType: 'm5.xlarge' });
    const id = launched.InstanceId!;
    await t.clock.advance(TEST_DIAL.pendingMs);
    await t.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
    expect(await requestOf(launched)).toMatchObject({ State: 'active', Status: { Code: 'marked-for-stop' } });
    await t.clock.advance(TEST_DIAL.stoppingMs);
    expect(await requestOf(launched)).toMatchObject({ State: 'disabled', Status: { Code: 'instance-stopped-by-user' } });
    const start = () => t.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
    await set({ type: 'm5.xlarge', zone: 'us-east-1d', capacity: 0 });
    expect(await failure(start())).toMatchObject({ name: 'InsufficientInstanceCapacity', $metadata: { httpStatusCode: 500 } });
    await set({ type: 'm5.xlarge', zone: 'us-east-1d', capacity: null });
    await start();
    expect(await requestOf(launched)).toMatchObject({ State: 'active', Status: { Code: 'fulfilled' } });
    await t.clock.advance(TEST_DIAL.pendingMs);
    expect((await see(id)).State!.Name).toBe('running');
  });

  test('R204 a one-time spot instance that powers itself off ends, whatever its shutdown behaviour says', async () => {
    const launched = await t.run({ ...SPOT, InstanceInitiatedShutdownBehavior: 'stop' });
    await t.clock.advance(TEST_DIAL.pendingMs);
    t.machines.powerOff(launched.InstanceId!);
    await t.clock.advance(TEST_DIAL.shuttingDownMs);
    expect(await see(launched.InstanceId!)).toMatchObject({ State: { Name: 'terminated' }, StateReason: { Code: 'Client.InstanceInitiatedShutdown' }, StateTransitionReason: '' });
    expect(await requestOf(launched)).toMatchObject({ State: 'closed', Status: { Code: 'instance-terminated-by-user' } });
  });
});
