// Choices about a new machine, against a scripted account.
import { afterEach, expect, test } from 'vitest';
import { ec2Error, ec2Xml, jsonError, jsonReply, queryError } from '../../../test/support/wire-double.ts';
import { allIsWell, awsDouble, GPU, groupsReply, groupXml, imageReply, imageXml, profileReply, typeReply, zonesReply } from '../../../test/support/aws-double.ts';
import type { AwsDouble } from '../../../test/support/aws-double.ts';

let double: AwsDouble;
afterEach(() => double.close());

async function well(options: Parameters<typeof awsDouble>[0] = {}): Promise<AwsDouble> {
  double = await awsDouble(options);
  allIsWell(double.wire);
  return double;
}

test('D19 R013 a plan settles image, root device, zone, subnet, profile, key, price and tags without creating anything', async () => {
  const { provider, wire } = await well();
  const plan = await provider.plan({ type: 't3.micro', profile: 'p', keyName: 'laptop', tags: { 'runctl:run': 'run-1' } });
  expect(plan).toMatchObject({
    type: 't3.micro',
    market: 'on-demand',
    region: 'us-east-1',
    zone: 'us-east-1b',
    subnet: 'subnet-b',
    profile: 'p',
    keyName: 'laptop',
    image: { id: 'ami-1', architecture: 'x86_64', rootDevice: '/dev/xvda' },
    rootVolumeGb: 30,
    price: { computeMicroUsd: 10_400, storageMicroUsd: Math.ceil((80_000 * 30) / 720), storage: { gb: 30, microUsdPerGbMonth: 80_000 }, addressMicroUsd: 5_000, source: 'AWS Price List API 2026-08-17' },
    tags: { 'runctl:run': 'run-1', 'runctl:owner': 'ann', 'runctl:project': 'digits', 'runctl:market': 'on-demand', Name: 'runctl-digits', 'runctl:created': '2026-01-01T00:00:00.000Z' },
  });
  expect(plan.securityGroup).toBeUndefined();
  expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  expect(wire.requests.map((request) => request.operation).filter((name) => /^(Run|Create)/.test(name))).toEqual([]);
  expect(wire.of('GetParameter')[0]?.json.Name).toBe('/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64');
  expect(wire.of('GetProducts')[0]?.region).toBe('us-east-1');
});

test('R004 an unknown type is a usage error with the near name, whatever else fails beside it', async () => {
  const { provider, wire } = await well();
  wire.on('DescribeInstanceTypes', async () => {
    // Slower than the other failures: it must be the first in meaning, not in time.
    await new Promise((resolve) => setTimeout(resolve, 60));
    return ec2Error('InvalidInstanceType', 'The following supplied instance types do not exist: [t3.mirco]');
  });
  wire.on('DescribeInstanceTypeOfferings', (request) =>
    request.params.LocationType === 'region'
      ? ec2Xml('DescribeInstanceTypeOfferings', '<instanceTypeOfferingSet><item><instanceType>t3.micro</instanceType></item><item><instanceType>g5.xlarge</instanceType></item></instanceTypeOfferingSet>')
      : zonesReply(),
  );
  wire.on('GetInstanceProfile', queryError('NoSuchEntity', 'no', 404));
  await expect(provider.plan({ type: 't3.mirco', profile: 'p', tags: {} })).rejects.toMatchObject({ code: 'usage', message: 'no instance type t3.mirco in us-east-1', reason: 'did you mean t3.micro?' });
});

test.each([
  ['missing', queryError('NoSuchEntity', 'Instance Profile p cannot be found.', 404), /no instance profile p/],
  ['without a role', profileReply(''), /has no role/],
  ['with a role that EC2 may not take', profileReply('<member><RoleName>r</RoleName><RoleId>A</RoleId><Arn>a</Arn><Path>/</Path><CreateDate>2026-01-01T00:00:00Z</CreateDate><AssumeRolePolicyDocument>%7B%22Principal%22%3A%7B%22Service%22%3A%22lambda.amazonaws.com%22%7D%7D</AssumeRolePolicyDocument></member>'), /does not trust EC2/],
])('R004 an instance profile %s stops the plan with the commands that make it work', async (_case, answer, message) => {
  const { provider, wire } = await well();
  wire.on('GetInstanceProfile', answer);
  const error = await provider.plan({ type: 't3.micro', profile: 'p', tags: {} }).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: 'profile-missing', message: expect.stringMatching(message) as string, exitCode: 3 });
  expect((error as { hints: string[] }).hints.find((hint) => hint.startsWith('aws iam '))).toBeDefined();
  expect(wire.of('RunInstances')).toEqual([]);
});

test('a profile that the credentials may not look at does not stop the plan', async () => {
  const { provider, wire } = await well();
  wire.on('GetInstanceProfile', queryError('AccessDenied', 'no', 403));
  expect((await provider.plan({ type: 't3.micro', profile: 'p', tags: {} })).detail).toMatchObject({ profileCheck: 'unknown' });
});

test.each(['web', 'sg-0web'])('D20 a security group may be given as %s: by name or by id', async (given) => {
  const { provider, wire } = await well();
  wire.on('DescribeSecurityGroups', groupsReply(groupXml('sg-0web', 'web')));
  expect((await provider.plan({ type: 't3.micro', securityGroup: given, tags: {} })).securityGroup).toBe('sg-0web');
});

test('R271 runctl never uses its own group when somebody opened it to the world', async () => {
  const { provider, wire } = await well();
  wire.on('DescribeSecurityGroups', groupsReply(groupXml('sg-0own', 'runctl', '<item><ipProtocol>tcp</ipProtocol><fromPort>22</fromPort><toPort>22</toPort><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges></item>')));
  await expect(provider.plan({ type: 't3.micro', tags: {} })).rejects.toMatchObject({ code: 'config-invalid', message: 'security group runctl (sg-0own) is open to the world' });
});

test('an unknown group names the groups that exist', async () => {
  const { provider, wire } = await well();
  wire.on('DescribeSecurityGroups', groupsReply(), groupsReply(groupXml('sg-1', 'default')));
  await expect(provider.plan({ type: 't3.micro', securityGroup: 'wbe', tags: {} })).rejects.toMatchObject({ code: 'usage', reason: 'groups there: default' });
});

test('an NVIDIA type gets the Deep Learning image, found by name when the parameter is gone', async () => {
  const { provider, wire } = await well();
  wire.on('DescribeInstanceTypes', typeReply('g4dn.xlarge', GPU, 'x86_64', 4));
  wire.on('GetParameter', jsonError('ParameterNotFound', ''));
  wire.on('DescribeImages', ec2Xml('DescribeImages', `<imagesSet>${imageXml('ami-old', 'Deep Learning 1', '/dev/xvda', 75, 'x86_64', '2026-01-01')}${imageXml('ami-new', 'Deep Learning 2', '/dev/xvda', 120, 'x86_64', '2026-06-01')}</imagesSet>`));
  const plan = await provider.plan({ type: 'g4dn.xlarge', tags: {} });
  expect(plan.image.id).toBe('ami-new');
  expect(plan.rootVolumeGb).toBe(120);
  expect(wire.of('DescribeImages')[0]?.params['Owner.1']).toBe('amazon');
});

test('p3 needs the proprietary driver: the open-driver image is not taken', async () => {
  const { provider, wire } = await well();
  wire.on('DescribeInstanceTypes', typeReply('p3.2xlarge', GPU, 'x86_64', 8));
  await provider.plan({ type: 'p3.2xlarge', tags: {} });
  expect(wire.of('GetParameter')).toEqual([]);
  expect(wire.of('DescribeImages')[0]?.params['Filter.1.Value.1']).toMatch(/Proprietary/);
});

test('arm types get the arm image, and an image of the other architecture is refused', async () => {
  const { provider, wire } = await well();
  wire.on('DescribeInstanceTypes', typeReply('t4g.micro', '', 'arm64'));
  wire.on('DescribeImages', imageReply('ami-1', 'al2023', '/dev/xvda', 8, 'arm64'));
  expect((await provider.plan({ type: 't4g.micro', tags: {} })).image.architecture).toBe('arm64');
  expect(wire.of('GetParameter')[0]?.json.Name).toMatch(/-arm64$/);
  wire.on('DescribeImages', imageReply('ami-2', 'x', '/dev/xvda', 8, 'x86_64'));
  await expect(provider.plan({ type: 't4g.micro', image: 'ami-2', tags: {} })).rejects.toMatchObject({ code: 'usage', message: 'image ami-2 is for x86_64, but t4g.micro is arm64' });
});

test('the image given goes before the configured one, and that before the public parameter', async () => {
  const { provider, wire } = await well({ defaultAmi: 'ami-conf' });
  await provider.plan({ type: 't3.micro', tags: {} });
  await provider.plan({ type: 't3.micro', image: 'ami-flag', tags: {} });
  expect(wire.of('DescribeImages').map((request) => request.params['ImageId.1'])).toEqual(['ami-conf', 'ami-flag']);
  expect(wire.of('GetParameter')).toEqual([]);
});

test('a root volume smaller than the image is refused', async () => {
  const { provider } = await well();
  await expect(provider.plan({ type: 't3.micro', rootVolumeGb: 4, tags: {} })).rejects.toMatchObject({ code: 'usage', reason: 'the image needs at least 8 GB' });
});

test('a vCPU quota below the type is found before the launch; an unreadable quota is no obstacle', async () => {
  const { provider, wire } = await well();
  wire.on('GetServiceQuota', jsonReply({ Quota: { Value: 0 } }));
  await expect(provider.plan({ type: 't3.micro', tags: {} })).rejects.toMatchObject({ code: 'quota', data: { quotaCode: 'L-1216C47A', quotaVcpus: 0, vcpus: 2 } });
  wire.on('GetServiceQuota', jsonError('AccessDeniedException', 'no'));
  await expect(provider.plan({ type: 't3.micro', tags: {} })).resolves.toBeDefined();
});

test('a zone without the type, a full subnet and a region without default VPC read differently', async () => {
  const { provider, wire } = await well();
  await expect(provider.plan({ type: 't3.micro', zone: 'us-east-1a', tags: {} })).rejects.toMatchObject({ code: 'capacity', reason: 'the type is offered in us-east-1b, us-east-1c only' });
  wire.on('DescribeSubnets', ec2Xml('DescribeSubnets', '<subnetSet/>'));
  await expect(provider.plan({ type: 't3.micro', tags: {} })).rejects.toMatchObject({ code: 'usage', message: 'no default subnet in us-east-1' });
});

test('a key pair that does not exist is a usage error', async () => {
  const { provider, wire } = await well();
  wire.on('DescribeKeyPairs', ec2Error('InvalidKeyPair.NotFound', "The key pair 'x' does not exist"));
  await expect(provider.plan({ type: 't3.micro', keyName: 'x', tags: {} })).rejects.toMatchObject({ code: 'usage', message: 'no key pair x in us-east-1' });
});

test('D46 without the Price List API the dated table serves, and what it lacks is unknown, not guessed', async () => {
  const { provider, wire } = await well();
  wire.on('GetProducts', jsonError('AccessDeniedException', 'no'));
  expect((await provider.plan({ type: 't3.micro', tags: {} })).price).toMatchObject({ computeMicroUsd: 10_400, source: 'built-in table 2026-08-17' });
  wire.on('DescribeInstanceTypes', typeReply('m7i.large'));
  const unknown = (await provider.plan({ type: 'm7i.large', tags: {} })).price;
  expect(unknown.computeMicroUsd).toBeUndefined();
  expect(unknown.source).toMatch(/^unknown/);
});
