// Does: DescribeRegions, DescribeAvailabilityZones, DescribeVpcs, DescribeSubnets.
// Gaps: Local Zones and Wavelength; nothing here can be created or changed, except tags.
// Source: EC2 API Reference of the four calls; element names from botocore's model of API version 2016-11-15.
import { REGIONS, findRegion } from '../../data/regions.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryService, Xml } from '../../wire/call.ts';
import { freeAddresses } from './network.ts';
import { dryRun, notFound, texts } from './params.ts';
import { tagSet } from './render-instance.ts';
import { ec2Tables } from './rows.ts';
import { filterRows, page } from './select.ts';

const PAGE_LIMITS = { least: 5, most: 1000 };

export const networkOperations: QueryService['operations'] = {
  DescribeRegions(params): Xml {
    const names = texts(params, 'RegionName');
    const unknown = names.find((name) => !findRegion(name));
    if (unknown !== undefined) throw new AwsFault('InvalidParameterValue', `Invalid region provided: '${unknown}'`);
    const chosen = REGIONS.filter((region) => names.length === 0 || names.includes(region.name));
    const endpoint = (name: string): string => `ec2.${name}.amazonaws.com`;
    const matching = filterRows(chosen, params, {
      'region-name': (region) => region.name,
      endpoint: (region) => endpoint(region.name),
      'opt-in-status': () => 'opt-in-not-required',
    });
    dryRun(params);
    return { regionInfo: { item: matching.map(({ name }) => ({ regionName: name, regionEndpoint: endpoint(name), optInStatus: 'opt-in-not-required' })) } };
  },

  DescribeAvailabilityZones(params, { region }): Xml {
    const names = texts(params, 'ZoneName');
    const ids = texts(params, 'ZoneId');
    const zones = findRegion(region)?.zones ?? [];
    const unknown = names.find((name) => !zones.some((zone) => zone.name === name)) ?? ids.find((id) => !zones.some((zone) => zone.id === id));
    if (unknown !== undefined) throw new AwsFault('InvalidParameterValue', `Invalid availability zone: [${unknown}]`);
    const chosen = zones.filter((zone) => (names.length === 0 || names.includes(zone.name)) && (ids.length === 0 || ids.includes(zone.id)));
    const matching = filterRows(chosen, params, {
      'zone-name': (zone) => zone.name,
      'zone-id': (zone) => zone.id,
      'zone-type': () => 'availability-zone',
      'region-name': () => region,
      state: () => 'available',
      'opt-in-status': () => 'opt-in-not-required',
      'group-name': () => `${region}-zg-1`,
    });
    dryRun(params);
    return {
      availabilityZoneInfo: {
        item: matching.map((zone) => ({
          zoneName: zone.name,
          zoneId: zone.id,
          zoneState: 'available',
          regionName: region,
          messageSet: {},
          optInStatus: 'opt-in-not-required',
          groupName: `${region}-zg-1`,
          networkBorderGroup: region,
          zoneType: 'availability-zone',
        })),
      },
    };
  },

  DescribeVpcs(params, { cloud, region }): Xml {
    const ids = texts(params, 'VpcId');
    const own = ec2Tables(cloud.world).vpcs.values().filter((vpc) => vpc.region === region);
    const unknown = ids.filter((id) => !own.some((vpc) => vpc.vpcId === id));
    if (unknown.length > 0) throw notFound('InvalidVpcID.NotFound', 'vpc', unknown);
    const matching = filterRows(
      own.filter((vpc) => ids.length === 0 || ids.includes(vpc.vpcId)),
      params,
      {
        'vpc-id': (vpc) => vpc.vpcId,
        'is-default': (vpc) => String(vpc.isDefault),
        isDefault: (vpc) => String(vpc.isDefault),
        state: () => 'available',
        cidr: (vpc) => vpc.cidr,
        'cidr-block-association.cidr-block': (vpc) => vpc.cidr,
        'owner-id': () => cloud.world.accountId,
      },
      (vpc) => vpc.tags,
    );
    dryRun(params);
    const { rows, nextToken } = page(matching, params, (vpc) => vpc.vpcId, PAGE_LIMITS);
    return {
      vpcSet: {
        item: rows.map((vpc) => ({
          vpcId: vpc.vpcId,
          ownerId: cloud.world.accountId,
          state: 'available',
          cidrBlock: vpc.cidr,
          cidrBlockAssociationSet: {
            item: [{ associationId: vpc.vpcId.replace('vpc-', 'vpc-cidr-assoc-'), cidrBlock: vpc.cidr, cidrBlockState: { state: 'associated' } }],
          },
          dhcpOptionsId: vpc.vpcId.replace('vpc-', 'dopt-'),
          tagSet: tagSet(vpc.tags),
          instanceTenancy: 'default',
          isDefault: vpc.isDefault,
        })),
      },
      nextToken,
    };
  },

  DescribeSubnets(params, { cloud, region }): Xml {
    const ids = texts(params, 'SubnetId');
    const own = ec2Tables(cloud.world).subnets.values().filter((subnet) => subnet.region === region);
    const unknown = ids.filter((id) => !own.some((subnet) => subnet.subnetId === id));
    if (unknown.length > 0) throw notFound('InvalidSubnetID.NotFound', 'subnet', unknown);
    const matching = filterRows(
      own.filter((subnet) => ids.length === 0 || ids.includes(subnet.subnetId)),
      params,
      {
        'subnet-id': (subnet) => subnet.subnetId,
        'vpc-id': (subnet) => subnet.vpcId,
        'availability-zone': (subnet) => subnet.zone,
        availabilityZone: (subnet) => subnet.zone,
        'availability-zone-id': (subnet) => subnet.zoneId,
        'default-for-az': (subnet) => String(subnet.defaultForAz),
        defaultForAz: (subnet) => String(subnet.defaultForAz),
        'map-public-ip-on-launch': (subnet) => String(subnet.mapPublicIp),
        state: () => 'available',
        'cidr-block': (subnet) => subnet.cidr,
        'owner-id': () => cloud.world.accountId,
      },
      (subnet) => subnet.tags,
    );
    dryRun(params);
    const { rows, nextToken } = page(matching, params, (subnet) => `${subnet.zone} ${subnet.subnetId}`, PAGE_LIMITS);
    return {
      subnetSet: {
        item: rows.map((subnet) => ({
          subnetId: subnet.subnetId,
          subnetArn: `arn:aws:ec2:${region}:${cloud.world.accountId}:subnet/${subnet.subnetId}`,
          state: 'available',
          ownerId: cloud.world.accountId,
          vpcId: subnet.vpcId,
          cidrBlock: subnet.cidr,
          ipv6CidrBlockAssociationSet: {},
          availableIpAddressCount: freeAddresses(cloud.world, subnet),
          availabilityZone: subnet.zone,
          availabilityZoneId: subnet.zoneId,
          defaultForAz: subnet.defaultForAz,
          mapPublicIpOnLaunch: subnet.mapPublicIp,
          assignIpv6AddressOnCreation: false,
          mapCustomerOwnedIpOnLaunch: false,
          enableDns64: false,
          ipv6Native: false,
          tagSet: tagSet(subnet.tags),
          privateDnsNameOptionsOnLaunch: { hostnameType: 'ip-name', enableResourceNameDnsARecord: false, enableResourceNameDnsAAAARecord: false },
        })),
      },
      nextToken,
    };
  },
};
