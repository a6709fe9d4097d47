// No spot capacity, or no answer: every kind of refusal with every policy, and that there is never a second machine, nor one that
// nobody decided to pay for. The market is doubled at the provider's port, the clock turns by itself.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Buyer, failure, nobody, openBuyer, saying } from '../../../test/support/buyer.ts';
import { type MarketDouble, refused } from '../../../test/support/market-double.ts';
import { describeStake } from '../../core/stake.ts';

let b: Buyer;
beforeAll(async () => {
  b = await openBuyer();
});
afterAll(() => b.close());
beforeEach(() => b.reset());

const FOUR = { 'us-east-1b/g5.xlarge': 300_000, 'us-east-1a/g5.xlarge': 310_000, 'us-east-1a/g6.xlarge': 250_000, 'us-east-1c/g6.xlarge': 260_000 };

describe('R021 R022 R023 on demand in its place is a decision', () => {
  const soldOut = (): MarketDouble => b.market({ pools: FOUR, answer: ({ market: of }) => (of === 'spot' ? refused.capacity() : undefined) });
  const spots = (double: MarketDouble): string[] => [...new Set(double.creates.map((asked) => asked.market))];

  test('R021 R022 somebody is there: both prices, the factor, what was tried; y buys on demand', async () => {
    const heard: string[] = [];
    const double = soldOut();
    const { machine, fellBack, plan } = await b.buy(double, { ask: saying(true, heard), hours: 10 });
    expect([machine.market, fellBack, plan.tags['runctl:market']]).toEqual(['on-demand', true, 'on-demand']);
    expect(heard).toEqual(['Buy g5.xlarge on demand instead, for $1.0221 an hour ($10.22 for 10 h)?']);
    expect(b.of('spot.fallback')).toMatchObject([{
      type: 'g5.xlarge', spotZone: 'us-east-1b', spotHourlyMicroUsd: 316_111, onDemandHourlyMicroUsd: 1_022_111, factor: 3.23, hours: 10,
      spotExpectedMicroUsd: 3_161_110, onDemandExpectedMicroUsd: 10_221_110, tried: [expect.stringMatching(/^TYPE/), expect.stringContaining('us-east-1b, a')],
    }]);
    expect(new Set(double.creates.map(({ token }) => token)).size).toBe(double.creates.length);
  });

  test('R022 n ends it: declined, exit 6, on demand never asked for', async () => {
    const double = soldOut();
    const error = await failure(b.buy(double, { ask: saying(false) }));
    expect(error).toMatchObject({ code: 'declined', exitCode: 6 });
    expect(error.message).toContain('nothing was bought');
    expect(spots(double)).toEqual(['spot']);
  });

  test.each([
    // policy, given on the command line, who is there, what comes of it
    ['fail', false, 'nobody', 'spot-unavailable'],
    ['fail', false, 'yes', 'on-demand'],
    ['fail', false, 'no', 'declined'],
    ['fail', true, 'nobody', 'spot-unavailable'],
    ['fail', true, 'yes', 'spot-unavailable'],
    ['on-demand', false, 'nobody', 'on-demand'],
    ['on-demand', false, 'yes', 'on-demand'],
    ['on-demand', false, 'no', 'declined'],
    ['on-demand', true, 'nobody', 'on-demand'],
    ['on-demand', true, 'no', 'on-demand'],
  ] as const)('R022 R023 policy %s (given: %s), %s there to say it: %s', async (policy, policyGiven, who, outcome) => {
    for (const refusal of ['capacity', 'price', 'quota'] as const) {
      const double = b.market({ answer: ({ market: of }) => (of === 'spot' ? refused[refusal]() : undefined) });
      const bought = b.buy(double, { ask: who === 'nobody' ? nobody : saying(who === 'yes'), spot: { policy, policyGiven, timeoutMs: 2500 } });
      if (outcome === 'on-demand') expect((await bought).machine.market).toBe('on-demand');
      else {
        expect((await failure(bought)).code).toBe(outcome);
        expect(spots(double)).toEqual(['spot']);
      }
      // Told exactly once, to whoever decides or pays, and not where the error says it all.
      expect(b.of('spot.fallback')).toHaveLength(outcome === 'spot-unavailable' ? 0 : 1);
      b.events.length = 0;
    }
  });

  test('R022 wait goes on looking after the time is up, says so once, and takes what comes', async () => {
    const double = b.market({ answer: ({ atMs }) => (atMs > 600_000 ? undefined : refused.capacity()) });
    expect((await b.buy(double, { spot: { policy: 'wait', policyGiven: true }, ask: saying(true) })).machine.market).toBe('spot');
    expect(b.of('note').filter(({ text }) => text.includes('looking on'))).toHaveLength(1);
    expect(b.of('spot.fallback')).toEqual([]);
  });

  test('R022 wait ends with --timeout, and by Ctrl-C, and leaves nothing', async () => {
    expect(await failure(b.buy(b.market({ answer: () => refused.capacity() }), { spot: { policy: 'wait', policyGiven: true, patienceMs: 300_000 } }))).toMatchObject({ code: 'spot-unavailable', hints: ['--timeout 1h'] });
    expect(b.clock.monotonic()).toBeLessThanOrEqual(300_500);
    const double = b.market({ pools: FOUR, answer: (_asked, nth) => {
      if (nth === 9) b.interrupt();
      return refused.capacity();
    } });
    const error = await failure(b.buy(double, { spot: { policy: 'wait' } }));
    expect(error).toMatchObject({ code: 'interrupted', reason: 'Nothing is left running.' });
    expect([double.creates.length, describeStake(b.stake)]).toEqual([9, { facts: [], hints: [] }]);
  });

  test('R021 on demand cannot be had either: the first trouble is told, with the second', async () => {
    const double = b.market({ answer: () => refused.capacity(), planError: (of) => (of === 'on-demand' ? refused.quota() : undefined) });
    const error = await failure(b.buy(double, { ask: saying(true) }));
    expect(error).toMatchObject({ code: 'spot-unavailable', reason: expect.stringContaining("On demand it is not to be had either: the account's quota") as string });
  });

  test('R234 the other market in the other zones too, at the price that was agreed to', async () => {
    const double = b.market({ pools: FOUR, answer: ({ market: of, zone }) => (of === 'on-demand' && zone === 'us-east-1a' ? undefined : refused.capacity()) });
    expect((await b.buy(double, { ask: saying(true) })).machine).toMatchObject({ market: 'on-demand', type: 'g5.xlarge', zone: 'us-east-1a' });
  });
});

describe('R016 R020 never two machines, never one that nobody uses', () => {
  test('D2 R020 the answer was lost, the machine made: it is found by its token and used', async () => {
    const double = b.market({ pools: FOUR, answer: (asked, nth, self, plan) => (nth === 1 ? (self.make(plan, asked.token), refused.lost()) : undefined) });
    const { machine } = await b.buy(double);
    expect(machine).toMatchObject({ id: 'i-1', zone: 'us-east-1b' });
    expect([double.creates.length, double.made.size]).toEqual([1, 1]);
    expect(b.ledger.effectsOf(b.runId).map(({ state }) => state)).toEqual(['done']);
  });

  test('R016 the request was lost: the same place again with the same token, and nowhere else', async () => {
    const double = b.market({ pools: FOUR, answer: (_asked, nth) => (nth < 4 ? refused.lost() : undefined) });
    await b.buy(double);
    expect(new Set(double.creates.map(({ token, zone }) => `${token} ${zone}`)).size).toBe(1);
    expect(double.made.size).toBe(1);
  });

  test('D2 R020 the time is up and nobody knows: withdrawn; what was made late is used', async () => {
    const double = b.market({ answer: () => refused.lost() });
    double.provider.findByToken = async () => undefined;
    double.provider.withdraw = async (token) => {
      double.withdrawn.push(token);
      return { cancelled: ['sir-1'], machine: double.make(double.plans[0]!, token) };
    };
    const { machine } = await b.buy(double, { ask: saying(true) });
    expect(machine).toMatchObject({ id: 'i-1', market: 'spot' });
    expect(double.withdrawn).toHaveLength(1);
    expect(double.terminated).toEqual([]);
    expect(b.ledger.findOpenEffects(b.runId)).toEqual([]);
  });

  test('D2 R020 an answer that does not come in time is cut off, withdrawn, and asked for no more', async () => {
    const double = b.market({ answer: (_asked, _nth, _self, _plan, signal) => new Promise((_resolve, reject) => signal!.addEventListener('abort', () => reject(signal!.reason as Error))) });
    const error = await failure(b.buy(double, { spot: { timeoutMs: 10_000 } }));
    expect([error.code, double.withdrawn.length, double.creates.length]).toEqual(['timeout', 1, 1]);
    expect(b.clock.monotonic()).toBeLessThan(20_000);
  });

  test('R016 R020 not even that can be asked: nothing else is bought, and the way to look is told', async () => {
    const double = b.market({ pools: FOUR, answer: ({ zone }) => (zone === 'us-east-1a' ? refused.lost() : refused.capacity()) });
    double.provider.findByToken = double.provider.withdraw = async () => {
      throw refused.lost();
    };
    const error = await failure(b.buy(double, { ask: saying(true), spot: { policy: 'on-demand', policyGiven: true } }));
    const { token } = double.creates[1]!;
    expect(error).toMatchObject({ code: 'endpoint-unreachable', reason: expect.stringContaining('not known whether a machine was made') as string });
    expect(error.hints).toContain(`aws ec2 describe-spot-instance-requests --filters Name=tag:runctl:token,Values=${token}`);
    expect(double.creates.slice(1).every((asked) => asked.market === 'spot' && asked.token === token)).toBe(true);
    expect(describeStake(b.stake).facts).toEqual(['It is not known whether a spot machine was made.']);
    expect(b.ledger.findOpenEffects(b.runId)).toMatchObject([{ token }]);
  });

  test('R016 R020 a launch that was seen nowhere, and was carried out all the same, refuses the one in its place, and is used', async () => {
    const double = b.market({ pools: FOUR, answer: ({ market: of, zone }) => (of === 'on-demand' ? refused.parameter() : zone === 'us-east-1a' ? refused.lost() : refused.capacity()) });
    double.provider.findByToken = async (token) => {
      const [asked, lost] = [double.creates.at(-1)!, double.plans.find((plan) => plan.zone === 'us-east-1a')!];
      return asked.market === 'on-demand' && asked.token === token ? (double.made.get(token) ?? double.make(lost, token)) : undefined;
    };
    const { machine } = await b.buy(double, { ask: saying(true) });
    expect(machine).toMatchObject({ market: 'spot', zone: 'us-east-1a' });
    expect([double.made.size, double.creates.filter((asked) => asked.market === 'on-demand').length]).toEqual([1, 1]);
  });

  test.each([true, false])('R020 Ctrl-C in the middle of a launch: what was made (%s) is terminated, and what is told is so', async (made) => {
    const double = b.market({ answer: (asked, _nth, self, plan) => {
      if (made) self.make(plan, asked.token);
      return b.interrupt();
    } });
    const error = await failure(b.buy(double));
    expect(error).toMatchObject({ code: 'interrupted', exitCode: 130, reason: made ? 'Nothing is left running.' : 'It is not known whether a spot machine was made.' });
    expect(double.terminated).toEqual(made ? ['i-1'] : []);
    expect(b.ledger.effectsOf(b.runId).map(({ state }) => state)).toEqual([made ? 'abandoned' : 'intended']);
  });
});

