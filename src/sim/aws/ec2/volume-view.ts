// Does: volumes as EC2 shows them at a moment: their state, their attachment, their element in an answer.
// By design: states are worked out from times in the row, so that a restarted server goes on where the old one was.
// Source: EC2 API Reference, data types Volume, VolumeAttachment; EBS User Guide "Volume states".
import type { Cloud } from '../../cloud.ts';
import { AwsFault } from '../../wire/call.ts';
import type { Xml } from '../../wire/call.ts';
import { checkIds, isoTime, notFound } from './params.ts';
import { tagSet } from './render-instance.ts';
import { ec2Tables } from './rows.ts';
import type { InstanceRow, VolumeAttachment, VolumeRow } from './rows.ts';

/** Those of a region that can be seen; what has been deleted for long enough goes for good. */
export function volumesIn(cloud: Cloud, region: string): VolumeRow[] {
  const { volumes } = ec2Tables(cloud.world);
  const now = cloud.clock.now();
  return volumes.values().filter((row) => {
    if (row.region !== region) return false;
    if (row.deletingUntil === undefined || now < row.deletingUntil) return true;
    volumes.delete(row.volumeId);
    return false;
  });
}

export function oneVolume(cloud: Cloud, region: string, volumeId: string): VolumeRow {
  checkIds([volumeId], 'vol');
  const row = volumesIn(cloud, region).find((candidate) => candidate.volumeId === volumeId);
  if (!row || row.deletingUntil !== undefined) throw notFound('InvalidVolume.NotFound', 'volume', [volumeId]);
  return row;
}

export type VolumeState = 'creating' | 'available' | 'in-use' | 'deleting';

export function volumeState(row: VolumeRow, now: number): VolumeState {
  if (row.deletingUntil !== undefined) return 'deleting';
  if (row.creatingUntil !== undefined && now < row.creatingUntil) return 'creating';
  return row.attachment || isDetaching(row, now) ? 'in-use' : 'available';
}

export function isDetaching(row: VolumeRow, now: number): boolean {
  return row.detaching !== undefined && now < row.detaching.until;
}

/** `attaching`, `attached` or `detaching` with its data; undefined when it is attached to nothing. */
export function attachmentOf(row: VolumeRow, now: number): { attachment: VolumeAttachment; status: 'attaching' | 'attached' | 'detaching' } | undefined {
  const { attachment, detaching } = row;
  if (attachment) return { attachment, status: now < (attachment.attachingUntil ?? 0) ? 'attaching' : 'attached' };
  return detaching && isDetaching(row, now) ? { attachment: detaching.attachment, status: 'detaching' } : undefined;
}

export function attachmentXml(volumeId: string, { attachment, status }: { attachment: VolumeAttachment; status: string }): Xml {
  return {
    volumeId,
    instanceId: attachment.instanceId,
    device: attachment.device,
    status,
    attachTime: isoTime(attachment.attachedAt),
    deleteOnTermination: attachment.deleteOnTermination,
  };
}

export function volumeXml(row: VolumeRow, now: number): Xml {
  const attached = attachmentOf(row, now);
  return {
    volumeId: row.volumeId,
    size: row.sizeGb,
    snapshotId: row.snapshotId ?? '',
    availabilityZone: row.zone,
    availabilityZoneId: row.zoneId,
    status: volumeState(row, now),
    createTime: new Date(row.createdAt).toISOString(),
    attachmentSet: { item: attached ? [attachmentXml(row.volumeId, attached)] : [] },
    tagSet: tagSet(row.tags),
    volumeType: row.volumeType,
    iops: row.iops,
    throughput: row.throughput,
    encrypted: row.encrypted,
    kmsKeyId: row.kmsKeyId,
    multiAttachEnabled: false,
  };
}

/** The blockDeviceMapping of instances: one look through all volumes, however many instances are shown. */
export function diskMappings(cloud: Cloud): (row: InstanceRow) => Xml {
  const now = cloud.clock.now();
  const disks = new Map<string, { at: number; mapping: Xml }[]>();
  for (const volume of ec2Tables(cloud.world).volumes.values()) {
    const attached = attachmentOf(volume, now);
    if (!attached) continue;
    const { instanceId, device, attachedAt, deleteOnTermination } = attached.attachment;
    const mapping: Xml = { deviceName: device, ebs: { volumeId: volume.volumeId, status: attached.status, attachTime: isoTime(attachedAt), deleteOnTermination } };
    disks.set(instanceId, [...(disks.get(instanceId) ?? []), { at: attachedAt, mapping }]);
  }
  // While pending, EC2 does not show the disks yet. The launch's own come first, the root before the others.
  return (row) => (row.state === 'pending' && !row.everRan ? {} : { item: (disks.get(row.instanceId) ?? []).sort((a, b) => a.at - b.at).map(({ mapping }) => mapping) });
}

export function incorrectState(message: string): AwsFault {
  return new AwsFault('IncorrectState', message);
}
