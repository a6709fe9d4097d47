// Buying a machine, from the wish to the machine that is there: which market, where, within which bounds. Spot is looked for in
// one place after the other; on demand in its place is bought only when somebody decided so.
import { RunctlError } from '../../core/errors.ts';
import type { Machine, MachinePlan, MachineRequest, Pool } from '../../core/machine.ts';
import type { Provider } from '../../core/ports.ts';
import type { App } from '../app.ts';
import { noteMachine } from '../cost/cost-actual.ts';
import { requireBudget } from '../cost/budget.ts';
import { launchOnce, takeBack } from './buy-once.ts';
import { completeRequest, projectName, requireRoom } from './buy-request.ts';
import { createRefusals, refusalOf, spotUnavailable } from './buy-refusals.ts';
import { type Offer, type SpotWish, buySpot, orderPools } from './buy-spot.ts';
import { expectedHours, sayEstimate } from './estimate.ts';
import { decideFallback } from './fallback.ts';
import { type LeaseWish, bindLease } from '../lease/lease.ts';
import { type MachineWish, onMarket } from '../preflight.ts';
import type { Story } from '../steps.ts';

/** The machine that is wanted; whatever is absent comes from the settings, then from the provider. */
export interface NewMachine extends Omit<MachineWish, 'market' | 'maxPriceMicroUsd'> {
  project?: string;
  /** Absent: on demand. */
  spot?: SpotWish;
  /** Where it may be, in this order for on-demand machines. Absent: `zone`, else anywhere. */
  zones?: string[];
  /** How long it is expected to run, for estimates and budgets. */
  hours?: number;
  /** Absent: nothing bounds it. */
  lease?: LeaseWish;
}

export interface BuyOptions {
  /** A place that has just taken a machine back: asked last. */
  avoid?: Pick<Pool, 'type' | 'zone'>;
  /** Which machine of this run it is, from 1: a run that replaces a lost one buys several. */
  nth?: number;
  /** What earlier machines have used up of the lease's cost limit, micro-dollars. */
  spentMicroUsd?: number;
}

export interface Bought extends Offer {
  machine: Machine;
  /** Spot was wanted, and on demand was bought by decision. */
  fellBack: boolean;
}

/**
 * Steps `plan` and `create`, for a new machine or for one in place of a lost one: another zone first, then another type, then, if
 * the policy allows it, the other market. The machine carries the run's tags from its first moment.
 */
export async function buyMachine(app: App, provider: Provider, story: Story, wanted: NewMachine, options: BuyOptions = {}): Promise<Bought> {
  const request = completeRequest(app, wanted, story.runId);
  const buyer: Buyer = { app, provider, story, wanted, request, ...bounds(app, provider, wanted, options.spentMicroUsd), effect: (options.nth ?? 1) > 1 ? `create-${options.nth}` : 'create' };
  const bought = wanted.spot ? await buyWithSpot(buyer, wanted.spot, options.avoid) : { ...(await buyOnDemand(buyer)), fellBack: false };
  story.setMachine(bought.machine.id, provider.name);
  await noteMachine(app, provider, bought.machine, bought.plan);
  return bought;
}

interface Buyer {
  app: App;
  provider: Provider;
  story: Story;
  wanted: NewMachine;
  request: MachineRequest;
  /** The plan with its lease. */
  bind(plan: MachinePlan): Offer;
  /** Throws when a budget forbids it. */
  afford(offer: Offer): Promise<void>;
  effect: string;
}

async function buyWithSpot(buyer: Buyer, spot: SpotWish, avoid: BuyOptions['avoid']): Promise<Bought> {
  const { app, provider, story, wanted, request, effect } = buyer;
  if (!provider.pools) throw new RunctlError('usage', `${provider.name} sells no spot machines`, { hints: ['--on-demand'] });
  const refusals = createRefusals();
  const zones = wanted.zones ?? (wanted.zone === undefined ? undefined : [wanted.zone]);
  const places = async (signal: AbortSignal): Promise<Pool[]> =>
    orderPools(await provider.pools!({ request: { ...request, ...onMarket(spot) }, types: spot.types, ...(zones ? { zones } : {}) }, signal), spot.types, avoid);
  let pools: Pool[] = [];
  try {
    pools = await story.step('plan', 'look for spot capacity', async () => {
      const [found] = await Promise.all([places(app.signal), requireRoom(app, provider)]);
      if (found.length === 0) throw new RunctlError('capacity', `no zone sells ${spot.types.join(' or ')} as spot`, { hints: ['--types g5.xlarge,g6.xlarge', '--on-demand'] });
      return found;
    }, describePools).catch((error: unknown) => {
      if (refusalOf(error) !== 'capacity') throw error;
      const end = spotUnavailable({ types: spot.types, refusals, rounds: 0, elapsedMs: 0, maxPriceMicroUsd: spot.maxPriceMicroUsd, policyGiven: spot.policyGiven });
      throw new RunctlError('spot-unavailable', end.message, { cause: (error as RunctlError).message, hints: end.hints, data: end.data, source: error });
    });
    const first = await sayFirstEstimate(buyer, spot, pools);
    const ceilingMicroUsd = first && (await affordPools(buyer, first, pools.filter((pool) => (pool.microUsdPerHour ?? 0) <= (spot.maxPriceMicroUsd ?? Infinity))));
    const bind = first ? buyer.bind : (plan: MachinePlan) => bindAndAfford(buyer, plan);
    return { ...(await buySpot(app, provider, story, { spot, request, pools, again: places, bind, ceilingMicroUsd, refusals, effect })), fellBack: false };
  } catch (error) {
    if (!(error instanceof RunctlError) || error.code !== 'spot-unavailable') throw error;
    await decideFallback(app, provider, { spot, request, pools, refusals, hours: expectedHours(wanted.hours, wanted.lease?.maxHours) }, error);
  }
  return { ...(await buyOnDemand(buyer, pools)), fellBack: true };
}

/** The price of the first place that can be planned: what is said before anything is bought. Undefined: none can. */
async function sayFirstEstimate({ app, provider, wanted, request, bind }: Buyer, spot: SpotWish, pools: Pool[]): Promise<Offer | undefined> {
  for (const pool of pools) {
    try {
      const plan = await provider.plan({ ...request, ...onMarket(spot), type: pool.type, zone: pool.zone }, app.signal);
      const offer = bind(plan);
      sayEstimate(app, plan, { hours: wanted.hours, lease: offer.lease });
      return offer;
    } catch (error) {
      if (app.signal.aborted || refusalOf(error) === undefined) throw error;
    }
  }
  return undefined;
}

/** A budget that allows one price is not asked again for one that is so little above it. */
const SAME_DECISION = 1.25;

/** Whether budgets allow the first place, and the dearest: asked before the search, in which nobody can be asked. Returns the price an
 *  hour for compute above which they do not; undefined: they allow all. Throws when they do not even allow the first. */
async function affordPools({ afford }: Buyer, { plan, lease }: Offer, pools: Pool[]): Promise<number | undefined> {
  await afford({ plan, lease });
  const cheapest = plan.price.computeMicroUsd ?? 0;
  const dearest = Math.max(cheapest, ...pools.map((pool) => pool.microUsdPerHour ?? 0));
  if (dearest <= cheapest * SAME_DECISION) return undefined;
  try {
    await afford({ plan: { ...plan, price: { ...plan.price, computeMicroUsd: dearest } }, lease });
    return undefined;
  } catch (error) {
    if (!(error instanceof RunctlError) || error.code !== 'over-budget') throw error;
    return Math.round(cheapest * SAME_DECISION);
  }
}

/** For a place whose price nobody could tell before the search. */
async function bindAndAfford({ bind, afford }: Buyer, plan: MachinePlan): Promise<Offer> {
  const offer = bind(plan);
  await afford(offer);
  return offer;
}

/** In the named zones one after the other, or wherever the provider finds it best. `pools`: where spot was looked for. */
async function buyOnDemand(buyer: Buyer, pools: Pool[] = []): Promise<Offer & { machine: Machine }> {
  const { app, provider, story, wanted, request, effect } = buyer;
  const zones = zonesToTry(wanted, pools);
  for (const [at, zone] of zones.entries()) {
    try {
      const plan = await story.step('plan', 'plan machine', async () => {
        const [planned] = await Promise.all([provider.plan({ ...request, ...(zone === undefined ? {} : { zone }), market: 'on-demand' }, app.signal), requireRoom(app, provider)]);
        return planned;
      }, describePlan);
      const offer = buyer.bind(plan);
      if (at === 0) sayEstimate(app, plan, { hours: wanted.hours, lease: offer.lease });
      await buyer.afford(offer);
      const machine = await story.step('create', 'create machine',
        () => launchOnce(app, provider, story, offer.plan, { effect, undo: (token) => takeBack(app, provider, token, 'on-demand') }),
        (made) => `${made.market} ${made.id}`);
      return { ...offer, machine };
    } catch (error) {
      const next = zones[at + 1];
      if (next === undefined || app.signal.aborted || refusalOf(error) !== 'capacity') throw error;
      app.report({ kind: 'note', level: 'warning', text: `${(error as RunctlError).message}; trying ${next}` });
    }
  }
  throw new Error('unreachable');
}

/** Undefined: the provider chooses. After a fruitless search for spot its other zones are worth a try too. */
function zonesToTry({ zone, zones, subnet, type }: NewMachine, pools: Pool[]): (string | undefined)[] {
  if (zones && zones.length > 0) return zones;
  if (zone !== undefined || subnet !== undefined || pools.length === 0) return [zone];
  return [undefined, ...new Set(pools.filter((pool) => pool.type === type).map((pool) => pool.zone))];
}

/** What bounds a plan: its lease, and all budgets. */
function bounds(app: App, provider: Provider, wanted: NewMachine, spentMicroUsd: number | undefined): Pick<Buyer, 'bind' | 'afford'> {
  return {
    bind: (plan) => bindLease(app, plan, wanted.lease, spentMicroUsd),
    afford: ({ plan, lease }) =>
      requireBudget(app, provider, {
        project: wanted.project ?? projectName(app), plan, hours: expectedHours(wanted.hours, lease?.allowedS === undefined ? undefined : lease.allowedS / 3600),
        ...(lease?.maxCostMicroUsd === undefined ? {} : { maxCostMicroUsd: lease.maxCostMicroUsd }),
      }),
  };
}

function describePools(pools: Pool[]): string {
  const types = [...new Set(pools.map((pool) => pool.type))];
  const zones = new Set(pools.map((pool) => pool.zone)).size;
  return `${types.join(', ')} in ${zones} zone${zones === 1 ? '' : 's'}, ${pools[0]!.zone} first`;
}

function describePlan(plan: MachinePlan): string {
  return [plan.type, plan.market, plan.zone ?? plan.region, plan.image.name || plan.image.id, plan.profile ? `profile ${plan.profile}` : 'no profile'].join(', ');
}
