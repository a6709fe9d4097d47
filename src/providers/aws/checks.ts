// What `doctor` and every costly command ask first, as findings with names: who calls, where, with which bucket and profile,
// and everything that the wished-for machine needs. Findings only; the questions are in the files named after what they ask.
import { RunctlError } from '../../core/errors.ts';
import { formatUsd } from '../../core/money.ts';
import type { Check, Wanted } from '../../core/ports.ts';
import { account, foldAccount } from './account.ts';
import { requireBucketAtHome, listBuckets } from './buckets.ts';
import type { AwsApi } from './clients.ts';
import { architectureOf } from './image.ts';
import { type LookUps, type Wish, lookUp } from './look-ups.ts';
import type { ChosenSubnet } from './network.ts';
import { OWN_PROFILE } from './policies.ts';
import type { UnitPrices } from './prices.ts';
import { type ProfileState, checkProfile } from './profile.ts';
import { describeQuota } from './quota.ts';
import { bucketRemedy, profileRemedy } from './repair.ts';
import type { SpotQuotes } from './spot-prices.ts';

export interface CheckOptions {
  /** Region from the configuration. */
  region?: string;
  wish?: Wish;
  /** Called with the answers when a machine was wished for and nothing speaks against it. */
  prepared?(lookUps: LookUps): void;
  /** Called with the region of a bucket that can be used. */
  bucketRegion?(bucket: string, region: string): void;
}

export async function runChecks(api: AwsApi, wanted: Wanted, options: CheckOptions, signal?: AbortSignal): Promise<Check[]> {
  const advise = new Set(wanted.advise);
  const who = account(api, signal);
  const running: Promise<Check>[] = advise.has('account') ? [guarded('credentials', who.credentials), guarded('region', () => who.region(options.region))] : [];
  if (options.wish) running.push(...(await machineChecks(api, options.wish, options.prepared, signal)));
  const profile = options.wish?.profile ?? wanted.profile;
  if (!options.wish?.profile && profile) running.push(guarded('profile', async () => describeProfile(profile, await checkProfile(api, profile, signal))));
  if (!profile && advise.has('profile')) running.push(guarded('profile', () => adviseProfile(api, wanted.bucket, signal)));
  const { bucket } = wanted;
  if (bucket !== undefined) {
    running.push(guarded('bucket', async () => {
      const region = await requireBucketAtHome(api, bucket, signal);
      options.bucketRegion?.(bucket, region);
      return { name: 'bucket', outcome: 'ok', detail: `${bucket} in ${region}` };
    }));
  } else if (advise.has('bucket')) {
    running.push(guarded('bucket', () => adviseBucket(api, advise.has('account') ? who.number : undefined, signal)));
  }
  const checks = await foldAccount(api, await Promise.all(running));
  return Promise.all(checks.map((check) => withRemedy(check, api, wanted.bucket)));
}

async function machineChecks(api: AwsApi, wish: Wish, prepared: CheckOptions['prepared'], signal?: AbortSignal): Promise<Promise<Check>[]> {
  let answers: LookUps;
  try {
    answers = await lookUp(api, wish, signal);
  } catch (error) {
    return [guarded('region', () => Promise.reject(error as Error))];
  }
  // The first in this list owns an error; whoever hangs on it only passes it on.
  const sources: [string, Promise<unknown>][] = [
    ['type', answers.type], ['subnet', answers.subnets], ['zone', answers.zones], ['subnet', answers.place], ['image', answers.image],
    ['security-group', answers.group], ['key-pair', answers.key], ['profile', answers.profile], ['quota', answers.quota], ['spot', answers.spot],
  ];
  const settled = await Promise.allSettled(sources.map(([, source]) => source));
  const owners = new Map<unknown, string>();
  for (const [n, one] of settled.entries()) if (one.status === 'rejected' && !owners.has(one.reason)) owners.set(one.reason, sources[n]![0]);
  if (owners.size === 0) prepared?.(answers);
  const check = (name: string, describe: () => Promise<Check>): Promise<Check> => guarded(name, describe, owners);
  return [
    check('type', async () => {
      const info = await answers.type;
      return { name: 'type', outcome: 'ok', detail: `${wish.type}: ${info.VCpuInfo?.DefaultVCpus ?? '?'} vCPUs, ${Math.round((info.MemoryInfo?.SizeInMiB ?? 0) / 102.4) / 10} GiB, ${architectureOf(info)}` };
    }),
    check('zone', async () => {
      const zones = await answers.zones;
      return zones.length > 0
        ? { name: 'zone', outcome: 'ok', detail: `${wish.type} is offered in ${zones.join(', ')}` }
        : { name: 'zone', outcome: 'warning', detail: `EC2 does not say in which zones ${wish.type} is offered` };
    }),
    check('subnet', async () => {
      await answers.subnets;
      const place = await answers.place;
      const where = `${place.id} in ${place.zone}${place.freeAddresses === undefined ? '' : `, ${place.freeAddresses} free addresses`}`;
      if (place.publicAddress) return { name: 'subnet', outcome: 'ok', detail: where };
      return { name: 'subnet', outcome: 'warning', detail: `${where}; machines there get no public address: SSM reaches them only through a NAT gateway or VPC endpoints for ssm, ssmmessages and ec2messages`, fix: `aws ec2 describe-route-tables --filters Name=association.subnet-id,Values=${place.id} --query 'RouteTables[].Routes[]'` };
    }),
    check('image', async () => {
      const image = await answers.image;
      return { name: 'image', outcome: 'ok', detail: `${image.id} ${image.name}${image.architecture ? `, ${image.architecture}` : ''}` };
    }),
    check('security-group', async () => ({ name: 'security-group', outcome: 'ok', detail: (await answers.group) ?? 'runctl\'s own is made with the first machine' })),
    ...(wish.keyName ? [check('key-pair', async () => answers.key.then(() => ({ name: 'key-pair', outcome: 'ok' as const, detail: wish.keyName as string })))] : []),
    ...(wish.profile ? [check('profile', async () => describeProfile(wish.profile as string, (await answers.profile) as ProfileState))] : []),
    check('quota', async () => {
      const [info, quota] = await Promise.all([answers.type, answers.quota]);
      return { name: 'quota', outcome: quota.limit === undefined ? 'warning' : 'ok', detail: `${wish.market === 'spot' ? 'spot: ' : ''}${describeQuota(info.VCpuInfo?.DefaultVCpus, quota)}` };
    }),
    ...(wish.market === 'spot' ? [check('spot', async () => describeSpot(wish.type, await answers.place, await answers.unit, await answers.spot))] : []),
  ];
}

/** What it costs there now. EC2's own role for spot cannot be seen without further rights; who lacks it learns of it here first. */
function describeSpot(type: string, place: ChosenSubnet, unit: UnitPrices, quoted: SpotQuotes | undefined): Check {
  const price = quoted?.of(type, place.zone);
  const role = 'the first spot machine of an account makes the role AWSServiceRoleForEC2Spot';
  if (price === undefined) {
    return { name: 'spot', outcome: 'warning', detail: `the spot price in ${place.zone} is unknown: ${quoted?.why ?? `EC2 names none for ${type}`}; ${role}`, fix: quoted?.why === undefined ? `aws ec2 describe-spot-price-history --instance-types ${type} --product-descriptions Linux/UNIX --max-items 5` : 'runctl aws policy caller' };
  }
  const onDemand = unit.computeMicroUsd === undefined ? '' : `, ${formatUsd(unit.computeMicroUsd)} on demand`;
  return { name: 'spot', outcome: 'ok', detail: `${formatUsd(price)} per hour in ${place.zone} now${onDemand}; ${role}` };
}

function describeProfile(name: string, state: ProfileState): Check {
  return state.outcome === 'ok'
    ? { name: 'profile', outcome: 'ok', detail: `${name}: role ${state.role ?? ''}, which EC2 may take and which lets the SSM agent connect` }
    : { name: 'profile', outcome: 'warning', detail: state.why ?? `${name} could not be checked`, fix: 'runctl aws policy' };
}

/** Nobody named a profile: is there the one that every guide names? */
async function adviseProfile(api: AwsApi, bucket: string | undefined, signal?: AbortSignal): Promise<Check> {
  const setting = { name: 'aws.iam_instance_profile', value: OWN_PROFILE };
  const fix = `runctl config set ${setting.name} ${setting.value}`;
  const none = 'none configured: without one SSM cannot reach new machines';
  try {
    const state = await checkProfile(api, OWN_PROFILE, signal);
    if (state.outcome === 'unknown' && state.role === undefined) return { name: 'profile', outcome: 'warning', detail: `${none}; ${state.why ?? `${OWN_PROFILE} could not be looked at`}` };
    const works = state.outcome === 'ok' ? 'works' : 'exists';
    return { name: 'profile', outcome: 'warning', detail: `${none}; ${OWN_PROFILE} ${works}, and workflow train takes it`, fix, remedy: { id: 'profile-setting', question: `Use the instance profile ${OWN_PROFILE} from now on?`, detail: { action: 'set', setting } } };
  } catch (error) {
    if (!(error instanceof RunctlError) || error.code !== 'profile-missing') throw error;
    return { name: 'profile', outcome: 'warning', detail: `${none}; ${error.message}`, fix: 'runctl doctor --fix', remedy: profileRemedy(OWN_PROFILE, error.data, bucket, setting) };
  }
}

const SHOWN_BUCKETS = 5;

async function adviseBucket(api: AwsApi, accountNumber: (() => Promise<string>) | undefined, signal?: AbortSignal): Promise<Check> {
  const [names, region, number] = await Promise.all([listBuckets(api, signal), api.region(), accountNumber?.()]);
  const first = names[0];
  const more = names.length > SHOWN_BUCKETS ? ` and ${names.length - SHOWN_BUCKETS} more` : '';
  return {
    name: 'bucket',
    outcome: 'warning',
    detail: `none configured: only small projects (2 MiB packed) can be sent and small results (8 MiB) fetched, through SSM itself${names.length > 0 ? `; this account has ${names.slice(0, SHOWN_BUCKETS).join(', ')}${more}` : ''}`,
    fix: first ? `runctl config set aws.s3_bucket ${first}` : 'runctl doctor --fix',
    suggestions: names,
    ...(number ? { remedy: bucketRemedy(`runctl-${number}-${region}`, region, names) } : {}),
  };
}

/** What can be repaired of a failure says so. */
async function withRemedy(check: Check, api: AwsApi, bucket: string | undefined): Promise<Check> {
  const data = check.outcome === 'failed' ? check.error?.data : undefined;
  if (check.name === 'profile' && typeof data?.profile === 'string' && data.fault !== 'trust') return { ...check, remedy: profileRemedy(data.profile, data, bucket) };
  if (check.name === 'bucket' && data?.fault === 'missing') return { ...check, remedy: bucketRemedy(String(data.bucket), await api.region(), []) };
  return check;
}

/** A check that fails is a finding, not an exception. */
async function guarded(name: string, work: () => Promise<Check>, owners?: Map<unknown, string>): Promise<Check> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RunctlError) || error.code === 'interrupted') throw error;
    const owner = owners?.get(error);
    if (owner !== undefined && owner !== name) return { name, outcome: 'skipped', detail: `not looked at: ${owner} comes first` };
    const [fix] = error.hints;
    return {
      name,
      outcome: 'failed',
      detail: error.reason ? `${error.message}: ${error.reason}` : error.message,
      ...(fix ? { fix } : {}),
      error: { code: error.code, message: error.message, cause: error.reason, hints: error.hints, ...(error.data ? { data: error.data } : {}) },
    };
  }
}
