import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { AddRoleToInstanceProfileCommand, AttachRolePolicyCommand, CreateInstanceProfileCommand, CreateRoleCommand, DeleteInstanceProfileCommand, DeleteRoleCommand, DetachRolePolicyCommand, GetInstanceProfileCommand, GetRoleCommand, GetUserCommand, IAMClient, ListAttachedRolePoliciesCommand, ListInstanceProfilesCommand, PutRolePolicyCommand, DeleteRolePolicyCommand, RemoveRoleFromInstanceProfileCommand } from '@aws-sdk/client-iam';
import { GetProductsCommand, PricingClient } from '@aws-sdk/client-pricing';
import { GetServiceQuotaCommand, ListServiceQuotasCommand, ServiceQuotasClient } from '@aws-sdk/client-service-quotas';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TEST_DIAL, failure, startTestSim } from '../../test/support/test-sim.ts';
import type { TestSim } from '../../test/support/test-sim.ts';
import { issueRoleCredential } from './wire/credentials.ts';

let t: TestSim;
beforeEach(async () => {
  t = await startTestSim();
});
afterEach(() => t.close());

describe('a fresh world', () => {
  test('R200 the caller is known to STS and IAM', async () => {
    const identity = await t.client(STSClient).send(new GetCallerIdentityCommand({}));
    expect(identity).toMatchObject({ Account: t.sim.cloud.world.accountId, Arn: `arn:aws:iam::${t.sim.cloud.world.accountId}:user/runctl-sim`, UserId: expect.stringMatching(/^AIDA/) });
    const user = await t.client(IAMClient).send(new GetUserCommand({}));
    expect(user.User).toMatchObject({ UserName: 'runctl-sim', Arn: identity.Arn });
  });

  test('R200 keys of a role session work with their token, and STS says who they are', async () => {
    const row = issueRoleCredential(t.sim.cloud.world, { id: 'AROAX', name: 'runctl-ssm-role' }, 'i-0abc', Date.now() + 3_600_000);
    const config = { endpoint: t.sim.endpoint, region: 'us-east-1', maxAttempts: 1 };
    const sts = new STSClient({ ...config, credentials: { accessKeyId: row.accessKeyId, secretAccessKey: row.secretAccessKey, sessionToken: row.sessionToken } });
    expect(await sts.send(new GetCallerIdentityCommand({}))).toMatchObject({ Arn: expect.stringMatching(/assumed-role\/runctl-ssm-role\/i-0abc$/), UserId: 'AROAX:i-0abc' });
    const without = new STSClient({ ...config, credentials: { accessKeyId: row.accessKeyId, secretAccessKey: row.secretAccessKey } });
    expect(await failure(without.send(new GetCallerIdentityCommand({})))).toMatchObject({ name: 'InvalidClientTokenId' });
  });

  test('R200 has an instance profile that works with Systems Manager', async () => {
    const iam = t.client(IAMClient);
    const { InstanceProfile } = await iam.send(new GetInstanceProfileCommand({ InstanceProfileName: 'runctl-ssm-profile' }));
    const role = InstanceProfile!.Roles![0]!;
    expect(JSON.parse(decodeURIComponent(role.AssumeRolePolicyDocument!))).toMatchObject({ Statement: [{ Principal: { Service: 'ec2.amazonaws.com' } }] });
    const { AttachedPolicies, IsTruncated } = await iam.send(new ListAttachedRolePoliciesCommand({ RoleName: role.RoleName }));
    expect([AttachedPolicies, IsTruncated]).toEqual([[{ PolicyName: 'AmazonSSMManagedInstanceCore', PolicyArn: 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore' }], false]);
  });

  test('R201 reset ends every guest and empties the world; keys and token stay', async () => {
    const { InstanceId } = await t.run();
    const { InstanceId: pending } = await t.run();
    await t.clock.advance(TEST_DIAL.pendingMs);
    const keys = t.sim.credentials();
    await t.sim.reset();
    await t.clock.advance(3_600_000);
    expect(t.machines.disks.size).toBe(0);
    expect(t.machines.calls).toContain(`destroy ${InstanceId}`);
    expect(t.sim.credentials()).toEqual(keys);
    expect((await t.ec2.send(new DescribeInstancesCommand({}))).Reservations).toEqual([]);
    expect(await failure(t.ec2.send(new DescribeInstancesCommand({ InstanceIds: [pending!] })))).toMatchObject({ name: 'InvalidInstanceID.NotFound' });
    expect(t.sim.meter()).toMatchObject({ lines: [], volumes: [], snapshots: [], totalMicroUsd: 0, unpriced: [] });
    expect((await t.run()).State!.Name).toBe('pending');
  });

  test('R208 what was answered is on disk before the answer: a killed server forgets nothing that it said', async () => {
    const { InstanceId } = await t.run({ ClientToken: 'durable' });
    const stored = readFileSync(join(t.directory, 'world.json'), 'utf8');
    expect(stored).toContain(InstanceId);
    expect(stored).toContain('us-east-1/durable');
  });

  test('R208 state, keys and counters: the world goes on after a restart, the calls are counted anew', async () => {
    await t.run();
    expect(t.sim.status()).toMatchObject({ instances: { pending: 1 }, operations: { 'ec2.RunInstances': 1 } });
    const account = t.sim.cloud.world.accountId;
    t = await t.restart();
    expect(t.sim.status()).toMatchObject({ instances: { pending: 1 }, operations: {}, accountId: account });
  });
});

describe('IAM', () => {
  test('R200 a profile from nothing to working and back', async () => {
    const iam = t.client(IAMClient);
    const trust = JSON.stringify({ Version: '2012-10-17', Statement: [] });
    const names = { RoleName: 'job', InstanceProfileName: 'job-profile' };
    const { Role } = await iam.send(new CreateRoleCommand({ ...names, AssumeRolePolicyDocument: trust, Path: '/team/' }));
    expect(Role).toMatchObject({ Arn: expect.stringMatching(/:role\/team\/job$/), RoleId: expect.stringMatching(/^AROA.{17}$/), AssumeRolePolicyDocument: encodeURIComponent(trust) });
    await iam.send(new AttachRolePolicyCommand({ ...names, PolicyArn: 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess' }));
    await iam.send(new PutRolePolicyCommand({ ...names, PolicyName: 'own', PolicyDocument: trust }));
    await iam.send(new CreateInstanceProfileCommand(names));
    expect((await iam.send(new GetInstanceProfileCommand(names))).InstanceProfile!.Roles).toEqual([]);
    await iam.send(new AddRoleToInstanceProfileCommand(names));
    expect(await failure(iam.send(new AddRoleToInstanceProfileCommand(names)))).toMatchObject({ name: 'LimitExceededException', $metadata: { httpStatusCode: 409 } });
    expect((await iam.send(new GetInstanceProfileCommand(names))).InstanceProfile!.Roles![0]!.RoleName).toBe('job');
    expect(await failure(iam.send(new DeleteRoleCommand(names)))).toMatchObject({ name: 'DeleteConflictException' });
    expect(await failure(iam.send(new DeleteInstanceProfileCommand(names)))).toMatchObject({ name: 'DeleteConflictException' });
    await iam.send(new RemoveRoleFromInstanceProfileCommand(names));
    await iam.send(new DeleteInstanceProfileCommand(names));
    await iam.send(new DetachRolePolicyCommand({ ...names, PolicyArn: 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess' }));
    await iam.send(new DeleteRolePolicyCommand({ ...names, PolicyName: 'own' }));
    await iam.send(new DeleteRoleCommand(names));
    expect(await failure(iam.send(new GetRoleCommand(names)))).toMatchObject({ name: 'NoSuchEntityException', message: 'The role with name job cannot be found.', $metadata: { httpStatusCode: 404 } });
  });

  test('R200 bad names, documents and policies; lists page by Marker', async () => {
    const iam = t.client(IAMClient);
    expect(await failure(iam.send(new GetInstanceProfileCommand({ InstanceProfileName: 'none' })))).toMatchObject({ name: 'NoSuchEntityException', message: 'Instance Profile none cannot be found.' });
    expect(await failure(iam.send(new CreateRoleCommand({ RoleName: 'a b', AssumeRolePolicyDocument: '{"Statement":[]}' })))).toMatchObject({ name: 'ValidationError' });
    expect(await failure(iam.send(new CreateRoleCommand({ RoleName: 'x', AssumeRolePolicyDocument: '{' })))).toMatchObject({ name: 'MalformedPolicyDocumentException' });
    expect(await failure(iam.send(new AttachRolePolicyCommand({ RoleName: 'runctl-ssm-role', PolicyArn: 'arn:aws:iam::aws:policy/Nonsense' })))).toMatchObject({ name: 'NoSuchEntityException' });
    for (const name of ['a', 'b', 'c']) await iam.send(new CreateInstanceProfileCommand({ InstanceProfileName: name }));
    expect(await failure(iam.send(new CreateInstanceProfileCommand({ InstanceProfileName: 'a' })))).toMatchObject({ name: 'EntityAlreadyExistsException' });
    const first = await iam.send(new ListInstanceProfilesCommand({ MaxItems: 2 }));
    expect([first.IsTruncated, first.InstanceProfiles!.map((profile) => profile.InstanceProfileName)]).toEqual([true, ['a', 'b']]);
    const rest = await iam.send(new ListInstanceProfilesCommand({ MaxItems: 2, Marker: first.Marker }));
    expect([rest.IsTruncated, rest.InstanceProfiles!.map((profile) => profile.InstanceProfileName)]).toEqual([false, ['c', 'runctl-ssm-profile']]);
  });
});

describe('Pricing', () => {
  const filter = (Field: string, Value: string) => ({ Type: 'TERM_MATCH' as const, Field, Value });

  test('R200 one Linux on-demand price by the usual filters', async () => {
    const pricing = t.client(PricingClient);
    const Filters = [filter('instanceType', 'g5.xlarge'), filter('regionCode', 'us-east-1'), filter('operatingSystem', 'Linux'), filter('preInstalledSw', 'NA'), filter('tenancy', 'Shared'), filter('capacitystatus', 'Used'), filter('licenseModel', 'No License required'), filter('marketoption', 'OnDemand')];
    const { PriceList, NextToken } = await pricing.send(new GetProductsCommand({ ServiceCode: 'AmazonEC2', FormatVersion: 'aws_v1', Filters }));
    expect(PriceList).toHaveLength(1);
    const entry = JSON.parse(String(PriceList![0]));
    expect(entry.product).toMatchObject({ productFamily: 'Compute Instance', attributes: { instanceType: 'g5.xlarge', vcpu: '4', memory: '16 GiB', gpu: '1' } });
    const [term] = Object.values<any>(entry.terms.OnDemand);
    const [dimension] = Object.values<any>(term.priceDimensions);
    expect(dimension).toMatchObject({ unit: 'Hrs', pricePerUnit: { USD: '1.0060000000' } });
    expect(Object.keys(entry.terms.OnDemand)[0]).toBe(`${entry.product.sku}.JRTCKXETXF`);
    expect(NextToken).toBeUndefined();
  });

  test('R200 no price, no product; pages; bad parameters', async () => {
    const pricing = t.client(PricingClient);
    const ask = (input: object) => pricing.send(new GetProductsCommand({ ServiceCode: 'AmazonEC2', ...input }));
    expect((await ask({ Filters: [filter('instanceType', 'p5.48xlarge'), filter('regionCode', 'eu-west-1')] })).PriceList).toEqual([]);
    expect((await ask({ Filters: [filter('operatingSystem', 'Windows')] })).PriceList).toEqual([]);
    const first = await ask({ MaxResults: 100 });
    expect(first.PriceList).toHaveLength(100);
    expect((await ask({ MaxResults: 100, NextToken: first.NextToken })).PriceList!.length).toBeGreaterThan(0);
    expect(await failure(ask({ ServiceCode: 'AmazonNothing' }))).toMatchObject({ name: 'NotFoundException' });
    expect(await failure(ask({ MaxResults: 101 }))).toMatchObject({ name: 'InvalidParameterException' });
    expect(await failure(ask({ NextToken: 'x' }))).toMatchObject({ name: 'InvalidNextTokenException' });
    expect(await failure(ask({ Filters: [{ Type: 'LIKE' as never, Field: 'a', Value: 'b' }] }))).toMatchObject({ name: 'InvalidParameterException' });
  });
});

describe('Service Quotas', () => {
  test('R200 the vCPU quotas of EC2', async () => {
    const quotas = t.client(ServiceQuotasClient);
    const { Quota } = await quotas.send(new GetServiceQuotaCommand({ ServiceCode: 'ec2', QuotaCode: 'L-1216C47A' }));
    expect(Quota).toMatchObject({ QuotaName: expect.stringContaining('Running On-Demand Standard'), Value: 256, Adjustable: true });
    const page = await quotas.send(new ListServiceQuotasCommand({ ServiceCode: 'ec2', MaxResults: 4 }));
    expect(page.Quotas).toHaveLength(4);
    expect((await quotas.send(new ListServiceQuotasCommand({ ServiceCode: 'ec2', MaxResults: 4, NextToken: page.NextToken }))).Quotas).toHaveLength(3);
    expect(await failure(quotas.send(new GetServiceQuotaCommand({ ServiceCode: 'ec2', QuotaCode: 'L-00000000' })))).toMatchObject({ name: 'NoSuchResourceException' });
    const elsewhere = t.client(EC2Client, 'us-west-2');
    expect((await elsewhere.send(new DescribeInstancesCommand({}))).Reservations).toEqual([]);
  });
});
