import {
  CancelSpotInstanceRequestsCommand,
  CreateKeyPairCommand,
  DeleteKeyPairCommand,
  DescribeInstancesCommand,
  DescribeSpotInstanceRequestsCommand,
  RequestSpotInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { Instance, RequestSpotInstancesCommandInput, RunInstancesCommandInput, SpotInstanceRequest } from '@aws-sdk/client-ec2';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TEST_DIAL, X86_IMAGE, failure, startTestSim } from '../../../../test/support/test-sim.ts';
import type { TestSim } from '../../../../test/support/test-sim.ts';

let t: TestSim;
beforeEach(async () => {
  t = await startTestSim();
});
afterEach(() => t.close());

const MINUTE = 60_000;
const PERSISTENT: Partial<RunInstancesCommandInput> = { InstanceMarketOptions: { MarketType: 'spot', SpotOptions: { SpotInstanceType: 'persistent', InstanceInterruptionBehavior: 'stop' } } };
const ask = async (input: Partial<RequestSpotInstancesCommandInput> = {}): Promise<SpotInstanceRequest[]> =>
  (await t.ec2.send(new RequestSpotInstancesCommand({ LaunchSpecification: { ImageId: X86_IMAGE, InstanceType: 't3.micro', Placement: { AvailabilityZone: 'us-east-1a' } }, ...input }))).SpotInstanceRequests!;
const request = async (id: string | undefined): Promise<SpotInstanceRequest> => (await t.ec2.send(new DescribeSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [id!] }))).SpotInstanceRequests![0]!;
const cancel = (...ids: (string | undefined)[]) => t.ec2.send(new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds: ids.map((id) => id!) }));
const see = async (id: string | undefined): Promise<Instance> => (await t.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id!] }))).Reservations![0]!.Instances![0]!;
const set = (fields: object) => t.sim.call('market-set', { type: 't3.micro', zone: 'us-east-1a', ...fields });
const MOMENT = TEST_DIAL.pendingMs / 2;

async function running(input: Partial<RunInstancesCommandInput>): Promise<Instance> {
  const launched = await t.run(input);
  await t.clock.advance(TEST_DIAL.pendingMs);
  return launched;
}

describe('RequestSpotInstances', () => {
  test('R204 evaluated, then fulfilled: open, active, with an instance that runs', async () => {
    const [asked] = await ask({ SpotPrice: '0.01', TagSpecifications: [{ ResourceType: 'spot-instances-request', Tags: [{ Key: 'a', Value: '1' }] }] });
    expect(asked).toMatchObject({ State: 'open', Status: { Code: 'pending-evaluation' }, SpotPrice: '0.01', Type: 'one-time', Tags: [{ Key: 'a', Value: '1' }] });
    expect(asked!.InstanceId).toBeUndefined();
    await t.clock.advance(MOMENT);
    expect(await request(asked!.SpotInstanceRequestId)).toMatchObject({ State: 'open', Status: { Code: 'pending-fulfillment' } });
    await t.clock.advance(MOMENT);
    const filled = await request(asked!.SpotInstanceRequestId);
    expect(filled).toMatchObject({ State: 'active', Status: { Code: 'fulfilled' }, LaunchedAvailabilityZone: 'us-east-1a' });
    await t.clock.advance(TEST_DIAL.pendingMs);
    expect(await see(filled.InstanceId)).toMatchObject({ State: { Name: 'running' }, InstanceLifecycle: 'spot', SpotInstanceRequestId: filled.SpotInstanceRequestId });
  });

  test.each([
    ['capacity-not-available', { capacity: 0 }, { capacity: null }, 'There is no Spot capacity available that matches your request.'],
    ['price-too-low', { microUsdPerHour: 9_000 }, { microUsdPerHour: 4_000 }, 'Your Spot request price of 0.005 is lower than the minimum required Spot request fulfillment price of 0.009.'],
  ])('R204 held with %s, and fulfilled when the market changes', async (code, bad, good, message) => {
    await set(bad);
    const [asked] = await ask({ SpotPrice: '0.005' });
    await t.clock.advance(60 * MINUTE);
    expect(await request(asked!.SpotInstanceRequestId)).toMatchObject({ State: 'open', Status: { Code: code, Message: message } });
    await set({ microUsdPerHour: 4_000, ...good });
    expect((await request(asked!.SpotInstanceRequestId)).Status!.Code).toBe('pending-fulfillment');
    await t.clock.advance(MOMENT);
    expect(await request(asked!.SpotInstanceRequestId)).toMatchObject({ State: 'active', Status: { Code: 'fulfilled' } });
  });

  test('R204 room that another instance leaves is given to the one that waits', async () => {
    await set({ capacity: 1 });
    const first = await running({ InstanceMarketOptions: { MarketType: 'spot' }, Placement: { AvailabilityZone: 'us-east-1a' } });
    const [asked] = await ask();
    await t.clock.advance(2 * MOMENT);
    expect((await request(asked!.SpotInstanceRequestId)).Status!.Code).toBe('capacity-not-available');
    await t.ec2.send(new TerminateInstancesCommand({ InstanceIds: [first.InstanceId!] }));
    await t.clock.advance(2 * MOMENT);
    expect((await request(asked!.SpotInstanceRequestId)).State).toBe('active');
  });

  test('R204 ValidUntil: schedule-expired, also when it waits in a restarted server', async () => {
    await set({ capacity: 0 });
    const [asked] = await ask({ ValidUntil: new Date(t.clock.now() + 10 * MINUTE) });
    await t.clock.advance(MINUTE);
    t = await t.restart();
    await t.clock.advance(9 * MINUTE - 1);
    expect(await request(asked!.SpotInstanceRequestId)).toMatchObject({ State: 'open' });
    await t.clock.advance(1);
    expect(await request(asked!.SpotInstanceRequestId)).toMatchObject({ State: 'cancelled', Status: { Code: 'schedule-expired' } });
    await set({ capacity: null });
    await t.clock.advance(MINUTE);
    expect((await request(asked!.SpotInstanceRequestId)).InstanceId).toBeUndefined();
  });

  test('R204 what cannot be launched any more fails with bad-parameters', async () => {
    await t.ec2.send(new CreateKeyPairCommand({ KeyName: 'k' }));
    const [asked] = await ask({ LaunchSpecification: { ImageId: X86_IMAGE, InstanceType: 't3.micro', KeyName: 'k' } });
    await t.ec2.send(new DeleteKeyPairCommand({ KeyName: 'k' }));
    await t.clock.advance(MOMENT);
    expect(await request(asked!.SpotInstanceRequestId)).toMatchObject({ State: 'failed', Status: { Code: 'bad-parameters' }, Fault: { Code: 'InvalidKeyPair.NotFound' } });
  });

  test('R204 several at once, one token, and refusals at the call', async () => {
    const first = await ask({ InstanceCount: 2, ClientToken: 'once' });
    expect(first).toHaveLength(2);
    expect((await ask({ InstanceCount: 2, ClientToken: 'once' })).map((row) => row.SpotInstanceRequestId)).toEqual(first.map((row) => row.SpotInstanceRequestId));
    expect(await failure(ask({ InstanceCount: 0 }))).toMatchObject({ name: 'InvalidParameterValue' });
    expect(await failure(ask({ LaunchSpecification: { ImageId: X86_IMAGE, InstanceType: 'p5.48xlarge' }, InstanceCount: 2 }))).toMatchObject({ name: 'MaxSpotInstanceCountExceeded' });
    expect(await failure(ask({ InstanceInterruptionBehavior: 'stop' }))).toMatchObject({ name: 'InvalidParameterCombination' });
    expect(await failure(ask({ LaunchSpecification: undefined }))).toMatchObject({ name: 'MissingParameter' });
  });

  test('R204 a persistent request gets a replacement for what its user terminates, unless it was cancelled first', async () => {
    const [asked] = await ask({ Type: 'persistent' });
    await t.clock.advance(2 * MOMENT + TEST_DIAL.pendingMs);
    const first = (await request(asked!.SpotInstanceRequestId)).InstanceId!;
    await t.ec2.send(new TerminateInstancesCommand({ InstanceIds: [first] }));
    expect(await request(asked!.SpotInstanceRequestId)).toMatchObject({ State: 'open', Status: { Code: 'instance-terminated-by-user' } });
    await t.clock.advance(5 * MINUTE);
    const second = await request(asked!.SpotInstanceRequestId);
    expect(second).toMatchObject({ State: 'active', Status: { Code: 'fulfilled' } });
    expect(second.InstanceId).not.toBe(first);
    await cancel(asked!.SpotInstanceRequestId);
    await t.ec2.send(new TerminateInstancesCommand({ InstanceIds: [second.InstanceId!] }));
    await t.clock.advance(30 * MINUTE);
    expect(await request(asked!.SpotInstanceRequestId)).toMatchObject({ State: 'cancelled', Status: { Code: 'instance-terminated-by-user' }, InstanceId: second.InstanceId });
  });

  test('R204 a persistent request that is interrupted is open, and filled again some minutes later', async () => {
    const [asked] = await ask({ Type: 'persistent' });
    await t.clock.advance(2 * MOMENT + TEST_DIAL.pendingMs);
    const first = (await request(asked!.SpotInstanceRequestId)).InstanceId!;
    await t.sim.call('interrupt', { instanceId: first });
    expect(await request(asked!.SpotInstanceRequestId)).toMatchObject({ State: 'open', Status: { Code: 'instance-terminated-no-capacity' }, InstanceId: first });
    await t.clock.advance(2 * MINUTE + 4 * MINUTE);
    expect((await request(asked!.SpotInstanceRequestId)).InstanceId).toBe(first);
    await t.clock.advance(2 * MINUTE);
    expect(await request(asked!.SpotInstanceRequestId)).toMatchObject({ State: 'active', Status: { Code: 'fulfilled' } });
    expect((await request(asked!.SpotInstanceRequestId)).InstanceId).not.toBe(first);
  });
});

describe('CancelSpotInstanceRequests', () => {
  test('R204 an open one never gets an instance', async () => {
    const [asked] = await ask();
    expect((await cancel(asked!.SpotInstanceRequestId)).CancelledSpotInstanceRequests).toEqual([{ SpotInstanceRequestId: asked!.SpotInstanceRequestId, State: 'cancelled' }]);
    expect(await request(asked!.SpotInstanceRequestId)).toMatchObject({ State: 'cancelled', Status: { Code: 'canceled-before-fulfillment' } });
    await t.clock.advance(10 * MINUTE);
    expect((await t.ec2.send(new DescribeInstancesCommand({}))).Reservations).toEqual([]);
  });

  test('R204 of a running instance only the request ends: the instance runs on, and ends with a status of its own', async () => {
    const spot = await running({ InstanceMarketOptions: { MarketType: 'spot' } });
    await cancel(spot.SpotInstanceRequestId);
    await cancel(spot.SpotInstanceRequestId);
    await t.clock.advance(60 * MINUTE);
    expect(await request(spot.SpotInstanceRequestId)).toMatchObject({ State: 'cancelled', Status: { Code: 'request-canceled-and-instance-running' } });
    expect((await see(spot.InstanceId)).State!.Name).toBe('running');
    await t.ec2.send(new TerminateInstancesCommand({ InstanceIds: [spot.InstanceId!] }));
    expect(await request(spot.SpotInstanceRequestId)).toMatchObject({ State: 'cancelled', Status: { Code: 'instance-terminated-by-user' } });
  });

  test('R204 a stopped instance ends with its request', async () => {
    const spot = await running(PERSISTENT);
    await t.ec2.send(new StopInstancesCommand({ InstanceIds: [spot.InstanceId!] }));
    await t.clock.advance(TEST_DIAL.stoppingMs);
    await cancel(spot.SpotInstanceRequestId);
    expect(await request(spot.SpotInstanceRequestId)).toMatchObject({ State: 'cancelled', Status: { Code: 'instance-terminated-by-service' } });
    expect((await see(spot.InstanceId)).State!.Name).toBe('terminated');
  });

  test('R204 cancelled while the market stops the instance: it ends as soon as it is stopped', async () => {
    const spot = await running(PERSISTENT);
    await t.sim.call('interrupt', { instanceId: spot.InstanceId, noticeMs: 0 });
    await t.clock.advance(0);
    await cancel(spot.SpotInstanceRequestId);
    await t.clock.advance(TEST_DIAL.stoppingMs);
    expect(await request(spot.SpotInstanceRequestId)).toMatchObject({ State: 'cancelled', Status: { Code: 'instance-terminated-by-service' } });
    expect((await see(spot.InstanceId)).State!.Name).toBe('terminated');
  });

  test('R204 one that is closed stays closed', async () => {
    const spot = await running({ InstanceMarketOptions: { MarketType: 'spot' } });
    await t.ec2.send(new TerminateInstancesCommand({ InstanceIds: [spot.InstanceId!] }));
    expect((await cancel(spot.SpotInstanceRequestId)).CancelledSpotInstanceRequests![0]!.State).toBe('closed');
    expect(await request(spot.SpotInstanceRequestId)).toMatchObject({ State: 'closed', Status: { Code: 'instance-terminated-by-user' } });
  });

  test('R204 unknown and malformed ids are refused, and then nothing is cancelled', async () => {
    const [asked] = await ask();
    expect(await failure(cancel(asked!.SpotInstanceRequestId, 'sir-00000000000000000'))).toMatchObject({ name: 'InvalidSpotInstanceRequestID.NotFound' });
    expect(await failure(cancel('request'))).toMatchObject({ name: 'InvalidSpotInstanceRequestID.Malformed' });
    expect((await request(asked!.SpotInstanceRequestId)).State).toBe('open');
  });
});

describe('DescribeSpotInstanceRequests', () => {
  test('R204 filters by state, status, instance and tag; pages; forgets four hours after the end', async () => {
    const spot = await running({ InstanceMarketOptions: { MarketType: 'spot' } });
    for (let n = 0; n < 6; n++) await ask({ TagSpecifications: [{ ResourceType: 'spot-instances-request', Tags: [{ Key: 'n', Value: String(n) }] }] });
    const find = async (Name: string, ...Values: string[]) => (await t.ec2.send(new DescribeSpotInstanceRequestsCommand({ Filters: [{ Name, Values }] }))).SpotInstanceRequests!;
    expect(await find('state', 'open')).toHaveLength(6);
    expect(await find('status-code', 'fulfilled')).toHaveLength(1);
    expect((await find('instance-id', spot.InstanceId!)).map((row) => row.SpotInstanceRequestId)).toEqual([spot.SpotInstanceRequestId]);
    expect(await find('tag:n', '2', '3')).toHaveLength(2);
    const first = await t.ec2.send(new DescribeSpotInstanceRequestsCommand({ MaxResults: 5 }));
    const rest = await t.ec2.send(new DescribeSpotInstanceRequestsCommand({ MaxResults: 5, NextToken: first.NextToken }));
    expect(new Set([...first.SpotInstanceRequests!, ...rest.SpotInstanceRequests!].map((row) => row.SpotInstanceRequestId)).size).toBe(7);
    expect(rest.NextToken).toBeFalsy();
    const [gone] = await find('tag:n', '0');
    await cancel(gone!.SpotInstanceRequestId);
    await t.clock.advance(4 * 60 * MINUTE);
    expect(await find('tag:n', '0')).toHaveLength(1);
    await t.clock.advance(1000);
    expect(await find('tag:n', '0')).toEqual([]);
  });
});
