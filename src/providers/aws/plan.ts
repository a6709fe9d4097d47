// Every choice about a new machine, made and checked before anything exists. Questions that do not depend on one another go out
// together; when several fail, the first in the list below is reported, so that the same mistake always reads the same.
import type { InstanceTypeInfo } from '@aws-sdk/client-ec2';
import { RunctlError } from '../../core/errors.ts';
import type { MachinePlan, MachineRequest } from '../../core/machine.ts';
import { nearest } from '../../core/nearest.ts';
import type { AwsApi } from './clients.ts';
import { isAwsCode } from './errors.ts';
import { architectureOf, chooseImage, hasNvidiaGpu } from './image.ts';
import { TAG } from './machines.ts';
import { candidateSubnets, chooseSubnet, findGroup, zonesOffering } from './network.ts';
import { hourlyPrice, unitPrices } from './prices.ts';
import { checkProfile } from './profile.ts';
import { readQuota, requireQuota } from './quota.ts';

/** What a request may leave out and the configuration may say. */
export interface PlanDefaults {
  ami?: string;
  profile?: string;
  keyName?: string;
  securityGroup?: string;
  subnet?: string;
  rootVolumeGb?: number;
  /** For tags that the request leaves out. */
  owner?: string;
  project?: string;
}

/** The part of the plan that only this provider reads. */
export interface AwsPlanDetail {
  vpcId: string;
  vcpus?: number;
  memoryMb?: number;
  gpus: string[];
  /** `unknown`: the credentials may not look at IAM. */
  profileCheck: 'ok' | 'unknown' | 'none';
  publicAddress: boolean;
  shutdownBehavior: 'stop' | 'terminate';
}

const ROOT_GB = 30;
const GPU_ROOT_GB = 100;

export async function planMachine(api: AwsApi, request: MachineRequest, defaults: PlanDefaults, signal?: AbortSignal): Promise<MachinePlan> {
  const region = await api.region();
  const profile = request.profile ?? defaults.profile;
  const keyName = request.keyName ?? defaults.keyName;
  const wantedGroup = request.securityGroup ?? defaults.securityGroup;
  const type = describeType(api, request.type, region, signal);
  const subnets = candidateSubnets(api, request.subnet ?? defaults.subnet, signal);
  const zones = zonesOffering(api, request.type, signal);
  const subnet = inOrder([type, subnets, zones]).then(([, found, offered]) =>
    chooseSubnet(found, offered, { type: request.type, zone: request.zone, subnet: request.subnet ?? defaults.subnet, region }),
  );
  const [typeInfo, profileCheck, , image, place, securityGroup, unit, quota] = await inOrder([
    type,
    profile ? checkProfile(api, profile, signal) : Promise.resolve('none' as const),
    keyName ? checkKey(api, keyName, region, signal) : Promise.resolve(),
    type.then((info) => chooseImage(api, request.image ?? defaults.ami, info, signal)),
    subnet,
    subnet.then((chosen) => findGroup(api, wantedGroup, chosen.vpcId, signal)),
    unitPrices(api, request.type, 'on-demand', region, signal),
    readQuota(api, request.type, signal),
  ]);
  const vcpus = typeInfo.VCpuInfo?.DefaultVCpus;
  requireQuota(request.type, vcpus, quota, region);
  const rootVolumeGb = rootSize(request.rootVolumeGb ?? defaults.rootVolumeGb, image.minimumGb, hasNvidiaGpu(typeInfo), image.id);
  const detail: AwsPlanDetail = {
    vpcId: place.vpcId,
    ...(vcpus === undefined ? {} : { vcpus }),
    ...(typeInfo.MemoryInfo?.SizeInMiB === undefined ? {} : { memoryMb: typeInfo.MemoryInfo.SizeInMiB }),
    gpus: (typeInfo.GpuInfo?.Gpus ?? []).map((gpu) => `${gpu.Count ?? 1} x ${gpu.Name ?? 'GPU'}`),
    profileCheck,
    publicAddress: place.publicAddress,
    // An agent inside may shut the machine down; only who planned for it loses the disk by that.
    shutdownBehavior: 'stop',
  };
  return {
    type: request.type,
    market: 'on-demand',
    region,
    zone: place.zone,
    image: { id: image.id, name: image.name, architecture: image.architecture || architectureOf(typeInfo), rootDevice: image.rootDevice },
    ...(profile ? { profile } : {}),
    ...(keyName ? { keyName } : {}),
    subnet: place.id,
    ...(securityGroup ? { securityGroup } : {}),
    rootVolumeGb,
    price: hourlyPrice(unit, rootVolumeGb, place.publicAddress),
    tags: completeTags(request.tags, defaults, api.clock.now()),
    detail,
  };
}

/** Completed here and not at the launch: the same token must come with the same parameters, also after a crash. */
function completeTags(tags: Record<string, string>, defaults: PlanDefaults, nowMs: number): Record<string, string> {
  const project = tags[TAG.project] ?? defaults.project ?? 'runctl';
  return {
    Name: `runctl-${project}`,
    [TAG.owner]: defaults.owner ?? 'unknown',
    [TAG.project]: project,
    [TAG.created]: new Date(nowMs).toISOString(),
    ...tags,
  };
}

async function describeType(api: AwsApi, type: string, region: string, signal?: AbortSignal): Promise<InstanceTypeInfo> {
  try {
    const answer = await api.ec2('DescribeInstanceTypes', { InstanceTypes: [type as never] }, { signal, subject: type });
    const info = answer.InstanceTypes?.[0];
    if (info) return info;
  } catch (error) {
    if (!isAwsCode(error, 'InvalidInstanceType', 'InvalidParameterValue')) throw error;
  }
  const near = nearest(type, await offeredTypes(api, signal));
  throw new RunctlError('usage', `no instance type ${type} in ${region}`, {
    cause: near ? `did you mean ${near}?` : 'EC2 does not offer it there',
    hints: [...(near ? [`runctl aws create ${near}`] : []), `aws ec2 describe-instance-types --region ${region} --query 'InstanceTypes[].InstanceType' --output text`],
    ...(near ? { data: { near } } : {}),
  });
}

async function offeredTypes(api: AwsApi, signal?: AbortSignal): Promise<string[]> {
  const known: string[] = [];
  let token: string | undefined;
  do {
    const page = await api.ec2('DescribeInstanceTypeOfferings', { LocationType: 'region', MaxResults: 1000, ...(token ? { NextToken: token } : {}) }, { signal });
    known.push(...(page.InstanceTypeOfferings ?? []).flatMap((one) => (one.InstanceType ? [one.InstanceType as string] : [])));
    token = page.NextToken || undefined;
  } while (token);
  return known;
}

async function checkKey(api: AwsApi, keyName: string, region: string, signal?: AbortSignal): Promise<void> {
  const answer = await api.ec2('DescribeKeyPairs', { KeyNames: [keyName] }, { signal, subject: keyName });
  if (!answer.KeyPairs?.some((pair) => pair.KeyName === keyName)) throw new RunctlError('usage', `no key pair ${keyName} in ${region}`, { cause: 'EC2 knows no key pair of that name there', hints: [`aws ec2 describe-key-pairs --region ${region} --query 'KeyPairs[].KeyName' --output text`] });
}

function rootSize(wanted: number | undefined, minimumGb: number, gpu: boolean, image: string): number {
  if (wanted !== undefined && wanted < minimumGb) {
    throw new RunctlError('usage', `a root volume of ${wanted} GB is too small for ${image}`, { cause: `the image needs at least ${minimumGb} GB`, hints: [`runctl aws create TYPE --root-volume-size ${minimumGb}`] });
  }
  return wanted ?? Math.max(minimumGb, gpu ? GPU_ROOT_GB : ROOT_GB);
}

/** Promise.all, but what is thrown is the first failure in the order of the list, not in time. */
async function inOrder<const Work extends readonly Promise<unknown>[]>(work: Work): Promise<{ -readonly [Index in keyof Work]: Awaited<Work[Index]> }> {
  const settled = await Promise.allSettled(work);
  for (const one of settled) {
    if (one.status === 'rejected') throw one.reason;
  }
  return Promise.all(work) as Promise<{ -readonly [Index in keyof Work]: Awaited<Work[Index]> }>;
}
