// The tables of AWS error codes: complete, consistent, and each row with a cause, a command and a page.
import { expect, test } from 'vitest';
import { ERROR_CODES } from '../../core/errors.ts';
import type { ErrorContext } from './error-row.ts';
import { ALL_AWS_CODES, ERROR_TABLE, docsOfRow, rowFor, rowsOf } from './error-table.ts';
import { STATE_REASONS, readableReason } from './state-reason.ts';
import { translateAwsError } from './translate.ts';

const context = (awsCode: string, more: Partial<ErrorContext> = {}): ErrorContext => ({ service: 'ec2', operation: 'RunInstances', subject: 'g5.xlarge', region: 'us-east-1', awsCode, awsMessage: 'm', ...more });

/** Codes of the EC2 API Reference "Error codes", and of SendCommand, S3 "Error responses", IAM and STS, Price List, Service Quotas, ECR. */
const DOCUMENTED = {
  capacity: 'InsufficientInstanceCapacity InsufficientHostCapacity InsufficientReservedInstanceCapacity UnfulfillableCapacity Unsupported SpotMaxPriceTooLow InsufficientFreeAddressesInSubnet ReservationCapacityExceeded',
  quota: 'VcpuLimitExceeded MaxSpotInstanceCountExceeded InstanceLimitExceeded MaxFleetCountExceeded VolumeLimitExceeded MaxIOPSLimitExceeded SnapshotLimitExceeded',
  access: 'AuthFailure UnauthorizedOperation AuthFailure.ServiceLinkedRoleCreationNotPermitted OptInRequired Blocked RequestExpired PendingVerification',
  throttle: 'RequestLimitExceeded EC2ThrottledException ThrottlingException TooManyRequestsException SlowDown',
  launch: 'IdempotentParameterMismatch DryRunOperation InvalidUserData.Malformed MissingParameter InvalidParameter InvalidParameterValue InvalidParameterCombination InvalidParameterDependency VPCIdNotSpecified MissingInput InvalidInstanceType',
  absent: 'InvalidInstanceID.NotFound InvalidAMIID.NotFound InvalidVolume.NotFound InvalidSnapshot.NotFound InvalidGroup.NotFound InvalidKeyPair.NotFound InvalidSubnetID.NotFound InvalidVpcID.NotFound InvalidSpotInstanceRequestID.NotFound InvalidLaunchTemplateId.NotFound InvalidLaunchTemplateName.NotFoundException InvalidVolumeModification.NotFound InvalidAttachment.NotFound InvalidInstanceID.Malformed InvalidAMIID.Malformed',
  present: 'InvalidKeyPair.Duplicate InvalidGroup.Duplicate InvalidPermission.Duplicate InvalidLaunchTemplateName.AlreadyExistsException',
  state: 'IncorrectInstanceState IncorrectState UnsupportedOperation OperationNotPermitted DependencyViolation VolumeInUse InvalidVolume.ZoneMismatch AttachmentLimitExceeded IncorrectModificationState VolumeModificationRateExceeded VolumeModificationSizeLimitExceeded SnapshotCreationPerVolumeRateExceeded',
  own: 'InternalError Unavailable ServiceUnavailable InvalidAction UnknownOperationException',
  ssm: 'InvalidInstanceId InvalidDocument InvalidParameters MaxDocumentSizeExceeded InvalidOutputFolder InvalidRole DuplicateInstanceId UnsupportedPlatformType InternalServerError AccessDeniedException InvocationDoesNotExist InvalidCommandId TargetNotConnected ParameterNotFound',
  s3: 'PermanentRedirect TemporaryRedirect InvalidArgument AuthorizationHeaderMalformed BadDigest EntityTooSmall EntityTooLarge InvalidPart InvalidPartOrder MalformedXML ExpiredToken IllegalLocationConstraintException InvalidBucketName RequestTimeout AccessDenied InvalidAccessKeyId SignatureDoesNotMatch RequestTimeTooSkewed NoSuchBucket NoSuchKey NoSuchUpload BucketAlreadyExists BucketAlreadyOwnedByYou BucketNotEmpty OperationAborted ConditionalRequestConflict PreconditionFailed InvalidRange MissingContentLength NotImplemented MethodNotAllowed',
  identity: 'NoSuchEntity NoSuchEntityException InvalidClientTokenId UnrecognizedClientException',
  pricing: 'InvalidParameterException NotFoundException InvalidNextTokenException ExpiredNextTokenException InternalErrorException',
  quotas: 'NoSuchResourceException',
  ecr: 'RepositoryAlreadyExistsException RepositoryNotFoundException ImageNotFoundException ImageTagAlreadyExistsException ImageAlreadyExistsException LayersNotFoundException LimitExceededException',
};

test.each(Object.entries(DOCUMENTED))('R078 the codes that AWS documents about %s have a row each', (_family, codes) => {
  expect(codes.split(' ').filter((code) => rowsOf(code).length === 0)).toEqual([]);
});

test('D13 R078 R079 every row has a known code, a cause, a message, an AWS page, a page of ours and at least one command', () => {
  for (const row of ERROR_TABLE) {
    const name = row.codes[0]!;
    const full = context(name);
    expect(Object.keys(ERROR_CODES), name).toContain(row.as);
    expect(row.docs, name).toMatch(/^https:\/\/docs\.aws\.amazon\.com\/\S+$/);
    expect(docsOfRow(row), name).toMatch(/^docs\/(errors|troubleshooting)\.md#[a-z0-9-]+$/);
    expect(row.why.length, name).toBeGreaterThan(20);
    for (const variant of [full, { ...full, subject: undefined, region: undefined }]) {
      // An operation's own name may begin the sentence when nothing else is known.
      expect(row.says(variant).replace(/^RunInstances/, 'it'), name).toMatch(/^[a-z].*[^.]$|^(AWS|EC2|S3|SSM|IAM|Service Quotas) .*[^.]$/);
      expect(row.says(variant), name).not.toMatch(/undefined|service error/);
      expect(row.hints(variant).length, name).toBeGreaterThan(0);
      for (const hint of row.hints(variant)) expect(hint, name).not.toMatch(/undefined|  --|\s$/);
    }
  }
});

test('a code stands in one row, unless the others have a condition', () => {
  for (const code of ALL_AWS_CODES) expect(rowsOf(code).filter((row) => row.when === undefined).length, code).toBeLessThanOrEqual(1);
});

test('the message decides where one code means several things', () => {
  expect(rowFor(context('InvalidParameterValue', { awsMessage: 'Value (x) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name' }))?.as).toBe('profile-missing');
  expect(rowFor(context('InvalidParameterValue', { awsMessage: 'Invalid value for size' }))?.as).toBe('cloud-refused');
  expect(rowFor(context('SignatureDoesNotMatch', { awsMessage: 'Signature expired: 20260101T000000Z is now earlier than 20260101T001500Z' }))?.says(context('x'))).toContain('clock is wrong');
  expect(rowFor(context('UnsupportedOperation', { awsMessage: "You can't stop the Spot Instance 'i-1' because it is associated with a one-time Spot Instance request." }))?.hints(context('x', { subject: 'i-1' }))).toEqual(['runctl aws terminate i-1']);
});

test('the missing right is named when AWS names it', () => {
  const denied = context('UnauthorizedOperation', { awsMessage: 'You are not authorized to perform this operation. User: arn:aws:iam::1:user/a is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/r' });
  expect(rowFor(denied)?.says(denied)).toContain('iam:PassRole');
  expect(rowFor(context('UnauthorizedOperation'))?.says(context('UnauthorizedOperation'))).toContain('ec2:RunInstances');
});

test('namespaces, suffixes and blame before a code do not hide it', () => {
  for (const code of ['com.amazonaws.ssm#InvalidInstanceId', 'Server.InsufficientInstanceCapacity', 'NoSuchEntityException', 'InvalidRoleException']) expect(rowsOf(code), code).not.toEqual([]);
});

test('a subject with the shape of no bucket, machine or type never gets into a command', () => {
  const evil = { subject: 'x; rm -rf ~' };
  for (const code of ['NoSuchBucket', 'InvalidInstanceId', 'InsufficientInstanceCapacity', 'VolumeInUse']) {
    for (const row of rowsOf(code)) expect(row.hints(context(code, evil)).join('\n'), code).not.toContain('rm -rf');
  }
});

test('R078 why a machine ended is a sentence, with AWS\'s own words behind it', () => {
  expect(STATE_REASONS.length).toBe(12);
  for (const [code] of STATE_REASONS) expect(readableReason(code, `${code}: x`), code).toMatch(new RegExp(`^[a-zA-Z].+ \\(${code.replaceAll('.', '\\.')}: x\\)$`));
  expect(readableReason('Client.UserInitiatedShutdown', 'User initiated shutdown')).toContain('(Client.UserInitiatedShutdown: User initiated shutdown)');
  expect(readableReason('Client.Brand.New', 'what AWS said')).toBe('what AWS said');
  expect(readableReason(undefined, undefined)).toBeUndefined();
});

test('R078 an answer to HEAD has no body: its status is read', () => {
  const head = (httpStatusCode: number, service: string) => translateAwsError(Object.assign(new Error('UnknownError'), { name: httpStatusCode === 404 ? 'NotFound' : 'Unknown', $fault: 'client', $metadata: { httpStatusCode } }), { service, operation: 'HeadBucket', subject: 'mine' });
  expect(head(301, 's3')).toMatchObject({ code: 'bucket-forbidden', message: 'bucket mine is in another region' });
  expect(head(403, 's3')).toMatchObject({ code: 'not-permitted' });
  expect(head(404, 's3')).toMatchObject({ code: 'not-found' });
});
