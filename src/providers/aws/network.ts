// Where a machine goes: a subnet in a zone that offers the type, and a security group with nothing open to the world.
import type { SecurityGroup, Subnet } from '@aws-sdk/client-ec2';
import { RunctlError } from '../../core/errors.ts';
import type { AwsApi } from './clients.ts';
import { isAwsCode } from './errors.ts';
import { TAG } from './machines.ts';

/** The group that runctl makes for itself: no inbound rule; SSM needs outbound 443 only. */
export const OWN_GROUP = 'runctl';

export interface ChosenSubnet {
  id: string;
  zone: string;
  vpcId: string;
  /** Whether machines there get a public address. */
  publicAddress: boolean;
  freeAddresses?: number;
}

/** In which zones of the region these types can be had. */
export const offeringsQuestion = (types: string[]) => ({ LocationType: 'availability-zone' as const, Filters: [{ Name: 'instance-type', Values: types }] });

/** The zones of the region in which the type can be had; empty when nobody could tell. */
export async function zonesOffering(api: AwsApi, type: string, signal?: AbortSignal): Promise<string[]> {
  const answer = await api.ec2('DescribeInstanceTypeOfferings', offeringsQuestion([type]), { signal, subject: type });
  return (answer.InstanceTypeOfferings ?? []).flatMap((one) => (one.Location ? [one.Location] : [])).sort();
}

export async function candidateSubnets(api: AwsApi, wanted: string | undefined, signal?: AbortSignal): Promise<Subnet[]> {
  const answer = wanted
    ? await api.ec2('DescribeSubnets', { SubnetIds: [wanted] }, { signal, subject: wanted })
    : await api.ec2('DescribeSubnets', { Filters: [{ Name: 'default-for-az', Values: ['true'] }] }, { signal });
  return answer.Subnets ?? [];
}

/** Throws `capacity` when the type is not offered where it is wanted, naming the zones in which it is. */
export function requireOffered(subnets: Subnet[], zones: string[], request: { type: string; zone?: string; subnet?: string; region: string }): void {
  if (zones.length === 0) return;
  const wanted = request.zone ? [request.zone] : request.subnet ? subnets.flatMap((one) => one.AvailabilityZone ?? []) : [];
  if (wanted.length === 0 || wanted.some((zone) => zones.includes(zone))) return;
  const where = request.zone ?? `${wanted.join(', ')}, where ${request.subnet} lies`;
  throw new RunctlError('capacity', `${request.type} is not offered in ${where}`, {
    cause: `the type is offered in ${zones.join(', ')} only`,
    hints: [`runctl aws create ${request.type} --zone ${zones[0]}`, `aws ec2 describe-instance-type-offerings --location-type availability-zone --filters Name=instance-type,Values=${request.type} --region ${request.region}`],
    data: { zones },
  });
}

/** `preferred`: zones in the order in which they are taken; others follow by name. */
export function chooseSubnet(subnets: Subnet[], zones: string[], request: { type: string; zone?: string; subnet?: string; region: string }, preferred: string[] = []): ChosenSubnet {
  const list = `aws ec2 describe-subnets --region ${request.region} --query 'Subnets[].[SubnetId,VpcId,AvailabilityZone,AvailableIpAddressCount]' --output text`;
  if (subnets.length === 0) {
    throw new RunctlError('usage', request.subnet ? `no subnet ${request.subnet} in ${request.region}` : `no default subnet in ${request.region}`, {
      cause: request.subnet ? 'EC2 knows no such subnet there' : 'the region has no default VPC, and no subnet was named',
      hints: [...(request.subnet ? [] : [`aws ec2 create-default-vpc --region ${request.region}`]), list],
    });
  }
  const inZone = request.zone ? subnets.filter((one) => one.AvailabilityZone === request.zone) : subnets;
  if (inZone.length === 0 && request.subnet) {
    const zone = subnets[0]?.AvailabilityZone;
    throw new RunctlError('usage', `subnet ${request.subnet} lies in ${zone}, not in ${request.zone}`, { cause: 'a subnet belongs to one zone', hints: [`runctl aws create ${request.type} --subnet-id ${request.subnet} --zone ${zone}`, list] });
  }
  const offered = zones.length === 0 ? inZone : inZone.filter((one) => zones.includes(one.AvailabilityZone ?? ''));
  const rank = (one: Subnet): number => (preferred.indexOf(one.AvailabilityZone ?? '') + 1 || preferred.length + 1);
  const usable = offered.filter(hasRoom).sort((a, b) => rank(a) - rank(b) || (a.AvailabilityZone ?? '').localeCompare(b.AvailabilityZone ?? ''));
  const subnet = usable[0];
  if (!subnet?.SubnetId || !subnet.VpcId) {
    throw new RunctlError('capacity', `${request.type} cannot be placed ${request.zone ? `in ${request.zone}` : request.subnet ? `in ${request.subnet}` : `in ${request.region}`}`, {
      cause: offered.length > 0 ? 'the subnets there have no free address' : inZone.length > 0 ? `the type is offered in ${zones.join(', ')} only` : `there is no subnet in ${request.zone ?? request.region}`,
      hints: [list],
    });
  }
  return { id: subnet.SubnetId, zone: subnet.AvailabilityZone ?? '', vpcId: subnet.VpcId, publicAddress: subnet.MapPublicIpOnLaunch === true, freeAddresses: subnet.AvailableIpAddressCount };
}

/** Whether one more machine finds an address there; without a number it is tried. */
export const hasRoom = (subnet: Subnet): boolean => (subnet.AvailableIpAddressCount ?? 1) > 0;

/** The id of the group to use; undefined when runctl's own group must still be made. A group may be given by id or by name. */
export async function findGroup(api: AwsApi, wanted: string | undefined, vpcId: string, signal?: AbortSignal): Promise<string | undefined> {
  if (wanted?.startsWith('sg-')) {
    const answer = await api.ec2('DescribeSecurityGroups', { GroupIds: [wanted] }, { signal, subject: wanted });
    const group = answer.SecurityGroups?.[0];
    if (group && group.VpcId && group.VpcId !== vpcId) {
      throw new RunctlError('usage', `security group ${wanted} belongs to ${group.VpcId}, the subnet to ${vpcId}`, { cause: 'a machine and its groups must be in one VPC', hints: [`aws ec2 describe-security-groups --filters Name=vpc-id,Values=${vpcId} --query 'SecurityGroups[].[GroupId,GroupName]' --output text`] });
    }
    if (group?.GroupId) return group.GroupId;
    throw noGroup(wanted, vpcId, []);
  }
  const name = wanted ?? OWN_GROUP;
  const answer = await api.ec2('DescribeSecurityGroups', { Filters: [{ Name: 'group-name', Values: [name] }, { Name: 'vpc-id', Values: [vpcId] }] }, { signal, subject: name });
  // Emulators may ignore filters; the name decides.
  const group = answer.SecurityGroups?.find((one) => one.GroupName === name);
  if (group?.GroupId) {
    if (!wanted) refuseOpenDoor(group);
    return group.GroupId;
  }
  if (!wanted) return undefined;
  const all = await api.ec2('DescribeSecurityGroups', { Filters: [{ Name: 'vpc-id', Values: [vpcId] }] }, { signal, subject: name });
  throw noGroup(wanted, vpcId, (all.SecurityGroups ?? []).flatMap((one) => (one.GroupName ? [one.GroupName] : [])));
}

/** Make runctl's own group: no inbound rule, EC2's default outbound rule. Safe to repeat. */
export async function ensureOwnGroup(api: AwsApi, vpcId: string, owner: string, signal?: AbortSignal): Promise<string> {
  try {
    const made = await api.ec2(
      'CreateSecurityGroup',
      {
        GroupName: OWN_GROUP,
        Description: 'runctl machines: no inbound rule; reached through SSM',
        VpcId: vpcId,
        TagSpecifications: [{ ResourceType: 'security-group', Tags: [{ Key: TAG.owner, Value: owner }] }],
      },
      { signal, subject: OWN_GROUP },
    );
    if (made.GroupId) return made.GroupId;
  } catch (error) {
    // Somebody else made it in the meantime.
    if (!isAwsCode(error, 'InvalidGroup.Duplicate')) throw error;
  }
  const found = await findGroup(api, undefined, vpcId, signal);
  if (found) return found;
  throw new RunctlError('cloud-refused', `security group ${OWN_GROUP} could neither be made nor found in ${vpcId}`, { cause: 'EC2 denied both', hints: [`aws ec2 create-security-group --group-name ${OWN_GROUP} --description runctl --vpc-id ${vpcId}`] });
}

function refuseOpenDoor(group: SecurityGroup): void {
  const open = (group.IpPermissions ?? []).find((rule) => rule.IpRanges?.some((range) => range.CidrIp === '0.0.0.0/0') || rule.Ipv6Ranges?.some((range) => range.CidrIpv6 === '::/0'));
  if (!open) return;
  throw new RunctlError('config-invalid', `security group ${OWN_GROUP} (${group.GroupId}) is open to the world`, {
    cause: `it has an inbound rule for ${open.IpProtocol === '-1' ? 'everything' : `${open.IpProtocol} ${open.FromPort}-${open.ToPort}`} from any address; runctl needs none`,
    hints: [`aws ec2 revoke-security-group-ingress --group-id ${group.GroupId} --ip-permissions '${JSON.stringify([{ IpProtocol: open.IpProtocol, FromPort: open.FromPort, ToPort: open.ToPort, IpRanges: open.IpRanges }])}'`, 'runctl aws create TYPE --security-group GROUP  # use that group knowingly, or another one'],
  });
}

function noGroup(wanted: string, vpcId: string, known: string[]): RunctlError {
  return new RunctlError('usage', `no security group ${wanted} in ${vpcId}`, {
    cause: known.length > 0 ? `groups there: ${known.join(', ')}` : 'EC2 knows no such group there',
    hints: [`aws ec2 describe-security-groups --filters Name=vpc-id,Values=${vpcId} --query 'SecurityGroups[].[GroupId,GroupName]' --output text`],
  });
}
