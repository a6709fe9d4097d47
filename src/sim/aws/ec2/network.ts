// Does: the default network of a fresh world, and addresses for instances.
// Gaps: no VPCs or subnets can be made; one interface an instance; no Elastic IPs; security groups filter nothing.
// By design: public addresses come from 203.0.113.0/24 and 198.51.100.0/24, which belong to nobody (RFC 5737).
// Source: VPC User Guide "Default VPCs" (172.31.0.0/16, a /20 per zone, default group), EC2 User Guide "EC2 instance hostnames".
import { randomInt } from 'node:crypto';
import type { World } from '../../cloud.ts';
import { REGIONS } from '../../data/regions.ts';
import { AwsFault } from '../../wire/call.ts';
import { ec2Tables } from './rows.ts';
import type { GroupRule, InstanceRow, SubnetRow } from './rows.ts';

export function seedNetwork(world: World): void {
  const tables = ec2Tables(world);
  for (const region of REGIONS) {
    if (tables.vpcs.values().some((vpc) => vpc.region === region.name && vpc.isDefault)) continue;
    const vpcId = world.newId('vpc');
    tables.vpcs.put(vpcId, { vpcId, region: region.name, cidr: '172.31.0.0/16', isDefault: true, tags: {} });
    for (const [index, zone] of region.zones.entries()) {
      const subnetId = world.newId('subnet');
      const cidr = `172.31.${index * 16}.0/20`;
      tables.subnets.put(subnetId, { subnetId, vpcId, region: region.name, zone: zone.name, zoneId: zone.id, cidr, defaultForAz: true, mapPublicIp: true, tags: {} });
    }
    const groupId = world.newId('sg');
    tables.groups.put(groupId, {
      groupId,
      name: 'default',
      description: 'default VPC security group',
      vpcId,
      region: region.name,
      ingress: [{ ruleId: world.newId('sgr'), protocol: '-1', source: { kind: 'group', value: groupId } }],
      egress: [everythingOut(world)],
      tags: {},
    });
  }
}

export function everythingOut(world: World): GroupRule {
  return { ruleId: world.newId('sgr'), protocol: '-1', source: { kind: 'ipv4', value: '0.0.0.0/0' } };
}

const RESERVED_AT_START = 4;

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

function subnetRange(subnet: SubnetRow): { first: number; count: number } {
  const [base = '', bits = '32'] = subnet.cidr.split('/');
  // AWS keeps the first four addresses and the last one of each subnet.
  return { first: toNumber(base) + RESERVED_AT_START, count: 2 ** (32 - Number(bits)) - RESERVED_AT_START - 1 };
}

function usedIn(world: World, subnet: SubnetRow): Set<string> {
  const rows = ec2Tables(world).instances.values();
  return new Set(rows.filter((row) => row.subnetId === subnet.subnetId && row.state !== 'terminated').map((row) => row.privateIp));
}

export function freeAddresses(world: World, subnet: SubnetRow): number {
  return subnetRange(subnet).count - usedIn(world, subnet).size;
}

export function newPrivateIp(world: World, subnet: SubnetRow): string {
  const { first, count } = subnetRange(subnet);
  const used = usedIn(world, subnet);
  const start = randomInt(count);
  for (let step = 0; step < count; step++) {
    const address = toAddress(first + ((start + step) % count));
    if (!used.has(address)) return address;
  }
  throw new AwsFault('InsufficientFreeAddressesInSubnet', `There are not enough free addresses in subnet '${subnet.subnetId}' to satisfy the requested number of instances.`);
}

const PUBLIC_NETS = ['203.0.113.', '198.51.100.'];
const HOSTS_PER_NET = 254;

/** Any that nobody has, and not `former`. */
export function newPublicIp(world: World, former?: string): string {
  const used = new Set([former, ...ec2Tables(world).instances.values().map((row) => row.publicIp)]);
  const total = PUBLIC_NETS.length * HOSTS_PER_NET;
  const start = randomInt(total);
  for (let step = 0; step < total; step++) {
    const at = (start + step) % total;
    const address = `${PUBLIC_NETS[Math.floor(at / HOSTS_PER_NET)] ?? ''}${1 + (at % HOSTS_PER_NET)}`;
    if (!used.has(address)) return address;
  }
  throw new AwsFault('AddressLimitExceeded', `All ${total} public addresses of the pretend cloud are in use.`);
}

export function privateDnsName(row: InstanceRow): string {
  return `${row.hostname}.${row.region === 'us-east-1' ? 'ec2.internal' : `${row.region}.compute.internal`}`;
}

export function publicDnsName(row: InstanceRow): string {
  if (row.publicIp === undefined) return '';
  const zone = row.region === 'us-east-1' ? 'compute-1' : `${row.region}.compute`;
  return `ec2-${row.publicIp.replaceAll('.', '-')}.${zone}.amazonaws.com`;
}
