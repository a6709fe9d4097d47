// Does: the spot price of every pool (an instance type in a zone) at every moment, and what somebody set it to.
// Gaps: Linux only; a price follows no demand.
// By design: a price is worked out from seed, type, zone and time, so that 90 days of history exist without being stored. It moves
// a few times a day in small steps between 30 and 70 % of the on-demand price. Each world begins with the same seed: at the same
// moment two people see the same market. What is set by hand is kept with its time and so is part of the history.
// Source: EC2 User Guide "Spot Instance pricing history" (90 days; prices adjust gradually, by supply and demand).
import { createHash } from 'node:crypto';
import type { World } from '../cloud.ts';
import { findInstanceType, isOfferedInZone } from '../data/instance-types.ts';
import { onDemandPrice } from '../data/prices.ts';
import { REGIONS } from '../data/regions.ts';
import type { ZoneFact } from '../data/regions.ts';

export interface PriceChange {
  /** World time, a whole second. */
  at: number;
  microUsdPerHour: number;
}

/** A price set by hand; undefined: from then on the market makes it again. */
interface SetPrice {
  at: number;
  microUsdPerHour?: number;
}

const SLOT_MS = 6 * 3_600_000;
const LATEST_IN_SLOT_S = 3 * 3_600;
/** The price drifts from one random share to the next over so many slots. */
const DRIFT_SLOTS = 16;
/** Prices have four digits after the point. */
const STEP_MICRO_USD = 100;
const FIRST_SEED = 'runctl';

/** A number from 0 up to 1 that always comes out the same. */
function chance(...parts: (string | number)[]): number {
  return createHash('md5').update(parts.join('\n')).digest().readUInt32BE(0) / 2 ** 32;
}

function seedOf(world: World): string {
  const table = world.table<{ seed: string }>('sim.market');
  const known = table.get('market');
  if (known) return known.seed;
  table.put('market', { seed: FIRST_SEED });
  return FIRST_SEED;
}

function setPrices(world: World) {
  return world.table<{ changes: SetPrice[] }>('sim.market.prices');
}

export interface ZonePlace extends ZoneFact {
  region: string;
  /** Place in its region's list. */
  index: number;
}

const PLACES = new Map(REGIONS.flatMap((region) => region.zones.map((zone, index): [string, ZonePlace] => [zone.name, { ...zone, region: region.name, index }])));

export function findZone(name: string): ZonePlace | undefined {
  return PLACES.get(name);
}

/** Whether spot machines of this type are sold in this zone. */
export function isSold(type: string, zone: string): boolean {
  return marketFacts(type, zone) !== undefined;
}

function marketFacts(type: string, zone: string): { onDemand: number } | undefined {
  const place = findZone(zone);
  const fact = findInstanceType(type);
  if (!place || !fact || !isOfferedInZone(fact, place.index)) return undefined;
  const price = onDemandPrice(type, place.region);
  return price && { onDemand: price.microUsdPerHour };
}

/** What the market makes of one pool: in slots of six hours, each with a price of its own. */
class Pool {
  readonly #key: string;
  readonly #onDemand: number;
  readonly #usual: number;
  readonly #anchors = new Map<number, number>();

  constructor(seed: string, pool: string, onDemand: number) {
    this.#key = `${seed}\n${pool}`;
    this.#onDemand = onDemand;
    this.#usual = 0.36 + 0.28 * chance(this.#key, 'usual');
  }

  /** When the price of a slot begins: somewhere in its first half. */
  startOf(slot: number): number {
    return slot * SLOT_MS + Math.floor(chance(this.#key, 'start', slot) * LATEST_IN_SLOT_S) * 1000;
  }

  slotAt(at: number): number {
    const slot = Math.floor(at / SLOT_MS);
    return this.startOf(slot) <= at ? slot : slot - 1;
  }

  priceOf(slot: number): number {
    const stretch = Math.floor(slot / DRIFT_SLOTS);
    const through = slot / DRIFT_SLOTS - stretch;
    const share = this.#anchor(stretch) * (1 - through) + this.#anchor(stretch + 1) * through;
    return Math.max(STEP_MICRO_USD, Math.round((this.#onDemand * share) / STEP_MICRO_USD) * STEP_MICRO_USD);
  }

  #anchor(stretch: number): number {
    const known = this.#anchors.get(stretch);
    if (known !== undefined) return known;
    const share = this.#usual + 0.12 * (chance(this.#key, 'drift', stretch) - 0.5);
    this.#anchors.set(stretch, share);
    return share;
  }
}

const poolKey = (type: string, zone: string): string => `${type}/${zone}`;

/** micro-USD per hour; undefined: no spot machines of this type are sold there. */
export function spotPriceAt(world: World, type: string, zone: string, atMs: number): number | undefined {
  const facts = marketFacts(type, zone);
  if (!facts) return undefined;
  const key = poolKey(type, zone);
  const set = setPrices(world).get(key)?.changes.findLast((change) => change.at <= atMs);
  if (set?.microUsdPerHour !== undefined) return set.microUsdPerHour;
  const pool = new Pool(seedOf(world), key, facts.onDemand);
  return pool.priceOf(pool.slotAt(atMs));
}

/** The price in effect at `fromMs` (with the time since when it is), then each change up to and including `toMs`. Empty: not sold there. */
export function spotPriceChanges(world: World, type: string, zone: string, fromMs: number, toMs: number): PriceChange[] {
  const facts = marketFacts(type, zone);
  if (!facts) return [];
  const key = poolKey(type, zone);
  const pool = new Pool(seedOf(world), key, facts.onDemand);
  const set = setPrices(world).get(key)?.changes ?? [];
  // What was set before the first slot and holds into it counts as well.
  const first = pool.slotAt(Math.min(fromMs, set.findLast(({ at }) => at <= fromMs)?.at ?? fromMs));
  const steps: { at: number; market?: number; set?: SetPrice }[] = set.filter(({ at }) => at <= toMs).map((change) => ({ at: change.at, set: change }));
  for (let slot = first, at = pool.startOf(slot); at <= toMs; at = pool.startOf(++slot)) steps.push({ at, market: pool.priceOf(slot) });
  steps.sort((a, b) => a.at - b.at);
  const changes: PriceChange[] = [];
  let market = pool.priceOf(first);
  let held: number | undefined;
  for (const step of steps) {
    if (step.market === undefined) held = step.set?.microUsdPerHour;
    else market = step.market;
    const change = { at: step.at, microUsdPerHour: held ?? market };
    if (changes.at(-1)?.at === step.at) changes.pop();
    // What came before the time asked for is there for the one price in effect then.
    if (change.at <= fromMs && changes.length > 0 && changes.at(-1)?.microUsdPerHour !== change.microUsdPerHour) changes.pop();
    if (changes.at(-1)?.microUsdPerHour !== change.microUsdPerHour) changes.push(change);
  }
  return changes;
}

/** From the second of `atMs` on; undefined gives the price back to the market. */
export function setSpotPrice(world: World, type: string, zone: string, atMs: number, microUsdPerHour: number | undefined): void {
  const table = setPrices(world);
  const pool = poolKey(type, zone);
  const at = Math.floor(atMs / 1000) * 1000;
  const changes = (table.get(pool)?.changes ?? []).filter((change) => change.at < at);
  table.put(pool, { changes: [...changes, microUsdPerHour === undefined ? { at } : { at, microUsdPerHour }] });
}

/** Whether the price that is in effect now was set by hand. */
export function isPriceSet(world: World, type: string, zone: string): boolean {
  return setPrices(world).get(poolKey(type, zone))?.changes.at(-1)?.microUsdPerHour !== undefined;
}
