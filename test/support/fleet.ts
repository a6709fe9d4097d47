// A fleet in a pretend cloud on a hand-driven clock, without guests: machines, disks, snapshots, spot requests and objects made over
// the wire by the AWS SDK, and an App whose provider, ledger and clock belong to it.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setMaxListeners } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import {
  CreateSnapshotCommand, CreateVolumeCommand, DescribeInstancesCommand, DescribeSnapshotsCommand, DescribeSpotInstanceRequestsCommand, DescribeVolumesCommand,
  EC2Client, RequestSpotInstancesCommand, RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { ResourceType, RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { loadConfig } from '../../src/config/load.ts';
import type { Clock } from '../../src/core/clock.ts';
import type { Event } from '../../src/core/events.ts';
import type { Provider } from '../../src/core/ports.ts';
import type { App } from '../../src/engine/app.ts';
import { type Ledger, openLedger } from '../../src/ledger/ledger.ts';
import { createAwsProvider } from '../../src/providers/aws/index.ts';
import { IMAGES, imageId } from '../../src/sim/data/images.ts';
import { s3 } from '../../src/sim/aws/s3/s3.ts';
import { TEST_DIAL, type TestSim, startTestSim } from './test-sim.ts';

export type Tags = Record<string, string>;

export const START = Date.parse('2026-01-01T00:00:00Z');
export const HOUR = 3_600_000;

export interface Fleet {
  t: TestSim;
  app: App;
  provider: Provider;
  ledger: Ledger;
  events: Event[];
  /** What was asked of whoever sits at the terminal. */
  asked: string[];
  bucket: string;
  /** From here on `app.provider('aws')` is this. */
  use(provider: Provider): void;
  machine(tags: Tags, input?: Partial<RunInstancesCommandInput>, region?: string): Promise<string>;
  volume(tags: Tags, region?: string): Promise<string>;
  snapshot(volumeId: string, tags: Tags, region?: string): Promise<string>;
  /** Stays open: the market has nothing for it. */
  spotRequest(tags: Tags, region?: string): Promise<string>;
  object(key: string, bucket?: string): Promise<string>;
  /** Everything that exists, by id, with what could change about it. */
  census(): Promise<Record<string, string>>;
  advance(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** As runctl tags what it makes. */
export function ownTags(run: string, extra: Tags = {}): Tags {
  return { Name: 'runctl-mnist', 'runctl:owner': 'me', 'runctl:project': 'mnist', 'runctl:run': run, 'runctl:created': new Date(START).toISOString(), ...extra };
}

const REGIONS = ['us-east-1', 'eu-west-1'];

export async function startFleet(options: { config?: Record<string, unknown>; answer?: boolean } = {}): Promise<Fleet> {
  const t = await startTestSim({ dial: { pendingMs: 1_000, stoppingMs: 1_000, shuttingDownMs: 1_000 }, parts: () => [{ service: s3 }] });
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'runctl-fleet-')));
  const clients = new Map(REGIONS.map((region) => [region, t.client(EC2Client, region)]));
  const ec2 = (region = 'us-east-1'): EC2Client => clients.get(region) as EC2Client;
  const objects = new S3Client({ endpoint: t.sim.endpoint, region: 'us-east-1', forcePathStyle: true, credentials: t.sim.credentials(), maxAttempts: 1 });
  const bucket = 'training-bucket';
  await objects.send(new CreateBucketCommand({ Bucket: bucket }));
  // Time stands still between the steps of a test; what only paces the work sleeps a little.
  const clock: Clock = { now: () => t.clock.now(), monotonic: () => performance.now(), sleep: (ms, signal) => setTimeout(ms / 50, undefined, { signal }) };
  const { accessKeyId, secretAccessKey } = t.sim.credentials();
  const env = { AWS_ENDPOINT_URL: t.sim.endpoint, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: 'us-east-1', HOME: directory };
  const aws = createAwsProvider({ region: 'us-east-1', clock, env });
  const ledger = await openLedger(join(directory, 'ledger.sqlite'));
  const { values } = await loadConfig({ cwd: directory, env: { HOME: directory }, flags: { 'aws.s3_bucket': bucket, 'aws.owner': 'me', ...options.config } });
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  const events: Event[] = [];
  const asked: string[] = [];
  let provider: Provider = aws;
  const app: App = {
    config: values, cwd: directory, clock,
    report: (event) => void events.push(event),
    ask: async ({ text }) => (asked.push(text), options.answer ?? true),
    signal,
    ledger: async () => ledger,
    provider: async () => provider,
    store: async () => aws.store(bucket),
  };
  const specs = (kind: ResourceType, tags: Tags) => ({ ResourceType: kind, Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) });
  return {
    t, app, provider: aws, ledger, events, asked, bucket,
    use: (other) => (provider = other),
    async machine(tags, input = {}, region) {
      const answer = await ec2(region).send(new RunInstancesCommand({
        ImageId: imageId(IMAGES[0]!, region ?? 'us-east-1'), InstanceType: 't3.micro', MinCount: 1, MaxCount: 1, TagSpecifications: [specs('instance', tags), specs('volume', tags)], ...input,
      }));
      return answer.Instances![0]!.InstanceId!;
    },
    async volume(tags, region) {
      const made = await ec2(region).send(new CreateVolumeCommand({ AvailabilityZone: `${region ?? 'us-east-1'}a`, Size: 20, VolumeType: 'gp3', TagSpecifications: [specs('volume', tags)] }));
      // Nobody can take a snapshot of a disk that is still being made.
      await t.clock.advance(TEST_DIAL.volumeMs);
      return made.VolumeId!;
    },
    snapshot: async (volumeId, tags, region) => (await ec2(region).send(new CreateSnapshotCommand({ VolumeId: volumeId, TagSpecifications: [specs('snapshot', tags)] }))).SnapshotId!,
    async spotRequest(tags, region = 'us-east-1') {
      const answer = await ec2(region).send(new RequestSpotInstancesCommand({
        SpotPrice: '0.001', LaunchSpecification: { ImageId: imageId(IMAGES[0]!, region), InstanceType: 't3.micro', Placement: { AvailabilityZone: `${region}a` } }, TagSpecifications: [specs('spot-instances-request', tags)],
      }));
      return answer.SpotInstanceRequests![0]!.SpotInstanceRequestId!;
    },
    async object(key, into = bucket) {
      if (into !== bucket) await objects.send(new CreateBucketCommand({ Bucket: into })).catch(() => undefined);
      await objects.send(new PutObjectCommand({ Bucket: into, Key: key, Body: 'x' }));
      return `s3://${into}/${key}`;
    },
    async census() {
      const all: Record<string, string> = {};
      for (const region of REGIONS) {
        const client = ec2(region);
        const [instances, volumes, snapshots, requests] = await Promise.all([
          client.send(new DescribeInstancesCommand({})), client.send(new DescribeVolumesCommand({})), client.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'] })), client.send(new DescribeSpotInstanceRequestsCommand({})),
        ]);
        for (const one of instances.Reservations!.flatMap((reservation) => reservation.Instances!)) all[one.InstanceId!] = one.State!.Name!;
        for (const one of volumes.Volumes!) all[one.VolumeId!] = one.State!;
        for (const one of snapshots.Snapshots!) all[one.SnapshotId!] = 'there';
        for (const one of requests.SpotInstanceRequests!) all[one.SpotInstanceRequestId!] = one.State!;
      }
      for (const name of [bucket, 'somebody-elses']) {
        const page = await objects.send(new ListObjectsV2Command({ Bucket: name })).catch(() => undefined);
        for (const one of page?.Contents ?? []) all[`s3://${name}/${one.Key}`] = 'there';
      }
      return all;
    },
    advance: (ms) => t.clock.advance(ms),
    async close() {
      for (const client of [...clients.values(), objects]) client.destroy();
      aws.close();
      ledger.close();
      await t.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
