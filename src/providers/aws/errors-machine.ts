// Codes about things that exist: machines, disks, snapshots and launch templates.
// Source: EC2 API Reference, "Error codes"; EBS User Guide.
import { inRegion, listMachines, machineOr, named, orWord, PAGES, regionFlag } from './error-row.ts';
import type { ErrorRow } from './error-row.ts';

const volumes = (id: string, flag: string): string => `aws ec2 describe-volumes --query 'Volumes[].[VolumeId,State,AvailabilityZone,Size,Attachments[0].InstanceId]' --output text${id === '' ? '' : ` --volume-ids ${id}`}${flag}`;

export const MACHINE_ERRORS: ErrorRow[] = [
  {
    codes: ['InvalidInstanceID.NotFound', 'InvalidInstanceID', 'InstanceNotFound'],
    as: 'not-found',
    says: (c) => `no machine ${named(c)}${inRegion(c)}`,
    why: 'Wrong id, another region or account, or terminated more than an hour ago. Right after a launch EC2 may deny for seconds what it has just made.',
    hints: (c) => [listMachines(c), `aws ec2 describe-instances --instance-ids ${machineOr(c)}${regionFlag(c)}`],
    docs: PAGES.ec2,
  },
  {
    codes: ['InvalidInstanceID.Malformed'],
    as: 'usage',
    says: (c) => `${named(c)} is not a machine id (i- and 8 or 17 hexadecimal digits)`,
    why: 'A name, a cut id or an id of something else was given.',
    hints: (c) => [listMachines(c)],
    docs: PAGES.ec2,
  },
  {
    codes: ['IncorrectInstanceState', 'IncorrectState', 'IncorrectSpotRequestState', 'IncorrectStateException', 'InvalidInstanceID.NotLinkable', 'InvalidState', 'InvalidStateTransition'],
    as: 'wrong-state',
    says: (c) => `${named(c)} is in a state in which ${c.operation} cannot be done`,
    why: 'What was asked for goes from one state only, and the machine (or disk) has left it or not reached it yet.',
    hints: (c) => [`runctl aws status ${machineOr(c)}`, `runctl aws wait ${machineOr(c)}`],
    docs: PAGES.states,
  },
  {
    codes: ['UnsupportedOperation'],
    as: 'wrong-state',
    when: (c) => /spot instance/i.test(c.awsMessage),
    says: (c) => `${named(c)} is a one-time spot machine: it can be terminated, but not stopped`,
    why: 'Only spot machines of a persistent request can be stopped.',
    hints: (c) => [`runctl aws terminate ${machineOr(c)}`],
    docs: 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-stop.html',
  },
  {
    codes: ['UnsupportedOperation', 'OperationNotPermitted', 'UnsupportedHibernationConfiguration', 'UnsupportedOperationException'],
    as: 'wrong-state',
    says: (c) => `${named(c)} does not allow ${c.operation}`,
    why: 'Termination or stop protection is on, or machines of this kind cannot do it.',
    hints: (c) => [`runctl aws status ${machineOr(c)}`, `aws ec2 describe-instance-attribute --attribute disableApiTermination --instance-id ${machineOr(c)}${regionFlag(c)}`, `aws ec2 modify-instance-attribute --no-disable-api-termination --instance-id ${machineOr(c)}${regionFlag(c)}`],
    docs: 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_ChangingDisableAPITermination.html',
  },
  {
    codes: ['DependencyViolation', 'ResourceInUse', 'ResourceInUseException', 'InvalidGroup.InUse', 'InvalidSnapshot.InUse', 'DeleteConflict', 'DeleteConflictException'],
    as: 'wrong-state',
    says: (c) => `${named(c)} is still in use`,
    why: 'Something else needs it: a machine\'s network interface keeps its group for a while after the machine was terminated.',
    hints: (c) => [listMachines(c), `aws ec2 describe-network-interfaces --query 'NetworkInterfaces[].[NetworkInterfaceId,Status,Groups[0].GroupId]' --output text${regionFlag(c)}`],
    docs: PAGES.ec2,
  },
  {
    codes: ['InvalidVolume.NotFound', 'InvalidVolumeID.Malformed', 'InvalidVolumeModification.NotFound', 'InvalidAttachment.NotFound', 'InvalidVolumeID.Duplicate'],
    as: 'not-found',
    says: (c) => `no disk ${named(c)}${inRegion(c)}, or it is not attached there`,
    why: 'Deleted with its machine, of another region, or detached before.',
    hints: (c) => [volumes('', regionFlag(c))],
    docs: PAGES.volumes,
  },
  {
    codes: ['VolumeInUse', 'InvalidVolume.ZoneMismatch', 'AttachmentLimitExceeded', 'VolumeNotDetached', 'VolumeTypeNotAvailableInZone', 'UnknownVolumeType', 'InvalidDevice.InUse', 'EncryptedVolumesNotSupported', 'NonEBSInstance', 'InvalidVolume.Attached', 'IncorrectModificationState', 'VolumeModificationSizeLimitExceeded', 'VolumeModificationRateExceeded', 'VolumeIOPSLimit', 'InvalidVolumeModification', 'InvalidIOPSValue'],
    as: 'wrong-state',
    says: (c) => `the disk ${named(c)} cannot be used so now (${c.awsCode})`,
    why: 'A disk belongs to one zone and, mostly, to one machine at a time; a machine has room for a limited number; and a change of size or speed must end before the next begins.',
    hints: (c) => [volumes(orWord(c, /^vol-/, ''), regionFlag(c))],
    docs: PAGES.volumes,
  },
  {
    codes: ['InvalidSnapshot.NotFound', 'InvalidSnapshotID.Malformed', 'SnapshotCreationPerVolumeRateExceeded', 'IncorrectSnapshotState'],
    as: 'cloud-refused',
    says: (c) => `the snapshot of ${named(c)} is missing, not finished, or asked for too soon (${c.awsCode})`,
    why: 'Snapshots belong to one region and are usable once completed; of one disk only one is made every 15 seconds.',
    hints: (c) => [`aws ec2 describe-snapshots --owner-ids self --query 'Snapshots[].[SnapshotId,State,Progress]' --output text${regionFlag(c)}`],
    docs: 'https://docs.aws.amazon.com/ebs/latest/userguide/ebs-snapshots.html',
  },
  {
    codes: ['InvalidLaunchTemplateId.NotFound', 'InvalidLaunchTemplateId.Malformed', 'InvalidLaunchTemplateName.NotFoundException', 'InvalidLaunchTemplateName.MalformedException', 'InvalidLaunchTemplateId.VersionNotFound', 'LaunchTemplateNameAlreadyExists', 'InvalidLaunchTemplate'],
    as: 'not-found',
    says: (c) => `no launch template ${named(c)}${inRegion(c)}`,
    why: 'Deleted, of another region, or of another version.',
    hints: (c) => [`aws ec2 describe-launch-templates --query 'LaunchTemplates[].[LaunchTemplateId,LaunchTemplateName,LatestVersionNumber]' --output text${regionFlag(c)}`],
    docs: 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-launch-templates.html',
  },
];
