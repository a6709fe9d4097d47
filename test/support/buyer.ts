// Somebody who buys machines from a market double: an App with a ledger of its own and a clock that turns by itself.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { Clock } from '../../src/core/clock.ts';
import { RunctlError } from '../../src/core/errors.ts';
import type { Event } from '../../src/core/events.ts';
import { newRunId } from '../../src/core/ids.ts';
import type { Ask } from '../../src/core/ports.ts';
import { type Stake, newStake } from '../../src/core/stake.ts';
import type { App } from '../../src/engine/app.ts';
import { type Bought, type BuyOptions, type NewMachine, buyMachine } from '../../src/engine/buying/buy.ts';
import type { SpotWish } from '../../src/engine/buying/buy-spot.ts';
import { tell } from '../../src/engine/steps.ts';
import { type Ledger, openLedger } from '../../src/ledger/ledger.ts';
import { type MarketDouble, type MarketOptions, marketDouble } from './market-double.ts';
import { turnClock } from './turn-clock.ts';

export interface Wish extends Partial<Omit<NewMachine, 'spot'>> {
  /** Over a search of 60 s for g5.xlarge with the default policy; null: on demand. */
  spot?: Partial<SpotWish> | null;
  /** Default: nobody is there. */
  ask?: Ask;
  options?: BuyOptions;
  budgetUsd?: number;
}

export interface Buyer {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly events: Event[];
  readonly stake: Stake;
  /** Of the latest purchase. */
  readonly runId: string;
  market(options: MarketOptions): MarketDouble;
  buy(double: MarketDouble, wish?: Wish): Promise<Bought>;
  /** First Ctrl-C; returns what everything under way ends with. */
  interrupt(): Error;
  of<K extends Event['kind']>(kind: K): Extract<Event, { kind: K }>[];
  /** As before the first purchase, but for the ledger. */
  reset(): void;
  close(): void;
}

const SPOT: SpotWish = { types: ['g5.xlarge'], timeoutMs: 60_000, policy: 'fail', policyGiven: false };

export const nobody: Ask = async ({ text, flag }) => {
  throw new RunctlError('declined', `nobody is here to answer: ${text}`, { hints: [flag] });
};

export const saying = (answer: boolean, heard: string[] = []): Ask => async ({ text, before }) => {
  before?.();
  heard.push(text);
  return answer;
};

export const failure = async (promise: Promise<unknown>): Promise<RunctlError> => promise.then(() => expect.unreachable('it should have failed'), (error: unknown) => error as RunctlError);

/** "spot us-east-1a g5.xlarge", as they were asked. */
export const places = (double: MarketDouble): string[] => double.creates.map(({ market, zone, type }) => `${market} ${zone} ${type}`);

export async function openBuyer(): Promise<Buyer> {
  const directory = mkdtempSync(join(tmpdir(), 'runctl-buy-'));
  const ledger = await openLedger(join(directory, 'ledger.sqlite'));
  const { values: config } = await loadConfig({ cwd: directory, env: { HOME: directory }, flags: { 'aws.owner': 'me' } });
  let [clock, events, stake, abort, runId] = [turnClock(), [] as Event[], newStake(), new AbortController(), ''];
  return {
    ledger,
    get clock() {
      return clock;
    },
    get events() {
      return events;
    },
    get stake() {
      return stake;
    },
    get runId() {
      return runId;
    },
    market: (options) => marketDouble({ nowMs: () => clock.monotonic(), ...options }),
    async buy(double, { ask = nobody, spot = {}, options, budgetUsd, ...wish } = {}) {
      const app: App = {
        config: budgetUsd === undefined ? config : { ...config, budget: { ...config.budget, day: budgetUsd } },
        cwd: directory, clock, report: (event) => void events.push(event), ask, signal: abort.signal, stake,
        ledger: async () => ledger, provider: async () => double.provider, store: async () => undefined,
      };
      runId = newRunId(clock.now());
      return tell(app, { runId, verb: 'create', request: {} }, (story) =>
        buyMachine(app, double.provider, story, { type: 'g5.xlarge', ...wish, ...(spot === null ? {} : { spot: { ...SPOT, ...spot } }) }, options));
    },
    interrupt() {
      abort.abort(new RunctlError('interrupted', 'interrupted by Ctrl-C'));
      return abort.signal.reason as Error;
    },
    of: <K extends Event['kind']>(kind: K) => events.filter((event) => event.kind === kind) as Extract<Event, { kind: K }>[],
    reset() {
      [clock, events, stake, abort] = [turnClock(), [], newStake(), new AbortController()];
    },
    close() {
      ledger.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
