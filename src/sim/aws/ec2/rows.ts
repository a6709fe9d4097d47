// Does: the rows that EC2 keeps in the world and the tables they are in. SSM, IMDS and the meter read them too.
// Source: EC2 API Reference, data types Instance, Volume, SecurityGroup, Subnet, Vpc, KeyPairInfo.
import type { Table, World } from '../../cloud.ts';
import type { FleetRow, Interruption, LaunchTemplateRow, SpotRequestRow } from './market-rows.ts';

export type InstanceState = 'pending' | 'running' | 'shutting-down' | 'terminated' | 'stopping' | 'stopped';

export const STATE_CODES: Record<InstanceState, number> = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};

export interface InstanceRow {
  instanceId: string;
  reservationId: string;
  launchIndex: number;
  region: string;
  zone: string;
  zoneId: string;
  imageId: string;
  type: string;
  architecture: 'x86_64' | 'arm64';
  state: InstanceState;
  /** World time at which `state` was entered: pending transitions are counted from here, also after a restart. */
  stateSince: number;
  /** World time at which it last became running; undefined unless running. */
  runningSince?: number;
  /** World time of RunInstances; never changes. */
  createdAt: number;
  /** World time of the last launch or start. */
  launchTime: number;
  /** Whether it ever reached `running`. */
  everRan: boolean;
  stateReason?: { code: string; message: string };
  /** StateTransitionReason, e.g. "User initiated (2026-01-01 00:00:00 GMT)". */
  transitionReason: string;
  vpcId: string;
  subnetId: string;
  securityGroupIds: string[];
  networkInterfaceId: string;
  macAddress: string;
  privateIp: string;
  /** Short host name, e.g. ip-172-31-20-8. */
  hostname: string;
  wantsPublicIp: boolean;
  /** Only while running (and pending after the first assignment). */
  publicIp?: string;
  /** The one before the latest stop: a start never gives it back at once. */
  formerPublicIp?: string;
  keyName?: string;
  profile?: { name: string; arn: string; id: string };
  clientToken?: string;
  /** Undefined: an on-demand instance. */
  spot?: { requestId: string; persistent: boolean; maxMicroUsdPerHour: number };
  /** The market takes this spot instance back; stays as a record until it is started again. */
  interruption?: Interruption;
  shutdownBehavior: 'stop' | 'terminate';
  disableApiTermination: boolean;
  disableApiStop: boolean;
  ebsOptimized: boolean;
  monitoring: boolean;
  rootDevice: string;
  metadata: { httpTokens: 'required' | 'optional'; hopLimit: number; httpEndpoint: 'enabled' | 'disabled'; instanceMetadataTags: 'enabled' | 'disabled' };
  /** Decoded user data. */
  userData?: string;
  /** Lines that GetConsoleOutput shows: what the pretend hypervisor did. */
  console: { at: number; text: string }[];
  /** Grace of the shutdown under way; kept so that a restarted server ends it the same way. */
  shutdownGraceMs?: number;
  tags: Record<string, string>;
}

export interface VolumeRow {
  volumeId: string;
  region: string;
  zone: string;
  zoneId: string;
  sizeGb: number;
  volumeType: string;
  iops?: number;
  throughput?: number;
  encrypted: boolean;
  kmsKeyId?: string;
  snapshotId?: string;
  createdAt: number;
  /** World time up to which it is `creating`; absent for disks of a launch. */
  creatingUntil?: number;
  /** World time up to which it is `deleting`; afterwards the row goes. */
  deletingUntil?: number;
  attachment?: VolumeAttachment;
  /** The latest detach. */
  detaching?: { attachment: VolumeAttachment; until: number };
  tags: Record<string, string>;
}

export interface VolumeAttachment {
  instanceId: string;
  device: string;
  attachedAt: number;
  /** World time up to which it is `attaching`; absent for disks of a launch. */
  attachingUntil?: number;
  deleteOnTermination: boolean;
}

export interface SnapshotRow {
  snapshotId: string;
  region: string;
  volumeId: string;
  sizeGb: number;
  description: string;
  encrypted: boolean;
  kmsKeyId?: string;
  startedAt: number;
  /** World time from which it is `completed`. */
  completesAt: number;
  tags: Record<string, string>;
}

export interface VpcRow {
  vpcId: string;
  region: string;
  cidr: string;
  isDefault: boolean;
  tags: Record<string, string>;
}

export interface SubnetRow {
  subnetId: string;
  vpcId: string;
  region: string;
  zone: string;
  zoneId: string;
  cidr: string;
  defaultForAz: boolean;
  mapPublicIp: boolean;
  tags: Record<string, string>;
}

/** One flattened permission: a protocol and port range from one source. */
export interface GroupRule {
  ruleId: string;
  protocol: string;
  fromPort?: number;
  toPort?: number;
  source: { kind: 'ipv4' | 'ipv6' | 'group' | 'prefix-list'; value: string };
  description?: string;
}

export interface SecurityGroupRow {
  groupId: string;
  name: string;
  description: string;
  vpcId: string;
  region: string;
  ingress: GroupRule[];
  egress: GroupRule[];
  tags: Record<string, string>;
}

export interface KeyPairRow {
  keyPairId: string;
  name: string;
  region: string;
  type: 'rsa' | 'ed25519';
  fingerprint: string;
  /** OpenSSH public key line. */
  publicKey: string;
  createdAt: number;
  tags: Record<string, string>;
}

/** What one ClientToken did: the same parameters give the same reservation again. Key: region/token. */
export interface LaunchTokenRow {
  parametersHash: string;
  reservationId: string;
  instanceIds: string[];
}

export interface Ec2Tables {
  instances: Table<InstanceRow>;
  volumes: Table<VolumeRow>;
  /** Key: region/token. */
  volumeTokens: Table<{ parametersHash: string; volumeId: string }>;
  snapshots: Table<SnapshotRow>;
  vpcs: Table<VpcRow>;
  subnets: Table<SubnetRow>;
  groups: Table<SecurityGroupRow>;
  /** Key: region/name. */
  keys: Table<KeyPairRow>;
  launches: Table<LaunchTokenRow>;
  spotRequests: Table<SpotRequestRow>;
  templates: Table<LaunchTemplateRow>;
  fleets: Table<FleetRow>;
}

export function ec2Tables(world: World): Ec2Tables {
  return {
    instances: world.table<InstanceRow>('ec2.instances'),
    volumes: world.table<VolumeRow>('ec2.volumes'),
    volumeTokens: world.table<{ parametersHash: string; volumeId: string }>('ec2.volumeTokens'),
    snapshots: world.table<SnapshotRow>('ec2.snapshots'),
    vpcs: world.table<VpcRow>('ec2.vpcs'),
    subnets: world.table<SubnetRow>('ec2.subnets'),
    groups: world.table<SecurityGroupRow>('ec2.groups'),
    keys: world.table<KeyPairRow>('ec2.keys'),
    launches: world.table<LaunchTokenRow>('ec2.launches'),
    spotRequests: world.table<SpotRequestRow>('ec2.spot-requests'),
    templates: world.table<LaunchTemplateRow>('ec2.launch-templates'),
    fleets: world.table<FleetRow>('ec2.fleets'),
  };
}
