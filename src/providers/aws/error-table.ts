// AWS error codes and what each means to the person who meets it: one row a family. Widen the table, not the code around it.
// Sources: EC2 API Reference "Error codes"; SSM, S3, IAM, STS API References, "Errors" of each operation; "Common errors".
import type { ErrorCode } from '../../core/errors.ts';

/** What a row may use to word itself. */
export interface ErrorContext {
  service: string;
  operation: string;
  /** What the call was about: a machine id, a bucket, a type. */
  subject?: string;
  region?: string;
  endpoint?: string;
  awsCode: string;
  awsMessage: string;
}

export interface ErrorRow {
  codes: string[];
  as: ErrorCode;
  says: (context: ErrorContext) => string;
  hints: (context: ErrorContext) => string[];
  /** Page that AWS keeps about it. */
  docs: string;
}

const EC2_ERRORS = 'https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html';
const S3_ERRORS = 'https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html';
const SSM_ERRORS = 'https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html#API_SendCommand_Errors';
const IAM_TROUBLE = 'https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html';
const KEYS = 'https://docs.aws.amazon.com/cli/latest/userguide/cli-chap-authentication.html';
const QUOTAS = 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-resource-limits.html';

/** runctl's machines, as the AWS CLI lists them. */
const listMachines = (context: ErrorContext): string =>
  `aws ec2 describe-instances --filters Name=tag-key,Values=runctl:owner --query 'Reservations[].Instances[].[InstanceId,State.Name,InstanceType]' --output text${regionFlag(context)}`;
const named = (context: ErrorContext): string => context.subject ?? context.operation;
const inRegion = (context: ErrorContext): string => (context.region ? ` in ${context.region}` : '');
const regionFlag = (context: ErrorContext): string => (context.region ? ` --region ${context.region}` : '');

export const ERROR_TABLE: ErrorRow[] = [
  {
    codes: ['AuthFailure', 'InvalidClientTokenId', 'UnrecognizedClientException', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'InvalidSignatureException', 'IncompleteSignature', 'MissingAuthenticationToken', 'MissingAuthenticationTokenException', 'NotAuthorized'],
    as: 'credentials-rejected',
    says: (c) => `AWS refused the credentials (${c.awsCode})`,
    hints: () => ['aws sts get-caller-identity', 'aws configure'],
    docs: KEYS,
  },
  {
    codes: ['ExpiredToken', 'ExpiredTokenException', 'RequestExpired', 'TokenRefreshRequired'],
    as: 'credentials-rejected',
    says: () => 'the AWS credentials have expired',
    hints: () => ['aws sso login', 'unset AWS_SESSION_TOKEN AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY', 'aws configure'],
    docs: KEYS,
  },
  {
    codes: ['RequestTimeTooSkewed'],
    as: 'credentials-rejected',
    says: () => 'the clock of this computer is more than 15 minutes wrong, so AWS refuses its signatures',
    hints: () => ['date -u', 'sudo sntp -sS time.apple.com  # macOS', 'sudo timedatectl set-ntp true  # Linux'],
    docs: 'https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html',
  },
  {
    codes: ['UnauthorizedOperation', 'AccessDenied', 'AccessDeniedException', 'AllAccessDisabled', 'AuthFailure.ServiceLinkedRoleCreationNotPermitted', 'InvalidRole'],
    as: 'not-permitted',
    says: (c) => `these credentials may not call ${c.service}:${c.operation}${c.subject ? ` for ${c.subject}` : ''}`,
    hints: () => ['runctl aws policy', 'aws sts get-caller-identity'],
    docs: IAM_TROUBLE,
  },
  {
    codes: ['OptInRequired', 'Blocked', 'PendingVerification', 'SubscriptionRequiredException'],
    as: 'not-permitted',
    says: (c) => `the AWS account may not use ${c.service}${inRegion(c)} yet (${c.awsCode})`,
    hints: (c) => [`aws account get-region-opt-status --region-name ${c.region ?? 'us-east-1'}`, 'aws support create-case  # or the support page of the console'],
    docs: EC2_ERRORS,
  },
  {
    codes: ['InsufficientInstanceCapacity', 'InsufficientHostCapacity', 'InsufficientReservedInstanceCapacity', 'InsufficientCapacity', 'UnfulfillableCapacity', 'ReservationCapacityExceeded', 'SpotMaxPriceTooLow'],
    as: 'capacity',
    says: (c) => `no capacity for ${named(c)}${inRegion(c)} now`,
    hints: () => ['export AWS_REGION=us-west-2  # or another region, or another type'],
    docs: 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/troubleshooting-launch.html',
  },
  {
    codes: ['Unsupported'],
    as: 'capacity',
    says: (c) => `${named(c)} is not offered there`,
    hints: (c) => [`aws ec2 describe-instance-type-offerings --location-type availability-zone --filters Name=instance-type,Values=${named(c)}${regionFlag(c)}`],
    docs: EC2_ERRORS,
  },
  {
    codes: ['InsufficientFreeAddressesInSubnet'],
    as: 'capacity',
    says: () => 'the subnet has no free address',
    hints: (c) => [`aws ec2 describe-subnets --query 'Subnets[].[SubnetId,AvailabilityZone,AvailableIpAddressCount]' --output text${regionFlag(c)}`],
    docs: EC2_ERRORS,
  },
  {
    codes: ['VcpuLimitExceeded', 'MaxSpotInstanceCountExceeded', 'InstanceLimitExceeded', 'MaxFleetCountExceeded', 'VolumeLimitExceeded', 'MaxIOPSLimitExceeded', 'SnapshotLimitExceeded', 'SecurityGroupLimitExceeded'],
    as: 'quota',
    says: (c) => `an account quota is used up${inRegion(c)} (${c.awsCode})`,
    hints: (c) => [listMachines(c), `aws service-quotas list-service-quotas --service-code ec2${regionFlag(c)}`, `aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-1216C47A --desired-value 32${regionFlag(c)}`],
    docs: QUOTAS,
  },
  {
    codes: ['RequestLimitExceeded', 'EC2ThrottledException', 'Throttling', 'ThrottlingException', 'ThrottledException', 'TooManyRequestsException', 'SlowDown', 'RequestThrottled', 'RequestThrottledException', 'ProvisionedThroughputExceededException', 'LimitExceededException', 'PriorRequestNotComplete', 'BandwidthLimitExceeded'],
    as: 'throttled',
    says: (c) => `${c.service} asks for fewer requests and still did after several tries`,
    hints: () => ['sleep 30  # then run the same command again'],
    docs: 'https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html',
  },
  {
    codes: ['IdempotentParameterMismatch'],
    as: 'cloud-refused',
    says: () => 'this launch was asked for before with other parameters',
    hints: () => ['runctl runs list'],
    docs: 'https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html',
  },
  {
    codes: ['InvalidInstanceID.NotFound', 'InvalidInstanceID'],
    as: 'not-found',
    says: (c) => `no machine ${named(c)}${inRegion(c)}`,
    hints: (c) => [listMachines(c), `aws ec2 describe-instances --instance-ids ${named(c)}${regionFlag(c)}`],
    docs: EC2_ERRORS,
  },
  {
    codes: ['InvalidInstanceID.Malformed'],
    as: 'usage',
    says: (c) => `${named(c)} is not a machine id (i- and 8 or 17 hexadecimal digits)`,
    hints: (c) => [listMachines(c)],
    docs: EC2_ERRORS,
  },
  {
    codes: ['InvalidAMIID.NotFound', 'InvalidAMIID.Malformed', 'InvalidAMIID.Unavailable', 'ParameterNotFound'],
    as: 'usage',
    says: (c) => `no image ${named(c)}${inRegion(c)}; images belong to one region`,
    hints: (c) => [`aws ec2 describe-images --owners amazon --filters 'Name=name,Values=al2023-ami-2023*' --query 'Images[].[ImageId,Name]' --output text${regionFlag(c)}`],
    docs: 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/finding-an-ami.html',
  },
  {
    codes: ['InvalidInstanceType'],
    as: 'usage',
    says: (c) => `no instance type ${named(c)}${inRegion(c)}`,
    hints: (c) => [`aws ec2 describe-instance-types --query 'InstanceTypes[].InstanceType' --output text${regionFlag(c)}`],
    docs: 'https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-types.html',
  },
  {
    codes: ['InvalidGroup.NotFound', 'InvalidGroupId.Malformed', 'InvalidGroupId.NotFound', 'InvalidSecurityGroupID.NotFound', 'InvalidSecurityGroupId'],
    as: 'usage',
    says: (c) => `no security group ${named(c)}${inRegion(c)}`,
    hints: (c) => [`aws ec2 describe-security-groups --query 'SecurityGroups[].[GroupId,GroupName,VpcId]' --output text${regionFlag(c)}`],
    docs: EC2_ERRORS,
  },
  {
    codes: ['InvalidKeyPair.NotFound', 'InvalidKey.Format'],
    as: 'usage',
    says: (c) => `no key pair ${named(c)}${inRegion(c)}`,
    hints: (c) => [`aws ec2 describe-key-pairs --query 'KeyPairs[].KeyName' --output text${regionFlag(c)}`, `aws ec2 import-key-pair --key-name ${named(c)} --public-key-material fileb://~/.ssh/id_ed25519.pub${regionFlag(c)}`],
    docs: 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/create-key-pairs.html',
  },
  {
    codes: ['InvalidSubnetID.NotFound', 'InvalidSubnetID.Malformed', 'InvalidVpcID.NotFound', 'VPCIdNotSpecified', 'MissingInput', 'DefaultVpcDoesNotExist'],
    as: 'usage',
    says: (c) => `no usable subnet${c.subject ? ` ${c.subject}` : ''}${inRegion(c)}`,
    hints: (c) => [`aws ec2 describe-subnets --query 'Subnets[].[SubnetId,VpcId,AvailabilityZone]' --output text${regionFlag(c)}`, `aws ec2 create-default-vpc${regionFlag(c)}`],
    docs: 'https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc.html',
  },
  {
    codes: ['IncorrectInstanceState', 'IncorrectState', 'IncorrectSpotRequestState'],
    as: 'wrong-state',
    says: (c) => `${named(c)} is in a state in which ${c.operation} cannot be done`,
    hints: (c) => [`runctl aws status ${named(c)}`, `runctl aws wait ${named(c)}`],
    docs: 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html',
  },
  {
    codes: ['UnsupportedOperation', 'OperationNotPermitted'],
    as: 'wrong-state',
    says: (c) => `${named(c)} does not allow ${c.operation}`,
    hints: (c) => [`runctl aws status ${named(c)}`, `aws ec2 describe-instance-attribute --attribute disableApiTermination --instance-id ${named(c)}${regionFlag(c)}`],
    docs: EC2_ERRORS,
  },
  {
    codes: ['DependencyViolation', 'VolumeInUse', 'ResourceInUse', 'InvalidGroup.InUse'],
    as: 'wrong-state',
    says: (c) => `${named(c)} is still in use`,
    hints: (c) => [listMachines(c)],
    docs: EC2_ERRORS,
  },
  {
    codes: ['InvalidInstanceId', 'TargetNotConnected'],
    as: 'ssm-not-ready',
    says: (c) => `SSM does not reach ${named(c)} yet`,
    hints: (c) => [`runctl aws wait-ssm ${named(c)}`, `runctl aws status ${named(c)}`],
    docs: 'https://docs.aws.amazon.com/systems-manager/latest/userguide/troubleshooting-ssm-agent.html',
  },
  {
    codes: ['InvocationDoesNotExist', 'InvalidCommandId'],
    as: 'cloud-refused',
    says: (c) => `SSM does not know the command sent to ${named(c)}`,
    hints: (c) => [`aws ssm list-commands --instance-id ${named(c)}${regionFlag(c)}`],
    docs: SSM_ERRORS,
  },
  {
    codes: ['MaxDocumentSizeExceeded', 'InvalidDocument', 'InvalidParameters', 'UnsupportedPlatformType', 'InvalidOutputFolder', 'DuplicateInstanceId'],
    as: 'cloud-refused',
    says: (c) => `SSM did not take the script for ${named(c)} (${c.awsCode})`,
    hints: (c) => [`aws ssm describe-document --name AWS-RunShellScript${regionFlag(c)}`],
    docs: SSM_ERRORS,
  },
  {
    codes: ['NoSuchEntity', 'NoSuchEntityException'],
    as: 'profile-missing',
    says: (c) => `no instance profile ${named(c)}`,
    hints: () => ["aws iam list-instance-profiles --query 'InstanceProfiles[].InstanceProfileName' --output text"],
    docs: 'https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html',
  },
  {
    codes: ['NoSuchBucket', 'InvalidBucketName'],
    as: 'bucket-missing',
    says: (c) => `no bucket ${named(c)}`,
    hints: (c) => [`aws s3 mb s3://${named(c)}${regionFlag(c)}`, 'aws s3 ls'],
    docs: S3_ERRORS,
  },
  {
    codes: ['NoSuchKey'],
    as: 'not-found',
    says: (c) => `no object ${named(c)}`,
    hints: () => ['aws s3 ls'],
    docs: S3_ERRORS,
  },
  {
    codes: ['PermanentRedirect', 'TemporaryRedirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException'],
    as: 'bucket-forbidden',
    says: (c) => `bucket ${named(c)} is in another region`,
    hints: (c) => [`aws s3api get-bucket-location --bucket ${named(c)}`],
    docs: S3_ERRORS,
  },
  {
    codes: ['InvalidAction', 'UnknownOperationException', 'NotImplemented', 'UnsupportedProtocol', 'NoSuchVersion'],
    as: 'endpoint-foreign',
    says: (c) => `the ${c.service} endpoint${c.endpoint ? ` ${c.endpoint}` : ''} does not know ${c.operation}`,
    hints: () => ['env | grep AWS_ENDPOINT_URL', 'unset AWS_ENDPOINT_URL'],
    docs: 'https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html',
  },
  {
    codes: ['InternalError', 'InternalFailure', 'InternalServerError', 'InternalServiceError', 'Unavailable', 'ServiceUnavailable', 'ServiceUnavailableException', 'RequestTimeout', 'RequestTimeoutException'],
    as: 'endpoint-unreachable',
    says: (c) => `${c.service} failed on its own side and still did after several tries (${c.awsCode})`,
    hints: () => ['sleep 30  # then run the same command again', 'runctl doctor'],
    docs: EC2_ERRORS,
  },
  {
    codes: ['MissingParameter', 'InvalidParameter', 'InvalidParameterValue', 'InvalidParameterCombination', 'InvalidParameterDependency', 'UnknownParameter', 'ValidationException', 'ValidationError', 'InvalidBlockDeviceMapping', 'InvalidUserData.Malformed', 'InvalidFilterKey', 'InvalidFilterValue'],
    as: 'cloud-refused',
    says: (c) => `${c.service} did not accept a value in ${c.operation}${c.subject ? ` for ${c.subject}` : ''}`,
    hints: () => ['runctl doctor', 'runctl config show'],
    docs: EC2_ERRORS,
  },
];

export const ROW_BY_CODE: ReadonlyMap<string, ErrorRow> = new Map(ERROR_TABLE.flatMap((row) => row.codes.map((code) => [code, row] as const)));

export const FALLBACK_DOCS = 'https://docs.aws.amazon.com/awssupport/latest/user/getting-started.html';
