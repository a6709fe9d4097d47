// Least-privilege policies for `runctl aws policy`: what a person needs to use runctl, and what a machine's role needs.
// A test holds the caller's policy against the list of operations in sdk/, so that neither grows alone.
// Source: AWS Service Authorization Reference (actions, resource types and condition keys of EC2, SSM, S3, IAM), IAM User Guide
// "Granting a user permissions to pass a role"; AmazonSSMManagedInstanceCore for the machine's part.

export interface PolicyDocument {
  Version: '2012-10-17';
  Statement: { Sid: string; Effect: 'Allow'; Action: string[]; Resource: string | string[]; Condition?: Record<string, Record<string, string | string[]>> }[];
}

/** What every guide and `doctor --fix` call them. */
export const OWN_PROFILE = 'runctl-ssm-profile';
export const OWN_ROLE = 'runctl-ssm-role';
/** AWS's own policy for machines that SSM manages. */
export const SSM_CORE_POLICY = 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore';
/** Inline policy of the role, for the bucket. */
export const BUCKET_POLICY_NAME = 'runctl-bucket';

/** Tag that every machine of ours carries from its first moment; what may be done to machines hangs on it. */
const OWNED = { Null: { 'aws:ResourceTag/runctl:run': 'false' } };

/** For the person or CI job that runs runctl. Reading is allowed everywhere, changing only what carries our tag. */
export function callerPolicy(options: { bucket?: string; role: string }): PolicyDocument {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'Look',
        Effect: 'Allow',
        Action: [
          'ec2:DescribeImages', 'ec2:DescribeInstanceTypeOfferings', 'ec2:DescribeInstanceTypes', 'ec2:DescribeInstances', 'ec2:DescribeKeyPairs', 'ec2:DescribeRegions',
          'ec2:DescribeSecurityGroups', 'ec2:DescribeSnapshots', 'ec2:DescribeSpotInstanceRequests', 'ec2:DescribeSpotPriceHistory', 'ec2:DescribeSubnets', 'ec2:DescribeVolumes', 'ec2:DescribeVpcs',
          'ec2:GetSpotPlacementScores',
          'ssm:DescribeInstanceInformation', 'ssm:GetCommandInvocation', 'ssm:ListCommands', 'ssm:CancelCommand',
          'pricing:GetProducts', 'servicequotas:GetServiceQuota', 's3:ListAllMyBuckets', 'sts:GetCallerIdentity',
        ],
        Resource: '*',
      },
      { Sid: 'PublicImageNames', Effect: 'Allow', Action: ['ssm:GetParameter'], Resource: 'arn:aws:ssm:*::parameter/aws/service/*' },
      {
        Sid: 'CreateOnlyTagged',
        Effect: 'Allow',
        Action: ['ec2:RunInstances'],
        Resource: ['arn:aws:ec2:*:*:instance/*', 'arn:aws:ec2:*:*:volume/*', 'arn:aws:ec2:*:*:network-interface/*', 'arn:aws:ec2:*:*:spot-instances-request/*'],
        Condition: { Null: { 'aws:RequestTag/runctl:run': 'false' } },
      },
      {
        Sid: 'CreateFrom',
        Effect: 'Allow',
        Action: ['ec2:RunInstances'],
        Resource: ['arn:aws:ec2:*::image/*', 'arn:aws:ec2:*:*:subnet/*', 'arn:aws:ec2:*:*:security-group/*', 'arn:aws:ec2:*:*:key-pair/*'],
      },
      { Sid: 'OwnGroup', Effect: 'Allow', Action: ['ec2:CreateSecurityGroup'], Resource: ['arn:aws:ec2:*:*:security-group/*', 'arn:aws:ec2:*:*:vpc/*'] },
      {
        Sid: 'TagWhileCreating',
        Effect: 'Allow',
        Action: ['ec2:CreateTags'],
        Resource: 'arn:aws:ec2:*:*:*/*',
        Condition: { StringEquals: { 'ec2:CreateAction': ['RunInstances', 'CreateSecurityGroup'] } },
      },
      { Sid: 'ChangeOnlyOurs', Effect: 'Allow', Action: ['ec2:StartInstances', 'ec2:StopInstances', 'ec2:TerminateInstances'], Resource: 'arn:aws:ec2:*:*:instance/*', Condition: OWNED },
      {
        Sid: 'EndOnlyOurs',
        Effect: 'Allow',
        Action: ['ec2:CancelSpotInstanceRequests', 'ec2:DeleteSnapshot', 'ec2:DeleteVolume'],
        Resource: ['arn:aws:ec2:*:*:spot-instances-request/*', 'arn:aws:ec2:*::snapshot/*', 'arn:aws:ec2:*:*:volume/*'],
        Condition: { Null: { 'aws:ResourceTag/runctl:owner': 'false' } },
      },
      // EC2 makes its role for spot with the first spot machine of an account, in the caller's name.
      { Sid: 'FirstSpotMachine', Effect: 'Allow', Action: ['iam:CreateServiceLinkedRole'], Resource: 'arn:aws:iam::*:role/aws-service-role/spot.amazonaws.com/*', Condition: { StringEquals: { 'iam:AWSServiceName': 'spot.amazonaws.com' } } },
      { Sid: 'RunOnlyOnOurs', Effect: 'Allow', Action: ['ssm:SendCommand'], Resource: 'arn:aws:ec2:*:*:instance/*', Condition: { StringLike: { 'ssm:resourceTag/runctl:run': '*' } } },
      { Sid: 'RunShellScripts', Effect: 'Allow', Action: ['ssm:SendCommand'], Resource: 'arn:aws:ssm:*::document/AWS-RunShellScript' },
      { Sid: 'GiveMachinesTheirRole', Effect: 'Allow', Action: ['iam:PassRole'], Resource: `arn:aws:iam::*:role/${options.role}`, Condition: { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } } },
      { Sid: 'LookAtTheProfile', Effect: 'Allow', Action: ['iam:GetInstanceProfile'], Resource: 'arn:aws:iam::*:instance-profile/*' },
      { Sid: 'LookAtItsRole', Effect: 'Allow', Action: ['iam:ListAttachedRolePolicies', 'iam:ListRolePolicies', 'iam:GetRolePolicy'], Resource: 'arn:aws:iam::*:role/*' },
      ...(options.bucket === undefined
        ? []
        : [
            { Sid: 'Bucket', Effect: 'Allow' as const, Action: ['s3:ListBucket', 's3:GetBucketLocation'], Resource: `arn:aws:s3:::${options.bucket}` },
            { Sid: 'Objects', Effect: 'Allow' as const, Action: ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload'], Resource: `arn:aws:s3:::${options.bucket}/runctl/*` },
          ]),
    ],
  };
}

/** What `doctor --fix` needs beyond the caller's policy, once: a bucket, a role and a profile of ours. For whoever sets the account up. */
export function setupPolicy(options: { bucket?: string; role: string; profile: string }): PolicyDocument {
  const role = `arn:aws:iam::*:role/${options.role}`;
  const profile = `arn:aws:iam::*:instance-profile/${options.profile}`;
  return {
    Version: '2012-10-17',
    Statement: [
      { Sid: 'MakeTheBucket', Effect: 'Allow', Action: ['s3:CreateBucket', 's3:PutBucketPublicAccessBlock', 's3:PutEncryptionConfiguration'], Resource: `arn:aws:s3:::${options.bucket ?? 'runctl-*'}` },
      { Sid: 'MakeTheRole', Effect: 'Allow', Action: ['iam:CreateRole', 'iam:PutRolePolicy'], Resource: role },
      { Sid: 'GiveItSsmOnly', Effect: 'Allow', Action: ['iam:AttachRolePolicy'], Resource: role, Condition: { ArnEquals: { 'iam:PolicyARN': SSM_CORE_POLICY } } },
      { Sid: 'MakeTheProfile', Effect: 'Allow', Action: ['iam:CreateInstanceProfile', 'iam:AddRoleToInstanceProfile'], Resource: profile },
      { Sid: 'PutTheRoleIntoIt', Effect: 'Allow', Action: ['iam:PassRole'], Resource: role, Condition: { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } } },
    ],
  };
}

/** For scripts on machines that read data from the bucket or save to it. Code and results do not need it. */
export function machineBucketPolicy(bucket: string): PolicyDocument {
  return {
    Version: '2012-10-17',
    Statement: [
      { Sid: 'Bucket', Effect: 'Allow', Action: ['s3:ListBucket', 's3:GetBucketLocation'], Resource: `arn:aws:s3:::${bucket}` },
      { Sid: 'Objects', Effect: 'Allow', Action: ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload'], Resource: `arn:aws:s3:::${bucket}/*` },
    ],
  };
}

/** For the role of a machine: only what the SSM agent itself needs. Code and results travel by presigned URL, so no S3 right is in it. */
export function machinePolicy(): PolicyDocument {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'SsmAgent',
        Effect: 'Allow',
        Action: [
          'ssm:UpdateInstanceInformation',
          'ssmmessages:CreateControlChannel', 'ssmmessages:CreateDataChannel', 'ssmmessages:OpenControlChannel', 'ssmmessages:OpenDataChannel',
          'ec2messages:AcknowledgeMessage', 'ec2messages:DeleteMessage', 'ec2messages:FailMessage', 'ec2messages:GetEndpoint', 'ec2messages:GetMessages', 'ec2messages:SendReply',
        ],
        Resource: '*',
      },
    ],
  };
}

/** Who may take the role: EC2 for its instances, nobody else. */
export function trustPolicy(): object {
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }] };
}
