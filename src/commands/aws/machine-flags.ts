// The flags that describe a new machine, for every command that creates one.
import type { Flags, Input } from '../../cli/command.ts';
import type { NewMachine } from '../../engine/create.ts';

export const MACHINE_FLAGS = {
  iamInstanceProfile: { kind: 'text', placeholder: 'NAME', summary: 'instance profile that lets SSM in (else aws.iam_instance_profile)' },
  keyName: { kind: 'text', placeholder: 'NAME', summary: 'EC2 key pair for SSH' },
  securityGroup: { kind: 'text', placeholder: 'NAME|ID', summary: 'security group (default: one named runctl with nothing open)' },
  subnetId: { kind: 'text', placeholder: 'ID', summary: 'subnet (default: one of the default VPC where the type is offered)' },
  zone: { kind: 'text', placeholder: 'ZONE', summary: 'availability zone such as us-east-1a' },
  amiId: { kind: 'text', placeholder: 'AMI', summary: 'image (default: Amazon Linux 2023, for GPU types the Deep Learning AMI)' },
  rootVolumeSize: { kind: 'number', placeholder: 'GB', min: 1, max: 65_536, summary: 'root disk (default 30, GPU types 100, never less than the image needs)' },
  projectName: { kind: 'text', placeholder: 'NAME', summary: 'project tag (default: aws.project_name, else the directory name)' },
} as const satisfies Flags;

export function newMachine(flags: Input<typeof MACHINE_FLAGS>['flags']): Omit<NewMachine, 'type'> {
  return {
    image: flags.amiId,
    profile: flags.iamInstanceProfile,
    keyName: flags.keyName,
    securityGroup: flags.securityGroup,
    subnet: flags.subnetId,
    zone: flags.zone,
    rootVolumeGb: flags.rootVolumeSize,
    project: flags.projectName,
  };
}
