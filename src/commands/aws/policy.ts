// runctl aws policy
import { RunctlError } from '../../core/errors.ts';
import { callerPolicy, machinePolicy, trustPolicy } from '../../providers/aws/policies.ts';
import { defineCommand } from '../define.ts';

export const policyCommand = defineCommand({
  description:
    'Prints the least that is needed, as JSON for IAM: "caller" for whoever runs runctl (change only what carries runctl\'s tag), "machine" for the role of the machines (the SSM agent\'s own calls, nothing else), "trust" for that role\'s trust policy. Calls nothing.',
  args: [{ name: 'whose', summary: 'caller (default), machine or trust', optional: true }],
  flags: {
    bucket: { kind: 'text', placeholder: 'NAME', summary: 'bucket to include (default: aws.s3_bucket)' },
    role: { kind: 'text', placeholder: 'NAME', summary: 'role of the machines (default: runctl-ssm-role)' },
  },
  examples: ['runctl aws policy', 'runctl aws policy machine', 'runctl aws policy trust > trust.json'],
  run: async ({ args, flags }, app) => {
    switch (args['whose'] ?? 'caller') {
      case 'caller':
        return callerPolicy({ bucket: flags.bucket ?? app.config.aws.s3_bucket, role: flags.role ?? 'runctl-ssm-role' });
      case 'machine':
        return machinePolicy();
      case 'trust':
        return trustPolicy();
      default:
        throw new RunctlError('usage', `no policy for "${args['whose']}"`, { hints: ['runctl aws policy caller', 'runctl aws policy machine', 'runctl aws policy trust'] });
    }
  },
  text: (policy) => JSON.stringify(policy, undefined, 2),
});
