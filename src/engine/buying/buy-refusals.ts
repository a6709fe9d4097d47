// Why nobody sold a spot machine: what each place answered, put together so that one look shows it, and what helps. Pure.
import { elapsedText } from '../../core/durations.ts';
import { RunctlError } from '../../core/errors.ts';
import type { Refusal } from '../../core/events.ts';
import type { Pool } from '../../core/machine.ts';
import { type MicroUsd, formatUsd } from '../../core/money.ts';

/** One place and the last that was heard from it. */
export interface Refused {
  pool: Pool;
  refusal: Refusal;
  /** The cloud's own words. */
  text: string;
  times: number;
  error?: RunctlError;
}

export interface Refusals {
  add(pool: Pool, refusal: Refusal, text: string, error?: RunctlError): void;
  /** Those of these places in which another try may end differently: none that shares a quota that is used up. */
  open(pools: Pool[]): Pool[];
  all(): Refused[];
  /** Tries so far; places that were passed over for their price are none. */
  tries(): number;
}

const CODES: Record<string, Refusal> = { capacity: 'capacity', quota: 'quota', throttled: 'busy', 'endpoint-unreachable': 'unknown', timeout: 'unknown' };

/** What kind of refusal this is; undefined: no other place would answer differently (a permission, a wrong value), or another try might make a second machine. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof RunctlError) || error.data?.['fate'] === 'unknown') return undefined;
  return error.code === 'capacity' && error.data?.['refusal'] === 'price' ? 'price' : CODES[error.code];
}

/** What the cloud itself said, with its code, where it said anything. */
export function wordsOf(error: RunctlError): string {
  const { awsCode, awsMessage } = error.data ?? {};
  if (typeof awsMessage !== 'string' || awsMessage === '') return error.message;
  return typeof awsCode === 'string' ? `${awsMessage} (${awsCode})` : awsMessage;
}

export function createRefusals(): Refusals {
  const seen = new Map<string, Refused>();
  const full = new Set<string>();
  let tries = 0;
  return {
    add(pool, refusal, text, error) {
      const key = `${pool.zone}/${pool.type}`;
      if (error) tries += 1;
      if (refusal === 'quota') full.add(quotaOf(pool));
      seen.set(key, { pool, refusal, text, times: (seen.get(key)?.times ?? 0) + (error ? 1 : 0), error });
    },
    open: (pools) => pools.filter((pool) => !full.has(quotaOf(pool))),
    all: () => [...seen.values()],
    tries: () => tries,
  };
}

function quotaOf(pool: Pool): string {
  return pool.quota ?? /^[a-z]*/.exec(pool.type)![0];
}

const WORDS: Record<Refusal, string> = { capacity: 'no capacity', price: 'price', quota: 'quota', busy: 'throttled', unknown: 'no answer' };

/** One line for all zones of a type that answered the same, aligned; the head first. */
export function refusalTable(refused: Refused[]): string[] {
  const groups = new Map<string, Refused[]>();
  for (const one of refused) {
    const key = [one.pool.type, one.refusal, one.text].join('\n');
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const rows = [...groups.values()].map((group) => {
    const { pool, refusal, text } = group[0]!;
    const times = group.reduce((sum, one) => sum + one.times, 0);
    return [pool.type, zonesText(group.map((one) => one.pool.zone)), times === 0 ? '-' : `${times}x`, WORDS[refusal], text];
  });
  const all = [['TYPE', 'ZONE', 'TRIED', 'WHY', 'ANSWER'], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all.map((row) => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]!))).join('  '));
}

/** "us-east-1b, a, c": what follows the region of the first is enough. */
function zonesText([first = '', ...others]: string[]): string {
  const region = first.replace(/[a-z]$/, '');
  return [first, ...others.map((zone) => (zone.startsWith(region) ? zone.slice(region.length) : zone))].join(', ');
}

/** What each kind of refusal means and what follows from it, once each. */
function meanings(refused: Refused[], maxPriceMicroUsd: MicroUsd | undefined): string[] {
  const kinds = new Set(refused.map((one) => one.refusal));
  const quota = refused.find((one) => one.refusal === 'quota')?.error;
  return [
    ...(kinds.has('capacity') ? ['No capacity: there is no spare machine to sell there now. Later, in another zone or for another type the answer may differ.'] : []),
    ...(kinds.has('price') ? [`Price: spot costs more there now than ${maxPriceMicroUsd === undefined ? 'may be paid' : `the ${formatUsd(maxPriceMicroUsd)} an hour that was allowed (--spot-max-price)`}.`] : []),
    ...(kinds.has('quota') ? [`Quota: ${quota?.message ?? "the account's quota of spot machines is used up"}; other types of that family were not tried.`] : []),
    ...(kinds.has('busy') ? ['Throttled: the cloud asked for fewer requests.'] : []),
    ...(kinds.has('unknown') ? ['No answer: the cloud was not reached, or answered too late.'] : []),
  ];
}

export interface SearchEnd {
  types: string[];
  refusals: Refusals;
  rounds: number;
  elapsedMs: number;
  maxPriceMicroUsd?: MicroUsd;
  /** Nobody is to be told of ways that this command line has ruled out. */
  policyGiven: boolean;
  /** It waited for capacity, and --timeout was its limit. */
  waits?: boolean;
}

/** The error of a search that found nothing: the table, what it means, what helps. */
export function spotUnavailable({ types, refusals, rounds, elapsedMs, maxPriceMicroUsd, policyGiven, waits }: SearchEnd): RunctlError {
  const refused = refusals.all();
  const only = (kind: Refusal): boolean => refused.length > 0 && refused.every((one) => one.refusal === kind);
  const last = refused.at(-1)?.error;
  // Nothing was ever heard: that is about the way to the cloud, and not about its market.
  if (only('unknown') && last) return last;
  const cheapest = Math.min(...refused.flatMap((one) => (one.refusal === 'price' && one.pool.microUsdPerHour !== undefined ? [one.pool.microUsdPerHour] : [])));
  const what = types.join(' or ');
  const message = only('price')
    ? `no spot machine of ${what} costs as little as ${maxPriceMicroUsd === undefined ? 'wanted' : `${formatUsd(maxPriceMicroUsd)} an hour`}${Number.isFinite(cheapest) ? `; the cheapest costs ${formatUsd(cheapest)}` : ''}`
    : only('quota')
      ? `the account's quota of spot machines leaves no room for ${what}`
      : `no spot capacity for ${what} in ${elapsedText(elapsedMs)}`;
  return new RunctlError('spot-unavailable', message, {
    cause: [...(refused.length > 0 ? refusalTable(refused) : []), ...meanings(refused, maxPriceMicroUsd)].join('\n') || undefined,
    hints: [
      ...(Number.isFinite(cheapest) ? [`--spot-max-price ${((Math.ceil(cheapest / 100) + 1) / 10_000).toFixed(4)}`] : []),
      ...(refused.find((one) => one.refusal === 'quota')?.error?.hints ?? []).slice(0, 1),
      ...(refused.some((one) => one.refusal === 'capacity' || one.refusal === 'busy' || one.refusal === 'unknown') ? [waits ? '--timeout 1h' : '--spot-timeout 10m'] : []),
      ...(policyGiven ? [] : ['--on-spot-failure wait', '--on-spot-failure on-demand']),
    ],
    data: {
      attempts: refusals.tries(), rounds, elapsedMs: Math.round(elapsedMs),
      refused: refused.map(({ pool, refusal, text, times }) => ({ zone: pool.zone, type: pool.type, refusal, times, text, ...(pool.microUsdPerHour === undefined ? {} : { spotPerHourUsd: pool.microUsdPerHour / 1_000_000 }) })),
    },
  });
}
