// What weather does to machines, on a clock moved by hand: agents late or dead, networks cut, hosts lost, reboots.
import { DescribeInstancesCommand, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import type { Instance } from '@aws-sdk/client-ec2';
import { DescribeInstanceInformationCommand, GetCommandInvocationCommand, SSMClient, SendCommandCommand } from '@aws-sdk/client-ssm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TEST_DIAL, failure, startTestSim } from '../../../test/support/test-sim.ts';
import type { TestSim } from '../../../test/support/test-sim.ts';
import type { Cloud } from '../cloud.ts';
import { createSsm } from '../aws/ssm/create-ssm.ts';

let t: TestSim;
let ssm: SSMClient;

beforeEach(async () => {
  t = await startTestSim({
    dial: { invocationVisibleMs: 0 },
    parts: (cloud: Cloud) => {
      const made = createSsm(cloud, () => undefined);
      return [{ service: made.service, resume: () => made.resume(), reset: () => made.forget(), close: () => made.close() }];
    },
  });
  ssm = t.client(SSMClient);
});
afterEach(async () => {
  ssm.destroy();
  await t.close();
});

async function launch(): Promise<string> {
  return (await t.run({ IamInstanceProfile: { Name: 'runctl-ssm-profile' } })).InstanceId!;
}

async function running(): Promise<string> {
  const id = await launch();
  await t.clock.advance(TEST_DIAL.pendingMs);
  return id;
}

async function see(id: string): Promise<Instance> {
  return (await t.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))).Reservations![0]!.Instances![0]!;
}

async function stateOf(id: string): Promise<string | undefined> {
  return (await see(id)).State?.Name;
}

async function agent(id: string): Promise<string> {
  const { InstanceInformationList } = await ssm.send(new DescribeInstanceInformationCommand({ Filters: [{ Key: 'InstanceIds', Values: [id] }] }));
  return InstanceInformationList?.[0]?.PingStatus ?? 'none';
}

async function send(id: string): Promise<() => Promise<string | undefined>> {
  const { Command } = await ssm.send(new SendCommandCommand({ DocumentName: 'AWS-RunShellScript', InstanceIds: [id], Parameters: { commands: ['true'] }, TimeoutSeconds: 60 }));
  return async () => (await ssm.send(new GetCommandInvocationCommand({ CommandId: Command!.CommandId, InstanceId: id }))).StatusDetails;
}

describe('R205 SSM agents', () => {
  test('R205 late: registers so much later than it would', async () => {
    t.sim.weather.add({ kind: 'agent-late', delay: '2m' });
    const id = await running();
    await t.clock.advance(TEST_DIAL.ssmOnlineMs + 119_000);
    expect(await agent(id)).toBe('none');
    await t.clock.advance(1_000);
    expect(await agent(id)).toBe('Online');
    expect(t.sim.weather.list()).toMatchObject([{ hits: 1 }]);
  });

  test('R205 dead from the start: it never registers, until the rule goes', async () => {
    t.sim.weather.add({ kind: 'agent-dead' });
    const id = await running();
    await t.clock.advance(600_000);
    expect(await agent(id)).toBe('none');
    expect((await failure(send(id))).name).toBe('InvalidInstanceId');
    expect(t.sim.weather.list()).toMatchObject([{ hits: 1, state: 'active' }]);
    t.sim.weather.clear();
    expect(await agent(id)).toBe('Online');
  });

  test('R205 dead later: pings stop, the loss shows after five minutes, commands wait and then time out', async () => {
    const id = await running();
    await t.clock.advance(TEST_DIAL.ssmOnlineMs);
    t.sim.weather.add({ kind: 'agent-dead', instance: id, after: '10s' });
    await t.clock.advance(9_000);
    expect(await agent(id)).toBe('Online');
    await t.clock.advance(1_000);
    const status = await send(id);
    await t.clock.advance(59_000);
    expect(await status()).toBe('Pending');
    await t.clock.advance(1_000);
    expect(await status()).toBe('DeliveryTimedOut');
    expect(await agent(id)).toBe('Online');
    await t.clock.advance(240_000);
    expect(await agent(id)).toBe('ConnectionLost');
  });

  test('R205 dead for a while: what waited is delivered when it comes back', async () => {
    const id = await running();
    await t.clock.advance(TEST_DIAL.ssmOnlineMs + 1);
    t.sim.weather.add({ kind: 'agent-dead', for: '20s' });
    const status = await send(id);
    await t.clock.advance(19_000);
    expect(await status()).toBe('Pending');
    await t.clock.advance(3_000);
    expect(await status()).toBe('Success');
    expect(t.sim.weather.list()).toMatchObject([{ hits: 1 }]);
  });

  test('R205 dead after the nth command: its outcome is told once the agent speaks again', async () => {
    const id = await running();
    const other = await running();
    await t.clock.advance(TEST_DIAL.ssmOnlineMs);
    t.sim.weather.add({ kind: 'agent-dead', operation: 'ssm.SendCommand', skip: 1, times: 1, for: '10s' });
    expect(await (await send(id))()).toBe('Success');
    const status = await send(id);
    expect(await status()).toBe('InProgress');
    expect(await (await send(other))()).toBe('Success');
    await t.clock.advance(12_000);
    expect(await status()).toBe('Success');
  });

  test('R205 R208 a dead agent stays dead over a restart of the server', async () => {
    const id = await running();
    t.sim.weather.add({ kind: 'agent-dead' });
    await t.clock.advance(1_000);
    ssm.destroy();
    t = await t.restart();
    ssm = t.client(SSMClient);
    await t.clock.advance(TEST_DIAL.ssmOnlineMs);
    expect(await agent(id)).toBe('none');
    expect(t.sim.weather.list()).toMatchObject([{ hits: 1, state: 'active' }]);
  });
});

describe('R205 networks', () => {
  test('R205 down for a while: the guest is cut off, the agent silent, and both come back', async () => {
    t.sim.weather.add({ kind: 'network-down', after: '1m', for: '30s' });
    const id = await running();
    await t.clock.advance(60_000);
    expect(t.machines.calls.at(-1)).toBe(`network ${id} down`);
    expect(await (await send(id))()).toBe('Pending');
    expect(t.sim.weather.list()[0]).toMatchObject({ hits: 1, note: expect.stringContaining('isolation process') });
    await t.clock.advance(30_000);
    expect(t.machines.calls.at(-1)).toBe(`network ${id} up`);
  });

  test('R205 dropping the rule connects the machine again', async () => {
    const id = await running();
    t.sim.weather.add({ kind: 'network-down', instance: id });
    expect(t.machines.calls.at(-1)).toBe(`network ${id} down`);
    t.sim.weather.clear();
    expect(t.machines.calls.at(-1)).toBe(`network ${id} up`);
  });
});

describe('R205 machines that go', () => {
  test('R205 host failure: dead at once, terminated, and EC2 says why', async () => {
    const id = await running();
    t.sim.weather.add({ kind: 'instance-loss' });
    expect(t.machines.isUp(id)).toBe(false);
    expect(t.machines.calls).toContain(`shutdown ${id} 0`);
    await t.clock.advance(TEST_DIAL.shuttingDownMs);
    const instance = await see(id);
    expect([instance.State?.Name, instance.StateReason?.Code]).toEqual(['terminated', 'Server.InternalError']);
    expect(t.sim.weather.list()).toMatchObject([{ hits: 1, state: 'over' }]);
    expect(t.sim.meter().lines).toHaveLength(1);
  });

  test('R205 it may also be left stopped, with its disk', async () => {
    const id = await running();
    t.sim.weather.add({ kind: 'instance-loss', state: 'stopped' });
    await t.clock.advance(TEST_DIAL.stoppingMs);
    expect(await stateOf(id)).toBe('stopped');
    expect(t.machines.disks.has(id)).toBe(true);
  });

  test('R205 so long after a machine that does not exist yet came up; once, unless told otherwise', async () => {
    t.sim.weather.add({ kind: 'instance-loss', after: '30s' });
    await t.clock.advance(100_000);
    const [first, second] = [await running(), await running()];
    await t.clock.advance(19_000);
    expect(await stateOf(first)).toBe('running');
    await t.clock.advance(1_000);
    expect(await stateOf(first)).toBe('shutting-down');
    await t.clock.advance(60_000);
    expect(await stateOf(second)).toBe('running');
  });

  test('R205 after the nth call, and only the machine that the call names', async () => {
    const [one, two] = [await running(), await running()];
    await t.clock.advance(TEST_DIAL.ssmOnlineMs);
    t.sim.weather.add({ kind: 'instance-loss', operation: 'ssm.SendCommand', skip: 1 });
    await send(two);
    expect(await stateOf(two)).toBe('running');
    await send(two);
    expect([await stateOf(one), await stateOf(two)]).toEqual(['running', 'shutting-down']);
  });

  test('R205 a named machine, and no other', async () => {
    const [one, two] = [await running(), await running()];
    t.sim.weather.add({ kind: 'reboot', instance: two });
    expect(t.machines.calls.filter((call) => call.startsWith('reboot'))).toEqual([expect.stringContaining(`reboot ${two} `)]);
    expect(await stateOf(one)).toBe('running');
    expect(await stateOf(two)).toBe('running');
  });

  test('R205 every machine, where times says so; one that is gone by then is left alone', async () => {
    t.sim.weather.add({ kind: 'reboot', after: '30s', times: 5 });
    const [one, two, three] = [await running(), await running(), await running()];
    await t.ec2.send(new TerminateInstancesCommand({ InstanceIds: [two] }));
    await t.clock.advance(60_000);
    expect(t.machines.calls.filter((call) => call.startsWith('reboot')).map((call) => call.split(' ')[1])).toEqual([one, three]);
  });

  test('R205 a reset drops what was about to happen', async () => {
    await running();
    t.sim.weather.add({ kind: 'instance-loss', after: '30s' });
    await t.sim.reset();
    const id = await running();
    await t.clock.advance(60_000);
    expect(await stateOf(id)).toBe('running');
  });

  test('R205 R208 what was about to happen happens after a restart of the server too', async () => {
    const id = await running();
    t.sim.weather.add({ kind: 'instance-loss', after: '5m' });
    t = await t.restart();
    await t.clock.advance(299_000);
    expect(await stateOf(id)).toBe('running');
    await t.clock.advance(2_000);
    expect(await stateOf(id)).toBe('shutting-down');
  });
});
