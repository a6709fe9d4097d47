// Does: an instance as DescribeInstances and RunInstances show it.
// Gaps: fields of features that are not here (Elastic GPUs, licences, enclaves…) are absent or at their defaults.
// Source: EC2 API Reference, data type Instance; element names from botocore's model of API version 2016-11-15.
import type { World } from '../../cloud.ts';
import { findInstanceType } from '../../data/instance-types.ts';
import { findImage } from '../../data/images.ts';
import type { Xml } from '../../wire/call.ts';
import { privateDnsName, publicDnsName } from './network.ts';
import { isoTime } from './params.ts';
import { STATE_CODES, ec2Tables } from './rows.ts';
import type { InstanceRow, InstanceState } from './rows.ts';

export function stateXml(state: InstanceState): Xml {
  return { code: STATE_CODES[state], name: state };
}

export function tagSet(tags: Record<string, string>): Xml {
  return { item: Object.entries(tags).map(([key, value]) => ({ key, value })) };
}

/** `disks`: its blockDeviceMapping, from volume-view.ts. */
export function instanceXml(world: World, row: InstanceRow, disks: Xml): Xml {
  const type = findInstanceType(row.type);
  const image = findImage(row.imageId, row.region);
  // A terminated instance has lost its network and disks.
  const exists = row.state !== 'terminated';
  return {
    instanceId: row.instanceId,
    imageId: row.imageId,
    instanceState: stateXml(row.state),
    privateDnsName: exists ? privateDnsName(row) : '',
    dnsName: publicDnsName(row),
    reason: row.transitionReason,
    keyName: row.keyName,
    amiLaunchIndex: row.launchIndex,
    productCodes: {},
    instanceType: row.type,
    launchTime: isoTime(row.launchTime),
    placement: { availabilityZone: row.zone, availabilityZoneId: row.zoneId, groupName: '', tenancy: 'default' },
    monitoring: { state: row.monitoring ? 'enabled' : 'disabled' },
    subnetId: exists ? row.subnetId : undefined,
    vpcId: exists ? row.vpcId : undefined,
    privateIpAddress: exists ? row.privateIp : undefined,
    ipAddress: row.publicIp,
    sourceDestCheck: exists ? true : undefined,
    groupSet: exists ? groupSet(world, row) : {},
    stateReason: row.stateReason && { code: row.stateReason.code, message: row.stateReason.message },
    architecture: row.architecture,
    rootDeviceType: 'ebs',
    rootDeviceName: row.rootDevice,
    blockDeviceMapping: exists ? disks : {},
    virtualizationType: 'hvm',
    instanceLifecycle: row.spot && 'spot',
    spotInstanceRequestId: row.spot?.requestId,
    clientToken: row.clientToken ?? '',
    tagSet: tagSet(row.tags),
    hypervisor: 'xen',
    networkInterfaceSet: exists ? { item: [interfaceXml(world, row)] } : {},
    iamInstanceProfile: row.profile && exists ? { arn: row.profile.arn, id: row.profile.id } : undefined,
    ebsOptimized: row.ebsOptimized,
    enaSupport: true,
    cpuOptions: type && { coreCount: type.cores, threadsPerCore: type.vcpus / type.cores },
    capacityReservationSpecification: { capacityReservationPreference: 'open' },
    hibernationOptions: { configured: false },
    metadataOptions: {
      state: row.state === 'pending' ? 'pending' : 'applied',
      httpTokens: row.metadata.httpTokens,
      httpPutResponseHopLimit: row.metadata.hopLimit,
      httpEndpoint: row.metadata.httpEndpoint,
      httpProtocolIpv6: 'disabled',
      instanceMetadataTags: row.metadata.instanceMetadataTags,
    },
    enclaveOptions: { enabled: false },
    bootMode: image?.bootMode,
    currentInstanceBootMode: 'uefi',
    platformDetails: 'Linux/UNIX',
    usageOperation: 'RunInstances',
    usageOperationUpdateTime: isoTime(row.createdAt),
    privateDnsNameOptions: exists ? { hostnameType: 'ip-name', enableResourceNameDnsARecord: false, enableResourceNameDnsAAAARecord: false } : undefined,
    maintenanceOptions: { autoRecovery: 'default', rebootMigration: 'default' },
  };
}

export function groupSet(world: World, row: InstanceRow): Xml {
  const { groups } = ec2Tables(world);
  return { item: row.securityGroupIds.map((groupId) => ({ groupId, groupName: groups.get(groupId)?.name ?? '' })) };
}

function interfaceXml(world: World, row: InstanceRow): Xml {
  const association: Xml = row.publicIp === undefined ? undefined : { publicIp: row.publicIp, publicDnsName: publicDnsName(row), ipOwnerId: 'amazon' };
  const dns = privateDnsName(row);
  return {
    networkInterfaceId: row.networkInterfaceId,
    subnetId: row.subnetId,
    vpcId: row.vpcId,
    description: '',
    ownerId: world.accountId,
    status: 'in-use',
    macAddress: row.macAddress,
    privateIpAddress: row.privateIp,
    privateDnsName: dns,
    sourceDestCheck: true,
    groupSet: groupSet(world, row),
    attachment: {
      attachmentId: row.networkInterfaceId.replace('eni-', 'eni-attach-'),
      deviceIndex: 0,
      status: row.state === 'pending' ? 'attaching' : 'attached',
      attachTime: isoTime(row.createdAt),
      deleteOnTermination: true,
      networkCardIndex: 0,
    },
    association,
    privateIpAddressesSet: { item: [{ privateIpAddress: row.privateIp, privateDnsName: dns, primary: true, association }] },
    ipv6AddressesSet: {},
    interfaceType: 'interface',
  };
}
