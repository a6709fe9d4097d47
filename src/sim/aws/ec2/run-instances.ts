// Does: RunInstances: idempotency by ClientToken, quota, then rows for instances and disks.
// Gaps: all or nothing between MinCount and MaxCount, except that a quota may cut MaxCount down to MinCount.
// By design: everything up to the last row is one synchronous step, so two equal calls cannot both launch.
// Source: EC2 API Reference RunInstances, "Ensuring idempotency".
import { randomBytes } from 'node:crypto';
import type { Cloud } from '../../cloud.ts';
import { meterVolume } from '../../meter.ts';
import { AwsFault } from '../../wire/call.ts';
import type { CallContext, QueryParams, Xml } from '../../wire/call.ts';
import { parametersHash, readLaunch } from './launch-request.ts';
import type { LaunchRequest } from './launch-request.ts';
import type { Lifecycle } from './lifecycle.ts';
import { newPrivateIp } from './network.ts';
import { dryRun, text, whole } from './params.ts';
import { instanceXml } from './render-instance.ts';
import { ec2Tables } from './rows.ts';
import type { InstanceRow } from './rows.ts';
import { vcpuLimitExceeded, vcpuRoom } from './vcpu-quota.ts';

const LONGEST_TOKEN = 64;

export function runInstances(params: QueryParams, context: CallContext, lifecycle: Lifecycle): Xml {
  const { cloud, region } = context;
  const tables = ec2Tables(cloud.world);
  const token = text(params, 'ClientToken');
  if (token !== undefined && token.length > LONGEST_TOKEN) {
    throw new AwsFault('InvalidParameterValue', `Value (${token}) for parameter clientToken is invalid. The maximum length is ${LONGEST_TOKEN} ASCII characters.`);
  }
  const hash = parametersHash(params);
  const earlier = token === undefined ? undefined : tables.launches.get(`${region}/${token}`);
  if (earlier) {
    if (earlier.parametersHash !== hash) {
      throw new AwsFault('IdempotentParameterMismatch', 'Arguments on this idempotent request are inconsistent with arguments used in previous request(s).');
    }
    const rows = earlier.instanceIds.map((id) => tables.instances.get(id)).filter((row) => row !== undefined);
    return reservationXml(cloud, earlier.reservationId, rows);
  }
  const request = readLaunch(cloud.world, region, params);
  const count = withinQuota(cloud, region, request, whole(params, 'MinCount') ?? 1);
  dryRun(params);
  const reservationId = cloud.world.newId('r');
  const rows = Array.from({ length: count }, (_, index) => create(cloud, region, request, reservationId, index, token));
  if (token !== undefined) {
    tables.launches.put(`${region}/${token}`, { parametersHash: hash, reservationId, instanceIds: rows.map((row) => row.instanceId) });
  }
  const answer = reservationXml(cloud, reservationId, rows);
  for (const row of rows) lifecycle.launched(row);
  return answer;
}

function reservationXml(cloud: Cloud, reservationId: string, rows: InstanceRow[]): Xml {
  return { reservationId, ownerId: cloud.world.accountId, groupSet: {}, instancesSet: { item: rows.map((row) => instanceXml(cloud.world, row)) } };
}

/** How many the quota allows, at least `least`, else the call fails. */
function withinQuota(cloud: Cloud, region: string, request: LaunchRequest, least: number): number {
  const room = vcpuRoom(cloud, region, request.type.name);
  if (!room) return request.count;
  const allowed = Math.floor(room.left / request.type.vcpus);
  if (allowed < least) throw vcpuLimitExceeded(room.limit);
  return Math.min(request.count, allowed);
}

function create(cloud: Cloud, region: string, request: LaunchRequest, reservationId: string, launchIndex: number, token: string | undefined): InstanceRow {
  const { world, clock } = cloud;
  const tables = ec2Tables(world);
  const now = clock.now();
  const instanceId = world.newId('i');
  const privateIp = newPrivateIp(world, request.subnet);
  const row: InstanceRow = {
    instanceId,
    reservationId,
    launchIndex,
    region,
    zone: request.subnet.zone,
    zoneId: request.subnet.zoneId,
    imageId: request.imageId,
    type: request.type.name,
    architecture: request.type.architecture,
    state: 'pending',
    stateSince: now,
    createdAt: now,
    launchTime: now,
    everRan: false,
    transitionReason: '',
    vpcId: request.subnet.vpcId,
    subnetId: request.subnet.subnetId,
    securityGroupIds: request.securityGroupIds,
    networkInterfaceId: world.newId('eni'),
    macAddress: `0e:${[...randomBytes(5)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`,
    privateIp,
    hostname: `ip-${privateIp.replaceAll('.', '-')}`,
    wantsPublicIp: request.wantsPublicIp,
    keyName: request.keyName,
    profile: request.profile && { name: request.profile.name, arn: request.profile.arn, id: request.profile.id },
    clientToken: token,
    shutdownBehavior: request.shutdownBehavior,
    disableApiTermination: request.disableApiTermination,
    disableApiStop: request.disableApiStop,
    ebsOptimized: request.ebsOptimized,
    monitoring: request.monitoring,
    rootDevice: request.image.rootDevice,
    metadata: request.metadata,
    userData: request.userData,
    console: [],
    tags: { ...request.tags['instance'] },
  };
  tables.instances.put(instanceId, row);
  for (const disk of request.disks) {
    const volumeId = world.newId('vol');
    tables.volumes.put(volumeId, {
      volumeId,
      region,
      zone: row.zone,
      zoneId: row.zoneId,
      sizeGb: disk.sizeGb,
      volumeType: disk.volumeType,
      iops: disk.iops,
      throughput: disk.throughput,
      encrypted: disk.encrypted,
      kmsKeyId: disk.kmsKeyId,
      snapshotId: disk.snapshotId,
      createdAt: now,
      state: 'in-use',
      attachment: { instanceId, device: disk.device, attachedAt: now, deleteOnTermination: disk.deleteOnTermination },
      tags: { ...request.tags['volume'] },
    });
    meterVolume(world, { volumeId, sizeGb: disk.sizeGb, volumeType: disk.volumeType }, instanceId, now);
  }
  return row;
}
