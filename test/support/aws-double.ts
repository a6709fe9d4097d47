// For tests of the AWS provider: a provider in front of the wire double, and the answers of an account in which all is well.
import { ec2Xml, jsonReply, queryXml, startWireDouble } from './wire-double.ts';
import type { WireDouble, WireReply } from './wire-double.ts';
import { leapingClock } from './leaping-clock.ts';
import type { LeapingClock } from './leaping-clock.ts';
import { createAwsProvider } from '../../src/providers/aws/aws-provider.ts';
import type { AwsProviderOptions } from '../../src/providers/aws/aws-provider.ts';

export interface AwsDouble {
  wire: WireDouble;
  clock: LeapingClock;
  provider: ReturnType<typeof createAwsProvider>;
  close(): Promise<void>;
}

export async function awsDouble(options: Partial<AwsProviderOptions> = {}): Promise<AwsDouble> {
  const wire = await startWireDouble();
  const clock = leapingClock();
  const provider = createAwsProvider({ owner: 'ann', project: 'digits', clock, ...options, env: { HOME: '/nonexistent', ...wire.env, ...options.env } });
  return {
    wire,
    clock,
    provider,
    async close() {
      provider.close();
      await wire.close();
    },
  };
}

export const ID = 'i-0123456789abcdef0';

export interface InstanceFacts {
  id?: string;
  state?: string;
  code?: number;
  type?: string;
  profile?: string;
  reason?: string;
  tags?: Record<string, string>;
  publicIp?: string;
}

const CODES: Record<string, number> = { pending: 0, running: 16, 'shutting-down': 32, terminated: 48, stopping: 64, stopped: 80 };

export function instanceXml(facts: InstanceFacts = {}): string {
  const state = facts.state ?? 'running';
  const tags = Object.entries(facts.tags ?? {}).map(([key, value]) => `<item><key>${key}</key><value>${value}</value></item>`);
  return `<item><instanceId>${facts.id ?? ID}</instanceId><imageId>ami-1</imageId><instanceType>${facts.type ?? 't3.micro'}</instanceType>
<instanceState><code>${facts.code ?? CODES[state]}</code><name>${state}</name></instanceState><placement><availabilityZone>us-east-1b</availabilityZone></placement>
${facts.publicIp ? `<ipAddress>${facts.publicIp}</ipAddress>` : ''}<privateIpAddress>172.31.0.9</privateIpAddress><launchTime>2026-01-01T00:00:00.000Z</launchTime>
${facts.profile ? `<iamInstanceProfile><arn>arn:aws:iam::123456789012:instance-profile/team/${facts.profile}</arn><id>AIPA</id></iamInstanceProfile>` : ''}
${facts.reason ? `<stateReason><code>Client.X</code><message>${facts.reason}</message></stateReason>` : ''}<tagSet>${tags.join('')}</tagSet></item>`;
}

export const instances = (...all: string[]): WireReply => ec2Xml('DescribeInstances', `<reservationSet>${all.map((one) => `<item><instancesSet>${one}</instancesSet></item>`).join('')}</reservationSet>`);

export const launched = (facts: InstanceFacts = { state: 'pending' }): WireReply => ec2Xml('RunInstances', `<instancesSet>${instanceXml(facts)}</instancesSet>`);

export const TRUST = encodeURIComponent('{"Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}');

export const profileReply = (roles = `<member><RoleName>r</RoleName><RoleId>AROA</RoleId><Arn>a</Arn><Path>/</Path><CreateDate>2026-01-01T00:00:00Z</CreateDate><AssumeRolePolicyDocument>${TRUST}</AssumeRolePolicyDocument></member>`): WireReply =>
  queryXml('GetInstanceProfile', `<InstanceProfile><InstanceProfileName>p</InstanceProfileName><InstanceProfileId>AIPA</InstanceProfileId><Arn>a</Arn><Path>/</Path><CreateDate>2026-01-01T00:00:00Z</CreateDate><Roles>${roles}</Roles></InstanceProfile>`);

/** Names of AWS managed policies, or whole ARNs. */
export const policiesReply = (...policies: string[]): WireReply =>
  queryXml('ListAttachedRolePolicies', `<AttachedPolicies>${policies.map((one) => `<member><PolicyName>${one.split('/').at(-1)}</PolicyName><PolicyArn>${one.startsWith('arn:') ? one : `arn:aws:iam::aws:policy/${one}`}</PolicyArn></member>`).join('')}</AttachedPolicies><IsTruncated>false</IsTruncated>`);

export const typeReply = (type = 't3.micro', extra = '', architecture = 'x86_64', vcpus = 2): WireReply =>
  ec2Xml('DescribeInstanceTypes', `<instanceTypeSet><item><instanceType>${type}</instanceType><processorInfo><supportedArchitectures><item>${architecture}</item></supportedArchitectures></processorInfo><vCpuInfo><defaultVCpus>${vcpus}</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>1024</sizeInMiB></memoryInfo>${extra}</item></instanceTypeSet>`);

export const GPU = '<gpuInfo><gpus><item><name>T4</name><manufacturer>NVIDIA</manufacturer><count>1</count></item></gpus></gpuInfo>';

export const imageReply = (id = 'ami-1', name = 'al2023', root = '/dev/xvda', gb = 8, architecture = 'x86_64'): WireReply => ec2Xml('DescribeImages', `<imagesSet>${imageXml(id, name, root, gb, architecture)}</imagesSet>`);

export const imageXml = (id: string, name: string, root: string, gb: number, architecture = 'x86_64', created = '2026-01-01T00:00:00.000Z'): string =>
  `<item><imageId>${id}</imageId><imageState>available</imageState><name>${name}</name><architecture>${architecture}</architecture><creationDate>${created}</creationDate><rootDeviceName>${root}</rootDeviceName><blockDeviceMapping><item><deviceName>${root}</deviceName><ebs><volumeSize>${gb}</volumeSize></ebs></item></blockDeviceMapping></item>`;

export const subnetXml = (id: string, zone: string, free = 100): string =>
  `<item><subnetId>${id}</subnetId><vpcId>vpc-1</vpcId><availabilityZone>${zone}</availabilityZone><availableIpAddressCount>${free}</availableIpAddressCount><mapPublicIpOnLaunch>true</mapPublicIpOnLaunch><defaultForAz>true</defaultForAz></item>`;

export const zonesReply = (...zones: string[]): WireReply =>
  ec2Xml('DescribeInstanceTypeOfferings', `<instanceTypeOfferingSet>${zones.map((zone) => `<item><instanceType>t3.micro</instanceType><locationType>availability-zone</locationType><location>${zone}</location></item>`).join('')}</instanceTypeOfferingSet>`);

export const groupsReply = (...groups: string[]): WireReply => ec2Xml('DescribeSecurityGroups', `<securityGroupInfo>${groups.join('')}</securityGroupInfo>`);

export const groupXml = (id: string, name: string, rules = ''): string => `<item><groupId>${id}</groupId><groupName>${name}</groupName><vpcId>vpc-1</vpcId><ipPermissions>${rules}</ipPermissions></item>`;

export const priceText = (usd: string, unit = 'Hrs'): string =>
  JSON.stringify({ publicationDate: '2026-08-17T00:00:00Z', terms: { OnDemand: { 'A.B': { priceDimensions: { 'A.B.C': { unit, pricePerUnit: { USD: usd } } } } } } });

/** An account in which every look-up before a launch succeeds. */
export function allIsWell(wire: WireDouble): void {
  wire.on('DescribeInstanceTypes', typeReply());
  wire.on('DescribeInstanceTypeOfferings', zonesReply('us-east-1b', 'us-east-1c'));
  wire.on('DescribeSubnets', ec2Xml('DescribeSubnets', `<subnetSet>${subnetXml('subnet-a', 'us-east-1a')}${subnetXml('subnet-c', 'us-east-1c')}${subnetXml('subnet-b', 'us-east-1b')}</subnetSet>`));
  wire.on('DescribeSecurityGroups', groupsReply());
  wire.on('CreateSecurityGroup', ec2Xml('CreateSecurityGroup', '<groupId>sg-0own</groupId>'));
  wire.on('DescribeImages', imageReply());
  wire.on('DescribeKeyPairs', ec2Xml('DescribeKeyPairs', '<keySet><item><keyName>laptop</keyName></item></keySet>'));
  wire.on('GetParameter', jsonReply({ Parameter: { Name: 'x', Value: 'ami-1' } }));
  wire.on('GetInstanceProfile', profileReply());
  wire.on('ListAttachedRolePolicies', policiesReply('AmazonSSMManagedInstanceCore'));
  wire.on('GetServiceQuota', jsonReply({ Quota: { Value: 32 } }));
  wire.on('DescribeInstances', instances());
  wire.on('GetProducts', (request) => jsonReply({ PriceList: request.body.includes('gp3') ? [priceText('0.0800000000', 'GB-Mo')] : [priceText('0.0000000000'), priceText('0.0104000000')] }));
  wire.on('RunInstances', launched());
}
