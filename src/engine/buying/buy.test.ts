// Buying, with the market doubled at the provider's port and a clock that turns by itself: where machines are looked for, what is told
// meanwhile, what it will cost. What comes of a fruitless search is in fallback.test.ts.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Buyer, failure, openBuyer, places, saying } from '../../../test/support/buyer.ts';
import { type MarketDouble, type MarketOptions, refused } from '../../../test/support/market-double.ts';

let b: Buyer;
beforeAll(async () => {
  b = await openBuyer();
});
afterAll(() => b.close());
beforeEach(() => b.reset());

const FOUR = { 'us-east-1b/g5.xlarge': 300_000, 'us-east-1a/g5.xlarge': 310_000, 'us-east-1a/g6.xlarge': 250_000, 'us-east-1c/g6.xlarge': 260_000 };

describe('what is sold is taken', () => {
  test('D1 R016 fulfilled is what answers with a machine: one launch, on demand never, nothing left open', async () => {
    const double = b.market({});
    const { machine, plan, fellBack } = await b.buy(double);
    expect(machine).toMatchObject({ id: 'i-1', market: 'spot', spotRequestId: 'sir-1' });
    expect([plan.market, fellBack]).toEqual(['spot', false]);
    expect(places(double)).toEqual(['spot us-east-1a g5.xlarge']);
    expect([double.withdrawn, double.terminated]).toEqual([[], []]);
    expect(b.clock.monotonic()).toBeLessThan(1000);
    expect(b.ledger.getRun(b.runId).machineId).toBe('i-1');
    expect(plan.tags).toMatchObject({ 'runctl:run': b.runId, 'runctl:owner': 'me', 'runctl:market': 'spot' });
  });

  test('D3 R016 without --spot-max-price there is none: EC2 itself never takes more than the on-demand price', async () => {
    const double = b.market({ pools: { 'us-east-1a/g5.xlarge': 900_000 } });
    expect((await b.buy(double)).plan.maxPriceMicroUsd).toBeUndefined();
  });

  test('R234 another zone first, then another type; every try is a launch of its own', async () => {
    const double = b.market({ pools: FOUR, answer: ({ type, zone }) => (type === 'g6.xlarge' && zone === 'us-east-1c' ? undefined : refused.capacity()) });
    const { machine } = await b.buy(double, { spot: { types: ['g5.xlarge', 'g6.xlarge'] } });
    expect(places(double)).toEqual(['spot us-east-1b g5.xlarge', 'spot us-east-1a g5.xlarge', 'spot us-east-1a g6.xlarge', 'spot us-east-1c g6.xlarge']);
    expect(machine).toMatchObject({ type: 'g6.xlarge', zone: 'us-east-1c' });
    expect(new Set(double.creates.map(({ token }) => token)).size).toBe(4);
    expect(b.ledger.effectsOf(b.runId).map(({ state }) => state)).toEqual(['failed', 'failed', 'failed', 'done']);
  });

  test('R234 in place of a lost machine: where it was lost is asked last of its type, as a launch that the first one does not stand for', async () => {
    const double = b.market({ pools: FOUR, answer: ({ zone }) => (zone === 'us-east-1a' ? refused.capacity() : undefined) });
    await b.buy(double, { options: { avoid: { type: 'g5.xlarge', zone: 'us-east-1b' }, nth: 2 }, spot: { types: ['g5.xlarge', 'g6.xlarge'] } });
    expect(places(double)).toEqual(['spot us-east-1a g5.xlarge', 'spot us-east-1b g5.xlarge']);
    expect(b.ledger.effectsOf(b.runId).map(({ step }) => step)).toEqual(['create-2', 'create-2']);
  });

  test('R016 --zones is all that is asked; on demand they are tried one after the other', async () => {
    const double = b.market({ pools: FOUR });
    await b.buy(double, { zones: ['us-east-1a'] });
    expect(places(double)).toEqual(['spot us-east-1a g5.xlarge']);
    const onDemand = b.market({ answer: ({ zone }) => (zone === 'us-east-1c' ? refused.capacity() : undefined) });
    await b.buy(onDemand, { spot: null, zones: ['us-east-1c', 'us-east-1a'] });
    expect(places(onDemand)).toEqual(['on-demand us-east-1c g5.xlarge', 'on-demand us-east-1a g5.xlarge']);
  });

  test('R018 capacity that comes while it is waited for is found, in a later round and with longer pauses', async () => {
    const double = b.market({ answer: ({ atMs }) => (atMs > 20_000 ? undefined : refused.capacity()) });
    await b.buy(double);
    const pauses = double.creates.slice(1).map(({ atMs }, at) => atMs - double.creates[at]!.atMs);
    expect(pauses).toEqual(pauses.toSorted((one, other) => one - other));
    expect(double.creates.length).toBeGreaterThan(3);
  });

  test('R016 a machine that ended before it could be used is a refusal', async () => {
    const double = b.market({ pools: FOUR, answer: ({ zone }, _nth, self, plan) => (zone === 'us-east-1b' ? { ...self.make(plan, 'other'), state: 'terminated', stateReason: 'taken back' } : undefined) });
    expect((await b.buy(double)).machine).toMatchObject({ zone: 'us-east-1a', state: 'pending' });
    expect(b.of('spot.refused')[0]).toMatchObject({ refusal: 'capacity', text: expect.stringContaining('taken back') as string });
  });
});

describe('R017 R019 what is told meanwhile, and at the end', () => {
  test('R017 each try by number, place and price; then the cloud\'s own words, and the time', async () => {
    const double = b.market({ pools: FOUR, answer: () => refused.capacity() });
    const error = await failure(b.buy(double, { spot: { timeoutMs: 20_000 } }));
    expect(b.of('spot.tried').slice(0, 3)).toMatchObject([{ attempt: 1, of: 2, round: 1, zone: 'us-east-1b', hourlyMicroUsd: 300_000 }, { attempt: 2, of: 2, round: 1 }, { attempt: 1, of: 2, round: 2 }]);
    const details = b.of('step.progress').map(({ detail }) => detail);
    expect(details).toContain('attempt 1 of 2, 0 s of 20 s: us-east-1b g5.xlarge: asking');
    expect(details).toContain('attempt 2 of 2, 0 s of 20 s: us-east-1a g5.xlarge: There is no Spot capacity available that matches your request. (InsufficientInstanceCapacity)');
    expect(details.some((detail) => /^round 3, attempt 1 of 2, \d+ s of 20 s: us-east-1b g5\.xlarge: There is no Spot/.test(detail ?? ''))).toBe(true);
    expect(error).toMatchObject({ code: 'spot-unavailable', exitCode: 2, message: 'no spot capacity for g5.xlarge in 19 s' });
  });

  test.each(['20', '60', '300'])('R018 --spot-timeout %s s is when it ends', async (seconds) => {
    const double = b.market({ answer: () => refused.capacity() });
    await failure(b.buy(double, { spot: { timeoutMs: Number(seconds) * 1000 } }));
    expect(b.clock.monotonic()).toBeGreaterThan(Number(seconds) * 1000 - 2000);
    expect(b.clock.monotonic()).toBeLessThanOrEqual(Number(seconds) * 1000 + 500);
  });

  test('R018 no time at all is enough to ask one place', async () => {
    const double = b.market({ pools: FOUR, answer: () => refused.capacity() });
    await failure(b.buy(double, { spot: { timeoutMs: 0 } }));
    expect(double.creates).toHaveLength(1);
  });

  test('R019 a search that was over at once did not take 0 s', async () => {
    expect(await failure(b.buy(b.market({ answer: () => refused.capacity() }), { spot: { timeoutMs: 0 } }))).toMatchObject({ message: 'no spot capacity for g5.xlarge in less than a second' });
  });

  test('R018 a cloud that takes long to answer: the answer under way is heard, and no other place is asked', async () => {
    const double = b.market({ pools: FOUR, answer: async () => b.clock.sleep(12_000).then(() => refused.capacity()) });
    await failure(b.buy(double, { spot: { types: ['g5.xlarge', 'g6.xlarge'], timeoutMs: 20_000 } }));
    expect([double.creates.length, Math.round(b.clock.monotonic() / 1000)]).toEqual([2, 24]);
  });

  test('R019 one table, one row a place, and one sentence and one remedy a reason', async () => {
    const double = b.market({ pools: { ...FOUR, 'us-east-1d/p3.2xlarge': 900_000, 'us-east-1e/p3.2xlarge': 900_000 }, onDemand: { 'g5.xlarge': 1_006_000 }, answer: ({ type, zone }) => (type === 'p3.2xlarge' ? refused.quota() : type === 'g5.xlarge' && zone === 'us-east-1a' ? refused.price() : refused.capacity()) });
    const error = await failure(b.buy(double, { spot: { types: ['g5.xlarge', 'g6.xlarge', 'p3.2xlarge'], maxPriceMicroUsd: 950_000, timeoutMs: 5000 } }));
    const lines = error.reason!.split('\n');
    expect(lines[0]).toMatch(/^TYPE +ZONE +TRIED +WHY +ANSWER$/);
    expect(lines.slice(1, 6).map((line) => line.replace(/ +/g, ' '))).toEqual([
      'g5.xlarge us-east-1b 3x no capacity There is no Spot capacity available that matches your request. (InsufficientInstanceCapacity)',
      'g5.xlarge us-east-1a 3x price Your Spot request price of 0.1 is lower than the minimum required Spot request fulfillment price of 0.3. (SpotMaxPriceTooLow)',
      'g6.xlarge us-east-1a, c 6x no capacity There is no Spot capacity available that matches your request. (InsufficientInstanceCapacity)',
      'p3.2xlarge us-east-1d 1x quota Max spot instance count exceeded (MaxSpotInstanceCountExceeded)',
      'No capacity: there is no spare machine to sell there now. Later, in another zone or for another type the answer may differ.',
    ]);
    expect(lines.slice(6).map((line) => line.split(':')[0])).toEqual(['Price', 'Quota']);
    expect(error.hints.join('\n')).toMatch(/service-quotas request-service-quota-increase/);
    expect(error.data).toMatchObject({ attempts: 13, refused: [{ zone: 'us-east-1b', refusal: 'capacity', times: 3 }, {}, {}, {}, { refusal: 'quota', times: 1 }] });
  });

  test('R019 only the price is in the way: which it is, and the lowest that would do; nobody is asked what is known', async () => {
    const double = b.market({ pools: { 'us-east-1a/g5.xlarge': 300_000, 'us-east-1b/g5.xlarge': 312_345 } });
    const error = await failure(b.buy(double, { spot: { maxPriceMicroUsd: 200_000 } }));
    expect(error.message).toBe('no spot machine of g5.xlarge costs as little as $0.20 an hour; the cheapest costs $0.30');
    expect(error.hints[0]).toBe('--spot-max-price 0.3001');
    expect(double.creates).toEqual([]);
  });

  test('R019 a quota ends the search at once: no other place of the family helps', async () => {
    const double = b.market({ pools: FOUR, answer: () => refused.quota() });
    const error = await failure(b.buy(double));
    expect([double.creates.length, b.clock.monotonic() < 2000]).toEqual([1, true]);
    expect(error).toMatchObject({ code: 'spot-unavailable', message: "the account's quota of spot machines leaves no room for g5.xlarge" });
  });

  test.each(['permission', 'parameter'] as const)('R019 a wrong %s ends everything at once with its own error, whatever the policy', async (kind) => {
    for (const policy of ['fail', 'on-demand', 'wait'] as const) {
      const double = b.market({ pools: FOUR, answer: () => refused[kind]() });
      expect(await failure(b.buy(double, { ask: saying(true), spot: { policy } }))).toMatchObject({ code: refused[kind]().code, message: refused[kind]().message });
      expect(double.creates).toHaveLength(1);
    }
  });

  test('R019 throttled: the round ends, and it goes on after the pause', async () => {
    const double = b.market({ pools: FOUR, answer: (_asked, nth) => (nth === 1 ? refused.throttled() : undefined) });
    await b.buy(double);
    expect(double.creates.map(({ zone }) => zone)).toEqual(['us-east-1b', 'us-east-1b']);
    expect(double.creates[1]!.atMs).toBeGreaterThanOrEqual(2000);
  });
});

describe('R025 R224 the price before anything is bought', () => {
  test('R025 spot: both markets, disk and address, the expected time, and the worst that can come', async () => {
    await b.buy(b.market({}), { hours: 10 });
    expect(b.of('cost.estimated')).toMatchObject([{
      market: 'spot', zone: 'us-east-1a', computeMicroUsd: 300_000, storageMicroUsd: 11_111, addressMicroUsd: 5000, hourlyMicroUsd: 316_111, spotHourlyMicroUsd: 316_111, onDemandHourlyMicroUsd: 1_022_111,
      hours: 10, expectedMicroUsd: 3_161_110, otherExpectedMicroUsd: 10_221_110, worstMicroUsd: 10_221_110, worst: '10 h at the on-demand price, which spot never exceeds; --max-hours bounds the hours',
    }]);
    expect(b.events.findIndex(({ kind }) => kind === 'cost.estimated')).toBeLessThan(b.events.findIndex(({ kind }) => kind === 'spot.tried'));
  });

  test('R224 the highest price allowed, and a lease, are worst cases of their own', async () => {
    await b.buy(b.market({}), { hours: 10, spot: { maxPriceMicroUsd: 400_000 } });
    expect(b.of('cost.estimated')[0]).toMatchObject({ worstMicroUsd: 4_161_110, worst: '10 h at the highest price allowed; --max-hours bounds the hours' });
    b.events.length = 0;
    await b.buy(b.market({}), { spot: null, lease: { maxHours: 8, graceMs: 90_000 } });
    // Eight hours, the grace, and what a shutdown may take.
    expect(b.of('cost.estimated')[0]).toMatchObject({ market: 'on-demand', worst: 'lease: 8 h', worstMicroUsd: Math.ceil((1_022_111 * (8 * 3600 + 90 + 180)) / 3600) });
    b.events.length = 0;
    await b.buy(b.market({}), { spot: { policy: 'on-demand' }, lease: { maxCostMicroUsd: 2_000_000 } });
    expect(b.of('cost.estimated')[0]).toMatchObject({ worst: 'lease: cost limit', worstMicroUsd: 2_000_000 });
  });

  test.each([
    [{ hours: 10, spot: null, lease: { maxHours: 4, graceMs: 90_000 } }, { hours: 4, expectedMicroUsd: 4 * 1_022_111 }],
    [{ spot: null, lease: { maxCostMicroUsd: 2_000_000 } }, { worstMicroUsd: 2_000_000 }],
    [{ hours: 2, spot: null, lease: { maxHours: 4 } }, { hours: 2, expectedMicroUsd: 2 * 1_022_111 }],
  ])('R224 nobody expects it to run for longer, or to cost more, than its lease lets it (%j)', async (wish, estimate) => {
    await b.buy(b.market({}), wish);
    const said = b.of('cost.estimated')[0]!;
    expect(said).toMatchObject(estimate);
    expect(said.expectedMicroUsd).toBeLessThanOrEqual(said.worstMicroUsd!);
  });

  test('R224 a market that asks for more than on demand: what is expected is not above the most that it can cost', async () => {
    await failure(b.buy(b.market({ pools: { 'us-east-1a/g5.xlarge': 2_000_000 }, answer: () => refused.price() }), { hours: 2 }));
    expect(b.of('cost.estimated')[0]).toMatchObject({ expectedMicroUsd: 2_044_222, worstMicroUsd: 2_044_222 });
  });

  test('R021 the choice is about no more hours than the lease allows', async () => {
    await b.buy(b.market({ answer: ({ market: of }) => (of === 'spot' ? refused.quota() : undefined) }), { ask: saying(true), lease: { maxHours: 1 } });
    expect(b.of('spot.fallback')[0]).toMatchObject({ hours: 1, onDemandExpectedMicroUsd: 1_022_111 });
  });

  test('R025 after a fallback the new price is said too, before it is paid', async () => {
    await b.buy(b.market({ answer: ({ market: of }) => (of === 'spot' ? refused.quota() : undefined) }), { ask: saying(true) });
    expect(b.of('cost.estimated').map((event) => event.market)).toEqual(['spot', 'on-demand']);
  });
});

describe('R085 budgets bound what is bought', () => {
  const counted = (options: MarketOptions): MarketDouble => {
    const double = b.market(options);
    double.provider.usage = async (machine) => ({ machineId: machine.id, runs: [], disks: [] });
    return double;
  };

  test.each([null, {}])('R085 a budget that does not even allow the cheapest ends it before anything is asked for (%j)', async (spot) => {
    const double = counted({});
    expect(await failure(b.buy(double, { spot, budgetUsd: 0.05 }))).toMatchObject({ code: 'over-budget', exitCode: 6 });
    expect(double.creates).toEqual([]);
    // The price was said first: whoever is asked must know it.
    expect(b.of('cost.estimated')).toHaveLength(1);
  });

  test.each<[string, object, number]>([
    ['nobody says how long', {}, 8], ['somebody does', { hours: 3 }, 3], ['a lease ends it before', { lease: { maxHours: 2 } }, 2],
  ])('R085 R025 budgets count the hours that the estimate says: %s', async (_, wish, hours) => {
    const double = counted({});
    const error = await failure(b.buy(double, { spot: null, budgetUsd: 0.05, ...wish }));
    const [estimate] = b.of('cost.estimated');
    expect(estimate!.hours).toBe(hours);
    expect(Math.round((error.data!['expectedUsd'] as number) * 1_000_000)).toBe(estimate!.expectedMicroUsd);
    expect(error.reason).toContain(`${hours} h of this machine add $`);
  });

  test('R085 a price that comes down only during the search is measured by the budget too', async () => {
    const cost = (): number => (b.clock.monotonic() < 5000 ? 900_000 : 300_000);
    const double = counted({ pools: () => ({ 'us-east-1a/g5.xlarge': cost() }), planError: () => (cost() > 400_000 ? refused.price() : undefined) });
    expect(await failure(b.buy(double, { budgetUsd: 0.05, spot: { maxPriceMicroUsd: 400_000 } }))).toMatchObject({ code: 'over-budget' });
    expect(double.creates).toEqual([]);
  });

  test('R085 what a budget allows is asked, what it does not is passed over; on demand in its place is measured by its own price', async () => {
    const double = counted({ pools: { 'us-east-1a/g5.xlarge': 300_000, 'us-east-1b/g5.xlarge': 900_000 }, answer: ({ market: of }) => (of === 'spot' ? refused.capacity() : undefined) });
    const error = await failure(b.buy(double, { budgetUsd: 0.5, hours: 1, spot: { policy: 'on-demand', timeoutMs: 3000 } }));
    expect(error.code).toBe('over-budget');
    expect([...new Set(places(double))]).toEqual(['spot us-east-1a g5.xlarge']);
    expect(b.of('spot.fallback')[0]!.tried.join('\n')).toContain('more than a budget allows');
  });
});
