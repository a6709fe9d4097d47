// Does: the billing meter's book: who ran, stood or lay around from when to when. EC2's state changes write it, meter-reading.ts
// adds it up.
// Gaps: data transfer; load balancers and whatever else the pretend cloud does not have.
// By design: knows nothing of who asks, so that it can contradict the client's own sums. Every moment is floored to the second,
// as the API shows it: LaunchTime, StateTransitionReason, CreateTime, StartTime.
// Source: EC2 User Guide "Instance lifecycle" (billed while running; not while pending, stopping, stopped, shutting-down),
// "Billing for interrupted Spot Instances"; EBS and VPC pricing pages.
import { ec2Tables } from './aws/ec2/rows.ts';
import type { World } from './cloud.ts';

/** Epoch milliseconds of whole seconds; `to` is absent while it lasts. */
export interface Period {
  from: number;
  to?: number;
}

export interface RunPeriod extends Period {
  type: string;
  zone: string;
  spot: boolean;
  publicAddress: boolean;
  /** EC2 itself ended it. */
  interrupted?: boolean;
}

export interface InstanceMeterRow {
  region: string;
  periods: RunPeriod[];
}

export interface VolumeMeterRow extends Period {
  region: string;
  zone: string;
  sizeGb: number;
  volumeType: string;
  /** When it was whose disk; the time between belongs to nobody. */
  uses: (Period & { instanceId: string })[];
  /** Its tags when it was deleted: from then on nobody else knows them. */
  tags?: Record<string, string>;
}

export interface SnapshotMeterRow extends Period {
  region: string;
  volumeId: string;
  sizeGb: number;
  tags?: Record<string, string>;
}

export function instanceMeters(world: World) {
  return world.table<InstanceMeterRow>('meter.runs');
}

export function volumeMeters(world: World) {
  return world.table<VolumeMeterRow>('meter.disks');
}

export function snapshotMeters(world: World) {
  return world.table<SnapshotMeterRow>('meter.snapshots');
}

export function wholeSecond(at: number): number {
  return Math.floor(at / 1000) * 1000;
}

/** It has become `running`: at its LaunchTime. */
export function meterRunning(world: World, instance: { instanceId: string; region: string; zone: string; type: string; publicIp?: string; spot: boolean }, at: number): void {
  const { instanceId, region, zone, type, publicIp, spot } = instance;
  const table = instanceMeters(world);
  const row = table.get(instanceId) ?? { region, periods: [] };
  row.periods.push({ from: wholeSecond(at), type, zone, spot, publicAddress: publicIp !== undefined });
  table.put(instanceId, row);
}

/** It has left `running`. Without effect when it was not running. `interrupted`: EC2 took a spot instance back. */
export function meterNotRunning(world: World, instanceId: string, at: number, { interrupted = false }: { interrupted?: boolean } = {}): void {
  const table = instanceMeters(world);
  const row = table.get(instanceId);
  const open = row?.periods.at(-1);
  if (!row || !open || open.to !== undefined) return;
  open.to = Math.max(open.from, wholeSecond(at));
  if (interrupted) open.interrupted = true;
  table.put(instanceId, row);
}

/** It will never run again: disks that go with it cost nothing from now on, the others are nobody's. May be told twice. */
export function meterTerminated(world: World, instanceId: string, at: number): void {
  meterNotRunning(world, instanceId, at);
  for (const { volumeId, attachment } of ec2Tables(world).volumes.values()) {
    if (attachment?.instanceId !== instanceId) continue;
    if (attachment.deleteOnTermination) meterVolumeGone(world, volumeId, at);
    else meterVolumeDetached(world, volumeId, at);
  }
}

export function meterVolume(world: World, volume: { volumeId: string; region: string; zone: string; sizeGb: number; volumeType: string }, at: number): void {
  const { volumeId, region, zone, sizeGb, volumeType } = volume;
  volumeMeters(world).put(volumeId, { region, zone, sizeGb, volumeType, from: wholeSecond(at), uses: [] });
}

export function meterVolumeAttached(world: World, volumeId: string, instanceId: string, at: number): void {
  changeVolume(world, volumeId, (row) => row.uses.push({ instanceId, from: wholeSecond(at) }));
}

export function meterVolumeDetached(world: World, volumeId: string, at: number): void {
  changeVolume(world, volumeId, (row) => endUse(row, at));
}

export function meterVolumeGone(world: World, volumeId: string, at: number): void {
  changeVolume(world, volumeId, (row) => {
    endUse(row, at);
    row.to = Math.max(row.from, wholeSecond(at));
    row.tags = { ...ec2Tables(world).volumes.get(volumeId)?.tags };
  });
}

export function meterSnapshot(world: World, snapshot: { snapshotId: string; region: string; volumeId: string; sizeGb: number }, at: number): void {
  const { snapshotId, region, volumeId, sizeGb } = snapshot;
  snapshotMeters(world).put(snapshotId, { region, volumeId, sizeGb, from: wholeSecond(at) });
}

/** `tags`: those that it had at the end. */
export function meterSnapshotGone(world: World, snapshotId: string, tags: Record<string, string>, at: number): void {
  const row = snapshotMeters(world).get(snapshotId);
  if (!row || row.to !== undefined) return;
  row.to = Math.max(row.from, wholeSecond(at));
  row.tags = { ...tags };
  snapshotMeters(world).put(snapshotId, row);
}

/** What is gone stays as it was. */
function changeVolume(world: World, volumeId: string, change: (row: VolumeMeterRow) => void): void {
  const row = volumeMeters(world).get(volumeId);
  if (!row || row.to !== undefined) return;
  change(row);
  volumeMeters(world).put(volumeId, row);
}

function endUse(row: VolumeMeterRow, at: number): void {
  const open = row.uses.at(-1);
  if (open && open.to === undefined) open.to = Math.max(open.from, wholeSecond(at));
}
