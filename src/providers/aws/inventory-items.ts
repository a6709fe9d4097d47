// What EC2 and S3 tell of disks, snapshots, spot requests and objects, as runctl's items. Pure.
import type { Snapshot, SpotInstanceRequest, Tag, Volume } from '@aws-sdk/client-ec2';
import type { _Object } from '@aws-sdk/client-s3';
import type { ObjectItem, SnapshotItem, SpotRequestItem, VolumeItem } from '../../core/inventory.ts';
import { isRunId } from '../../core/ids.ts';
import { OWN_TAG } from '../../core/ownership.ts';

export function tagsOf(tags: Tag[] | undefined): Record<string, string> {
  return Object.fromEntries((tags ?? []).map((tag) => [tag.Key ?? '', tag.Value ?? '']));
}

export function toVolume(volume: Volume, region: string): VolumeItem {
  const attachment = volume.Attachments?.find((one) => one.State !== 'detached');
  return {
    kind: 'volume', id: volume.VolumeId ?? '', region, tags: tagsOf(volume.Tags), ...at(volume.CreateTime),
    state: volume.State ?? 'unknown', gb: volume.Size ?? 0, type: volume.VolumeType ?? 'unknown',
    ...(attachment?.InstanceId ? { attachedTo: attachment.InstanceId, withMachine: attachment.DeleteOnTermination ?? false } : {}),
  };
}

export function toSnapshot(snapshot: Snapshot, region: string): SnapshotItem {
  return {
    kind: 'snapshot', id: snapshot.SnapshotId ?? '', region, tags: tagsOf(snapshot.Tags), ...at(snapshot.StartTime),
    state: snapshot.State ?? 'unknown', gb: snapshot.VolumeSize ?? 0, ...(snapshot.VolumeId ? { volume: snapshot.VolumeId } : {}),
  };
}

export function toSpotRequest(request: SpotInstanceRequest, region: string): SpotRequestItem {
  return {
    kind: 'spot-request', id: request.SpotInstanceRequestId ?? '', region, tags: tagsOf(request.Tags), ...at(request.CreateTime),
    state: request.State ?? 'unknown',
    ...(request.Status?.Code ? { status: request.Status.Code } : {}),
    ...(request.LaunchSpecification?.InstanceType ? { type: request.LaunchSpecification.InstanceType } : {}),
    ...(request.InstanceId ? { machineId: request.InstanceId } : {}),
  };
}

/** Objects carry no tags: their run is a part of their key (runctl/RUN/FILE). */
export function toObject(object: _Object, bucket: string, region: string): ObjectItem {
  const key = object.Key ?? '';
  const [, run = ''] = key.split('/');
  return {
    kind: 'object', id: `s3://${bucket}/${key}`, region, bucket, key, bytes: object.Size ?? 0, ...at(object.LastModified),
    tags: isRunId(run) ? { [OWN_TAG.run]: run } : {},
  };
}

function at(time: Date | undefined): { createdAt?: number } {
  return time === undefined ? {} : { createdAt: time.getTime() };
}
