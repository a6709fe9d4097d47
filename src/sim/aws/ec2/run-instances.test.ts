import {
  CreateSecurityGroupCommand,
  DescribeInstancesCommand,
  DescribeSubnetsCommand,
  DescribeVolumesCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import { CreateInstanceProfileCommand, IAMClient } from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ARM_IMAGE, TEST_DIAL, X86_IMAGE, failure, startTestSim } from '../../../../test/support/test-sim.ts';
import type { TestSim } from '../../../../test/support/test-sim.ts';
import { IMAGES, imageId } from '../../data/images.ts';

let t: TestSim;
beforeAll(async () => {
  t = await startTestSim();
});
afterAll(() => t.close());

const base: RunInstancesCommandInput = { ImageId: X86_IMAGE, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 };
const launch = (input: Partial<RunInstancesCommandInput> = {}) => t.ec2.send(new RunInstancesCommand({ ...base, ...input }));
const count = async (): Promise<number> => (await t.ec2.send(new DescribeInstancesCommand({}))).Reservations!.flatMap((r) => r.Instances!).length;

describe('RunInstances', () => {
  test('R204 a launch is pending without public address, then running with one; its guest gets name, address and user data', async () => {
    const userData = '#!/bin/sh\necho hi ü\n';
    const instance = await t.run({
      UserData: Buffer.from(userData).toString('base64'),
      IamInstanceProfile: { Name: 'runctl-ssm-profile' },
      TagSpecifications: [
        { ResourceType: 'instance', Tags: [{ Key: 'Name', Value: 'a <b> & "c"' }] },
        { ResourceType: 'volume', Tags: [{ Key: 'disk', Value: 'root' }] },
      ],
      InstanceInitiatedShutdownBehavior: 'terminate',
    });
    const id = instance.InstanceId!;
    expect(instance).toMatchObject({ State: { Code: 0, Name: 'pending' }, Architecture: 'x86_64', RootDeviceName: '/dev/xvda', Placement: { AvailabilityZone: 'us-east-1a', AvailabilityZoneId: 'use1-az1' } });
    expect(id).toMatch(/^i-[0-9a-f]{17}$/);
    expect(instance.PublicIpAddress).toBeUndefined();
    await t.clock.advance(TEST_DIAL.pendingMs - 1);
    expect(t.machines.isUp(id)).toBe(false);
    await t.clock.advance(1);
    const { Reservations } = await t.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
    const running = Reservations![0]!.Instances![0]!;
    expect(running.State).toEqual({ Code: 16, Name: 'running' });
    expect(running.PublicIpAddress).toMatch(/^(203\.0\.113|198\.51\.100)\.\d+$/);
    expect(running.PublicDnsName).toBe(`ec2-${running.PublicIpAddress!.replaceAll('.', '-')}.compute-1.amazonaws.com`);
    expect(running.Tags).toEqual([{ Key: 'Name', Value: 'a <b> & "c"' }]);
    expect(running.IamInstanceProfile!.Arn).toMatch(/^arn:aws:iam::\d{12}:instance-profile\/runctl-ssm-profile$/);
    expect(running.MetadataOptions).toMatchObject({ HttpTokens: 'required', HttpPutResponseHopLimit: 2, State: 'applied' });
    expect(running.BlockDeviceMappings).toMatchObject([{ DeviceName: '/dev/xvda', Ebs: { Status: 'attached', DeleteOnTermination: true } }]);
    expect(t.machines.specs.get(id)).toEqual({
      instanceId: id,
      hostname: `ip-${running.PrivateIpAddress!.replaceAll('.', '-')}`,
      privateIp: running.PrivateIpAddress,
      region: 'us-east-1',
      userData,
    });
    const { Volumes } = await t.ec2.send(new DescribeVolumesCommand({ Filters: [{ Name: 'attachment.instance-id', Values: [id] }] }));
    expect(Volumes).toMatchObject([{ Size: 8, VolumeType: 'gp3', State: 'in-use', Tags: [{ Key: 'disk', Value: 'root' }] }]);
  });

  test('R204 the same ClientToken with the same parameters gives the same reservation, also after its instance has ended', async () => {
    const first = await launch({ ClientToken: 'token-1', MaxCount: 2 });
    const before = await count();
    const again = await launch({ ClientToken: 'token-1', MaxCount: 2 });
    const ids = first.Instances!.map((instance) => instance.InstanceId);
    expect(again.ReservationId).toBe(first.ReservationId);
    expect(again.Instances!.map((instance) => instance.InstanceId)).toEqual(ids);
    expect(await count()).toBe(before);
    await t.ec2.send(new TerminateInstancesCommand({ InstanceIds: ids as string[] }));
    await t.clock.advance(TEST_DIAL.shuttingDownMs);
    const late = await launch({ ClientToken: 'token-1', MaxCount: 2 });
    expect(late.Instances!.map((instance) => instance.State!.Name)).toEqual(['terminated', 'terminated']);
    const { Reservations } = await t.ec2.send(new DescribeInstancesCommand({ Filters: [{ Name: 'client-token', Values: ['token-1'] }] }));
    expect(Reservations!.flatMap((r) => r.Instances!.map((instance) => instance.InstanceId)).sort()).toEqual([...ids].sort());
  });

  test('R204 the same ClientToken with other parameters is IdempotentParameterMismatch; in another region it is another token', async () => {
    await launch({ ClientToken: 'token-2' });
    const before = await count();
    for (const change of [{ InstanceType: 't3.small' as const }, { TagSpecifications: [{ ResourceType: 'instance' as const, Tags: [{ Key: 'a', Value: 'b' }] }] }, { MaxCount: 2 }]) {
      expect(await failure(launch({ ClientToken: 'token-2', ...change }))).toMatchObject({ name: 'IdempotentParameterMismatch', $metadata: { httpStatusCode: 400 } });
    }
    expect(await count()).toBe(before);
    expect(await failure(launch({ ClientToken: 'x'.repeat(65) }))).toMatchObject({ name: 'InvalidParameterValue' });
  });

  test('R204 two equal calls at once launch once', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => launch({ ClientToken: 'token-3' })));
    expect(new Set(answers.map((answer) => answer.Instances![0]!.InstanceId)).size).toBe(1);
  });

  test('R204 DryRun says DryRunOperation with 412 and launches nothing, but bad parameters are found first', async () => {
    const before = await count();
    expect(await failure(launch({ DryRun: true }))).toMatchObject({ name: 'DryRunOperation', $metadata: { httpStatusCode: 412 } });
    expect(await failure(launch({ DryRun: true, KeyName: 'none' }))).toMatchObject({ name: 'InvalidKeyPair.NotFound' });
    expect(await count()).toBe(before);
  });

  test.each<[string, Partial<RunInstancesCommandInput>, string, RegExp]>([
    ['an unknown type', { InstanceType: 't3.bogus' as never }, 'InvalidParameterValue', /Invalid value 't3\.bogus' for InstanceType/],
    ['a malformed image', { ImageId: 'ubuntu' }, 'InvalidAMIID.Malformed', /Invalid id: "ubuntu"/],
    ['an unknown image', { ImageId: 'ami-0123456789abcdef0' }, 'InvalidAMIID.NotFound', /'\[ami-0123456789abcdef0\]' does not exist/],
    ['an image of another region', { ImageId: imageId(IMAGES[0]!, 'us-west-2') }, 'InvalidAMIID.NotFound', /does not exist/],
    ['no image', { ImageId: undefined }, 'MissingParameter', /ImageId/],
    ['the wrong architecture', { ImageId: ARM_IMAGE }, 'InvalidParameterValue', /'x86_64' of the specified instance type does not match the architecture 'arm64'/],
    ['an unknown key', { KeyName: 'none' }, 'InvalidKeyPair.NotFound', /The key pair 'none' does not exist/],
    ['an unknown group', { SecurityGroupIds: ['sg-0123456789abcdef0'] }, 'InvalidGroup.NotFound', /does not exist in VPC/],
    ['a malformed group', { SecurityGroupIds: ['web'] }, 'InvalidGroupId.Malformed', /"web"/],
    ['an unknown subnet', { SubnetId: 'subnet-0123456789abcdef0' }, 'InvalidSubnetID.NotFound', /'subnet-0123456789abcdef0' does not exist/],
    ['an unknown zone', { Placement: { AvailabilityZone: 'us-east-1z' } }, 'InvalidParameterValue', /us-east-1z/],
    ['a type that the zone lacks', { InstanceType: 'p5.48xlarge', Placement: { AvailabilityZone: 'us-east-1f' } }, 'Unsupported', /\(p5\.48xlarge\).*\(us-east-1f\).*us-east-1a, us-east-1b/],
    ['an unknown profile', { IamInstanceProfile: { Name: 'nobody' } }, 'InvalidParameterValue', /Value \(nobody\) for parameter iamInstanceProfile\.name is invalid\. Invalid IAM Instance Profile name/],
    ['an unknown profile ARN', { IamInstanceProfile: { Arn: 'arn:aws:iam::1:instance-profile/x' } }, 'InvalidParameterValue', /Invalid IAM Instance Profile ARN/],
    ['user data over 16 KB', { UserData: Buffer.alloc(16_385, 'x').toString('base64') }, 'InvalidParameterValue', /limited to 16384 bytes/],
    ['user data that is not base64', { UserData: '#!/bin/sh' }, 'InvalidUserData.Malformed', /BASE64/],
    ['a reserved tag', { TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'aws:x', Value: '' }] }] }, 'InvalidParameterValue', /reserved/],
    ['tags of a wrong kind', { TagSpecifications: [{ ResourceType: 'vpc', Tags: [{ Key: 'x', Value: '' }] }] }, 'InvalidParameterValue', /'vpc' is not a valid taggable resource type/],
    ['a root disk below its snapshot', { BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { VolumeSize: 4 } }] }, 'InvalidBlockDeviceMapping', /Volume of size 4GB is smaller than snapshot 'snap-[0-9a-f]+', expect size>= 8GB/],
    ['a bad volume type', { BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { VolumeType: 'floppy' as never } }] }, 'InvalidParameterValue', /floppy/],
    ['no instances', { MinCount: 0 }, 'InvalidParameterValue', /minCount/],
    ['more at least than at most', { MinCount: 2, MaxCount: 1 }, 'InvalidParameterValue', /larger than the maximum/],
    ['a bad hop limit', { MetadataOptions: { HttpPutResponseHopLimit: 65 } }, 'InvalidParameterValue', /HttpPutResponseHopLimit/],
  ])('R204 refuses %s, without launching', async (_, change, code, message) => {
    const before = await count();
    const error = await failure(launch(change));
    expect(error.name).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.$metadata.httpStatusCode).toBe(400);
    expect(await count()).toBe(before);
  });

  test('R204 a profile without a role is refused', async () => {
    const iam = t.client(IAMClient);
    await iam.send(new CreateInstanceProfileCommand({ InstanceProfileName: 'empty' }));
    expect(await failure(launch({ IamInstanceProfile: { Name: 'empty' } }))).toMatchObject({ name: 'InvalidParameterValue', message: expect.stringMatching(/IAM Instance Profile "arn:.*empty" has no associated IAM Roles/) });
  });

  test('R204 a mapping of the root device changes the root disk; another name adds a second disk', async () => {
    const own = await t.run({ BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { VolumeSize: 30, Encrypted: true } }] });
    const second = await t.run({ BlockDeviceMappings: [{ DeviceName: '/dev/sda1', Ebs: { VolumeSize: 30 } }] });
    const disksOf = async (id: string) => (await t.ec2.send(new DescribeVolumesCommand({ Filters: [{ Name: 'attachment.instance-id', Values: [id] }] }))).Volumes!;
    expect(await disksOf(own.InstanceId!)).toMatchObject([{ Size: 30, Encrypted: true, Attachments: [{ Device: '/dev/xvda', DeleteOnTermination: true }] }]);
    const both = (await disksOf(second.InstanceId!)).map((volume) => [volume.Attachments![0]!.Device, volume.Size, volume.Attachments![0]!.DeleteOnTermination]);
    expect(both.sort()).toEqual([['/dev/sda1', 30, false], ['/dev/xvda', 8, true]]);
  });

  test('R204 resolve:ssm: names an image by its public parameter', async () => {
    const instance = await t.run({ ImageId: 'resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64' });
    expect(instance.ImageId).toBe(X86_IMAGE);
    expect(await failure(launch({ ImageId: 'resolve:ssm:/nothing' }))).toMatchObject({ name: 'InvalidParameterValue' });
  });

  test('R204 a network interface carries subnet, groups and public address; not beside instance-level ones', async () => {
    const { Subnets } = await t.ec2.send(new DescribeSubnetsCommand({ Filters: [{ Name: 'availability-zone', Values: ['us-east-1b'] }] }));
    const SubnetId = Subnets![0]!.SubnetId!;
    const { GroupId } = await t.ec2.send(new CreateSecurityGroupCommand({ GroupName: 'nic', Description: 'nic' }));
    const card = { DeviceIndex: 0, SubnetId, Groups: [GroupId!], AssociatePublicIpAddress: false };
    const instance = await t.run({ NetworkInterfaces: [card] });
    await t.clock.advance(TEST_DIAL.pendingMs);
    const { Reservations } = await t.ec2.send(new DescribeInstancesCommand({ InstanceIds: [instance.InstanceId!] }));
    expect(Reservations![0]!.Instances![0]).toMatchObject({ State: { Name: 'running' }, SubnetId, SecurityGroups: [{ GroupId, GroupName: 'nic' }], Placement: { AvailabilityZone: 'us-east-1b' } });
    expect(Reservations![0]!.Instances![0]!.PublicIpAddress).toBeUndefined();
    expect(await failure(launch({ NetworkInterfaces: [card], SubnetId }))).toMatchObject({ name: 'InvalidParameterCombination' });
    expect(await failure(launch({ NetworkInterfaces: [card], SecurityGroupIds: [GroupId!] }))).toMatchObject({ name: 'InvalidParameterCombination' });
  });
});

test('R204 the vCPU quota is kept: VcpuLimitExceeded, or fewer instances down to MinCount', async () => {
  const own = await startTestSim();
  own.sim.cloud.world.table('servicequotas.values').put('us-east-1/L-1216C47A', { value: 8 });
  const ask = (input: Partial<RunInstancesCommandInput>) => own.ec2.send(new RunInstancesCommand({ ...base, ...input }));
  expect(await failure(ask({ InstanceType: 'm5.4xlarge' }))).toMatchObject({ name: 'VcpuLimitExceeded', message: expect.stringContaining('current vCPU limit of 8') });
  expect((await ask({ InstanceType: 'm5.xlarge', MinCount: 1, MaxCount: 3 })).Instances).toHaveLength(2);
  expect(await failure(ask({}))).toMatchObject({ name: 'VcpuLimitExceeded', $metadata: { httpStatusCode: 400 } });
  // Other families have a bucket of their own.
  expect((await ask({ InstanceType: 'g4dn.xlarge' })).Instances).toHaveLength(1);
  await own.close();
});

test('R204 a launch whose guest cannot boot ends as terminated with Server.InternalError', async () => {
  const own = await startTestSim();
  own.machines.failBoots('no such kernel');
  const { InstanceId } = await own.run();
  await own.clock.advance(TEST_DIAL.pendingMs);
  const { Reservations } = await own.ec2.send(new DescribeInstancesCommand({ InstanceIds: [InstanceId!] }));
  expect(Reservations![0]!.Instances![0]).toMatchObject({ State: { Name: 'terminated' }, StateReason: { Code: 'Server.InternalError' } });
  expect(own.log.join()).toContain('no such kernel');
  expect(own.sim.meter().lines).toMatchObject([{ runningSeconds: 0, computeMicroUsd: 0, addressMicroUsd: 0 }]);
  await own.close();
});
