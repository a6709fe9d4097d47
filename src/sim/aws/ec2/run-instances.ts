// Does: RunInstances, on demand and spot: idempotency by ClientToken, quota, room in the pool, then rows for instances, disks and
// spot requests. Later launches for a spot request and those of fleets come in by `launch`.
// Gaps: all or nothing between MinCount and MaxCount, except that quota or room may cut MaxCount down to MinCount.
// By design: everything up to the last row is one synchronous step, so two equal calls cannot both launch.
// Source: EC2 API Reference RunInstances, "Ensuring idempotency"; EC2 User Guide "Create a Spot Instance request".
import { randomBytes } from 'node:crypto';
import type { Cloud } from '../../cloud.ts';
import { meterVolume, meterVolumeAttached } from '../../meter.ts';
import { poolRoom, refusalOfPool } from '../../market/pools.ts';
import { AwsFault } from '../../wire/call.ts';
import type { CallContext, QueryParams, Xml } from '../../wire/call.ts';
import { parametersHash, readLaunch } from './launch-request.ts';
import type { LaunchRequest } from './launch-request.ts';
import type { Lifecycle } from './lifecycle.ts';
import { newPrivateIp } from './network.ts';
import { withTemplate } from './launch-template-data.ts';
import { dryRun, text } from './params.ts';
import { instanceXml } from './render-instance.ts';
import { ec2Tables } from './rows.ts';
import type { SpotRequestRow } from './market-rows.ts';
import type { InstanceRow } from './rows.ts';
import { newSpotStatus, setSpotStatus } from './spot-status.ts';
import { spotCountExceeded, vcpuLimitExceeded, vcpuRoom } from './vcpu-quota.ts';
import { diskMappings } from './volume-view.ts';

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
  const full = withTemplate(cloud.world, region, params);
  const request = readLaunch(cloud.world, region, full, cloud.clock.now());
  const { reservationId, rows, begin } = launch(cloud, region, { request, params: full, token, isDry: () => dryRun(params) }, lifecycle);
  if (token !== undefined) {
    tables.launches.put(`${region}/${token}`, { parametersHash: hash, reservationId, instanceIds: rows.map((row) => row.instanceId) });
  }
  const answer = reservationXml(cloud, reservationId, rows);
  begin();
  return answer;
}

export interface Launch {
  request: LaunchRequest;
  /** What it was read from. */
  params: QueryParams;
  token?: string;
  /** A spot request that has waited for this instance; absent: each spot instance gets one of its own. */
  spotRequest?: SpotRequestRow;
  /** Called when quota allows it; throws to end it there. */
  isDry?(): void;
}

/** Rows for what was asked; `begin` lets them boot. Throws when quota or market refuse, without an effect. */
export function launch(cloud: Cloud, region: string, wanted: Launch, lifecycle: Lifecycle): { reservationId: string; rows: InstanceRow[]; begin(): void } {
  const { request } = wanted;
  const allowed = withinQuota(cloud, region, request, wanted.spotRequest);
  wanted.isDry?.();
  const count = Math.min(allowed, withinMarket(cloud, request));
  const reservationId = cloud.world.newId('r');
  const rows = Array.from({ length: count }, (_, index) => {
    const row = create(cloud, region, request, reservationId, index, wanted.token);
    if (request.spot) bindSpotRequest(cloud, row, wanted);
    return row;
  });
  return {
    reservationId,
    rows,
    begin() {
      for (const row of rows) lifecycle.launched(row);
    },
  };
}

/** What a launch for the same spot request does again. */
export function launchAgain(params: QueryParams): QueryParams {
  const { InstanceMarketOptions: _market, ClientToken: _token, DryRun: _dry, LaunchTemplate: _template, ...rest } = params;
  return { ...rest, MinCount: '1', MaxCount: '1' };
}

function bindSpotRequest({ world, clock }: Cloud, row: InstanceRow, { request, params, spotRequest }: Launch): void {
  const { spot } = request;
  if (!spot) return;
  const now = clock.now();
  const found: SpotRequestRow = spotRequest ?? {
    requestId: world.newId('sir'),
    region: row.region,
    type: spot.type,
    state: 'active',
    status: newSpotStatus('fulfilled', now),
    maxMicroUsdPerHour: spot.maxMicroUsdPerHour,
    behavior: spot.behavior,
    createdAt: now,
    validUntil: spot.validUntil,
    instanceType: row.type,
    launch: launchAgain(params),
    tags: { ...request.tags['spot-instances-request'] },
  };
  found.instanceId = row.instanceId;
  found.zone = row.zone;
  found.notBefore = undefined;
  const { spotRequests, instances } = ec2Tables(world);
  spotRequests.put(found.requestId, found);
  setSpotStatus(world, found, now, 'active', 'fulfilled');
  row.spot = { requestId: found.requestId, persistent: found.type === 'persistent', maxMicroUsdPerHour: found.maxMicroUsdPerHour };
  instances.put(row.instanceId, row);
}

function reservationXml(cloud: Cloud, reservationId: string, rows: InstanceRow[]): Xml {
  const disksOf = diskMappings(cloud);
  return { reservationId, ownerId: cloud.world.accountId, groupSet: {}, instancesSet: { item: rows.map((row) => instanceXml(cloud.world, row, disksOf(row))) } };
}

/** How many the quota allows; fewer than the least: the call fails. An open spot request has its share of the quota already. */
function withinQuota(cloud: Cloud, region: string, { type, count, least, spot }: LaunchRequest, spotRequest: SpotRequestRow | undefined): number {
  const room = vcpuRoom(cloud, region, type.name, spot ? 'spot' : 'on-demand');
  if (!room) return count;
  const own = spotRequest?.state === 'open' ? type.vcpus : 0;
  const allowed = Math.floor((room.left + own) / type.vcpus);
  if (allowed < least) throw spot ? spotCountExceeded() : vcpuLimitExceeded(room.limit);
  return Math.min(count, allowed);
}

function withinMarket(cloud: Cloud, { type, subnet, count, least, spot }: LaunchRequest): number {
  if (!spot) return count;
  const refusal = refusalOfPool(cloud.world, { type: type.name, zone: subnet.zone }, least, spot.maxMicroUsdPerHour, cloud.clock.now());
  if (refusal) throw refusal;
  return Math.min(count, poolRoom(cloud.world, type.name, subnet.zone));
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
      attachment: { instanceId, device: disk.device, attachedAt: now, deleteOnTermination: disk.deleteOnTermination },
      tags: { ...request.tags['volume'] },
    });
    meterVolume(world, { volumeId, region, zone: row.zone, sizeGb: disk.sizeGb, volumeType: disk.volumeType }, now);
    meterVolumeAttached(world, volumeId, instanceId, now);
  }
  return row;
}
