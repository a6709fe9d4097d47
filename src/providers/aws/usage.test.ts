import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AwsDouble, ID, awsDouble, instanceXml, instances, priceText } from '../../../test/support/aws-double.ts';
import { ec2Error, ec2Xml, jsonError, jsonReply } from '../../../test/support/wire-double.ts';
import type { Machine } from '../../core/machine.ts';
import type { RatesWish } from '../../core/usage.ts';
import { createAwsProvider } from './aws-provider.ts';
import { pretends } from './environment.ts';

const T0 = Date.UTC(2026, 0, 1);
let double: AwsDouble;
beforeEach(async () => {
  double = await awsDouble();
});
afterEach(() => double.close());

const machine = (more: Partial<Machine> = {}): Machine => ({ id: ID, provider: 'aws', type: 'g5.xlarge', state: 'running', market: 'on-demand', region: 'us-east-1', zone: 'us-east-1a', launchedAt: T0 + 700, publicIp: '203.0.113.5', tags: {}, ...more });
const volume = (id: string, gb: number, created: string, keeps = false): string =>
  `<item><volumeId>${id}</volumeId><size>${gb}</size><createTime>${created}</createTime><attachmentSet><item><instanceId>${ID}</instanceId><deleteOnTermination>${!keeps}</deleteOnTermination></item></attachmentSet></item>`;
const change = (usd: string, when: string, zone = 'us-east-1a'): string => `<item><instanceType>g5.xlarge</instanceType><productDescription>Linux/UNIX</productDescription><spotPrice>${usd}</spotPrice><timestamp>${when}</timestamp><availabilityZone>${zone}</availabilityZone></item>`;
const history = (items: string[], token = ''): ReturnType<typeof ec2Xml> => ec2Xml('DescribeSpotPriceHistory', `<spotPriceHistorySet>${items.join('')}</spotPriceHistorySet><nextToken>${token}</nextToken>`);
const wish = (more: Partial<RatesWish> = {}): RatesWish => ({ type: 'g5.xlarge', market: 'spot', region: 'us-east-1', zone: 'us-east-1a', from: T0, to: T0 + 7_200_000, ...more });

describe('R224 what EC2 tells of the time that is billed', () => {
  test('the latest start in whole seconds, the address, every disk with its age', async () => {
    double.wire.on('DescribeVolumes', ec2Xml('DescribeVolumes', `<volumeSet>${volume('vol-a', 100, '2026-01-01T00:00:00.900Z')}${volume('vol-b', 500, '2025-12-24T00:00:00Z', true)}</volumeSet>`));
    expect(await double.provider.usage!(machine(), { disks: true })).toEqual({
      machineId: ID,
      runs: [{ from: T0, market: 'on-demand', prices: [], addressMicroUsdPerHour: 5_000 }],
      disks: [{ id: 'vol-a', gb: 100, from: T0, onTermination: true }, { id: 'vol-b', gb: 500, from: Date.UTC(2025, 11, 24), onTermination: false }],
    });
  });

  test('R083 D36 without the right to see disks its starts are told all the same, and that the disks are unknown; no answer is no such thing', async () => {
    double.wire.on('DescribeVolumes', ec2Error('UnauthorizedOperation', 'You are not authorized', 403));
    expect(await double.provider.usage!(machine(), { disks: true })).toEqual({ machineId: ID, runs: [{ from: T0, market: 'on-demand', prices: [], addressMicroUsdPerHour: 5_000 }], disks: [], disksUnknown: true });
    double.wire.on('DescribeVolumes', ec2Error('InvalidParameterValue', 'no', 400));
    await expect(double.provider.usage!(machine(), { disks: true })).rejects.toMatchObject({ code: 'cloud-refused' });
  });

  test.each<[string, Partial<Machine>, object[]]>([
    ['pending: nothing is billed yet', { state: 'pending' }, []],
    ['stopped by a call: to the second', { state: 'stopped', endedAt: T0 + 60_000, publicIp: undefined }, [{ from: T0, to: T0 + 60_000, addressMicroUsdPerHour: 0 }]],
    ['shut down from inside: at most until now', { state: 'stopped' }, [{ from: T0, to: T0, atMost: true }]],
    ['taken back', { state: 'terminated', endedAt: T0 + 5_000, interrupted: true, market: 'spot' }, [{ to: T0 + 5_000, interrupted: true, market: 'spot' }]],
    ['of unknown launch', { launchedAt: undefined }, []],
  ])('%s', async (_, more, runs) => {
    const usage = await double.provider.usage!(machine(more), { disks: false });
    expect(usage.runs).toHaveLength(runs.length);
    expect(usage).toMatchObject({ runs, disks: [] });
    expect(double.wire.of('DescribeVolumes')).toEqual([]);
  });

  test('the spot prices of the zone and the time, page by page, oldest first; what is no price is left out', async () => {
    double.wire.on('GetProducts', jsonReply({ PriceList: [priceText('1.0060000000'), priceText('0.0800000000', 'GB-Mo')] }));
    double.wire.on('DescribeSpotPriceHistory', history([change('0.4512', '2026-01-01T01:00:00Z'), change('free', '2026-01-01T00:30:00Z')], 'more'), history([change('0.4001', '2025-12-31T22:00:00Z'), change('0.1', '2026-01-01T00:00:00Z', 'us-east-1b')]));
    expect(await double.provider.rates!(wish())).toMatchObject({ prices: [{ at: Date.UTC(2025, 11, 31, 22), microUsdPerHour: 400_100 }, { at: Date.UTC(2026, 0, 1, 1), microUsdPerHour: 451_200 }], diskMicroUsdPerGbMonth: 80_000, addressMicroUsdPerHour: 5_000 });
    const [first, second] = double.wire.of('DescribeSpotPriceHistory');
    expect(first!.params).toMatchObject({ 'InstanceType.1': 'g5.xlarge', AvailabilityZone: 'us-east-1a', StartTime: '2026-01-01T00:00:00Z', EndTime: '2026-01-01T02:00:00Z', 'ProductDescription.1': 'Linux/UNIX' });
    expect(second!.params['NextToken']).toBe('more');
  });

  test('R224 D46 prices that nobody tells are unknown, not guessed: no permission, no zone, another region', async () => {
    double.wire.on('GetProducts', jsonError('AccessDeniedException', 'no'));
    double.wire.on('DescribeSpotPriceHistory', ec2Error('UnauthorizedOperation', 'You are not authorized', 403));
    expect(await double.provider.rates!(wish())).toMatchObject({ prices: [], source: 'spot price unknown' });
    expect((await double.provider.rates!(wish({ zone: undefined }))).prices).toEqual([]);
    expect(await double.provider.rates!(wish({ market: 'on-demand' }))).toMatchObject({ prices: [{ at: T0, microUsdPerHour: 1_006_000 }], source: 'built-in table 2026-08-17' });
    expect(await double.provider.rates!(wish({ market: 'on-demand', region: 'eu-north-1' }))).toMatchObject({ prices: [], source: expect.stringContaining('unknown') });
  });

  test('D46 one question for each type, region and kind of disk, however many machines there are', async () => {
    double.wire.on('GetProducts', (request) => jsonReply({ PriceList: [request.body.includes('gp3') ? priceText('0.0800000000', 'GB-Mo') : priceText('1.0060000000')] }));
    const on = (more: Partial<RatesWish>) => double.provider.rates!(wish({ market: 'on-demand', ...more }));
    await Promise.all(Array.from({ length: 20 }, (_, n) => on({ from: T0 + n })));
    await on({ region: 'eu-west-1' });
    await double.provider.inRegion!('eu-west-1').rates!(wish({ market: 'on-demand', region: 'eu-west-1' }));
    expect(double.wire.of('GetProducts').map((request) => /gp3|g5.xlarge/.exec(request.body)![0] + /\w+-\w+-1/.exec(request.body)![0])).toEqual(['g5.xlargeus-east-1', 'gp3us-east-1', 'g5.xlargeeu-west-1', 'gp3eu-west-1']);
  });

  test('a price that could not be had is asked for again', async () => {
    double.wire.on('GetProducts', jsonError('ThrottlingException', 'later'));
    await double.provider.rates!(wish({ market: 'on-demand' }));
    double.wire.on('GetProducts', jsonReply({ PriceList: [priceText('2.5000000000')] }));
    expect((await double.provider.rates!(wish({ market: 'on-demand' }))).prices[0]?.microUsdPerHour).toBe(2_500_000);
  });

  test('machines are looked for by filter, many at once: one that is forgotten fails nothing', async () => {
    double.wire.on('DescribeInstances', instances(instanceXml({ id: ID, state: 'terminated' })));
    const ids = [ID, ...Array.from({ length: 250 }, (_, n) => `i-${String(n).padStart(17, '0')}`)];
    expect((await double.provider.sightings!({ ids, region: 'eu-west-1' })).map((one) => [one.id, one.region])).toEqual([[ID, 'eu-west-1'], [ID, 'eu-west-1']]);
    const asked = double.wire.of('DescribeInstances');
    expect(asked).toHaveLength(2);
    expect(asked[0]).toMatchObject({ region: 'eu-west-1', params: { 'Filter.1.Name': 'instance-id', 'Filter.1.Value.200': ids[199] } });
  });
});

test.each([
  [{}, false], [{ AWS_ENDPOINT_URL: 'http://127.0.0.1:4566' }, true], [{ AWS_ENDPOINT_URL_EC2: 'https://ec2.eu-west-1.amazonaws.com' }, false], [{ AWS_ENDPOINT_URL: 'https://vpce-1.ec2.us-east-1.vpce.amazonaws.com' }, false],
  [{ AWS_ENDPOINT_URL: 'https://amazonaws.com.example.org' }, true], [{ AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9000' }, false],
])('R207 money is pretend where the machines are: %j', (env, pretend) => {
  expect(pretends(env)).toBe(pretend);
  const provider = createAwsProvider({ region: 'us-east-1', clock: double.clock, env });
  expect(provider.pretend).toBe(pretend);
  provider.close();
});
