// Everything that is asked about a machine before it exists: each question once, those that do not depend on one another at the
// same time. `plan` makes its choices from the answers, `checks` its findings; one after the other they share them.
import type { InstanceTypeInfo, Subnet } from '@aws-sdk/client-ec2';
import { RunctlError } from '../../core/errors.ts';
import type { MachineRequest } from '../../core/machine.ts';
import { nearest } from '../../core/nearest.ts';
import type { AwsApi } from './clients.ts';
import { isAwsCode } from './errors.ts';
import { type ChosenImage, chooseImage } from './image.ts';
import { type ChosenSubnet, candidateSubnets, chooseSubnet, findGroup, requireOffered, zonesOffering } from './network.ts';
import { type UnitPrices, unitPrices } from './prices.ts';
import { type ProfileState, checkProfile } from './profile.ts';
import { type QuotaState, readQuota, requireQuota } from './quota.ts';
import { requireSpotOffer } from './spot-offer.ts';
import { type SpotQuotes, currentSpotPrices } from './spot-prices.ts';

export type Wish = Omit<MachineRequest, 'tags'>;

/** Answers under way. A question that hangs on one that failed fails with that very error. */
export interface LookUps {
  type: Promise<InstanceTypeInfo>;
  /** Those that could be taken: the one asked for, or the default ones. */
  subnets: Promise<Subnet[]>;
  /** Zones that offer the type, empty when nobody could tell. */
  zones: Promise<string[]>;
  place: Promise<ChosenSubnet>;
  image: Promise<ChosenImage>;
  /** Undefined: runctl's own group must still be made. */
  group: Promise<string | undefined>;
  key: Promise<void>;
  /** Undefined: no profile is wished for. */
  profile: Promise<ProfileState | undefined>;
  quota: Promise<QuotaState>;
  /** On demand, whatever the market. */
  unit: Promise<UnitPrices>;
  /** Undefined: not bought as spot. */
  spot: Promise<SpotQuotes | undefined>;
}

export async function lookUp(api: AwsApi, wish: Wish, signal?: AbortSignal): Promise<LookUps> {
  const region = await api.region();
  const where = { type: wish.type, zone: wish.zone, subnet: wish.subnet, region };
  const market = wish.market ?? 'on-demand';
  const type = describeType(api, wish.type, region, signal).then((info) => {
    if (market === 'spot') requireSpotOffer([info], [wish.type], region);
    return info;
  });
  const subnets = candidateSubnets(api, wish.subnet, signal);
  const zones = Promise.all([type, subnets, zonesOffering(api, wish.type, signal)]).then(([, found, offered]) => {
    requireOffered(found, offered, where);
    return offered;
  });
  const spot = market === 'spot' ? currentSpotPrices(api, [wish.type], signal) : Promise.resolve(undefined);
  const place = Promise.all([subnets, zones, spot]).then(([found, offered, quoted]) => chooseSubnet(found, offered, where, quoted?.zones(wish.type)));
  const lookUps: LookUps = {
    type,
    subnets,
    zones,
    place,
    image: type.then((info) => chooseImage(api, wish.image, info, signal)),
    group: place.then((chosen) => findGroup(api, wish.securityGroup, chosen.vpcId, signal)),
    key: wish.keyName ? checkKey(api, wish.keyName, region, signal) : Promise.resolve(),
    profile: wish.profile ? checkProfile(api, wish.profile, signal) : Promise.resolve(undefined),
    quota: type.then(async (info) => {
      const vcpus = info.VCpuInfo?.DefaultVCpus;
      const state = await readQuota(api, wish.type, vcpus, market, signal);
      requireQuota(wish.type, vcpus, state, market, region);
      return state;
    }),
    unit: unitPrices(api, wish.type, region, signal),
    spot,
  };
  // Whoever reads the answers meets the failures; until then they are nobody's accident.
  for (const answer of Object.values(lookUps)) void Promise.resolve(answer).catch(() => undefined);
  return lookUps;
}

export async function describeType(api: AwsApi, type: string, region: string, signal?: AbortSignal): Promise<InstanceTypeInfo> {
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

/** Longest that answers of `checks` serve a `plan`: as long as one command takes from the one to the other. */
const FRESH_MS = 60_000;

/** Answers that `checks` found good, for the one `plan` of the same wish that follows. */
export interface Prepared {
  keep(wish: Wish, lookUps: LookUps): void;
  take(wish: Wish): LookUps | undefined;
}

export function createPrepared(now: () => number): Prepared {
  let kept: { key: string; at: number; lookUps: LookUps } | undefined;
  const keyOf = (wish: Wish): string => JSON.stringify(Object.entries(wish).filter(([, value]) => value !== undefined).sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    keep: (wish, lookUps) => (kept = { key: keyOf(wish), at: now(), lookUps }),
    take(wish) {
      const taken = kept;
      kept = undefined;
      return taken && taken.key === keyOf(wish) && now() - taken.at < FRESH_MS ? taken.lookUps : undefined;
    },
  };
}
