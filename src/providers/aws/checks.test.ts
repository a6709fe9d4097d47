// Findings about an account and a wished-for machine, against a scripted AWS: what the pretend cloud cannot be made to say.
import { afterEach, expect, test } from 'vitest';
import { allIsWell, awsDouble, groupsReply, groupXml, instances, instanceXml, policiesReply, profileReply, subnetXml, TRUST } from '../../../test/support/aws-double.ts';
import type { AwsDouble } from '../../../test/support/aws-double.ts';
import { ec2Error, ec2Xml, jsonError, jsonReply, queryError, queryXml } from '../../../test/support/wire-double.ts';
import { foldAccount } from './account.ts';
import { createAwsApi } from './clients.ts';
import { allows } from './profile.ts';
import type { Check, Wanted } from '../../core/ports.ts';

let double: AwsDouble;
let open: AwsDouble | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

async function well(options: Parameters<typeof awsDouble>[0] = {}): Promise<AwsDouble> {
  double = open = await awsDouble(options);
  allIsWell(double.wire);
  return double;
}
const machine = { type: 't3.micro', profile: 'p' };
const checkOf = async (name: string, wanted: Wanted = { machine }): Promise<Check | undefined> => (await double.provider.checks(wanted)).find((check) => check.name === name);

test('R004 all is well: no finding but good ones, and nothing is created', async () => {
  const { provider, wire } = await well();
  const checks = await provider.checks({ machine: { ...machine, keyName: 'laptop' } });
  expect(checks.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual(['credentials', 'region', 'type', 'zone', 'subnet', 'image', 'security-group', 'key-pair', 'profile', 'quota'].map((name) => `${name} ok`));
  expect(checks.find(({ name }) => name === 'zone')?.detail).toBe('t3.micro is offered in us-east-1b, us-east-1c');
  expect(wire.requests.map(({ operation }) => operation).filter((name) => /^(Run|Create|Put|Attach|Add)/.test(name))).toEqual([]);
});

test('R243 a plan right after its checks asks nothing; another wish, a second plan and a late one ask again', async () => {
  const { provider, wire, clock } = await well();
  const before = (): number => wire.requests.length;
  const asks = async (work: () => Promise<unknown>): Promise<number> => {
    const from = before();
    await work();
    return before() - from;
  };
  await provider.checks({ machine });
  expect(await asks(() => provider.plan({ ...machine, tags: { 'runctl:run': 'r' } }))).toBe(0);
  expect(await asks(() => provider.plan({ ...machine, tags: {} }))).toBeGreaterThan(5);
  await provider.checks({ machine });
  expect(await asks(() => provider.plan({ ...machine, zone: 'us-east-1c', tags: {} }))).toBeGreaterThan(5);
  await provider.checks({ machine });
  await clock.sleep(120_000);
  expect(await asks(() => provider.plan({ ...machine, tags: {} }))).toBeGreaterThan(5);
  wire.on('DescribeKeyPairs', ec2Error('InvalidKeyPair.NotFound', 'no'));
  await provider.checks({ machine: { ...machine, keyName: 'x' } });
  expect(await asks(() => provider.plan({ ...machine, keyName: 'x', tags: {} }).catch(() => undefined))).toBeGreaterThan(5);
});

test('R004 the quota: need, limit and use; spot machines and other families do not count; pages do', async () => {
  const { wire } = await well();
  const running = (more: string) => instanceXml().replace('<tagSet>', `${more}<tagSet>`);
  const cpu = '<cpuOptions><coreCount>4</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>';
  wire.on('DescribeInstances', (_request, nth) => {
    const page = instances(running(cpu), running(`${cpu}<instanceLifecycle>spot</instanceLifecycle>`), running(cpu).replace('t3.micro', 'trn1.2xlarge'));
    return nth === 0 ? { ...page, body: String(page.body).replace('</reservationSet>', '</reservationSet><nextToken>more</nextToken>') } : page;
  });
  expect(await checkOf('quota')).toMatchObject({ outcome: 'ok', detail: 'needs 2 vCPUs, the limit is 32, 16 in use' });
  wire.on('GetServiceQuota', jsonReply({ Quota: { Value: 9 } }));
  wire.on('DescribeInstances', instances(running(cpu)));
  expect(await checkOf('quota')).toMatchObject({ outcome: 'failed', error: { code: 'quota', data: { vcpus: 2, quotaVcpus: 9, usedVcpus: 8 } } });
  expect((await checkOf('quota'))?.detail).toContain('t3.micro needs 2 vCPUs, but the account\'s quota in us-east-1 is 9, of which 8 are in use');
  wire.on('DescribeInstances', instances(instanceXml()));
  expect(await checkOf('quota')).toMatchObject({ outcome: 'ok', detail: 'needs 2 vCPUs, the limit is 9, an unknown number in use' });
  wire.on('DescribeInstances', ec2Error('UnauthorizedOperation', 'no', 403));
  expect(await checkOf('quota')).toMatchObject({ outcome: 'ok' });
});

test.each([
  ['AccessDeniedException', jsonError('AccessDeniedException', 'no')],
  ['TooManyRequestsException', jsonError('TooManyRequestsException', 'slow down')],
  ['NoSuchResourceException', jsonError('NoSuchResourceException', 'what?')],
])('R004 a quota that cannot be read (%s) is a warning and no more calls', async (_name, reply) => {
  const { wire } = await well();
  wire.on('GetServiceQuota', reply);
  expect(await checkOf('quota')).toMatchObject({ outcome: 'warning', detail: expect.stringContaining('could not be checked') as string });
  expect(wire.of('GetServiceQuota')).toHaveLength(1);
  expect(wire.of('DescribeInstances')).toEqual([]);
});

const subnets = (...all: string[]) => ec2Xml('DescribeSubnets', `<subnetSet>${all.join('')}</subnetSet>`);

test('R004 a subnet: full, in a zone without the type, in another zone than asked for, without public addresses', async () => {
  const { wire } = await well();
  const at = (subnet: string, more: object = {}) => ({ machine: { ...machine, subnet, ...more } });
  wire.on('DescribeSubnets', subnets(subnetXml('subnet-1', 'us-east-1b', 0)));
  expect(await checkOf('subnet', at('subnet-1'))).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('no free address') as string, error: { code: 'capacity' } });
  wire.on('DescribeSubnets', subnets(subnetXml('subnet-1', 'us-east-1a')));
  expect(await checkOf('zone', at('subnet-1'))).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('t3.micro is not offered in us-east-1a, where subnet-1 lies: the type is offered in us-east-1b, us-east-1c only') as string });
  expect(await checkOf('subnet', at('subnet-1'))).toMatchObject({ outcome: 'skipped', detail: 'not looked at: zone comes first' });
  wire.on('DescribeSubnets', subnets(subnetXml('subnet-1', 'us-east-1b')));
  expect(await checkOf('subnet', at('subnet-1', { zone: 'us-east-1c' }))).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('subnet-1 lies in us-east-1b, not in us-east-1c') as string });
  wire.on('DescribeSubnets', subnets(subnetXml('subnet-1', 'us-east-1b').replace('<mapPublicIpOnLaunch>true', '<mapPublicIpOnLaunch>false')));
  expect(await checkOf('subnet', at('subnet-1'))).toMatchObject({ outcome: 'warning', detail: expect.stringContaining('NAT gateway or VPC endpoints') as string });
  wire.on('DescribeSubnets', ec2Error('InvalidSubnetID.NotFound', 'no such subnet'));
  expect(await checkOf('subnet', at('subnet-9'))).toMatchObject({ outcome: 'failed', error: { code: 'usage' } });
  expect(await checkOf('zone', at('subnet-9'))).toMatchObject({ outcome: 'skipped' });
});

test('R004 a group of another network is found out', async () => {
  const { wire } = await well();
  wire.on('DescribeSecurityGroups', groupsReply(groupXml('sg-1', 'web').replace('vpc-1', 'vpc-2')));
  expect(await checkOf('security-group', { machine: { ...machine, securityGroup: 'sg-1' } })).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('belongs to vpc-2') as string });
});

test('R004 a profile whose role has no managed policy: inline, own and unreadable policies', async () => {
  const { wire } = await well();
  const inline = (document: object) => queryXml('GetRolePolicy', `<RoleName>r</RoleName><PolicyName>own</PolicyName><PolicyDocument>${encodeURIComponent(JSON.stringify(document))}</PolicyDocument>`);
  const names = (...all: string[]) => queryXml('ListRolePolicies', `<PolicyNames>${all.map((name) => `<member>${name}</member>`).join('')}</PolicyNames><IsTruncated>false</IsTruncated>`);
  wire.on('ListAttachedRolePolicies', policiesReply('AmazonS3ReadOnlyAccess'));
  wire.on('ListRolePolicies', names('own'));
  wire.on('GetRolePolicy', inline({ Statement: { Effect: 'Allow', Action: 'ssm:*', Resource: '*' } }));
  expect(await checkOf('profile')).toMatchObject({ outcome: 'ok' });
  wire.on('GetRolePolicy', inline({ Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] }));
  expect(await checkOf('profile')).toMatchObject({ outcome: 'failed', error: { code: 'profile-missing', data: { fault: 'no-ssm', role: 'r' } }, remedy: { id: 'profile', question: expect.stringContaining('Attach AmazonSSMManagedInstanceCore to the role r') as string } });
  wire.on('ListRolePolicies', names());
  wire.on('ListAttachedRolePolicies', policiesReply('arn:aws:iam::123456789012:policy/team-machines'));
  expect(await checkOf('profile')).toMatchObject({ outcome: 'warning', detail: expect.stringContaining('whether team-machines lets the SSM agent connect was not looked at') as string });
  wire.on('ListAttachedRolePolicies', queryError('AccessDenied', 'no', 403));
  expect(await checkOf('profile')).toMatchObject({ outcome: 'warning', detail: expect.stringContaining('could not be checked') as string, fix: 'runctl aws policy' });
});

test('R004 IAM that cannot be reached says nothing about the profile; when nothing can be reached it is said once', async () => {
  const { wire, provider } = await well({ env: { AWS_MAX_ATTEMPTS: '1' } });
  wire.on('GetInstanceProfile', { reset: true });
  expect(await checkOf('profile')).toMatchObject({ outcome: 'warning', detail: expect.stringContaining('could not be looked at') as string });
  const advised = (await provider.checks({ advise: ['profile'] })).find(({ name }) => name === 'profile');
  expect(advised).toMatchObject({ outcome: 'warning', detail: expect.stringContaining('runctl-ssm-profile could not be looked at') as string });
  expect(advised?.remedy).toBeUndefined();
  for (const operation of ['DescribeInstanceTypes', 'DescribeInstanceTypeOfferings', 'DescribeSubnets', 'DescribeKeyPairs']) wire.on(operation, { reset: true });
  const checks = await provider.checks({ machine: { ...machine, keyName: 'k' } });
  expect(checks.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name)).toEqual(['endpoint']);
  expect(checks.find(({ name }) => name === 'type')).toMatchObject({ outcome: 'skipped', detail: 'not looked at: endpoint comes first' });
});

test('R004 a role that EC2 may not take cannot be repaired by itself: its trust may serve somebody else', async () => {
  const { wire } = await well();
  wire.on('GetInstanceProfile', profileReply(`<member><RoleName>r</RoleName><RoleId>A</RoleId><Arn>a</Arn><Path>/</Path><CreateDate>2026-01-01T00:00:00Z</CreateDate><AssumeRolePolicyDocument>${TRUST.replace('ec2', 'ecs-tasks')}</AssumeRolePolicyDocument></member>`));
  const check = await checkOf('profile');
  expect(check).toMatchObject({ outcome: 'failed', fix: expect.stringContaining('update-assume-role-policy') as string });
  expect(check?.remedy).toBeUndefined();
});

test.each([
  ['{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}', true],
  ['{"Statement":[{"Effect":"Allow","Action":["s3:Get*","SSM:update*"],"Resource":"*"}]}', true],
  ['{"Statement":[{"Effect":"Deny","Action":"ssm:UpdateInstanceInformation","Resource":"*"}]}', false],
  ['{"Statement":[{"Effect":"Allow","Action":"ssm:UpdateInstance","Resource":"*"}]}', false],
  ['{"Statement":[{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}]}', false],
  ['not json', false],
  ['', false],
])('a policy %s allows registration: %s', (document, expected) => {
  expect(allows(document, 'ssm:UpdateInstanceInformation')).toBe(expected);
});

const api = (region: string, env: Record<string, string> = {}) => createAwsApi({ region, clock: { now: () => 0, monotonic: () => 0, sleep: async () => undefined }, env: { HOME: '/nonexistent', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', ...env } });
const failed = (name: string, code: string, data: object = {}, more: object = {}): Check => ({ name, outcome: 'failed', detail: 'd', error: { code: code as never, message: 'm', hints: [], data: data as Record<string, unknown> }, ...more });

test('R004 a region whose name does not resolve is reported as the region, with the one that was meant', async () => {
  const folded = await foldAccount(api('us-esat-1'), [failed('type', 'endpoint-unreachable', { transport: 'ENOTFOUND' }), failed('bucket', 'endpoint-unreachable', { transport: 'ENOTFOUND' })]);
  expect(folded).toMatchObject([
    { name: 'region', outcome: 'failed', detail: 'there is no AWS region us-esat-1: did you mean us-east-1?', fix: '--region us-east-1' },
    { name: 'type', outcome: 'skipped' },
    { name: 'bucket', outcome: 'skipped' },
  ]);
});

test('R004 an account that has not enabled the region is told how; no network is no fault of the region', async () => {
  expect(await foldAccount(api('af-south-1'), [failed('type', 'not-permitted', { awsCode: 'OptInRequired' })])).toMatchObject([{ name: 'region', detail: 'the account may not use the region af-south-1', fix: 'aws account enable-region --region-name af-south-1' }, { name: 'type', outcome: 'skipped' }]);
  expect(await foldAccount(api('us-east-1'), [failed('type', 'endpoint-unreachable', { transport: 'ENOTFOUND' }), failed('zone', 'endpoint-unreachable')])).toMatchObject([{ name: 'endpoint', outcome: 'failed' }, { name: 'type', outcome: 'skipped' }, { name: 'zone', outcome: 'skipped' }]);
});

test('R004 something else at the endpoint, such as a web server, is said once; an emulator without one service is not', async () => {
  const strange = ['credentials', 'type', 'bucket'].map((name) => failed(name, 'endpoint-foreign'));
  expect(await foldAccount(api('us-east-1'), strange)).toMatchObject([{ name: 'endpoint', outcome: 'failed' }, { name: 'credentials', outcome: 'skipped' }, { name: 'type', outcome: 'skipped' }, { name: 'bucket', outcome: 'skipped' }]);
  const emulator = await foldAccount(api('us-east-1'), [{ name: 'type', outcome: 'ok', detail: '' }, failed('profile', 'endpoint-foreign')]);
  expect(emulator.map(({ name, outcome }) => `${name} ${outcome}`)).toContain('profile failed');
});

test('R004 one service that cannot be reached is its own check\'s fault while others answer', async () => {
  const folded = await foldAccount(api('us-east-1'), [{ name: 'type', outcome: 'ok', detail: '' }, failed('profile', 'endpoint-unreachable')]);
  expect(folded.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual(['credentials ok', 'region ok', 'type ok', 'profile failed']);
});
