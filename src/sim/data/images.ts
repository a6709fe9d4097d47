// Does: the machine images of the pretend cloud and the SSM public parameters that name them.
// Gaps: Amazon Linux 2023, Ubuntu 22.04/24.04 and Deep Learning images only; no image can be made or copied.
// By design: ids are derived from name and region, so they are the same in every world and never those of AWS;
// an instance runs on the host's own userland whatever its image says.
// Source: EC2 User Guide "Reference the latest AMIs using SSM public parameters"; Canonical "Find Ubuntu images on AWS";
// AWS Deep Learning AMI release notes 2026 (names, parameters); EC2 API Reference, DescribeImages (fields).
import { createHash } from 'node:crypto';

export interface ImageFact {
  name: string;
  description: string;
  architecture: 'x86_64' | 'arm64';
  rootDevice: string;
  /** Size of the root snapshot: the least size of a root volume. */
  rootGb: number;
  ownerId: string;
  ownerAlias?: string;
  imdsV2Only: boolean;
  /** ISO time, as DescribeImages gives it. */
  createdAt: string;
  deprecatesAt: string;
  bootMode: 'uefi' | 'uefi-preferred';
  /** Whether the SSM agent is part of the image. */
  ssmAgent: boolean;
  /** SSM public parameters whose value is this image's id. */
  parameters: string[];
}

const AMAZON = '137112412989';
const DEEP_LEARNING = '898082745236';
const CANONICAL = '099720109477';

function amazonLinux(architecture: 'x86_64' | 'arm64', minimal: boolean): ImageFact {
  const kind = minimal ? 'al2023-ami-minimal' : 'al2023-ami';
  return {
    name: `${kind}-2023.9.20260810.0-kernel-6.1-${architecture}`,
    description: `Amazon Linux 2023 AMI 2023.9.20260810.0 ${architecture} HVM kernel-6.1`,
    architecture,
    rootDevice: '/dev/xvda',
    rootGb: minimal ? 2 : 8,
    ownerId: AMAZON,
    ownerAlias: 'amazon',
    imdsV2Only: true,
    createdAt: '2026-08-10T19:21:44.000Z',
    deprecatesAt: '2026-11-08T19:22:00.000Z',
    bootMode: architecture === 'arm64' ? 'uefi' : 'uefi-preferred',
    ssmAgent: !minimal,
    parameters: [`${kind}-kernel-default-${architecture}`, `${kind}-kernel-6.1-${architecture}`].map(
      (name) => `/aws/service/ami-amazon-linux-latest/${name}`,
    ),
  };
}

function ubuntu(release: string, codename: string, architecture: 'x86_64' | 'arm64'): ImageFact {
  const arch = architecture === 'arm64' ? 'arm64' : 'amd64';
  const store = release === '22.04' ? 'ebs-gp2' : 'ebs-gp3';
  const folder = release === '22.04' ? 'hvm-ssd' : 'hvm-ssd-gp3';
  return {
    name: `ubuntu/images/${folder}/ubuntu-${codename}-${release}-${arch}-server-20260805`,
    description: `Canonical, Ubuntu, ${release}, ${arch} ${codename} image`,
    architecture,
    rootDevice: '/dev/sda1',
    rootGb: 8,
    ownerId: CANONICAL,
    imdsV2Only: release !== '22.04',
    createdAt: '2026-08-05T07:11:02.000Z',
    deprecatesAt: '2028-08-05T07:11:02.000Z',
    bootMode: architecture === 'arm64' ? 'uefi' : 'uefi-preferred',
    ssmAgent: true,
    parameters: [`/aws/service/canonical/ubuntu/server/${release}/stable/current/${arch}/hvm/${store}/ami-id`],
  };
}

function deepLearning(name: string, parameter: string, rootDevice: string, rootGb: number, architecture: 'x86_64' | 'arm64' = 'x86_64'): ImageFact {
  return {
    name: `${name} 20260807`,
    description: 'Supported EC2 instances: G4dn, G5, G6, Gr6, G6e, P4d, P4de, P5, P5e, P5en, P6-B200.',
    architecture,
    rootDevice,
    rootGb,
    ownerId: DEEP_LEARNING,
    ownerAlias: 'amazon',
    imdsV2Only: true,
    createdAt: '2026-08-07T12:04:18.000Z',
    deprecatesAt: '2028-08-07T12:04:18.000Z',
    bootMode: 'uefi-preferred',
    ssmAgent: true,
    parameters: [`/aws/service/deeplearning/ami/${architecture}/${parameter}/latest/ami-id`],
  };
}

export const IMAGES: ImageFact[] = [
  amazonLinux('x86_64', false),
  amazonLinux('arm64', false),
  amazonLinux('x86_64', true),
  amazonLinux('arm64', true),
  ubuntu('22.04', 'jammy', 'x86_64'),
  ubuntu('22.04', 'jammy', 'arm64'),
  ubuntu('24.04', 'noble', 'x86_64'),
  ubuntu('24.04', 'noble', 'arm64'),
  deepLearning('Deep Learning Base OSS Nvidia Driver GPU AMI (Amazon Linux 2023)', 'base-oss-nvidia-driver-gpu-amazon-linux-2023', '/dev/xvda', 75),
  deepLearning('Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04)', 'base-oss-nvidia-driver-gpu-ubuntu-22.04', '/dev/sda1', 65),
  deepLearning('Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04)', 'base-oss-nvidia-driver-gpu-ubuntu-24.04', '/dev/sda1', 75),
  deepLearning('Deep Learning OSS Nvidia Driver AMI GPU PyTorch 2.7 (Ubuntu 22.04)', 'oss-nvidia-driver-gpu-pytorch-2.7-ubuntu-22.04', '/dev/sda1', 75),
  deepLearning('Deep Learning OSS Nvidia Driver AMI GPU PyTorch 2.9 (Ubuntu 24.04)', 'oss-nvidia-driver-gpu-pytorch-2.9-ubuntu-24.04', '/dev/sda1', 75),
];

function hexDigits(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 17);
}

export function imageId(image: ImageFact, region: string): string {
  return `ami-${hexDigits(`${region} ${image.name}`)}`;
}

export function snapshotId(image: ImageFact, region: string): string {
  return `snap-${hexDigits(`${region} ${image.name} root`)}`;
}

export function findImage(id: string, region: string): ImageFact | undefined {
  return IMAGES.find((image) => imageId(image, region) === id);
}

/** The image id that an SSM public parameter holds in a region, or undefined when there is no such parameter. */
export function publicParameter(name: string, region: string): string | undefined {
  const image = IMAGES.find((candidate) => candidate.parameters.includes(name));
  return image && imageId(image, region);
}
