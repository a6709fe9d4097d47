// runctl aws policy
import { RunctlError } from '../../core/errors.ts';
import { OWN_PROFILE, OWN_ROLE, callerPolicy, machineBucketPolicy, machinePolicy, setupPolicy, trustPolicy } from '../../providers/aws/policies.ts';
import { defineCommand } from '../define.ts';

export const policyCommand = defineCommand({
  description:
    'Prints the least that is needed, as JSON for IAM: "caller" for whoever runs runctl (change only what carries runctl\'s tag), "setup" for what "runctl doctor --fix" needs once beyond that, "machine" for the role of the machines (the SSM agent\'s own calls, nothing else), "machine-bucket" for scripts on them that use the bucket themselves, "trust" for that role\'s trust policy. Calls nothing.',
  args: [{ name: 'whose', summary: 'caller (default), setup, machine, machine-bucket or trust', optional: true }],
  flags: {
    bucket: { kind: 'text', placeholder: 'NAME', summary: 'bucket to include (default: aws.s3_bucket)' },
    role: { kind: 'text', placeholder: 'NAME', summary: 'role of the machines (default: runctl-ssm-role)' },
  },
  examples: ['runctl aws policy', 'runctl aws policy setup', 'runctl aws policy machine', 'runctl aws policy machine-bucket --bucket my-bucket', 'runctl aws policy trust > trust.json'],
  run: async ({ args, flags }, app) => {
    const bucket = flags.bucket ?? app.config.aws.s3_bucket;
    const role = flags.role ?? OWN_ROLE;
    switch (args['whose'] ?? 'caller') {
      case 'caller':
        return callerPolicy({ bucket, role });
      case 'setup':
        return setupPolicy({ bucket, role, profile: app.config.aws.iam_instance_profile ?? OWN_PROFILE });
      case 'machine':
        return machinePolicy();
      case 'machine-bucket':
        if (bucket === undefined) throw new RunctlError('usage', 'which bucket?', { cause: 'aws.s3_bucket is not set.', hints: ['runctl aws policy machine-bucket --bucket my-bucket'] });
        return machineBucketPolicy(bucket);
      case 'trust':
        return trustPolicy();
      default:
        throw new RunctlError('usage', `no policy for "${args['whose']}"`, { hints: ['runctl aws policy caller', 'runctl aws policy setup', 'runctl aws policy machine', 'runctl aws policy machine-bucket', 'runctl aws policy trust'] });
    }
  },
  text: (policy) => JSON.stringify(policy, undefined, 2),
});
