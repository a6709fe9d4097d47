// Codes that a launch may meet: capacity, quotas, and everything that it names (type, image, key, network, profile).
// Source: EC2 API Reference, "Error codes"; EC2 User Guide, "Troubleshoot launch issues".
import { inRegion, listMachines, named, orWord, PAGES, regionFlag } from './error-row.ts';
import type { ErrorRow } from './error-row.ts';
import { quotaCode } from './quota-table.ts';

const TYPE = /^[a-z][a-z0-9-]*\.[a-z0-9-]+$/;

export const LAUNCH_ERRORS: ErrorRow[] = [
  {
    codes: ['InsufficientInstanceCapacity', 'InsufficientHostCapacity', 'InsufficientReservedInstanceCapacity', 'InsufficientCapacity', 'InsufficientCapacityOnHost', 'UnfulfillableCapacity', 'ReservationCapacityExceeded', 'InsufficientVolumeCapacity', 'CapacityNotAvailable'],
    as: 'capacity',
    says: (c) => `no capacity for ${named(c)}${inRegion(c)} now`,
    why: 'AWS has no free machine of this type in that zone at this moment. It says nothing about the account: minutes later, in another zone, or for a sibling type the answer may differ. Large GPU types are short most of the time.',
    hints: (c) => [`aws ec2 describe-instance-type-offerings --location-type availability-zone --filters Name=instance-type,Values=${orWord(c, TYPE, 'TYPE')} --query 'InstanceTypeOfferings[].Location' --output text${regionFlag(c)}`, `runctl aws create ${orWord(c, TYPE, 'TYPE')} --zone ZONE`, 'export AWS_REGION=us-west-2   # another region'],
    docs: PAGES.launch,
  },
  {
    codes: ['Unsupported', 'UnsupportedInstanceTypeOnHost', 'InstanceTypeNotSupported'],
    as: 'capacity',
    says: (c) => `${named(c)} is not offered there`,
    why: 'The type does not exist in that zone or region, or not with this image, tenancy or purchase option.',
    hints: (c) => [`aws ec2 describe-instance-type-offerings --location-type availability-zone --filters Name=instance-type,Values=${orWord(c, TYPE, 'TYPE')}${regionFlag(c)}`],
    docs: PAGES.launch,
  },
  {
    codes: ['InsufficientFreeAddressesInSubnet', 'InsufficientAddressCapacity', 'PrivateIpAddressLimitExceeded', 'AddressLimitExceeded', 'NetworkInterfaceLimitExceeded'],
    as: 'capacity',
    says: () => 'the subnet, or the account, has no free address',
    why: 'Every machine takes an address of its subnet; deleted network interfaces give theirs back after some minutes only.',
    hints: (c) => [`aws ec2 describe-subnets --query 'Subnets[].[SubnetId,AvailabilityZone,AvailableIpAddressCount]' --output text${regionFlag(c)}`, 'runctl aws create TYPE --zone ZONE'],
    docs: PAGES.ec2,
  },
  {
    codes: ['VcpuLimitExceeded', 'InstanceLimitExceeded', 'MaxFleetCountExceeded', 'VolumeLimitExceeded', 'MaxIOPSLimitExceeded', 'SnapshotLimitExceeded', 'ConcurrentSnapshotLimitExceeded', 'SecurityGroupLimitExceeded', 'RulesPerSecurityGroupLimitExceeded', 'SecurityGroupsPerInstanceLimitExceeded', 'ResourceLimitExceeded', 'HostLimitExceeded', 'TagLimitExceeded', 'LimitExceeded', 'QuotaExceededException', 'ServiceQuotaExceededException', 'LaunchTemplateLimitExceeded', 'KeyPairLimitExceeded', 'InstanceProfileLimitExceeded', 'LaunchTemplateVersionLimitExceeded', 'DiskCountLimitExceeded'],
    as: 'quota',
    says: (c) => `an account quota is used up${inRegion(c)} (${c.awsCode})`,
    why: 'Every account has limits per region: vCPUs per family of types, disks, snapshots, groups. New accounts often have 0 vCPUs for GPU types. Running and pending machines count, those of others in the account too.',
    hints: (c) => [listMachines(c), `aws service-quotas list-service-quotas --service-code ec2 --query 'Quotas[].[QuotaCode,QuotaName,Value]' --output text${regionFlag(c)}`, `aws service-quotas request-service-quota-increase --service-code ec2 --quota-code ${quotaCode(c.subject ?? '', 'on-demand') ?? 'L-1216C47A'} --desired-value 32${regionFlag(c)}`],
    docs: PAGES.limits,
  },
  {
    codes: ['InvalidParameterValue', 'NoSuchEntity'],
    as: 'profile-missing',
    when: (c) => c.service === 'ec2' && /instance ?profile/i.test(c.awsMessage),
    says: () => 'EC2 does not take the instance profile of this launch',
    why: 'There is no such profile, it has no role, or it was made seconds ago and EC2 does not know it yet.',
    hints: () => ["aws iam list-instance-profiles --query 'InstanceProfiles[].[InstanceProfileName,Roles[0].RoleName]' --output text", 'runctl doctor'],
    docs: 'https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html',
  },
  {
    codes: ['InvalidAMIID.NotFound', 'InvalidAMIID.Malformed', 'InvalidAMIID.Unavailable', 'ParameterNotFound', 'ParameterVersionNotFound', 'InvalidImageID.NotFound', 'AMIDisabled', 'InvalidAMIName.Malformed'],
    as: 'usage',
    says: (c) => `no image ${named(c)}${inRegion(c)}; images belong to one region`,
    why: 'The id is of another region, the image was deregistered, or it is not shared with this account.',
    hints: (c) => [`aws ec2 describe-images --owners amazon --filters 'Name=name,Values=al2023-ami-2023*' --query 'Images[].[ImageId,Name]' --output text${regionFlag(c)}`],
    docs: 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/finding-an-ami.html',
  },
  {
    codes: ['InvalidInstanceType', 'InvalidInstanceTypes', 'InstanceTypeNotFound'],
    as: 'usage',
    says: (c) => `no instance type ${named(c)}${inRegion(c)}`,
    why: 'Mistyped, or the region does not have it.',
    hints: (c) => [`aws ec2 describe-instance-types --query 'InstanceTypes[].InstanceType' --output text${regionFlag(c)}`],
    docs: 'https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-types.html',
  },
  {
    codes: ['InvalidGroup.NotFound', 'InvalidGroupId.Malformed', 'InvalidGroupId.NotFound', 'InvalidSecurityGroupID.NotFound', 'InvalidSecurityGroupID.Malformed', 'InvalidSecurityGroupId', 'InvalidSecurityGroup.NotFound'],
    as: 'usage',
    says: (c) => `no security group ${named(c)}${inRegion(c)}`,
    why: 'Groups belong to one VPC in one region; a group made a second ago may not be known everywhere yet.',
    hints: (c) => [`aws ec2 describe-security-groups --query 'SecurityGroups[].[GroupId,GroupName,VpcId]' --output text${regionFlag(c)}`],
    docs: PAGES.ec2,
  },
  {
    codes: ['InvalidGroup.Duplicate', 'InvalidPermission.Duplicate', 'InvalidKeyPair.Duplicate', 'InvalidLaunchTemplateName.AlreadyExistsException', 'InvalidVolume.Duplicate', 'EntityAlreadyExists', 'EntityAlreadyExistsException', 'RepositoryAlreadyExistsException', 'InvalidTagKey.Duplicate'],
    as: 'cloud-refused',
    says: (c) => `${named(c)} exists already`,
    why: 'Something of that name is there, made by an earlier run or by somebody else.',
    hints: (c) => [`aws ec2 describe-tags --filters Name=key,Values=runctl:owner --output text${regionFlag(c)}`],
    docs: PAGES.ec2,
  },
  {
    codes: ['InvalidPermission.NotFound', 'InvalidPermission.Malformed', 'InvalidPortRange'],
    as: 'cloud-refused',
    says: (c) => `security group ${named(c)} has no such rule, or cannot have it`,
    why: 'The rule was taken away by somebody else, or its ports and addresses do not make a rule.',
    hints: (c) => [`aws ec2 describe-security-group-rules${regionFlag(c)}`],
    docs: PAGES.ec2,
  },
  {
    codes: ['InvalidKeyPair.NotFound', 'InvalidKey.Format', 'InvalidKeyPair.Format'],
    as: 'usage',
    says: (c) => `no key pair ${named(c)}${inRegion(c)}`,
    why: 'Key pairs belong to one region. runctl needs none: it works through SSM.',
    hints: (c) => [`aws ec2 describe-key-pairs --query 'KeyPairs[].KeyName' --output text${regionFlag(c)}`, `aws ec2 import-key-pair --key-name ${orWord(c, /^[\w.-]+$/, 'NAME')} --public-key-material fileb://~/.ssh/id_ed25519.pub${regionFlag(c)}`],
    docs: 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/create-key-pairs.html',
  },
  {
    codes: ['InvalidSubnetID.NotFound', 'InvalidSubnetID.Malformed', 'InvalidSubnet', 'InvalidVpcID.NotFound', 'InvalidVpcID.Malformed', 'VPCIdNotSpecified', 'MissingInput', 'DefaultVpcDoesNotExist', 'DefaultSubnetAlreadyExistsInAvailabilityZone', 'VpcNotFound'],
    as: 'usage',
    says: (c) => `no usable subnet${c.subject ? ` ${c.subject}` : ''}${inRegion(c)}`,
    why: 'The subnet is of another region or gone, or the account has no default VPC there and none was named.',
    hints: (c) => [`aws ec2 describe-subnets --query 'Subnets[].[SubnetId,VpcId,AvailabilityZone]' --output text${regionFlag(c)}`, `aws ec2 create-default-vpc${regionFlag(c)}`],
    docs: 'https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc.html',
  },
  {
    codes: ['InvalidUserData.Malformed', 'InvalidBlockDeviceMapping', 'InvalidTagKey.Malformed', 'InvalidInterface.IpAddressLimitExceeded', 'InvalidNetworkInterfaceID.NotFound'],
    as: 'cloud-refused',
    says: (c) => `EC2 did not take a part of the launch of ${named(c)} (${c.awsCode})`,
    why: 'User data has at most 16 KiB, tags have a narrow set of characters, and disks must fit the image.',
    hints: () => ['runctl config show', 'runctl aws create --help'],
    docs: PAGES.ec2,
  },
];
