// runctl PROVIDER start | stop | terminate: one definition, three verbs.
import { type LifecycleResult, type LifecycleVerb, changeLifecycle } from '../../engine/lifecycle.ts';
import type { Flags, Input } from '../../cli/command.ts';
import { formatElapsed } from '../../ui/style.ts';
import { defineCommand } from '../define.ts';

const FINAL = { start: 'running and answering', stop: 'stopped', terminate: 'terminated' };
const DESCRIPTION = {
  start: 'The disk is as it was; the public address changes. Billing starts again.',
  stop: 'Compute billing ends; the disk stays and goes on costing. Not for spot machines, which can only be terminated. A running job gets SIGTERM and time to save before; its results stay on the disk.',
  terminate: 'The machine and its root disk are gone for good. Results that are not here yet are fetched first. When a job runs, or another runctl is busy with the machine, this asks; the job then gets SIGTERM and time to save before its results are fetched. A machine that is tagged runctl:protected is never ended; about one that runctl did not make it asks.',
};

const LEAVING = {
  grace: { kind: 'duration', placeholder: 'TIME', summary: 'how long a job has to save after SIGTERM (default: train.stop_grace_seconds)' },
  force: { kind: 'switch', summary: 'at once: no question, no time to save, nothing is fetched' },
} as const satisfies Flags;

const TERMINATING = {
  fetch: { kind: 'switch', default: true, summary: 'fetch results that are not here yet; --no-fetch leaves them to be lost' },
} as const satisfies Flags;

/** What is absent was no flag of that verb. */
type Leaving = Partial<Input<typeof LEAVING & typeof TERMINATING>['flags']>;

export const lifecycleCommand = (provider: string, verb: LifecycleVerb) =>
  defineCommand({
    description: DESCRIPTION[verb],
    args: [{ name: 'instance_id', summary: `machine to ${verb}` }],
    flags: {
      ...(verb === 'start' ? {} : LEAVING),
      ...(verb === 'terminate' ? TERMINATING : {}),
      wait: { kind: 'switch', summary: `wait until it is ${FINAL[verb]}` },
      timeout: { kind: 'duration', placeholder: 'TIME', default: '10m', summary: 'limit of --wait' },
    },
    examples: [
      `runctl ${provider} ${verb} i-0abc123`, `runctl ${provider} ${verb} i-0abc123 --wait`, `runctl ${provider} ${verb} i-0abc123 --wait --output state`,
      ...(verb === 'stop' ? [`runctl ${provider} stop i-0abc123 --grace 2m`] : []),
      ...(verb === 'terminate' ? [`runctl ${provider} terminate i-0abc123 --yes --grace 2m`, `runctl ${provider} terminate i-0abc123 --force`] : []),
    ],
    run: ({ args, flags }, app) =>
      changeLifecycle(app, verb, {
        provider, machineId: args['instance_id'] as string, wait: flags.wait ?? false, timeoutMs: flags.timeout,
        force: (flags as Leaving).force, graceMs: (flags as Leaving).grace, fetch: (flags as Leaving).fetch,
      }),
    text: (result: LifecycleResult, style) =>
      [
        `${style.bold(result.instanceId)} is ${result.state}${result.previousState === result.state ? ' already' : ` (was ${result.previousState})`}`,
        ...(result.publicIp && result.state === 'running' ? [`  Public IP: ${result.publicIp}`] : []),
        ...(result.stoppedRuns ? [`  Training ended first: ${result.stoppedRuns.join(', ')}`] : []),
        ...(result.costUsd === undefined ? [] : [`  Cost: ${result.costIsAtMost ? 'at most ' : ''}$${result.costUsd.toFixed(6)}${result.billedS === undefined ? '' : ` for ${formatElapsed(result.billedS * 1000)} of running, disk and address included`}`]),
        ...(result.outputs ? [`  Results fetched to: ${result.outputs.join(', ')}`] : []),
        ...(result.ssm === 'connected' ? ['  SSM connected'] : result.ssm === 'none' ? ['  SSM is not available: the machine has no instance profile'] : []),
      ].join('\n'),
  });
