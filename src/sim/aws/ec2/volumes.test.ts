import {
  AttachVolumeCommand,
  CreateSnapshotCommand,
  CreateTagsCommand,
  CreateVolumeCommand,
  DeleteSnapshotCommand,
  DeleteTagsCommand,
  DeleteVolumeCommand,
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
  DescribeTagsCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { CreateVolumeCommandInput, DescribeSnapshotsCommandInput } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TEST_DIAL, failure, startTestSim } from '../../../../test/support/test-sim.ts';
import type { TestSim } from '../../../../test/support/test-sim.ts';

let t: TestSim;
beforeAll(async () => {
  t = await startTestSim();
});
afterAll(() => t.close());

const ZONE = 'us-east-1a';
const make = async (input: Partial<CreateVolumeCommandInput> = {}) => t.ec2.send(new CreateVolumeCommand({ AvailabilityZone: ZONE, Size: 10, VolumeType: 'gp3', ...input }));
const settle = () => t.clock.advance(TEST_DIAL.volumeMs);
const available = async (input: Partial<CreateVolumeCommandInput> = {}): Promise<string> => {
  const { VolumeId } = await make(input);
  await settle();
  return VolumeId!;
};
const see = async (id: string) => (await t.ec2.send(new DescribeVolumesCommand({ VolumeIds: [id] }))).Volumes![0]!;
const attach = (VolumeId: string, InstanceId: string, Device = '/dev/sdf') => t.ec2.send(new AttachVolumeCommand({ VolumeId, InstanceId, Device }));
const detach = (VolumeId: string, input = {}) => t.ec2.send(new DetachVolumeCommand({ VolumeId, ...input }));
const remove = (VolumeId: string) => t.ec2.send(new DeleteVolumeCommand({ VolumeId }));
const machine = async (input = {}): Promise<string> => {
  const { InstanceId } = await t.run(input);
  await t.clock.advance(TEST_DIAL.pendingMs);
  return InstanceId!;
};
const mappings = async (id: string) => (await t.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))).Reservations![0]!.Instances![0]!.BlockDeviceMappings!;

test('R204 a volume by itself: creating, available, attaching, attached, detaching, available, deleting, gone', async () => {
  const made = await make({ TagSpecifications: [{ ResourceType: 'volume', Tags: [{ Key: 'k', Value: 'v' }] }] });
  const id = made.VolumeId!;
  expect(made).toMatchObject({ State: 'creating', Size: 10, VolumeType: 'gp3', Iops: 3000, Throughput: 125, AvailabilityZone: ZONE, AvailabilityZoneId: 'use1-az1', Encrypted: false, Tags: [{ Key: 'k', Value: 'v' }] });
  expect((await see(id)).State).toBe('creating');
  await settle();
  expect(await see(id)).toMatchObject({ State: 'available', Attachments: [], CreateTime: made.CreateTime });
  const machineId = await machine();
  const attachedAt = new Date(t.clock.now());
  expect(await attach(id, machineId)).toMatchObject({ State: 'attaching', VolumeId: id, InstanceId: machineId, Device: '/dev/sdf', DeleteOnTermination: false, AttachTime: attachedAt });
  expect(await see(id)).toMatchObject({ State: 'in-use', Attachments: [{ State: 'attaching' }] });
  expect(await mappings(machineId)).toMatchObject([{ DeviceName: '/dev/xvda', Ebs: { Status: 'attached' } }, { DeviceName: '/dev/sdf', Ebs: { VolumeId: id, Status: 'attaching' } }]);
  await settle();
  expect(await see(id)).toMatchObject({ State: 'in-use', Attachments: [{ State: 'attached', InstanceId: machineId }] });
  expect(await mappings(machineId)).toMatchObject([{}, { DeviceName: '/dev/sdf', Ebs: { Status: 'attached', AttachTime: attachedAt, DeleteOnTermination: false } }]);
  expect(await detach(id)).toMatchObject({ State: 'detaching', InstanceId: machineId, Device: '/dev/sdf' });
  expect(await see(id)).toMatchObject({ State: 'in-use', Attachments: [{ State: 'detaching' }] });
  expect(await failure(remove(id))).toMatchObject({ name: 'VolumeInUse' });
  await settle();
  expect(await see(id)).toMatchObject({ State: 'available', Attachments: [] });
  expect(await mappings(machineId)).toHaveLength(1);
  await remove(id);
  expect(await see(id)).toMatchObject({ State: 'deleting' });
  expect(await failure(remove(id))).toMatchObject({ name: 'InvalidVolume.NotFound' });
  expect(await failure(t.ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: 'a', Value: 'b' }] })))).toMatchObject({ name: 'InvalidVolume.NotFound' });
  await settle();
  expect(await failure(see(id))).toMatchObject({ name: 'InvalidVolume.NotFound', message: `The volume ID '${id}' does not exist` });
});

describe('CreateVolume', () => {
  test('R204 the same token gives the same volume; other parameters are refused', async () => {
    const first = await make({ ClientToken: 'once' });
    expect((await make({ ClientToken: 'once' })).VolumeId).toBe(first.VolumeId);
    expect(await failure(make({ ClientToken: 'once', Size: 11 }))).toMatchObject({ name: 'IdempotentParameterMismatch' });
  });

  test.each<[string, Partial<CreateVolumeCommandInput>, string]>([
    ['no zone', { AvailabilityZone: undefined }, 'MissingParameter'],
    ['a zone by name and by id', { AvailabilityZoneId: 'use1-az1' }, 'InvalidParameterCombination'],
    ['a zone that is not there', { AvailabilityZone: 'us-east-1z' }, 'InvalidZone.NotFound'],
    ['a zone of another region', { AvailabilityZone: 'us-west-2a' }, 'InvalidZone.NotFound'],
    ['no size', { Size: undefined }, 'MissingParameter'],
    ['an unknown type', { VolumeType: 'gp9' as 'gp3' }, 'InvalidParameterValue'],
    ['too small', { VolumeType: 'st1', Size: 124 }, 'InvalidParameterValue'],
    ['too large', { Size: 65_537 }, 'InvalidParameterValue'],
    ['too few IOPS', { Iops: 100 }, 'InvalidParameterValue'],
    ['throughput of gp2', { VolumeType: 'gp2', Throughput: 200 }, 'InvalidParameterCombination'],
    ['a snapshot that is not there', { SnapshotId: 'snap-0123456789abcdef0' }, 'InvalidSnapshot.NotFound'],
    ['no snapshot at all', { SnapshotId: 'snapshot' }, 'InvalidSnapshotID.Malformed'],
    ['several machines', { MultiAttachEnabled: true }, 'UnsupportedOperation'],
    ['a rehearsal', { DryRun: true }, 'DryRunOperation'],
  ])('R204 refuses %s and makes nothing', async (_, input, code) => {
    const before = t.sim.cloud.world.table('ec2.volumes').size;
    expect(await failure(make(input))).toMatchObject({ name: code });
    expect(t.sim.cloud.world.table('ec2.volumes').size).toBe(before);
  });
});

describe('AttachVolume and DetachVolume', () => {
  test('R204 what stands in the way is named: state, zone, device, another machine', async () => {
    const id = await available();
    const { InstanceId: pending } = await t.run();
    expect(await failure(attach(id, pending!))).toMatchObject({ name: 'IncorrectState', message: `Instance '${pending!}' is not 'running'.` });
    await t.clock.advance(TEST_DIAL.pendingMs);
    const fresh = (await make()).VolumeId!;
    expect(await failure(attach(fresh, pending!))).toMatchObject({ name: 'IncorrectState' });
    const elsewhere = await available({ AvailabilityZone: 'us-east-1b' });
    expect(await failure(attach(elsewhere, pending!))).toMatchObject({ name: 'InvalidVolume.ZoneMismatch' });
    expect(await failure(attach(id, pending!, '/dev/xvda'))).toMatchObject({ name: 'InvalidParameterValue', message: expect.stringContaining('already in use') });
    expect(await failure(attach(id, pending!, 'the second one'))).toMatchObject({ name: 'InvalidParameterValue', message: expect.stringContaining('not a valid EBS device name') });
    expect(await failure(attach(id, 'i-0123456789abcdef0'))).toMatchObject({ name: 'InvalidInstanceID.NotFound' });
    expect(await failure(attach('vol-0123456789abcdef0', pending!))).toMatchObject({ name: 'InvalidVolume.NotFound' });
    await attach(id, pending!);
    expect(await failure(attach(id, await machine(), '/dev/sdg'))).toMatchObject({ name: 'VolumeInUse', message: `${id} is already attached to an instance` });
    expect(await failure(attach(fresh, pending!))).toMatchObject({ name: 'InvalidParameterValue', message: `Invalid value '/dev/sdf' for unixDevice. Attachment point /dev/sdf is already in use` });
    expect(await failure(remove(id))).toMatchObject({ name: 'VolumeInUse', message: `Volume ${id} is currently attached to ${pending!}` });
  });

  test('R204 detaching: twice, from the wrong machine, the root disk', async () => {
    const id = await available();
    const owner = await machine();
    expect(await failure(detach(id))).toMatchObject({ name: 'IncorrectState', message: `Volume '${id}' is in the 'available' state.` });
    await attach(id, owner);
    expect(await failure(detach(id, { InstanceId: 'i-0123456789abcdef0' }))).toMatchObject({ name: 'InvalidAttachment.NotFound' });
    expect(await failure(detach(id, { Device: '/dev/sdz' }))).toMatchObject({ name: 'InvalidAttachment.NotFound' });
    const root = (await mappings(owner))[0]!.Ebs!.VolumeId!;
    expect(await failure(detach(root))).toMatchObject({ name: 'OperationNotPermitted', message: `Unable to detach root volume '${root}' from instance '${owner}'` });
    await detach(id, { InstanceId: owner, Device: '/dev/sdf' });
    expect(await failure(detach(id))).toMatchObject({ name: 'IncorrectState' });
  });

  test('R204 no more than a machine has room for', async () => {
    const letters = [...'bcdefghijklmnopqrstuvwxyz'];
    const owner = await machine({ BlockDeviceMappings: letters.map((letter) => ({ DeviceName: `/dev/xvd${letter}`, Ebs: { VolumeSize: 1 } })) });
    expect(await mappings(owner)).toHaveLength(26);
    await attach(await available(), owner, '/dev/xvdaa');
    expect(await failure(attach(await available(), owner, '/dev/xvdab'))).toMatchObject({ name: 'AttachmentLimitExceeded' });
  });

  test('R204 a data disk outlives its machine, also one that was on its way off; both go on over a restart', async () => {
    const owner = await machine();
    const [kept, leaving] = [await available(), await available()];
    await attach(kept, owner);
    await attach(leaving, owner, '/dev/sdg');
    await settle();
    await detach(leaving);
    await t.ec2.send(new TerminateInstancesCommand({ InstanceIds: [owner] }));
    expect(await failure(detach(kept))).toMatchObject({ name: 'IncorrectState' });
    await t.clock.advance(TEST_DIAL.shuttingDownMs);
    for (const id of [kept, leaving]) expect(await see(id)).toMatchObject({ State: 'available', Attachments: [] });
    const { VolumeId } = await make();
    t = await t.restart();
    expect((await see(VolumeId!)).State).toBe('creating');
    await settle();
    expect((await see(VolumeId!)).State).toBe('available');
  });
});

describe('finding', () => {
  test('R204 filters, pages and tags of volumes and snapshots', async () => {
    const own = await startTestSim();
    const find = async (Name: string, ...Values: string[]) => (await own.ec2.send(new DescribeVolumesCommand({ Filters: [{ Name, Values }] }))).Volumes!.map((volume) => volume.VolumeId);
    const ids: string[] = [];
    for (const Size of [1, 2, 3, 4, 5, 6]) ids.push((await own.ec2.send(new CreateVolumeCommand({ AvailabilityZone: ZONE, Size, VolumeType: 'gp3', TagSpecifications: [{ ResourceType: 'volume', Tags: [{ Key: 'runctl:owner', Value: `u${Size}` }] }] }))).VolumeId!);
    expect(await find('status', 'creating')).toHaveLength(6);
    await own.clock.advance(TEST_DIAL.volumeMs);
    expect(await find('status', 'available')).toHaveLength(6);
    expect(await find('tag:runctl:owner', 'u3')).toEqual([ids[2]]);
    expect(await find('size', '1', '6')).toHaveLength(2);
    expect(await find('attachment.status', 'attached')).toEqual([]);
    const first = await own.ec2.send(new DescribeVolumesCommand({ MaxResults: 5 }));
    const second = await own.ec2.send(new DescribeVolumesCommand({ MaxResults: 5, NextToken: first.NextToken! }));
    expect([...first.Volumes!, ...second.Volumes!].map((volume) => volume.VolumeId)).toEqual([...ids].sort());

    const snapshots: string[] = [];
    for (const VolumeId of ids) snapshots.push((await own.ec2.send(new CreateSnapshotCommand({ VolumeId, TagSpecifications: [{ ResourceType: 'snapshot', Tags: [{ Key: 'kind', Value: 'kept' }] }] }))).SnapshotId!);
    const shots = async (input: DescribeSnapshotsCommandInput) => (await own.ec2.send(new DescribeSnapshotsCommand(input))).Snapshots!.map((shot) => shot.SnapshotId);
    expect((await shots({ OwnerIds: ['self'] })).length).toBe(6);
    expect((await shots({ OwnerIds: [own.sim.cloud.world.accountId], Filters: [{ Name: 'volume-id', Values: [ids[0]!] }] }))).toEqual([snapshots[0]]);
    expect(await shots({ OwnerIds: ['self'], Filters: [{ Name: 'status', Values: ['completed'] }] })).toEqual([]);
    const page = await own.ec2.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'], MaxResults: 5 }));
    expect(await shots({ OwnerIds: ['self'], MaxResults: 5, NextToken: page.NextToken! })).toHaveLength(1);
    // Those of the images are public and belong to others.
    expect((await shots({})).length).toBeGreaterThan(6);
    expect((await shots({ OwnerIds: ['amazon'] })).some((id) => snapshots.includes(id!))).toBe(false);

    await own.ec2.send(new CreateTagsCommand({ Resources: [snapshots[0]!, ids[0]!], Tags: [{ Key: 'runctl:protected', Value: 'true' }] }));
    await own.ec2.send(new DeleteTagsCommand({ Resources: [snapshots[0]!], Tags: [{ Key: 'kind' }] }));
    const { Tags } = await own.ec2.send(new DescribeTagsCommand({ Filters: [{ Name: 'resource-id', Values: [snapshots[0]!] }] }));
    expect(Tags).toEqual([{ Key: 'runctl:protected', Value: 'true', ResourceId: snapshots[0], ResourceType: 'snapshot' }]);
    expect(await find('tag-key', 'runctl:protected')).toEqual([ids[0]]);
    expect(await failure(own.ec2.send(new CreateTagsCommand({ Resources: ['snap-0123456789abcdef0'], Tags: [{ Key: 'a', Value: 'b' }] })))).toMatchObject({ name: 'InvalidSnapshot.NotFound' });
    await own.close();
  });
});

describe('snapshots', () => {
  const shoot = (VolumeId: string, input = {}) => t.ec2.send(new CreateSnapshotCommand({ VolumeId, Description: 'before', ...input }));
  const look = async (id: string) => (await t.ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [id] }))).Snapshots![0]!;

  test('R204 a snapshot grows from pending to completed and can then become a volume', async () => {
    const { VolumeId: young } = await make();
    expect(await failure(shoot(young!))).toMatchObject({ name: 'IncorrectState' });
    const id = await available({ Size: 20, Encrypted: true });
    const made = await shoot(id);
    const snapshot = made.SnapshotId!;
    expect(made).toMatchObject({ State: 'pending', Progress: '0%', VolumeId: id, VolumeSize: 20, Description: 'before', OwnerId: t.sim.cloud.world.accountId, Encrypted: true });
    expect(await failure(make({ SnapshotId: snapshot }))).toMatchObject({ name: 'IncorrectState' });
    await t.clock.advance(TEST_DIAL.snapshotMs * 0.57);
    expect(await look(snapshot)).toMatchObject({ State: 'pending', Progress: '57%' });
    await t.clock.advance(TEST_DIAL.snapshotMs * 0.43);
    expect(await look(snapshot)).toMatchObject({ State: 'completed', Progress: '100%', StartTime: made.StartTime });
    expect(await failure(make({ SnapshotId: snapshot, Size: 19 }))).toMatchObject({ name: 'InvalidParameterValue' });
    const copy = await t.ec2.send(new CreateVolumeCommand({ AvailabilityZone: ZONE, SnapshotId: snapshot }));
    expect(copy).toMatchObject({ Size: 20, SnapshotId: snapshot, Encrypted: true, VolumeType: 'gp2' });
    await remove(id);
    expect(await look(snapshot)).toMatchObject({ State: 'completed' });
    await t.ec2.send(new DeleteSnapshotCommand({ SnapshotId: snapshot }));
    expect(await failure(look(snapshot))).toMatchObject({ name: 'InvalidSnapshot.NotFound', message: `The snapshot '${snapshot}' does not exist.` });
  });

  test('R204 only own snapshots of this region can be deleted', async () => {
    const image = (await t.ec2.send(new DescribeSnapshotsCommand({ OwnerIds: ['amazon'] }))).Snapshots![0]!;
    expect(await failure(t.ec2.send(new DeleteSnapshotCommand({ SnapshotId: image.SnapshotId })))).toMatchObject({ name: 'InvalidSnapshot.NotFound' });
    expect(await failure(t.ec2.send(new DeleteSnapshotCommand({ SnapshotId: 'mine' })))).toMatchObject({ name: 'InvalidSnapshotID.Malformed' });
    expect(await failure(shoot('vol-0123456789abcdef0'))).toMatchObject({ name: 'InvalidVolume.NotFound' });
  });
});
