import {
  DescribeInstancesCommand,
  DescribeVolumesCommand,
  GetConsoleOutputCommand,
  ModifyInstanceAttributeCommand,
  DescribeInstanceAttributeCommand,
  DescribeInstanceStatusCommand,
  RebootInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { Instance, InstanceStateName } from '@aws-sdk/client-ec2';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TEST_DIAL, failure, startTestSim } from '../../../../test/support/test-sim.ts';
import type { TestSim } from '../../../../test/support/test-sim.ts';

let t: TestSim;
beforeEach(async () => {
  t = await startTestSim();
});
afterEach(() => t.close());

const see = async (id: string, sim: TestSim = t): Promise<Instance> => (await sim.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))).Reservations![0]!.Instances![0]!;
const stop = (id: string) => t.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
const start = (id: string) => t.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
const terminate = (...ids: string[]) => t.ec2.send(new TerminateInstancesCommand({ InstanceIds: ids }));

/** An instance brought to a state by calls and time alone. */
async function inState(state: InstanceStateName): Promise<string> {
  const id = (await t.run()).InstanceId!;
  if (state === 'pending') return id;
  await t.clock.advance(TEST_DIAL.pendingMs);
  if (state === 'stopping' || state === 'stopped') await stop(id);
  if (state === 'stopped') await t.clock.advance(TEST_DIAL.stoppingMs);
  if (state === 'shutting-down' || state === 'terminated') await terminate(id);
  if (state === 'terminated') await t.clock.advance(TEST_DIAL.shuttingDownMs);
  expect((await see(id)).State!.Name).toBe(state);
  return id;
}

describe('the state matrix', () => {
  const calls = {
    start: (id: string) => t.ec2.send(new StartInstancesCommand({ InstanceIds: [id] })).then((a) => a.StartingInstances![0]!),
    stop: (id: string) => t.ec2.send(new StopInstancesCommand({ InstanceIds: [id] })).then((a) => a.StoppingInstances![0]!),
    terminate: (id: string) => t.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] })).then((a) => a.TerminatingInstances![0]!),
    reboot: (id: string) => t.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] })).then(() => ({ CurrentState: { Name: 'running' } })),
  };
  const wrong = 'IncorrectInstanceState';
  test.each<[InstanceStateName, keyof typeof calls, string]>([
    ['pending', 'start', 'pending'],
    ['running', 'start', 'running'],
    ['stopping', 'start', wrong],
    ['stopped', 'start', 'pending'],
    ['shutting-down', 'start', wrong],
    ['terminated', 'start', wrong],
    ['pending', 'stop', wrong],
    ['running', 'stop', 'stopping'],
    ['stopping', 'stop', 'stopping'],
    ['stopped', 'stop', 'stopped'],
    ['shutting-down', 'stop', wrong],
    ['terminated', 'stop', wrong],
    ['pending', 'terminate', 'shutting-down'],
    ['running', 'terminate', 'shutting-down'],
    ['stopping', 'terminate', 'shutting-down'],
    ['stopped', 'terminate', 'terminated'],
    ['shutting-down', 'terminate', 'shutting-down'],
    ['terminated', 'terminate', 'terminated'],
    ['pending', 'reboot', wrong],
    ['running', 'reboot', 'running'],
    ['stopped', 'reboot', wrong],
  ])('R204 from %s, %s: %s', async (from, call, result) => {
    const id = await inState(from);
    if (result === wrong) {
      expect(await failure(calls[call](id))).toMatchObject({ name: wrong, message: expect.stringContaining(id), $metadata: { httpStatusCode: 400 } });
      expect((await see(id)).State!.Name).toBe(from);
    } else {
      const answer = await calls[call](id);
      expect(answer.CurrentState!.Name).toBe(result);
      if (call !== 'reboot') expect(answer).toMatchObject({ InstanceId: id, PreviousState: { Name: from } });
      expect((await see(id)).State!.Name).toBe(result);
    }
  });
});

describe('stop and start', () => {
  test('R204 stop takes the public address, keeps private address and disk; start gives a new launch time and address', async () => {
    const id = await inState('running');
    const before = await see(id);
    await stop(id);
    const stopping = await see(id);
    expect(stopping).toMatchObject({ State: { Code: 64 }, StateReason: { Code: 'Client.UserInitiatedShutdown', Message: 'Client.UserInitiatedShutdown: User initiated shutdown' }, StateTransitionReason: 'User initiated (2026-01-01 00:00:10 GMT)' });
    expect(stopping.PublicIpAddress).toBeUndefined();
    expect(t.machines.calls).toContain(`shutdown ${id} ${TEST_DIAL.stoppingMs}`);
    await t.clock.advance(TEST_DIAL.stoppingMs);
    expect((await see(id)).State).toEqual({ Code: 80, Name: 'stopped' });
    await t.clock.advance(3_600_000);
    await start(id);
    const pending = await see(id);
    expect(pending).toMatchObject({ State: { Name: 'pending' }, PrivateIpAddress: before.PrivateIpAddress });
    expect(pending.StateReason).toBeUndefined();
    expect(pending.LaunchTime!.getTime()).toBe(t.clock.now());
    // Of the launch itself, before it became running.
    expect(pending.NetworkInterfaces![0]!.Attachment!.AttachTime).toEqual(new Date(before.LaunchTime!.getTime() - TEST_DIAL.pendingMs));
    await t.clock.advance(TEST_DIAL.pendingMs);
    const again = await see(id);
    expect(again.PublicIpAddress).toBeDefined();
    expect(again.PublicIpAddress).not.toBe(before.PublicIpAddress);
    expect(again.BlockDeviceMappings).toEqual(before.BlockDeviceMappings);
    expect(t.machines.calls.filter((call) => call === `boot ${id}`)).toHaveLength(2);
    expect(t.machines.disks.has(id)).toBe(true);
  });

  test('R204 a failed start of an old instance leaves it stopped, with its disk', async () => {
    const id = await inState('stopped');
    t.machines.failBoots('broken');
    await start(id);
    await t.clock.advance(TEST_DIAL.pendingMs);
    expect(await see(id)).toMatchObject({ State: { Name: 'stopped' }, StateReason: { Code: 'Server.InternalError' } });
    expect(t.machines.disks.has(id)).toBe(true);
    t.machines.failBoots(undefined);
    await start(id);
    await t.clock.advance(TEST_DIAL.pendingMs);
    expect((await see(id)).State!.Name).toBe('running');
  });

  test('R204 a start beyond the vCPU quota fails as a whole', async () => {
    const ids = [await inState('stopped'), await inState('stopped')];
    t.sim.cloud.world.table('servicequotas.values').put('us-east-1/L-1216C47A', { value: 3 });
    expect(await failure(t.ec2.send(new StartInstancesCommand({ InstanceIds: ids })))).toMatchObject({ name: 'VcpuLimitExceeded' });
    expect((await see(ids[0]!)).State!.Name).toBe('stopped');
    await start(ids[0]!);
  });

  test('R204 stop protection and DryRun', async () => {
    const id = await inState('running');
    await t.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: id, DisableApiStop: { Value: true } }));
    expect(await failure(stop(id))).toMatchObject({ name: 'OperationNotPermitted' });
    await t.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: id, DisableApiStop: { Value: false } }));
    expect(await failure(t.ec2.send(new StopInstancesCommand({ InstanceIds: [id], DryRun: true })))).toMatchObject({ name: 'DryRunOperation' });
    expect((await see(id)).State!.Name).toBe('running');
  });
});

describe('terminate', () => {
  test('R204 the guest goes, the disk goes, the instance stays visible for an hour and then is unknown', async () => {
    const id = await inState('running');
    await terminate(id);
    expect((await see(id)).State).toEqual({ Code: 32, Name: 'shutting-down' });
    await t.clock.advance(TEST_DIAL.shuttingDownMs);
    const gone = await see(id);
    expect(gone).toMatchObject({ State: { Code: 48, Name: 'terminated' }, StateReason: { Code: 'Client.UserInitiatedShutdown' }, NetworkInterfaces: [], BlockDeviceMappings: [] });
    expect(gone.PrivateIpAddress).toBeUndefined();
    expect(t.machines.calls).toContain(`destroy ${id}`);
    expect((await t.ec2.send(new DescribeVolumesCommand({}))).Volumes).toEqual([]);
    await t.clock.advance(TEST_DIAL.terminatedVisibleMs + 1);
    expect(await failure(see(id))).toMatchObject({ name: 'InvalidInstanceID.NotFound', message: `The instance ID '${id}' does not exist` });
  });

  test('R204 a disk with DeleteOnTermination off stays, available', async () => {
    const { InstanceId: id } = await t.run({ BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { DeleteOnTermination: false } }] });
    await terminate(id!);
    await t.clock.advance(TEST_DIAL.shuttingDownMs);
    expect((await t.ec2.send(new DescribeVolumesCommand({}))).Volumes).toMatchObject([{ State: 'available', Attachments: [] }]);
  });

  test('R204 one bad id and none is terminated; protection holds', async () => {
    const id = await inState('running');
    expect(await failure(terminate(id, 'i-0123456789abcdef0'))).toMatchObject({ name: 'InvalidInstanceID.NotFound' });
    expect(await failure(terminate(id, 'server'))).toMatchObject({ name: 'InvalidInstanceID.Malformed', message: 'Invalid id: "server" (expecting "i-...")' });
    await t.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: id, DisableApiTermination: { Value: true } }));
    expect(await failure(terminate(id))).toMatchObject({ name: 'OperationNotPermitted', message: expect.stringContaining('disableApiTermination') });
    expect((await see(id)).State!.Name).toBe('running');
    expect(await failure(t.ec2.send(new TerminateInstancesCommand({ InstanceIds: [] })))).toMatchObject({ name: 'MissingParameter' });
  });

  test('R204 all or none: a refusal of the second leaves the first alone', async () => {
    const free = await inState('running');
    const guarded = await inState('running');
    await t.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: guarded, DisableApiTermination: { Value: true } }));
    expect(await failure(terminate(free, guarded))).toMatchObject({ name: 'OperationNotPermitted', message: expect.stringContaining(guarded) });
    expect((await see(free)).State!.Name).toBe('running');
  });

  test('R204 terminated in the middle of its boot: no guest is left and no running is billed', async () => {
    const { InstanceId: id } = await t.run();
    const release = t.machines.holdBoots();
    const advanced = t.clock.advance(TEST_DIAL.pendingMs);
    await terminate(id!);
    release();
    await advanced;
    await t.clock.advance(TEST_DIAL.shuttingDownMs);
    expect((await see(id!)).State!.Name).toBe('terminated');
    expect([t.machines.isUp(id!), t.machines.disks.has(id!)]).toEqual([false, false]);
    expect(t.sim.meter().lines).toMatchObject([{ runningSeconds: 0, computeMicroUsd: 0, addressMicroUsd: 0 }]);
  });

  test('R204 terminated while pending: no guest is left, whenever its boot would have come', async () => {
    const id = await inState('pending');
    await terminate(id);
    await t.clock.advance(60_000);
    expect((await see(id)).State!.Name).toBe('terminated');
    expect(t.machines.isUp(id)).toBe(false);
    expect(t.machines.disks.has(id)).toBe(false);
    expect(t.sim.meter().lines).toMatchObject([{ runningSeconds: 0, computeMicroUsd: 0, addressMicroUsd: 0 }]);
  });
});

describe('what the guest does by itself', () => {
  test('R204 poweroff with behaviour stop: stopping, stopped, Client.InstanceInitiatedShutdown', async () => {
    const id = await inState('running');
    t.machines.powerOff(id);
    expect(await see(id)).toMatchObject({ State: { Name: 'stopping' }, StateReason: { Code: 'Client.InstanceInitiatedShutdown', Message: 'Client.InstanceInitiatedShutdown: Instance initiated shutdown' } });
    await t.clock.advance(TEST_DIAL.stoppingMs);
    expect((await see(id)).State!.Name).toBe('stopped');
    expect(t.machines.disks.has(id)).toBe(true);
  });

  test('R204 poweroff with behaviour terminate ends the instance and its billing', async () => {
    const { InstanceId } = await t.run({ InstanceInitiatedShutdownBehavior: 'terminate' });
    await t.clock.advance(TEST_DIAL.pendingMs + 120_000);
    t.machines.powerOff(InstanceId!);
    await t.clock.advance(TEST_DIAL.shuttingDownMs);
    expect(await see(InstanceId!)).toMatchObject({ State: { Name: 'terminated' }, StateReason: { Code: 'Client.InstanceInitiatedShutdown' } });
    await t.clock.advance(3_600_000);
    expect(t.sim.meter().lines).toMatchObject([{ runningSeconds: 120 }]);
  });

  test('R204 a reboot keeps state, address and disk', async () => {
    const id = await inState('running');
    const before = await see(id);
    await t.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }));
    expect(await see(id)).toMatchObject({ State: { Name: 'running' }, PublicIpAddress: before.PublicIpAddress, LaunchTime: before.LaunchTime });
    expect(t.machines.calls.some((call) => call.startsWith(`reboot ${id}`))).toBe(true);
  });
});

describe('over a restart of the server', () => {
  test('R208 pending, stopping and shutting-down go on from where they were, counted from when they began', async () => {
    const launched = (await t.run()).InstanceId!;
    const stopped = await inState('running');
    await stop(stopped);
    const ended = await inState('running');
    await terminate(ended);
    await t.clock.advance(5_000);
    // The directory is handed on; afterEach closes the new one.
    t = await t.restart();
    expect(await Promise.all([launched, stopped, ended].map(async (id) => (await see(id)).State!.Name))).toEqual(['running', 'stopping', 'shutting-down']);
    await t.clock.advance(TEST_DIAL.shuttingDownMs - 5_000);
    expect((await see(ended)).State!.Name).toBe('terminated');
    await t.clock.advance(TEST_DIAL.stoppingMs);
    expect((await see(stopped)).State!.Name).toBe('stopped');
  });

  test('R208 a pending instance becomes running after the rest of its delay', async () => {
    const { InstanceId } = await t.run();
    await t.clock.advance(4_000);
    t = await t.restart();
    await t.clock.advance(5_999);
    expect((await see(InstanceId!)).State!.Name).toBe('pending');
    await t.clock.advance(1);
    expect((await see(InstanceId!)).State!.Name).toBe('running');
  });

  test('R208 running instances keep address, token and tags, and are booted again when their guest is gone', async () => {
    const { InstanceId: id } = await t.run({ ClientToken: 'keep', TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'k', Value: 'v' }] }] });
    await t.clock.advance(TEST_DIAL.pendingMs);
    const before = await see(id!);
    const keys = t.sim.credentials();
    t = await t.restart();
    expect(t.sim.credentials()).toEqual(keys);
    expect(await see(id!)).toEqual(before);
    expect(t.machines.calls).toEqual([`adopt ${id}`, `boot ${id}`]);
    expect((await t.run({ ClientToken: 'keep', TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'k', Value: 'v' }] }] })).InstanceId).toBe(id);
  });
});

describe('attributes, status, console', () => {
  test('R204 the type changes only while stopped, to the same architecture', async () => {
    const id = await inState('running');
    const change = (value: string) => t.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: id, InstanceType: { Value: value } }));
    expect(await failure(change('t3.large'))).toMatchObject({ name: 'IncorrectInstanceState' });
    await stop(id);
    await t.clock.advance(TEST_DIAL.stoppingMs);
    expect(await failure(change('t4g.micro'))).toMatchObject({ name: 'InvalidParameterValue' });
    expect(await failure(change('nonsense'))).toMatchObject({ name: 'InvalidParameterValue' });
    await change('t3.large');
    expect((await see(id)).InstanceType).toBe('t3.large');
    expect(await failure(t.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: id })))).toMatchObject({ name: 'InvalidParameterCombination' });
  });

  test('R204 shutdown behaviour can be changed and read back', async () => {
    const id = await inState('running');
    await t.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: id, Attribute: 'instanceInitiatedShutdownBehavior', Value: 'terminate' }));
    const shown = await t.ec2.send(new DescribeInstanceAttributeCommand({ InstanceId: id, Attribute: 'instanceInitiatedShutdownBehavior' }));
    expect(shown.InstanceInitiatedShutdownBehavior!.Value).toBe('terminate');
    const protection = await t.ec2.send(new DescribeInstanceAttributeCommand({ InstanceId: id, Attribute: 'disableApiTermination' }));
    expect(protection.DisableApiTermination!.Value).toBe(false);
  });

  test('R204 status checks initialise, then are ok; others show only when asked for', async () => {
    const id = await inState('running');
    const status = async (all = false) => (await t.ec2.send(new DescribeInstanceStatusCommand({ InstanceIds: [id], IncludeAllInstances: all }))).InstanceStatuses!;
    expect(await status()).toMatchObject([{ InstanceState: { Name: 'running' }, InstanceStatus: { Status: 'initializing' }, SystemStatus: { Status: 'initializing' } }]);
    await t.clock.advance(TEST_DIAL.ssmOnlineMs);
    expect(await status()).toMatchObject([{ InstanceStatus: { Status: 'ok' } }]);
    await stop(id);
    expect(await status()).toEqual([]);
    expect(await status(true)).toMatchObject([{ InstanceState: { Name: 'stopping' }, InstanceStatus: { Status: 'not-applicable' } }]);
  });

  test('R204 the console tells what happened to the machine', async () => {
    const id = await inState('stopped');
    const { Output } = await t.ec2.send(new GetConsoleOutputCommand({ InstanceId: id }));
    const text = Buffer.from(Output!, 'base64').toString('utf8');
    expect(text).toMatch(/launch requested: t3\.micro[\s\S]*booted[\s\S]*User initiated shutdown[\s\S]*stopped/);
  });
});
