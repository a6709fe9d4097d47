// Does: CreateVolume (blank or from a snapshot, idempotent by ClientToken), DescribeVolumes, DeleteVolume.
// Gaps: ModifyVolume, DescribeVolumeStatus; io1 and io2 volumes attached to several instances.
// By design: a volume is a row that is billed; no guest sees blocks of it.
// Source: EC2 API Reference CreateVolume, DescribeVolumes, DeleteVolume and data type Volume.
import { findRegion } from '../../data/regions.ts';
import { meterVolume, meterVolumeGone } from '../../meter.ts';
import { AwsFault } from '../../wire/call.ts';
import type { CallContext, QueryParams, QueryService, Xml } from '../../wire/call.ts';
import { readVolume } from './launch-disks.ts';
import { parametersHash } from './launch-request.ts';
import { checkIds, dryRun, flag, isoTime, notFound, required, text, texts, whole } from './params.ts';
import { ec2Tables } from './rows.ts';
import type { VolumeRow } from './rows.ts';
import { filterRows, page } from './select.ts';
import { restorableSnapshot } from './snapshots.ts';
import { readTagSpecifications } from './tags.ts';
import { attachmentOf, incorrectState, oneVolume, volumeState, volumesIn, volumeXml } from './volume-view.ts';

export const volumeOperations: QueryService['operations'] = {
  CreateVolume(params, context): Xml {
    const { cloud, region } = context;
    const { volumes, volumeTokens } = ec2Tables(cloud.world);
    const token = text(params, 'ClientToken');
    const hash = parametersHash(params);
    const earlier = token === undefined ? undefined : volumeTokens.get(`${region}/${token}`);
    if (earlier) {
      if (earlier.parametersHash !== hash) {
        throw new AwsFault('IdempotentParameterMismatch', 'Arguments on this idempotent request are inconsistent with arguments used in previous request(s).');
      }
      return volumeXml(oneVolume(cloud, region, earlier.volumeId), cloud.clock.now());
    }
    const row = newVolume(params, context);
    dryRun(params);
    volumes.put(row.volumeId, row);
    meterVolume(cloud.world, row, row.createdAt);
    if (token !== undefined) volumeTokens.put(`${region}/${token}`, { parametersHash: hash, volumeId: row.volumeId });
    return volumeXml(row, cloud.clock.now());
  },

  DeleteVolume(params, { cloud, region }): Xml {
    const row = oneVolume(cloud, region, required(params, 'VolumeId'));
    const now = cloud.clock.now();
    const attached = attachmentOf(row, now);
    if (attached) throw new AwsFault('VolumeInUse', `Volume ${row.volumeId} is currently attached to ${attached.attachment.instanceId}`);
    if (volumeState(row, now) !== 'available') throw incorrectState(`The volume '${row.volumeId}' is in the '${volumeState(row, now)}' state.`);
    dryRun(params);
    meterVolumeGone(cloud.world, row.volumeId, now);
    row.deletingUntil = now + cloud.dial.volumeMs;
    ec2Tables(cloud.world).volumes.put(row.volumeId, row);
    return { return: true };
  },

  DescribeVolumes(params, { cloud, region }): Xml {
    const ids = texts(params, 'VolumeId');
    checkIds(ids, 'vol');
    const now = cloud.clock.now();
    const own = volumesIn(cloud, region);
    const unknown = ids.filter((id) => !own.some((volume) => volume.volumeId === id));
    if (unknown.length > 0) throw notFound('InvalidVolume.NotFound', 'volume', unknown);
    const attached = (volume: VolumeRow) => attachmentOf(volume, now)?.attachment;
    const matching = filterRows(
      own.filter((volume) => ids.length === 0 || ids.includes(volume.volumeId)),
      params,
      {
        'volume-id': (volume) => volume.volumeId,
        status: (volume) => volumeState(volume, now),
        'volume-type': (volume) => volume.volumeType,
        size: (volume) => String(volume.sizeGb),
        encrypted: (volume) => String(volume.encrypted),
        'snapshot-id': (volume) => volume.snapshotId,
        'availability-zone': (volume) => volume.zone,
        'availability-zone-id': (volume) => volume.zoneId,
        'attachment.instance-id': (volume) => attached(volume)?.instanceId,
        'attachment.device': (volume) => attached(volume)?.device,
        'attachment.status': (volume) => attachmentOf(volume, now)?.status,
        'attachment.attach-time': (volume) => attached(volume) && isoTime(attached(volume)!.attachedAt),
        'attachment.delete-on-termination': (volume) => attached(volume) && String(attached(volume)!.deleteOnTermination),
        'create-time': (volume) => isoTime(volume.createdAt),
      },
      (volume) => volume.tags,
    );
    dryRun(params);
    const { rows, nextToken } = page(matching, params, (volume) => volume.volumeId, { least: 5, most: 1000 });
    return { volumeSet: { item: rows.map((volume) => volumeXml(volume, now)) }, nextToken };
  },
};

function newVolume(params: QueryParams, { cloud, region }: CallContext): VolumeRow {
  if (flag(params, 'MultiAttachEnabled')) throw new AwsFault('UnsupportedOperation', 'The pretend cloud does not attach a volume to several instances.');
  const zone = readZone(params, region);
  const fromId = text(params, 'SnapshotId');
  const snapshot = fromId === undefined ? undefined : restorableSnapshot(cloud, region, fromId);
  const sizeGb = whole(params, 'Size') ?? snapshot?.sizeGb;
  if (snapshot && sizeGb !== undefined && sizeGb < snapshot.sizeGb) {
    throw new AwsFault('InvalidParameterValue', `Volume of ${sizeGb}GiB is smaller than snapshot '${snapshot.snapshotId}', expect size >= ${snapshot.sizeGb}GiB`);
  }
  const volume = readVolume(params, text(params, 'VolumeType') ?? 'gp2', sizeGb);
  const now = cloud.clock.now();
  return {
    volumeId: cloud.world.newId('vol'),
    region,
    zone: zone.name,
    zoneId: zone.id,
    ...volume,
    encrypted: volume.encrypted || (snapshot?.encrypted ?? false),
    snapshotId: snapshot?.snapshotId,
    createdAt: now,
    creatingUntil: now + cloud.dial.volumeMs,
    tags: readTagSpecifications(params, ['volume'])['volume'] ?? {},
  };
}

function readZone(params: QueryParams, region: string): { name: string; id: string } {
  const name = text(params, 'AvailabilityZone');
  const id = text(params, 'AvailabilityZoneId');
  if (name !== undefined && id !== undefined) throw new AwsFault('InvalidParameterCombination', 'Only one of AvailabilityZone and AvailabilityZoneId may be specified.');
  if (name === undefined && id === undefined) throw new AwsFault('MissingParameter', 'The request must contain the parameter zone');
  const zone = findRegion(region)?.zones.find((candidate) => (name === undefined ? candidate.id === id : candidate.name === name));
  if (!zone) throw new AwsFault('InvalidZone.NotFound', `The zone '${name ?? id ?? ''}' does not exist.`);
  return zone;
}
