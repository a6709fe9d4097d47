// Prices as DescribeSpotPriceHistory and `sim market` tell them, and placement scores.
import { DescribeSpotPriceHistoryCommand, GetSpotPlacementScoresCommand } from '@aws-sdk/client-ec2';
import type { DescribeSpotPriceHistoryCommandInput, GetSpotPlacementScoresCommandInput, SpotPrice } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failure, startTestSim } from '../../../test/support/test-sim.ts';
import type { TestSim } from '../../../test/support/test-sim.ts';
import { onDemandPrice } from '../data/prices.ts';
import type { PoolReport } from './market.ts';
import { setSpotPrice, spotPriceAt, spotPriceChanges } from './prices.ts';

let t: TestSim;
beforeAll(async () => {
  t = await startTestSim();
});
afterAll(() => t.close());

const DAY = 24 * 3_600_000;
const START = Date.parse('2026-01-01T00:00:00Z');
const history = async (input: DescribeSpotPriceHistoryCommandInput): Promise<SpotPrice[]> => (await t.ec2.send(new DescribeSpotPriceHistoryCommand(input))).SpotPriceHistory!;
const scores = async (input: Partial<GetSpotPlacementScoresCommandInput>) =>
  (await t.ec2.send(new GetSpotPlacementScoresCommand({ InstanceTypes: ['m5.large', 'm6i.large', 'c5.large'], TargetCapacity: 1, ...input }))).SpotPlacementScores!;

describe('the price of a pool', () => {
  test('R204 moves a few times a day, in small steps, between 30 and 70 % of on-demand, on whole seconds', () => {
    const { world } = t.sim.cloud;
    for (const [type, zone] of [['g5.xlarge', 'us-east-1a'], ['m5.large', 'us-west-2b'], ['t3.micro', 'eu-west-1c']] as const) {
      const onDemand = onDemandPrice(type, zone.slice(0, -1))!.microUsdPerHour;
      const changes = spotPriceChanges(world, type, zone, START - 90 * DAY, START);
      expect(changes[0]!.at).toBeLessThanOrEqual(START - 90 * DAY);
      expect(changes.length).toBeLessThanOrEqual(90 * 5);
      if (type === 'g5.xlarge') expect(changes.length).toBeGreaterThan(90);
      for (const [index, { at, microUsdPerHour }] of changes.entries()) {
        expect(at % 1000).toBe(0);
        expect(microUsdPerHour).toBeGreaterThanOrEqual(0.29 * onDemand);
        expect(microUsdPerHour).toBeLessThanOrEqual(0.71 * onDemand);
        const before = changes[index - 1];
        if (before) expect(Math.abs(microUsdPerHour - before.microUsdPerHour)).toBeLessThanOrEqual(Math.max(100, 0.02 * onDemand));
      }
    }
  });

  test('R204 is the same at the same moment however it is asked for, and in another world', async () => {
    const changes = spotPriceChanges(t.sim.cloud.world, 'g5.xlarge', 'us-east-1b', START - 3 * DAY, START);
    const other = await startTestSim();
    for (const { at, microUsdPerHour } of changes) {
      expect(spotPriceAt(other.sim.cloud.world, 'g5.xlarge', 'us-east-1b', at)).toBe(microUsdPerHour);
      expect(spotPriceAt(t.sim.cloud.world, 'g5.xlarge', 'us-east-1b', at - 1)).not.toBe(microUsdPerHour);
    }
    await other.close();
  });

  test('R204 at every moment it is what the history says, with what was set by hand in between', () => {
    const { world } = t.sim.cloud;
    const pool = ['r6i.large', 'us-west-2c'] as const;
    const seconds = [10, 11, 6 * 3600, 40_000, 100_000, 100_001];
    for (const [index, second] of seconds.entries()) setSpotPrice(world, ...pool, START + second * 1000 + 999, index % 2 === 0 ? 50_000 + index : undefined);
    for (const from of [0, 10_500, 39_000_000, 86_400_000]) {
      const changes = spotPriceChanges(world, ...pool, START + from, START + 3 * DAY);
      expect(changes[0]!.at).toBeLessThanOrEqual(START + from);
      if (changes[1]) expect(changes[1].at).toBeGreaterThan(START + from);
      for (let at = START + from; at < START + 3 * DAY; at += 997_000) {
        expect(changes.findLast((change) => change.at <= at)!.microUsdPerHour).toBe(spotPriceAt(world, ...pool, at));
      }
    }
  });

  test('R204 there is none where a type is not sold', () => {
    expect(spotPriceAt(t.sim.cloud.world, 'p5.48xlarge', 'us-east-1f', START)).toBeUndefined();
    expect(spotPriceAt(t.sim.cloud.world, 'x9.huge', 'us-east-1a', START)).toBeUndefined();
    expect(spotPriceChanges(t.sim.cloud.world, 'p5.48xlarge', 'us-east-1f', START - DAY, START)).toEqual([]);
  });

  test('R204 what is set by hand counts from its second on and is part of the history, also when it is given back', async () => {
    const { world } = t.sim.cloud;
    const at = t.clock.now();
    const market = spotPriceAt(world, 'c5.large', 'us-east-1a', at);
    await t.clock.advance(60_500);
    await t.sim.call('market-set', { type: 'c5.large', zone: 'us-east-1a', microUsdPerHour: 80_000 });
    await t.clock.advance(3_600_000);
    await t.sim.call('market-set', { type: 'c5.large', zone: 'us-east-1a', microUsdPerHour: null });
    await t.clock.advance(1000);
    const changes = spotPriceChanges(world, 'c5.large', 'us-east-1a', at, t.clock.now()).slice(1);
    expect(changes).toEqual([
      { at: at + 60_000, microUsdPerHour: 80_000 },
      { at: at + 3_660_000, microUsdPerHour: market },
    ]);
    const seen = await history({ InstanceTypes: ['c5.large'], AvailabilityZone: 'us-east-1a', StartTime: new Date(at) });
    expect(seen.map((row) => row.SpotPrice)).toEqual([(market! / 1e6).toFixed(6), '0.080000', (market! / 1e6).toFixed(6)]);
  });
});

describe('DescribeSpotPriceHistory', () => {
  test('R204 from now on: exactly the current price of every zone', async () => {
    const rows = await history({ InstanceTypes: ['g5.xlarge'], ProductDescriptions: ['Linux/UNIX'], StartTime: new Date(t.clock.now()) });
    expect(rows.map((row) => row.AvailabilityZone).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'].map((letter) => `us-east-1${letter}`));
    for (const row of rows) {
      expect(row).toMatchObject({ InstanceType: 'g5.xlarge', ProductDescription: 'Linux/UNIX', AvailabilityZoneId: expect.stringMatching(/^use1-az\d$/) });
      expect(Number(row.SpotPrice) * 1e6).toBeCloseTo(spotPriceAt(t.sim.cloud.world, 'g5.xlarge', row.AvailabilityZone!, t.clock.now())!);
      expect(row.Timestamp!.getTime()).toBeLessThanOrEqual(t.clock.now());
    }
  });

  test('R204 back to 90 days and no further, newest first, in pages', async () => {
    const input = { InstanceTypes: ['g5.xlarge' as const], AvailabilityZone: 'us-east-1c', StartTime: new Date(START - 400 * DAY) };
    const all: SpotPrice[] = [];
    let NextToken: string | undefined;
    do {
      const page = await t.ec2.send(new DescribeSpotPriceHistoryCommand({ ...input, MaxResults: 100, NextToken }));
      expect(page.SpotPriceHistory!.length).toBeLessThanOrEqual(100);
      all.push(...page.SpotPriceHistory!);
      NextToken = page.NextToken;
    } while (NextToken);
    expect(all).toEqual(await history(input));
    const times = all.map((row) => row.Timestamp!.getTime());
    expect(times).toEqual([...times].sort((a, b) => b - a));
    expect(times.at(-1)).toBeGreaterThan(t.clock.now() - 91 * DAY);
    expect(times.at(-1)).toBeLessThanOrEqual(t.clock.now() - 90 * DAY);
  });

  test('R204 filters, other products, and refusals', async () => {
    const now = new Date(t.clock.now());
    expect(await history({ StartTime: now, Filters: [{ Name: 'instance-type', Values: ['g5.xlarge', 'g5.2xlarge'] }, { Name: 'availability-zone', Values: ['us-east-1a'] }] })).toHaveLength(2);
    expect(await history({ StartTime: now, Filters: [{ Name: 'instance-type', Values: ['g5.*'] }, { Name: 'availability-zone', Values: ['us-east-1a'] }] })).toHaveLength(5);
    expect(await history({ StartTime: now, InstanceTypes: ['t3.micro'], ProductDescriptions: ['Windows'] })).toEqual([]);
    expect(await history({ StartTime: now, InstanceTypes: ['p5.48xlarge'] })).toHaveLength(2);
    expect(await failure(history({ AvailabilityZone: 'mars-1a' }))).toMatchObject({ name: 'InvalidParameterValue' });
  });
});

describe('GetSpotPlacementScores', () => {
  test('R204 by region, or by zone with zone ids; from 1 to 10; at most ten', async () => {
    const regions = await scores({ RegionNames: ['us-east-1', 'eu-west-1'] });
    expect(regions.map((row) => row.Region).sort()).toEqual(['eu-west-1', 'us-east-1']);
    expect(regions.every((row) => row.AvailabilityZoneId === undefined)).toBe(true);
    const zones = await scores({ SingleAvailabilityZone: true });
    expect(zones).toHaveLength(10);
    for (const { AvailabilityZoneId, Score } of zones) {
      expect(AvailabilityZoneId).toMatch(/^[a-z]+\d-az\d$/);
      expect(Score).toBeGreaterThanOrEqual(1);
      expect(Score).toBeLessThanOrEqual(10);
    }
    const values = zones.map((row) => row.Score!);
    expect(values).toEqual([...values].sort((a, b) => b - a));
  });

  test('R204 one or two types score low, an empty pool lowest', async () => {
    expect((await scores({ InstanceTypes: ['r6i.large', 'r6i.xlarge'], RegionNames: ['us-east-1'] }))[0]!.Score).toBeLessThanOrEqual(3);
    for (const type of ['m5.xlarge', 'm6i.xlarge', 'c5.xlarge']) await t.sim.call('market-set', { type, zone: 'us-west-2a', capacity: 0 });
    const zones = await scores({ InstanceTypes: ['m5.xlarge', 'm6i.xlarge', 'c5.xlarge'], RegionNames: ['us-west-2'], SingleAvailabilityZone: true });
    expect(zones.find((row) => row.AvailabilityZoneId === 'usw2-az1')!.Score).toBe(1);
    expect(zones.find((row) => row.AvailabilityZoneId === 'usw2-az2')!.Score).toBeGreaterThan(3);
  });

  test('R204 refusals', async () => {
    expect(await failure(scores({ InstanceTypes: ['x9.huge' as 't3.micro'] }))).toMatchObject({ name: 'InvalidParameterValue' });
    expect(await failure(scores({ RegionNames: ['mars-1'] }))).toMatchObject({ name: 'InvalidParameterValue' });
    expect(await failure(scores({ TargetCapacity: 0 }))).toMatchObject({ name: 'InvalidParameterValue' });
    expect(await failure(scores({ InstanceTypes: undefined }))).toMatchObject({ name: 'MissingParameter' });
  });
});

describe('the market for whoever looks after the cloud', () => {
  const list = async (choice: object) => ((await t.sim.call('market', choice)) as { pools: PoolReport[] }).pools;

  test('R204 lists pools with price, share, capacity and who runs', async () => {
    await t.sim.call('market-set', { type: 't3.small', zone: 'us-east-1e', capacity: 3, microUsdPerHour: 10_400 });
    await t.run({ InstanceType: 't3.small', InstanceMarketOptions: { MarketType: 'spot' }, Placement: { AvailabilityZone: 'us-east-1e' } });
    expect(await list({ type: 't3.small', zone: 'us-east-1e' })).toEqual([
      { type: 't3.small', zone: 'us-east-1e', region: 'us-east-1', microUsdPerHour: 10_400, onDemandMicroUsdPerHour: 20_800, share: 0.5, isPriceSet: true, capacity: 3, running: 1 },
    ]);
    expect((await list({ type: 't3.small', region: 'us-east-2' })).map((pool) => pool.zone)).toEqual(['us-east-2a', 'us-east-2b', 'us-east-2c']);
    expect((await list({ region: 'eu-west-1' })).length).toBeGreaterThan(10);
  });

  test.each<[string, object, string]>([
    ['market', { type: 'x9.huge' }, 'no instance type x9.huge'],
    ['market', { zone: 'mars-1a' }, 'no zone mars-1a'],
    ['market', { type: 3 }, 'type must be a text'],
    ['market-set', { type: 't3.micro' }, 'nothing to set'],
    ['market-set', { capacity: 1 }, 'needs a type'],
    ['market-set', { type: 't3.micro', capacity: -1 }, 'capacity is a number of machines'],
    ['market-set', { type: 't3.micro', microUsdPerHour: 1.5 }, 'price must be at least'],
    ['market-set', { type: 't3.micro', capacity: 'many' }, 'capacity must be a number'],
  ])('R204 %s of %j is refused', async (action, body, part) => {
    expect(await failure(t.sim.call(action, body))).toMatchObject({ code: 'usage', message: expect.stringContaining(part) });
  });
});
