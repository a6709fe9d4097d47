// No spot capacity: is the machine bought on demand instead? That is a decision about money, so somebody makes it: the command
// line, a person who sees both prices, or a setting for when nobody is there.
import { RunctlError } from '../../core/errors.ts';
import { type MachineRequest, type Pool, hourlyWith, runningMicroUsdPerHour } from '../../core/machine.ts';
import { formatUsd } from '../../core/money.ts';
import type { Provider } from '../../core/ports.ts';
import type { App } from '../app.ts';
import { refusalTable, type Refusals } from './buy-refusals.ts';
import type { SpotWish } from './buy-spot.ts';
import { USUAL_HOURS, shortHours } from './estimate.ts';

export interface FallbackFacts {
  spot: SpotWish;
  /** The request of the wanted type, its market still open. */
  request: MachineRequest;
  pools: Pool[];
  refusals: Refusals;
  hours?: number;
}

/** Returns when the machine is to be bought on demand; otherwise throws `end`, or `declined` after a no. */
export async function decideFallback(app: App, provider: Provider, facts: FallbackFacts, end: RunctlError): Promise<void> {
  const { spot } = facts;
  // `wait` has waited as long as it may.
  if (spot.policy === 'wait' || (spot.policyGiven && spot.policy === 'fail')) throw end;
  const prices = await comparison(app, provider, facts, end);
  let shown = false;
  const show = (): void => {
    shown = true;
    app.report({ kind: 'spot.fallback', ...prices, elapsedMs: Number(end.data?.['elapsedMs'] ?? 0), tried: facts.refusals.all().length > 0 ? refusalTable(facts.refusals.all()) : [end.message] });
  };
  const takes = spot.policyGiven || (await isWanted(app, spot, prices, show));
  if (!takes) throw shown ? declined(end) : end;
  if (!shown) show();
}

type Comparison = Omit<Parameters<App['report']>[0] & { kind: 'spot.fallback' }, 'kind' | 'elapsedMs' | 'tried'>;

/** Both prices an hour and for the expected time, disk and address included. */
async function comparison(app: App, provider: Provider, { request, pools, hours = USUAL_HOURS }: FallbackFacts, end: RunctlError): Promise<Comparison> {
  const plan = await provider.plan({ ...request, market: 'on-demand' }, app.signal).catch((error: unknown) => {
    if (!(error instanceof RunctlError) || app.signal.aborted) throw error;
    // On demand it could not be had either: the first trouble stays the one that is told.
    throw new RunctlError(end.code, end.message, { cause: [end.reason, `On demand it is not to be had either: ${error.message}.`].filter(Boolean).join('\n'), hints: [...end.hints, ...error.hints], data: end.data, source: error });
  });
  const onDemand = runningMicroUsdPerHour(plan.price);
  const cheapest = pools.filter((pool) => pool.type === request.type && pool.microUsdPerHour !== undefined).toSorted((one, other) => one.microUsdPerHour! - other.microUsdPerHour!)[0];
  const spot = hourlyWith(plan.price, cheapest?.microUsdPerHour);
  const over = (hourly: number | undefined): number | undefined => (hourly === undefined ? undefined : Math.round(hourly * hours));
  return {
    type: request.type,
    spotHourlyMicroUsd: spot,
    spotZone: cheapest?.zone,
    onDemandHourlyMicroUsd: onDemand,
    factor: spot && onDemand ? Math.round((onDemand / spot) * 100) / 100 : undefined,
    hours,
    spotExpectedMicroUsd: over(spot),
    onDemandExpectedMicroUsd: over(onDemand),
  };
}

/** Asks whoever is there; with nobody there the setting answers. */
async function isWanted(app: App, spot: SpotWish, { type, onDemandHourlyMicroUsd: hourly, onDemandExpectedMicroUsd: expected, hours }: Comparison, show: () => void): Promise<boolean> {
  const price = hourly === undefined || expected === undefined ? 'for a price that nobody knows' : `for ${formatUsd(hourly)} an hour (${formatUsd(expected, 2)} for ${shortHours(hours)})`;
  try {
    return await app.ask({ text: `Buy ${type} on demand instead, ${price}?`, flag: '--on-spot-failure on-demand', before: show });
  } catch (error) {
    if (!(error instanceof RunctlError) || error.code !== 'declined') throw error;
    return spot.policy === 'on-demand';
  }
}

/** After a no: what was tried has just been seen. */
function declined(end: RunctlError): RunctlError {
  return new RunctlError('declined', `${end.message}, and on demand was declined: nothing was bought`, {
    hints: end.hints.filter((hint) => hint !== '--on-spot-failure on-demand'),
    data: end.data,
    source: end,
  });
}
