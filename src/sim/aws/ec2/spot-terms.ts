// Does: the terms on which a spot instance is asked for: once or again and again, at what price at most, and what is to happen when
// it is taken back; from InstanceMarketOptions and from the older RequestSpotInstances.
// Gaps: capacity blocks; block durations (AWS offers them no more); hibernation keeps no memory.
// Source: EC2 API Reference SpotMarketOptions, RequestSpotInstances; texts as quoted in public issue threads where known.
import type { InstanceTypeFact } from '../../data/instance-types.ts';
import { onDemandPrice } from '../../data/prices.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams } from '../../wire/call.ts';
import { object, text } from './params.ts';
import type { InterruptionBehavior, SpotRequestRow } from './market-rows.ts';

export interface SpotTerms {
  type: SpotRequestRow['type'];
  behavior: InterruptionBehavior;
  maxMicroUsdPerHour: number;
  /** World time. */
  validUntil?: number;
}

const TYPES = ['one-time', 'persistent'] as const;
const BEHAVIORS = ['terminate', 'stop', 'hibernate'] as const;
const LEAST_PRICE_MICRO_USD = 1_000;
const MARKETS = ['spot', 'capacity-block', 'interruptible-capacity-reservation'];

function chosen<Value extends string>(params: QueryParams, name: string, allowed: readonly Value[], preset: Value): Value {
  const value = text(params, name);
  if (value === undefined) return preset;
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw new AwsFault('InvalidParameterValue', `Value (${value}) for parameter ${name} is invalid. Valid values are: ${allowed.join(', ')}`);
  return found;
}

/** Undefined: an on-demand launch. */
export function readMarketOptions(params: QueryParams, type: InstanceTypeFact, region: string, now: number): SpotTerms | undefined {
  const market = object(params, 'InstanceMarketOptions');
  const marketType = market && text(market, 'MarketType');
  if (!market || (marketType === undefined && market['SpotOptions'] === undefined)) return undefined;
  if (marketType === undefined) throw new AwsFault('InvalidParameterCombination', 'SpotOptions may only be specified when the market type is spot.');
  if (!MARKETS.includes(marketType)) throw new AwsFault('InvalidParameterValue', `Value (${marketType}) for parameter marketType is invalid. Valid values are: ${MARKETS.join(', ')}`);
  if (marketType !== 'spot') throw new AwsFault('UnsupportedOperation', `The pretend cloud does not offer the market type ${marketType}.`);
  const options = object(market, 'SpotOptions') ?? {};
  if (text(options, 'BlockDurationMinutes') !== undefined) throw new AwsFault('UnsupportedOperation', 'Spot Instances with a defined duration are no longer available.');
  const terms = readTerms(options, { type: 'SpotInstanceType', price: 'MaxPrice' }, type, region, now);
  if (terms.type === 'persistent' && terms.behavior === 'terminate') {
    throw new AwsFault('InvalidParameterCombination', "The request with type 'persistent' is not supported when instanceInterruptionBehavior is set to 'terminate'.");
  }
  if (terms.type === 'one-time' && terms.validUntil !== undefined) throw new AwsFault('InvalidParameterCombination', "ValidUntil is not supported for requests with type 'one-time'.");
  return terms;
}

/** RequestSpotInstances: names differ, persistent requests may be terminated, and any request may end by itself. */
export function readLegacyTerms(params: QueryParams, type: InstanceTypeFact, region: string, now: number): SpotTerms {
  return readTerms(params, { type: 'Type', price: 'SpotPrice' }, type, region, now);
}

function readTerms(params: QueryParams, names: { type: string; price: string }, type: InstanceTypeFact, region: string, now: number): SpotTerms {
  const requestType = chosen(params, names.type, TYPES, 'one-time');
  const behavior = chosen(params, 'InstanceInterruptionBehavior', BEHAVIORS, 'terminate');
  if (requestType === 'one-time' && behavior !== 'terminate') {
    throw new AwsFault('InvalidParameterCombination', `The request with type 'one-time' is not supported when instanceInterruptionBehavior is set to '${behavior}'.`);
  }
  const onDemand = onDemandPrice(type.name, region);
  if (!onDemand) throw new AwsFault('UnsupportedOperation', `The pretend cloud sells no spot instances of type ${type.name} in ${region}: it knows no price.`);
  return { type: requestType, behavior, maxMicroUsdPerHour: readPrice(params, names.price) ?? onDemand.microUsdPerHour, validUntil: readValidUntil(params, now) };
}

function readPrice(params: QueryParams, name: string): number | undefined {
  const value = text(params, name);
  if (value === undefined) return undefined;
  if (!/^\d{1,6}(?:\.\d{1,10})?$/.test(value)) throw new AwsFault('InvalidParameterValue', `Invalid value '${value}' for ${name}.`);
  const microUsd = Math.floor(Number(value) * 1_000_000 + 1e-6);
  if (microUsd < LEAST_PRICE_MICRO_USD) throw new AwsFault('InvalidParameterValue', `Invalid value '${value}' for ${name}: the price must be at least 0.001 USD per hour.`);
  return microUsd;
}

function readValidUntil(params: QueryParams, now: number): number | undefined {
  const value = text(params, 'ValidUntil');
  if (value === undefined) return undefined;
  const at = Date.parse(value);
  if (Number.isNaN(at)) throw new AwsFault('InvalidParameterValue', `Invalid value '${value}' for ValidUntil.`);
  if (at <= now) throw new AwsFault('InvalidTime', 'The valid until time must be in the future.');
  return at;
}
