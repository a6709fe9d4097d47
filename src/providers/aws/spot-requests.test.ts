// Giving up on a launch of which nobody knows the fate.
import { afterEach, expect, test } from 'vitest';
import { ID, instances, instanceXml } from '../../../test/support/aws-double.ts';
import type { AwsDouble } from '../../../test/support/aws-double.ts';
import { requestsReply, spotDouble } from '../../../test/support/spot-double.ts';
import { ec2Error } from '../../../test/support/wire-double.ts';

let double: AwsDouble;
afterEach(() => double.close());

const ours = { 'runctl:owner': 'ann', 'runctl:run': 'run-1', 'runctl:token': 'token-1' };
const cancelled = (): string[][] => double.wire.of('CancelSpotInstanceRequests').map(({ params }) => Object.entries(params).filter(([key]) => key.startsWith('SpotInstanceRequestId')).map(([, id]) => id));

test('R020 D2 an open request is cancelled, and EC2\'s last word about it is told', async () => {
  const { provider, wire, clock } = (double = await spotDouble());
  wire.on('DescribeSpotInstanceRequests', requestsReply({ tags: ours }), requestsReply({ tags: ours, state: 'cancelled', code: 'canceled-before-fulfillment' }));
  const from = clock.now();
  expect(await provider.withdraw!('token-1')).toEqual({ cancelled: ['sir-1'], status: 'the request was cancelled before there was a machine (canceled-before-fulfillment)' });
  expect(cancelled()).toEqual([['sir-1']]);
  expect(wire.of('DescribeSpotInstanceRequests')[0]?.params).toMatchObject({ 'Filter.1.Name': 'tag:runctl:token', 'Filter.1.Value.1': 'token-1' });
  expect(clock.now() - from).toBeLessThan(1_000);
});

test('R016 R020 a request that was filled while it was cancelled: its machine is named, although EC2 shows it late', async () => {
  const { provider, wire } = (double = await spotDouble());
  wire.on('DescribeSpotInstanceRequests', requestsReply({ tags: ours }), requestsReply({ tags: ours, state: 'cancelled', code: 'request-canceled-and-instance-running', instanceId: ID }));
  wire.on('DescribeInstances', instances(), instances(), instances(), instances(instanceXml()));
  const found = await provider.withdraw!('token-1');
  expect(found).toMatchObject({ cancelled: ['sir-1'], machine: { id: ID, state: 'running' }, status: 'the request was cancelled, but its machine still runs and is billed (request-canceled-and-instance-running)' });
  expect(cancelled()).toEqual([['sir-1']]);
});

test('R020 a machine made by the lost launch is found by its token, whether or not the market has a record of it', async () => {
  const { provider, wire } = (double = await spotDouble());
  wire.on('DescribeInstances', instances(instanceXml({ state: 'pending' })));
  expect(await provider.withdraw!('token-1')).toMatchObject({ cancelled: [], machine: { id: ID, state: 'pending' } });
  expect(wire.of('DescribeInstances')[0]?.params).toMatchObject({ 'Filter.1.Name': 'client-token', 'Filter.1.Value.1': 'token-1' });
  wire.on('DescribeSpotInstanceRequests', requestsReply({ tags: ours, state: 'active', code: 'fulfilled', instanceId: ID }));
  expect(await provider.withdraw!('token-1')).toMatchObject({ cancelled: ['sir-1'], machine: { id: ID }, status: 'the machine was launched (fulfilled)' });
});

test('R020 nothing to be seen is looked for again for some seconds, then it is nothing; repeated it is nothing again', async () => {
  const { provider, wire, clock } = (double = await spotDouble());
  const from = clock.now();
  expect(await provider.withdraw!('token-1')).toEqual({ cancelled: [] });
  expect(clock.now() - from).toBeGreaterThan(2_000);
  expect(clock.now() - from).toBeLessThan(5_000);
  expect(wire.of('DescribeSpotInstanceRequests').length).toBeGreaterThan(2);
  wire.on('DescribeSpotInstanceRequests', requestsReply({ tags: ours, state: 'cancelled', code: 'canceled-before-fulfillment' }));
  expect(await provider.withdraw!('token-1')).toMatchObject({ cancelled: [] });
  expect(cancelled()).toEqual([]);
});

test('R226 an endpoint that ignores filters does not make runctl cancel requests of others, nor those of another launch', async () => {
  const { provider, wire } = (double = await spotDouble());
  wire.on('DescribeSpotInstanceRequests', requestsReply({ id: 'sir-foreign' }, { id: 'sir-copied', tags: { 'runctl:token': 'token-1' } }, { id: 'sir-other', tags: { ...ours, 'runctl:token': 'token-2' } }));
  expect(await provider.withdraw!('token-1')).toEqual({ cancelled: [] });
  expect(cancelled()).toEqual([]);
});

test('R020 a request that is gone while it is cancelled is no failure; not being able to ask is one', async () => {
  const { provider, wire } = (double = await spotDouble());
  wire.on('DescribeSpotInstanceRequests', requestsReply({ tags: ours }), requestsReply());
  wire.on('CancelSpotInstanceRequests', ec2Error('InvalidSpotInstanceRequestID.NotFound', 'The spot instance request ID does not exist'));
  expect(await provider.withdraw!('token-1')).toMatchObject({ cancelled: [] });
  wire.on('DescribeSpotInstanceRequests', requestsReply({ tags: ours }));
  wire.on('CancelSpotInstanceRequests', ec2Error('UnauthorizedOperation', 'You are not authorized to perform this operation.', 403));
  await expect(provider.withdraw!('token-1')).rejects.toMatchObject({ code: 'not-permitted', message: 'these credentials lack ec2:CancelSpotInstanceRequests (needed for sir-1)' });
  wire.on('DescribeSpotInstanceRequests', ec2Error('UnauthorizedOperation', 'You are not authorized to perform this operation.', 403));
  await expect(provider.withdraw!('token-1')).rejects.toMatchObject({ code: 'not-permitted' });
});

const taken = instanceXml({ state: 'terminated' }).replace('<tagSet>', '<instanceLifecycle>spot</instanceLifecycle><spotInstanceRequestId>sir-1</spotInstanceRequestId><stateReason><code>Server.SpotInstanceTermination</code><message>Server.SpotInstanceTermination: Spot instance termination</message></stateReason><tagSet>');

test.each([
  ['instance-terminated-no-capacity', '; it needs the capacity for others (instance-terminated-no-capacity)'],
  ['instance-terminated-by-price', '; the spot price rose above the highest price allowed (instance-terminated-by-price)'],
  ['request-canceled-and-instance-running', ''],
])('R019 a machine that was taken back says why, when its request does (%s)', async (code, says) => {
  const { provider, wire } = (double = await spotDouble());
  wire.on('DescribeInstances', instances(taken));
  wire.on('DescribeSpotInstanceRequests', requestsReply({ id: 'sir-1', state: 'closed', code }));
  expect((await provider.find(ID))?.stateReason).toBe(`taken back by AWS: a spot interruption (Server.SpotInstanceTermination: Spot instance termination)${says}`);
});

test('R019 who may not look at spot requests, or looks after EC2 has forgotten them, learns of the interruption all the same; others are not looked for', async () => {
  const { provider, wire } = (double = await spotDouble());
  wire.on('DescribeInstances', instances(taken), instances(instanceXml({ state: 'terminated' })));
  wire.on('DescribeSpotInstanceRequests', ec2Error('InvalidSpotInstanceRequestID.NotFound', 'The spot instance request ID does not exist'));
  expect(await provider.find(ID)).toMatchObject({ interrupted: true, stateReason: 'taken back by AWS: a spot interruption (Server.SpotInstanceTermination: Spot instance termination)' });
  expect(await provider.find(ID)).not.toHaveProperty('interrupted');
  expect(wire.of('DescribeSpotInstanceRequests')).toHaveLength(1);
});
