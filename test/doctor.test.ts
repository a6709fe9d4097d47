// doctor against the pretend cloud: what it finds in a fresh account, what it offers, what it repairs, and what it leaves alone.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeleteInstanceProfileCommand, DeleteRoleCommand, DetachRolePolicyCommand, GetRolePolicyCommand, IAMClient, ListAttachedRolePoliciesCommand, RemoveRoleFromInstanceProfileCommand } from '@aws-sdk/client-iam';
import { CreateBucketCommand, GetBucketEncryptionCommand, GetPublicAccessBlockCommand, ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { realClock } from '../src/app/clock.ts';
import type { RunctlError } from '../src/core/errors.ts';
import { create } from '../src/engine/create.ts';
import { type DoctorRequest, type DoctorResult, doctor } from '../src/engine/doctor.ts';
import { createAwsProvider } from '../src/providers/aws/index.ts';
import { type TestApp, openTestApp } from './support/test-app.ts';

const SSM_CORE = 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore';
const ROLE = { RoleName: 'runctl-ssm-role' };
const PROFILE = { InstanceProfileName: 'runctl-ssm-profile' };

let t: TestApp;
let iam: IAMClient;
let s3: S3Client;
let questions: string[];
let file: string;

beforeEach(async () => {
  t = await openTestApp();
  const place = { endpoint: t.sim.endpoint, region: 'us-east-1', credentials: t.sim.credentials() };
  iam = new IAMClient(place);
  s3 = new S3Client({ ...place, forcePathStyle: true });
  questions = [];
  file = join(t.project, '.runctl.toml');
  answer(() => true);
});
afterEach(async () => {
  iam.destroy();
  s3.destroy();
  await t.close();
});

function answer(how: (question: string) => boolean): void {
  t.app.ask = async ({ text, flag }) => {
    expect([text.endsWith('?'), flag]).toEqual([true, '--yes']);
    questions.push(text);
    return how(text);
  };
}
const look = (more: Partial<DoctorRequest> = {}): Promise<DoctorResult> => doctor(t.app, { provider: 'aws', machine: { type: 't3.micro' }, fix: false, configFile: file, ...more });
const outcomes = ({ checks }: DoctorResult): Record<string, string> => Object.fromEntries(checks.map(({ name, outcome }) => [name, outcome]));
const check = ({ checks }: DoctorResult, name: string) => checks.find((one) => one.name === name);

async function removeProfile(): Promise<void> {
  await iam.send(new RemoveRoleFromInstanceProfileCommand({ ...PROFILE, ...ROLE }));
  await iam.send(new DetachRolePolicyCommand({ ...ROLE, PolicyArn: SSM_CORE }));
  await iam.send(new DeleteRoleCommand(ROLE));
  await iam.send(new DeleteInstanceProfileCommand(PROFILE));
}

test('R004 a fresh account: everything is looked at, nothing is changed, advice has commands', async () => {
  const result = await look();
  expect(outcomes(result)).toEqual({ credentials: 'ok', region: 'ok', type: 'ok', zone: 'ok', subnet: 'ok', image: 'ok', 'security-group': 'ok', quota: 'ok', profile: 'warning', bucket: 'warning' });
  expect(result.ok).toBe(true);
  expect(check(result, 'credentials')?.detail).toContain(`account ${t.sim.status().accountId}`);
  expect(check(result, 'quota')?.detail).toBe('needs 2 vCPUs, the limit is 256, 0 in use');
  expect(check(result, 'profile')).toMatchObject({ detail: expect.stringContaining('runctl-ssm-profile works'), fix: 'runctl config set aws.iam_instance_profile runctl-ssm-profile' });
  expect(Object.keys(t.sim.status().operations).filter((name) => /\.(Create|Put|Attach|Add|Run|PUT|POST)/.test(name))).toEqual([]);
  expect(existsSync(file)).toBe(false);
});

test('R006 with buckets in the account and none configured, they are named with the command that takes one', async () => {
  for (const Bucket of ['alpha-data', 'beta-data']) await s3.send(new CreateBucketCommand({ Bucket }));
  const bucket = check(await look(), 'bucket');
  expect(bucket).toMatchObject({ outcome: 'warning', suggestions: ['alpha-data', 'beta-data'], fix: 'runctl config set aws.s3_bucket alpha-data' });
  expect(bucket?.detail).toContain('this account has alpha-data, beta-data');
});

test('R004 all failures at once, each with its own remedy; a bad account hides the rest', async () => {
  const broken = await look({ machine: { type: 't3.mikro', profile: 'nobody', keyName: 'laptop' }, bucket: 'not-there' });
  expect(broken.ok).toBe(false);
  expect(outcomes(broken)).toMatchObject({ credentials: 'ok', region: 'ok', type: 'failed', zone: 'skipped', subnet: 'skipped', image: 'skipped', quota: 'skipped', 'key-pair': 'failed', profile: 'failed', bucket: 'failed' });
  expect(broken.checks.filter(({ outcome }) => outcome === 'failed').every(({ fix }) => fix)).toBe(true);
  const { accessKeyId } = t.sim.credentials();
  const stranger = createAwsProvider({ region: 'us-east-1', clock: realClock, env: { AWS_ENDPOINT_URL: t.sim.endpoint, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: 'wrong', HOME: '/nonexistent' } });
  t.use(stranger);
  const refused = await look({ bucket: 'not-there' });
  stranger.close();
  expect(outcomes(refused)).toEqual({ credentials: 'failed', region: 'skipped', type: 'skipped', zone: 'skipped', subnet: 'skipped', image: 'skipped', 'security-group': 'skipped', quota: 'skipped', profile: 'skipped', bucket: 'skipped' });
  expect(refused.checks[0]).toMatchObject({ name: 'credentials', error: { code: 'credentials-rejected' } });
});

test('D44 R004 --fix on an account with nothing: bucket, role and profile are made, the settings written, and the next look is content', async () => {
  await removeProfile();
  const name = `runctl-${t.sim.status().accountId}-us-east-1`;
  const result = await look({ fix: true });
  expect(questions).toEqual([expect.stringContaining(`Create the S3 bucket ${name} in us-east-1`), expect.stringContaining(`the role runctl-ssm-role (AmazonSSMManagedInstanceCore, and access to the bucket ${name})?`)]);
  expect(result.ok).toBe(true);
  expect(outcomes(result)).toMatchObject({ profile: 'ok', bucket: 'ok' });
  const written = readFileSync(file, 'utf8');
  expect(written).toContain(`s3_bucket = "${name}"`);
  expect(written).toContain('iam_instance_profile = "runctl-ssm-profile"');
  expect((await s3.send(new GetPublicAccessBlockCommand({ Bucket: name }))).PublicAccessBlockConfiguration).toEqual({ BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true });
  expect((await s3.send(new GetBucketEncryptionCommand({ Bucket: name }))).ServerSideEncryptionConfiguration?.Rules?.[0]?.ApplyServerSideEncryptionByDefault).toEqual({ SSEAlgorithm: 'AES256' });
  expect((await iam.send(new ListAttachedRolePoliciesCommand(ROLE))).AttachedPolicies).toMatchObject([{ PolicyArn: SSM_CORE }]);
  const inline = decodeURIComponent((await iam.send(new GetRolePolicyCommand({ ...ROLE, PolicyName: 'runctl-bucket' }))).PolicyDocument!);
  expect(inline).toContain(`arn:aws:s3:::${name}/*`);
  expect(inline).not.toContain('"*"');
  // A machine with the repaired profile answers.
  t.app.config.aws.s3_bucket = name;
  const made = await create(t.app, { provider: 'aws', type: 't3.micro', profile: 'runctl-ssm-profile', wait: true, timeoutMs: 60_000, dryRun: false });
  expect(made.ssm).toBe('connected');
});

test('every no leaves everything as it was', async () => {
  await removeProfile();
  answer(() => false);
  const result = await look({ fix: true });
  expect(questions).toHaveLength(2);
  expect(result.fixed).toEqual([]);
  expect(existsSync(file)).toBe(false);
  expect((await s3.send(new ListBucketsCommand({}))).Buckets ?? []).toEqual([]);
});

test.each([
  ['a profile without a role', async () => void (await iam.send(new RemoveRoleFromInstanceProfileCommand({ ...PROFILE, ...ROLE }))), /^Put the role runctl-ssm-role .* into the instance profile runctl-ssm-profile\?$/],
  ['a role without the policy', async () => void (await iam.send(new DetachRolePolicyCommand({ ...ROLE, PolicyArn: SSM_CORE }))), /^Attach AmazonSSMManagedInstanceCore to the role runctl-ssm-role /],
])('R004 --fix: %s', async (_what, damage, question) => {
  await damage();
  answer((text) => !text.includes('bucket'));
  const request = { machine: { type: 't3.micro', profile: 'runctl-ssm-profile' } };
  expect(outcomes(await look(request))).toMatchObject({ profile: 'failed' });
  const result = await look({ ...request, fix: true });
  expect(questions).toContainEqual(expect.stringMatching(question));
  expect(outcomes(result)).toMatchObject({ profile: 'ok' });
  expect(result.ok).toBe(true);
});

test('R005 --fix makes the configured bucket that is missing, keeps the file\'s comments, and touches no bucket of somebody else', async () => {
  writeFileSync(file, '# ours\n[aws]\ns3_bucket = "team-code" # shared\n');
  t.app.config.aws.s3_bucket = 'team-code';
  expect(outcomes(await look({ fix: true }))).toMatchObject({ bucket: 'ok' });
  expect(questions[0]).toMatch(/^Create the S3 bucket team-code in us-east-1 /);
  expect(readFileSync(file, 'utf8')).toMatch(/^# ours\n\[aws\]\ns3_bucket = "team-code" # shared\n/);
  t.sim.weather.add({ kind: 'access-denied', operation: 's3.HeadBucket' });
  questions = [];
  expect(outcomes(await look({ fix: true }))).toMatchObject({ bucket: 'failed' });
  expect(questions.filter((text) => text.includes('bucket team-code'))).toEqual([]);
});

test('R006 a bucket of ours that is there already is only written down; a taken name gets an ending', async () => {
  const name = `runctl-${t.sim.status().accountId}-us-east-1`;
  await s3.send(new CreateBucketCommand({ Bucket: name }));
  answer((text) => text.includes('bucket'));
  await look({ fix: true });
  expect(questions[0]).toBe(`Use the bucket ${name} from now on?`);
  expect(readFileSync(file, 'utf8')).toContain(`s3_bucket = "${name}"`);
  t.sim.weather.add({ kind: 'error', operation: 's3.CreateBucket', code: 'BucketAlreadyExists', status: 409, times: 1 });
  t.app.config.aws.region = 'us-east-1';
  const { provider } = t;
  const done = await provider.repair!({ id: 'bucket', question: '', detail: { action: 'bucket', bucket: `${name}-x`, region: 'us-east-1' } });
  expect(done.setting?.value).toMatch(new RegExp(`^${name}-x-[0-9a-f]{8}$`));
});

test('a repair that is refused says which right is missing and where they are printed', async () => {
  await removeProfile();
  t.sim.weather.add({ kind: 'access-denied', operation: 'iam.CreateRole' });
  answer((text) => !text.includes('S3'));
  const error = await look({ fix: true }).then(() => expect.unreachable(), (caught: unknown) => caught as RunctlError);
  expect(error).toMatchObject({ code: 'not-permitted', exitCode: 3 });
  expect(error.message).toContain('CreateRole');
  expect(error.hints).toContain('runctl aws policy setup');
  expect(existsSync(file)).toBe(false);
});
