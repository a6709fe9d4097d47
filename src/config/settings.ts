// The one list of settings. Defaults, types, checks, the file that `init` writes, `config show`, the docs page and the
// JSON schema all come from it. Adding a setting is adding an entry here and using it.
import { boolean, choice, integer, list, optionalInteger, optionalNumber, optionalText, table, text, type Setting } from './kinds.ts';

const NAME = { pattern: /^[\w+=,.@-]{1,128}$/, says: 'letters, digits and +=,.@_- (128 at most)' };
const BUCKET = { pattern: /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, says: 'a bucket name such as "my-bucket": 3 to 63 lower-case letters, digits, dots and hyphens (no s3:// before it)' };
const TAG = { pattern: /^[\p{L}\p{N}\s_.:/=+@-]{1,128}$/u, says: '1 to 128 letters, digits, blanks and _.:/=+@-' };

export const SETTINGS = {
  aws: {
    region: optionalText('us-east-1', 'AWS region. Without it AWS_REGION, AWS_DEFAULT_REGION and then the AWS profile decide.', { pattern: /^[a-z]{2}(-[a-z]+)+-\d+$/, says: 'a region such as "us-east-1"' }),
    default_instance_type: text('t3.medium', 'Machine type when none is named.', { pattern: /^[a-z0-9-]+\.[a-z0-9-]+$/, says: 'a type such as "t3.medium" or "g5.xlarge"' }),
    default_ami: optionalText('ami-0123456789abcdef0', 'Image to boot, for every machine. Without it: Amazon Linux 2023, or the Deep Learning image on GPU types.', { pattern: /^ami-[0-9a-f]{8,17}$/, says: 'an image id such as "ami-0123456789abcdef0"' }),
    iam_instance_profile: optionalText('runctl-ssm-profile', 'Instance profile of new machines. SSM needs one: without it a machine can only be reached by SSH.', NAME),
    s3_bucket: optionalText('my-bucket', 'Bucket through which code goes to machines and results come back. Without it small projects go through SSM itself.', BUCKET),
    key_name: optionalText('my-key', 'EC2 key pair of new machines. Only SSH needs one.', { pattern: /^[\x20-\x7e]{1,255}$/, says: 'the name of a key pair' }),
    security_group: optionalText('sg-0123456789abcdef0', 'Security group of new machines, by id or name. Without it one of our own, with no inbound rule.', { pattern: /^\S.{0,254}$/, says: 'the id or name of a security group' }),
    subnet_id: optionalText('subnet-0123456789abcdef0', 'Subnet of new machines. Without it one of the default VPC.', { pattern: /^subnet-[0-9a-f]{8,17}$/, says: 'a subnet id such as "subnet-0123456789abcdef0"' }),
    root_volume_gb: optionalInteger(30, 'Size of the root disk. Without it 30, or 100 on GPU types, and never less than the image needs.', { min: 1, max: 65_536 }),
    project_name: optionalText('my-project', 'Project that machines are tagged with. Without it the name of the project directory.', TAG),
    owner: optionalText('me', 'Person whom machines are tagged with. Without it the login name.', TAG),
    use_spot: boolean(false, 'Buy spot capacity unless the command line says --on-demand.'),
    spot_max_price: optionalNumber(0.5, 'Most to pay for a spot machine, USD an hour. Without it the on-demand price, which spot never exceeds.', { min: 0.001, max: 1000 }),
    spot_timeout_seconds: integer(60, 'How long to look for spot capacity before --on-spot-failure applies.', { min: 1, max: 86_400 }),
    on_spot_failure: choice(['fail', 'on-demand', 'wait'], 'fail', 'What to do when no spot capacity is found and nobody can be asked: end with an error, pay the on-demand price, or go on looking.'),
    spot_types: list('Machine types to take as well when the wanted one has no spot capacity.', ['g6.xlarge', 'g4dn.xlarge']),
    max_instances: integer(50, 'Refuse to create a machine when this many are already there.', { min: 0, max: 100_000 }),
  },
  train: {
    on_failure: choice(['terminate', 'stop', 'keep'], 'terminate', 'What `workflow train` does with its machine when something fails.'),
    timeout_minutes: integer(0, 'How long `--wait` follows a training, unless --timeout says so; 0 for no limit. The training itself goes on.', { min: 0, max: 525_600 }),
    stop_grace_seconds: integer(30, 'How long a script has after SIGTERM to save its work before it is killed.', { min: 0, max: 3600 }),
    install: boolean(true, 'Install what the project depends on before the script starts: uv or pip, into an environment of its own.'),
    install_timeout_minutes: integer(30, 'How long the installation of dependencies may take before it is ended.', { min: 1, max: 1440 }),
    python: optionalText('/opt/pytorch/bin/python', 'Python on the machine from which environments are made. Without it that of a Deep Learning image, else the first python3 that the project allows.', { pattern: /^[^\0\n]+$/, says: 'a command or path such as "python3.12" or "/opt/pytorch/bin/python"' }),
    log_dir: optionalText('logs', 'Directory for the logs of jobs on the machine where they run, absolute or from the home directory there: RUN.log for each run. Without it each log is in the directory of its run.', { pattern: /^[^\0\n]+$/, says: 'a directory on the machine, such as "logs" or "/mnt/logs"' }),
    log_path: optionalText('/mnt/logs/{run}/training.log', 'The same as a whole path, with {run} where the id of the run shall be. Goes before train.log_dir.', { pattern: /^(?=.*\{run\})[^\0\n]*[^/\0\n]$/, says: 'a path with {run} in it, such as "/mnt/logs/{run}.log", so that no run overwrites the log of another' }),
    patience_minutes: integer(30, 'How long a wait goes on while neither machine nor cloud answers. Then it ends with exit code 5; the training itself goes on.', { min: 1, max: 10_080 }),
    hang_minutes: integer(30, 'Say so when a training has written neither log nor checkpoint for so long; 0 to say nothing. The training is left alone.', { min: 0, max: 10_080 }),
    env: table('Environment variables for the script, such as { WANDB_MODE = "offline" }.', { pattern: /^[A-Za-z_][A-Za-z0-9_]*$/, says: 'names of letters, digits and _ that do not begin with a digit' }),
  },
  local: {
    device: text('auto', 'Given to local scripts as RUNCTL_DEVICE.', { pattern: /^(auto|cpu|mps|cuda(:\d+)?)$/, says: '"auto", "cpu", "mps", "cuda" or "cuda:N"' }),
    output_dir: text('runs', 'Where logs, checkpoints and results of runs are put, relative to the project. Never sent to machines.', { pattern: /^(?!\.{0,2}$)[^\0]+$/, says: 'a directory below the project' }),
  },
  lease: {
    max_cost: optionalNumber(5, 'Most that a machine may cost, USD: it powers itself off before. Without it only the hours bound it.', { min: 0.01, max: 1_000_000 }),
    max_hours: optionalNumber(8, 'Most hours that a machine may run: it then powers itself off. Without it 24 for workflows, no limit for other machines.', { min: 0.02, max: 8760 }),
    idle_minutes: optionalNumber(30, 'Power a machine off when nothing has moved on it for so long: no log line, no checkpoint, no CPU or GPU work; 0 for never. Without it 60 for workflows, never for other machines.', { min: 0, max: 10_080 }),
    grace_seconds: integer(90, 'How long a training has after SIGTERM to save its work when a lease ends, before the machine powers off.', { min: 0, max: 3600 }),
    on_end: choice(['terminate', 'stop'], 'stop', 'What becomes of a machine whose lease ends: stop keeps its disk, and that costs a little. Workflows terminate unless train.on_failure says otherwise; spot machines can only terminate.'),
  },
  budget: {
    project: optionalNumber(100, 'Most that all runs of this project may cost, USD. A warning from 80 %; nothing new starts over 100 % unless confirmed.', { min: 0.01, max: 10_000_000 }),
    day: optionalNumber(20, 'Most that all runs of a day (UTC) may cost, USD.', { min: 0.01, max: 10_000_000 }),
    month: optionalNumber(300, 'Most that all runs of a calendar month (UTC) may cost, USD.', { min: 0.01, max: 10_000_000 }),
  },
  sync: {
    exclude: list('More patterns, as in .gitignore, of files that stay here.', ['data/', '*.mp4']),
    include: list('Patterns of files to send although they are ignored.', ['data/small.csv']),
    max_direct_mb: integer(2, 'Largest packed project to send through SSM itself when there is no bucket.', { min: 0, max: 50 }),
  },
  sim: {
    dial: choice(['instant', 'quick', 'realistic'], 'quick', 'How long things take in the built-in cloud.'),
    latency: boolean(false, 'Let every request to the built-in cloud take as long as one to AWS.'),
    internet: boolean(false, 'Let machines of the built-in cloud reach the package indexes (pypi.org and those that pip and uv use here), for a rehearsal that installs dependencies.'),
    idle_minutes: integer(30, 'The built-in cloud ends by itself after this long without a request or a machine.', { min: 1, max: 10_080 }),
  },
} as const satisfies Record<string, Record<string, Setting<unknown>>>;

export const SECTION_TITLES: Record<keyof typeof SETTINGS, string> = {
  aws: 'Machines on AWS, real or built in',
  train: 'Training jobs',
  local: 'This computer',
  lease: 'What a machine may cost before it ends itself',
  budget: 'What all runs together may cost',
  sync: 'What goes to machines',
  sim: 'The built-in cloud',
};

/** `config.aws.s3_bucket`: named as in the file. */
export type Config = {
  -readonly [S in keyof typeof SETTINGS]: { -readonly [K in keyof (typeof SETTINGS)[S]]: (typeof SETTINGS)[S][K] extends Setting<infer T> ? T : never };
};

/** Names of the earlier tool that have a new one. They go on working. */
export const RENAMED: Record<string, string> = {
  'aws.default_project_name': 'aws.project_name',
  'aws.user_id': 'aws.owner',
  'local.default_device': 'local.device',
};

/** Names of the earlier tool that mean nothing here, each with what to do instead. A section name stands for all its keys. */
export const RETIRED: Record<string, string> = {
  'local.checkpoint_dir': 'scripts find the directory to save to in RUNCTL_CHECKPOINT_DIR; remove the line',
  'checkpoint.dir': 'scripts find the directory to save to in RUNCTL_CHECKPOINT_DIR; remove the line',
  'checkpoint.keep_last_n': 'every checkpoint of a run is kept; remove the line',
  'checkpoint.save_interval': 'the script decides when to save; pass it an argument after --',
  checkpoint: 'it has no settings any more; remove the section',
  'monitoring.log_dir': 'set train.log_dir, the directory for logs on the machine that trains; without it each run has its own directory with training.log in it',
  'monitoring.update_interval_secs': 'runctl adapts how often it looks; remove the line',
  'monitoring.enable_warnings': 'warnings are always shown, on stderr; remove the line',
  monitoring: 'it has no settings any more; remove the section',
  runpod: 'RunPod is not a provider of this version; remove the section',
};

export interface SettingEntry {
  /** Dotted: `aws.region`. */
  name: string;
  section: string;
  key: string;
  setting: Setting<unknown>;
}

/** All settings in the order of the file. */
export function allSettings(): SettingEntry[] {
  return Object.entries(SETTINGS).flatMap(([section, keys]) =>
    Object.entries<Setting<unknown>>(keys).map(([key, setting]) => ({ name: `${section}.${key}`, section, key, setting })),
  );
}

export function findSetting(name: string): SettingEntry | undefined {
  return allSettings().find((entry) => entry.name === name);
}

/** The environment variable that overrides a setting: RUNCTL_AWS_S3_BUCKET. */
export function variableOf(name: string): string {
  return `RUNCTL_${name.replace('.', '_').toUpperCase()}`;
}
