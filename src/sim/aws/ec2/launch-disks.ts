// Does: the disks of a launch: the image's root disk, changed where a mapping names its device, and further blank ones.
// Gaps: no snapshots other than the image's, no ephemeral mappings; io1 and io2 need no Iops.
// By design: as on EC2, a mapping whose device is not the image's root adds a second disk instead of changing the first.
// Source: EC2 User Guide "Block device mappings"; EC2 API Reference EbsBlockDevice; EBS User Guide "volume types" (limits).
import { snapshotId } from '../../data/images.ts';
import type { ImageFact } from '../../data/images.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams } from '../../wire/call.ts';
import { flag, object, objects, required, text, whole } from './params.ts';

export interface VolumeRequest {
  sizeGb: number;
  volumeType: string;
  iops?: number;
  throughput?: number;
  encrypted: boolean;
  kmsKeyId?: string;
}

export interface DiskRequest extends VolumeRequest {
  device: string;
  snapshotId?: string;
  deleteOnTermination: boolean;
}

const TYPES: Record<string, { leastGb: number; mostGb: number; iops?: [least: number, most: number]; throughput?: [least: number, most: number] }> = {
  gp3: { leastGb: 1, mostGb: 65_536, iops: [3_000, 80_000], throughput: [125, 2_000] },
  gp2: { leastGb: 1, mostGb: 16_384 },
  io1: { leastGb: 4, mostGb: 16_384, iops: [100, 64_000] },
  io2: { leastGb: 4, mostGb: 65_536, iops: [100, 256_000] },
  st1: { leastGb: 125, mostGb: 16_384 },
  sc1: { leastGb: 125, mostGb: 16_384 },
  standard: { leastGb: 1, mostGb: 1_024 },
};
const NOT_BOOTABLE = new Set(['st1', 'sc1']);

export function readDisks(params: QueryParams, image: ImageFact, region: string): DiskRequest[] {
  const root: DiskRequest = {
    device: image.rootDevice,
    sizeGb: image.rootGb,
    volumeType: 'gp3',
    iops: 3_000,
    throughput: 125,
    encrypted: false,
    snapshotId: snapshotId(image, region),
    deleteOnTermination: true,
  };
  const disks = new Map([[root.device, root]]);
  for (const mapping of objects(params, 'BlockDeviceMapping')) {
    const device = required(mapping, 'DeviceName');
    if (mapping['NoDevice'] !== undefined) {
      if (device === image.rootDevice) throw new AwsFault('InvalidBlockDeviceMapping', `The root device '${device}' may not be left out.`);
      continue;
    }
    if (text(mapping, 'VirtualName') !== undefined) continue;
    disks.set(device, readDisk(device, object(mapping, 'Ebs') ?? {}, device === image.rootDevice ? root : undefined));
  }
  return [...disks.values()];
}

function readDisk(device: string, ebs: QueryParams, root: DiskRequest | undefined): DiskRequest {
  const volumeType = text(ebs, 'VolumeType') ?? root?.volumeType ?? 'gp2';
  if (root && NOT_BOOTABLE.has(volumeType)) throw new AwsFault('InvalidParameterValue', `Invalid value '${volumeType}' for VolumeType of a boot device.`);
  const sizeGb = whole(ebs, 'VolumeSize') ?? root?.sizeGb;
  if (root && sizeGb !== undefined && sizeGb < root.sizeGb) {
    throw new AwsFault('InvalidBlockDeviceMapping', `Volume of size ${sizeGb}GB is smaller than snapshot '${root.snapshotId ?? ''}', expect size>= ${root.sizeGb}GB`);
  }
  return { device, ...readVolume(ebs, volumeType, sizeGb), snapshotId: root?.snapshotId, deleteOnTermination: flag(ebs, 'DeleteOnTermination') ?? root !== undefined };
}

/** What a volume is, of a launch or by itself: the type's limits hold for both. */
export function readVolume(params: QueryParams, volumeType: string, sizeGb: number | undefined): VolumeRequest {
  const limits = Object.hasOwn(TYPES, volumeType) ? TYPES[volumeType] : undefined;
  if (!limits) throw new AwsFault('InvalidParameterValue', `Value (${volumeType}) for parameter volumeType is invalid. Valid values are: ${Object.keys(TYPES).join(', ')}`);
  if (sizeGb === undefined) throw new AwsFault('MissingParameter', `The request must contain the parameter size or snapshotId`);
  if (sizeGb < limits.leastGb || sizeGb > limits.mostGb) {
    throw new AwsFault('InvalidParameterValue', `Volume of ${sizeGb}GiB is invalid. ${volumeType} volumes must be at least ${limits.leastGb}GiB and at most ${limits.mostGb}GiB in size.`);
  }
  return {
    sizeGb,
    volumeType,
    iops: ranged(params, 'Iops', limits.iops, volumeType, volumeType === 'gp3' ? 3_000 : undefined),
    throughput: ranged(params, 'Throughput', limits.throughput, volumeType, volumeType === 'gp3' ? 125 : undefined),
    encrypted: flag(params, 'Encrypted') ?? false,
    kmsKeyId: text(params, 'KmsKeyId'),
  };
}

function ranged(ebs: QueryParams, name: string, range: [number, number] | undefined, volumeType: string, preset: number | undefined): number | undefined {
  const value = whole(ebs, name);
  if (value === undefined) return preset;
  if (!range) throw new AwsFault('InvalidParameterCombination', `The parameter ${name} is not supported for ${volumeType} volumes.`);
  if (value < range[0] || value > range[1]) throw new AwsFault('InvalidParameterValue', `Volume ${name} of ${value} is not in range ${range[0]} to ${range[1]} for ${volumeType}.`);
  return value;
}
