// Every choice about a new machine, made and checked before anything exists, from the answers of look-ups.ts. When several
// questions fail, the first in the list below is reported, so that the same mistake always reads the same.
import { RunctlError } from '../../core/errors.ts';
import type { MachinePlan, MachineRequest, Market } from '../../core/machine.ts';
import { type MicroUsd, formatUsd } from '../../core/money.ts';
import type { AwsApi } from './clients.ts';
import { architectureOf, hasNvidiaGpu } from './image.ts';
import { type LookUps, type Wish, lookUp } from './look-ups.ts';
import { TAG } from './machines.ts';
import { hourlyPrice } from './prices.ts';
import { asSpot } from './spot-prices.ts';

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
}

const ROOT_GB = 30;
const GPU_ROOT_GB = 100;

/** The request with what the settings say in the places that it leaves open. */
export function completeWish(wish: Wish, defaults: PlanDefaults): Wish {
  return {
    ...wish,
    market: wish.market ?? 'on-demand',
    image: wish.image ?? defaults.ami,
    profile: wish.profile ?? defaults.profile,
    keyName: wish.keyName ?? defaults.keyName,
    securityGroup: wish.securityGroup ?? defaults.securityGroup,
    subnet: wish.subnet ?? defaults.subnet,
    rootVolumeGb: wish.rootVolumeGb ?? defaults.rootVolumeGb,
  };
}

/** `taken`: answers that `checks` already has. */
export async function planMachine(api: AwsApi, request: MachineRequest, defaults: PlanDefaults, taken: LookUps | undefined, signal?: AbortSignal): Promise<MachinePlan> {
  const region = await api.region();
  const { profile, keyName, rootVolumeGb: rootWanted, ...wish } = completeWish(request, defaults);
  const answers = taken ?? (await lookUp(api, { ...wish, profile, keyName }, signal));
  const market = wish.market ?? 'on-demand';
  const [typeInfo, profileState, , image, , place, securityGroup, unit, , quoted] = await inOrder([answers.type, answers.profile, answers.key, answers.image, answers.zones, answers.place, answers.group, answers.unit, answers.quota, answers.spot]);
  const vcpus = typeInfo.VCpuInfo?.DefaultVCpus;
  const rootVolumeGb = rootSize(rootWanted, image.minimumGb, hasNvidiaGpu(typeInfo), image.id);
  const detail: AwsPlanDetail = {
    vpcId: place.vpcId,
    ...(vcpus === undefined ? {} : { vcpus }),
    ...(typeInfo.MemoryInfo?.SizeInMiB === undefined ? {} : { memoryMb: typeInfo.MemoryInfo.SizeInMiB }),
    gpus: (typeInfo.GpuInfo?.Gpus ?? []).map((gpu) => `${gpu.Count ?? 1} x ${gpu.Name ?? 'GPU'}`),
    profileCheck: profileState?.outcome ?? 'none',
    publicAddress: place.publicAddress,
  };
  const onDemand = hourlyPrice(unit, rootVolumeGb, place.publicAddress);
  const price = quoted ? asSpot(onDemand, request.type, place.zone, quoted) : onDemand;
  const maxPriceMicroUsd = market === 'spot' ? request.maxPriceMicroUsd : undefined;
  requireAffordable(request.type, place.zone, price.computeMicroUsd, maxPriceMicroUsd);
  return {
    type: request.type,
    market,
    region,
    zone: place.zone,
    image: { id: image.id, name: image.name, architecture: image.architecture || architectureOf(typeInfo), rootDevice: image.rootDevice },
    ...(profile ? { profile } : {}),
    ...(keyName ? { keyName } : {}),
    subnet: place.id,
    ...(securityGroup ? { securityGroup } : {}),
    rootVolumeGb,
    ...(maxPriceMicroUsd === undefined ? {} : { maxPriceMicroUsd }),
    price,
    tags: completeTags(request.tags, market, defaults, api.clock.now()),
    detail,
  };
}

/** Completed here and not at the launch: the same token must come with the same parameters, also after a crash. */
function completeTags(tags: Record<string, string>, market: Market, defaults: PlanDefaults, nowMs: number): Record<string, string> {
  const project = tags[TAG.project] ?? defaults.project ?? 'runctl';
  return {
    Name: `runctl-${project}`,
    [TAG.owner]: defaults.owner ?? 'unknown',
    [TAG.project]: project,
    [TAG.created]: new Date(nowMs).toISOString(),
    ...tags,
    // Never anybody else's word: what was bought is what this says.
    [TAG.market]: market,
  };
}

/** EC2 takes a highest price above this only (EC2 API Reference, SpotMarketOptions). */
const LEAST_MAX_PRICE: MicroUsd = 1_000;

/** Throws for a price that EC2 would refuse: one that it does not take at all, and one below what the machine costs now. */
function requireAffordable(type: string, zone: string, price: MicroUsd | undefined, most: MicroUsd | undefined): void {
  if (most === undefined) return;
  const history = `aws ec2 describe-spot-price-history --instance-types ${type} --product-descriptions Linux/UNIX --start-time "$(date -u +%FT%TZ)" --output table`;
  if (most <= LEAST_MAX_PRICE) {
    throw new RunctlError('usage', `a highest spot price of ${formatUsd(most)} per hour is too low for EC2`, { cause: `it must be above ${formatUsd(LEAST_MAX_PRICE)}; without one you pay the spot price, and never more than on demand`, hints: [`runctl aws create ${type} --spot`, history] });
  }
  if (price === undefined || price <= most) return;
  throw new RunctlError('capacity', `${type} costs ${formatUsd(price)} per hour as spot in ${zone} now, above the highest price allowed, ${formatUsd(most)}`, {
    cause: 'the spot price of a zone moves with the demand there',
    hints: [`runctl aws create ${type} --spot --spot-max-price ${formatUsd(price, 6).slice(1)}`, `runctl aws create ${type} --spot   # without a limit of your own: never more than on demand`, history],
    data: { refusal: 'price', awsCode: 'price-too-low', spotMicroUsd: price, maxMicroUsd: most },
  });
}

function rootSize(wanted: number | undefined, minimumGb: number, gpu: boolean, image: string): number {
  if (wanted !== undefined && wanted < minimumGb) {
    throw new RunctlError('usage', `a root volume of ${wanted} GB is too small for ${image}`, { cause: `the image needs at least ${minimumGb} GB`, hints: [`--root-volume-size ${minimumGb}`] });
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
