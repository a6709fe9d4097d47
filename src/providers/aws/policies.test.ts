import { describe, expect, test } from 'vitest';
import { callerPolicy, machineBucketPolicy, machinePolicy, setupPolicy, trustPolicy } from './policies.ts';

/** S3's actions are not named like its operations. */
const S3_ACTIONS: Record<string, string> = { HeadBucket: 's3:ListBucket', ListBuckets: 's3:ListAllMyBuckets', ListObjectsV2: 's3:ListBucket', PutPublicAccessBlock: 's3:PutBucketPublicAccessBlock', PutBucketEncryption: 's3:PutEncryptionConfiguration' };

const SERVICES = [
  ['ec2', () => import('./sdk/ec2.ts')],
  ['ssm', () => import('./sdk/ssm.ts')],
  ['s3', () => import('./sdk/s3.ts')],
  ['iam', () => import('./sdk/iam.ts')],
  ['sts', () => import('./sdk/sts.ts')],
  ['pricing', () => import('./sdk/pricing.ts')],
  ['servicequotas', () => import('./sdk/service-quotas.ts')],
] as const;

describe('R271 the policies that aws policy prints', () => {
  const policy = callerPolicy({ bucket: 'team-bucket', role: 'runctl-ssm-role' });
  const allowed = new Set(policy.Statement.flatMap((statement) => statement.Action));
  const setup = setupPolicy({ bucket: 'team-bucket', role: 'runctl-ssm-role', profile: 'runctl-ssm-profile' });
  const setupOnly = new Set(setup.Statement.flatMap((statement) => statement.Action).filter((action) => action !== 'iam:PassRole'));

  test.each(SERVICES)('R271 the caller is allowed every operation of %s that runctl calls, doctor --fix apart', async (service, load) => {
    const { operations } = await load();
    const needed = Object.keys(operations).map((name) => S3_ACTIONS[name] ?? `${service}:${name}`);
    expect(needed.filter((action) => !allowed.has(action) && !setupOnly.has(action))).toEqual([]);
    expect(needed.filter((action) => allowed.has(action) && setupOnly.has(action))).toEqual([]);
  });

  test('R271 nothing is allowed that runctl never calls, but for tags, the roles and what presigned URLs do', async () => {
    const called = new Set<string>(['ec2:CreateTags', 'iam:PassRole', 'iam:CreateServiceLinkedRole', 's3:GetBucketLocation', 's3:AbortMultipartUpload', 's3:GetObject', 's3:PutObject']);
    for (const [service, load] of SERVICES) for (const name of Object.keys((await load()).operations)) called.add(S3_ACTIONS[name] ?? `${service}:${name}`);
    expect([...allowed, ...setupOnly].filter((action) => !called.has(action))).toEqual([]);
  });

  test('R271 machines are changed only with our tag, created only with it, and no action is a wildcard', () => {
    for (const action of ['ec2:TerminateInstances', 'ec2:StopInstances', 'ec2:StartInstances']) {
      const statements = policy.Statement.filter((statement) => statement.Action.includes(action));
      expect(statements.every((statement) => JSON.stringify(statement.Condition).includes('aws:ResourceTag/runctl:run'))).toBe(true);
    }
    const create = policy.Statement.find((statement) => statement.Action.includes('ec2:RunInstances') && JSON.stringify(statement.Resource).includes('instance/*'));
    expect(JSON.stringify(create!.Condition)).toContain('aws:RequestTag/runctl:run');
    expect([...policy.Statement, ...setup.Statement, ...machinePolicy().Statement, ...machineBucketPolicy('b').Statement].flatMap((statement) => statement.Action).filter((action) => action.includes('*'))).toEqual([]);
  });

  test('R226 R271 disks, snapshots and spot requests are ended only with our tag, and the one service role is that of spot', () => {
    for (const action of ['ec2:DeleteVolume', 'ec2:DeleteSnapshot', 'ec2:CancelSpotInstanceRequests']) {
      const statements = policy.Statement.filter((statement) => statement.Action.includes(action));
      expect(statements.map((statement) => statement.Condition), action).toEqual([{ Null: { 'aws:ResourceTag/runctl:owner': 'false' } }]);
    }
    const role = policy.Statement.filter((statement) => statement.Action.includes('iam:CreateServiceLinkedRole'));
    expect(role).toMatchObject([{ Resource: expect.stringContaining('role/aws-service-role/spot.amazonaws.com/') as string, Condition: { StringEquals: { 'iam:AWSServiceName': 'spot.amazonaws.com' } } }]);
    const request = policy.Statement.filter((statement) => JSON.stringify(statement.Resource).includes('spot-instances-request') && statement.Action.includes('ec2:RunInstances'));
    expect(request.map((statement) => statement.Condition)).toEqual([{ Null: { 'aws:RequestTag/runctl:run': 'false' } }]);
  });

  test('R271 IAM takes the policy whole: a managed policy has at most 6,144 characters without white space', () => {
    expect(JSON.stringify(policy).length).toBeLessThan(6_144);
  });

  test('R271 only EC2 may take the machine\'s role, and the role can read no parameter, bucket or instance', () => {
    expect(JSON.stringify(trustPolicy())).toContain('"Service":"ec2.amazonaws.com"');
    expect(machinePolicy().Statement.flatMap((statement) => statement.Action).filter((action) => /^(s3|ec2|iam):|GetParameter/.test(action))).toEqual([]);
  });

  test('without a bucket there is no S3 object right', () => {
    expect(JSON.stringify(callerPolicy({ role: 'r' }))).not.toContain('s3:PutObject');
  });

  test('R271 doctor --fix may change our own role, profile and bucket only, and attach one policy', () => {
    const resources = setup.Statement.flatMap((statement) => statement.Resource);
    expect(new Set(resources)).toEqual(new Set(['arn:aws:s3:::team-bucket', 'arn:aws:iam::*:role/runctl-ssm-role', 'arn:aws:iam::*:instance-profile/runctl-ssm-profile']));
    expect(setup.Statement.find((statement) => statement.Action.includes('iam:AttachRolePolicy'))!.Condition).toEqual({ ArnEquals: { 'iam:PolicyARN': 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore' } });
  });
});
