import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateKeyPairCommand,
  CreateSecurityGroupCommand,
  CreateTagsCommand,
  DeleteKeyPairCommand,
  DeleteSecurityGroupCommand,
  DeleteTagsCommand,
  DescribeAvailabilityZonesCommand,
  DescribeImagesCommand,
  DescribeInstanceTypeOfferingsCommand,
  DescribeInstanceTypesCommand,
  DescribeInstancesCommand,
  DescribeKeyPairsCommand,
  DescribeRegionsCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeTagsCommand,
  DescribeVpcsCommand,
  ImportKeyPairCommand,
  RevokeSecurityGroupIngressCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ARM_IMAGE, TEST_DIAL, X86_IMAGE, failure, startTestSim } from '../../../../test/support/test-sim.ts';
import type { TestSim } from '../../../../test/support/test-sim.ts';

let t: TestSim;
beforeAll(async () => {
  t = await startTestSim();
});
afterAll(() => t.close());

describe('places', () => {
  test('R204 regions and zones', async () => {
    const { Regions } = await t.ec2.send(new DescribeRegionsCommand({}));
    expect(Regions!.map((region) => region.RegionName)).toEqual(['us-east-1', 'us-east-2', 'us-west-2', 'eu-west-1']);
    const { AvailabilityZones } = await t.ec2.send(new DescribeAvailabilityZonesCommand({}));
    expect(AvailabilityZones).toHaveLength(6);
    expect(AvailabilityZones![0]).toMatchObject({ ZoneName: 'us-east-1a', ZoneId: 'use1-az1', State: 'available', ZoneType: 'availability-zone', OptInStatus: 'opt-in-not-required' });
    expect(await failure(t.ec2.send(new DescribeAvailabilityZonesCommand({ ZoneNames: ['us-west-2a'] })))).toMatchObject({ name: 'InvalidParameterValue' });
  });

  test('R204 a default VPC with a default subnet in every zone and a default group', async () => {
    const { Vpcs } = await t.ec2.send(new DescribeVpcsCommand({ Filters: [{ Name: 'is-default', Values: ['true'] }] }));
    expect(Vpcs).toMatchObject([{ CidrBlock: '172.31.0.0/16', State: 'available', IsDefault: true }]);
    const { Subnets } = await t.ec2.send(new DescribeSubnetsCommand({ Filters: [{ Name: 'default-for-az', Values: ['true'] }, { Name: 'vpc-id', Values: [Vpcs![0]!.VpcId!] }] }));
    expect(Subnets!.map((subnet) => [subnet.AvailabilityZone, subnet.CidrBlock, subnet.MapPublicIpOnLaunch])).toEqual([
      ['us-east-1a', '172.31.0.0/20', true],
      ['us-east-1b', '172.31.16.0/20', true],
      ['us-east-1c', '172.31.32.0/20', true],
      ['us-east-1d', '172.31.48.0/20', true],
      ['us-east-1e', '172.31.64.0/20', true],
      ['us-east-1f', '172.31.80.0/20', true],
    ]);
    expect(Subnets![3]!.AvailableIpAddressCount).toBe(4091);
    const { SecurityGroups } = await t.ec2.send(new DescribeSecurityGroupsCommand({ Filters: [{ Name: 'group-name', Values: ['default'] }] }));
    expect(SecurityGroups).toMatchObject([{ VpcId: Vpcs![0]!.VpcId, IpPermissionsEgress: [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }], IpPermissions: [{ IpProtocol: '-1', UserIdGroupPairs: [{ GroupId: SecurityGroups![0]!.GroupId }] }] }]);
  });
});

describe('security groups', () => {
  test('R204 made without ingress; rules are added once, shown, and taken away', async () => {
    const { GroupId } = await t.ec2.send(new CreateSecurityGroupCommand({ GroupName: 'web', Description: 'web & more', TagSpecifications: [{ ResourceType: 'security-group', Tags: [{ Key: 'k', Value: 'v' }] }] }));
    const see = async () => (await t.ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [GroupId!] }))).SecurityGroups![0]!;
    expect(await see()).toMatchObject({ GroupName: 'web', Description: 'web & more', IpPermissions: [], Tags: [{ Key: 'k', Value: 'v' }] });
    const ssh = { IpProtocol: 'tcp', FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: '192.0.2.7/32', Description: 'me' }] };
    const added = await t.ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: [ssh] }));
    expect(added.SecurityGroupRules).toMatchObject([{ CidrIpv4: '192.0.2.7/32', FromPort: 22, IsEgress: false }]);
    expect((await see()).IpPermissions).toMatchObject([ssh]);
    expect(await failure(t.ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: [ssh] })))).toMatchObject({ name: 'InvalidPermission.Duplicate' });
    expect(await failure(t.ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: [{ ...ssh, IpRanges: [{ CidrIp: '300.1.1.1/32' }] }] })))).toMatchObject({ name: 'InvalidParameterValue' });
    await t.ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId, IpPermissions: [ssh] }));
    expect((await see()).IpPermissions).toEqual([]);
    expect(await failure(t.ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId, IpPermissions: [ssh] })))).toMatchObject({ name: 'InvalidPermission.NotFound' });
    await t.ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpProtocol: 'tcp', FromPort: 80, ToPort: 80, CidrIp: '0.0.0.0/0' }));
    expect((await see()).IpPermissions).toMatchObject([{ FromPort: 80, IpRanges: [{ CidrIp: '0.0.0.0/0' }] }]);
  });

  test('R204 duplicate names, unknown groups, and DependencyViolation while an instance uses it', async () => {
    const { GroupId } = await t.ec2.send(new CreateSecurityGroupCommand({ GroupName: 'busy', Description: 'x' }));
    expect(await failure(t.ec2.send(new CreateSecurityGroupCommand({ GroupName: 'busy', Description: 'x' })))).toMatchObject({ name: 'InvalidGroup.Duplicate' });
    const { InstanceId } = await t.run({ SecurityGroupIds: [GroupId!] });
    const remove = () => t.ec2.send(new DeleteSecurityGroupCommand({ GroupId }));
    expect(await failure(remove())).toMatchObject({ name: 'DependencyViolation', message: `resource ${GroupId} has a dependent object` });
    await t.ec2.send(new TerminateInstancesCommand({ InstanceIds: [InstanceId!] }));
    expect(await failure(remove())).toMatchObject({ name: 'DependencyViolation' });
    await t.clock.advance(TEST_DIAL.shuttingDownMs);
    await remove();
    expect(await failure(remove())).toMatchObject({ name: 'InvalidGroup.NotFound' });
    expect(await failure(t.ec2.send(new DeleteSecurityGroupCommand({ GroupName: 'default' })))).toMatchObject({ name: 'CannotDelete' });
  });
});

describe('key pairs', () => {
  test.each(['rsa', 'ed25519'] as const)('R204 a made %s key is a real one that OpenSSH reads; it is given once', async (KeyType) => {
    const made = await t.ec2.send(new CreateKeyPairCommand({ KeyName: `made-${KeyType}`, KeyType }));
    const directory = mkdtempSync(join(tmpdir(), 'runctl-key-'));
    const file = join(directory, 'key');
    writeFileSync(file, `${made.KeyMaterial}\n`, { mode: 0o600 });
    const publicLine = execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' }).trim().split(' ').slice(0, 2).join(' ');
    rmSync(directory, { recursive: true });
    const { KeyPairs } = await t.ec2.send(new DescribeKeyPairsCommand({ KeyNames: [`made-${KeyType}`], IncludePublicKey: true }));
    expect(KeyPairs).toMatchObject([{ KeyPairId: made.KeyPairId, KeyFingerprint: made.KeyFingerprint, KeyType }]);
    expect(KeyPairs![0]!.PublicKey).toContain(publicLine);
    expect(JSON.stringify(t.sim.cloud.world.table('ec2.keys').values())).not.toContain('PRIVATE');
    expect(await failure(t.ec2.send(new CreateKeyPairCommand({ KeyName: `made-${KeyType}` })))).toMatchObject({ name: 'InvalidKeyPair.Duplicate' });
    expect((await t.run({ KeyName: `made-${KeyType}` })).KeyName).toBe(`made-${KeyType}`);
  });

  test('R204 import takes OpenSSH public keys and nothing else; deleting twice is fine', async () => {
    const line = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@example';
    const imported = await t.ec2.send(new ImportKeyPairCommand({ KeyName: 'mine', PublicKeyMaterial: Buffer.from(line) }));
    expect(imported.KeyFingerprint).toBe('+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU=');
    for (const bad of ['not a key', 'ssh-rsa AAAA', 'ssh-ed25519 AAAAC3NzaC1yc2E=']) {
      expect(await failure(t.ec2.send(new ImportKeyPairCommand({ KeyName: 'bad', PublicKeyMaterial: Buffer.from(bad) })))).toMatchObject({ name: 'InvalidKey.Format' });
    }
    await t.ec2.send(new DeleteKeyPairCommand({ KeyName: 'mine' }));
    await t.ec2.send(new DeleteKeyPairCommand({ KeyName: 'mine' }));
    expect(await failure(t.ec2.send(new DescribeKeyPairsCommand({ KeyNames: ['mine'] })))).toMatchObject({ name: 'InvalidKeyPair.NotFound', message: "The key pair 'mine' does not exist" });
  });
});

describe('tags', () => {
  test('R204 are created, overwritten, listed and deleted on any resource', async () => {
    const { InstanceId: id } = await t.run({ TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'a', Value: '1' }] }] });
    const { Vpcs } = await t.ec2.send(new DescribeVpcsCommand({}));
    const vpc = Vpcs![0]!.VpcId!;
    await t.ec2.send(new CreateTagsCommand({ Resources: [id!, vpc], Tags: [{ Key: 'a', Value: '2' }, { Key: 'b', Value: '' }] }));
    const { Tags } = await t.ec2.send(new DescribeTagsCommand({ Filters: [{ Name: 'resource-id', Values: [id!] }] }));
    expect(Tags).toEqual([{ ResourceId: id, ResourceType: 'instance', Key: 'a', Value: '2' }, { ResourceId: id, ResourceType: 'instance', Key: 'b', Value: '' }]);
    await t.ec2.send(new DeleteTagsCommand({ Resources: [id!], Tags: [{ Key: 'a', Value: 'other' }, { Key: 'b' }] }));
    const { Reservations } = await t.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id!] }));
    expect(Reservations![0]!.Instances![0]!.Tags).toEqual([{ Key: 'a', Value: '2' }]);
    expect((await t.ec2.send(new DescribeVpcsCommand({ Filters: [{ Name: 'tag:b', Values: [''] }] }))).Vpcs).toHaveLength(1);
    expect(await failure(t.ec2.send(new CreateTagsCommand({ Resources: ['i-00000000000000000'], Tags: [{ Key: 'x', Value: 'y' }] })))).toMatchObject({ name: 'InvalidInstanceID.NotFound' });
    expect(await failure(t.ec2.send(new CreateTagsCommand({ Resources: [id!], Tags: Array.from({ length: 51 }, (_, n) => ({ Key: `k${n}`, Value: '' })) })))).toMatchObject({ name: 'TagLimitExceeded' });
  });

  test('R204 a tag made while an instance boots is still there when it runs', async () => {
    // Those of other tests first: the clock runs one boot after the other.
    await t.clock.advance(TEST_DIAL.pendingMs);
    const { InstanceId: id } = await t.run();
    const release = t.machines.holdBoots();
    const advanced = t.clock.advance(TEST_DIAL.pendingMs);
    await t.ec2.send(new CreateTagsCommand({ Resources: [id!], Tags: [{ Key: 'early', Value: 'bird' }] }));
    release();
    await advanced;
    const { Reservations } = await t.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id!] }));
    expect(Reservations![0]!.Instances![0]).toMatchObject({ State: { Name: 'running' }, Tags: [{ Key: 'early', Value: 'bird' }] });
  });
});

describe('images and types', () => {
  test('R204 images by owner, name pattern and architecture, with the facts that a launch needs', async () => {
    const { Images } = await t.ec2.send(new DescribeImagesCommand({ Owners: ['amazon'], Filters: [{ Name: 'name', Values: ['al2023-ami-2023.*'] }, { Name: 'architecture', Values: ['arm64'] }] }));
    expect(Images).toMatchObject([{ ImageId: ARM_IMAGE, RootDeviceName: '/dev/xvda', State: 'available', ImdsSupport: 'v2.0', BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { VolumeSize: 8 } }] }]);
    const deep = await t.ec2.send(new DescribeImagesCommand({ Owners: ['898082745236'], Filters: [{ Name: 'name', Values: ['Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) *'] }] }));
    expect(deep.Images).toMatchObject([{ RootDeviceName: '/dev/sda1', Architecture: 'x86_64' }]);
    expect((await t.ec2.send(new DescribeImagesCommand({ Owners: ['self'] }))).Images).toEqual([]);
    expect(await failure(t.ec2.send(new DescribeImagesCommand({ ImageIds: [X86_IMAGE, 'ami-00000000000000000'] })))).toMatchObject({ name: 'InvalidAMIID.NotFound' });
  });

  test('R204 instance types: processors, memory, GPUs; unknown ones are named', async () => {
    const { InstanceTypes } = await t.ec2.send(new DescribeInstanceTypesCommand({ InstanceTypes: ['g5.xlarge', 't4g.nano'] }));
    expect(InstanceTypes).toMatchObject([
      { InstanceType: 'g5.xlarge', VCpuInfo: { DefaultVCpus: 4 }, MemoryInfo: { SizeInMiB: 16_384 }, GpuInfo: { TotalGpuMemoryInMiB: 24_576, Gpus: [{ Name: 'A10G', Manufacturer: 'NVIDIA', Count: 1 }] }, SupportedUsageClasses: ['on-demand', 'spot'] },
      { InstanceType: 't4g.nano', MemoryInfo: { SizeInMiB: 512 }, ProcessorInfo: { SupportedArchitectures: ['arm64'] }, VCpuInfo: { DefaultVCpus: 2, DefaultThreadsPerCore: 1 } },
    ]);
    expect(await failure(t.ec2.send(new DescribeInstanceTypesCommand({ InstanceTypes: ['t3.micro', 'x9.huge' as never] })))).toMatchObject({
      name: 'InvalidInstanceType',
      message: 'The following supplied instance types do not exist: [x9.huge]',
    });
  });

  test('R204 offerings by zone tell where a type can be had', async () => {
    const { InstanceTypeOfferings } = await t.ec2.send(new DescribeInstanceTypeOfferingsCommand({ LocationType: 'availability-zone', Filters: [{ Name: 'instance-type', Values: ['p5.48xlarge', 't3.micro'] }] }));
    const zones = (type: string) => InstanceTypeOfferings!.filter((offer) => offer.InstanceType === type).map((offer) => offer.Location);
    expect(zones('p5.48xlarge')).toEqual(['us-east-1a', 'us-east-1b']);
    expect(zones('t3.micro')).toHaveLength(6);
  });
});
