// What AWS may answer, sent over the wire to the real SDK, and what a person then reads.
import { afterEach, expect, test } from 'vitest';
import { RunctlError } from '../../core/errors.ts';
import { ec2Error, jsonError, queryError, s3Error } from '../../../test/support/wire-double.ts';
import { awsDouble, ID, instances, instanceXml } from '../../../test/support/aws-double.ts';
import type { AwsDouble } from '../../../test/support/aws-double.ts';
import { createAwsProvider } from './aws-provider.ts';
import { translateAwsError } from './translate.ts';
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
  ['PendingVerification', 400, 'not-permitted'],
  ['Blocked', 403, 'not-permitted'],
  ['InsufficientInstanceCapacity', 500, 'capacity'],
  ['Unsupported', 400, 'capacity'],
  ['MaxSpotInstanceCountExceeded', 400, 'quota'],
  ['InstanceLimitExceeded', 400, 'quota'],
  ['RequestLimitExceeded', 503, 'throttled'],
  ['InvalidInstanceID.NotFound', 400, 'not-found'],
  ['OperationNotPermitted', 400, 'wrong-state'],
  ['DependencyViolation', 400, 'wrong-state'],
  ['VolumeInUse', 400, 'wrong-state'],
  ['InvalidVolume.NotFound', 400, 'not-found'],
  ['IdempotentParameterMismatch', 400, 'cloud-refused'],
  ['InvalidLaunchTemplateName.NotFoundException', 400, 'not-found'],
  ['ServiceUnavailable', 503, 'endpoint-unreachable'],
  ['InternalError', 500, 'endpoint-unreachable'],
] as const)('R078 EC2 %s reads as %s/%s and keeps code, message, request id, link and a command', async (awsCode, status, code) => {
  double = await awsDouble();
  double.wire.on('StopInstances', ec2Error(awsCode, 'what AWS said', status));
  const error = await caught(double.provider.stop(ID));
  expect(error.code).toBe(code);
  expect(error.reason).toMatch(new RegExp(`^${awsCode.replaceAll('.', '\\.')}: what AWS said \\(request req-\\d\\)$`));
  expect(error.docs).toMatch(/^https:\/\/docs\.aws\.amazon\.com\//);
  expect(error.topic).toBe(awsCode);
  expect(error.hints.length).toBeGreaterThan(0);
  expect(error.data).toMatchObject({ service: 'ec2', operation: 'StopInstances', awsCode, httpStatus: status, requestId: expect.stringMatching(/^req-\d$/) as string });
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

test('R078 a describe that is throttled twice succeeds; for ever, it is called throttled', async () => {
  double = await awsDouble();
  const throttle = ec2Error('RequestLimitExceeded', 'Request limit exceeded.', 503);
  double.wire.on('DescribeInstances', ec2Error('InternalError', 'x', 500), throttle, instances(instanceXml()));
  expect((await double.provider.find(ID))?.state).toBe('running');
  expect(new Set(double.wire.of('DescribeInstances').map((request) => request.headers['amz-sdk-invocation-id'])).size).toBe(1);
  expect(translateAwsError(Object.assign(new Error('slow'), { name: 'RequestLimitExceeded', $fault: 'client', $metadata: { httpStatusCode: 503 } }), { service: 'ec2', operation: 'X' })).toMatchObject({ code: 'throttled', retryable: true });
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
  expect(await double.provider.price(machine)).toEqual({ computeMicroUsd: 10_400, storageMicroUsd: 3_334, storage: { gb: 30, microUsdPerGbMonth: 80_000 }, addressMicroUsd: 5_000, source: 'built-in table 2026-08-17' });
  expect(performance.now() - startedAt).toBeLessThan(6_000);
});

test('a forbidden bucket is read from the status, since HEAD has no body', async () => {
  double = await awsDouble();
  double.wire.on('HEAD /mine', s3Error('AccessDenied', 'x', 403));
  expect(await double.provider.checks({ bucket: 'mine' })).toMatchObject([{ name: 'bucket', outcome: 'failed', fix: 'runctl aws policy --bucket mine' }]);
});
