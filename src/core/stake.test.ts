import { expect, test } from 'vitest';
import { describeStake, newStake } from './stake.ts';

const MACHINE = { provider: 'aws', verb: 'workflow train', runId: 'run-1', machineId: 'i-1', price: '$0.02 an hour' };

test.each([
  ['prepare', [], /No training was started on i-1/],
  ['launch', [], /not known whether the training run-1 was started/],
  ['train', ['launch'], /The training run-1 goes on on i-1/],
  ['stop-job', ['launch'], /was told to end and may still be saving/],
  ['rescue', ['launch', 'stop-job'], /has ended; its results are still on i-1/],
  ['terminate', ['launch', 'stop-job', 'rescue'], /may not have been told to terminate yet/],
])('left in the middle of %s: what is told is what is so', (step, done, said) => {
  const stake = { ...newStake(), ...MACHINE, step };
  for (const name of done) stake.done.add(name);
  const { facts, hints } = describeStake(stake);
  expect(facts.join(' ')).toMatch(said);
  expect(facts.join(' ')).toContain('$0.02 an hour');
  expect(hints[0]).toBe('runctl aws terminate i-1 --wait');
});

test('R016 left in the middle of buying spot: both ways to look are told, and a spot machine is not to be stopped', () => {
  const unknown = describeStake({ ...newStake(), launchToken: 'abc', market: 'spot' });
  expect(unknown.facts).toEqual(['It is not known whether a spot machine was made.']);
  expect(unknown.hints).toEqual(['aws ec2 describe-instances --filters Name=client-token,Values=abc', 'aws ec2 describe-spot-instance-requests --filters Name=tag:runctl:token,Values=abc']);
  const train = { ...newStake(), ...MACHINE, verb: 'train', done: new Set(['machine', 'launch']) };
  expect(describeStake(train).hints).toContain('runctl aws stop i-1');
  expect(describeStake({ ...train, market: 'spot' }).hints.some((hint) => hint.includes('stop'))).toBe(false);
});
