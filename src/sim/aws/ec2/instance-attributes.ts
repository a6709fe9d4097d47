// Does: ModifyInstanceAttribute and DescribeInstanceAttribute for type, user data, protection, shutdown behaviour and groups.
// Gaps: kernel, ramdisk, source/destination check, disk attributes.
// Source: EC2 API Reference ModifyInstanceAttribute ("some attributes can be modified only when the instance is stopped").
import { findInstanceType } from '../../data/instance-types.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams, QueryService, Xml } from '../../wire/call.ts';
import { oneInstance } from './instance-ids.ts';
import { checkIds, dryRun, flag, object, required, text, texts } from './params.ts';
import { groupSet } from './render-instance.ts';
import { ec2Tables } from './rows.ts';
import type { InstanceRow } from './rows.ts';

/** `InstanceType.Value=x` or the older `Attribute=instanceType&Value=x`. */
function newValue(params: QueryParams, name: string): string | undefined {
  const short = name.slice(0, 1).toLowerCase() + name.slice(1);
  if (text(params, 'Attribute') === short) return required(params, 'Value');
  const given = params[name];
  if (given === undefined || typeof given === 'string') return given;
  return text(object(params, name) ?? {}, 'Value');
}

function truth(value: string, name: string): boolean {
  return flag({ [name]: value }, name) ?? false;
}

function mustBeStopped(row: InstanceRow, attribute: string): void {
  if (row.state !== 'stopped') {
    throw new AwsFault('IncorrectInstanceState', `The instance '${row.instanceId}' is not in the 'stopped' state. Attribute '${attribute}' can only be modified on stopped instances.`);
  }
}

const CHANGES: Record<string, (row: InstanceRow, value: string) => () => void> = {
  DisableApiTermination: (row, value) => {
    const on = truth(value, 'DisableApiTermination');
    return () => void (row.disableApiTermination = on);
  },
  DisableApiStop: (row, value) => {
    const on = truth(value, 'DisableApiStop');
    return () => void (row.disableApiStop = on);
  },
  InstanceInitiatedShutdownBehavior: (row, value) => {
    if (value !== 'stop' && value !== 'terminate') {
      throw new AwsFault('InvalidParameterValue', `Value (${value}) for parameter instanceInitiatedShutdownBehavior is invalid. Valid values are: stop, terminate`);
    }
    return () => void (row.shutdownBehavior = value);
  },
  InstanceType: (row, value) => {
    mustBeStopped(row, 'instanceType');
    const type = findInstanceType(value);
    if (!type) throw new AwsFault('InvalidParameterValue', `Invalid value '${value}' for InstanceType.`);
    if (type.architecture !== row.architecture) {
      throw new AwsFault('InvalidParameterValue', `The architecture '${type.architecture}' of the specified instance type does not match the architecture '${row.architecture}' of the instance.`);
    }
    return () => void (row.type = value);
  },
  EbsOptimized: (row, value) => {
    mustBeStopped(row, 'ebsOptimized');
    const on = truth(value, 'EbsOptimized');
    return () => void (row.ebsOptimized = on);
  },
  UserData: (row, value) => {
    mustBeStopped(row, 'userData');
    return () => void (row.userData = Buffer.from(value, 'base64').toString('utf8'));
  },
};

function attributeXml(row: InstanceRow, attribute: string, groups: Xml): Xml {
  const values: Record<string, Xml> = {
    disableApiTermination: { value: row.disableApiTermination },
    disableApiStop: { value: row.disableApiStop },
    instanceInitiatedShutdownBehavior: { value: row.shutdownBehavior },
    instanceType: { value: row.type },
    ebsOptimized: { value: row.ebsOptimized },
    rootDeviceName: { value: row.rootDevice },
    sourceDestCheck: { value: true },
    userData: row.userData === undefined ? {} : { value: Buffer.from(row.userData).toString('base64') },
    groupSet: groups,
  };
  if (!Object.hasOwn(values, attribute)) throw new AwsFault('InvalidParameterValue', `Value (${attribute}) for parameter attribute is invalid. Unknown attribute.`);
  return { [attribute]: values[attribute] };
}

export const instanceAttributeOperations: QueryService['operations'] = {
  ModifyInstanceAttribute(params, { cloud, region }): Xml {
    const row = oneInstance(cloud, region, params);
    const changes: (() => void)[] = [];
    for (const [name, prepare] of Object.entries(CHANGES)) {
      const value = newValue(params, name);
      if (value !== undefined) changes.push(prepare(row, value));
    }
    const groupIds = texts(params, 'GroupId');
    if (groupIds.length > 0) {
      checkIds(groupIds, 'sg');
      const { groups } = ec2Tables(cloud.world);
      const unknown = groupIds.find((id) => groups.get(id)?.vpcId !== row.vpcId);
      if (unknown !== undefined) throw new AwsFault('InvalidGroup.NotFound', `The security group '${unknown}' does not exist in VPC '${row.vpcId}'`);
      changes.push(() => void (row.securityGroupIds = groupIds));
    }
    if (changes.length === 0) throw new AwsFault('InvalidParameterCombination', 'No attributes specified.');
    dryRun(params);
    for (const apply of changes) apply();
    ec2Tables(cloud.world).instances.put(row.instanceId, row);
    return { return: true };
  },

  DescribeInstanceAttribute(params, { cloud, region }): Xml {
    const row = oneInstance(cloud, region, params);
    const attribute = required(params, 'Attribute');
    dryRun(params);
    return { instanceId: row.instanceId, ...(attributeXml(row, attribute, groupSet(cloud.world, row)) as Record<string, Xml>) };
  },
};
