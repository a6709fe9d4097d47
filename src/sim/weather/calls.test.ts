// Faults of calls as the unmodified SDK meets them: each kind, in the protocol of each service, by count, place and time.
import { DescribeInstancesCommand, EC2Client, RunInstancesCommand, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import { GetInstanceProfileCommand, IAMClient } from '@aws-sdk/client-iam';
import { CreateBucketCommand, GetObjectCommand, HeadBucketCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetServiceQuotaCommand, ServiceQuotasClient } from '@aws-sdk/client-service-quotas';
import { DescribeInstanceInformationCommand, GetParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failure, startTestSim } from '../../../test/support/test-sim.ts';
import type { TestSim } from '../../../test/support/test-sim.ts';
import { s3 } from '../aws/s3/s3.ts';
import { createSsm } from '../aws/ssm/create-ssm.ts';
import type { WeatherInput } from './plan.ts';

let t: TestSim;
const ssmPart = (cloud: Parameters<typeof createSsm>[0]) => [{ service: createSsm(cloud, () => undefined).service }, { service: s3 }];

beforeEach(async () => {
  t = await startTestSim({ parts: ssmPart });
});
afterEach(() => t.close());

interface Seen {
  name: string;
  status: number | undefined;
}

/** One harmless call of each protocol. */
const CALLS: Record<string, () => Promise<unknown>> = {
  ec2: () => t.ec2.send(new DescribeInstancesCommand({})),
  ssm: () => t.client(SSMClient).send(new DescribeInstanceInformationCommand({})),
  s3: () => objects().send(new ListObjectsV2Command({ Bucket: 'things' })),
  sts: () => t.client(STSClient).send(new GetCallerIdentityCommand({})),
  iam: () => t.client(IAMClient).send(new GetInstanceProfileCommand({ InstanceProfileName: 'runctl-ssm-profile' })),
  servicequotas: () => t.client(ServiceQuotasClient).send(new GetServiceQuotaCommand({ ServiceCode: 'ec2', QuotaCode: 'L-1216C47A' })),
};

function objects(region = 'us-east-1'): S3Client {
  return new S3Client({ endpoint: t.sim.endpoint, region, credentials: t.sim.credentials(), forcePathStyle: true, maxAttempts: 1 });
}

async function withBucket(): Promise<S3Client> {
  const client = objects();
  await client.send(new CreateBucketCommand({ Bucket: 'things' }));
  return client;
}

async function seen(call: () => Promise<unknown>): Promise<Seen> {
  const error = await failure(call());
  return { name: error.name, status: error.$metadata?.httpStatusCode };
}

/** What each protocol says under this rule, by service. */
async function inEachProtocol(rule: WeatherInput): Promise<Record<string, string>> {
  await withBucket();
  t.sim.weather.add(rule);
  const answers: Record<string, string> = {};
  for (const [service, call] of Object.entries(CALLS)) {
    const { name, status } = await seen(call);
    answers[service] = `${name} ${status}`;
  }
  return answers;
}

describe('R205 each kind in the words of each protocol', () => {
  test('R205 throttle', async () => {
    expect(await inEachProtocol({ kind: 'throttle' })).toEqual({
      ec2: 'RequestLimitExceeded 503', ssm: 'ThrottlingException 400', s3: 'SlowDown 503', sts: 'Throttling 400', iam: 'Throttling 400', servicequotas: 'TooManyRequestsException 400',
    });
  });

  test('R205 R078 any error code, with its message and status', async () => {
    expect(await inEachProtocol({ kind: 'error', code: 'OptInRequired', message: 'sign up first', status: 403 })).toEqual(Object.fromEntries(Object.keys(CALLS).map((service) => [service, 'OptInRequired 403'])));
    expect((await failure(CALLS['ec2']!())).message).toBe('sign up first');
    expect((await failure(CALLS['ssm']!())).message).toBe('sign up first');
    expect((await failure(CALLS['s3']!())).message).toBe('sign up first');
    expect((await failure(CALLS['sts']!())).$metadata.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('R205 lack of a permission names who may not do what', async () => {
    expect(await inEachProtocol({ kind: 'access-denied' })).toEqual({
      ec2: 'UnauthorizedOperation 403', ssm: 'AccessDeniedException 400', s3: 'AccessDenied 403', sts: 'AccessDenied 403', iam: 'AccessDenied 403', servicequotas: 'AccessDeniedException 400',
    });
    expect((await failure(CALLS['iam']!())).message).toContain(':user/runctl-sim is not authorized to perform: iam:GetInstanceProfile');
  });

  test('R205 expired credentials', async () => {
    expect(await inEachProtocol({ kind: 'credentials-expired' })).toEqual({
      ec2: 'RequestExpired 400', ssm: 'ExpiredTokenException 400', s3: 'ExpiredToken 400', sts: 'ExpiredToken 403', iam: 'ExpiredToken 403', servicequotas: 'ExpiredTokenException 400',
    });
  });

  test('R205 server errors, 500 and 503', async () => {
    expect(await inEachProtocol({ kind: 'server-error' })).toEqual({
      ec2: 'InternalError 500', ssm: 'InternalServerError 500', s3: 'InternalError 500', sts: 'InternalFailure 500', iam: 'InternalFailure 500', servicequotas: 'InternalServerError 500',
    });
    t.sim.weather.load([{ kind: 'server-error', status: 503 }]);
    expect(await seen(CALLS['ec2']!)).toEqual({ name: 'Unavailable', status: 503 });
    expect(await seen(CALLS['s3']!)).toEqual({ name: 'ServiceUnavailable', status: 503 });
    expect(await seen(CALLS['sts']!)).toEqual({ name: 'ServiceUnavailable', status: 503 });
    expect(await seen(CALLS['ssm']!)).toEqual({ name: 'ServiceUnavailable', status: 503 });
  });

  test('R205 a reset connection is one, whichever the protocol', async () => {
    await withBucket();
    t.sim.weather.add({ kind: 'reset' });
    for (const [service, call] of Object.entries(CALLS)) expect((await failure(call())) as { code?: string }, service).toMatchObject({ code: 'ECONNRESET' });
  });

  test("R205 a proxy's page is no answer of AWS", async () => {
    await withBucket();
    t.sim.weather.add({ kind: 'html', status: 502, times: 1 });
    const response = await fetch(`${t.sim.endpoint}/?Action=DescribeInstances&Version=2016-11-15`, { headers: { authorization: 'none' } });
    expect(response.status, 'an unsigned call is not worth a fault').not.toBe(502);
    const error = (await failure(CALLS['ec2']!())) as { $metadata: { httpStatusCode?: number }; $response?: { headers: Record<string, string> } };
    expect(error.$metadata?.httpStatusCode ?? (error as { $response?: { statusCode: number } }).$response?.statusCode).toBe(502);
    await CALLS['ec2']!();
    t.sim.weather.add({ kind: 'html', status: 200, operation: 'ssm.*', times: 1 });
    await failure(CALLS['ssm']!());
    await CALLS['ssm']!();
  });
});

describe('R205 by operation, count, machine, object and time', () => {
  test('R205 from the nth call on, for n calls; others never notice; the rule counts', async () => {
    t.sim.weather.add({ kind: 'throttle', operation: 'ec2.Describe*', skip: 1, times: 2 });
    const outcomes: string[] = [];
    for (let n = 0; n < 5; n++) outcomes.push(await CALLS['ec2']!().then(() => 'ok', (error: Error) => error.name));
    expect(outcomes).toEqual(['ok', 'RequestLimitExceeded', 'RequestLimitExceeded', 'ok', 'ok']);
    await CALLS['sts']!();
    expect(t.sim.weather.list()).toMatchObject([{ id: 'w1', hits: 2, state: 'over', rule: { kind: 'throttle', skip: 1, times: 2 } }]);
  });

  test('R205 only for the named machine', async () => {
    const [one, two] = [(await t.run()).InstanceId!, (await t.run()).InstanceId!];
    t.sim.weather.add({ kind: 'error', code: 'Unlucky', instance: one, operation: 'ec2.*' });
    expect((await failure(t.ec2.send(new DescribeInstancesCommand({ InstanceIds: [one] })))).name).toBe('Unlucky');
    expect((await t.ec2.send(new DescribeInstancesCommand({ InstanceIds: [two] }))).Reservations).toHaveLength(1);
    expect((await t.ec2.send(new DescribeInstancesCommand({}))).Reservations).toHaveLength(2);
  });

  test('R205 only for this bucket and these keys', async () => {
    const client = await withBucket();
    await client.send(new CreateBucketCommand({ Bucket: 'others' }));
    t.sim.weather.add({ kind: 'throttle', operation: 's3.PutObject', bucket: 'things', key: 'runs/*' });
    const put = (Bucket: string, Key: string): Promise<string> => client.send(new PutObjectCommand({ Bucket, Key, Body: 'x' })).then(() => 'ok', (error: Error) => error.name);
    expect([await put('things', 'runs/a/b'), await put('things', 'code/a'), await put('others', 'runs/a')]).toEqual(['SlowDown', 'ok', 'ok']);
    expect((await client.send(new ListObjectsV2Command({ Bucket: 'things' }))).KeyCount).toBe(1);
  });

  test('R205 from this moment of the world on, for so long', async () => {
    t.sim.weather.add({ kind: 'throttle', operation: 'sts.*', after: '1m', for: '30s' });
    const state = (): string | undefined => t.sim.weather.list()[0]?.state;
    expect(state()).toBe('waiting');
    await CALLS['sts']!();
    await t.clock.advance(59_000);
    await CALLS['sts']!();
    await t.clock.advance(1_000);
    expect(state()).toBe('active');
    expect((await seen(CALLS['sts']!)).name).toBe('Throttling');
    await t.clock.advance(30_000);
    await CALLS['sts']!();
    expect(t.sim.weather.list()).toMatchObject([{ hits: 1, state: 'over' }]);
  });

  test('R205 of two rules the first ends the call, and the second does not count it', async () => {
    t.sim.weather.add({ kind: 'slow', delay: '1ms' });
    t.sim.weather.add({ kind: 'throttle', operation: 'sts.*', times: 1 });
    t.sim.weather.add({ kind: 'error', code: 'Later', operation: 'sts.*', times: 1 });
    expect([(await seen(CALLS['sts']!)).name, (await seen(CALLS['sts']!)).name]).toEqual(['Throttling', 'Later']);
    await CALLS['sts']!();
    expect(t.sim.weather.list().map(({ hits }) => hits)).toEqual([3, 1, 1]);
  });
});

describe('R205 faults that are not just answers', () => {
  test('R205 lost reply: the machine is there although nobody was told, and the same token gives the same machine', async () => {
    t.sim.weather.add({ kind: 'lost-reply', operation: 'ec2.RunInstances', times: 1 });
    expect(await failure(t.run({ ClientToken: 'one' }))).toMatchObject({ code: 'ECONNRESET' });
    expect(t.sim.status().instances).toEqual({ pending: 1 });
    await t.run({ ClientToken: 'one' });
    expect(t.sim.status().instances).toEqual({ pending: 1 });
  });

  test('R205 lost reply of S3 and SSM: the object and the parameter are there', async () => {
    const client = await withBucket();
    t.sim.weather.add({ kind: 'lost-reply', operation: 's3.PutObject', times: 1 });
    expect(await failure(client.send(new PutObjectCommand({ Bucket: 'things', Key: 'a', Body: 'x'.repeat(100_000) })))).toMatchObject({ code: 'ECONNRESET' });
    const there = await client.send(new GetObjectCommand({ Bucket: 'things', Key: 'a' }));
    expect((await there.Body!.transformToString()).length).toBe(100_000);
    t.sim.weather.load([{ kind: 'lost-reply', operation: 's3.GetObject', times: 1 }]);
    await failure(client.send(new GetObjectCommand({ Bucket: 'things', Key: 'a' })).then(({ Body }) => Body!.transformToString()));
    t.sim.weather.load([{ kind: 'lost-reply', operation: 'ssm.PutParameter', times: 1 }]);
    const ssm = t.client(SSMClient);
    expect(await failure(ssm.send(new PutParameterCommand({ Name: '/a', Value: 'b', Type: 'String' })))).toMatchObject({ code: 'ECONNRESET' });
    expect((await ssm.send(new GetParameterCommand({ Name: '/a' }))).Parameter?.Value).toBe('b');
    expect(t.log).toEqual([]);
  });

  test('R205 slow: an answer comes later, a body crawls, and everything still arrives whole', async () => {
    const client = await withBucket();
    const body = Buffer.alloc(4_000, 'abcdefgh');
    await client.send(new PutObjectCommand({ Bucket: 'things', Key: 'a', Body: body }));
    const timed = async (call: () => Promise<unknown>): Promise<number> => {
      const startedAt = performance.now();
      await call();
      return performance.now() - startedAt;
    };
    const read = async (): Promise<void> => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: 'things', Key: 'a' }));
      expect(Buffer.from(await Body!.transformToByteArray()).equals(body)).toBe(true);
    };
    t.sim.weather.add({ kind: 'slow', operation: 's3.*', bytesPerSecond: 40_000 });
    t.sim.weather.add({ kind: 'slow', operation: 'sts.*', delay: '60ms' });
    expect(await timed(read)).toBeGreaterThanOrEqual(95);
    expect(await timed(() => client.send(new PutObjectCommand({ Bucket: 'things', Key: 'b', Body: body })))).toBeGreaterThanOrEqual(95);
    expect(await timed(CALLS['sts']!)).toBeGreaterThanOrEqual(55);
  });

  test('R205 no capacity and no quota are answers to a launch', async () => {
    t.sim.weather.add({ kind: 'capacity', times: 1 });
    t.sim.weather.add({ kind: 'quota', times: 1 });
    const launch = () => t.ec2.send(new RunInstancesCommand({ ImageId: 'ami-00000000000000000', InstanceType: 'p5.48xlarge', MinCount: 1, MaxCount: 1 }));
    const capacity = await failure(launch());
    expect([capacity.name, capacity.$metadata.httpStatusCode]).toEqual(['InsufficientInstanceCapacity', 500]);
    expect(capacity.message).toContain('p5.48xlarge');
    expect(await seen(launch)).toEqual({ name: 'VcpuLimitExceeded', status: 400 });
    expect(t.sim.status().instances).toEqual({});
  });

  test('R205 a bucket that is missing, forbidden, elsewhere; a client that follows it there gets in', async () => {
    const client = await withBucket();
    t.sim.weather.load([{ kind: 'bucket-missing', bucket: 'things' }]);
    expect(await seen(CALLS['s3']!)).toEqual({ name: 'NoSuchBucket', status: 404 });
    expect(await seen(() => client.send(new HeadBucketCommand({ Bucket: 'things' })))).toEqual({ name: 'NotFound', status: 404 });
    t.sim.weather.load([{ kind: 'bucket-forbidden' }]);
    expect(await seen(CALLS['s3']!)).toEqual({ name: 'AccessDenied', status: 403 });
    t.sim.weather.load([{ kind: 'bucket-elsewhere', bucketRegion: 'eu-west-1' }]);
    const elsewhere = (await failure(CALLS['s3']!())) as unknown as { name: string; $metadata: { httpStatusCode: number }; $response: { headers: Record<string, string> } };
    expect([elsewhere.name, elsewhere.$metadata.httpStatusCode, elsewhere.$response.headers['x-amz-bucket-region']]).toEqual(['PermanentRedirect', 301, 'eu-west-1']);
    expect((await objects('eu-west-1').send(new HeadBucketCommand({ Bucket: 'things' }))).BucketRegion).toBe('eu-west-1');
    t.sim.weather.clear();
    expect((await client.send(new HeadBucketCommand({ Bucket: 'things' }))).BucketRegion).toBe('us-east-1');
  });

  test('R205 clock skew: refused as too old, in words of its own, and a client that believes the Date header gets through', async () => {
    t.sim.weather.add({ kind: 'clock-skew', skew: '20m' });
    expect(await seen(CALLS['ec2']!)).toEqual({ name: 'RequestExpired', status: 400 });
    expect((await seen(CALLS['sts']!)).name).toBe('SignatureDoesNotMatch');
    await withBucket().then(() => expect.fail('taken'), (error: Error) => expect(error.name).toBe('RequestTimeTooSkewed'));
    const patient = new SSMClient({ endpoint: t.sim.endpoint, region: 'us-east-1', credentials: t.sim.credentials(), maxAttempts: 2 });
    await patient.send(new DescribeInstanceInformationCommand({}));
    patient.destroy();
  });

  test('R205 a call that was refused has done nothing', async () => {
    const { InstanceId } = await t.run();
    t.sim.weather.add({ kind: 'server-error', operation: 'ec2.TerminateInstances', times: 1 });
    await failure(t.ec2.send(new TerminateInstancesCommand({ InstanceIds: [InstanceId!] })));
    expect(t.sim.status().instances).toEqual({ pending: 1 });
  });
});

describe('R205 the plan itself', () => {
  test('R205 R208 outlives the server with its counts, and is gone after a reset', async () => {
    t.sim.weather.add({ kind: 'throttle', operation: 'sts.*', times: 2 });
    await failure(CALLS['sts']!());
    const again = await t.restart();
    t = again;
    expect(t.sim.weather.list()).toMatchObject([{ id: 'w1', hits: 1, state: 'active' }]);
    await failure(CALLS['sts']!());
    await CALLS['sts']!();
    await t.sim.reset();
    expect(t.sim.weather.list()).toEqual([]);
  });

  test('R205 a plan is loaded whole or not at all, and replaces the one before; one rule can go', () => {
    const { weather } = t.sim;
    weather.add({ kind: 'reset' });
    expect(() => weather.load([{ kind: 'throttle' }, { kind: 'thunder' }])).toThrow('no weather of kind "thunder"');
    expect(weather.list().map(({ rule }) => rule.kind)).toEqual(['reset']);
    weather.load([{ kind: 'throttle' }, { kind: 'html' }]);
    expect(weather.list().map(({ rule }) => rule.kind)).toEqual(['throttle', 'html']);
    expect(weather.clear('w1')).toBe(1);
    expect(weather.list().map(({ rule }) => rule.kind)).toEqual(['html']);
    expect(() => weather.clear('w9')).toThrow('no weather w9');
    expect(weather.clear()).toBe(1);
    expect(weather.clear()).toBe(0);
  });

  test('R205 the control surface takes plans from whoever holds the token, and says what is wrong with them', async () => {
    const ask = (method: string, body?: unknown, path = 'weather'): Promise<Response> => fetch(`${t.sim.endpoint}/_sim/${path}`, { method, headers: { authorization: `Bearer ${t.sim.controlToken()}` }, ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }) });
    expect((await fetch(`${t.sim.endpoint}/_sim/weather`)).status).toBe(401);
    expect(await (await ask('POST', { kind: 'throttle', times: 2 })).json()).toMatchObject({ rules: [{ id: 'w1', hits: 0 }] });
    const wrong = await ask('POST', { kind: 'thunder' });
    expect([wrong.status, await wrong.json()]).toEqual([400, { error: 'there is no weather of kind "thunder"', code: 'usage', cause: expect.stringContaining('throttle'), hints: ['runctl sim weather add --help'] }]);
    expect(await (await ask('POST', '{"kind"')).json()).toMatchObject({ error: 'what the built-in cloud was told is no JSON' });
    expect(await (await ask('PUT', { kind: 'reset' })).json()).toMatchObject({ error: 'a plan of weather is a list of rules' });
    expect(await (await ask('PUT', [{ kind: 'reset' }])).json()).toMatchObject({ rules: [{ rule: { kind: 'reset' } }] });
    expect(await (await ask('GET')).json()).toMatchObject({ rules: [{ rule: { kind: 'reset' } }] });
    expect((await ask('DELETE', undefined, 'weather?id=w7')).status).toBe(400);
    expect(await (await ask('DELETE')).json()).toEqual({ cleared: 1 });
    expect((await ask('PATCH')).status).toBe(404);
  });
});

test('R205 EC2 in the weather is still EC2: a client of another region meets the same rules', async () => {
  t.sim.weather.add({ kind: 'throttle', operation: 'ec2.*' });
  const client = t.client(EC2Client, 'eu-west-1');
  expect((await failure(client.send(new DescribeInstancesCommand({})))).name).toBe('RequestLimitExceeded');
  client.destroy();
});
