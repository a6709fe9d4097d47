// Does: what DescribeInstanceTypes tells of a useful set of instance types: small general ones and those with GPUs.
// Gaps: some 50 of about 1,000 types; network and EBS limits only where they are simple; every type is offered in every zone
// except the large GPU types, which are offered in two zones of a region.
// Source: AWS instance type pages (vCPU, memory, GPU, local NVMe), EC2 API Reference DescribeInstanceTypes.

interface GpuFact {
  name: string;
  manufacturer: 'NVIDIA';
  count: number;
  memoryMiB: number;
}

export interface InstanceTypeFact {
  name: string;
  vcpus: number;
  cores: number;
  memoryMiB: number;
  architecture: 'x86_64' | 'arm64';
  gpu?: GpuFact;
  /** Local NVMe: total size and number of disks. */
  storage?: { totalGb: number; disks: number };
  burstable: boolean;
  hypervisor: 'nitro' | 'xen';
  network: string;
  freeTier: boolean;
  /** Offered in the first two zones of a region only. */
  scarce: boolean;
}

interface Extra {
  gpu?: [name: string, count: number, memoryMiB: number];
  storage?: [totalGb: number, disks: number];
  network?: string;
  scarce?: boolean;
}

const ARM_FAMILIES = new Set(['t4g', 'm7g', 'c7g']);
const XEN_FAMILIES = new Set(['p3']);
const FREE_TIER = new Set(['t3.micro', 't3.small', 't4g.micro', 't4g.small']);

function type(name: string, vcpus: number, memoryGiB: number, extra: Extra = {}): InstanceTypeFact {
  const family = name.split('.')[0] ?? '';
  const arm = ARM_FAMILIES.has(family);
  return {
    name,
    vcpus,
    // Arm cores have one thread each, x86 ones here two.
    cores: arm ? vcpus : Math.max(1, vcpus / 2),
    memoryMiB: memoryGiB * 1024,
    architecture: arm ? 'arm64' : 'x86_64',
    gpu: extra.gpu && { name: extra.gpu[0], manufacturer: 'NVIDIA', count: extra.gpu[1], memoryMiB: extra.gpu[2] },
    storage: extra.storage && { totalGb: extra.storage[0], disks: extra.storage[1] },
    burstable: family.startsWith('t'),
    hypervisor: XEN_FAMILIES.has(family) ? 'xen' : 'nitro',
    network: extra.network ?? 'Up to 10 Gigabit',
    freeTier: FREE_TIER.has(name),
    scarce: extra.scarce ?? false,
  };
}

function sizes(family: string, list: [size: string, vcpus: number, memoryGiB: number][], network?: string): InstanceTypeFact[] {
  return list.map(([size, vcpus, memoryGiB]) => type(`${family}.${size}`, vcpus, memoryGiB, { network }));
}

const BURSTABLE: [string, number, number][] = [['nano', 2, 0.5], ['micro', 2, 1], ['small', 2, 2], ['medium', 2, 4], ['large', 2, 8], ['xlarge', 4, 16], ['2xlarge', 8, 32]];
const GENERAL: [string, number, number][] = [['large', 2, 8], ['xlarge', 4, 16], ['2xlarge', 8, 32], ['4xlarge', 16, 64]];
const COMPUTE: [string, number, number][] = [['large', 2, 4], ['xlarge', 4, 8], ['2xlarge', 8, 16], ['4xlarge', 16, 32]];
const T4 = 16_384;
const L40S = 45_776;
const V100 = 16_384;

export const INSTANCE_TYPES: InstanceTypeFact[] = [
  ...sizes('t3', BURSTABLE, 'Up to 5 Gigabit'),
  ...sizes('t4g', BURSTABLE, 'Up to 5 Gigabit'),
  ...sizes('m5', GENERAL),
  ...sizes('m6i', GENERAL, 'Up to 12.5 Gigabit'),
  ...sizes('m7g', GENERAL, 'Up to 12.5 Gigabit'),
  ...sizes('c5', COMPUTE),
  ...sizes('c6i', COMPUTE, 'Up to 12.5 Gigabit'),
  ...sizes('c7g', COMPUTE, 'Up to 12.5 Gigabit'),
  ...sizes('r6i', [['large', 2, 16], ['xlarge', 4, 32]], 'Up to 12.5 Gigabit'),
  type('g4dn.xlarge', 4, 16, { gpu: ['T4', 1, T4], storage: [125, 1], network: 'Up to 25 Gigabit' }),
  type('g4dn.2xlarge', 8, 32, { gpu: ['T4', 1, T4], storage: [225, 1], network: 'Up to 25 Gigabit' }),
  type('g4dn.4xlarge', 16, 64, { gpu: ['T4', 1, T4], storage: [225, 1], network: 'Up to 25 Gigabit' }),
  type('g4dn.12xlarge', 48, 192, { gpu: ['T4', 4, T4], storage: [900, 1], network: '50 Gigabit' }),
  type('g5.xlarge', 4, 16, { gpu: ['A10G', 1, 24_576], storage: [250, 1] }),
  type('g5.2xlarge', 8, 32, { gpu: ['A10G', 1, 24_576], storage: [450, 1] }),
  type('g5.4xlarge', 16, 64, { gpu: ['A10G', 1, 24_576], storage: [600, 1], network: 'Up to 25 Gigabit' }),
  type('g5.12xlarge', 48, 192, { gpu: ['A10G', 4, 24_576], storage: [3800, 1], network: '40 Gigabit' }),
  type('g5.48xlarge', 192, 768, { gpu: ['A10G', 8, 24_576], storage: [7600, 2], network: '100 Gigabit' }),
  type('g6.xlarge', 4, 16, { gpu: ['L4', 1, 22_888], storage: [250, 1] }),
  type('g6.2xlarge', 8, 32, { gpu: ['L4', 1, 22_888], storage: [450, 1] }),
  type('g6.12xlarge', 48, 192, { gpu: ['L4', 4, 22_888], storage: [3760, 4], network: '40 Gigabit' }),
  type('g6.48xlarge', 192, 768, { gpu: ['L4', 8, 22_888], storage: [7520, 8], network: '100 Gigabit' }),
  type('g6e.xlarge', 4, 32, { gpu: ['L40S', 1, L40S], storage: [250, 1], network: 'Up to 20 Gigabit' }),
  type('g6e.2xlarge', 8, 64, { gpu: ['L40S', 1, L40S], storage: [450, 1], network: 'Up to 20 Gigabit' }),
  type('g6e.12xlarge', 48, 384, { gpu: ['L40S', 4, L40S], storage: [3800, 2], network: '100 Gigabit', scarce: true }),
  type('p3.2xlarge', 8, 61, { gpu: ['V100', 1, V100] }),
  type('p3.8xlarge', 32, 244, { gpu: ['V100', 4, V100], network: '10 Gigabit' }),
  type('p3.16xlarge', 64, 488, { gpu: ['V100', 8, V100], network: '25 Gigabit' }),
  type('p4d.24xlarge', 96, 1152, { gpu: ['A100', 8, 40_960], storage: [8000, 8], network: '4x 100 Gigabit', scarce: true }),
  type('p4de.24xlarge', 96, 1152, { gpu: ['A100', 8, 81_920], storage: [8000, 8], network: '4x 100 Gigabit', scarce: true }),
  type('p5.48xlarge', 192, 2048, { gpu: ['H100', 8, 81_920], storage: [30_400, 8], network: '3200 Gigabit', scarce: true }),
  type('p5en.48xlarge', 192, 2048, { gpu: ['H200', 8, 144_384], storage: [30_400, 8], network: '3200 Gigabit', scarce: true }),
];

const BY_NAME = new Map(INSTANCE_TYPES.map((fact) => [fact.name, fact]));

export function findInstanceType(name: string): InstanceTypeFact | undefined {
  return BY_NAME.get(name);
}

/** Whether a type can be launched in the zone at this place in its region's list. */
export function isOfferedInZone(fact: InstanceTypeFact, zoneIndex: number): boolean {
  return !fact.scarce || zoneIndex < 2;
}
