// Looking for spot capacity: one place after the other, zone by zone and then type by type, round after round until one sells or
// the time is up. Every try has a token of its own and is written down first; one whose fate is unknown is cleared up before
// anything else is asked for, so that there is never a second machine.
import { RunctlError } from '../../core/errors.ts';
import type { Refusal } from '../../core/events.ts';
import type { Lease } from '../../core/lease.ts';
import type { Machine, MachinePlan, MachineRequest, Pool } from '../../core/machine.ts';
import { formatUsd } from '../../core/money.ts';
import type { Provider } from '../../core/ports.ts';
import type { App } from '../app.ts';
import { adoptLate, launchOnce, takeBack } from './buy-once.ts';
import { type Refusals, refusalOf, spotUnavailable, wordsOf } from './buy-refusals.ts';
import { type SearchLimit, startLimit } from './buy-limit.ts';
import { type Say, type Story, isRefusal } from '../steps.ts';

/** What becomes of a purchase that finds no spot capacity. */
export type SpotPolicy = 'fail' | 'on-demand' | 'wait';

export interface SpotWish {
  /** The wanted type first. */
  types: string[];
  /** Most to pay for compute, micro-dollars an hour. Absent: the on-demand price, which spot never exceeds. */
  maxPriceMicroUsd?: number;
  timeoutMs: number;
  policy: SpotPolicy;
  /** The policy was given for this very purchase: nobody is asked. */
  policyGiven: boolean;
  /** Limit of `wait`. Absent: none. */
  patienceMs?: number;
}

/** A plan with its bounds, ready to be bought. */
export interface Offer {
  plan: MachinePlan;
  lease?: Lease;
}

export interface Search {
  spot: SpotWish;
  request: MachineRequest;
  /** Places of the first round, in the order in which they are tried. */
  pools: Pool[];
  /** The places again, with the prices of now. */
  again(signal: AbortSignal): Promise<Pool[]>;
  /** The plan with its lease. Throws what forbids the purchase. */
  bind(plan: MachinePlan): Offer | Promise<Offer>;
  /** Budgets allow no more for compute, micro-dollars an hour. Absent: they allow every place. */
  ceilingMicroUsd?: number;
  refusals: Refusals;
  effect?: string;
}

const STEP = 'create';
const LABEL = 'buy spot machine';
const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 15_000;
/** Before the time is up, for a last round. */
const LAST_ROUND_MS = 1000;

/** Zones of the wanted type first, as the provider ranks them, then those of the next type; a place that has just taken a machine back last of its type. */
export function orderPools(pools: Pool[], types: string[], avoid?: Pick<Pool, 'type' | 'zone'>): Pool[] {
  const rank = (pool: Pool): number => types.indexOf(pool.type) * 2 + (avoid !== undefined && pool.type === avoid.type && pool.zone === avoid.zone ? 1 : 0);
  return pools.toSorted((one, other) => rank(one) - rank(other));
}

/** Step `create`. Throws `spot-unavailable` when nobody sold; any other error means that no place would. */
export async function buySpot(app: App, provider: Provider, story: Story, search: Search): Promise<Offer & { machine: Machine }> {
  let offer: Offer | undefined;
  const machine = await story.step(STEP, LABEL, async (say) => {
    const found = await look(app, provider, story, search, say);
    offer = found;
    return found.machine;
  }, (made) => `${made.market} ${made.id}: ${made.type} in ${made.zone ?? made.region}`);
  return { ...(offer as Offer), machine };
}

async function look(app: App, provider: Provider, story: Story, search: Search, say: Say): Promise<Offer & { machine: Machine }> {
  const { spot, refusals } = search;
  const waits = spot.policy === 'wait';
  const limit = startLimit(app, waits ? spot.patienceMs : spot.timeoutMs);
  let told = !waits;
  let pools = search.pools;
  try {
    for (let round = 1, pauseMs = FIRST_PAUSE_MS; ; round += 1, pauseMs = Math.min(pauseMs * 1.6, LONGEST_PAUSE_MS)) {
      const open = affordable(refusals.open(pools), search);
      const end = (): RunctlError => spotUnavailable({ types: spot.types, refusals, rounds: round, elapsedMs: limit.elapsedMs(), maxPriceMicroUsd: spot.maxPriceMicroUsd, policyGiven: spot.policyGiven, waits });
      for (const [at, pool] of open.entries()) {
        // However short the time: one place at least is asked.
        if (limit.isLate() && (round > 1 || at > 0)) throw end();
        // A place before it in this round may have shown that their quota is used up.
        if (refusals.open([pool]).length === 0) continue;
        const answer = await tryPool(app, provider, story, search, { pool, round, attempt: at + 1, of: open.length }, limit, say);
        if (typeof answer !== 'string') return answer;
        // Whoever asks for fewer requests means all of them.
        if (answer === 'busy') break;
      }
      if (refusals.open(pools).length === 0) throw end();
      if (open.length === 0) say(() => `${limit.text()}: every place costs too much now`);
      if (!told && limit.elapsedMs() >= spot.timeoutMs) {
        told = true;
        app.report({ kind: 'note', level: 'warning', text: `${spotUnavailable({ types: spot.types, refusals, rounds: round, elapsedMs: limit.elapsedMs(), maxPriceMicroUsd: spot.maxPriceMicroUsd, policyGiven: true }).message}; looking on, Ctrl-C ends it and leaves nothing`, hints: ['--on-spot-failure on-demand'] });
      }
      const nextMs = pauseBefore(limit, pauseMs);
      if (nextMs <= 0) throw end();
      await app.clock.sleep(nextMs, app.signal);
      pools = await search.again(limit.signal).catch((error: unknown) => {
        if (app.signal.aborted || refusalOf(error) === undefined) throw error;
        return pools;
      });
    }
  } finally {
    limit.stop();
  }
}

/** The last pause ends a little before the time is up; 0 or less: nothing more can be tried. */
function pauseBefore(limit: SearchLimit, pauseMs: number): number {
  const leftMs = limit.leftMs();
  return Math.round(leftMs > pauseMs + LAST_ROUND_MS ? pauseMs : leftMs - LAST_ROUND_MS);
}

/** Without those that cost too much now: the cloud need not be asked to know its answer. */
function affordable(pools: Pool[], { spot: { maxPriceMicroUsd }, ceilingMicroUsd, refusals }: Search): Pool[] {
  return pools.filter((pool) => {
    const { microUsdPerHour: price } = pool;
    const limit = price === undefined ? undefined : price > (maxPriceMicroUsd ?? Infinity) ? '' : price > (ceilingMicroUsd ?? Infinity) ? ', more than a budget allows' : undefined;
    if (price === undefined || limit === undefined) return true;
    refusals.add(pool, 'price', `costs ${formatUsd(price)} an hour now${limit}`);
    return false;
  });
}

interface Try {
  pool: Pool;
  round: number;
  attempt: number;
  of: number;
}

/** A machine, or how this place refused while another one may not. */
async function tryPool(app: App, provider: Provider, story: Story, search: Search, { pool, round, attempt, of }: Try, limit: SearchLimit, say: Say): Promise<(Offer & { machine: Machine }) | Refusal> {
  const { type, zone, microUsdPerHour } = pool;
  const place = { step: STEP, round, attempt, type, zone };
  const last = search.refusals.all().find((one) => one.pool.type === type && one.pool.zone === zone)?.text;
  const tell = (text: string): void =>
    say(() => `${round > 1 ? `round ${round}, ` : ''}attempt ${attempt} of ${of}, ${limit.text()}: ${zone} ${type}: ${text}`);
  app.report({ kind: 'spot.tried', ...place, label: LABEL, of, ...(microUsdPerHour === undefined ? {} : { hourlyMicroUsd: microUsdPerHour }), elapsedMs: limit.elapsedMs() });
  tell(last ?? 'asking');
  try {
    const plan = await provider.plan({ ...search.request, market: 'spot', type, zone, ...(search.spot.maxPriceMicroUsd === undefined ? {} : { maxPriceMicroUsd: search.spot.maxPriceMicroUsd }) }, limit.signal);
    const offer = await search.bind(plan);
    return { ...offer, machine: await insist(app, provider, story, offer.plan, search.effect, limit, tell) };
  } catch (error) {
    if (app.signal.aborted) throw isRefusal(error) ? app.signal.reason : error;
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    const known = error as RunctlError;
    const text = wordsOf(known);
    search.refusals.add(pool, refusal, text, known);
    app.report({ kind: 'spot.refused', ...place, refusal, text, elapsedMs: limit.elapsedMs() });
    tell(text);
    return refusal;
  }
}

/** The same machine with the same token until its fate is known: made, refused, or the time is up and it was looked for once more. */
async function insist(app: App, provider: Provider, story: Story, plan: MachinePlan, effect: string | undefined, limit: SearchLimit, tell: (text: string) => void): Promise<Machine> {
  let pending: string | undefined;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.6, LONGEST_PAUSE_MS)) {
    pending = undefined;
    try {
      return await launchOnce(app, provider, story, plan, {
        effect,
        signal: limit.signal,
        undo: async (token) => {
          pending = token;
          return app.signal.aborted ? takeBack(app, provider, token, 'spot') : false;
        },
      });
    } catch (error) {
      if (pending === undefined || app.signal.aborted) throw error;
      const nextMs = pauseBefore(limit, pauseMs);
      if (nextMs <= 0) {
        const late = await adoptLate(app, provider, story, { plan, token: pending, effect, lost: error });
        if (late) return late;
        throw error;
      }
      tell(`no answer (${error instanceof Error ? error.message : String(error)}); asking again for the same machine`);
      try {
        await app.clock.sleep(nextMs, app.signal);
      } catch (stopped) {
        await takeBack(app, provider, pending, 'spot');
        throw stopped;
      }
    }
  }
}
