// Every prerequisite broken in turn, over HTTP against the pretend cloud: the failed check has a name, and nothing billable happened.
import { randomBytes } from 'node:crypto';
import { AttachRolePolicyCommand, CreateInstanceProfileCommand, CreateRoleCommand, AddRoleToInstanceProfileCommand, DetachRolePolicyCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { realClock } from '../src/app/clock.ts';
import type { Config } from '../src/config/settings.ts';
import type { RunctlError } from '../src/core/errors.ts';
import { type CreateRequest, create } from '../src/engine/create.ts';
import { status } from '../src/engine/status.ts';
import { type TrainRequest, train } from '../src/engine/train.ts';
import { workflowTrain } from '../src/engine/workflow-train.ts';
import { createAwsProvider } from '../src/providers/aws/index.ts';
import { type TestApp, openTestApp } from './support/test-app.ts';

const PROFILE = 'runctl-ssm-profile';
const EC2_TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}';

let t: TestApp;
let settings: Config['aws'];
let opened: ReturnType<typeof createAwsProvider>[] = [];

beforeAll(async () => {
  t = await openTestApp();
  t.write('job.py', 'print("hello")\n');
  settings = { ...t.app.config.aws };
  await makeBucket('far-away', 'eu-west-1');
  await makeBucket('near-by');
  const iam = client(IAMClient);
  const role = async (name: string, trust: string, ...policies: string[]): Promise<void> => {
    await iam.send(new CreateRoleCommand({ RoleName: name, AssumeRolePolicyDocument: trust }));
    for (const policy of policies) await iam.send(new AttachRolePolicyCommand({ RoleName: name, PolicyArn: `arn:aws:iam::aws:policy/${policy}` }));
    await iam.send(new CreateInstanceProfileCommand({ InstanceProfileName: name }));
    await iam.send(new AddRoleToInstanceProfileCommand({ InstanceProfileName: name, RoleName: name }));
  };
  await iam.send(new CreateInstanceProfileCommand({ InstanceProfileName: 'empty' }));
  await role('for-lambda', EC2_TRUST.replace('ec2', 'lambda'), 'AmazonSSMManagedInstanceCore');
  await role('without-ssm', EC2_TRUST, 'AmazonS3ReadOnlyAccess');
  await role('inline-ssm', EC2_TRUST);
  await iam.send(new PutRolePolicyCommand({ RoleName: 'inline-ssm', PolicyName: 'own', PolicyDocument: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ssm:Update*"],"Resource":"*"}]}' }));
  iam.destroy();
});
afterEach(() => {
  t.app.config.aws = { ...settings };
  t.use(t.provider);
  t.sim.weather.clear();
  t.sim.cloud.world.table('servicequotas.values').delete('us-east-1/L-1216C47A');
  t.events.length = 0;
  for (const provider of opened) provider.close();
  opened = [];
});
afterAll(() => t?.close());

function client<Client>(Class: new (config: { endpoint: string; region: string; credentials: ReturnType<TestApp['sim']['credentials']>; forcePathStyle: boolean }) => Client, region = 'us-east-1'): Client {
  return new Class({ endpoint: t.sim.endpoint, region, credentials: t.sim.credentials(), forcePathStyle: true });
}

async function makeBucket(Bucket: string, region = 'us-east-1'): Promise<void> {
  const s3 = client(S3Client, region);
  await s3.send(new CreateBucketCommand({ Bucket, ...(region === 'us-east-1' ? {} : { CreateBucketConfiguration: { LocationConstraint: region as 'eu-west-1' } }) }));
  s3.destroy();
}

/** A provider with another environment than the good one. */
function otherwise(env: Record<string, string | undefined>, region: string | undefined = 'us-east-1'): void {
  const { accessKeyId, secretAccessKey } = t.sim.credentials();
  const provider = createAwsProvider({ region, clock: realClock, env: { AWS_ENDPOINT_URL: t.sim.endpoint, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, HOME: '/nonexistent', AWS_MAX_ATTEMPTS: '1', ...env } });
  opened.push(provider);
  t.use(provider);
}

interface Broken {
  what: string;
  check: string;
  code: string;
  exit: number;
  message: RegExp;
  /** Some hint or cause must say this. */
  advice?: RegExp;
  request?: Partial<CreateRequest>;
  config?: Partial<Config['aws']>;
  break?: () => void;
}

const BROKEN: Broken[] = [
  { what: 'no credentials', check: 'credentials', code: 'credentials-missing', exit: 3, message: /no AWS credentials found/, advice: /aws configure/, break: () => otherwise({ AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' }) },
  { what: 'wrong credentials', check: 'credentials', code: 'credentials-rejected', exit: 3, message: /credentials/, break: () => otherwise({ AWS_SECRET_ACCESS_KEY: 'wrong' }) },
  { what: 'expired credentials', check: 'credentials', code: 'credentials-rejected', exit: 3, message: /expired/, break: () => void t.sim.weather.add({ kind: 'credentials-expired' }) },
  { what: 'a wrong clock', check: 'credentials', code: 'credentials-rejected', exit: 3, message: /clock/, break: () => void t.sim.weather.add({ kind: 'error', code: 'RequestTimeTooSkewed', message: 'The difference between the request time and the current time is too large.', status: 403 }) },
  { what: 'no region', check: 'region', code: 'region-missing', exit: 3, message: /no AWS region/, advice: /config set aws\.region/, break: () => otherwise({}, '') },
  { what: 'a region that does not exist', check: 'region', code: 'not-permitted', exit: 3, message: /no AWS region us-esat-1/, advice: /us-east-1/, break: () => otherwise({}, 'us-esat-1') },
  { what: 'an unknown type', check: 'type', code: 'usage', exit: 1, message: /no instance type t3\.mikro/, advice: /t3\.micro/, request: { type: 't3.mikro' } },
  { what: 'a zone that does not offer the type', check: 'zone', code: 'capacity', exit: 2, message: /p5\.48xlarge is not offered in us-east-1f/, advice: /offered in us-east-1a, us-east-1b only/, request: { type: 'p5.48xlarge', zone: 'us-east-1f' } },
  { what: 'an unknown subnet', check: 'subnet', code: 'usage', exit: 1, message: /subnet-0123456789abcdef0/, request: { subnet: 'subnet-0123456789abcdef0' } },
  { what: 'an unknown image', check: 'image', code: 'usage', exit: 1, message: /ami-0123456789abcdef0/, request: { image: 'ami-0123456789abcdef0' } },
  { what: 'an unknown key pair', check: 'key-pair', code: 'usage', exit: 1, message: /no key pair laptop/, request: { keyName: 'laptop' } },
  { what: 'an unknown security group', check: 'security-group', code: 'usage', exit: 1, message: /no security group web/, request: { securityGroup: 'web' } },
  { what: 'no such profile', check: 'profile', code: 'profile-missing', exit: 3, message: /no instance profile nobody/, advice: /doctor --fix/, request: { profile: 'nobody' } },
  { what: 'a profile without a role', check: 'profile', code: 'profile-missing', exit: 3, message: /empty has no role/, advice: /add-role-to-instance-profile/, request: { profile: 'empty' } },
  { what: 'a role that EC2 may not take', check: 'profile', code: 'profile-missing', exit: 3, message: /does not trust EC2/, advice: /update-assume-role-policy/, request: { profile: 'for-lambda' } },
  { what: 'a role that lacks the rights of the SSM agent', check: 'profile', code: 'profile-missing', exit: 3, message: /does not let the SSM agent connect/, advice: /attach-role-policy/, request: { profile: 'without-ssm' } },
  { what: 'a quota that is too small', check: 'quota', code: 'quota', exit: 2, message: /t3\.micro needs 2 vCPUs, but the account's quota in us-east-1 is 1$/, advice: /request-service-quota-increase/, break: () => t.sim.cloud.world.table('servicequotas.values').put('us-east-1/L-1216C47A', { value: 1 }) },
  { what: 'R005 a missing bucket', check: 'bucket', code: 'bucket-missing', exit: 3, message: /no bucket not-there/, advice: /doctor --fix --bucket not-there/, config: { s3_bucket: 'not-there' } },
  { what: 'R005 a bucket in another region', check: 'bucket', code: 'config-invalid', exit: 3, message: /far-away is in eu-west-1/, advice: /config set aws\.region eu-west-1/, config: { s3_bucket: 'far-away' } },
  { what: 'R005 a forbidden bucket', check: 'bucket', code: 'bucket-forbidden', exit: 3, message: /may not use it/, advice: /aws policy --bucket near-by/, config: { s3_bucket: 'near-by' }, break: () => void t.sim.weather.add({ kind: 'access-denied', operation: 's3.HeadBucket' }) },
];

const OPERATIONS: Record<string, (request: Partial<CreateRequest>) => Promise<unknown>> = {
  create: (request) => create(t.app, { provider: 'aws', type: 't3.micro', profile: PROFILE, wait: false, timeoutMs: 60_000, dryRun: false, ...request }),
  'create --dry-run': (request) => create(t.app, { provider: 'aws', type: 't3.micro', profile: PROFILE, wait: false, timeoutMs: 60_000, ...request, dryRun: true }),
  'workflow train': (request) =>
    workflowTrain(t.app, { provider: 'aws', type: 't3.micro', profile: PROFILE, script: 'job.py', args: [], includePatterns: [], syncCode: true, install: false, onFailure: 'terminate', keep: false, timeoutMs: 60_000, ...request }),
};

const failure = async (promise: Promise<unknown>): Promise<RunctlError> => promise.then(() => expect.unreachable('it should have failed'), (error: unknown) => error as RunctlError);
const count = (operation: string): number => t.sim.status().operations[operation] ?? 0;

describe.each(Object.keys(OPERATIONS))('R004 %s', (operation) => {
  test.each(BROKEN)('R004 stops before anything billable: $what', async (broken) => {
    t.app.config.aws = { ...settings, ...broken.config };
    broken.break?.();
    const before = count('ec2.RunInstances');
    const error = await failure(OPERATIONS[operation]!(broken.request ?? {}));
    expect(error, error.stack).toMatchObject({ code: broken.code, exitCode: broken.exit, data: { check: broken.check, failed: [broken.check] } });
    expect(error.message).toMatch(broken.message);
    expect(error.message.startsWith(`${broken.check}: `), error.message).toBe(true);
    if (broken.advice) expect([error.reason, ...error.hints].join('\n')).toMatch(broken.advice);
    expect(count('ec2.RunInstances')).toBe(before);
  });

  test('R004 several broken at once: the first is the error, the others are told with it', async () => {
    t.app.config.aws = { ...settings, s3_bucket: 'not-there' };
    const error = await failure(OPERATIONS[operation]!({ profile: 'nobody', keyName: 'laptop' }));
    expect(error.data).toMatchObject({ check: 'key-pair', failed: ['key-pair', 'profile', 'bucket'] });
    expect(error.reason).toContain('Failed too: profile: no instance profile nobody');
    expect(error.reason).toContain('Failed too: bucket: no bucket not-there');
    expect(error.hints).toContain('runctl doctor');
  });
});

describe('what cannot be checked is no failure', () => {
  test('R004 IAM and Service Quotas may not be read: a machine is made, and the warning says what was not looked at', async () => {
    t.sim.weather.load([{ kind: 'access-denied', operation: 'iam.*' }, { kind: 'throttle', operation: 'servicequotas.*' }]);
    const { instanceId } = (await OPERATIONS['create']!({})) as { instanceId: string };
    expect(instanceId).toMatch(/^i-/);
    const notes = t.events.flatMap((event) => (event.kind === 'note' && event.level === 'warning' ? [event.text] : []));
    expect(notes).toEqual([expect.stringMatching(/^profile: .*could not be looked at: iam:GetInstanceProfile/)]);
    await t.provider.terminate(instanceId);
  });

  test('R004 rights from an inline policy are as good as the managed one', async () => {
    expect(await OPERATIONS['create --dry-run']!({ profile: 'inline-ssm' })).toMatchObject({ state: 'planned', iamInstanceProfile: 'inline-ssm' });
  });

  test('R004 the quota counts what runs: the message names need, limit and use', async () => {
    const { instanceId } = (await OPERATIONS['create']!({})) as { instanceId: string };
    t.sim.cloud.world.table('servicequotas.values').put('us-east-1/L-1216C47A', { value: 3 });
    const error = await failure(OPERATIONS['create']!({}));
    expect(error.message).toBe("quota: t3.micro needs 2 vCPUs, but the account's quota in us-east-1 is 3, of which 2 are in use");
    expect(error.data).toMatchObject({ vcpus: 2, quotaVcpus: 3, usedVcpus: 2 });
    await t.provider.terminate(instanceId);
  });
});

test('R243 create asks each question once: the checks and the plan share their answers', async () => {
  t.app.config.aws = { ...settings, s3_bucket: 'near-by' };
  const before = t.sim.status().operations;
  const { instanceId } = (await OPERATIONS['create']!({})) as { instanceId: string };
  const after = t.sim.status().operations;
  const made = Object.fromEntries(Object.entries(after).map(([name, n]) => [name, n - (before[name] ?? 0)] as const).filter(([, n]) => n > 0));
  await t.provider.terminate(instanceId);
  expect(made).toMatchObject({ 'ec2.DescribeInstanceTypes': 1, 'ec2.DescribeInstanceTypeOfferings': 1, 'ec2.DescribeSubnets': 1, 'ec2.DescribeImages': 1, 'ec2.DescribeSecurityGroups': 1, 'iam.GetInstanceProfile': 1, 'iam.ListAttachedRolePolicies': 1, 'servicequotas.GetServiceQuota': 1, 'ssm.GetParameter': 1, 'ec2.RunInstances': 1 });
  // Nobody needs to be asked who is calling: every answer proves it. One list for the limit of machines, one for the quota.
  expect(made['sts.GetCallerIdentity']).toBeUndefined();
  expect(made['ec2.DescribeInstances']).toBe(2);
});

describe('training on a machine that exists', () => {
  let machineId: string;
  let bare: string;
  beforeAll(async () => {
    machineId = (await create(t.app, { provider: 'aws', type: 't3.micro', profile: PROFILE, wait: true, timeoutMs: 60_000, dryRun: false })).instanceId as string;
    bare = (await create(t.app, { provider: 'aws', type: 't3.micro', wait: true, timeoutMs: 60_000, dryRun: false })).instanceId as string;
  });

  const trainOn = (id: string, more: Partial<TrainRequest> = {}) =>
    train(t.app, { provider: 'aws', machineId: id, script: 'job.py', args: [], includePatterns: [], syncCode: true, install: false, wait: true, force: false, ...more });
  const sayings = (error: RunctlError): string => [error.message, error.reason, ...error.hints].join('\n');

  test.each(BROKEN.filter(({ check }) => check === 'bucket'))('R004 stops before anything is sent: $what', async (broken) => {
    t.app.config.aws = { ...settings, ...broken.config };
    broken.break?.();
    const before = count('ssm.SendCommand');
    const error = await failure(trainOn(machineId));
    expect(error).toMatchObject({ code: broken.code, exitCode: broken.exit, data: { check: 'bucket' } });
    expect(sayings(error)).toMatch(broken.advice!);
    expect(count('ssm.SendCommand')).toBe(before);
  });

  test('R008 without bucket and key the code goes through SSM itself, and nothing speaks of a key pair', async () => {
    const result = await trainOn(machineId);
    expect(result).toMatchObject({ phase: 'succeeded', sync: { route: 'ssm', verified: true } });
    expect(JSON.stringify(t.events)).not.toMatch(/key.?pair|ssh key|unknown/i);
  });

  test('R008 a machine without a profile: the error names the profile and what to type, no key pair', async () => {
    const error = await failure(trainOn(bare));
    expect(error).toMatchObject({ code: 'profile-missing', exitCode: 3, data: { check: 'profile', machine: bare } });
    expect(error.hints[0]).toMatch(/^aws ec2 associate-iam-instance-profile /);
    expect(sayings(error)).not.toMatch(/key.?pair|ssh key|unknown/i);
  });

  test('R009 R006 too large for SSM without a bucket: refused at once with the two lines, naming the buckets that there are', async () => {
    t.write('big.bin', randomBytes(3 * 1024 * 1024).toString('latin1'));
    const before = t.sim.status().operations;
    // The requirement's second is the program's; a computer that is busy with something else gets three tries.
    let error = await failure(trainOn(machineId));
    let quickest = Infinity;
    for (let attempt = 0; attempt < 3 && quickest >= 1000; attempt += 1) {
      const startedAt = performance.now();
      error = await failure(trainOn(machineId));
      quickest = Math.min(quickest, performance.now() - startedAt);
    }
    t.write('big.bin', '');
    expect(quickest).toBeLessThan(1000);
    expect(error).toMatchObject({ code: 'bucket-missing', exitCode: 3, data: { check: 'bucket', buckets: ['far-away', 'near-by'] } });
    expect(error.hints[0]).toBe('[aws]\ns3_bucket = "far-away"');
    expect(error.hints).toContain('runctl config set aws.s3_bucket far-away');
    expect(error.reason).toContain('This account has the buckets far-away, near-by.');
    expect(sayings(error)).not.toMatch(/key.?pair|ssh key/i);
    const after = t.sim.status().operations;
    expect([after['ssm.SendCommand'], after['ec2.DescribeInstances']]).toEqual([before['ssm.SendCommand'], before['ec2.DescribeInstances']]);
  });

  test('R009 the workflow refuses it before a machine is made; buckets that cannot be listed do not matter', async () => {
    t.sim.weather.add({ kind: 'access-denied', operation: 's3.ListBuckets' });
    t.write('big.bin', randomBytes(3 * 1024 * 1024).toString('latin1'));
    const before = count('ec2.RunInstances');
    const error = await failure(OPERATIONS['workflow train']!({})).finally(() => t.write('big.bin', ''));
    expect(error).toMatchObject({ code: 'bucket-missing', data: { buckets: [] } });
    expect(error.hints[0]).toBe('[aws]\ns3_bucket = "my-bucket"');
    expect(count('ec2.RunInstances')).toBe(before);
  });

  test('R007 status says that SSM is there and code sync is not, and why', async () => {
    const read = async (id = machineId) => status(t.app, { provider: 'aws', machineId: id });
    expect(await read()).toMatchObject({ ssm: 'online', codeSync: 'ready', codeSyncDetail: expect.stringMatching(/through SSM itself; .* of at most 2\.0 MiB packed/) });
    t.write('big.bin', randomBytes(3 * 1024 * 1024).toString('latin1'));
    const tooLarge = await read();
    t.write('big.bin', '');
    expect(tooLarge).toMatchObject({ ssm: 'online', codeSync: 'not-ready', codeSyncDetail: expect.stringMatching(/^no bucket is configured, and .*SSM itself takes at most 2\.0 MiB$/), codeSyncFix: 'runctl doctor --fix' });
    t.app.config.aws = { ...settings, s3_bucket: 'not-there' };
    expect(await read()).toMatchObject({ ssm: 'online', codeSync: 'not-ready', codeSyncDetail: expect.stringContaining('no bucket not-there') });
    t.app.config.aws = { ...settings, s3_bucket: 'far-away' };
    expect(await read()).toMatchObject({ ssm: 'online', codeSync: 'not-ready', codeSyncDetail: expect.stringContaining('is in eu-west-1') });
    t.app.config.aws = { ...settings, s3_bucket: 'near-by' };
    expect(await read()).toMatchObject({ ssm: 'online', codeSync: 'ready', codeSyncDetail: 'through s3://near-by' });
    t.sim.weather.add({ kind: 'access-denied', operation: 's3.HeadBucket' });
    expect(await read()).toMatchObject({ ssm: 'online', codeSync: 'not-ready', codeSyncDetail: expect.stringContaining('may not use it') });
    expect(await read(bare)).toMatchObject({ ssm: 'none', codeSync: 'not-ready', codeSyncDetail: expect.stringContaining('no instance profile') });
    await t.provider.stop(bare);
    expect(await read(bare)).toMatchObject({ codeSync: 'not-ready', codeSyncDetail: expect.stringMatching(/^the machine is stop/) });
  });

  test('R007 where no project is, status says what goes without a bucket', async () => {
    const here = t.app.cwd;
    t.app.cwd = '/';
    expect(await status(t.app, { provider: 'aws', machineId }).finally(() => (t.app.cwd = here))).toMatchObject({ codeSync: 'limited', codeSyncDetail: expect.stringContaining('at most 2.0 MiB packed') });
  });
});

test('a role that loses its policy is found out', async () => {
  const iam = client(IAMClient);
  await iam.send(new DetachRolePolicyCommand({ RoleName: 'runctl-ssm-role', PolicyArn: 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore' }));
  const error = await failure(OPERATIONS['create']!({}));
  await iam.send(new AttachRolePolicyCommand({ RoleName: 'runctl-ssm-role', PolicyArn: 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore' }));
  iam.destroy();
  expect(error.message).toContain('runctl-ssm-role of instance profile runctl-ssm-profile does not let the SSM agent connect');
});
