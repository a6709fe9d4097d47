// When the SDK sends again: how often, after which pause, and what is never sent twice.
import { afterEach, expect, test } from 'vitest';
import { awsDouble, ID, instances, instanceXml } from '../../../test/support/aws-double.ts';
import type { AwsDouble } from '../../../test/support/aws-double.ts';
import { ec2Error } from '../../../test/support/wire-double.ts';
import { createRetryStrategy, patiently } from './retry.ts';
import { leapingClock } from '../../../test/support/leaping-clock.ts';

let double: AwsDouble | undefined;
afterEach(async () => {
  await double?.close();
  double = undefined;
});

const throttled = ec2Error('RequestLimitExceeded', 'Request limit exceeded.', 503);

test('D15 R078 throttling is waited out on the injected clock, five tries in all, each pause within its bound', async () => {
  double = await awsDouble();
  double.wire.on('DescribeInstances', throttled);
  await expect(double.provider.find(ID)).rejects.toMatchObject({ code: 'throttled' });
  expect(double.wire.of('DescribeInstances')).toHaveLength(5);
  expect(double.clock.slept).toHaveLength(4);
  double.clock.slept.forEach((ms, n) => expect(ms).toBeLessThan(1_000 * 2 ** n));
});

test.each([['2', 2], ['many', 5], ['0', 5]])('AWS_MAX_ATTEMPTS=%s means %i tries', async (variable, tries) => {
  double = await awsDouble({ env: { AWS_MAX_ATTEMPTS: variable } });
  double.wire.on('DescribeInstances', throttled);
  await expect(double.provider.find(ID)).rejects.toMatchObject({ code: 'throttled' });
  expect(double.wire.of('DescribeInstances')).toHaveLength(tries);
});

test.each(['InsufficientInstanceCapacity', 'InsufficientReservedInstanceCapacity'])('%s comes as HTTP 500, and is an answer all the same: asked once', async (code) => {
  double = await awsDouble();
  double.wire.on('StartInstances', ec2Error(code, 'none left', 500));
  await expect(double.provider.start(ID)).rejects.toMatchObject({ code: 'capacity' });
  expect(double.wire.of('StartInstances')).toHaveLength(1);
  expect(double.clock.slept).toEqual([]);
});

test('a server error and a broken connection are tried again, and are told when they stay', async () => {
  double = await awsDouble();
  double.wire.on('DescribeInstances', ec2Error('InternalError', 'x', 500), { reset: true }, { status: 503, body: '<html>busy<br></html>' }, instances(instanceXml()));
  expect((await double.provider.find(ID))?.state).toBe('running');
  expect(double.wire.of('DescribeInstances')).toHaveLength(4);
});

test('Retry-After lengthens the pause, by five seconds at most', async () => {
  double = await awsDouble();
  double.wire.on('DescribeInstances', { ...throttled, headers: { 'content-type': 'text/xml', 'retry-after': '3600' } }, instances(instanceXml()));
  await double.provider.find(ID);
  expect(double.clock.slept[0]).toBeLessThanOrEqual(6_000);
});

test('Ctrl-C ends a pause at once, and leaves no timer behind', async () => {
  const abort = new AbortController();
  const seen: (AbortSignal | undefined)[] = [];
  const strategy = createRetryStrategy({ now: () => 0, monotonic: () => 0, sleep: async (_ms, signal) => void seen.push(signal) });
  await patiently({ signal: abort.signal, attempts: 3 }, async () => {
    const first = await strategy.acquireInitialRetryToken();
    const second = await strategy.refreshRetryTokenForRetry(first, { error: new Error('x'), errorType: 'TRANSIENT' });
    expect([second.getRetryCount(), second.getRetryDelay()]).toEqual([1, 0]);
  });
  expect(seen).toEqual([abort.signal]);
});

test('a call that has taken a minute is not tried again', async () => {
  const clock = leapingClock(0);
  const strategy = createRetryStrategy(clock);
  await patiently({ attempts: 9 }, async () => {
    const first = await strategy.acquireInitialRetryToken();
    await clock.sleep(61_000);
    await expect(strategy.refreshRetryTokenForRetry(first, { error: new Error('x'), errorType: 'TRANSIENT' })).rejects.toThrow('not to be sent again');
  });
});
