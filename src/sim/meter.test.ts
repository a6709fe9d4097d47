import { AttachVolumeCommand, CreateSnapshotCommand, CreateTagsCommand, CreateVolumeCommand, DeleteSnapshotCommand, DeleteVolumeCommand, DescribeInstancesCommand, DetachVolumeCommand, ModifyInstanceAttributeCommand, StartInstancesCommand, StopInstancesCommand, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TEST_DIAL, startTestSim } from '../../test/support/test-sim.ts';
import type { TestSim } from '../../test/support/test-sim.ts';
import { setSpotPrice } from './market/prices.ts';
import { ExactSum } from './meter-money.ts';
import { meterNotRunning, meterRunning } from './meter.ts';
import { readMeter } from './meter-reading.ts';
import { spotStretches } from './meter-spot.ts';
import { openWorld } from './world.ts';

let t: TestSim;
beforeEach(async () => {
  t = await startTestSim();
});
afterEach(() => t.close());

async function running(input = {}): Promise<string> {
  const { InstanceId } = await t.run(input);
  await t.clock.advance(TEST_DIAL.pendingMs);
  return InstanceId!;
}
const stop = (id: string) => t.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
const start = (id: string) => t.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
const terminate = (id: string) => t.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
const see = async (id: string) => (await t.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))).Reservations![0]!.Instances![0]!;
/** What so many GB of a volume cost for so long, in a second way of counting. */
const disk = (gb: number, seconds: number, microUsd = 80_000) => Math.round((gb * microUsd * seconds) / (720 * 3600));

test('R207 an hour of t3.micro costs $0.0104, its address $0.005 and 8 GB of gp3 their share of a 30-day month', async () => {
  const id = await running({ TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'runctl:run', Value: 'r1' }] }] });
  await t.clock.advance(3_600_000);
  await terminate(id);
  await t.clock.advance(TEST_DIAL.shuttingDownMs);
  // The disk existed while pending too, and costs nothing from the moment that its machine is on its way out.
  const storage = disk(8, 3610);
  const settled = t.sim.meter();
  expect(settled).toEqual({
    at: '2026-01-01T01:00:25Z',
    lines: [
      {
        instanceId: id, region: 'us-east-1', zone: 'us-east-1a', type: 't3.micro', market: 'on-demand',
        periods: [{ from: '2026-01-01T00:00:10Z', to: '2026-01-01T01:00:10Z', type: 't3.micro', zone: 'us-east-1a', market: 'on-demand', seconds: 3600 }],
        disks: [{ volumeId: expect.stringMatching(/^vol-/) as string, sizeGb: 8, volumeType: 'gp3', seconds: 3610, open: false }],
        runningSeconds: 3600, computeMicroUsd: 10_400, storageMicroUsd: storage, addressMicroUsd: 5_000, totalMicroUsd: 15_400 + storage,
        tags: { 'runctl:run': 'r1' },
      },
    ],
    volumes: [],
    snapshots: [],
    totalMicroUsd: 15_400 + storage,
    unpriced: [],
  });
  await t.clock.advance(2 * 3_600_000);
  expect(t.sim.meter()).toEqual({ ...settled, at: '2026-01-01T03:00:25Z' });
});

test('R207 billed by whole seconds from LaunchTime to the second that StateTransitionReason names', async () => {
  await t.clock.advance(700);
  const id = await running();
  expect((await see(id)).LaunchTime).toEqual(new Date('2026-01-01T00:00:10Z'));
  await t.clock.advance(99_900); // 00:01:50.600
  await stop(id);
  await t.clock.advance(TEST_DIAL.stoppingMs);
  expect((await see(id)).StateTransitionReason).toBe('User initiated (2026-01-01 00:01:50 GMT)');
  expect(t.sim.meter().lines).toMatchObject([{ runningSeconds: 100, computeMicroUsd: 289, addressMicroUsd: 139 }]);
});

test('R207 every start bills a minute at least; pending, stopping and stopped time is not billed', async () => {
  const id = await running();
  await t.clock.advance(5_000);
  await stop(id);
  await t.clock.advance(TEST_DIAL.stoppingMs + 3_600_000);
  expect(t.sim.meter().lines).toMatchObject([{ runningSeconds: 60 }]);
  await start(id);
  await t.clock.advance(TEST_DIAL.pendingMs + 90_500);
  await stop(id);
  await t.clock.advance(TEST_DIAL.stoppingMs);
  expect(t.sim.meter().lines).toMatchObject([{ runningSeconds: 60 + 90, addressMicroUsd: Math.round((150 * 5_000) / 3600) }]);
});

test('R207 a stopped machine pays for its disk, until TerminateInstances is accepted', async () => {
  const id = await running();
  await stop(id);
  await t.clock.advance(10 * 3_600_000);
  await terminate(id);
  await t.clock.advance(3_600_000);
  expect(t.sim.meter().lines).toMatchObject([{ runningSeconds: 60, storageMicroUsd: disk(8, 36_010) }]);
});

test('R207 a machine that never ran has paid for a minute of its disk', async () => {
  const { InstanceId: id } = await t.run();
  await terminate(id!);
  await t.clock.advance(60_000);
  expect(t.sim.meter().lines).toMatchObject([{ type: 't3.micro', periods: [], computeMicroUsd: 0, addressMicroUsd: 0, storageMicroUsd: disk(8, 60) }]);
});

test('R207 a changed type is billed at its own price from the next start', async () => {
  const id = await running();
  await t.clock.advance(3_600_000);
  await stop(id);
  await t.clock.advance(TEST_DIAL.stoppingMs);
  await t.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: id, InstanceType: { Value: 'm5.large' } }));
  await start(id);
  await t.clock.advance(TEST_DIAL.pendingMs + 3_600_000);
  expect(t.sim.meter().lines).toMatchObject([{ type: 'm5.large', computeMicroUsd: 10_400 + 96_000 }]);
});

test('R207 without a public address there is no address cost; without a known price the meter says so', async () => {
  await running({ NetworkInterfaces: [{ DeviceIndex: 0, AssociatePublicIpAddress: false }] });
  await t.clock.advance(3_600_000);
  expect(t.sim.meter().lines).toMatchObject([{ addressMicroUsd: 0, computeMicroUsd: 10_400 }]);
  const { world } = t.sim.cloud;
  meterRunning(world, { instanceId: 'i-unpriced', region: 'us-east-1', zone: 'us-east-1a', type: 'x1.unknown', spot: false }, t.clock.now());
  const reading = t.sim.meter();
  expect(reading.unpriced).toEqual(['x1.unknown']);
  expect(reading.lines.find((line) => line.instanceId === 'i-unpriced')).toMatchObject({ computeMicroUsd: undefined, totalMicroUsd: 0 });
});

test('R208 periods and disks go on over a restart of the server', async () => {
  await running();
  await t.clock.advance(100_000);
  t = await t.restart();
  await t.clock.advance(200_000);
  expect(t.sim.meter().lines).toMatchObject([{ runningSeconds: 300, storageMicroUsd: disk(8, 310) }]);
});

describe('volumes and snapshots', () => {
  const attachmentCase = async () => {
    const id = await running();
    const { AvailabilityZone } = (await see(id)).Placement!;
    const { VolumeId } = await t.ec2.send(new CreateVolumeCommand({ AvailabilityZone, Size: 100, VolumeType: 'gp3', TagSpecifications: [{ ResourceType: 'volume', Tags: [{ Key: 'runctl:project', Value: 'p' }] }] }));
    await t.clock.advance(TEST_DIAL.volumeMs);
    return { id, VolumeId: VolumeId! };
  };

  test('R207 a disk is on the bill of the machine that it is attached to, and on its own while it is free', async () => {
    const { id, VolumeId } = await attachmentCase();
    await t.clock.advance(997_000);
    await t.ec2.send(new AttachVolumeCommand({ VolumeId, InstanceId: id, Device: '/dev/sdf' }));
    await t.clock.advance(500_000);
    await t.ec2.send(new DetachVolumeCommand({ VolumeId }));
    await t.clock.advance(200_000);
    expect(t.sim.meter()).toMatchObject({
      lines: [{ disks: [{ sizeGb: 8, seconds: 1710 }, { volumeId: VolumeId, sizeGb: 100, seconds: 500 }], storageMicroUsd: Math.round(((8 * 1710 + 100 * 500) * 80_000) / (720 * 3600)) }],
      volumes: [{ volumeId: VolumeId, sizeGb: 100, volumeType: 'gp3', seconds: 1200, storageMicroUsd: disk(100, 1200), tags: { 'runctl:project': 'p' } }],
    });
    await t.ec2.send(new CreateTagsCommand({ Resources: [VolumeId], Tags: [{ Key: 'late', Value: 'yes' }] }));
    await t.ec2.send(new DeleteVolumeCommand({ VolumeId }));
    await t.clock.advance(3_600_000);
    expect(t.sim.meter().volumes).toMatchObject([{ seconds: 1200, tags: { 'runctl:project': 'p', late: 'yes' } }]);
  });

  test('R207 a data disk outlives its machine and pays for itself from then on', async () => {
    const { id, VolumeId } = await attachmentCase();
    await t.ec2.send(new AttachVolumeCommand({ VolumeId, InstanceId: id, Device: '/dev/sdf' }));
    await t.clock.advance(1000_000);
    await terminate(id);
    await t.clock.advance(3_600_000);
    expect(t.sim.meter()).toMatchObject({ lines: [{ disks: [{ seconds: 1013 }, { volumeId: VolumeId, seconds: 1000 }] }], volumes: [{ volumeId: VolumeId, seconds: 3603 }] });
  });

  test('R207 a volume costs a minute at least, each type at its own price; a snapshot by its size until it is deleted', async () => {
    const { VolumeId } = await t.ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'us-east-1b', Size: 500, VolumeType: 'st1' }));
    await t.clock.advance(TEST_DIAL.volumeMs);
    const { SnapshotId } = await t.ec2.send(new CreateSnapshotCommand({ VolumeId }));
    await t.ec2.send(new DeleteVolumeCommand({ VolumeId }));
    await t.clock.advance(7200_000);
    await t.ec2.send(new DeleteSnapshotCommand({ SnapshotId }));
    await t.clock.advance(7200_000);
    const reading = t.sim.meter();
    expect(reading).toMatchObject({
      lines: [],
      volumes: [{ seconds: 60, storageMicroUsd: disk(500, 60, 45_000) }],
      snapshots: [{ snapshotId: SnapshotId, volumeId: VolumeId, sizeGb: 500, seconds: 7200, storageMicroUsd: disk(500, 7200, 50_000) }],
    });
    expect(reading.totalMicroUsd).toBe(disk(500, 60, 45_000) + disk(500, 7200, 50_000));
  });
});

describe('spot', () => {
  const T0 = Date.parse('2026-01-01T00:00:00Z');
  const place = { type: 'g5.xlarge', zone: 'us-east-1a' };
  const price = (atS: number, microUsd: number) => setSpotPrice(t.sim.cloud.world, place.type, place.zone, T0 + atS * 1000, microUsd);
  const stretches = (fromS: number, toS: number) => spotStretches(t.sim.cloud.world, place, T0 + fromS * 1000, T0 + toS * 1000, 60);
  const life = (fromS: number, toS: number, interrupted: boolean) => {
    meterRunning(t.sim.cloud.world, { instanceId: 'i-spot', region: 'us-east-1', ...place, publicIp: '192.0.2.1', spot: true }, T0 + fromS * 1000 + 400);
    meterNotRunning(t.sim.cloud.world, 'i-spot', T0 + toS * 1000 + 900, { interrupted });
    return readMeter(t.sim.cloud.world, T0 + 100_000_000).lines[0]!;
  };

  test('R207 each second at the price of its zone then', () => {
    price(0, 400_000);
    price(1000, 500_000);
    price(3000, 300_000);
    expect(stretches(500, 3500)).toEqual([{ seconds: 500, microUsdPerHour: 400_000 }, { seconds: 2000, microUsdPerHour: 500_000 }, { seconds: 500, microUsdPerHour: 300_000 }]);
    expect(life(500, 3500, false)).toMatchObject({ market: 'spot', runningSeconds: 3000, computeMicroUsd: Math.round((500 * 400_000 + 2000 * 500_000 + 500 * 300_000) / 3600) });
  });

  test('R207 what lacks to a minute is at the price of the last second', () => {
    price(0, 400_000);
    price(110, 500_000);
    price(120, 900_000);
    expect(stretches(100, 120)).toEqual([{ seconds: 10, microUsdPerHour: 400_000 }, { seconds: 50, microUsdPerHour: 500_000 }]);
    expect(stretches(100, 110)).toEqual([{ seconds: 60, microUsdPerHour: 400_000 }]);
    expect(stretches(110, 110)).toEqual([{ seconds: 60, microUsdPerHour: 500_000 }]);
    expect(spotStretches(t.sim.cloud.world, { type: 'x1.unknown', zone: place.zone }, T0, T0 + 1000, 60)).toBeUndefined();
  });

  test.each([
    [3599, true, 0],
    [3600, true, 360_000],
    [30, true, 0],
    [3599, false, 359_900],
  ])('R207 taken back by EC2 after %i s (%s): compute %i, the address is paid', (seconds, interrupted, compute) => {
    price(0, 360_000);
    const line = life(0, seconds, interrupted);
    expect(line).toMatchObject({ computeMicroUsd: compute, addressMicroUsd: Math.round((Math.max(60, seconds) * 5000) / 3600) });
    expect(line.periods[0]?.free).toBe(compute === 0 ? true : undefined);
  });

  test('R207 only the start that was cut short is free', () => {
    price(0, 360_000);
    life(0, 100, true);
    expect(life(1000, 2000, false)).toMatchObject({ runningSeconds: 1100, computeMicroUsd: 100_000, periods: [{ free: true }, { seconds: 1000 }] });
  });
});

describe('exact sums', () => {
  test('R207 half a micro-dollar is rounded up, once', () => {
    const sum = new ExactSum(3600);
    sum.add(1, 1799);
    expect(sum.microUsd).toBe(0);
    sum.add(1, 1);
    expect(sum.microUsd).toBe(1);
    sum.add(1, 3599);
    expect(sum.microUsd).toBe(1);
    sum.add(1, 1);
    expect(sum.microUsd).toBe(2);
  });

  test('R207 years of large machines lose nothing', () => {
    const sum = new ExactSum(720 * 3600);
    const seconds = 10 * 365 * 86_400;
    sum.add(80_000, seconds, 65_536);
    sum.add(80_000, 1, 33);
    expect(sum.microUsd).toBe(Number((2n * (80_000n * BigInt(seconds) * 65_536n + 80_000n * 33n) + 2_592_000n) / 5_184_000n));
  });
});

test('R207 the book of an empty world is empty', () => {
  const world = openWorld(`${t.directory}/other`);
  expect(readMeter(world, 1_500)).toEqual({ at: '1970-01-01T00:00:01Z', lines: [], volumes: [], snapshots: [], totalMicroUsd: 0, unpriced: [] });
  world.close();
});
