// Does: DescribeSecurityGroups, CreateSecurityGroup, DeleteSecurityGroup and ingress rules by Authorize and Revoke.
// Gaps: egress changes, rule ids as resources with tags of their own. No traffic is filtered.
// Source: EC2 API Reference of these calls; texts of InvalidGroup.Duplicate, InvalidPermission.*, DependencyViolation as
// quoted in public issue threads.
import type { World } from '../../cloud.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams, QueryService, Xml } from '../../wire/call.ts';
import { everythingOut } from './network.ts';
import { checkIds, dryRun, objects, required, text, texts, whole } from './params.ts';
import { tagSet } from './render-instance.ts';
import { ec2Tables } from './rows.ts';
import type { GroupRule, SecurityGroupRow } from './rows.ts';
import { filterRows, page } from './select.ts';
import { readTagSpecifications } from './tags.ts';

const LONGEST_NAME = 255;

function findGroup(world: World, region: string, params: QueryParams): SecurityGroupRow {
  const id = text(params, 'GroupId');
  const name = text(params, 'GroupName');
  if (id === undefined && name === undefined) throw new AwsFault('MissingParameter', 'The request must contain the parameter groupName or groupId');
  if (id !== undefined) checkIds([id], 'sg');
  const { groups, vpcs } = ec2Tables(world);
  const row = groups
    .values()
    .find((group) => group.region === region && (id === undefined ? group.name === name && vpcs.get(group.vpcId)?.isDefault : group.groupId === id));
  if (!row) throw new AwsFault('InvalidGroup.NotFound', `The security group '${id ?? name ?? ''}' does not exist`);
  return row;
}

function readRules(params: QueryParams): Omit<GroupRule, 'ruleId'>[] {
  const flat = text(params, 'CidrIp') === undefined ? [] : [{ ...params, IpRanges: [{ CidrIp: required(params, 'CidrIp') }] } as QueryParams];
  const permissions = [...objects(params, 'IpPermissions'), ...flat];
  if (permissions.length === 0) throw new AwsFault('MissingParameter', 'The request must contain the parameter ipPermissions');
  return permissions.flatMap(readPermission);
}

const PROTOCOLS: Record<string, string> = { '6': 'tcp', '17': 'udp', '1': 'icmp', '58': 'icmpv6', all: '-1' };

function readPermission(permission: QueryParams): Omit<GroupRule, 'ruleId'>[] {
  const given = required(permission, 'IpProtocol').toLowerCase();
  const protocol = PROTOCOLS[given] ?? given;
  if (!/^(?:tcp|udp|icmp|icmpv6|-1|\d{1,3})$/.test(protocol)) throw new AwsFault('InvalidParameterValue', `Invalid value '${given}' for IP protocol. Unknown protocol.`);
  const fromPort = protocol === '-1' ? undefined : whole(permission, 'FromPort');
  const toPort = protocol === '-1' ? undefined : whole(permission, 'ToPort');
  if ((protocol === 'tcp' || protocol === 'udp') && (fromPort === undefined || toPort === undefined || fromPort < 0 || toPort > 65_535 || fromPort > toPort)) {
    throw new AwsFault('InvalidParameterValue', `Invalid value for portRange. Must specify both from and to ports with TCP/UDP.`);
  }
  const common = { protocol, fromPort, toPort };
  const rule = (entry: QueryParams, kind: GroupRule['source']['kind'], field: string): Omit<GroupRule, 'ruleId'> => ({
    ...common,
    source: { kind, value: required(entry, field) },
    description: text(entry, 'Description'),
  });
  const rules = [
    ...objects(permission, 'IpRanges').map((entry) => rule(entry, 'ipv4', 'CidrIp')),
    ...objects(permission, 'Ipv6Ranges').map((entry) => rule(entry, 'ipv6', 'CidrIpv6')),
    ...objects(permission, 'Groups').map((entry) => rule(entry, 'group', 'GroupId')),
    ...objects(permission, 'PrefixListIds').map((entry) => rule(entry, 'prefix-list', 'PrefixListId')),
  ];
  for (const { source } of rules) {
    if (source.kind === 'ipv4' && !isIpv4Block(source.value)) throw new AwsFault('InvalidParameterValue', `CIDR block ${source.value} is malformed`);
  }
  if (rules.length === 0) throw new AwsFault('InvalidParameterValue', 'A permission needs at least one source.');
  return rules;
}

function isIpv4Block(block: string): boolean {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(block);
  return match !== null && match.slice(1, 5).every((part) => Number(part) <= 255) && Number(match[5]) <= 32;
}

function sameRule(a: Omit<GroupRule, 'ruleId'>, b: Omit<GroupRule, 'ruleId'>): boolean {
  return a.protocol === b.protocol && a.fromPort === b.fromPort && a.toPort === b.toPort && a.source.kind === b.source.kind && a.source.value === b.source.value;
}

function permissionsXml(rules: GroupRule[], accountId: string): Xml {
  const byPort = new Map<string, GroupRule[]>();
  for (const rule of rules) {
    const key = `${rule.protocol} ${rule.fromPort ?? ''} ${rule.toPort ?? ''}`;
    byPort.set(key, [...(byPort.get(key) ?? []), rule]);
  }
  const sources = (list: GroupRule[], kind: GroupRule['source']['kind'], render: (rule: GroupRule) => Xml): Xml => ({
    item: list.filter((rule) => rule.source.kind === kind).map(render),
  });
  return {
    item: [...byPort.values()].map((list) => ({
      ipProtocol: list[0]?.protocol,
      fromPort: list[0]?.fromPort,
      toPort: list[0]?.toPort,
      groups: sources(list, 'group', (rule) => ({ userId: accountId, groupId: rule.source.value, description: rule.description })),
      ipRanges: sources(list, 'ipv4', (rule) => ({ cidrIp: rule.source.value, description: rule.description })),
      ipv6Ranges: sources(list, 'ipv6', (rule) => ({ cidrIpv6: rule.source.value, description: rule.description })),
      prefixListIds: sources(list, 'prefix-list', (rule) => ({ prefixListId: rule.source.value, description: rule.description })),
    })),
  };
}

function ruleXml(rule: GroupRule, group: SecurityGroupRow, accountId: string): Xml {
  return {
    securityGroupRuleId: rule.ruleId,
    groupId: group.groupId,
    groupOwnerId: accountId,
    isEgress: false,
    ipProtocol: rule.protocol,
    fromPort: rule.fromPort ?? -1,
    toPort: rule.toPort ?? -1,
    cidrIpv4: rule.source.kind === 'ipv4' ? rule.source.value : undefined,
    cidrIpv6: rule.source.kind === 'ipv6' ? rule.source.value : undefined,
    prefixListId: rule.source.kind === 'prefix-list' ? rule.source.value : undefined,
    referencedGroupInfo: rule.source.kind === 'group' ? { groupId: rule.source.value, userId: accountId } : undefined,
    description: rule.description,
    tagSet: {},
  };
}

function inUse(world: World, groupId: string): boolean {
  const { instances, groups } = ec2Tables(world);
  return (
    instances.values().some((row) => row.state !== 'terminated' && row.securityGroupIds.includes(groupId)) ||
    groups.values().some((group) => group.groupId !== groupId && group.ingress.some((rule) => rule.source.kind === 'group' && rule.source.value === groupId))
  );
}

export const securityGroupOperations: QueryService['operations'] = {
  DescribeSecurityGroups(params, { cloud, region, accountId }): Xml {
    const ids = texts(params, 'GroupId');
    const names = texts(params, 'GroupName');
    checkIds(ids, 'sg');
    const own = ec2Tables(cloud.world).groups.values().filter((group) => group.region === region);
    const unknown = ids.find((id) => !own.some((group) => group.groupId === id)) ?? names.find((name) => !own.some((group) => group.name === name));
    if (unknown !== undefined) throw new AwsFault('InvalidGroup.NotFound', `The security group '${unknown}' does not exist`);
    const chosen = own.filter((group) => (ids.length === 0 || ids.includes(group.groupId)) && (names.length === 0 || names.includes(group.name)));
    const matching = filterRows(
      chosen,
      params,
      {
        'group-id': (group) => group.groupId,
        'group-name': (group) => group.name,
        'vpc-id': (group) => group.vpcId,
        description: (group) => group.description,
        'owner-id': () => accountId,
        'ip-permission.cidr': (group) => group.ingress.filter((rule) => rule.source.kind === 'ipv4').map((rule) => rule.source.value),
        'ip-permission.from-port': (group) => group.ingress.map((rule) => rule.fromPort?.toString()),
        'ip-permission.to-port': (group) => group.ingress.map((rule) => rule.toPort?.toString()),
        'ip-permission.protocol': (group) => group.ingress.map((rule) => rule.protocol),
      },
      (group) => group.tags,
    );
    dryRun(params);
    const { rows, nextToken } = page(matching, params, (group) => group.groupId, { least: 5, most: 1000 });
    return {
      securityGroupInfo: {
        item: rows.map((group) => ({
          ownerId: accountId,
          groupId: group.groupId,
          groupName: group.name,
          groupDescription: group.description,
          vpcId: group.vpcId,
          securityGroupArn: groupArn(group, accountId),
          ipPermissions: permissionsXml(group.ingress, accountId),
          ipPermissionsEgress: permissionsXml(group.egress, accountId),
          tagSet: tagSet(group.tags),
        })),
      },
      nextToken,
    };
  },

  CreateSecurityGroup(params, { cloud, region, accountId }): Xml {
    const name = required(params, 'GroupName');
    const description = required(params, 'GroupDescription');
    if (name.startsWith('sg-')) throw new AwsFault('InvalidParameterValue', 'Group names may not be in the format sg-*.');
    if (name.length > LONGEST_NAME || description.length > LONGEST_NAME) throw new AwsFault('InvalidParameterValue', `Names and descriptions may have at most ${LONGEST_NAME} characters.`);
    const { groups, vpcs } = ec2Tables(cloud.world);
    const vpcId = text(params, 'VpcId');
    const vpc = vpcs.values().find((row) => row.region === region && (vpcId === undefined ? row.isDefault : row.vpcId === vpcId));
    if (!vpc) {
      throw vpcId === undefined
        ? new AwsFault('VPCIdNotSpecified', 'No default VPC for this user')
        : new AwsFault('InvalidVpcID.NotFound', `The vpc ID '${vpcId}' does not exist`);
    }
    if (groups.values().some((group) => group.vpcId === vpc.vpcId && group.name === name)) {
      throw new AwsFault('InvalidGroup.Duplicate', `The security group '${name}' already exists for VPC '${vpc.vpcId}'`);
    }
    const tags = readTagSpecifications(params, ['security-group'])['security-group'] ?? {};
    dryRun(params);
    const groupId = cloud.world.newId('sg');
    const row: SecurityGroupRow = { groupId, name, description, vpcId: vpc.vpcId, region, ingress: [], egress: [everythingOut(cloud.world)], tags };
    groups.put(groupId, row);
    return { return: true, groupId, tagSet: tagSet(tags), securityGroupArn: groupArn(row, accountId) };
  },

  DeleteSecurityGroup(params, { cloud, region }): Xml {
    const group = findGroup(cloud.world, region, params);
    if (group.name === 'default') throw new AwsFault('CannotDelete', `the specified group: "${group.groupId}" name: "default" cannot be deleted by a user`);
    if (inUse(cloud.world, group.groupId)) throw new AwsFault('DependencyViolation', `resource ${group.groupId} has a dependent object`);
    dryRun(params);
    ec2Tables(cloud.world).groups.delete(group.groupId);
    return { return: true, groupId: group.groupId };
  },

  AuthorizeSecurityGroupIngress(params, { cloud, region, accountId }): Xml {
    const group = findGroup(cloud.world, region, params);
    const rules = readRules(params);
    const existing = rules.find((rule) => group.ingress.some((known) => sameRule(known, rule)));
    if (existing) {
      const ports = existing.fromPort === undefined ? 'ALL' : `from port: ${existing.fromPort}, to port: ${existing.toPort ?? ''}`;
      throw new AwsFault('InvalidPermission.Duplicate', `the specified rule "peer: ${existing.source.value}, ${existing.protocol.toUpperCase()}, ${ports}, ALLOW" already exists`);
    }
    dryRun(params);
    const added = rules.map((rule) => ({ ...rule, ruleId: cloud.world.newId('sgr') }));
    group.ingress.push(...added);
    ec2Tables(cloud.world).groups.put(group.groupId, group);
    return { return: true, securityGroupRuleSet: { item: added.map((rule) => ruleXml(rule, group, accountId)) } };
  },

  RevokeSecurityGroupIngress(params, { cloud, region }): Xml {
    const group = findGroup(cloud.world, region, params);
    const ids = texts(params, 'SecurityGroupRuleId');
    const rules = ids.length > 0 ? [] : readRules(params);
    const gone = (known: GroupRule): boolean => ids.includes(known.ruleId) || rules.some((rule) => sameRule(known, rule));
    const unknownId = ids.find((id) => !group.ingress.some((known) => known.ruleId === id));
    if (unknownId !== undefined) throw new AwsFault('InvalidSecurityGroupRuleId.NotFound', `The security group rule ID '${unknownId}' does not exist`);
    if (rules.some((rule) => !group.ingress.some((known) => sameRule(known, rule)))) {
      throw new AwsFault('InvalidPermission.NotFound', 'The specified rule does not exist in this security group.');
    }
    dryRun(params);
    group.ingress = group.ingress.filter((known) => !gone(known));
    ec2Tables(cloud.world).groups.put(group.groupId, group);
    return { return: true };
  },
};

function groupArn(group: SecurityGroupRow, accountId: string): string {
  return `arn:aws:ec2:${group.region}:${accountId}:security-group/${group.groupId}`;
}
