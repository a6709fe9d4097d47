// The flags that say in which market a machine is bought and what it may cost, for every command that buys one.
import type { Flags, Input } from '../../cli/command.ts';
import type { Config } from '../../config/settings.ts';
import { RunctlError } from '../../core/errors.ts';
import { MICROS_PER_USD } from '../../core/money.ts';
import type { SpotPolicy, SpotWish } from '../../engine/buying/buy-spot.ts';

const POLICIES = ['fail', 'on-demand', 'wait'] as const satisfies readonly SpotPolicy[];

export const SPOT_FLAGS = {
  spot: { kind: 'switch', summary: 'buy spot capacity: much cheaper, but it may be taken back with two minutes\' notice (setting aws.use_spot)' },
  onDemand: { kind: 'switch', summary: 'buy on demand although aws.use_spot is set' },
  spotTimeout: { kind: 'duration', placeholder: 'TIME', summary: 'how long to look for spot capacity (default: aws.spot_timeout_seconds, else 60s)' },
  spotMaxPrice: { kind: 'number', placeholder: 'USD', min: 0.001, max: 1000, summary: 'most to pay an hour for compute (default: aws.spot_max_price, else the on-demand price, which spot never exceeds)' },
  types: { kind: 'text', placeholder: 'TYPE,TYPE', summary: 'types to take when the wanted one has no spot capacity, in this order (default: aws.spot_types)' },
  zones: { kind: 'text', placeholder: 'ZONE,ZONE', summary: 'availability zones that will do (default: all of the region)' },
  onSpotFailure: { kind: 'choice', values: POLICIES, summary: 'without spot capacity: end with an error, pay the on-demand price, or go on looking; nobody is asked then (default: ask; without a terminal aws.on_spot_failure, else fail)' },
  failIfNoSpot: { kind: 'switch', summary: 'the same as --on-spot-failure fail' },
  noFallback: { kind: 'switch', hidden: true, summary: 'old word for --fail-if-no-spot' },
  hours: { kind: 'number', placeholder: 'HOURS', min: 0.01, max: 8760, summary: 'how long it will be used, for estimates and budgets; ends nothing (default 8)' },
} as const satisfies Flags;

type Values = Input<typeof SPOT_FLAGS>['flags'];

/** Flags that mean nothing for a machine on demand. */
const ONLY_SPOT = { spotTimeout: '--spot-timeout', spotMaxPrice: '--spot-max-price', types: '--types', onSpotFailure: '--on-spot-failure', failIfNoSpot: '--fail-if-no-spot', noFallback: '--no-fallback' } as const;

export interface MarketWish {
  type: string;
  spot?: SpotWish;
  zones?: string[];
  hours?: number;
}

/** What is wanted: flags over settings. `help`: the command that tells of these flags; `type`: as given; `patienceMs`: limit of `wait`. Throws `usage` for what contradicts itself, naming both. */
export function marketWish(flags: Values & { zone?: string }, aws: Config['aws'], given: { help: string; type?: string; patienceMs?: number }): MarketWish {
  const { help } = given;
  refuseContradictions(flags, help);
  const others = listOf(flags.types, '--types', /^[a-z][a-z0-9-]*\.[a-z0-9-]+$/, 'instance types such as g5.xlarge,g6.xlarge', help);
  const zones = listOf(flags.zones, '--zones', /^[a-z]{2}-[a-z0-9-]+[a-z0-9]$/, 'zones such as us-east-1a,us-east-1b', help);
  const type = given.type ?? others?.[0] ?? aws.default_instance_type;
  const common = { type, ...(zones ? { zones } : {}), ...(flags.hours === undefined ? {} : { hours: flags.hours }) };
  if (!wantsSpot(flags, aws)) {
    for (const [name, word] of Object.entries(ONLY_SPOT) as [keyof typeof ONLY_SPOT, string][]) {
      if (flags[name] !== undefined && flags[name] !== false) throw onDemandContradicts(word, flags, help);
    }
    return common;
  }
  const policy = flags.failIfNoSpot || flags.noFallback ? 'fail' : flags.onSpotFailure;
  const maxPrice = flags.spotMaxPrice ?? aws.spot_max_price;
  return {
    ...common,
    spot: {
      types: [...new Set([type, ...(others ?? aws.spot_types)])],
      ...(maxPrice === undefined ? {} : { maxPriceMicroUsd: Math.round(maxPrice * MICROS_PER_USD) }),
      timeoutMs: flags.spotTimeout ?? aws.spot_timeout_seconds * 1000,
      policy: policy ?? aws.on_spot_failure,
      policyGiven: policy !== undefined,
      ...(given.patienceMs === undefined ? {} : { patienceMs: given.patienceMs }),
    },
  };
}

/** For the parts of a command that only need to know the market. */
export function wantsSpot(flags: Pick<Values, 'spot' | 'onDemand'>, aws: Pick<Config['aws'], 'use_spot'>): boolean {
  return !flags.onDemand && (flags.spot ?? aws.use_spot);
}

function refuseContradictions(flags: Values & { zone?: string }, help: string): void {
  const fail = flags.failIfNoSpot ? '--fail-if-no-spot' : flags.noFallback ? '--no-fallback' : undefined;
  if (flags.spot && flags.onDemand) throw contradiction('--spot and --on-demand contradict each other', [help]);
  if (fail && flags.onSpotFailure && flags.onSpotFailure !== 'fail') throw contradiction(`${fail} and --on-spot-failure ${flags.onSpotFailure} contradict each other`, [help]);
  if (flags.zone !== undefined && flags.zones !== undefined) throw contradiction('--zone and --zones contradict each other', [help]);
}

function onDemandContradicts(word: string, { spot, onDemand }: Values, help: string): RunctlError {
  if (onDemand) return contradiction(`${word} and --on-demand contradict each other`, [help]);
  if (spot === false) return contradiction(`${word} and --no-spot contradict each other`, [help]);
  return contradiction(`${word} means nothing without --spot`, ['--spot', help]);
}

function contradiction(message: string, hints: string[]): RunctlError {
  return new RunctlError('usage', message, { hints });
}

function listOf(text: string | undefined, flag: string, each: RegExp, says: string, help: string): string[] | undefined {
  if (text === undefined) return undefined;
  const words = text.split(/[,\s]+/).filter((word) => word !== '');
  const wrong = words.find((word) => !each.test(word));
  if (wrong !== undefined || words.length === 0) throw new RunctlError('usage', `${flag}: "${wrong ?? text}" is none of ${says}`, { hints: [help] });
  return [...new Set(words)];
}
