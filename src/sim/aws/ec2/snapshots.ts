// Does: CreateSnapshot (pending to completed with progress), DescribeSnapshots (own ones and those of the images), DeleteSnapshot.
// Gaps: copies, sharing, archive tier, fast restore, encryption keys of their own; limits on how often.
// By design: a snapshot is a row that is billed; there are no blocks in it. Snapshots of others (the images') cannot be deleted and
// answer as if they did not exist.
// Source: EC2 API Reference CreateSnapshot, DescribeSnapshots, DeleteSnapshot and data type Snapshot.
import type { Cloud } from '../../cloud.ts';
import { IMAGES, snapshotId as imageSnapshotId } from '../../data/images.ts';
import { meterSnapshot, meterSnapshotGone } from '../../meter.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryService, Xml } from '../../wire/call.ts';
import { checkIds, dryRun, required, text, texts } from './params.ts';
import { tagSet } from './render-instance.ts';
import { ec2Tables } from './rows.ts';
import type { SnapshotRow } from './rows.ts';
import { filterRows, page } from './select.ts';
import { readTagSpecifications } from './tags.ts';
import { incorrectState, oneVolume, volumeState } from './volume-view.ts';

interface ShownSnapshot extends SnapshotRow {
  ownerId: string;
  ownerAlias?: string;
}

function ownSnapshots(cloud: Cloud, region: string): ShownSnapshot[] {
  return ec2Tables(cloud.world)
    .snapshots.values()
    .filter((row) => row.region === region)
    .map((row) => ({ ...row, ownerId: cloud.world.accountId }));
}

/** Public, as the images that they belong to are. */
function imageSnapshots(region: string): ShownSnapshot[] {
  return IMAGES.map((image) => ({
    snapshotId: imageSnapshotId(image, region),
    region,
    // What EC2 shows for snapshots whose volume is not the reader's business.
    volumeId: 'vol-ffffffff',
    sizeGb: image.rootGb,
    description: `Created for the image ${image.name}`,
    encrypted: false,
    startedAt: Date.parse(image.createdAt),
    completesAt: Date.parse(image.createdAt),
    tags: {},
    ownerId: image.ownerId,
    ownerAlias: image.ownerAlias,
  }));
}

function missingSnapshot(id: string): AwsFault {
  return new AwsFault('InvalidSnapshot.NotFound', `The snapshot '${id}' does not exist.`);
}

/** One that a volume can be made from. */
export function restorableSnapshot(cloud: Cloud, region: string, id: string): SnapshotRow {
  checkIds([id], 'snap');
  const found = [...ownSnapshots(cloud, region), ...imageSnapshots(region)].find((row) => row.snapshotId === id);
  if (!found) throw missingSnapshot(id);
  if (cloud.clock.now() < found.completesAt) throw incorrectState(`Snapshot is in invalid state - ${id}`);
  return found;
}

function progress(row: SnapshotRow, now: number): string {
  if (now >= row.completesAt) return '100%';
  return `${Math.max(0, Math.min(99, Math.floor((100 * (now - row.startedAt)) / (row.completesAt - row.startedAt))))}%`;
}

function state(row: SnapshotRow, now: number): 'pending' | 'completed' {
  return now < row.completesAt ? 'pending' : 'completed';
}

function snapshotXml(row: ShownSnapshot, now: number): Xml {
  return {
    snapshotId: row.snapshotId,
    volumeId: row.volumeId,
    status: state(row, now),
    startTime: new Date(row.startedAt).toISOString(),
    completionTime: now < row.completesAt ? undefined : new Date(row.completesAt).toISOString(),
    progress: progress(row, now),
    ownerId: row.ownerId,
    ownerAlias: row.ownerAlias,
    volumeSize: row.sizeGb,
    description: row.description,
    tagSet: tagSet(row.tags),
    encrypted: row.encrypted,
    kmsKeyId: row.kmsKeyId,
    storageTier: 'standard',
  };
}

export const snapshotOperations: QueryService['operations'] = {
  CreateSnapshot(params, { cloud, region, accountId }): Xml {
    const volume = oneVolume(cloud, region, required(params, 'VolumeId'));
    const now = cloud.clock.now();
    if (volumeState(volume, now) === 'creating') throw incorrectState(`The volume '${volume.volumeId}' is in the 'creating' state.`);
    const tags = readTagSpecifications(params, ['snapshot'])['snapshot'] ?? {};
    dryRun(params);
    const row: SnapshotRow = {
      snapshotId: cloud.world.newId('snap'),
      region,
      volumeId: volume.volumeId,
      sizeGb: volume.sizeGb,
      description: text(params, 'Description') ?? '',
      encrypted: volume.encrypted,
      kmsKeyId: volume.kmsKeyId,
      startedAt: now,
      completesAt: now + cloud.dial.snapshotMs,
      tags,
    };
    ec2Tables(cloud.world).snapshots.put(row.snapshotId, row);
    meterSnapshot(cloud.world, row, now);
    return snapshotXml({ ...row, ownerId: accountId }, now);
  },

  DescribeSnapshots(params, { cloud, region, accountId }): Xml {
    const ids = texts(params, 'SnapshotId');
    checkIds(ids, 'snap');
    const owners = texts(params, 'Owner').map((owner) => (owner === 'self' ? accountId : owner));
    const all = [...ownSnapshots(cloud, region), ...imageSnapshots(region)];
    const unknown = ids.find((id) => !all.some((row) => row.snapshotId === id));
    if (unknown !== undefined) throw missingSnapshot(unknown);
    const now = cloud.clock.now();
    const matching = filterRows(
      all.filter((row) => (ids.length === 0 || ids.includes(row.snapshotId)) && (owners.length === 0 || owners.includes(row.ownerId) || (row.ownerAlias !== undefined && owners.includes(row.ownerAlias)))),
      params,
      {
        'snapshot-id': (row) => row.snapshotId,
        'volume-id': (row) => row.volumeId,
        'volume-size': (row) => String(row.sizeGb),
        status: (row) => state(row, now),
        progress: (row) => progress(row, now),
        'start-time': (row) => new Date(row.startedAt).toISOString(),
        description: (row) => row.description,
        encrypted: (row) => String(row.encrypted),
        'owner-id': (row) => row.ownerId,
        'owner-alias': (row) => row.ownerAlias,
        'storage-tier': () => 'standard',
      },
      (row) => row.tags,
    );
    dryRun(params);
    const { rows, nextToken } = page(matching, params, (row) => row.snapshotId, { least: 5, most: 1000 });
    return { snapshotSet: { item: rows.map((row) => snapshotXml(row, now)) }, nextToken };
  },

  DeleteSnapshot(params, { cloud, region }): Xml {
    const id = required(params, 'SnapshotId');
    checkIds([id], 'snap');
    const { snapshots } = ec2Tables(cloud.world);
    const row = snapshots.get(id);
    if (!row || row.region !== region) throw missingSnapshot(id);
    dryRun(params);
    meterSnapshotGone(cloud.world, id, row.tags, cloud.clock.now());
    snapshots.delete(id);
    return { return: true };
  },
};
