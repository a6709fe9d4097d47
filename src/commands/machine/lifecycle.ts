// runctl PROVIDER start | stop | terminate: one definition, three verbs.
import { type LifecycleResult, type LifecycleVerb, changeLifecycle } from '../../engine/lifecycle.ts';
import { defineCommand } from '../define.ts';

const FINAL = { start: 'running and answering', stop: 'stopped', terminate: 'terminated' };
const DESCRIPTION = {
  start: 'The disk is as it was; the public address changes. Billing starts again.',
  stop: 'Compute billing ends; the disk stays and goes on costing. A running job is ended.',
  terminate: 'The machine and its root disk are gone for good. A running job is ended and what it did not save is lost.',
};

export const lifecycleCommand = (provider: string, verb: LifecycleVerb) =>
  defineCommand({
    description: DESCRIPTION[verb],
    args: [{ name: 'instance_id', summary: `machine to ${verb}` }],
    flags: {
      wait: { kind: 'switch', summary: `wait until it is ${FINAL[verb]}` },
      timeout: { kind: 'duration', placeholder: 'TIME', default: '10m', summary: 'limit of --wait' },
    },
    examples: [`runctl ${provider} ${verb} i-0abc123`, `runctl ${provider} ${verb} i-0abc123 --wait`, `runctl ${provider} ${verb} i-0abc123 --wait --output state`],
    run: ({ args, flags }, app) =>
      changeLifecycle(app, verb, { provider, machineId: args['instance_id'] as string, wait: flags.wait ?? false, timeoutMs: flags.timeout }),
    text: (result: LifecycleResult, style) =>
      [
        `${style.bold(result.instanceId)} is ${result.state}${result.previousState === result.state ? ' already' : ` (was ${result.previousState})`}`,
        ...(result.publicIp && result.state === 'running' ? [`  Public IP: ${result.publicIp}`] : []),
        ...(result.ssm === 'connected' ? ['  SSM connected'] : result.ssm === 'none' ? ['  SSM is not available: the machine has no instance profile'] : []),
      ].join('\n'),
  });
