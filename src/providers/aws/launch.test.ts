// The launch itself, judged by the request as the server received it.
import { afterEach, expect, test } from 'vitest';
import { ec2Error } from '../../../test/support/wire-double.ts';
import { allIsWell, awsDouble, ID, instances, instanceXml, launched } from '../../../test/support/aws-double.ts';
import type { AwsDouble } from '../../../test/support/aws-double.ts';

let double: AwsDouble;
afterEach(() => double.close());

async function planned(): Promise<AwsDouble & { plan: Awaited<ReturnType<AwsDouble['provider']['plan']>> }> {
  double = await awsDouble();
  allIsWell(double.wire);
  const plan = await double.provider.plan({ type: 't3.micro', profile: 'p', keyName: 'laptop', tags: { 'runctl:run': 'run-1' } });
  return { ...double, plan };
}

test('R013 RunInstances carries type, image, profile, key, token and every tag in one call', async () => {
  const { provider, wire, plan } = await planned();
  const machine = await provider.create(plan, 'token-1');
  expect(machine).toMatchObject({ id: ID, state: 'pending', provider: 'aws', market: 'on-demand', region: 'us-east-1' });
  const { params } = wire.of('RunInstances')[0]!;
  expect(params).toMatchObject({
    ImageId: 'ami-1',
    InstanceType: 't3.micro',
    MinCount: '1',
    MaxCount: '1',
    ClientToken: 'token-1',
    SubnetId: 'subnet-b',
    'SecurityGroupId.1': 'sg-0own',
    'IamInstanceProfile.Name': 'p',
    KeyName: 'laptop',
    InstanceInitiatedShutdownBehavior: 'stop',
  });
  const kinds = [1, 2, 3].map((n) => params[`TagSpecification.${n}.ResourceType`]);
  expect(kinds).toEqual(['instance', 'volume', 'network-interface']);
  for (const n of [1, 2, 3]) {
    const tags = Object.fromEntries([1, 2, 3, 4, 5, 6].map((m) => [params[`TagSpecification.${n}.Tag.${m}.Key`], params[`TagSpecification.${n}.Tag.${m}.Value`]]));
    expect(tags).toEqual(plan.tags);
  }
});

test('R271 IMDSv2 only, encrypted gp3 root under the image\'s own device name, a group with no inbound rule', async () => {
  const { provider, wire, plan } = await planned();
  await provider.create(plan, 'token-1');
  expect(wire.of('RunInstances')[0]?.params).toMatchObject({
    'MetadataOptions.HttpTokens': 'required',
    'MetadataOptions.HttpPutResponseHopLimit': '2',
    'BlockDeviceMapping.1.DeviceName': '/dev/xvda',
    'BlockDeviceMapping.1.Ebs.Encrypted': 'true',
    'BlockDeviceMapping.1.Ebs.VolumeType': 'gp3',
    'BlockDeviceMapping.1.Ebs.VolumeSize': '30',
    'BlockDeviceMapping.1.Ebs.DeleteOnTermination': 'true',
  });
  expect(wire.requests.map((request) => request.operation)).not.toContain('AuthorizeSecurityGroupIngress');
  expect(Object.keys(wire.of('RunInstances')[0]!.params).filter((name) => name.includes('PublicIp'))).toEqual([]);
});

test('the same plan and token give the same request byte for byte, hours later', async () => {
  const { provider, wire, plan, clock } = await planned();
  await provider.create(plan, 'token-1');
  await clock.sleep(7_200_000);
  await provider.create(JSON.parse(JSON.stringify(plan)), 'token-1');
  const [first, second] = wire.of('RunInstances');
  expect(second?.body).toBe(first?.body);
});

test('no capacity is reported after one try, not repeated by the SDK', async () => {
  const { provider, wire, plan } = await planned();
  wire.on('RunInstances', ec2Error('InsufficientInstanceCapacity', 'We currently do not have sufficient t3.micro capacity', 500));
  await expect(provider.create(plan, 't')).rejects.toMatchObject({ code: 'capacity', retryable: true, message: 'no capacity for t3.micro in us-east-1 now', reason: expect.stringContaining('We currently do not have') as string });
  expect(wire.of('RunInstances')).toHaveLength(1);
});

test.each([
  ['a throttle', ec2Error('RequestLimitExceeded', 'Request limit exceeded.', 503)],
  ['a broken connection', { reset: true }],
  ['an internal error', ec2Error('InternalError', 'An internal error has occurred', 500)],
])('after %s the launch is sent again with the same token', async (_case, failure) => {
  const { provider, wire, plan } = await planned();
  wire.on('RunInstances', failure, failure, launched());
  await expect(provider.create(plan, 'token-1')).resolves.toMatchObject({ id: ID });
  expect(wire.of('RunInstances').map((request) => request.params.ClientToken)).toEqual(['token-1', 'token-1', 'token-1']);
});

test('a profile that IAM has just made is waited for, but not for ever', async () => {
  const { provider, wire, plan, clock } = await planned();
  const unknown = ec2Error('InvalidParameterValue', 'Value (p) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name');
  wire.on('RunInstances', unknown, unknown, launched());
  await expect(provider.create(plan, 't')).resolves.toMatchObject({ id: ID });
  wire.on('RunInstances', unknown);
  const before = clock.now();
  await expect(provider.create(plan, 't')).rejects.toMatchObject({ code: 'profile-missing' });
  expect(clock.now() - before).toBeGreaterThanOrEqual(90_000);
  expect(clock.now() - before).toBeLessThan(110_000);
});

test('a rehearsal asks EC2 with DryRun and creates neither machine nor group', async () => {
  const { provider, wire, plan } = await planned();
  wire.on('RunInstances', ec2Error('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412));
  await provider.rehearse(plan);
  expect(wire.of('RunInstances')[0]?.params.DryRun).toBe('true');
  expect(wire.of('CreateSecurityGroup')).toEqual([]);
  wire.on('RunInstances', ec2Error('UnauthorizedOperation', 'You are not authorized. Encoded authorization failure message: AAAABBBB', 403));
  const error = await provider.rehearse(plan).catch((caught: unknown) => caught as Error & { reason: string });
  expect(error).toMatchObject({ code: 'not-permitted' });
  expect((error as { reason: string }).reason).not.toContain('AAAABBBB');
});

test('a machine that EC2 denies right after its creation is looked for again; any other unknown id is absent at once', async () => {
  const { provider, wire, plan, clock } = await planned();
  const notFound = ec2Error('InvalidInstanceID.NotFound', `The instance ID '${ID}' does not exist`);
  const { id } = await provider.create(plan, 't');
  wire.on('DescribeInstances', notFound, notFound, instances(instanceXml({ state: 'pending' })));
  expect((await provider.find(id))?.state).toBe('pending');
  wire.on('DescribeInstances', notFound);
  await clock.sleep(120_000);
  const asked = wire.of('DescribeInstances').length;
  expect(await provider.find(id)).toBeUndefined();
  expect(await provider.find('i-0000000000000000f')).toBeUndefined();
  expect(wire.of('DescribeInstances').length - asked).toBe(2);
});

test('findByToken asks by client token and prefers a living machine', async () => {
  const { provider, wire } = await planned();
  wire.on('DescribeInstances', instances(instanceXml({ state: 'terminated' }), instanceXml({ id: 'i-0000000000000000a' })));
  expect((await provider.findByToken('tok'))?.id).toBe('i-0000000000000000a');
  expect(wire.of('DescribeInstances').at(-1)?.params).toMatchObject({ 'Filter.1.Name': 'client-token', 'Filter.1.Value.1': 'tok' });
  wire.on('DescribeInstances', instances());
  expect(await provider.findByToken('tok')).toBeUndefined();
});

test('D42 R015 every page of the list counts, and only machines of runctl are asked for', async () => {
  const { provider, wire } = await planned();
  wire.on('DescribeInstances', (_request, nth) => {
    const page = instances(...Array.from({ length: 30 }, (_, n) => instanceXml({ id: `i-${(nth * 100 + n).toString(16).padStart(17, '0')}` })));
    return nth === 0 ? { ...page, body: String(page.body).replace('</reservationSet>', '</reservationSet><nextToken>more</nextToken>') } : page;
  });
  expect(await provider.list()).toHaveLength(60);
  const [first, second] = wire.of('DescribeInstances').slice(-2);
  expect(first?.params).toMatchObject({ 'Filter.1.Name': 'tag:runctl:owner', 'Filter.1.Value.1': 'ann', 'Filter.2.Name': 'instance-state-name', MaxResults: '1000' });
  expect(Object.values(first!.params)).not.toContain('terminated');
  expect(second?.params.NextToken).toBe('more');
});

test('R036 stop, start and terminate give the machine with the state that EC2 answered', async () => {
  const { provider, wire } = await planned();
  wire.on('DescribeInstances', instances(instanceXml({ state: 'running' })));
  for (const [verb, operation, state, code] of [
    ['stop', 'StopInstances', 'stopping', 64],
    ['start', 'StartInstances', 'pending', 0],
    ['terminate', 'TerminateInstances', 'shutting-down', 32],
  ] as const) {
    wire.on(operation, { headers: { 'content-type': 'text/xml' }, body: `<${operation}Response><instancesSet><item><instanceId>${ID}</instanceId><currentState><code>${code}</code><name>${state}</name></currentState></item></instancesSet></${operation}Response>` });
    expect((await provider[verb](ID)).state).toBe(state);
    expect(wire.of(operation)[0]?.params['InstanceId.1']).toBe(ID);
  }
});

test('only the low byte of the state code counts, and the profile is the last part of its ARN', async () => {
  const { provider, wire } = await planned();
  wire.on('DescribeInstances', instances(instanceXml({ state: 'a name of the future', code: 272, profile: 'runctl-ssm-profile', tags: { 'runctl:project': 'digits' }, publicIp: '198.51.100.7' })));
  expect(await provider.find(ID)).toMatchObject({ state: 'running', profile: 'runctl-ssm-profile', zone: 'us-east-1b', publicIp: '198.51.100.7', privateIp: '172.31.0.9', launchedAt: Date.UTC(2026, 0, 1), tags: { 'runctl:project': 'digits' } });
});

test('R035 a word that is no machine id is refused without a call', async () => {
  const { provider, wire } = await planned();
  const before = wire.requests.length;
  await expect(provider.find('t3.micro')).rejects.toMatchObject({ code: 'usage' });
  await expect(provider.stop('i-xyz')).rejects.toMatchObject({ code: 'usage' });
  await expect(provider.shell({ id: '-rf' })).rejects.toMatchObject({ code: 'usage' });
  expect(wire.requests.length).toBe(before);
});
