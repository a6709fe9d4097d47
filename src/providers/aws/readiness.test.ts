// The three things that can be said about SSM on a machine, and the ones in between.
import { afterEach, expect, test } from 'vitest';
import { jsonError, jsonReply } from '../../../test/support/wire-double.ts';
import { awsDouble, ID, policiesReply, profileReply } from '../../../test/support/aws-double.ts';
import type { AwsDouble } from '../../../test/support/aws-double.ts';

let double: AwsDouble;
afterEach(() => double.close());

const entry = (PingStatus: string) => jsonReply({ InstanceInformationList: [{ InstanceId: ID, PingStatus, AgentVersion: '3.3.0.0', LastPingDateTime: 1_767_225_600 }] });

test.each([
  ['connected', { profile: 'p', state: 'running' as const }, entry('Online'), { channel: 'ssm', state: 'online', detail: 'SSM connected (instance profile p)' }],
  ['registering', { profile: 'p', state: 'running' as const }, jsonReply({ InstanceInformationList: [] }), { channel: 'ssm', state: 'registering', detail: 'SSM agent has not registered yet (instance profile p; usually 30-90 s after start)' }],
  ['without profile', { state: 'running' as const }, jsonReply({ InstanceInformationList: [] }), { channel: 'none', state: 'none', detail: 'SSM not available: the machine has no instance profile' }],
  ['lost', { profile: 'p', state: 'running' as const }, entry('ConnectionLost'), { channel: 'ssm', state: 'lost', detail: 'SSM agent does not answer since 2026-01-01T00:00:00.000Z' }],
  ['stopped', { profile: 'p', state: 'stopped' as const }, jsonReply({ InstanceInformationList: [] }), { channel: 'ssm', state: 'none', detail: 'SSM not available: the machine is stopped' }],
  ['known by id alone', {}, jsonReply({ InstanceInformationList: [] }), { channel: 'ssm', state: 'registering', detail: 'SSM agent has not registered yet (usually 30-90 s after start)' }],
])('R029 a machine that is %s reads exactly so', async (_case, machine, answer, expected) => {
  double = await awsDouble();
  double.wire.on('DescribeInstanceInformation', answer);
  expect(await double.provider.readiness({ id: ID, ...machine })).toEqual(expected);
});

test('R032 readiness and find go out together, and a refusal to look is no failure', async () => {
  double = await awsDouble();
  double.wire.on('DescribeInstanceInformation', jsonError('AccessDeniedException', 'no'));
  expect(await double.provider.readiness({ id: ID, profile: 'p', state: 'running' })).toMatchObject({ state: 'unknown' });
  expect(double.wire.of('DescribeInstanceInformation')[0]?.json).toEqual({ Filters: [{ Key: 'InstanceIds', Values: [ID] }] });
});

test('R007 R029 an agent that is overdue: what is wrong with its profile is looked up and said; before that nobody asks', async () => {
  double = await awsDouble();
  const { wire, clock, provider } = double;
  const machine = { id: ID, profile: 'p', state: 'running' as const, launchedAt: clock.now() };
  wire.on('DescribeInstanceInformation', jsonReply({ InstanceInformationList: [] }));
  wire.on('GetInstanceProfile', profileReply(''));
  expect((await provider.readiness(machine)).detail).toContain('usually 30-90 s after start');
  expect(wire.of('GetInstanceProfile')).toEqual([]);
  await clock.sleep(7 * 60_000);
  expect(await provider.readiness(machine)).toEqual({ channel: 'ssm', state: 'registering', detail: 'SSM agent has not registered in 7 min: instance profile p has no role' });
  await clock.sleep(5_000);
  await provider.readiness(machine);
  expect(wire.of('GetInstanceProfile')).toHaveLength(1);
  await clock.sleep(61_000);
  wire.on('GetInstanceProfile', profileReply());
  wire.on('ListAttachedRolePolicies', policiesReply('AmazonSSMManagedInstanceCore'));
  expect((await provider.readiness(machine)).detail).toMatch(/^SSM agent has not registered in 8 min: perhaps the machine has no way to SSM/);
  await clock.sleep(61_000);
  wire.on('GetInstanceProfile', jsonError('ServiceUnavailable', 'no', 503));
  expect((await provider.readiness(machine)).detail).toMatch(/in 9 min: perhaps/);
});
