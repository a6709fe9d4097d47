// Words for a market: what the flags come to over the settings, and which of them contradict each other.
import { expect, test } from 'vitest';
import { parseInput } from '../../cli/parse.ts';
import type { Config } from '../../config/settings.ts';
import { createCommand } from './create.ts';
import { type MarketWish, marketWish } from './spot-flags.ts';

const AWS = { use_spot: false, spot_timeout_seconds: 60, on_spot_failure: 'fail', spot_types: [], default_instance_type: 't3.medium' } as unknown as Config['aws'];

async function wish(line: string, aws: Partial<Config['aws']> = {}): Promise<MarketWish> {
  const { input } = await parseInput(createCommand, 'aws create', line.split(' ').filter((word) => word !== ''), undefined);
  const flags = input.flags as Parameters<typeof marketWish>[0] & { timeout?: number };
  return marketWish(flags, { ...AWS, ...aws }, { help: 'runctl aws create --help', type: input.args['type'], patienceMs: flags.timeout });
}

test('R016 R018 R023 flags over settings over defaults', async () => {
  expect(await wish('g5.xlarge')).toEqual({ type: 'g5.xlarge' });
  expect(await wish('')).toEqual({ type: 't3.medium' });
  expect(await wish('g5.xlarge --spot')).toEqual({ type: 'g5.xlarge', spot: { types: ['g5.xlarge'], timeoutMs: 60_000, policy: 'fail', policyGiven: false } });
  expect(await wish('g5.xlarge', { use_spot: true, spot_timeout_seconds: 20, on_spot_failure: 'on-demand', spot_max_price: 0.3456789, spot_types: ['g6.xlarge'] })).toEqual({
    type: 'g5.xlarge', spot: { types: ['g5.xlarge', 'g6.xlarge'], maxPriceMicroUsd: 345_679, timeoutMs: 20_000, policy: 'on-demand', policyGiven: false },
  });
  expect(await wish('g5.xlarge --spot-timeout 5m --spot-max-price 0.5 --types g6.xlarge,g5.xlarge,g6.xlarge --on-spot-failure wait --timeout 2h --zones us-east-1b,us-east-1a --hours 2.5', { use_spot: true, spot_types: ['x.y'] })).toEqual({
    type: 'g5.xlarge', zones: ['us-east-1b', 'us-east-1a'], hours: 2.5,
    spot: { types: ['g5.xlarge', 'g6.xlarge'], maxPriceMicroUsd: 500_000, timeoutMs: 300_000, policy: 'wait', policyGiven: true, patienceMs: 7_200_000 },
  });
  expect(await wish('--spot --types g6.xlarge,g5.xlarge')).toMatchObject({ type: 'g6.xlarge', spot: { types: ['g6.xlarge', 'g5.xlarge'] } });
});

test.each(['--fail-if-no-spot', '--no-fallback', '--on-spot-failure fail'])('R023 %s is the same word, and decides over the setting', async (flag) => {
  expect((await wish(`g5.xlarge --spot ${flag}`, { on_spot_failure: 'on-demand' })).spot).toMatchObject({ policy: 'fail', policyGiven: true });
});

test.each(['--on-demand', '--no-spot'])('R016 %s stands over aws.use_spot', async (flag) => {
  expect(await wish(`g5.xlarge ${flag}`, { use_spot: true })).toEqual({ type: 'g5.xlarge' });
});

test.each([
  ['--spot --on-demand', '--spot', '--on-demand'],
  ['--spot --fail-if-no-spot --on-spot-failure on-demand', '--fail-if-no-spot', '--on-spot-failure on-demand'],
  ['--spot --no-fallback --on-spot-failure wait', '--no-fallback', '--on-spot-failure wait'],
  ['--spot-max-price 0.5', '--spot-max-price', '--spot'],
  ['--spot-timeout 20s', '--spot-timeout', '--spot'],
  ['--types g6.xlarge', '--types', '--spot'],
  ['--fail-if-no-spot', '--fail-if-no-spot', '--spot'],
  ['--on-demand --on-spot-failure wait', '--on-spot-failure', '--on-demand'],
  ['--no-spot --types g6.xlarge', '--types', '--no-spot'],
  ['--zone us-east-1a --zones us-east-1b', '--zone', '--zones'],
])('R016 %s contradict each other: both are named', async (flags, one, other) => {
  const error = await wish(`g5.xlarge ${flags}`).then(() => expect.unreachable(), (thrown: unknown) => thrown as Error & { hints: string[] });
  expect(error).toMatchObject({ code: 'usage', exitCode: 1 });
  expect(error.message).toContain(one);
  expect(error.message).toContain(other);
  expect(error.hints).toContain('runctl aws create --help');
});

test.each([['--types g6', /"g6"/], ['--types ,', /","/], ['--zones us-east-1a,X', /"X"/], ['--spot-max-price 0', /not between/], ['--on-spot-failure maybe', /maybe/]])('R016 %s is refused, and the wrong part named', async (flags, says) => {
  await expect(wish(`g5.xlarge --spot ${flags}`)).rejects.toThrow(says);
});
