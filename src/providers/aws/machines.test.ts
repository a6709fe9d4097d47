// What EC2 says of a machine, read as runctl's Machine.
import type { Instance } from '@aws-sdk/client-ec2';
import { expect, test } from 'vitest';
import { toMachine } from './machines.ts';

const read = (instance: Instance) => toMachine({ InstanceId: 'i-1', ...instance }, 'us-east-1');
const gone = { Code: 48, Name: 'terminated' } as const;

test('R024 the market is what EC2 says was bought, whatever the tags say', () => {
  expect(read({ InstanceLifecycle: 'spot', SpotInstanceRequestId: 'sir-1', Tags: [{ Key: 'runctl:market', Value: 'on-demand' }] })).toMatchObject({ market: 'spot', spotRequestId: 'sir-1' });
  expect(read({ Tags: [{ Key: 'runctl:market', Value: 'spot' }] })).toMatchObject({ market: 'on-demand' });
  expect(read({})).not.toHaveProperty('spotRequestId');
});

test.each([
  ['User initiated (2026-01-01 10:20:30 GMT)', 'Client.UserInitiatedShutdown', '2026-01-01T10:20:30Z', undefined],
  ['Server.SpotInstanceTermination (2026-03-01 00:00:00 GMT)', 'Server.SpotInstanceTermination', '2026-03-01T00:00:00Z', true],
  ['Server.SpotInstanceTermination: Spot instance termination (2026-03-01 00:00:00 UTC)', undefined, '2026-03-01T00:00:00Z', true],
  ['', 'Server.SpotInstanceShutdown', undefined, true],
  ['', 'Client.InstanceInitiatedShutdown', undefined, undefined],
  ['User initiated', 'Client.UserInitiatedShutdown', undefined, undefined],
  ['User initiated (2026-99-99 10:20:30 GMT)', undefined, undefined, undefined],
])('R016 a machine that ended by "%s" (%s) left at %s, interrupted: %s', (StateTransitionReason, Code, endedAt, interrupted) => {
  const machine = read({ State: gone, StateTransitionReason, ...(Code === undefined ? {} : { StateReason: { Code } }) });
  expect(machine.endedAt).toBe(endedAt === undefined ? undefined : Date.parse(endedAt));
  expect(machine.interrupted).toBe(interrupted);
});

test('a machine that runs again has neither an end nor an interruption, even when EC2 still shows the old reason', () => {
  const machine = read({ State: { Code: 16, Name: 'running' }, StateTransitionReason: 'Server.SpotInstanceShutdown (2026-01-01 00:00:00 GMT)', StateReason: { Code: 'Server.SpotInstanceShutdown' } });
  expect(machine).not.toHaveProperty('endedAt');
  expect(machine).not.toHaveProperty('interrupted');
  expect(machine).not.toHaveProperty('stateReason');
});

test('the first launch is when its first network interface was attached; the launch time is that of the latest start', () => {
  const launched = new Date('2026-01-02T00:00:00Z');
  const first = new Date('2026-01-01T00:00:00Z');
  const machine = read({ LaunchTime: launched, NetworkInterfaces: [{ Attachment: { DeviceIndex: 1, AttachTime: launched } }, { Attachment: { DeviceIndex: 0, AttachTime: first } }] });
  expect(machine).toMatchObject({ launchedAt: launched.getTime(), firstLaunchedAt: first.getTime() });
  expect(read({ LaunchTime: launched })).not.toHaveProperty('firstLaunchedAt');
});
