// For tests of money: an App with the real AWS provider and a ledger, over HTTP in front of a pretend cloud whose clock only moves
// when somebody waits or says so. No guests: machines are an in-memory double, so hours cost milliseconds.
import { afterEach } from 'vitest';
import { rmSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.ts';
import type { Clock } from '../../src/core/clock.ts';
import type { Event } from '../../src/core/events.ts';
import type { Machine } from '../../src/core/machine.ts';
import type { Question } from '../../src/core/ports.ts';
import type { App } from '../../src/engine/app.ts';
import { type Ledger, openLedger } from '../../src/ledger/ledger.ts';
import { createAwsProvider } from '../../src/providers/aws/aws-provider.ts';
import { createSsm } from '../../src/sim/aws/ssm/create-ssm.ts';
import type { Dial, GuestResult, GuestScript } from '../../src/sim/cloud.ts';
import { machineDouble } from './machine-double.ts';
import { type TestSim, startTestSim } from './test-sim.ts';

export interface MoneyLab {
  app: App;
  sim: TestSim;
  ledger: Ledger;
  provider: ReturnType<typeof createAwsProvider>;
  events: Event[];
  /** Questions that were asked; answered by `answer`. */
  questions: Question[];
  answer: boolean | Error;
  settings(changes: Record<string, unknown>): Promise<void>;
  /** Time passes in the world, whole seconds. */
  pass(seconds: number): Promise<void>;
  /** What the meter of the cloud says of a machine, micro-dollars. */
  meter(id: string): { compute: number | undefined; storage: number; address: number; total: number };
  find(id: string): Promise<Machine>;
  close(): Promise<void>;
}

interface LabOptions {
  dial?: Partial<Dial>;
  config?: Record<string, unknown>;
  answer?: (script: GuestScript) => Partial<GuestResult>;
}

/** Opens labs for the tests of a file; each is closed after its test. */
export function moneyLabs(): (options?: LabOptions) => Promise<MoneyLab> {
  const labs: MoneyLab[] = [];
  afterEach(async () => {
    await Promise.all(labs.splice(0).map((lab) => lab.close()));
  });
  return async (options) => {
    const lab = await openMoneyLab(options);
    labs.push(lab);
    return lab;
  };
}

export async function openMoneyLab(options: LabOptions = {}): Promise<MoneyLab> {
  const directory = mkdtempSync(join(tmpdir(), 'runctl-money-'));
  const sim = await startTestSim({
    dial: { pendingMs: 2_000, stoppingMs: 3_000, shuttingDownMs: 3_000, ssmOnlineMs: 4_000, ...options.dial },
    machines: machineDouble({ answer: options.answer }),
    parts: (cloud) => {
      const ssm = createSsm(cloud, () => undefined);
      return [{ service: ssm.service, close: () => ssm.close() }];
    },
  });
  const clock = steppingClock(sim);
  const { accessKeyId, secretAccessKey } = sim.sim.credentials();
  const env = { AWS_ENDPOINT_URL: sim.sim.endpoint, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: 'us-east-1', HOME: directory };
  const provider = createAwsProvider({ region: 'us-east-1', clock, env });
  const ledger = await openLedger(join(directory, 'ledger.sqlite'));
  const configOf = async (flags: Record<string, unknown>) => (await loadConfig({ cwd: directory, env: { HOME: directory }, flags: { 'aws.owner': 'ann', ...flags } })).values;
  const events: Event[] = [];
  const questions: Question[] = [];
  const app: App = {
    config: await configOf(options.config ?? {}),
    cwd: directory,
    clock,
    report: (event) => void events.push(event),
    ask: async (question) => {
      questions.push(question);
      if (lab.answer instanceof Error) throw lab.answer;
      return lab.answer;
    },
    signal: new AbortController().signal,
    ledger: async () => ledger,
    provider: async () => provider,
    store: async () => undefined,
  };
  const lab: MoneyLab = {
    app, sim, ledger, provider, events, questions,
    answer: true,
    settings: async (changes) => void (app.config = await configOf(changes)),
    pass: (seconds) => sim.clock.advance(seconds * 1000),
    meter(id) {
      const line = sim.sim.meter().lines.find((one) => one.instanceId === id);
      if (!line) throw new Error(`the meter knows no ${id}`);
      return { compute: line.computeMicroUsd, storage: line.storageMicroUsd, address: line.addressMicroUsd, total: (line.computeMicroUsd ?? 0) + line.storageMicroUsd + line.addressMicroUsd };
    },
    async find(id) {
      const machine = await provider.find(id);
      if (!machine) throw new Error(`the cloud has forgotten ${id}`);
      return machine;
    },
    async close() {
      provider.close();
      ledger.close();
      await sim.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return lab;
}

/** Whoever sleeps longest waits longest, but nobody waits for real: after a breath for what is under way the world moves on to the
 *  next sleeper's time. */
function steppingClock(sim: TestSim): Clock {
  const sleepers: { at: number; wake: () => void }[] = [];
  let armed = false;
  const arm = (): void => {
    if (armed || sleepers.length === 0) return;
    armed = true;
    setTimeout(() => void step(), BREATH_MS);
  };
  const step = async (): Promise<void> => {
    sleepers.sort((a, b) => a.at - b.at);
    const next = sleepers.shift();
    if (next) await sim.clock.advance(Math.max(0, next.at - sim.clock.now()));
    next?.wake();
    armed = false;
    arm();
  };
  return {
    now: () => sim.clock.now(),
    monotonic: () => sim.clock.now(),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const sleeper = { at: sim.clock.now() + ms, wake: () => (signal?.removeEventListener('abort', leave), resolve()) };
        const leave = (): void => {
          const place = sleepers.indexOf(sleeper);
          if (place >= 0) sleepers.splice(place, 1);
          reject(signal?.reason);
        };
        sleepers.push(sleeper);
        signal?.addEventListener('abort', leave, { once: true });
        arm();
      }),
  };
}

const BREATH_MS = 2;
