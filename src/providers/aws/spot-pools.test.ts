// Where to look for spot machines, and in which order.
import { afterEach, describe, expect, test } from 'vitest';
import { typeReply, zonesReply } from '../../../test/support/aws-double.ts';
import type { AwsDouble } from '../../../test/support/aws-double.ts';
import { pricesReply, scoresReply, spotDouble, subnetsReply, usage } from '../../../test/support/spot-double.ts';
import { ec2Error, ec2Xml } from '../../../test/support/wire-double.ts';
import type { WireRequest } from '../../../test/support/wire-double.ts';
import type { Pool } from '../../core/machine.ts';
import { inOrder } from './spot-pools.ts';

let double: AwsDouble | undefined;
afterEach(async () => {
  await double?.close();
  double = undefined;
});

const request = { type: 't3.micro', market: 'spot', tags: { 'runctl:run': 'r' } } as const;
const zonesOf = (pools: Pool[]): string[] => pools.map(({ zone }) => zone.slice(-1));
const brief = (pools: Pool[]): string[] => pools.map(({ type, zone, microUsdPerHour }) => `${type} ${zone.slice(-1)} ${microUsdPerHour ?? '?'}`);
const pool = (zone: string, microUsdPerHour?: number, score?: number): Pool => ({ type: 't', zone, market: 'spot', ...(microUsdPerHour === undefined ? {} : { microUsdPerHour }), ...(score === undefined ? {} : { score }) });

/** Two types: t3.micro in b and c, g5.xlarge in a and c. */
async function twoTypes(): Promise<AwsDouble> {
  double = await spotDouble();
  const { wire } = double;
  const item = (type: string): string => /<item>[\s\S]*<\/item>(?=<\/instanceTypeSet>)/.exec(String(typeReply(type, usage('spot')).body))![0];
  const asked = (params: WireRequest['params']): string[] => Object.entries(params).filter(([key]) => /^InstanceType\.\d+$|^Filter\.1\.Value\.\d+$/.test(key)).map(([, value]) => value);
  wire.on('DescribeInstanceTypes', ({ params }) => (asked(params).includes('g5.xlrage') ? ec2Error('InvalidInstanceType', 'The following supplied instance types do not exist: [g5.xlrage]') : ec2Xml('DescribeInstanceTypes', `<instanceTypeSet>${asked(params).map(item).join('')}</instanceTypeSet>`)));
  wire.on('DescribeInstanceTypeOfferings', ({ params }) => {
    const where: Record<string, string[]> = { 't3.micro': ['us-east-1b', 'us-east-1c'], 'g5.xlarge': ['us-east-1a', 'us-east-1c'] };
    const types = params.LocationType === 'region' ? Object.keys(where) : asked(params);
    return ec2Xml('DescribeInstanceTypeOfferings', `<instanceTypeOfferingSet>${types.flatMap((type) => (where[type] ?? []).map((zone) => `<item><instanceType>${type}</instanceType><location>${zone}</location></item>`)).join('')}</instanceTypeOfferingSet>`);
  });
  wire.on('DescribeSpotPriceHistory', pricesReply(['t3.micro', 'us-east-1b', '0.005'], ['t3.micro', 'us-east-1c', '0.0041'], ['g5.xlarge', 'us-east-1a', '0.30'], ['g5.xlarge', 'us-east-1c', '0.0001']));
  return double;
}

describe('R016 the order of pools', () => {
  test('the cheapest first, one without a price after those with, one above the highest price allowed last', () => {
    expect(zonesOf(inOrder([pool('b', 500), pool('n'), pool('a', 400), pool('c', 450)], 450))).toEqual(['a', 'c', 'n', 'b']);
  });

  test('likelihood weighs: a hardly likely zone must be almost half as cheap as a sure one to go before it', () => {
    expect(zonesOf(inOrder([pool('a', 100, 1), pool('b', 100, 10)], undefined))).toEqual(['b', 'a']);
    expect(zonesOf(inOrder([pool('a', 60, 1), pool('b', 100, 10)], undefined))).toEqual(['b', 'a']);
    expect(zonesOf(inOrder([pool('a', 50, 1), pool('b', 100, 10)], undefined))).toEqual(['a', 'b']);
  });

  test('EC2 names the likeliest places: one that it leaves out is hardly likely, and without any scores the price alone counts', () => {
    expect(zonesOf(inOrder([pool('a', 99), pool('b', 100, 9)], undefined))).toEqual(['b', 'a']);
    expect(zonesOf(inOrder([pool('b', 100), pool('a', 99)], undefined))).toEqual(['a', 'b']);
  });

  test('ties keep the order of the types and zones asked for', () => {
    expect(zonesOf(inOrder([pool('x', 10), pool('b', 10), pool('a', 10)], 10))).toEqual(['x', 'b', 'a']);
  });
});

test('R016 every zone that offers a type and has a subnet with room, with both prices and the quota', async () => {
  const { provider } = await twoTypes();
  const pools = await provider.pools!({ request, types: ['t3.micro', 'g5.xlarge', 't3.micro'] });
  expect(pools).toEqual([
    { type: 'g5.xlarge', zone: 'us-east-1c', market: 'spot', microUsdPerHour: 100, onDemandMicroUsdPerHour: 10_400, quota: 'L-3819A6DF' },
    { type: 't3.micro', zone: 'us-east-1c', market: 'spot', microUsdPerHour: 4_100, onDemandMicroUsdPerHour: 10_400, quota: 'L-34B43A08' },
    { type: 't3.micro', zone: 'us-east-1b', market: 'spot', microUsdPerHour: 5_000, onDemandMicroUsdPerHour: 10_400, quota: 'L-34B43A08' },
    { type: 'g5.xlarge', zone: 'us-east-1a', market: 'spot', microUsdPerHour: 300_000, onDemandMicroUsdPerHour: 10_400, quota: 'L-3819A6DF' },
  ]);
  expect(brief(await provider.pools!({ request: { ...request, maxPriceMicroUsd: 4_200 }, types: ['t3.micro', 'g5.xlarge'], zones: ['us-east-1c', 'us-east-1b'] }))).toEqual(['g5.xlarge c 100', 't3.micro c 4100', 't3.micro b 5000']);
});

test('R016 scores come for zone ids and are put to zone names; a full subnet is no place', async () => {
  const { provider, wire } = (double = await spotDouble());
  wire.on('GetSpotPlacementScores', scoresReply(['use1-az1', 9], ['use1-az4', 2], ['use1-az9', 10]));
  expect((await provider.pools!({ request, types: ['t3.micro'] })).map(({ zone, score }) => [zone, score])).toEqual([['us-east-1b', 9], ['us-east-1c', 2]]);
  expect(wire.of('GetSpotPlacementScores')[0]?.params).toMatchObject({ 'InstanceType.1': 't3.micro', TargetCapacity: '1', SingleAvailabilityZone: 'true', 'RegionName.1': 'us-east-1' });
  await double.close();
  double = await spotDouble();
  double.wire.on('DescribeSubnets', subnetsReply(['subnet-b', 'us-east-1b', 'use1-az1', 0], ['subnet-c', 'us-east-1c', 'use1-az4']));
  expect(brief(await double.provider.pools!({ request, types: ['t3.micro'] }))).toEqual(['t3.micro c 4100']);
  // With one pool there is nothing to choose, and scores are few.
  expect(double.wire.of('GetSpotPlacementScores')).toEqual([]);
});

test.each([
  ['no permission', ec2Error('UnauthorizedOperation', 'You are not authorized to perform this operation.', 403)],
  ['no more calls today', ec2Error('MaxConfigLimitExceeded', 'You have exceeded your maximum allowed Spot placement configurations.')],
  ['throttling', ec2Error('RequestLimitExceeded', 'Request limit exceeded.', 503)],
  ['an endpoint without scores', ec2Error('InvalidAction', 'not here')],
])('R016 scores are an aid: %s leaves the order to the price', async (_case, answer) => {
  const { provider, wire } = (double = await spotDouble());
  wire.on('GetSpotPlacementScores', answer);
  expect(brief(await provider.pools!({ request, types: ['t3.micro'] }))).toEqual(['t3.micro c 4100', 't3.micro b 5000']);
  expect(wire.of('GetSpotPlacementScores')).toHaveLength(1);
});

test('R243 checks, pools, the plans of two pools of two types and that of the fallback ask each question once; prices are asked anew with every list', async () => {
  const { provider, wire } = await twoTypes();
  const counts = (): Record<string, number> => Object.fromEntries(wire.requests.map(({ operation }) => [operation, wire.of(operation).length]));
  await provider.checks({ machine: { type: 't3.micro', market: 'spot' } });
  const pools = await provider.pools!({ request, types: ['t3.micro', 'g5.xlarge'] });
  const before = counts();
  expect(before).toMatchObject({ DescribeSubnets: 1, DescribeSpotPriceHistory: 2, DescribeInstanceTypes: 2, DescribeInstanceTypeOfferings: 2, GetSpotPlacementScores: 1, GetServiceQuota: 1, DescribeInstances: 1 });
  for (const { type, zone } of pools.filter((one) => one.type === 't3.micro')) expect(await provider.plan({ ...request, type, zone })).toMatchObject({ type, zone });
  expect(counts()).toEqual(before);
  await provider.plan({ ...request, type: 'g5.xlarge', zone: 'us-east-1c' });
  // Another family has another quota; everything else is known.
  expect(counts()).toEqual({ ...before, GetServiceQuota: 2, DescribeInstances: 2 });
  wire.on('DescribeSpotPriceHistory', pricesReply(['t3.micro', 'us-east-1b', '0.001']));
  expect(brief(await provider.pools!({ request, types: ['t3.micro', 'g5.xlarge'] }))[0]).toBe('t3.micro b 1000');
  expect((await provider.plan({ ...request, zone: 'us-east-1b' })).price.computeMicroUsd).toBe(1_000);
  const after = counts();
  expect(after).toMatchObject({ DescribeSpotPriceHistory: 3, GetSpotPlacementScores: 1 });
  // On demand in the end: its quota is all that is not known yet.
  expect(await provider.plan({ ...request, market: 'on-demand' })).toMatchObject({ market: 'on-demand', price: { computeMicroUsd: 10_400 } });
  expect(counts()).toEqual({ ...after, GetServiceQuota: 3 });
});

test('R243 what was remembered is asked again after a minute, after a failure, and by the next checks', async () => {
  const { provider, wire, clock } = (double = await spotDouble());
  wire.on('DescribeSubnets', ec2Error('UnauthorizedOperation', 'no', 403), subnetsReply(['subnet-b', 'us-east-1b', 'use1-az1']));
  await expect(provider.pools!({ request, types: ['t3.micro'] })).rejects.toMatchObject({ code: 'not-permitted' });
  await provider.pools!({ request, types: ['t3.micro'] });
  await provider.pools!({ request, types: ['t3.micro'] });
  expect(wire.of('DescribeSubnets')).toHaveLength(2);
  await clock.sleep(61_000);
  await provider.pools!({ request, types: ['t3.micro'] });
  expect(wire.of('DescribeSubnets')).toHaveLength(3);
  // Whoever checks again begins again, in whichever market.
  await provider.checks({ machine: { type: 't3.micro', market: 'spot' } });
  await provider.checks({ machine: { type: 't3.micro' } });
  expect(wire.of('DescribeSubnets')).toHaveLength(5);
});

test('R019 a mistyped type among several is named with its like; types that are not sold as spot are left out', async () => {
  const { provider, wire } = await twoTypes();
  await expect(provider.pools!({ request, types: ['t3.micro', 'g5.xlrage'] })).rejects.toMatchObject({ code: 'usage', message: 'no instance type g5.xlrage in us-east-1', reason: 'did you mean g5.xlarge?' });
  wire.on('DescribeInstanceTypes', ec2Xml('DescribeInstanceTypes', `<instanceTypeSet><item><instanceType>t3.micro</instanceType>${usage('spot')}</item><item><instanceType>m1.old</instanceType>${usage('on-demand')}</item></instanceTypeSet>`));
  expect((await provider.pools!({ request, types: ['t3.micro', 'm1.old'] })).map(({ type }) => type)).toEqual(['t3.micro', 't3.micro']);
  wire.on('DescribeInstanceTypes', ec2Xml('DescribeInstanceTypes', `<instanceTypeSet><item><instanceType>m1.old</instanceType>${usage('on-demand')}</item><item><instanceType>m2.old</instanceType>${usage('on-demand')}</item></instanceTypeSet>`));
  await expect(provider.pools!({ request, types: ['m1.old', 'm2.old'] })).rejects.toMatchObject({ code: 'usage', message: 'm1.old, m2.old are not sold as spot in us-east-1' });
});

test('R019 nowhere to go: a wrong zone, several wrong zones, a subnet elsewhere, no room, no network', async () => {
  const { provider, wire } = (double = await spotDouble());
  const pools = (more: object = {}, wish: object = {}) => provider.pools!({ request: { ...request, ...wish }, types: ['t3.micro'], ...more });
  await expect(pools({ zones: ['us-east-1a'] })).rejects.toMatchObject({ code: 'capacity', message: 't3.micro cannot be placed in us-east-1a', reason: 'the type is offered in us-east-1b, us-east-1c only' });
  await expect(pools({ zones: ['us-east-1a', 'us-east-1z'] })).rejects.toMatchObject({ code: 'capacity', message: 't3.micro cannot be had in us-east-1a, us-east-1z', hints: ['runctl aws create t3.micro --spot --zones us-east-1b,us-east-1c'] });
  wire.on('DescribeSubnets', subnetsReply(['subnet-a', 'us-east-1a', 'use1-az6']));
  await expect(pools({}, { subnet: 'subnet-a' })).rejects.toMatchObject({ code: 'capacity', message: 't3.micro cannot be placed in subnet-a' });
  await double.clock.sleep(61_000);
  wire.on('DescribeSubnets', subnetsReply(['subnet-b', 'us-east-1b', 'use1-az1', 0]));
  await expect(pools()).rejects.toMatchObject({ code: 'capacity', reason: 'the subnets there have no free address' });
  await double.clock.sleep(61_000);
  wire.on('DescribeSubnets', subnetsReply());
  await expect(pools()).rejects.toMatchObject({ code: 'usage', message: 'no default subnet in us-east-1' });
});

test('R016 where EC2 does not say which zones offer a type, all with a subnet are tried', async () => {
  const { provider, wire } = (double = await spotDouble());
  wire.on('DescribeInstanceTypeOfferings', zonesReply());
  expect(brief(await provider.pools!({ request, types: ['t3.micro'] }))).toEqual(['t3.micro a 1000', 't3.micro c 4100', 't3.micro b 5000']);
});
