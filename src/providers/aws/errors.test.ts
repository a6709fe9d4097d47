// What AWS may answer, sent over the wire to the real SDK, and what a person then reads.
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { ERROR_CODES, RunctlError } from '../../core/errors.ts';
import { ec2Error, jsonError, queryError, s3Error } from '../../../test/support/wire-double.ts';
import { awsDouble, ID, instances, instanceXml } from '../../../test/support/aws-double.ts';
import type { AwsDouble } from '../../../test/support/aws-double.ts';
import { createAwsProvider } from './aws-provider.ts';
import { ERROR_TABLE } from './error-table.ts';
import { translateAwsError } from './errors.ts';
import { leapingClock } from '../../../test/support/leaping-clock.ts';

let double: AwsDouble | undefined;
afterEach(async () => {
  await double?.close();
  double = undefined;
});

const caught = async (work: Promise<unknown>): Promise<RunctlError> => {
  const error = await work.then(
    () => new Error('it worked'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(RunctlError);
  return error as RunctlError;
};

test.each([
  ['AuthFailure', 401, 'credentials-rejected'],
  ['RequestExpired', 400, 'credentials-rejected'],
  ['UnauthorizedOperation', 403, 'not-permitted'],
  ['OptInRequired', 403, 'not-permitted'],
  ['VcpuLimitExceeded', 400, 'quota'],
  ['InvalidInstanceID.Malformed', 400, 'usage'],
  ['IncorrectInstanceState', 400, 'wrong-state'],
  ['UnsupportedOperation', 400, 'wrong-state'],
  ['InvalidParameterValue', 400, 'cloud-refused'],
  ['InvalidAction', 400, 'endpoint-foreign'],
  ['SomethingBrandNew', 400, 'cloud-refused'],
] as const)('R078 EC2 %s reads as %s/%s and keeps code, message, request id, link and a command', async (awsCode, status, code) => {
  double = await awsDouble();
  double.wire.on('StopInstances', ec2Error(awsCode, 'what AWS said', status));
  const error = await caught(double.provider.stop(ID));
  expect(error.code).toBe(code);
  expect(error.reason).toContain(`${awsCode}: what AWS said (request req-1)`);
  expect(error.reason).toContain('https://docs.aws.amazon.com/');
  expect(error.hints.length).toBeGreaterThan(0);
  expect(error.data).toMatchObject({ service: 'ec2', operation: 'StopInstances', awsCode, httpStatus: status, requestId: 'req-1' });
  expect(error.message).not.toMatch(/service error/i);
});

test.each([
  ['ssm', 'AccessDeniedException', 'not-permitted'],
  ['ssm', 'com.amazonaws.ssm#ExpiredTokenException', 'credentials-rejected'],
  ['iam', 'NoSuchEntity', 'profile-missing'],
  ['sts', 'InvalidClientTokenId', 'credentials-rejected'],
  ['sts', 'ExpiredToken', 'credentials-rejected'],
] as const)('R078 %s %s reads as %s', async (service, awsCode, code) => {
  double = await awsDouble();
  const { wire, provider } = double;
  if (service === 'ssm') {
    wire.on('SendCommand', jsonError(awsCode, 'no'));
    expect((await caught((await provider.shell({ id: ID })).run('true'))).code).toBe(code);
  } else {
    wire.on('GetCallerIdentity', queryError(awsCode, 'no', 403));
    wire.on('GetInstanceProfile', queryError(awsCode, 'no', 404));
    const checks = await provider.checks({ profile: 'p' });
    const check = checks.find((one) => one.name === (service === 'iam' ? 'profile' : 'credentials'));
    expect(check).toMatchObject({ outcome: 'failed' });
    expect(check?.fix).toBeTruthy();
  }
});

test('R078 every row of the table has a known code, an AWS page and at least one command', () => {
  for (const row of ERROR_TABLE) {
    const context = { service: 'ec2', operation: 'Op', subject: 's', region: 'us-east-1', awsCode: row.codes[0] ?? '', awsMessage: 'm' };
    expect(Object.keys(ERROR_CODES)).toContain(row.as);
    expect(row.docs).toMatch(/^https:\/\/docs\.aws\.amazon\.com\//);
    expect(row.hints(context).length).toBeGreaterThan(0);
    expect(row.says(context)).toMatch(/^[^.]*[^.]$|^.*\S$/);
  }
  const codes = ERROR_TABLE.flatMap((row) => row.codes);
  expect(codes.length).toBe(new Set(codes).size);
  expect(codes.length).toBeGreaterThan(90);
});

test('R078 a describe that is throttled twice succeeds; for ever, it is called throttled', async () => {
  double = await awsDouble();
  const throttle = ec2Error('RequestLimitExceeded', 'Request limit exceeded.', 503);
  double.wire.on('DescribeInstances', ec2Error('InternalError', 'x', 500), throttle, instances(instanceXml()));
  expect((await double.provider.find(ID))?.state).toBe('running');
  expect(new Set(double.wire.of('DescribeInstances').map((request) => request.headers['amz-sdk-invocation-id'])).size).toBe(1);
  expect(translateAwsError(Object.assign(new Error('slow'), { name: 'RequestLimitExceeded', $fault: 'client', $metadata: { httpStatusCode: 503 } }), { service: 'ec2', operation: 'X' })).toMatchObject({ code: 'throttled', retryable: true });
});

test('nothing at the endpoint: unreachable, with the endpoint named', async () => {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  const provider = createAwsProvider({ clock: leapingClock(), env: { AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`, AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_REGION: 'us-east-1' } });
  const error = await caught(provider.find(ID));
  expect(error).toMatchObject({ code: 'endpoint-unreachable', message: `cannot reach http://127.0.0.1:${port}`, reason: expect.stringContaining('ECONNREFUSED') as string });
  provider.close();
});

test.each([
  ['an HTML page', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html><body>It works!<br></body></html>' }],
  ['an HTML error', { status: 404, headers: { 'content-type': 'text/html' }, body: '<!doctype html><title>404</title><h1>Not Found' }],
  ['JSON for XML', { status: 200, headers: { 'content-type': 'application/json' }, body: '{"hello":"world"}' }],
])('an endpoint that answers %s does not speak EC2', async (_case, reply) => {
  double = await awsDouble();
  double.wire.on('DescribeInstances', reply);
  double.wire.on('SendCommand', reply);
  const found = await double.provider.find(ID).then((machine) => machine, (error: unknown) => error);
  // An empty but well-formed page holds no machine; anything unreadable must say so.
  if (found !== undefined) expect(found).toMatchObject({ code: 'endpoint-foreign' });
  expect((await caught((await double.provider.shell({ id: ID })).run('true'))).code).toMatch(/endpoint-foreign|cloud-refused/);
});

test('R270 neither secret nor signature is in any part of an error', async () => {
  double = await awsDouble();
  double.wire.on('StopInstances', ec2Error('AuthFailure', 'AWS was not able to validate the provided access credentials', 401));
  const error = await caught(double.provider.stop(ID));
  expect(JSON.stringify([error.message, error.reason, error.hints, error.data])).not.toMatch(/secret-canary|Signature=/);
});

test('R004 no credentials anywhere: said at once, with what to type, exit 3, and no metadata service asked', async () => {
  const provider = createAwsProvider({ clock: leapingClock(), env: { HOME: '/nonexistent', AWS_REGION: 'us-east-1' } });
  const startedAt = performance.now();
  const error = await caught(provider.plan({ type: 't3.micro', tags: {} }));
  expect(performance.now() - startedAt).toBeLessThan(3_000);
  expect(error).toMatchObject({ code: 'credentials-missing', exitCode: 3, message: 'no AWS credentials found' });
  expect(error.hints.join('\n')).toMatch(/aws configure[\s\S]*export AWS_ACCESS_KEY_ID=[\s\S]*--sim/);
});

test('errors of the credential chain and of the region are told apart', () => {
  const context = { service: 'ec2', operation: 'DescribeInstances' };
  const named = (name: string, message: string): Error => Object.assign(new Error(message), { name });
  expect(translateAwsError(named('CredentialsProviderError', 'Could not load credentials from any providers'), context).code).toBe('credentials-missing');
  expect(translateAwsError(named('CredentialsProviderError', 'The SSO session associated with this profile has expired. Run aws sso login'), context)).toMatchObject({ code: 'credentials-rejected', hints: ['aws sso login'] });
  expect(translateAwsError(new Error('Region is missing'), context).code).toBe('region-missing');
  expect(translateAwsError(Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), context)).toMatchObject({ code: 'endpoint-unreachable', message: expect.stringContaining('TLS') as string });
});

test('a request that is never answered ends by its own timeout', async () => {
  double = await awsDouble();
  double.wire.on('GetProducts', { hang: true });
  double.wire.on('DescribeVolumes', { headers: { 'content-type': 'text/xml' }, body: '<DescribeVolumesResponse><volumeSet><item><volumeId>vol-1</volumeId><size>30</size></item></volumeSet></DescribeVolumesResponse>' });
  const machine = { id: ID, provider: 'aws', type: 't3.micro', state: 'running', market: 'on-demand', region: 'us-east-1', publicIp: '198.51.100.7', tags: {} } as const;
  const startedAt = performance.now();
  expect(await double.provider.price(machine)).toEqual({ computeMicroUsd: 10_400, storageMicroUsd: 3_288, addressMicroUsd: 5_000, source: 'built-in table 2026-08-17' });
  expect(performance.now() - startedAt).toBeLessThan(6_000);
});

test('a forbidden bucket is read from the status, since HEAD has no body', async () => {
  double = await awsDouble();
  double.wire.on('HEAD /mine', s3Error('AccessDenied', 'x', 403));
  expect(await double.provider.checkBucket('mine')).toMatchObject({ outcome: 'failed', fix: 'runctl aws policy' });
});
