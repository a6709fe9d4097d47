// runctl PROVIDER status
import { durationText } from '../../core/durations.ts';
import { MICROS_PER_USD, formatUsd } from '../../core/money.ts';
import { type StatusResult, status } from '../../engine/status.ts';
import type { Style } from '../../ui/style.ts';
import { defineCommand } from '../define.ts';
import { renderFacts } from './facts.ts';
import { describePhase } from './training-status.ts';

export const statusCommand = (provider: string) =>
  defineCommand({
    args: [{ name: 'instance_id', summary: 'machine to look at' }],
    examples: [`runctl ${provider} status i-0abc123`, `runctl ${provider} status i-0abc123 --output json`, `runctl ${provider} status i-0abc123 --output state`],
    run: ({ args }, app) => status(app, { provider, machineId: args['instance_id'] as string }),
    text: (result: StatusResult, style) =>
      [
        `Instance ${style.bold(result.instanceId)}`,
        ...renderFacts([
          ['State', result.stateReason ? `${result.state} (${style.foreign(result.stateReason)})` : result.state],
          ['Type', `${result.instanceType} (${result.market})`],
          ['Market', result.market === 'spot' ? spotText(result) : undefined],
          ['Price', result.costPerHourUsd === undefined ? undefined : `${dollars(result.costPerHourUsd)}/hour${result.state === 'running' ? '' : ' while it runs'}`],
          ['Zone', result.zone ?? result.region],
          ['Public IP', result.publicIp ?? 'none'],
          ['Private IP', result.privateIp ?? 'none'],
          ['Launched', result.launchedAt],
          ['Lease', leaseRow(result, style)],
          ['SSM', result.ssmDetail.replace(/^SSM /, '')],
          ['Code sync', codeSync(result, style)],
          ['Training', describePhase(result.training)],
        ]),
      ].join('\n'),
  });

function spotText({ spotRequestId, interrupted, onDemandPerHourUsd, costPerHourUsd }: StatusResult): string {
  const saved = onDemandPerHourUsd && costPerHourUsd !== undefined ? Math.round((1 - costPerHourUsd / onDemandPerHourUsd) * 100) : 0;
  return [`spot${spotRequestId ? ` (${spotRequestId})` : ''}`, ...(interrupted ? ['taken back by the cloud'] : []), ...(saved > 0 ? [`saves ${saved} % of ${dollars(onDemandPerHourUsd!)}/hour`] : [])].join(', ');
}

function dollars(usd: number): string {
  return formatUsd(Math.round(usd * MICROS_PER_USD));
}

/** "7 h 12 min left of 8 h, or 60 min without progress; then it stops" */
function leaseRow({ lease, leaseAllowedS, leaseLeftS, leaseIdleStopS, leaseOnEnd, leaseEnded, leaseFix = [] }: StatusResult, style: Style): string | undefined {
  const time = (seconds: number): string => durationText(seconds * 1000);
  const end = leaseOnEnd === undefined ? 'powers off' : leaseOnEnd === 'stop' ? 'stops' : 'terminates';
  switch (lease) {
    case undefined:
      return undefined;
    case 'none':
      return 'none: it runs and costs until somebody ends it';
    case 'off':
      return 'lifted: it runs and costs until somebody ends it';
    case 'ending':
      return style.warn(`over: it ${end} in ${time(leaseLeftS ?? 0)}`);
    case 'ended':
      return `${style.warn(`ended it, ${leaseEnded}`)}; try ${leaseFix.map((command) => style.bold(command)).join(', then ')}`;
    case 'on': {
      const bounds = [
        ...(leaseAllowedS === undefined ? [] : [leaseLeftS === undefined ? `${time(leaseAllowedS)} in all` : `${time(leaseLeftS)} left of ${time(leaseAllowedS)}`]),
        ...(leaseIdleStopS === undefined ? [] : [`${time(leaseIdleStopS)} without progress`]),
      ];
      return `${bounds.join(', or ')}; then it ${end}`;
    }
  }
}

/** SSM alone does not mean that code would arrive: says so, why, and what helps. */
function codeSync({ codeSync: state, codeSyncDetail, codeSyncFix }: StatusResult, style: Style): string {
  const word = { ready: style.good('ready'), limited: style.warn('limited'), 'not-ready': style.bad('not ready') }[state];
  return `${word}: ${style.foreign(codeSyncDetail)}${codeSyncFix === undefined ? '' : `; try ${style.bold(codeSyncFix)}`}`;
}
