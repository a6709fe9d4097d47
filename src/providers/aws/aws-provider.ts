// The AWS provider: machines by EC2, hands by SSM, files by S3. This file only joins the parts; whether the endpoint is the real
// AWS, the built-in cloud or another emulator is decided by the standard environment variables and known to nobody here.
import type { Clock } from '../../core/clock.ts';
import type { Check, Provider, Store } from '../../core/ports.ts';
import { checkBucket, listBuckets } from './buckets.ts';
import { runChecks } from './checks.ts';
import { createAwsApi } from './clients.ts';
import type { Env } from './environment.ts';
import { createLifecycle, requireInstanceId } from './lifecycle.ts';
import { dryRun, launch } from './launch.ts';
import { planMachine } from './plan.ts';
import { hourlyPrice, unitPrices } from './prices.ts';
import { explainReadiness, pingAgent } from './readiness.ts';
import { createS3Store } from './s3-store.ts';
import { createSsmShell } from './ssm-shell.ts';

export interface AwsProviderOptions {
  /** From the configuration; else AWS_REGION, AWS_DEFAULT_REGION, the AWS profile. */
  region?: string;
  /** With an owner, `list` gives that owner's machines only, and new ones are tagged so; else it gives everybody's. */
  owner?: string;
  /** Tag of machines whose request names no project. */
  project?: string;
  clock: Clock;
  /** The environment to go by, AWS_* variables included. Usually process.env, with the built-in cloud's variables laid over it. */
  env: Env;
  /** What a request leaves out. */
  defaultAmi?: string;
  defaultProfile?: string;
  defaultKeyName?: string;
  defaultSecurityGroup?: string;
  defaultSubnet?: string;
  defaultRootVolumeGb?: number;
}

/** What AWS has beyond the port; for commands/aws and the wiring. */
export interface AwsExtras {
  /** The region in use, whoever named it. */
  region(): Promise<string>;
  store(bucket: string): Store;
  checkBucket(name: string, signal?: AbortSignal): Promise<Check>;
  listBuckets(signal?: AbortSignal): Promise<string[]>;
  /** Let go of kept-alive connections. */
  close(): void;
}

export function createAwsProvider(options: AwsProviderOptions): Provider & AwsExtras {
  const api = createAwsApi({ region: options.region, clock: options.clock, env: options.env });
  const lifecycle = createLifecycle(api, options.owner);
  const defaults = {
    owner: options.owner,
    project: options.project,
    ami: options.defaultAmi,
    profile: options.defaultProfile,
    keyName: options.defaultKeyName,
    securityGroup: options.defaultSecurityGroup,
    subnet: options.defaultSubnet,
    rootVolumeGb: options.defaultRootVolumeGb,
  };
  return {
    name: 'aws',
    plan: (request, signal) => planMachine(api, request, defaults, signal),
    async create(plan, token, signal) {
      const machine = await launch(api, plan, token, signal);
      lifecycle.made(machine.id);
      return machine;
    },
    rehearse: (plan, signal) => dryRun(api, plan, signal),
    checks: (wanted, signal) => runChecks(api, { ...wanted, region: options.region }, signal),
    findByToken: lifecycle.findByToken,
    find: lifecycle.find,
    list: lifecycle.list,
    start: (id, signal) => lifecycle.change('StartInstances', id, signal),
    stop: (id, signal) => lifecycle.change('StopInstances', id, signal),
    terminate: (id, signal) => lifecycle.change('TerminateInstances', id, signal),
    async price(machine, signal) {
      const [unit, volumes] = await Promise.all([
        unitPrices(api, machine.type, machine.market, machine.region, signal),
        api.ec2('DescribeVolumes', { Filters: [{ Name: 'attachment.instance-id', Values: [machine.id] }] }, { signal, subject: machine.id }),
      ]);
      const diskGb = (volumes.Volumes ?? []).reduce((sum, volume) => sum + (volume.Size ?? 0), 0);
      return hourlyPrice(unit, diskGb, machine.publicIp !== undefined);
    },
    async shell(machine) {
      requireInstanceId(machine.id);
      return createSsmShell(api, machine, lifecycle.find);
    },
    async readiness(machine, signal) {
      requireInstanceId(machine.id);
      return explainReadiness(machine, await pingAgent(api, machine.id, signal));
    },
    region: api.region,
    store: (bucket) => createS3Store(api, bucket),
    checkBucket: (name, signal) => checkBucket(api, name, signal),
    listBuckets: (signal) => listBuckets(api, signal),
    close: api.close,
  };
}
