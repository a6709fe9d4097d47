// Does: DescribeInstanceTypes and DescribeInstanceTypeOfferings from the table in data/instance-types.ts.
// Gaps: EBS and network figures that the table does not hold are left out.
// Source: EC2 API Reference, data type InstanceTypeInfo; element names from botocore's model of API version 2016-11-15.
import { INSTANCE_TYPES, findInstanceType, isOfferedInZone } from '../../data/instance-types.ts';
import type { InstanceTypeFact } from '../../data/instance-types.ts';
import { findRegion } from '../../data/regions.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryService, Xml } from '../../wire/call.ts';
import { dryRun, text, texts } from './params.ts';
import { filterRows, page } from './select.ts';

function threads(fact: InstanceTypeFact): number {
  return fact.vcpus / fact.cores;
}

function typeXml(fact: InstanceTypeFact): Xml {
  const nitro = fact.hypervisor === 'nitro';
  return {
    instanceType: fact.name,
    currentGeneration: !fact.name.startsWith('p3.'),
    freeTierEligible: fact.freeTier,
    supportedUsageClasses: { item: usageClasses(fact) },
    supportedRootDeviceTypes: { item: ['ebs'] },
    supportedVirtualizationTypes: { item: ['hvm'] },
    bareMetal: false,
    hypervisor: fact.hypervisor,
    processorInfo: { supportedArchitectures: { item: [fact.architecture] }, manufacturer: manufacturer(fact) },
    vCpuInfo: { defaultVCpus: fact.vcpus, defaultCores: fact.cores, defaultThreadsPerCore: threads(fact) },
    memoryInfo: { sizeInMiB: fact.memoryMiB },
    instanceStorageSupported: fact.storage !== undefined,
    instanceStorageInfo: fact.storage && {
      totalSizeInGB: fact.storage.totalGb,
      disks: { item: [{ sizeInGB: fact.storage.totalGb / fact.storage.disks, count: fact.storage.disks, type: 'ssd' }] },
      nvmeSupport: 'required',
      encryptionSupport: 'required',
    },
    ebsInfo: { ebsOptimizedSupport: 'default', encryptionSupport: 'supported', nvmeSupport: nitro ? 'required' : 'unsupported' },
    networkInfo: { networkPerformance: fact.network, ipv6Supported: true, enaSupport: nitro ? 'required' : 'supported', efaSupported: false },
    gpuInfo: fact.gpu && {
      gpus: { item: [{ name: fact.gpu.name, manufacturer: fact.gpu.manufacturer, count: fact.gpu.count, memoryInfo: { sizeInMiB: fact.gpu.memoryMiB } }] },
      totalGpuMemoryInMiB: fact.gpu.memoryMiB * fact.gpu.count,
    },
    placementGroupInfo: { supportedStrategies: { item: ['cluster', 'partition', 'spread'] } },
    hibernationSupported: false,
    burstablePerformanceSupported: fact.burstable,
    dedicatedHostsSupported: !fact.name.startsWith('t4g.'),
    autoRecoverySupported: fact.storage === undefined,
    supportedBootModes: { item: fact.architecture === 'arm64' ? ['uefi'] : nitro ? ['legacy-bios', 'uefi'] : ['legacy-bios'] },
  };
}

function usageClasses(fact: InstanceTypeFact): string[] {
  return fact.name.startsWith('p') && fact.scarce ? ['on-demand', 'spot', 'capacity-block'] : ['on-demand', 'spot'];
}

function manufacturer(fact: InstanceTypeFact): string {
  if (fact.architecture === 'arm64') return 'AWS';
  return /^(?:g5|g6|g6e)\./.test(fact.name) ? 'AMD' : 'Intel';
}

export const instanceTypeOperations: QueryService['operations'] = {
  DescribeInstanceTypes(params): Xml {
    const names = texts(params, 'InstanceType');
    if (names.length > 100) throw new AwsFault('InvalidParameterValue', 'At most 100 instance types may be given.');
    if (names.length > 0 && params['MaxResults'] !== undefined) {
      throw new AwsFault('InvalidParameterCombination', 'The parameter InstanceTypes cannot be used with the parameter MaxResults');
    }
    const unknown = names.filter((name) => !findInstanceType(name));
    if (unknown.length > 0) throw new AwsFault('InvalidInstanceType', `The following supplied instance types do not exist: [${unknown.join(', ')}]`);
    const chosen = names.length === 0 ? INSTANCE_TYPES : INSTANCE_TYPES.filter((fact) => names.includes(fact.name));
    const matching = filterRows(chosen, params, {
      'instance-type': (fact) => fact.name,
      'current-generation': (fact) => String(!fact.name.startsWith('p3.')),
      'free-tier-eligible': (fact) => String(fact.freeTier),
      'burstable-performance-supported': (fact) => String(fact.burstable),
      'bare-metal': () => 'false',
      hypervisor: (fact) => fact.hypervisor,
      'instance-storage-supported': (fact) => String(fact.storage !== undefined),
      'memory-info.size-in-mib': (fact) => String(fact.memoryMiB),
      'processor-info.supported-architecture': (fact) => fact.architecture,
      'supported-usage-class': usageClasses,
      'supported-root-device-type': () => 'ebs',
      'supported-virtualization-type': () => 'hvm',
      'vcpu-info.default-vcpus': (fact) => String(fact.vcpus),
      'vcpu-info.default-cores': (fact) => String(fact.cores),
    });
    dryRun(params);
    const { rows, nextToken } = page(matching, params, (fact) => fact.name, { least: 5, most: 100 });
    return { instanceTypeSet: { item: rows.map(typeXml) }, nextToken };
  },

  DescribeInstanceTypeOfferings(params, { region }): Xml {
    const locationType = text(params, 'LocationType') ?? 'region';
    const zones = findRegion(region)?.zones ?? [];
    const places: Record<string, { location: string; offers(fact: InstanceTypeFact): boolean }[]> = {
      region: [{ location: region, offers: () => true }],
      'availability-zone': zones.map((zone, index) => ({ location: zone.name, offers: (fact) => isOfferedInZone(fact, index) })),
      'availability-zone-id': zones.map((zone, index) => ({ location: zone.id, offers: (fact) => isOfferedInZone(fact, index) })),
      outpost: [],
    };
    const chosen = Object.hasOwn(places, locationType) ? places[locationType] : undefined;
    if (!chosen) throw new AwsFault('InvalidParameterValue', `Invalid value '${locationType}' for LocationType.`);
    const offerings = INSTANCE_TYPES.flatMap((fact) => chosen.filter((place) => place.offers(fact)).map(({ location }) => ({ type: fact.name, location })));
    const matching = filterRows(offerings, params, { 'instance-type': (row) => row.type, location: (row) => row.location });
    dryRun(params);
    const { rows, nextToken } = page(matching, params, (row) => `${row.type} ${row.location}`, { least: 5, most: 1000 });
    return { instanceTypeOfferingSet: { item: rows.map((row) => ({ instanceType: row.type, locationType, location: row.location })) }, nextToken };
  },
};
