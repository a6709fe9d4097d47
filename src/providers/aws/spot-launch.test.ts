// Planning and buying one spot machine, judged by the requests as they arrived.
import { afterEach, expect, test } from 'vitest';
import { ID, instances, instanceXml, launched, typeReply } from '../../../test/support/aws-double.ts';
import type { AwsDouble } from '../../../test/support/aws-double.ts';
import { pricesReply, spotDouble, usage } from '../../../test/support/spot-double.ts';
import { ec2Error, ec2Xml, jsonReply } from '../../../test/support/wire-double.ts';
import type { MachineRequest } from '../../core/machine.ts';
import { userData } from './user-data.ts';

let double: AwsDouble;
afterEach(() => double.close());

const wish: MachineRequest = { type: 't3.micro', market: 'spot', tags: { 'runctl:run': 'run-1' } };
const paramsOf = (at = 0): Record<string, string> => double.wire.of('RunInstances')[at]!.params;
/** Tags of each kind of resource, as RunInstances carried them. */
function tagsByKind(params: Record<string, string>): Record<string, Record<string, string>> {
  const found: Record<string, Record<string, string>> = {};
  for (const [name, kind] of Object.entries(params)) {
    const [, n] = /^TagSpecification\.(\d+)\.ResourceType$/.exec(name) ?? [];
    if (n === undefined) continue;
    const keys = Object.entries(params).filter(([key]) => key.startsWith(`TagSpecification.${n}.Tag.`) && key.endsWith('.Key'));
    found[kind] = Object.fromEntries(keys.map(([key, tag]) => [tag, params[key.replace(/Key$/, 'Value')]!]));
  }
  return found;
}

test('R016 D1 R024 a spot machine is bought by RunInstances with market options, once, and says what it is', async () => {
  const { provider, wire } = (double = await spotDouble());
  wire.on('RunInstances', { ...launched(), body: String(launched().body).replace('<tagSet>', '<instanceLifecycle>spot</instanceLifecycle><spotInstanceRequestId>sir-7</spotInstanceRequestId><tagSet>') });
  const plan = await provider.plan(wish);
  const machine = await provider.create(plan, 'token-1');
  expect(machine).toMatchObject({ id: ID, market: 'spot', spotRequestId: 'sir-7' });
  expect(wire.of('RequestSpotInstances')).toEqual([]);
  const params = paramsOf();
  expect(params).toMatchObject({
    'InstanceMarketOptions.MarketType': 'spot',
    'InstanceMarketOptions.SpotOptions.SpotInstanceType': 'one-time',
    'InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior': 'terminate',
    InstanceInitiatedShutdownBehavior: 'terminate',
    ClientToken: 'token-1',
    SubnetId: 'subnet-c',
  });
  const tags = tagsByKind(params);
  expect(Object.keys(tags)).toEqual(['instance', 'volume', 'network-interface', 'spot-instances-request']);
  expect(tags['instance']).toEqual({ ...plan.tags, 'runctl:market': 'spot' });
  expect(tags['spot-instances-request']).toEqual({ ...plan.tags, 'runctl:token': 'token-1' });
});

test('R271 a spot launch is as closed as any other: IMDSv2, encrypted disk, no public rule', async () => {
  const { provider } = (double = await spotDouble());
  await provider.create(await provider.plan(wish), 't');
  expect(paramsOf()).toMatchObject({ 'MetadataOptions.HttpTokens': 'required', 'BlockDeviceMapping.1.Ebs.Encrypted': 'true', 'SecurityGroupId.1': 'sg-0own' });
});

test('R024 what the caller writes into the market tag counts for nothing, and an on-demand launch has no market options', async () => {
  const { provider } = (double = await spotDouble());
  const plan = await provider.plan({ type: 't3.micro', tags: { 'runctl:market': 'spot' } });
  expect(plan).toMatchObject({ market: 'on-demand', tags: { 'runctl:market': 'on-demand' } });
  expect((await provider.create(plan, 't')).market).toBe('on-demand');
  expect(Object.keys(paramsOf()).filter((name) => /Spot|MarketOptions/.test(name))).toEqual([]);
  expect(double.wire.of('DescribeSpotPriceHistory')).toEqual([]);
});

test.each([
  [undefined, undefined],
  [500_000, '0.50'],
  [5_001, '0.005001'],
])('D3 a highest price of %s micro-dollars goes out as %s; without one EC2 itself stops at the on-demand price', async (maxPriceMicroUsd, text) => {
  const { provider } = (double = await spotDouble());
  const plan = await provider.plan({ ...wish, maxPriceMicroUsd });
  expect(plan.maxPriceMicroUsd).toBe(maxPriceMicroUsd);
  await provider.create(plan, 't');
  expect(paramsOf()['InstanceMarketOptions.SpotOptions.MaxPrice']).toBe(text);
});

test('R025 the plan has the price of its zone now, what the same costs on demand, and the disk as it is billed', async () => {
  const { provider, wire } = (double = await spotDouble());
  // A clock that is behind brings older changes along: the latest counts.
  wire.on('DescribeSpotPriceHistory', pricesReply(['t3.micro', 'us-east-1b', '0.0031', '2026-01-01T00:00:00Z'], ['t3.micro', 'us-east-1b', '0.0045', '2025-12-31T00:00:00Z'], ['t3.micro', 'us-east-1c', 'unknown']));
  const plan = await provider.plan(wish);
  expect(plan.zone).toBe('us-east-1b');
  expect(plan.price).toMatchObject({ computeMicroUsd: 3_100, onDemandMicroUsd: 10_400, storage: { gb: 30, microUsdPerGbMonth: 80_000 }, source: 'EC2 spot price in us-east-1b, 2026-01-01 00:00 UTC; on demand: AWS Price List API 2026-08-17' });
  const [asked] = wire.of('DescribeSpotPriceHistory');
  expect(asked?.params).toMatchObject({ 'InstanceType.1': 't3.micro', 'ProductDescription.1': 'Linux/UNIX', 'ProductDescription.2': 'Linux/UNIX (Amazon VPC)', StartTime: expect.stringMatching(/^2026-01-01T00:00:00/) as string });
});

test('R025 a price that nobody tells is unknown and no obstacle, with or without permission', async () => {
  const { provider, wire } = (double = await spotDouble());
  wire.on('DescribeSpotPriceHistory', ec2Error('UnauthorizedOperation', 'You are not authorized to perform this operation.', 403));
  const plan = await provider.plan({ ...wish, maxPriceMicroUsd: 2_000 });
  expect(plan.price.computeMicroUsd).toBeUndefined();
  expect(plan.price).toMatchObject({ onDemandMicroUsd: 10_400, source: expect.stringMatching(/^spot price unknown: these credentials lack ec2:DescribeSpotPriceHistory/) as string });
});

test('R019 a price above the highest one allowed is found before anything is asked of EC2, and says both', async () => {
  const { provider, wire } = (double = await spotDouble());
  await expect(provider.plan({ ...wish, zone: 'us-east-1b', maxPriceMicroUsd: 4_500 })).rejects.toMatchObject({
    code: 'capacity',
    message: 't3.micro costs $0.005 per hour as spot in us-east-1b now, above the highest price allowed, $0.0045',
    hints: expect.arrayContaining(['runctl aws create t3.micro --spot --spot-max-price 0.005']) as string[],
    topic: 'price-too-low',
    data: { refusal: 'price', spotMicroUsd: 5_000, maxMicroUsd: 4_500 },
  });
  await expect(provider.plan({ ...wish, maxPriceMicroUsd: 1_000 })).rejects.toMatchObject({ code: 'usage', message: 'a highest spot price of $0.001 per hour is too low for EC2' });
  expect(wire.of('RunInstances')).toEqual([]);
});

test('R019 a type that is not sold as spot is said so before anything else', async () => {
  const { provider, wire } = (double = await spotDouble());
  wire.on('DescribeInstanceTypes', typeReply('t3.micro', usage('on-demand')));
  await expect(provider.plan(wish)).rejects.toMatchObject({ code: 'usage', message: 't3.micro is not sold as spot in us-east-1', hints: expect.arrayContaining(['runctl aws create t3.micro --on-demand']) as string[] });
  await expect(provider.plan({ ...wish, market: 'on-demand' })).resolves.toMatchObject({ market: 'on-demand' });
});

test('R019 the quota of spot is another one than that of on-demand, and only spot machines use it up', async () => {
  const { provider, wire } = (double = await spotDouble());
  wire.on('GetServiceQuota', (request) => jsonReply({ Quota: { Value: request.json['QuotaCode'] === 'L-34B43A08' ? 9 : 999 } }));
  const cpu = '<cpuOptions><coreCount>4</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>';
  const one = (more: string): string => instanceXml().replace('<tagSet>', `${more}<tagSet>`);
  wire.on('DescribeInstances', instances(one(cpu), one(`${cpu}<instanceLifecycle>spot</instanceLifecycle>`)));
  await expect(provider.plan(wish)).rejects.toMatchObject({ code: 'quota', message: 't3.micro needs 2 vCPUs, but the account\'s spot quota in us-east-1 is 9, of which 8 are in use', data: { quotaCode: 'L-34B43A08' } });
  const checks = await provider.checks({ machine: { type: 't3.micro', market: 'on-demand' } });
  expect(checks.find(({ name }) => name === 'quota')).toMatchObject({ outcome: 'ok', detail: 'needs 2 vCPUs, the limit is 999, 8 in use' });
});

test.each([
  ['g5.xlarge', 'L-3819A6DF'], ['p3.2xlarge', 'L-7212CCBC'], ['p4d.24xlarge', 'L-7212CCBC'], ['p5.48xlarge', 'L-C4BD4855'], ['m7i.large', 'L-34B43A08'], ['trn1.2xlarge', undefined],
])('R019 spot machines of type %s count against %s', async (type, code) => {
  const { provider, wire } = (double = await spotDouble());
  wire.on('DescribeInstanceTypes', typeReply(type, usage('spot')));
  wire.on('DescribeInstanceTypeOfferings', ec2Error('UnauthorizedOperation', 'no', 403));
  await provider.checks({ machine: { type, market: 'spot' } });
  expect(wire.of('GetServiceQuota').map((request) => request.json['QuotaCode'])).toEqual(code === undefined ? [] : [code]);
});

test('R004 the checks of a spot machine tell its price now, or why nobody can', async () => {
  const { provider, wire, clock } = (double = await spotDouble());
  const spot = async () => (await provider.checks({ machine: { type: 't3.micro', market: 'spot' } })).find(({ name }) => name === 'spot');
  expect(await spot()).toMatchObject({ outcome: 'ok', detail: '$0.0041 per hour in us-east-1c now, $0.0104 on demand; the first spot machine of an account makes the role AWSServiceRoleForEC2Spot' });
  await clock.sleep(120_000);
  wire.on('DescribeSpotPriceHistory', ec2Error('UnauthorizedOperation', 'no', 403));
  expect(await spot()).toMatchObject({ outcome: 'warning', detail: expect.stringContaining('the spot price in us-east-1b is unknown: these credentials lack ec2:DescribeSpotPriceHistory') as string, fix: 'runctl aws policy caller' });
  expect((await provider.checks({ machine: { type: 't3.micro' } })).map(({ name }) => name)).not.toContain('spot');
});

test('R020 an answer that is lost is asked for again with the same token; a refusal for want of capacity is not', async () => {
  const { provider, wire } = (double = await spotDouble());
  const plan = await provider.plan(wish);
  wire.on('RunInstances', { reset: true }, ec2Error('InternalError', 'An internal error has occurred', 500), launched());
  await expect(provider.create(plan, 'token-1')).resolves.toMatchObject({ id: ID });
  const [first, second, third] = wire.of('RunInstances').map((request) => request.body);
  expect([second, third]).toEqual([first, first]);
  const before = wire.of('RunInstances').length;
  wire.on('RunInstances', ec2Error('InsufficientInstanceCapacity', 'There is no Spot capacity available that matches your request.', 500));
  await expect(provider.create(plan, 'token-2')).rejects.toMatchObject({ code: 'capacity', message: 'no spot capacity for t3.micro in us-east-1c now', data: { awsMessage: 'There is no Spot capacity available that matches your request.' } });
  expect(wire.of('RunInstances')).toHaveLength(before + 1);
});

test('R020 a launch that is given up while it is under way ends with the reason of whoever gave up', async () => {
  const { provider, wire } = (double = await spotDouble());
  const plan = await provider.plan(wish);
  wire.on('RunInstances', { hang: true });
  const abort = new AbortController();
  const made = provider.create(plan, 't', abort.signal);
  const reason = new Error('time is up');
  setTimeout(() => abort.abort(reason), 20);
  await expect(made).rejects.toBe(reason);
});

test('a rehearsal asks for the spot launch itself, without a token', async () => {
  const { provider, wire } = (double = await spotDouble());
  wire.on('RunInstances', ec2Error('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412));
  await provider.rehearse(await provider.plan(wish));
  expect(paramsOf()).toMatchObject({ DryRun: 'true', 'InstanceMarketOptions.MarketType': 'spot' });
  expect(tagsByKind(paramsOf())['spot-instances-request']).not.toHaveProperty('runctl:token');
});

test('R085 the boot script travels as user data, and what a power-off does as the plan says', async () => {
  const { provider } = (double = await spotDouble());
  const plan = await provider.plan({ type: 't3.micro', tags: {} });
  const boothook = '#cloud-boothook\n#!/bin/sh\nshutdown -h +480\n';
  await provider.create({ ...plan, bootScript: boothook, shutdown: 'terminate' }, 'a');
  await provider.create({ ...plan, bootScript: '#!/bin/sh -e\necho ü\n' }, 'b');
  expect(paramsOf()).toMatchObject({ InstanceInitiatedShutdownBehavior: 'terminate' });
  expect(Buffer.from(paramsOf()['UserData']!, 'base64').toString()).toBe(boothook);
  expect(paramsOf(1)).toMatchObject({ InstanceInitiatedShutdownBehavior: 'stop' });
  expect(Buffer.from(paramsOf(1)['UserData']!, 'base64').toString()).toMatch(/^#!\/bin\/sh -e\ncase "\$0" in \/var\/lib\/cloud\/instance\*\/scripts\/\*\) cp .*esac\necho ü\n$/);
});

test('R085 a boot script that EC2 would not take is refused here, with both sizes', async () => {
  double = await spotDouble();
  expect(() => userData(`#cloud-boothook\n${'x'.repeat(16_384)}`)).toThrow(expect.objectContaining({ code: 'usage', message: 'the boot script of the machine has 16400 bytes; EC2 takes 16384' }) as Error);
  expect(userData(`#cloud-boothook\n${'x'.repeat(16_384 - 16)}`)).toHaveLength(21_848);
});

test('the price of a spot machine that runs is that of its zone', async () => {
  const { provider, wire } = (double = await spotDouble());
  wire.on('DescribeVolumes', ec2Xml('DescribeVolumes', '<volumeSet><item><volumeId>vol-1</volumeId><size>30</size></item></volumeSet>'));
  const machine = { id: ID, provider: 'aws', type: 't3.micro', state: 'running', market: 'spot', region: 'us-east-1', zone: 'us-east-1b', tags: {} } as const;
  expect(await provider.price(machine)).toMatchObject({ computeMicroUsd: 5_000, onDemandMicroUsd: 10_400, addressMicroUsd: 0 });
});
