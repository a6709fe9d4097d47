// Each error code at length: usual causes, and commands that help. For `runctl explain` and docs/errors.md; words in capitals
// stand for what the reader knows. Loaded by nobody else.
import type { ErrorCode } from './errors.ts';

export interface Guide {
  causes: string[];
  /** Whole commands, most useful first. */
  remedies: string[];
}

export const ERROR_GUIDE: Record<ErrorCode, Guide> = {
  usage: { causes: ['A word, flag or value is misspelled, missing, or belongs to another command. Arguments of a script go after "--".'], remedies: ['runctl --help', 'runctl aws train --help'] },
  'not-found': { causes: ['The id is mistyped, of another region or account, or the machine was terminated more than an hour ago.', 'A run is looked for in the ledger of this computer; others have ledgers of their own.'], remedies: ['runctl runs list', 'runctl aws status INSTANCE_ID --region us-west-2'] },
  'wrong-state': { causes: ['A machine that is stopped, stopping or terminated cannot be worked on; one that is pending not yet.', 'Termination protection is on, or a one-time spot machine was to be stopped.'], remedies: ['runctl aws status INSTANCE_ID', 'runctl aws start INSTANCE_ID --wait', 'runctl aws wait INSTANCE_ID'] },
  'script-missing': { causes: ['The path is wrong, or relative to another directory.', 'The script lies outside the project, or is left out of what is sent (.gitignore, sync.exclude).'], remedies: ['runctl aws train INSTANCE_ID SCRIPT --project-root .', 'runctl aws train INSTANCE_ID SCRIPT --include-pattern PATTERN'] },
  'job-running': { causes: ['One job at a time runs on a machine, since two would share its GPU and memory.'], remedies: ['runctl aws monitor INSTANCE_ID --follow', 'runctl aws stop-training INSTANCE_ID', 'runctl aws train INSTANCE_ID SCRIPT --force'] },
  'limit-reached': { causes: ['runctl\'s own guard against machines that nobody remembers: aws.max_instances.'], remedies: ['runctl runs list', 'runctl aws terminate INSTANCE_ID', 'runctl config set aws.max_instances 8'] },
  'credentials-missing': { causes: ['No keys in the environment, no ~/.aws/credentials or ~/.aws/config, no container or web identity.', 'On an EC2 instance the metadata service is asked only when AWS_EC2_METADATA_DISABLED=false.'], remedies: ['aws configure', 'aws sso login', 'runctl doctor --sim'] },
  'credentials-rejected': { causes: ['The keys are wrong, inactive, expired, or of another partition; or the clock of this computer is wrong.', 'Keys of the built-in cloud are in the environment while AWS is asked, or the other way round.'], remedies: ['aws sts get-caller-identity', 'aws sso login', 'date -u'] },
  'region-missing': { causes: ['Neither the configuration, AWS_REGION, AWS_DEFAULT_REGION nor the AWS profile names a region.'], remedies: ['runctl config set aws.region us-east-1', 'export AWS_REGION=us-east-1'] },
  'config-invalid': { causes: ['.runctl.toml has a mistake: a key that does not exist, a value of the wrong kind, broken TOML.', 'An environment variable holds a value that cannot be used.'], remedies: ['runctl config validate', 'runctl config show'] },
  'state-unusable': { causes: ['The disk is full, the directory belongs to somebody else, or the file was written by a newer runctl.'], remedies: ['df -h ~', 'ls -ld ~/.local/state/runctl', 'export XDG_STATE_HOME=/another/directory'] },
  'bucket-missing': { causes: ['No bucket is configured and the project is too large to go through SSM, or the configured one does not exist.'], remedies: ['aws s3 ls', 'runctl config set aws.s3_bucket BUCKET'] },
  'bucket-forbidden': { causes: ['The bucket belongs to another account, lies in another region, or these credentials lack rights on it.'], remedies: ['runctl aws policy caller --bucket BUCKET', 'aws s3api get-bucket-location --bucket BUCKET', 'runctl doctor'] },
  'profile-missing': { causes: ['The instance profile does not exist, has no role, or its role does not trust EC2. Without one SSM cannot reach the machine.'], remedies: ['runctl doctor', 'runctl aws policy machine', 'runctl aws policy trust'] },
  'not-permitted': { causes: ['The credentials are valid, but a policy does not allow the call, or one forbids it.', 'The account or region is not enabled for the service yet.'], remedies: ['runctl aws policy caller', 'aws sts get-caller-identity'] },
  capacity: { causes: ['The cloud has no free machine of this type there at this moment. Later, in another zone, or for another type the answer may differ.'], remedies: ['runctl aws create TYPE --zone us-east-1b', 'export AWS_REGION=us-west-2'] },
  'spot-unavailable': { causes: ['Every zone and type that was tried had no spot capacity, or only above the highest price allowed.'], remedies: ['runctl aws create TYPE --spot --types TYPE,TYPE --spot-timeout 5m', 'runctl aws create TYPE --spot --on-spot-failure on-demand', 'runctl aws create TYPE'] },
  quota: { causes: ['The account has a limit of vCPUs per family of types and region; new accounts often have 0 for GPU types.'], remedies: ['runctl doctor', 'aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-DB2E81BA --desired-value 8'] },
  throttled: { causes: ['Too many calls from this account in this region: other programs count too.'], remedies: ['sleep 30'] },
  'endpoint-unreachable': { causes: ['No network, a proxy that must be passed (runctl connects directly), a wrong region, an emulator that is not started, or a failure inside AWS.'], remedies: ['env | grep -i -e proxy -e AWS_ENDPOINT_URL', 'runctl sim status', 'runctl doctor'] },
  'endpoint-foreign': { causes: ['AWS_ENDPOINT_URL points at something else: a web server, an object store, an emulator without this service.', 'A network that wants a login first answers every address with its own page.'], remedies: ['env | grep AWS_ENDPOINT_URL', 'unset AWS_ENDPOINT_URL', 'runctl sim start'] },
  'cloud-refused': { causes: ['The cloud said no, for a reason that its own code and message tell.'], remedies: ['runctl explain AWS_CODE', 'runctl doctor'] },
  'machine-lost': { causes: ['Somebody stopped or terminated the machine, it shut itself down, its spot capacity was taken back, or its hardware failed.'], remedies: ['runctl aws status INSTANCE_ID', 'runctl aws start INSTANCE_ID --wait', 'runctl runs show'] },
  'lease-ended': { causes: ['--max-cost, --max-hours or --idle-stop (settings lease.*) was reached. The training got SIGTERM and time to save first.'], remedies: ['runctl runs show', 'runctl aws start INSTANCE_ID --wait', 'runctl config show'] },
  'sync-failed': { causes: ['A file changed while it was sent, the disk of the machine is full, or the machine does not reach S3.'], remedies: ['runctl aws status INSTANCE_ID', 'runctl aws create TYPE --root-volume-size 60'] },
  'dependencies-failed': { causes: ['A package does not exist for the machine\'s Python or processor, two versions exclude each other, or the machine does not reach the package index.', 'The disk of the machine is full: frameworks take gigabytes.'], remedies: ['runctl aws train INSTANCE_ID SCRIPT --wait', 'runctl aws create TYPE --root-volume-size 60'] },
  'transfer-failed': { causes: ['The connection broke, the disk of this computer is full, or the file changed while it was fetched.'], remedies: ['df -h .', 'runctl aws training-status INSTANCE_ID'] },
  'ssm-not-ready': { causes: ['After a boot the agent needs 30 to 90 seconds, sometimes more.', 'It never answers without an instance profile, without a way to SSM, or when the image lacks the agent.'], remedies: ['runctl aws wait-ssm INSTANCE_ID --timeout 10m', 'runctl aws status INSTANCE_ID'] },
  unreachable: { causes: ['The machine runs, says the cloud, but nothing comes back from it: its network or SSM agent is gone, or it is out of memory.'], remedies: ['runctl aws status INSTANCE_ID', 'runctl aws wait-ssm INSTANCE_ID', 'runctl aws stop INSTANCE_ID --wait'] },
  'answer-broken': { causes: ['Output was cut on the way, or something on the machine prints into every shell.'], remedies: ['runctl aws training-status INSTANCE_ID', 'runctl aws status INSTANCE_ID'] },
  timeout: { causes: ['What was waited for takes longer than --timeout. It goes on without this command.'], remedies: ['runctl aws wait INSTANCE_ID --timeout 15m', 'runctl aws monitor INSTANCE_ID --follow'] },
  'job-failed': { causes: ['The script ended with a code other than 0. 137: killed, most often for want of memory. 143: asked to stop. 126, 127: cannot be run, or not found.'], remedies: ['runctl aws monitor INSTANCE_ID', 'runctl runs show'] },
  'job-lost': { causes: ['The machine was rebooted, or the process was killed together with whoever writes its exit record: mostly for want of memory.'], remedies: ['runctl aws monitor INSTANCE_ID', 'runctl aws training-status INSTANCE_ID'] },
  'over-budget': { causes: ['What all runs have cost in this project, day or month has reached the setting budget.project, budget.day or budget.month.'], remedies: ['runctl resources cost --daily', 'runctl config show', 'runctl config set budget.day 50'] },
  protected: { causes: ['The tag runctl:protected is set, or the tags that runctl gives everything it makes are missing: somebody else made it.'], remedies: ['runctl aws status INSTANCE_ID', 'aws ec2 describe-tags --filters Name=resource-id,Values=INSTANCE_ID'] },
  declined: { causes: ['Somebody answered no, or nobody could be asked because standard input is not a terminal.'], remedies: ['runctl sim reset --yes'] },
  interrupted: { causes: ['Ctrl-C or a signal. What was begun in the cloud has been undone or is named in the message.'], remedies: ['runctl runs list', 'runctl runs show'] },
  bug: { causes: ['A mistake in runctl. The file named in the message holds the details, and no secrets.'], remedies: ['runctl runs list'] },
  'sim-failed': { causes: ['The built-in cloud did not start: no Python 3, a full disk, a locked-down container, or a state of an older version.'], remedies: ['runctl sim status', 'runctl sim reset --yes'] },
};
