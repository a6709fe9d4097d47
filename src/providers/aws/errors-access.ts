// Codes that any service may answer: credentials, permissions, throttling, its own failures, and services that are none.
// Sources: IAM, STS and EC2 API References, "Common errors"; S3 API Reference, "Error responses"; AWS SDKs' lists of retryable codes.
import { inRegion, PAGES, regionFlag } from './error-row.ts';
import type { ErrorContext, ErrorRow } from './error-row.ts';

/** `iam:PassRole`, where AWS says which right it missed. */
const missing = (c: ErrorContext): string => /not authorized to perform:? ([a-z0-9-]+:[A-Za-z0-9*]+)/.exec(c.awsMessage)?.[1] ?? `${c.service}:${c.operation}`;
const expired = /signature expired|not yet current|clock|is now earlier than|request has expired/i;
const setClock = ['date -u', 'sudo timedatectl set-ntp true   # Linux', 'sudo sntp -sS time.apple.com   # macOS'];

export const ACCESS_ERRORS: ErrorRow[] = [
  {
    codes: ['RequestTimeTooSkewed', 'RequestInTheFuture'],
    as: 'credentials-rejected',
    says: () => 'the clock of this computer is minutes wrong, so AWS refuses its signatures',
    why: 'A signature carries the time it was made at, and AWS takes none that is older or newer than some minutes. A laptop that slept, a virtual machine or a container without time service are the usual reasons.',
    hints: () => setClock,
    docs: PAGES.signature,
    trouble: 'the-clock-of-this-computer-is-wrong',
  },
  {
    codes: ['SignatureDoesNotMatch', 'InvalidSignatureException', 'RequestExpired', 'AuthFailure'],
    as: 'credentials-rejected',
    when: (c) => expired.test(c.awsMessage),
    says: () => 'AWS takes this computer\'s signatures for too old or too new: its clock is wrong',
    why: 'The signature itself may be right; the time in it is not.',
    hints: () => setClock,
    docs: PAGES.signature,
    trouble: 'the-clock-of-this-computer-is-wrong',
  },
  {
    codes: ['AuthFailure', 'InvalidClientTokenId', 'UnrecognizedClientException', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'InvalidSignatureException', 'IncompleteSignature', 'IncompleteSignatureException', 'MissingAuthenticationToken', 'MissingAuthenticationTokenException', 'NotAuthorized', 'InvalidToken', 'InvalidX509Certificate', 'AuthorizationQueryParametersError'],
    as: 'credentials-rejected',
    says: (c) => `AWS refused the credentials (${c.awsCode})`,
    why: 'The access key was deleted, deactivated or mistyped, the secret does not belong to it, the session token is missing, or they are keys of another partition (China, GovCloud) or of the built-in cloud. EC2 answers AuthFailure also in a region that the account has not enabled.',
    hints: () => ['aws sts get-caller-identity', 'aws configure list', 'aws configure'],
    docs: PAGES.keys,
  },
  {
    codes: ['ExpiredToken', 'ExpiredTokenException', 'RequestExpired', 'TokenRefreshRequired', 'IDPRejectedClaim'],
    as: 'credentials-rejected',
    says: () => 'the AWS credentials have expired',
    why: 'Keys of a session (SSO, an assumed role, MFA) live for hours. They must be fetched anew; nothing is wrong with the account.',
    hints: () => ['aws sso login', 'unset AWS_SESSION_TOKEN AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY', 'aws configure'],
    docs: PAGES.keys,
  },
  {
    codes: ['UnauthorizedOperation', 'AccessDenied', 'AccessDeniedException', 'AllAccessDisabled', 'InvalidRole', 'Forbidden', 'ForbiddenException', 'UnauthorizedAccess', 'AccountProblem', 'NotSignedUp', 'DependencyAccessDeniedException'],
    as: 'not-permitted',
    says: (c) => `these credentials lack ${missing(c)}${c.subject ? ` (needed for ${c.subject})` : ''}`,
    why: 'The keys are valid, but no policy allows the call, or one forbids it: the user\'s or role\'s own, a permissions boundary, an organization\'s policy, or the bucket\'s.',
    hints: () => ['runctl aws policy caller', 'aws sts get-caller-identity'],
    docs: PAGES.denied,
  },
  {
    codes: ['OptInRequired', 'Blocked', 'PendingVerification', 'SubscriptionRequiredException', 'InvalidSubscription', 'DisabledRegion', 'RegionDisabledException', 'NotOptedIn'],
    as: 'not-permitted',
    says: (c) => `the AWS account may not use ${c.service}${inRegion(c)} yet (${c.awsCode})`,
    why: 'The region must be enabled first, a new account is still being verified, a product needs a subscription, or AWS has blocked the account. Verification ends by itself, mostly within hours.',
    hints: (c) => [`aws account get-region-opt-status --region-name ${c.region ?? 'us-east-1'}`, 'aws ec2 describe-regions --all-regions --query \'Regions[].[RegionName,OptInStatus]\' --output text', 'aws support create-case   # or the support page of the console'],
    docs: PAGES.ec2,
  },
  {
    codes: ['RequestLimitExceeded', 'EC2ThrottledException', 'Throttling', 'ThrottlingException', 'ThrottledException', 'TooManyRequestsException', 'SlowDown', 'RequestThrottled', 'RequestThrottledException', 'ProvisionedThroughputExceededException', 'LimitExceededException', 'PriorRequestNotComplete', 'BandwidthLimitExceeded', 'TransactionInProgressException', 'RequestResourceCountExceeded', 'RateExceeded', 'ThroughputExceeded', 'KMSThrottlingException'],
    as: 'throttled',
    says: (c) => `${c.service} asks for fewer requests and still did after several tries`,
    why: 'AWS limits the calls of an account in a region. Other programs of the same account use up the same allowance: a console left open, a script in a loop, infrastructure tools.',
    hints: () => ['sleep 30   # then run the same command again'],
    docs: 'https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html',
  },
  {
    codes: ['IdempotentParameterMismatch', 'IdempotentInstanceActionParameterMismatch'],
    as: 'cloud-refused',
    says: () => 'this launch was asked for before with other parameters',
    why: 'EC2 remembers the token of a launch. The same token with other parameters is refused, so that nobody gets two machines for one.',
    hints: () => ['runctl runs list'],
    docs: 'https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html',
  },
  {
    codes: ['InvalidAction', 'UnknownOperationException', 'NotImplemented', 'UnsupportedProtocol', 'NoSuchVersion', 'MethodNotAllowed', 'UnknownServiceException', 'InvalidEndpointException', 'NoSuchOperation'],
    as: 'endpoint-foreign',
    says: (c) => `the ${c.service} endpoint${c.endpoint ? ` ${c.endpoint}` : ''} does not know ${c.operation}`,
    why: 'The endpoint is an emulator or a store that does not do this operation. AWS itself knows all that runctl asks for.',
    hints: () => ['env | grep AWS_ENDPOINT_URL', 'unset AWS_ENDPOINT_URL', 'runctl sim env   # the built-in cloud knows all of it'],
    docs: PAGES.endpoints,
  },
  {
    codes: ['InternalError', 'InternalFailure', 'InternalServerError', 'InternalServiceError', 'InternalServiceFaultException', 'InternalErrorException', 'ServiceException', 'ServerInternal', 'ServerException', 'Unavailable', 'ServiceUnavailable', 'ServiceUnavailableException', 'RequestTimeout', 'RequestTimeoutException', 'OperationAborted', 'ServiceFailure', 'DependencyTimeoutException'],
    as: 'endpoint-unreachable',
    says: (c) => `${c.service} failed on its own side and still did after several tries (${c.awsCode})`,
    why: 'A trouble inside AWS. It passes by itself, mostly within minutes; whether the request was carried out is not known, and runctl looks before it repeats one.',
    hints: (c) => ['sleep 30   # then run the same command again', `aws health describe-events --region us-east-1${c.region ? ` --filter regions=${c.region}` : ''}   # or https://health.aws.amazon.com/health/status`],
    docs: PAGES.ec2,
  },
  {
    codes: ['DryRunOperation'],
    as: 'cloud-refused',
    says: (c) => `it was a dry run: ${c.operation} would have been allowed`,
    why: 'The answer of EC2 to a rehearsal that would have succeeded.',
    hints: () => ['runctl aws create --help'],
    docs: PAGES.ec2,
  },
  {
    codes: ['MissingParameter', 'InvalidParameter', 'InvalidParameterValue', 'InvalidParameterCombination', 'InvalidParameterDependency', 'UnknownParameter', 'UnknownParameterException', 'ValidationException', 'ValidationError', 'InvalidParameterException', 'InvalidParameterCombinationException', 'InvalidParameterValueException', 'MissingRequiredParameterException', 'InvalidFilter', 'InvalidFilterKey', 'InvalidFilterValue', 'FilterLimitExceeded', 'InvalidNextToken', 'InvalidNextTokenException', 'ExpiredNextTokenException', 'InvalidPaginationToken', 'InvalidQueryParameter', 'MalformedQueryString', 'InvalidRequest', 'MalformedInput', 'MissingAction', 'SerializationException', 'InvalidInput', 'InvalidAttributeValue', 'InvalidPaginationTokenException', 'InvalidMaxResults'],
    as: 'cloud-refused',
    says: (c) => `${c.service} did not accept a value in ${c.operation}${c.subject ? ` for ${c.subject}` : ''}`,
    why: 'A value from the command line or the configuration is one that AWS does not take, or two do not go together. The message of AWS names it.',
    hints: () => ['runctl config show', 'runctl doctor'],
    docs: PAGES.ec2,
  },
  {
    codes: ['InvalidRegion', 'InvalidRegionName', 'InvalidAvailabilityZone', 'InvalidZone.NotFound', 'InvalidAvailabilityZoneId'],
    as: 'usage',
    says: (c) => `no such region or zone${c.subject ? `: ${c.subject}` : ''}`,
    why: 'Mistyped, of another partition, not enabled for the account, or a zone of another region.',
    hints: (c) => ["aws ec2 describe-regions --query 'Regions[].RegionName' --output text", `aws ec2 describe-availability-zones --query 'AvailabilityZones[].ZoneName' --output text${regionFlag(c)}`, 'runctl config set aws.region us-east-1'],
    docs: 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-regions-availability-zones.html',
    trouble: 'no-region',
  },
];
