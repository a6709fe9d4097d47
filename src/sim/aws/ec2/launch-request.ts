// Does: checks a RunInstances request against the world and settles every choice, without an effect.
// Gaps: several network interfaces, placement groups, capacity reservations, hibernation.
// By design: a spot launch that names no zone goes to the one whose pool has room, and of those to the cheapest.
// Source: EC2 API Reference RunInstances; error texts as quoted in public issue threads of terraform-provider-aws,
// karpenter-provider-aws and aws-cli.
import { createHash } from 'node:crypto';
import type { World } from '../../cloud.ts';
import { findImage, imageId, publicParameter } from '../../data/images.ts';
import type { ImageFact } from '../../data/images.ts';
import { findInstanceType, isOfferedInZone } from '../../data/instance-types.ts';
import type { InstanceTypeFact } from '../../data/instance-types.ts';
import { findRegion } from '../../data/regions.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams, QueryValue } from '../../wire/call.ts';
import { iamInstanceProfiles } from '../iam/rows.ts';
import type { InstanceProfileRow } from '../iam/rows.ts';
import { refusalOfPool } from '../../market/pools.ts';
import { spotPriceAt } from '../../market/prices.ts';
import { readDisks } from './launch-disks.ts';
import type { DiskRequest } from './launch-disks.ts';
import { checkIds, flag, missing, object, objects, required, text, texts, whole } from './params.ts';
import { ec2Tables } from './rows.ts';
import type { InstanceRow, SubnetRow } from './rows.ts';
import { readMarketOptions } from './spot-terms.ts';
import type { SpotTerms } from './spot-terms.ts';
import { readTagSpecifications } from './tags.ts';

export interface LaunchRequest {
  least: number;
  count: number;
  /** Undefined: on demand. */
  spot?: SpotTerms;
  type: InstanceTypeFact;
  image: ImageFact;
  imageId: string;
  subnet: SubnetRow;
  securityGroupIds: string[];
  wantsPublicIp: boolean;
  keyName?: string;
  profile?: InstanceProfileRow;
  userData?: string;
  disks: DiskRequest[];
  metadata: InstanceRow['metadata'];
  shutdownBehavior: 'stop' | 'terminate';
  disableApiTermination: boolean;
  disableApiStop: boolean;
  ebsOptimized: boolean;
  monitoring: boolean;
  tags: Record<string, Record<string, string>>;
}

const LARGEST_USER_DATA_BYTES = 16_384;
const TAGGABLE = ['instance', 'volume', 'network-interface', 'spot-instances-request'];

/** Same parameters, same hash; the token itself and DryRun are no part of it. */
export function parametersHash(params: QueryParams): string {
  const ordered = (value: QueryValue): unknown => {
    if (typeof value === 'string') return value;
    if (Array.isArray(value)) return value.map(ordered);
    return Object.keys(value).sort().map((name) => [name, ordered(value[name] ?? '')]);
  };
  const { ClientToken: _token, DryRun: _dry, ...rest } = params;
  return createHash('sha256').update(JSON.stringify(ordered(rest))).digest('hex');
}

/** `terms`: of a spot request that is older than this launch, instead of InstanceMarketOptions. `now`: world time. */
export function readLaunch(world: World, region: string, params: QueryParams, now: number, terms?: SpotTerms): LaunchRequest {
  const { least, count } = readCount(params);
  refuseWhatIsNotHere(params);
  const type = readType(params);
  const spot = terms ?? readMarketOptions(params, type, region, now);
  if (spot && flag(params, 'DisableApiStop')) throw new AwsFault('UnsupportedOperation', 'Stop protection is not supported for Spot Instances.');
  const image = readImage(params, region);
  if (type.architecture !== image.architecture) {
    throw new AwsFault(
      'InvalidParameterValue',
      `The architecture '${type.architecture}' of the specified instance type does not match the architecture '${image.architecture}' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to discover the architecture of the instance type or AMI.`,
    );
  }
  const keyName = text(params, 'KeyName');
  if (keyName !== undefined && !ec2Tables(world).keys.get(`${region}/${keyName}`)) throw new AwsFault('InvalidKeyPair.NotFound', `The key pair '${keyName}' does not exist`);
  const place = readPlace(world, region, params, type, spot && ((zone) => costOf(world, { type: type.name, zone }, least, spot, now)));
  return {
    least,
    count,
    spot,
    type,
    image,
    imageId: imageId(image, region),
    ...place,
    keyName,
    profile: readProfile(world, params),
    userData: readUserData(params),
    disks: readDisks(params, image, region),
    metadata: readMetadata(params, image),
    shutdownBehavior: readShutdownBehavior(params),
    disableApiTermination: flag(params, 'DisableApiTermination') ?? false,
    disableApiStop: flag(params, 'DisableApiStop') ?? false,
    ebsOptimized: flag(params, 'EbsOptimized') ?? false,
    monitoring: flag(object(params, 'Monitoring') ?? {}, 'Enabled') ?? false,
    tags: readTagSpecifications(params, TAGGABLE),
  };
}

/** The price where the market gives so many machines, else Infinity. */
function costOf(world: World, pool: { type: string; zone: string }, count: number, spot: SpotTerms, now: number): number {
  return refusalOfPool(world, pool, count, spot.maxMicroUsdPerHour, now) ? Infinity : (spotPriceAt(world, pool.type, pool.zone, now) ?? Infinity);
}

function readCount(params: QueryParams): { least: number; count: number } {
  const least = whole(params, 'MinCount');
  const most = whole(params, 'MaxCount');
  if (least === undefined) throw missing('MinCount');
  if (most === undefined) throw missing('MaxCount');
  if (least < 1) throw new AwsFault('InvalidParameterValue', `Value (${least}) for parameter minCount is invalid. Expected a positive number.`);
  if (most < least) throw new AwsFault('InvalidParameterValue', `Value (${least}) for parameter minCount is invalid. The minimum count is larger than the maximum count (${most}).`);
  return { least, count: most };
}

function refuseWhatIsNotHere(params: QueryParams): void {
  const hibernation = object(params, 'HibernationOptions');
  if (hibernation && flag(hibernation, 'Configured') !== false) throw new AwsFault('UnsupportedOperation', 'The pretend cloud does not support the parameter HibernationOptions.');
}

function readType(params: QueryParams): InstanceTypeFact {
  const name = text(params, 'InstanceType') ?? 'm1.small';
  const found = findInstanceType(name);
  if (found) return found;
  if (text(params, 'InstanceType') === undefined) {
    throw new AwsFault('InvalidParameterCombination', "Non-Windows instances with a virtualization type of 'hvm' are currently not supported for this instance type : m1.small.");
  }
  throw new AwsFault('InvalidParameterValue', `Invalid value '${name}' for InstanceType.`);
}

function readImage(params: QueryParams, region: string): ImageFact {
  const given = required(params, 'ImageId');
  const parameter = /^resolve:ssm:(.+)$/.exec(given)?.[1];
  const id = parameter === undefined ? given : publicParameter(parameter, region);
  if (id === undefined) throw new AwsFault('InvalidParameterValue', `Value (${given}) for parameter ImageId is invalid. The SSM parameter does not exist.`);
  checkIds([id], 'ami');
  const image = findImage(id, region);
  if (!image) throw new AwsFault('InvalidAMIID.NotFound', `The image id '[${id}]' does not exist`);
  return image;
}

function readPlace(world: World, region: string, params: QueryParams, type: InstanceTypeFact, cost?: (zone: string) => number): Pick<LaunchRequest, 'subnet' | 'securityGroupIds' | 'wantsPublicIp'> {
  const [card, ...more] = objects(params, 'NetworkInterface');
  if (more.length > 0) throw new AwsFault('UnsupportedOperation', 'The pretend cloud gives an instance one network interface.');
  const groupIds = texts(params, 'SecurityGroupId');
  const groupNames = texts(params, 'SecurityGroup');
  if (card && text(params, 'SubnetId') !== undefined) {
    throw new AwsFault('InvalidParameterCombination', 'Network interfaces and an instance-level subnet ID may not be specified on the same request');
  }
  if (card && groupIds.length + groupNames.length > 0) {
    throw new AwsFault('InvalidParameterCombination', 'Network interfaces and an instance-level security groups may not be specified on the same request');
  }
  const subnet = readSubnet(world, region, text(card ?? params, 'SubnetId'), object(params, 'Placement') ?? {}, type, cost);
  const securityGroupIds = readGroups(world, region, subnet, card ? texts(card, 'SecurityGroupId') : groupIds, groupNames);
  return { subnet, securityGroupIds, wantsPublicIp: (card && flag(card, 'AssociatePublicIpAddress')) ?? subnet.mapPublicIp };
}

function readSubnet(world: World, region: string, id: string | undefined, placement: QueryParams, type: InstanceTypeFact, cost: (zone: string) => number = () => 0): SubnetRow {
  const tables = ec2Tables(world);
  const zones = findRegion(region)?.zones ?? [];
  const zoneId = text(placement, 'AvailabilityZoneId');
  const zone = text(placement, 'AvailabilityZone') ?? (zoneId === undefined ? undefined : (zones.find((candidate) => candidate.id === zoneId)?.name ?? zoneId));
  if (zone !== undefined && !zones.some(({ name }) => name === zone)) throw new AwsFault('InvalidParameterValue', `Invalid availability zone: [${zone}]`);
  const offered = (name: string): boolean => isOfferedInZone(type, zones.findIndex((candidate) => candidate.name === name));
  let subnet: SubnetRow | undefined;
  if (id !== undefined) {
    subnet = tables.subnets.get(id);
    if (!subnet || subnet.region !== region) throw new AwsFault('InvalidSubnetID.NotFound', `The subnet ID '${id}' does not exist`);
    if (zone !== undefined && subnet.zone !== zone) {
      throw new AwsFault('InvalidParameterValue', `The availability zone '${zone}' does not match the availability zone of the subnet '${id}' (${subnet.zone}).`);
    }
  } else {
    const defaults = tables.subnets.values().filter((row) => row.region === region && row.defaultForAz);
    if (defaults.length === 0) throw new AwsFault('VPCIdNotSpecified', 'No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.');
    const [best] = defaults.filter((row) => offered(row.zone)).sort((a, b) => cost(a.zone) - cost(b.zone) || (a.zone < b.zone ? -1 : 1));
    subnet = zone === undefined ? best : defaults.find((row) => row.zone === zone);
  }
  if (!subnet) throw new AwsFault('MissingInput', `No default subnet for availability zone: '${zone ?? ''}'.`);
  if (!offered(subnet.zone)) {
    const others = zones.map(({ name }) => name).filter(offered).join(', ');
    throw new AwsFault(
      'Unsupported',
      `Your requested instance type (${type.name}) is not supported in your requested Availability Zone (${subnet.zone}). Please retry your request by not specifying an Availability Zone or choosing ${others}.`,
    );
  }
  return subnet;
}

function readGroups(world: World, region: string, subnet: SubnetRow, ids: string[], names: string[]): string[] {
  checkIds(ids, 'sg');
  const here = ec2Tables(world).groups.values().filter((group) => group.region === region && group.vpcId === subnet.vpcId);
  const byId = ids.map((id) => {
    if (!here.some((group) => group.groupId === id)) throw new AwsFault('InvalidGroup.NotFound', `The security group '${id}' does not exist in VPC '${subnet.vpcId}'`);
    return id;
  });
  const byName = names.map((name) => {
    const group = here.find((candidate) => candidate.name === name);
    if (!group) throw new AwsFault('InvalidGroup.NotFound', `The security group '${name}' does not exist in VPC '${subnet.vpcId}'`);
    return group.groupId;
  });
  const chosen = [...new Set([...byId, ...byName])];
  return chosen.length > 0 ? chosen : here.filter((group) => group.name === 'default').map((group) => group.groupId);
}

function readProfile(world: World, params: QueryParams): InstanceProfileRow | undefined {
  const given = object(params, 'IamInstanceProfile');
  if (!given) return undefined;
  const name = text(given, 'Name');
  const arn = text(given, 'Arn');
  if (name !== undefined && arn !== undefined) {
    throw new AwsFault('InvalidParameterCombination', "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'");
  }
  if (name === undefined && arn === undefined) return undefined;
  const profile = iamInstanceProfiles(world).values().find((row) => (name === undefined ? row.arn === arn : row.name === name));
  if (!profile) {
    throw name === undefined
      ? new AwsFault('InvalidParameterValue', `Value (${arn}) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN`)
      : new AwsFault('InvalidParameterValue', `Value (${name}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name`);
  }
  if (profile.roles.length === 0) throw new AwsFault('InvalidParameterValue', `IAM Instance Profile "${profile.arn}" has no associated IAM Roles`);
  return profile;
}

function readUserData(params: QueryParams): string | undefined {
  const encoded = text(params, 'UserData')?.replaceAll(/\s/g, '');
  if (encoded === undefined) return undefined;
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(encoded) || encoded.replaceAll('=', '').length % 4 === 1) throw new AwsFault('InvalidUserData.Malformed', 'Invalid BASE64 encoding of user data.');
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.length > LARGEST_USER_DATA_BYTES) throw new AwsFault('InvalidParameterValue', `User data is limited to ${LARGEST_USER_DATA_BYTES} bytes`);
  return bytes.toString('utf8');
}

function oneOf<Value extends string>(value: string | undefined, allowed: readonly Value[], name: string): Value | undefined {
  if (value === undefined) return undefined;
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw new AwsFault('InvalidParameterValue', `Value (${value}) for parameter ${name} is invalid. Valid values are: ${allowed.join(', ')}`);
  return found;
}

function readShutdownBehavior(params: QueryParams): 'stop' | 'terminate' {
  return oneOf(text(params, 'InstanceInitiatedShutdownBehavior'), ['stop', 'terminate'], 'instanceInitiatedShutdownBehavior') ?? 'stop';
}

function readMetadata(params: QueryParams, image: ImageFact): InstanceRow['metadata'] {
  const given = object(params, 'MetadataOptions') ?? {};
  const switches = ['enabled', 'disabled'] as const;
  const hopLimit = whole(given, 'HttpPutResponseHopLimit') ?? (image.imdsV2Only ? 2 : 1);
  if (hopLimit < 1 || hopLimit > 64) throw new AwsFault('InvalidParameterValue', `Value (${hopLimit}) for parameter HttpPutResponseHopLimit is invalid. Valid range is 1 to 64.`);
  return {
    httpTokens: oneOf(text(given, 'HttpTokens'), ['required', 'optional'] as const, 'HttpTokens') ?? (image.imdsV2Only ? 'required' : 'optional'),
    hopLimit,
    httpEndpoint: oneOf(text(given, 'HttpEndpoint'), switches, 'HttpEndpoint') ?? 'enabled',
    instanceMetadataTags: oneOf(text(given, 'InstanceMetadataTags'), switches, 'InstanceMetadataTags') ?? 'disabled',
  };
}
