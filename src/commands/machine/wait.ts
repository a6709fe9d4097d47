// runctl PROVIDER wait
import { type ReadyResult, waitReady } from '../../engine/ready.ts';
import { defineCommand } from '../define.ts';

export const waitCommand = (provider: string) =>
  defineCommand({
    description: 'Ends when the machine is running and, where it has a way in, a command that was sent to it came back. Not ready in time is a failure (exit code 5).',
    args: [{ name: 'instance_id', summary: 'machine to wait for' }],
    flags: { timeout: { kind: 'duration', placeholder: 'TIME', default: '10m', summary: 'longest wait' } },
    examples: [`runctl ${provider} wait i-0abc123`, `runctl ${provider} wait i-0abc123 --timeout 15m --output json`],
    run: ({ args, flags }, app) => waitReady(app, { provider, machineId: args['instance_id'] as string, timeoutMs: flags.timeout, fromPending: true }),
    text: describeReady,
  });

export function describeReady(result: ReadyResult): string {
  return result.ssm === 'connected'
    ? `${result.instanceId} is ready and SSM connected (${result.elapsedS.toFixed(1)} s)`
    : `${result.instanceId} is running; SSM is not available: the machine has no instance profile`;
}
