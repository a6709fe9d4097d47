// The AWS provider: machines by EC2, hands by SSM, files by S3. This file only joins the parts; whether the endpoint is the real
// AWS, the built-in cloud or another emulator is decided by the standard environment variables and known to nobody here.
// What status needs is imported at once, everything else when it is called: start-up is what people feel.
import type { Clock } from '../../core/clock.ts';
import type { Market } from '../../core/machine.ts';
import type { Provider, Store } from '../../core/ports.ts';
import { type AwsApi, createAwsApi } from './clients.ts';
import { type Env, pretends } from './environment.ts';
import { createLifecycle, requireInstanceId } from './lifecycle.ts';
import type { AnswerMemory } from './memory.ts';
import { createPace } from './pace.ts';
import type { Prepared } from './look-ups.ts';
import { createExplainDelay, explainReadiness, pingAgent } from './readiness.ts';
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
  store(bucket: string): Promise<Store>;
  /** Let go of kept-alive connections. */
  close(): void;
}

export function createAwsProvider(options: AwsProviderOptions): Provider & AwsExtras {
  const api = createAwsApi({ region: options.region, clock: options.clock, env: options.env });
  const lifecycle = createLifecycle(api, options.owner);
  const pace = createPace();
  const explainDelay = createExplainDelay(api);
  /** Regions of buckets that `checks` found usable: a store of them need not ask again. */
  const bucketRegions = new Map<string, string>();
  const elsewhere = new Map<string, Provider & AwsExtras>();
  let remembered: Promise<AnswerMemory> | undefined;
  const memory = (): Promise<AnswerMemory> => (remembered ??= import('./memory.ts').then(({ createAnswerMemory }) => createAnswerMemory(api)));
  /** A purchase that asked about spot is under way: it asks about many places, and on demand perhaps in the end. */
  let spotWanted = false;
  const apiFor = async (market: Market | undefined): Promise<AwsApi> => {
    spotWanted ||= market === 'spot';
    return spotWanted ? (await memory()).api : api;
  };
  let answers: Promise<Prepared> | undefined;
  const prepared = (): Promise<Prepared> => (answers ??= import('./look-ups.ts').then(({ createPrepared }) => createPrepared(() => options.clock.now())));
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
    async plan(request, signal) {
      const { completeWish, planMachine } = await import('./plan.ts');
      const { tags: _tags, ...wish } = request;
      return planMachine(await apiFor(request.market), request, defaults, (await prepared()).take(completeWish(wish, defaults)), signal);
    },
    async create(plan, token, signal) {
      const { launch } = await import('./launch.ts');
      const machine = await launch(api, plan, token, signal);
      lifecycle.made(machine.id);
      return machine;
    },
    async pools({ request, ...wanted }, signal) {
      const { findPools } = await import('./spot-pools.ts');
      spotWanted = true;
      return findPools(await memory(), { ...wanted, request: { ...request, subnet: request.subnet ?? defaults.subnet } }, signal);
    },
    withdraw: async (token, signal) => (await import('./spot-requests.ts')).withdraw(api, lifecycle, token, signal),
    rehearse: async (plan, signal) => (await import('./launch.ts')).dryRun(api, plan, signal),
    async checks(wanted, signal) {
      const [{ runChecks }, { completeWish }] = await Promise.all([import('./checks.ts'), import('./plan.ts')]);
      const wish = wanted.machine && completeWish(wanted.machine, defaults);
      const kept = wish && (await prepared());
      if (wish) {
        // With its checks a new purchase begins.
        spotWanted = wish.market === 'spot';
        (await remembered)?.renew();
      }
      return runChecks(wish ? await apiFor(wish.market) : api, wanted, {
        region: options.region,
        wish,
        prepared: (lookUps) => kept?.keep(wish as NonNullable<typeof wish>, lookUps),
        bucketRegion: (bucket, region) => bucketRegions.set(bucket, region),
      }, signal);
    },
    repair: async (remedy, signal) => (await import('./repair.ts')).repair(api, remedy, signal),
    findByToken: lifecycle.findByToken,
    find: lifecycle.find,
    list: lifecycle.list,
    start: (id, signal) => lifecycle.change('StartInstances', id, signal),
    stop: (id, signal) => lifecycle.change('StopInstances', id, signal),
    terminate: (id, signal) => lifecycle.change('TerminateInstances', id, signal),
    async price(machine, signal) {
      const [{ hourlyPrice, unitPrices }, { asSpot, currentSpotPrices }] = await Promise.all([import('./prices.ts'), import('./spot-prices.ts')]);
      const [unit, volumes, quoted] = await Promise.all([
        unitPrices(api, machine.type, machine.region, signal),
        api.ec2('DescribeVolumes', { Filters: [{ Name: 'attachment.instance-id', Values: [machine.id] }] }, { signal, subject: machine.id }),
        machine.market === 'spot' ? currentSpotPrices(api, [machine.type], signal) : undefined,
      ]);
      const diskGb = (volumes.Volumes ?? []).reduce((sum, volume) => sum + (volume.Size ?? 0), 0);
      const price = hourlyPrice(unit, diskGb, machine.publicIp !== undefined);
      return quoted ? asSpot(price, machine.type, machine.zone, quoted) : price;
    },
    pretend: pretends(options.env),
    usage: async (machine, wanted, signal) => (await import('./usage.ts')).usageOf(api, machine, wanted, signal),
    rates: async (wanted, signal) => (await import('./usage.ts')).ratesOf(api, wanted, signal),
    sightings: async (wanted, signal) => (await import('./usage.ts')).sightings(api, wanted, signal),
    async shell(machine) {
      requireInstanceId(machine.id);
      await api.preload('ssm');
      return createSsmShell(api, machine, lifecycle.find, pace);
    },
    async readiness(machine, signal) {
      requireInstanceId(machine.id);
      const ping = await pingAgent(api, machine.id, signal);
      return explainReadiness(machine, ping, await explainDelay(machine, ping, signal));
    },
    inventory: async (wanted, visit, signal) => (await import('./inventory.ts')).takeInventory(api, wanted, visit, signal),
    dispose: async (item, signal) => (await import('./dispose.ts')).disposeOf(api, item, signal),
    inRegion(region) {
      let other = elsewhere.get(region);
      if (!other) elsewhere.set(region, (other = createAwsProvider({ ...options, region })));
      return other;
    },
    region: api.region,
    store: async (bucket) => (await import('./s3-store.ts')).createS3Store(api, bucket, () => bucketRegions.get(bucket)),
    close() {
      for (const other of elsewhere.values()) other.close();
      api.close();
    },
  };
}
