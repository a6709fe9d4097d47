// runctl aws wait-ssm
import { waitReady } from '../../engine/ready.ts';
import { defineCommand } from '../define.ts';
import { describeReady } from '../machine/wait.ts';

export const waitSsmCommand = defineCommand({
  description: 'After a boot the SSM agent registers within 30 to 90 seconds, sometimes later. The proof is a command that came back, not a state.',
  args: [{ name: 'instance_id', summary: 'running machine' }],
  flags: { timeout: { kind: 'duration', placeholder: 'TIME', default: '5m', summary: 'longest wait' } },
  examples: ['runctl aws wait-ssm i-0abc123', 'runctl aws wait-ssm i-0abc123 --timeout 10m'],
  run: ({ args, flags }, app) => waitReady(app, { provider: 'aws', machineId: args['instance_id'] as string, timeoutMs: flags.timeout, fromPending: false }),
  text: describeReady,
});
