// A pretend cloud inside the test process, on a hand-driven clock with an in-memory machine host, and SDK clients for it.
// For tests of the control plane; whoever tests guests uses the real machine host.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EC2Client, RunInstancesCommand } from '@aws-sdk/client-ec2';
import type { Instance, RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import { manualClock } from '../../src/sim/clock.ts';
import type { ManualClock } from '../../src/sim/clock.ts';
import type { Dial } from '../../src/sim/cloud.ts';
import { createSim } from '../../src/sim/create-sim.ts';
import type { Sim, SimOptions } from '../../src/sim/create-sim.ts';
import { IMAGES, imageId } from '../../src/sim/data/images.ts';
import { DIALS } from '../../src/sim/dial.ts';
import { machineDouble } from './machine-double.ts';
import type { MachineDouble } from './machine-double.ts';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

/** Round figures, so that a test can stand just before and just after each change. */
export const TEST_DIAL: Dial = { ...DIALS.realistic, pendingMs: 10_000, stoppingMs: 20_000, shuttingDownMs: 15_000, volumeMs: 3_000, snapshotMs: 60_000, ssmOnlineMs: 30_000, instanceVisibleMs: 0, latencyMs: 0 };

export const X86_IMAGE = imageId(IMAGES[0]!, 'us-east-1');
export const ARM_IMAGE = imageId(IMAGES[1]!, 'us-east-1');

export interface TestSim {
  sim: Sim;
  clock: ManualClock;
  machines: MachineDouble;
  directory: string;
  log: string[];
  ec2: EC2Client;
  client<Client>(make: new (config: ClientSettings) => Client, region?: string): Client;
  run(input?: Partial<RunInstancesCommandInput>): Promise<Instance>;
  /** Close this server and start another on the same world. */
  restart(): Promise<TestSim>;
  close(): Promise<void>;
}

export interface ClientSettings {
  endpoint: string;
  region: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
  maxAttempts: number;
}

export async function startTestSim(options: { dial?: Partial<Dial>; parts?: SimOptions['parts']; directory?: string; clock?: ManualClock; machines?: MachineDouble } = {}): Promise<TestSim> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'runctl-sim-'));
  const clock = options.clock ?? manualClock(Date.parse('2026-01-01T00:00:00Z'));
  const machines = options.machines ?? machineDouble();
  const log: string[] = [];
  const sim = await createSim({ directory, dial: { ...TEST_DIAL, ...options.dial }, clock, machines: () => machines, parts: options.parts, log: (line) => log.push(line) });
  const client: TestSim['client'] = (make, region = 'us-east-1') => new make({ endpoint: sim.endpoint, region, credentials: sim.credentials(), maxAttempts: 1 });
  const ec2 = client(EC2Client);
  return {
    sim,
    clock,
    machines,
    directory,
    log,
    ec2,
    client,
    async run(input = {}) {
      const answer = await ec2.send(new RunInstancesCommand({ ImageId: X86_IMAGE, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1, ...input }));
      return answer.Instances![0]!;
    },
    async restart() {
      ec2.destroy();
      await sim.close();
      return startTestSim({ ...options, directory, clock: manualClock(clock.now()), machines: machineDouble() });
    },
    async close() {
      ec2.destroy();
      await sim.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The error that a promise ends in; fails when there is none. */
export async function failure(promise: Promise<unknown>): Promise<{ name: string; message: string; $metadata: { httpStatusCode?: number; requestId?: string } }> {
  try {
    await promise;
  } catch (error) {
    return error as Awaited<ReturnType<typeof failure>>;
  }
  throw new Error('expected a failure');
}
