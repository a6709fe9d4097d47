// A lane of the fault matrix for commands that need no guest: buying in the spot market, and what looks through an account and clears
// it up. Machines are a double, so that a case takes a moment; every case has a fleet, a ledger and a provider of its own.
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateVolumeCommand, DescribeVolumesCommand, EC2Client, RequestSpotInstancesCommand, type ResourceType, RunInstancesCommand, type RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { loadConfig } from '../../src/config/load.ts';
import type { Event } from '../../src/core/events.ts';
import { newStake } from '../../src/core/stake.ts';
import type { App } from '../../src/engine/app.ts';
import type { SpotWish } from '../../src/engine/buying/buy-spot.ts';
import { create } from '../../src/engine/create.ts';
import { type BulkResult, cleanup, stopAll } from '../../src/engine/resources/bulk.ts';
import { listResources } from '../../src/engine/resources/list.ts';
import type { ListResult } from '../../src/engine/resources/results.ts';
import { openLedger } from '../../src/ledger/ledger.ts';
import { createAwsProvider } from '../../src/providers/aws/index.ts';
import { ec2Tables } from '../../src/sim/aws/ec2/rows.ts';
import { s3 } from '../../src/sim/aws/s3/s3.ts';
import { forgetStore } from '../../src/sim/aws/s3/store.ts';
import { createSsm } from '../../src/sim/aws/ssm/create-ssm.ts';
import { createSim } from '../../src/sim/create-sim.ts';
import { IMAGES, imageId } from '../../src/sim/data/images.ts';
import { DIALS } from '../../src/sim/dial.ts';
import type { WeatherInput } from '../../src/sim/weather/plan.ts';
import { type CaseOutcome, type Lane, told } from './fault-lane.ts';
import { type Tags, ownTags } from './fleet.ts';
import { machineDouble } from './machine-double.ts';
import { quickClock } from './quick-clock.ts';

export const MONEY_COMMANDS = ['create --spot', 'create --spot, else on demand', 'resources list', 'resources cleanup', 'resources stop-all'] as const;
export type MoneyCommand = (typeof MONEY_COMMANDS)[number];

/** A minute of the client is so many milliseconds here: 600. */
const TIMES = 100;
/** Of the client: a search for spot capacity may take four seconds here. */
const WAIT_MS = 400_000;
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const BUCKET = 'matrix-bucket';
const RUN = 'run-20260101-aaaaaa';
/** Less than the market asks for in its dearest weather, more than on other days. */
const MAX_PRICE_MICRO_USD = 9_000;

export interface Fleet {
  own: string[];
  foreign: string[];
}

/** What a bulk command has to do with each kind of thing, by the first letters of its id. */
const ENDS: Partial<Record<MoneyCommand, Record<string, (state: string | undefined) => boolean>>> = {
  'resources cleanup': {
    'i-': (state) => state === 'terminated' || state === 'shutting-down',
    'vol-': (state) => state === undefined,
    'sir-': (state) => state === 'cancelled',
    's3:': (state) => state === undefined,
  },
  'resources stop-all': { 'i-': (state) => state === 'stopped' || state === 'stopping' },
};

export async function openMoneyLane(): Promise<Lane<MoneyCommand>> {
  const directory = realpathSync(mkdtempSync(join(MEMORY, 'runctl-money-lane-')));
  const sim = await createSim({
    directory: join(directory, 'sim'), dial: DIALS.instant, machines: () => machineDouble(), log: (line) => process.stderr.write(`sim: ${line}\n`),
    parts: (cloud) => {
      const ssm = createSsm(cloud, () => undefined);
      return [{ service: ssm.service, reset: () => ssm.forget(), close: () => ssm.close() }, { service: s3, reset: () => forgetStore(cloud.world) }];
    },
  });
  const { accessKeyId, secretAccessKey } = sim.credentials();
  const settings = { endpoint: sim.endpoint, region: 'us-east-1', credentials: sim.credentials(), maxAttempts: 1 };
  const ec2 = new EC2Client(settings);
  const objects = new S3Client({ ...settings, forcePathStyle: true });
  await objects.send(new CreateBucketCommand({ Bucket: BUCKET }));
  const env = { AWS_ENDPOINT_URL: sim.endpoint, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: 'us-east-1', HOME: directory };
  const { values: config } = await loadConfig({ cwd: directory, env: { HOME: directory }, flags: { 'aws.s3_bucket': BUCKET, 'aws.owner': 'me', 'aws.max_instances': 1000 } });
  const tables = ec2Tables(sim.cloud.world);
  let cases = 0;

  /** State of everything in the account that can cost something, by id. */
  const census = async (): Promise<Map<string, string>> => {
    const [volumes, page] = await Promise.all([ec2.send(new DescribeVolumesCommand({})), objects.send(new ListObjectsV2Command({ Bucket: BUCKET }))]);
    return new Map([
      ...tables.instances.values().map(({ instanceId, state }) => [instanceId, state] as const),
      ...tables.spotRequests.values().map(({ requestId, state }) => [requestId, state] as const),
      ...(volumes.Volumes ?? []).map(({ VolumeId, State }) => [VolumeId!, State!] as const),
      ...(page.Contents ?? []).map(({ Key }) => [`s3://${BUCKET}/${Key}`, 'there'] as const),
    ]);
  };

  const machine = async (tags: Tags, input: Partial<RunInstancesCommandInput> = {}): Promise<string> => {
    const answer = await ec2.send(new RunInstancesCommand({ ImageId: imageId(IMAGES[0]!, 'us-east-1'), InstanceType: 't3.micro', MinCount: 1, MaxCount: 1, TagSpecifications: tagged('instance', tags), ...input }));
    return answer.Instances![0]!.InstanceId!;
  };
  const volume = async (tags: Tags): Promise<string> => (await ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'us-east-1a', Size: 20, TagSpecifications: tagged('volume', tags) }))).VolumeId!;
  /** Stays open: the market sells for more. */
  const spotRequest = async (tags: Tags): Promise<string> => {
    const LaunchSpecification = { ImageId: imageId(IMAGES[0]!, 'us-east-1'), InstanceType: 't3.micro' as const };
    return (await ec2.send(new RequestSpotInstancesCommand({ SpotPrice: '0.001', LaunchSpecification, TagSpecifications: tagged('spot-instances-request', tags) }))).SpotInstanceRequests![0]!.SpotInstanceRequestId!;
  };
  const object = async (key: string): Promise<string> => (await objects.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: 'x' })), `s3://${BUCKET}/${key}`);

  const fleetFor = async (command: MoneyCommand): Promise<Fleet> => {
    if (command.startsWith('create')) return { own: [], foreign: [] };
    const mine = ownTags(RUN);
    const profile = { IamInstanceProfile: { Name: 'runctl-ssm-profile' } };
    const own = [machine(mine), machine(mine, profile)];
    const foreign = [machine({ Name: 'web' }), machine(ownTags(RUN, { 'runctl:protected': 'yes' })), machine(ownTags(RUN, { 'runctl:owner': 'you' }))];
    if (command === 'resources cleanup') {
      own.push(volume(mine), spotRequest(mine), object(`runctl/${RUN}/code-0123456789abcdef-0123456789ab.tar.gz`));
      foreign.push(volume({}), spotRequest({ 'runctl:owner': 'me' }), object('data/train.csv'));
    }
    return { own: await Promise.all(own), foreign: await Promise.all(foreign) };
  };

  const perform = async (app: App, command: MoneyCommand): Promise<object> => {
    const where = { provider: 'aws', regions: ['us-east-1'] };
    const bulk = { ...where, dryRun: false, force: false };
    if (command === 'resources list') return listResources(app, where);
    if (command === 'resources cleanup') return cleanup(app, { ...bulk, snapshots: true }, async () => true);
    if (command === 'resources stop-all') return stopAll(app, bulk, async () => true);
    const common = { maxPriceMicroUsd: MAX_PRICE_MICRO_USD, timeoutMs: WAIT_MS, policyGiven: true };
    const spot: SpotWish = command === 'create --spot' ? { ...common, types: ['t3.micro', 't3.small'], policy: 'fail' } : { ...common, types: ['t3.micro'], policy: 'on-demand' };
    return create(app, { provider: 'aws', type: 't3.micro', spot, wait: true, timeoutMs: WAIT_MS, dryRun: false });
  };

  const run = async (command: MoneyCommand, weather?: WeatherInput): Promise<CaseOutcome> => {
    cases += 1;
    const clock = quickClock(TIMES);
    const provider = createAwsProvider({ region: 'us-east-1', clock, env: { ...env } });
    const ledger = await openLedger(join(directory, `ledger-${cases}.sqlite`));
    const nowMs = clock.now();
    ledger.beginRun({ id: RUN, verb: 'workflow train', request: { onFailure: 'terminate' }, project: 'mnist', nowMs });
    ledger.endRun(RUN, 'failed', { code: 'job-failed' }, nowMs);
    const events: Event[] = [];
    const app: App = {
      config, cwd: directory, clock, stake: newStake(), signal: new AbortController().signal,
      report: (event) => void events.push(event),
      ask: async () => true,
      ledger: async () => ledger,
      provider: async () => provider,
      store: async () => provider.store(BUCKET),
    };
    const fleet = await fleetFor(command);
    const before = await census();
    sim.weather.load(weather ? [weather] : []);
    const callsBefore = sim.status().operations;
    const startedAt = performance.now();
    const [result, error] = await perform(app, command).then((value) => [value, undefined] as const, (failure: unknown) => [undefined, failure] as const);
    const elapsedMs = performance.now() - startedAt;
    const operations = Object.entries(sim.status().operations).filter(([name, count]) => count > (callsBefore[name] ?? 0)).map(([name]) => name);
    const hits = sim.weather.list()[0]?.hits ?? 0;
    sim.weather.clear();
    const after = await census();
    const made = [...after.keys()].filter((id) => id.startsWith('i-') && !before.has(id));
    const alive = made.filter((id) => after.get(id) === 'pending' || after.get(id) === 'running');
    const outcome: CaseOutcome = { result, error, notes: JSON.stringify(events.filter(({ kind }) => kind === 'note')), alive, made, hits, elapsedMs, operations, wrong: [] };
    const seen = alive.length > 0 ? (await listResources({ ...app, report: () => undefined }, { provider: 'aws', regions: ['us-east-1'] })).resources.map(({ id }) => id) : [];
    outcome.wrong = [
      ...alive.filter((id) => !seen.includes(id)).map((id) => `${id} is in no list`),
      ...judge(command, { fleet, before, after, outcome }),
    ];
    provider.close();
    ledger.close();
    await forget();
    return outcome;
  };

  /** The next case finds an empty account. */
  const forget = async (): Promise<void> => {
    await sim.reset();
    await objects.send(new CreateBucketCommand({ Bucket: BUCKET }));
  };

  return {
    run,
    async close() {
      ec2.destroy();
      objects.destroy();
      await sim.close();
      rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    },
  };
}

function tagged(kind: ResourceType, tags: Tags): { ResourceType: ResourceType; Tags: { Key: string; Value: string }[] }[] {
  const list = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  return list.length > 0 ? [{ ResourceType: kind, Tags: list }] : [];
}

interface Evidence {
  fleet: Fleet;
  before: Map<string, string>;
  after: Map<string, string>;
  outcome: CaseOutcome;
}

/** What is wrong with the account after such a command. */
function judge(command: MoneyCommand, { fleet, before, after, outcome }: Evidence): string[] {
  const { result, alive } = outcome;
  const touched = fleet.foreign.filter((id) => after.get(id) !== before.get(id)).map((id) => `foreign ${id} was touched: ${before.get(id)}, then ${after.get(id)}`);
  if (command.startsWith('create')) {
    const open = [...after].filter(([id, state]) => id.startsWith('sir-') && !before.has(id) && (state === 'open' || (state === 'active' && alive.length === 0))).map(([id, state]) => `spot request ${id} is ${state}`);
    const bought = result as { instanceId?: string; market?: string } | undefined;
    return [...open, ...(bought && !alive.includes(bought.instanceId ?? '') ? [`the result names ${bought.instanceId}, alive: ${alive.join(' ')}`] : [])];
  }
  if (command === 'resources list') {
    const { resources = [], unanswered = [] } = (result ?? {}) as Partial<ListResult>;
    const changed = [...before].filter(([id, state]) => after.get(id) !== state).map(([id]) => `a list changed ${id}`);
    const blind = result === undefined || unanswered.some(({ kind }) => kind === 'machine');
    return [...touched, ...changed, ...(blind ? [] : fleet.own.filter((id) => !resources.some((one) => one.id === id)).map((id) => `the list lacks ${id}`))];
  }
  const words = told(outcome);
  const { outcomes = [], unanswered = [] } = (result ?? {}) as Partial<BulkResult>;
  const blind = (id: string): boolean => unanswered.some(({ kind }) => kind === { 'i-': 'machine', 'vol-': 'volume', 'sir-': 'spot-request', 's3:': 'object' }[prefixOf(id)]);
  return [
    ...touched,
    ...fleet.own.flatMap((id) => {
      const ended = ENDS[command]?.[prefixOf(id)]?.(after.get(id)) ?? true;
      const said = outcomes.find((one) => one.id === id)?.outcome;
      if (!ended && (said === 'done' || said === 'gone')) return [`${id} is called ${said} and is ${after.get(id)}`];
      return ended || result === undefined || words.includes(id) || blind(id) ? [] : [`${id} stayed (${after.get(id)}) and nobody was told`];
    }),
  ];
}

function prefixOf(id: string): 'i-' | 'vol-' | 'sir-' | 's3:' {
  return (['vol-', 'sir-', 's3:'] as const).find((prefix) => id.startsWith(prefix)) ?? 'i-';
}
