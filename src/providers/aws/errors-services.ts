// Codes that one service alone answers: SSM, S3, IAM, Price List, Service Quotas, ECR, KMS.
// Sources: the API Reference of each service, "Errors" of the operations; S3 API Reference, "Error responses".
import { machineOr, named, orWord, PAGES, regionFlag } from './error-row.ts';
import type { ErrorContext, ErrorRow } from './error-row.ts';

/** Names of buckets; a `bucket/key` is cut to its bucket. */
const bucketOr = (c: ErrorContext): string => orWord({ ...c, subject: c.subject?.split('/')[0] }, /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'BUCKET');

export const SERVICE_ERRORS: ErrorRow[] = [
  {
    codes: ['InvalidInstanceId', 'TargetNotConnected'],
    as: 'ssm-not-ready',
    says: (c) => `SSM does not reach ${named(c)} yet`,
    why: 'The agent on the machine has not registered (30 to 90 seconds after it started to run), the machine has no instance profile with the agent\'s rights or no way to SSM, or it does not run.',
    hints: (c) => [`runctl aws wait-ssm ${machineOr(c)}`, `runctl aws status ${machineOr(c)}`],
    docs: 'https://docs.aws.amazon.com/systems-manager/latest/userguide/troubleshooting-ssm-agent.html',
  },
  {
    codes: ['InvocationDoesNotExist', 'InvalidCommandId', 'InvalidPluginName', 'DoesNotExistException'],
    as: 'cloud-refused',
    says: (c) => `SSM does not know the command sent to ${named(c)}`,
    why: 'For a moment after a command was sent this is normal and waited out; later it means that the command went to another machine or region, or is older than 30 days.',
    hints: (c) => [`aws ssm list-commands --instance-id ${machineOr(c)}${regionFlag(c)}`],
    docs: PAGES.ssm,
  },
  {
    codes: ['MaxDocumentSizeExceeded', 'InvalidDocument', 'InvalidDocumentVersion', 'InvalidDocumentOperation', 'InvalidParameters', 'UnsupportedPlatformType', 'InvalidOutputFolder', 'InvalidOutputLocation', 'DuplicateInstanceId', 'InvalidNotificationConfig', 'InvalidResourceId', 'InvalidTarget', 'AssociationDoesNotExist', 'InvalidKeyId', 'InvalidInstanceInformationFilterValue', 'DocumentPermissionLimit'],
    as: 'cloud-refused',
    says: (c) => `SSM did not take the script for ${named(c)} (${c.awsCode})`,
    why: 'A script and its document hold 64 KiB at most, and the document AWS-RunShellScript works on Linux machines only.',
    hints: (c) => [`aws ssm describe-document --name AWS-RunShellScript${regionFlag(c)}`],
    docs: PAGES.ssm,
  },
  {
    codes: ['NoSuchEntity', 'NoSuchEntityException'],
    as: 'profile-missing',
    says: (c) => `no instance profile ${named(c)}`,
    why: 'IAM knows no instance profile or role of that name in this account. A profile is not a role: one is made from the other.',
    hints: () => ["aws iam list-instance-profiles --query 'InstanceProfiles[].[InstanceProfileName,Roles[0].RoleName]' --output text", 'runctl aws policy machine'],
    docs: 'https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html',
  },
  {
    codes: ['MalformedPolicyDocument', 'MalformedPolicyDocumentException', 'UnmodifiableEntity', 'ConcurrentModification', 'EntityTemporarilyUnmodifiable', 'PolicyNotAttachable', 'ReportGenerationLimitExceeded', 'PackedPolicyTooLarge', 'PolicyEvaluation', 'PolicyEvaluationException', 'InvalidIdentityToken', 'RegionDisabled', 'InvalidAuthorizationMessageException', 'IDPCommunicationError'],
    as: 'cloud-refused',
    says: (c) => `IAM or STS could not do ${c.operation} for ${named(c)} (${c.awsCode})`,
    why: 'A policy is not valid JSON of IAM, or the role is being changed by somebody else at this moment.',
    hints: () => ['aws sts get-caller-identity', 'runctl aws policy caller'],
    docs: PAGES.iam,
  },
  {
    codes: ['NoSuchBucket', 'InvalidBucketName', 'NoSuchBucketPolicy', 'BucketNotFound'],
    as: 'bucket-missing',
    says: (c) => `no bucket ${named(c)}`,
    why: 'Names of buckets are unique over all of AWS: mistyped, deleted, or never made.',
    hints: (c) => ['aws s3 ls', `aws s3 mb s3://${bucketOr(c)}${regionFlag(c)}`, 'runctl config set aws.s3_bucket BUCKET'],
    docs: PAGES.s3,
  },
  {
    codes: ['NoSuchKey', 'NoSuchUpload', 'InvalidRange', 'NoSuchObject', 'InvalidObjectState'],
    as: 'not-found',
    says: (c) => `no object ${named(c)}, or it cannot be read (${c.awsCode})`,
    why: 'It was removed meanwhile: by a lifecycle rule, by another run, or because the upload never ended.',
    hints: (c) => [`aws s3 ls s3://${bucketOr(c)}/`],
    docs: PAGES.s3,
  },
  {
    codes: ['PermanentRedirect', 'TemporaryRedirect', 'Redirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException', 'InvalidLocationConstraint', 'BucketAlreadyExists', 'BucketAlreadyOwnedByYou'],
    as: 'bucket-forbidden',
    says: (c) => (c.awsCode.startsWith('BucketAlready') ? `the name ${named(c)} is taken` : `bucket ${named(c)} is in another region`),
    why: 'A bucket lives in one region and is asked for there; its name can be had once in all of AWS.',
    hints: (c) => [`aws s3api get-bucket-location --bucket ${bucketOr(c)}`, 'runctl config set aws.s3_bucket BUCKET'],
    docs: PAGES.s3,
  },
  {
    codes: ['BadDigest', 'InvalidDigest', 'XAmzContentSHA256Mismatch', 'XAmzContentChecksumMismatch', 'IncompleteBody', 'EntityTooSmall', 'EntityTooLarge', 'InvalidPart', 'InvalidPartOrder', 'MalformedXML', 'MissingContentLength', 'InvalidArgument', 'PreconditionFailed', 'ConditionalRequestConflict', 'KeyTooLongError', 'BucketNotEmpty', 'TooManyBuckets', 'InvalidStorageClass', 'MetadataTooLarge', 'RequestHeaderSectionTooLarge', 'InvalidWriteOffset', 'RequestIsNotMultiPartContent', 'EncryptionTypeMismatch'],
    as: 'cloud-refused',
    says: (c) => `S3 did not take ${c.operation} of ${named(c)} (${c.awsCode})`,
    why: 'The bytes did not arrive as they were announced, somebody else wrote the same object, or a limit of S3 was met. A proxy that changes what passes through it, and stores that only resemble S3, do that too.',
    hints: (c) => ['runctl doctor', `aws s3 ls s3://${bucketOr(c)}/`],
    docs: PAGES.s3,
    trouble: 'the-bucket',
  },
  {
    codes: ['NoSuchResourceException', 'InvalidResourceStateException', 'ResourceAlreadyExistsException', 'DependencyAccessDenied', 'TemplatesNotAvailableInRegionException'],
    as: 'not-found',
    says: (c) => `Service Quotas knows no quota for ${named(c)}`,
    why: 'The quota does not exist in this region, or the endpoint is an emulator that has none.',
    hints: (c) => [`aws service-quotas list-service-quotas --service-code ec2${regionFlag(c)}`],
    docs: PAGES.quotas,
  },
  {
    codes: ['NotFoundException', 'ResourceNotFoundException', 'NotFound', 'RepositoryNotFoundException', 'ImageNotFoundException', 'LayersNotFoundException', 'LayerInaccessibleException', 'RegistryPolicyNotFoundException'],
    as: 'not-found',
    says: (c) => `${c.service} knows no ${named(c)}`,
    why: 'Mistyped, of another region or account, or deleted.',
    hints: (c) => ['aws sts get-caller-identity', `aws configure get region${c.region ? `   # asked: ${c.region}` : ''}`],
    docs: PAGES.ecr,
  },
  {
    codes: ['ImageTagAlreadyExistsException', 'ImageAlreadyExistsException', 'ImageDigestDoesNotMatchException', 'InvalidLayerException', 'InvalidLayerPartException', 'LayerAlreadyExistsException', 'LayerPartTooSmallException', 'UploadNotFoundException', 'EmptyUploadException', 'KmsException'],
    as: 'cloud-refused',
    says: (c) => `the registry did not take ${named(c)} (${c.awsCode})`,
    why: 'The tag exists and may not be moved, or a layer did not arrive whole.',
    hints: () => ['aws ecr describe-repositories --output table', 'aws ecr get-login-password | docker login --username AWS --password-stdin REGISTRY'],
    docs: PAGES.ecr,
  },
  {
    codes: ['KMSAccessDeniedException', 'KMSDisabledException', 'KMSInvalidStateException', 'KMSNotFoundException', 'KMSKeyNotAccessibleFault', 'KMSOptInRequired', 'KMS.NotFoundException', 'KMS.DisabledException', 'KMS.KMSInvalidStateException', 'InvalidKMSKey'],
    as: 'not-permitted',
    says: (c) => `the encryption key for ${named(c)} cannot be used (${c.awsCode})`,
    why: 'The account encrypts disks or objects with a key of its own that is disabled, deleted, or does not let these credentials use it.',
    hints: (c) => [`aws ec2 get-ebs-default-kms-key-id${regionFlag(c)}`, `aws kms list-aliases${regionFlag(c)}`],
    docs: 'https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html',
  },
];
