// Does: DescribeInstances, DescribeInstanceStatus, GetConsoleOutput.
// Gaps: scheduled events; the screenshot; console output is what the pretend hypervisor saw, not the guest's serial line.
// By design: status checks say `initializing` until the SSM agent would be up, then `ok`.
// Source: EC2 API Reference of the three calls (filters, limits, InstanceIds not with MaxResults).
import type { Cloud } from '../../cloud.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams, QueryService, Xml } from '../../wire/call.ts';
import { findInstances, isVisible, oneInstance } from './instance-ids.ts';
import { privateDnsName, publicDnsName } from './network.ts';
import { dryRun, flag, isoTime, texts } from './params.ts';
import { instanceXml, stateXml } from './render-instance.ts';
import { STATE_CODES, ec2Tables } from './rows.ts';
import type { InstanceRow } from './rows.ts';
import { filterRows, page } from './select.ts';
import type { FilterFields } from './select.ts';
import { diskMappings } from './volume-view.ts';

const PAGE_LIMITS = { least: 5, most: 1000 };
const MOST_STATUS_IDS = 100;

function filterFields(cloud: Cloud): FilterFields<InstanceRow> {
  const { groups, volumes } = ec2Tables(cloud.world);
  const volumesOf = (row: InstanceRow) => volumes.values().filter((volume) => volume.attachment?.instanceId === row.instanceId);
  const groupName = (id: string): string | undefined => groups.get(id)?.name;
  return {
    'instance-id': (row) => row.instanceId,
    'instance-state-name': (row) => row.state,
    'instance-state-code': (row) => String(STATE_CODES[row.state]),
    'instance-type': (row) => row.type,
    // On-demand instances have no lifecycle value.
    'instance-lifecycle': (row) => row.spot && 'spot',
    'availability-zone': (row) => row.zone,
    'availability-zone-id': (row) => row.zoneId,
    'client-token': (row) => row.clientToken,
    'spot-instance-request-id': (row) => row.spot?.requestId,
    'vpc-id': (row) => row.vpcId,
    'subnet-id': (row) => row.subnetId,
    'image-id': (row) => row.imageId,
    'key-name': (row) => row.keyName,
    architecture: (row) => row.architecture,
    'iam-instance-profile.arn': (row) => row.profile?.arn,
    'iam-instance-profile.id': (row) => row.profile?.id,
    'iam-instance-profile.name': (row) => row.profile?.name,
    'private-ip-address': (row) => row.privateIp,
    'ip-address': (row) => row.publicIp,
    'network-interface.addresses.private-ip-address': (row) => row.privateIp,
    'private-dns-name': (row) => privateDnsName(row),
    'dns-name': (row) => publicDnsName(row) || undefined,
    'reservation-id': (row) => row.reservationId,
    'owner-id': () => cloud.world.accountId,
    'root-device-name': (row) => row.rootDevice,
    'root-device-type': () => 'ebs',
    'virtualization-type': () => 'hvm',
    hypervisor: () => 'xen',
    tenancy: () => 'default',
    'launch-time': (row) => isoTime(row.launchTime),
    'state-reason-code': (row) => row.stateReason?.code,
    reason: (row) => row.transitionReason || undefined,
    'monitoring-state': (row) => (row.monitoring ? 'enabled' : 'disabled'),
    'metadata-options.http-tokens': (row) => row.metadata.httpTokens,
    'metadata-options.http-endpoint': (row) => row.metadata.httpEndpoint,
    'instance.group-id': (row) => row.securityGroupIds,
    'instance.group-name': (row) => row.securityGroupIds.map(groupName),
    'network-interface.group-id': (row) => row.securityGroupIds,
    'network-interface.network-interface-id': (row) => row.networkInterfaceId,
    'block-device-mapping.volume-id': (row) => volumesOf(row).map((volume) => volume.volumeId),
    'block-device-mapping.device-name': (row) => volumesOf(row).map((volume) => volume.attachment?.device),
  };
}

/** Launch order, then index in the reservation; unique by the id. */
function orderKey(row: InstanceRow): string {
  return `${String(row.createdAt).padStart(15, '0')} ${row.reservationId} ${String(row.launchIndex).padStart(5, '0')} ${row.instanceId}`;
}

function select(params: QueryParams, cloud: Cloud, region: string): InstanceRow[] {
  const ids = texts(params, 'InstanceId');
  if (ids.length > 0 && params['MaxResults'] !== undefined) {
    throw new AwsFault('InvalidParameterCombination', 'The parameter instancesSet cannot be used with the parameter maxResults');
  }
  const rows =
    ids.length > 0
      ? findInstances(cloud, region, ids)
      : ec2Tables(cloud.world)
          .instances.values()
          .filter((row) => row.region === region && isVisible(cloud, row));
  return filterRows(rows, params, filterFields(cloud), (row) => row.tags);
}

function statusXml(cloud: Cloud, row: InstanceRow): Xml {
  const up = row.state === 'running';
  const settled = up && cloud.clock.now() >= (row.runningSince ?? 0) + cloud.dial.ssmOnlineMs;
  const status = settled ? 'ok' : up ? 'initializing' : 'not-applicable';
  const summary: Xml = { status, details: up ? { item: [{ name: 'reachability', status: settled ? 'passed' : 'initializing' }] } : undefined };
  return {
    instanceId: row.instanceId,
    availabilityZone: row.zone,
    availabilityZoneId: row.zoneId,
    instanceState: stateXml(row.state),
    systemStatus: summary,
    instanceStatus: summary,
    attachedEbsStatus: summary,
  };
}

export const describeInstanceOperations: QueryService['operations'] = {
  DescribeInstances(params, { cloud, region }): Xml {
    const selected = select(params, cloud, region);
    dryRun(params);
    const { rows, nextToken } = page(selected, params, orderKey, PAGE_LIMITS);
    const disksOf = diskMappings(cloud);
    const reservations = new Map<string, InstanceRow[]>();
    for (const row of rows) reservations.set(row.reservationId, [...(reservations.get(row.reservationId) ?? []), row]);
    return {
      reservationSet: {
        item: [...reservations].map(([reservationId, members]) => ({
          reservationId,
          ownerId: cloud.world.accountId,
          groupSet: {},
          instancesSet: { item: members.map((row) => instanceXml(cloud.world, row, disksOf(row))) },
        })),
      },
      nextToken,
    };
  },

  DescribeInstanceStatus(params, { cloud, region }): Xml {
    if (texts(params, 'InstanceId').length > MOST_STATUS_IDS) throw new AwsFault('InvalidParameterValue', `At most ${MOST_STATUS_IDS} instance IDs may be given.`);
    const all = flag(params, 'IncludeAllInstances') ?? false;
    const { Filter: filters, ...rest } = params;
    const shown = select(rest, cloud, region).filter((row) => all || row.state === 'running');
    const status = (row: InstanceRow): string => (row.state !== 'running' ? 'not-applicable' : cloud.clock.now() >= (row.runningSince ?? 0) + cloud.dial.ssmOnlineMs ? 'ok' : 'initializing');
    const selected = filterRows(shown, filters === undefined ? {} : { Filter: filters }, {
      'availability-zone': (row) => row.zone,
      'instance-state-name': (row) => row.state,
      'instance-state-code': (row) => String(STATE_CODES[row.state]),
      'instance-status.status': status,
      'system-status.status': status,
    });
    dryRun(params);
    const { rows, nextToken } = page(selected, params, orderKey, PAGE_LIMITS);
    return { instanceStatusSet: { item: rows.map((row) => statusXml(cloud, row)) }, nextToken };
  },

  GetConsoleOutput(params, { cloud, region }): Xml {
    const row = oneInstance(cloud, region, params);
    dryRun(params);
    const text = row.console.map(({ at, text: line }) => `[${new Date(at).toISOString()}] ${line}\r\n`).join('');
    return {
      instanceId: row.instanceId,
      timestamp: isoTime(row.console.at(-1)?.at ?? row.createdAt),
      output: Buffer.from(text).toString('base64'),
    };
  },
};
