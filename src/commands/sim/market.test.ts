// `runctl sim market` and `sim interrupt` on a pretend cloud in this process: what is asked for, what is shown, what is refused.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TEST_DIAL, failure, startTestSim } from '../../../test/support/test-sim.ts';
import type { TestSim } from '../../../test/support/test-sim.ts';
import type { CommandApp } from '../../app/command-app.ts';
import { createStyle } from '../../ui/style.ts';
import { simInterruptCommand } from './interrupt.ts';
import { simMarketCommand } from './market.ts';

let t: TestSim;
beforeAll(async () => {
  t = await startTestSim();
});
afterAll(() => t.close());

/** What the two commands touch of the App. */
const app = (): CommandApp =>
  ({ config: { aws: { region: undefined } }, sim: async () => ({ start: async () => ({ region: 'us-east-1' }), call: (name: string, body: object) => t.sim.call(name, body) }) }) as unknown as CommandApp;
const plain = createStyle(false, false);
type MarketFlags = Parameters<typeof simMarketCommand.run>[0]['flags'];
type InterruptFlags = Parameters<typeof simInterruptCommand.run>[0]['flags'];

/** What a command answers that answers once. */
type Once<R> = Exclude<Awaited<R>, AsyncIterable<unknown>>;

const market = async (flags: Partial<MarketFlags> = {}, what?: string) =>
  (await simMarketCommand.run({ args: what === undefined ? {} : { what }, flags: { type: undefined, zone: undefined, price: undefined, capacity: undefined, ...flags }, rest: [] }, app())) as Once<ReturnType<typeof simMarketCommand.run>>;
const shown = async (flags: Partial<MarketFlags> = {}, what?: string): Promise<string> => simMarketCommand.text!(await market(flags, what), plain);
const interrupt = async (id: string, flags: Partial<InterruptFlags> = {}) =>
  (await simInterruptCommand.run({ args: { instance_id: id }, flags: { notice: undefined, rebalance: undefined, reason: 'capacity', now: undefined, ...flags }, rest: [] }, app())) as Once<ReturnType<typeof simInterruptCommand.run>>;

test('R204 the market: the cheapest zone of each type, and every pool of one', async () => {
  const all = await market();
  expect(new Set(all.pools.map((pool) => pool.type)).size).toBe(all.pools.length);
  expect(all).toMatchObject({ shown: 'cheapest', region: 'us-east-1' });
  const text = simMarketCommand.text!(all, plain);
  expect(text).toMatch(/^TYPE +ZONE +SPOT +ON-DEMAND +SHARE +CAPACITY +RUNNING\n/);
  expect(text).toMatch(/^g5\.xlarge +us-east-1[a-f] +\$0\.\d{4}\/h +\$1\.0060\/h +\d\d % +plenty +0$/m);
  expect(text).toContain('The cheapest zone of each type in us-east-1');
  expect((await market({ type: 'g5.xlarge' })).pools).toHaveLength(6);
});

test('R204 set: price and capacity, of one zone or all, and back; what was changed is listed though it is not the cheapest', async () => {
  expect(await shown({ type: 't3.small', zone: 'us-east-1b', price: '$0.02', capacity: '3' }, 'set')).toMatch(/^t3\.small +us-east-1b +\$0\.0200\/h +\$0\.0208\/h +96 % +3 +0 +by hand$/m);
  expect((await market()).pools.filter((pool) => pool.type === 't3.small').map((pool) => pool.zone)).toContain('us-east-1b');
  expect((await market({ type: 't3.small', price: 'none', capacity: 'none' }, 'set')).pools).toHaveLength(16);
  expect(await market({ type: 't3.small', zone: 'us-east-1b' })).toMatchObject({ shown: 'all', pools: [{ capacity: null, isPriceSet: false }] });
});

test.each<[string | undefined, Partial<MarketFlags>, string]>([
  ['sett', {}, 'the market can be set, not "sett"'],
  [undefined, { capacity: '0' }, 'to change the market, say "sim market set"'],
  ['set', { capacity: '0' }, '--type is missing'],
  ['set', { type: 't3.micro' }, 'nothing to set'],
  ['set', { type: 't3.micro', price: 'cheap' }, '--price must be USD per hour or none, not "cheap"'],
  ['set', { type: 't3.micro', capacity: '-1' }, '--capacity must be a number of machines or none, not "-1"'],
  ['set', { type: 'x9.huge', capacity: '1' }, 'no instance type x9.huge'],
])('R204 sim market %s %j is refused', async (what, flags, part) => {
  expect(await failure(market(flags, what))).toMatchObject({ code: 'usage', message: expect.stringContaining(part) });
});

test('R204 interrupt: with notice and recommendation, or at once', async () => {
  const spot = async (): Promise<string> => {
    const { InstanceId } = await t.run({ InstanceMarketOptions: { MarketType: 'spot' } });
    await t.clock.advance(TEST_DIAL.pendingMs);
    return InstanceId!;
  };
  const iso = (afterMs: number): string => `${new Date(t.clock.now() + afterMs).toISOString().slice(0, 19)}Z`;
  const told = await interrupt(await spot(), { rebalance: 60_000, reason: 'price' });
  expect(told).toMatchObject({ action: 'terminate', reason: 'price', rebalanceAt: iso(0), noticeAt: iso(60_000), endAt: iso(180_000) });
  expect(simInterruptCommand.text!(told, plain)).toBe(`${told.instanceId} will be terminated at ${told.endAt}\nIt is recommended to rebalance now; the notice comes at ${told.noticeAt}`);
  const gone = await interrupt(await spot(), { now: true });
  expect(simInterruptCommand.text!(gone, plain)).toBe(`${gone.instanceId} is terminated at once (${iso(0)})`);
  expect(await failure(interrupt('i-0123456789abcdef0'))).toMatchObject({ code: 'not-found' });
  expect(await interrupt(await spot())).toMatchObject({ noticeAt: iso(0), endAt: iso(120_000) });
  expect(await failure(interrupt(await spot(), { now: true, notice: 60_000 }))).toMatchObject({ code: 'usage', message: '--now contradicts --notice and --rebalance' });
});
