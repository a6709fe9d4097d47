// Does: DescribeVolumes for the disks that launches made.
// Gaps: CreateVolume, AttachVolume, DetachVolume, DeleteVolume, ModifyVolume, snapshots.
// Source: EC2 API Reference DescribeVolumes and data type Volume.
import type { QueryService, Xml } from '../../wire/call.ts';
import { checkIds, dryRun, isoTime, notFound, texts } from './params.ts';
import { tagSet } from './render-instance.ts';
import { ec2Tables } from './rows.ts';
import { filterRows, page } from './select.ts';

export const volumeOperations: QueryService['operations'] = {
  DescribeVolumes(params, { cloud, region }): Xml {
    const ids = texts(params, 'VolumeId');
    checkIds(ids, 'vol');
    const own = ec2Tables(cloud.world).volumes.values().filter((volume) => volume.region === region);
    const unknown = ids.filter((id) => !own.some((volume) => volume.volumeId === id));
    if (unknown.length > 0) throw notFound('InvalidVolume.NotFound', 'volume', unknown);
    const matching = filterRows(
      own.filter((volume) => ids.length === 0 || ids.includes(volume.volumeId)),
      params,
      {
        'volume-id': (volume) => volume.volumeId,
        status: (volume) => volume.state,
        'volume-type': (volume) => volume.volumeType,
        size: (volume) => String(volume.sizeGb),
        encrypted: (volume) => String(volume.encrypted),
        'snapshot-id': (volume) => volume.snapshotId,
        'availability-zone': (volume) => volume.zone,
        'availability-zone-id': (volume) => volume.zoneId,
        'attachment.instance-id': (volume) => volume.attachment?.instanceId,
        'attachment.device': (volume) => volume.attachment?.device,
        'attachment.status': (volume) => volume.attachment && 'attached',
        'attachment.delete-on-termination': (volume) => volume.attachment && String(volume.attachment.deleteOnTermination),
        'create-time': (volume) => isoTime(volume.createdAt),
      },
      (volume) => volume.tags,
    );
    dryRun(params);
    const { rows, nextToken } = page(matching, params, (volume) => volume.volumeId, { least: 5, most: 1000 });
    return {
      volumeSet: {
        item: rows.map((volume) => ({
          volumeId: volume.volumeId,
          size: volume.sizeGb,
          snapshotId: volume.snapshotId ?? '',
          availabilityZone: volume.zone,
          availabilityZoneId: volume.zoneId,
          status: volume.state,
          createTime: new Date(volume.createdAt).toISOString(),
          attachmentSet: {
            item: volume.attachment
              ? [
                  {
                    volumeId: volume.volumeId,
                    instanceId: volume.attachment.instanceId,
                    device: volume.attachment.device,
                    status: 'attached',
                    attachTime: isoTime(volume.attachment.attachedAt),
                    deleteOnTermination: volume.attachment.deleteOnTermination,
                  },
                ]
              : [],
          },
          tagSet: tagSet(volume.tags),
          volumeType: volume.volumeType,
          iops: volume.iops,
          throughput: volume.throughput,
          encrypted: volume.encrypted,
          kmsKeyId: volume.kmsKeyId,
          multiAttachEnabled: false,
        })),
      },
      nextToken,
    };
  },
};
