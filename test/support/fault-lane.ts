// One lane of the fault matrix: a pretend cloud with real machines, and commands that run in it under one rule of weather at a time.
// Each case gets a provider of its own, so that nothing is remembered from the case before.
import { existsSync } from 'node:fs';
import { RunctlError } from '../../src/core/errors.ts';
import type { Provider } from '../../src/core/ports.ts';
import type { SpotWish } from '../../src/engine/buying/buy-spot.ts';
import { create } from '../../src/engine/create.ts';
import { train } from '../../src/engine/train.ts';
import { workflowTrain } from '../../src/engine/workflow-train.ts';
import { createAwsProvider } from '../../src/providers/aws/index.ts';
import type { WeatherInput } from '../../src/sim/weather/plan.ts';
import { quickClock } from './quick-clock.ts';
import { type TestApp, openTestApp } from './test-app.ts';

export const COMMANDS = ['create', 'train', 'train with a bucket', 'workflow', 'workflow with a bucket', 'workflow --spot'] as const;
export type CommandName = (typeof COMMANDS)[number];

export interface CaseOutcome {
  /** What the command returned; undefined: it failed. */
  result: object | undefined;
  error: unknown;
  notes: string;
  /** Machines that cost something afterwards. */
  alive: string[];
  /** Machines that were made during the case. */
  made: string[];
  /** How often the weather happened. */
  hits: number;
  elapsedMs: number;
  /** What was called, the machine's own calls included. */
  operations: string[];
  /** What the lane itself finds wrong with the account afterwards. */
  wrong?: string[];
}

export interface Lane<Command extends string> {
  run(command: Command, weather?: WeatherInput): Promise<CaseOutcome>;
  close(): Promise<void>;
}

/** A minute of the client is so many milliseconds here: 1,200. */
const TIMES = 50;
const WAIT_MS = 120_000;
/** Where nothing is to go wrong: a busy computer is no fault. */
const FAIR_WAIT_MS = 2_000_000;
/** Hundreds of cases write ledgers and worlds that nobody reads again: not to disk, where there is a choice. */
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : undefined;
const BUCKET = 'matrix-bucket';
const NEW_MACHINE = { provider: 'aws', type: 't3.micro', profile: 'runctl-ssm-profile' };
const SPOT: SpotWish = { types: ['t3.micro'], timeoutMs: 300_000, policy: 'fail', policyGiven: true };
const JOB = { script: 'job.py', args: [], includePatterns: [], syncCode: true, install: false };

export async function openLane(): Promise<Lane<CommandName>> {
  const t = await openTestApp({ base: MEMORY, bucket: BUCKET, config: { 'train.patience_minutes': 1, 'aws.max_instances': 1000 } });
  t.write('job.py', 'import os\nprint("epoch 1/1 loss 0.5")\nopen(os.environ["RUNCTL_CHECKPOINT_DIR"] + "/one.json", "w").write("{}")\n');
  const hurried = quickClock(TIMES);
  // A machine works at the pace of this computer: where nothing is to be given up, its answers get the time that they take.
  const patient = { ...hurried, computing: () => performance.now() };
  const { accessKeyId, secretAccessKey } = t.sim.credentials();
  const env = { AWS_ENDPOINT_URL: t.sim.endpoint, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: 'us-east-1', HOME: t.project };
  let trained: string | undefined;

  /** The part of the App that may not outlive a case. */
  const fresh = (command: CommandName, fair: boolean): { provider: Provider & { close(): void } } => {
    const clock = fair ? patient : hurried;
    const aws = createAwsProvider({ region: 'us-east-1', clock, env: { ...env } });
    const bucket = command.includes('bucket') ? BUCKET : undefined;
    t.app.clock = clock;
    t.app.config = { ...t.app.config, aws: { ...t.app.config.aws, s3_bucket: bucket } };
    t.app.provider = async () => aws;
    const store = bucket === undefined ? undefined : Promise.resolve().then(() => aws.store(bucket));
    store?.catch(() => undefined);
    t.app.store = async () => store;
    t.events.length = 0;
    return { provider: aws };
  };

  const machineToTrain = async (): Promise<string> => {
    trained ??= (await create(t.app, { ...NEW_MACHINE, wait: true, timeoutMs: FAIR_WAIT_MS, dryRun: false })).instanceId!;
    return trained;
  };

  const perform = async (command: CommandName, timeoutMs: number): Promise<object> => {
    if (command === 'create') return create(t.app, { ...NEW_MACHINE, wait: true, timeoutMs, dryRun: false });
    if (command.startsWith('train')) return train(t.app, { ...JOB, provider: 'aws', machineId: await machineToTrain(), wait: true, force: true, timeoutMs });
    return workflowTrain(t.app, { ...NEW_MACHINE, ...(command.includes('spot') ? { spot: SPOT } : {}), ...JOB, onFailure: 'terminate', keep: false, timeoutMs, trainTimeoutMs: timeoutMs });
  };

  const run = async (command: CommandName, weather?: WeatherInput): Promise<CaseOutcome> => {
    // What one hiccup must not end, a busy computer must not end either.
    const fair = weather === undefined || weather.times === 1;
    if (command.startsWith('train') && trained === undefined) {
      const { provider } = fresh(command, true);
      await machineToTrain();
      provider.close();
    }
    const { provider } = fresh(command, fair);
    if (!command.startsWith('train')) forgetOwnGroups(t);
    t.app.config = { ...t.app.config, train: { ...t.app.config.train, patience_minutes: fair ? 10 : 1 } };
    const before = new Set(Object.keys(await t.machines()));
    t.sim.weather.load(weather ? [weather] : []);
    const callsBefore = t.sim.status().operations;
    const startedAt = performance.now();
    const [result, error] = await perform(command, fair ? FAIR_WAIT_MS : WAIT_MS).then((value) => [value, undefined] as const, (failure: unknown) => [undefined, failure] as const);
    const elapsedMs = performance.now() - startedAt;
    const operations = Object.entries(t.sim.status().operations).filter(([name, count]) => count > (callsBefore[name] ?? 0)).map(([name]) => name);
    const hits = t.sim.weather.list()[0]?.hits ?? 0;
    t.sim.weather.clear();
    provider.close();
    const machines = Object.entries(await t.machines()).filter(([id]) => !before.has(id));
    const alive = machines.filter(([, state]) => state !== 'terminated' && state !== 'shutting-down').map(([id]) => id);
    await endAll(t, alive);
    return { result, error, notes: JSON.stringify(t.events.filter(({ kind }) => kind === 'note')), alive, made: machines.map(([id]) => id), hits, elapsedMs, operations };
  };

  return {
    run,
    close: () => t.close(),
  };
}

/** As in an account where runctl never made a machine: its security group has to be made first. */
function forgetOwnGroups({ sim }: TestApp): void {
  const groups = sim.cloud.world.table<{ groupId: string; name: string; region: string }>('ec2.groups');
  const instances = sim.cloud.world.table<{ instanceId: string; region: string; securityGroupIds: string[] }>('ec2.instances');
  for (const [key, { name }] of groups.entries()) if (name !== 'default') groups.delete(key);
  for (const [id, row] of instances.entries()) {
    const preset = groups.values().find(({ region }) => region === row.region);
    instances.put(id, Object.assign(row, { securityGroupIds: preset ? [preset.groupId] : [] }));
  }
}

/** What a case left behind must not weigh on the next. */
async function endAll(t: TestApp, ids: string[]): Promise<void> {
  for (const id of ids) await t.provider.terminate(id);
}

/** What somebody who reads the outcome learns, as one text. */
export function told({ result, error, notes }: CaseOutcome): string {
  if (!(error instanceof RunctlError)) return `${JSON.stringify(result)} ${String(error)} ${notes}`;
  return `${error.message} ${error.reason ?? ''} ${error.hints.join(' ')} ${JSON.stringify(error.data)} ${notes}`;
}

