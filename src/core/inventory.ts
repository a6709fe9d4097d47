// What there is in the cloud that costs money or is left lying about: machines, disks, snapshots, spot requests, objects on their
// way. Types only. Providers find and remove, the engine decides what is to be removed.
import type { Machine, MachineState } from './machine.ts';

export type ItemKind = 'machine' | 'volume' | 'snapshot' | 'spot-request' | 'object';

interface ItemBase {
  id: string;
  region: string;
  tags: Record<string, string>;
  /** Epoch ms. */
  createdAt?: number;
}

export interface MachineItem extends ItemBase {
  kind: 'machine';
  machine: Machine;
}

export interface VolumeItem extends ItemBase {
  kind: 'volume';
  /** `available`: attached to nothing. */
  state: string;
  gb: number;
  type: string;
  /** Machine that it is attached to. */
  attachedTo?: string;
  /** It goes when that machine is terminated. */
  withMachine?: boolean;
}

export interface SnapshotItem extends ItemBase {
  kind: 'snapshot';
  state: string;
  /** Size of the disk that it was made of: what it can cost at most. */
  gb: number;
  volume?: string;
}

export interface SpotRequestItem extends ItemBase {
  kind: 'spot-request';
  /** `open` and `active` can still make or keep a machine. */
  state: string;
  /** EC2's own status code, such as `capacity-not-available`. */
  status?: string;
  type?: string;
  machineId?: string;
}

/** An object of the bucket through which code and results travel. */
export interface ObjectItem extends ItemBase {
  kind: 'object';
  bucket: string;
  /** `id` is the same as s3://BUCKET/KEY. */
  key: string;
  bytes: number;
}

export type Item = MachineItem | VolumeItem | SnapshotItem | SpotRequestItem | ObjectItem;

export interface InventoryRequest {
  /** Regions to look in; `all`: every region that the account has enabled. Absent: the configured one. */
  regions?: string[] | 'all';
  /** More regions to look in, beside `regions` unless that is `all`. */
  also?: string[];
  kinds: ItemKind[];
  /** States of machines; absent: all but terminated. */
  states?: MachineState[];
  /** Asked of the cloud, so that what does not match never travels. */
  owner?: string;
  project?: string;
  run?: string;
  type?: string;
  /** Bucket of code sync; without it no objects are looked for. */
  bucket?: string;
  /** Count the machines that runctl did not make. */
  foreign?: boolean;
}

/** What is known once everything was visited. */
export interface InventoryEnd {
  /** The configured region. */
  home: string;
  /** Regions that answered. */
  regions: string[];
  /** What could not be looked at, and why. */
  failed: { region: string; kind: ItemKind; reason: string }[];
  /** Machines that runctl did not make, by region; only when asked for. */
  foreign: Record<string, number>;
}
