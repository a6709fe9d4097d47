// runctl aws lease
import { durationText } from '../../core/durations.ts';
import { RunctlError } from '../../core/errors.ts';
import { MICROS_PER_USD, formatUsd } from '../../core/money.ts';
import { type LeaseResult, changeLease, showLease } from '../../engine/lease/lease-change.ts';
import type { Style } from '../../ui/style.ts';
import { defineCommand } from '../define.ts';
import { renderFacts } from '../machine/facts.ts';
import { LEASE_FLAGS } from './lease-flags.ts';

const { maxCost, maxHours, idleStop, leaseGrace } = LEASE_FLAGS;

export const leaseCommand = defineCommand({
  description:
    'Without flags: what bounds the machine and how much is left. With flags: other bounds, also while a job runs; all are totals since the machine was bought. The machine keeps its lease itself and needs no connection for that. At the end the training gets SIGTERM and time to save, then the machine powers off.',
  args: [{ name: 'instance_id', summary: 'running machine' }],
  flags: {
    maxCost: { ...maxCost, summary: 'most that the machine may cost in all' },
    maxHours: { ...maxHours, summary: 'most hours that it may run in all' },
    idleStop: { ...idleStop, summary: 'power it off after so long without log line, checkpoint or work; 0 for never' },
    leaseGrace: { ...leaseGrace, summary: 'time that a training has to save before' },
    off: { kind: 'switch', summary: 'lift the lease: nothing bounds the machine any more' },
  },
  examples: ['runctl aws lease i-0abc123', 'runctl aws lease i-0abc123 --max-hours 12', 'runctl aws lease i-0abc123 --max-cost 8 --idle-stop 1h', 'runctl aws lease i-0abc123 --off', 'runctl aws lease i-0abc123 --output left-s'],
  run: ({ args, flags }, app) => {
    const one = { provider: 'aws', machineId: args['instance_id'] as string };
    const bounds = { maxCostMicroUsd: flags.maxCost === undefined ? undefined : Math.round(flags.maxCost * MICROS_PER_USD), maxHours: flags.maxHours, idleMs: flags.idleStop, graceMs: flags.leaseGrace };
    const isChange = Object.values(bounds).some((value) => value !== undefined);
    if (flags.off && isChange) throw new RunctlError('usage', '--off and other bounds at once', { hints: [`runctl aws lease ${one.machineId} --off`] });
    return isChange || flags.off ? changeLease(app, { ...one, ...bounds, off: flags.off }) : showLease(app, one);
  },
  text: (result: LeaseResult, style) => [headOf(result, style), ...renderFacts(factsOf(result))].join('\n'),
});

function headOf({ instanceId, lease, leftS = 0, reason }: LeaseResult, style: Style): string {
  const id = style.bold(instanceId);
  switch (lease) {
    case 'none':
      return `${id} has no lease: nothing bounds it`;
    case 'off':
      return `The lease of ${id} is lifted: nothing bounds it`;
    case 'ending':
      return `The lease of ${id} is over (${reason ?? 'hours'}): it powers off in ${leftS} s`;
    case 'on':
      return `${id} keeps its lease`;
  }
}

function factsOf(result: LeaseResult): [string, string | number | undefined][] {
  if (result.lease === 'none') return [];
  const time = (seconds: number | undefined): string | undefined => (seconds === undefined ? undefined : durationText(seconds * 1000));
  const money = (usd: number | undefined): string | undefined => (usd === undefined ? undefined : formatUsd(Math.round(usd * MICROS_PER_USD)));
  const on = result.lease !== 'off';
  return [
    ['Allowed', on && result.allowedS !== undefined ? `${time(result.allowedS)}${result.maxCostUsd === undefined ? '' : result.limit === 'cost' ? ` (what ${money(result.maxCostUsd)} buys)` : ` (${money(result.maxCostUsd)} would last longer)`}` : undefined],
    ['Used', time(result.usedS)],
    ['Left', on && result.leftS !== undefined ? `${time(result.leftS)}${isExtra(result) ? ', because it was started again after its end' : ''}` : undefined],
    ['Cost so far', result.costSoFarUsd === undefined ? undefined : `at most ${money(result.costSoFarUsd)}`],
    ['Cost in all', result.mostUsd === undefined ? undefined : `at most ${money(result.mostUsd)}`],
    ['Idle', on && result.idleStopS ? `${time(result.quietS) ?? 'unknown'} since something moved; ends after ${time(result.idleStopS)}` : undefined],
    ['At the end', on ? `${result.graceS} s to save, then it ${result.onEnd === 'stop' ? 'stops' : 'terminates'}` : undefined],
    ['Keeper', on ? (result.kept ? 'lives' : 'does not live; the guard of the boot script holds') : undefined],
  ];
}

/** Of a machine that was started after its lease had ended it. */
function isExtra({ allowedS, usedS = 0, leftS = 0 }: LeaseResult): boolean {
  return allowedS !== undefined && leftS > Math.max(0, allowedS - usedS) + 60;
}
