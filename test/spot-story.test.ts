// Eight hours on spot machines, two of which are taken back: the job works for real in a guest and goes on from what it saved,
// world time is skipped, and what the pretend cloud bills is reckoned by hand from what EC2 says of each machine.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DescribeInstancesCommand, DescribeSpotPriceHistoryCommand, DescribeVolumesCommand, EC2Client, type Instance, RunInstancesCommand, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { SSMClient, SendCommandCommand } from '@aws-sdk/client-ssm';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assembleSim } from '../src/sim/assemble.ts';
import type { Sim } from '../src/sim/create-sim.ts';
import { IMAGES, imageId } from '../src/sim/data/images.ts';
import { DIALS } from '../src/sim/dial.ts';
import type { MeterReading } from '../src/sim/meter-reading.ts';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

const REGION = 'us-east-1';
const ZONE = 'us-east-1a';
const TYPE = 't3.medium';
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
/** micro-USD: an hour on spot before and after the price rises, an hour of a public address, a GB of gp3 in a month of 720 hours. */
const FIRST_PRICE = 17_100;
const SECOND_PRICE = 23_900;
const ADDRESS_PRICE = 5_000;
const DISK_PRICE = 80_000;
const DISK_GB = 30;

let directory: string;
let sim: Sim;
let ec2: EC2Client;
let ssm: SSMClient;
let s3: S3Client;

beforeAll(async () => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'runctl-story-')));
  sim = await assembleSim({ directory, dial: DIALS.instant, log: (line) => process.stderr.write(`sim: ${line}\n`) });
  const settings = { endpoint: sim.endpoint, region: REGION, credentials: sim.credentials(), maxAttempts: 1 };
  [ec2, ssm, s3] = [new EC2Client(settings), new SSMClient(settings), new S3Client({ ...settings, forcePathStyle: true })];
});

afterAll(async () => {
  for (const client of [ec2, ssm, s3]) client.destroy();
  await sim.close();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
});

async function find(id: string): Promise<Instance> {
  const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
  return Reservations![0]!.Instances![0]!;
}

async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (let round = 0; round < 500; round++) {
    const found = await ask();
    if (found !== undefined) return found;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error(`did not happen: ${what}`);
}

/** Each half hour of the world one step; what is done is saved at once, and the next machine goes on from there. */
async function job(): Promise<string> {
  const place = { Bucket: 'story', Key: 'progress' };
  const [load, save] = await Promise.all([getSignedUrl(s3, new GetObjectCommand(place), { expiresIn: 3600 }), getSignedUrl(s3, new PutObjectCommand(place), { expiresIn: 3600 })]);
  return `cat >"\${TMPDIR:-/tmp}/job.sh" <<'END'
cd "\${TMPDIR:-/tmp}"
curl -sf -o progress '${load}' || : >progress
next=$(($(date +%s) + 1800))
while :; do
  now=$(date +%s)
  [ "$now" -ge "$next" ] || sleep $((next - now))
  echo "$AWS_SSM_INSTANCE_ID $next $(date +%s)" >>progress
  next=$((next + 1800))
  curl -sf -T progress '${save}'
done
END
setsid sh "\${TMPDIR:-/tmp}/job.sh" </dev/null >/dev/null 2>&1 &`;
}

/** A spot machine on which the job has begun. */
async function buy(): Promise<{ id: string; diskFrom: number }> {
  const made = await ec2.send(new RunInstancesCommand({
    ImageId: imageId(IMAGES[0]!, REGION), InstanceType: TYPE, MinCount: 1, MaxCount: 1, Placement: { AvailabilityZone: ZONE },
    InstanceMarketOptions: { MarketType: 'spot', SpotOptions: { SpotInstanceType: 'one-time' } },
    IamInstanceProfile: { Name: 'runctl-ssm-profile' },
    BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { VolumeSize: DISK_GB, VolumeType: 'gp3', DeleteOnTermination: true } }],
  }));
  const id = made.Instances![0]!.InstanceId!;
  await until('running', async () => ((await find(id)).State?.Name === 'running' ? true : undefined));
  const { Volumes } = await ec2.send(new DescribeVolumesCommand({ Filters: [{ Name: 'attachment.instance-id', Values: [id] }] }));
  const commands = [await job()];
  await until('SSM takes the command', () => ssm.send(new SendCommandCommand({ InstanceIds: [id], DocumentName: 'AWS-RunShellScript', Parameters: { commands } })).catch(() => undefined));
  return { id, diskFrom: Volumes![0]!.CreateTime!.getTime() };
}

interface Life {
  from: number;
  to: number;
}

/** LaunchTime, and the second in the brackets of StateTransitionReason; EC2 forgets both an hour after the end. */
async function lifeOf(id: string): Promise<Life> {
  const { LaunchTime, StateTransitionReason } = await find(id);
  const at = /\((.+) GMT\)$/.exec(StateTransitionReason!)![1]!;
  return { from: LaunchTime!.getTime(), to: Date.parse(`${at.replace(' ', 'T')}Z`) };
}

async function interrupt(id: string): Promise<Life> {
  const { endAt } = (await sim.call('interrupt', { instanceId: id, noticeMs: 2 * MINUTE_MS })) as { endAt: number };
  await sim.clock.skip(3 * MINUTE_MS);
  expect(await find(id)).toMatchObject({ State: { Name: 'terminated' }, StateReason: { Code: 'Server.SpotInstanceTermination' } });
  const life = await lifeOf(id);
  // Not when the skip was over: at its own moment.
  expect(life.to).toBe(Math.floor(endAt / SECOND_MS) * SECOND_MS);
  return life;
}

/** When the higher price began, as its history says. */
async function risenAt(): Promise<number> {
  const { SpotPriceHistory } = await ec2.send(new DescribeSpotPriceHistoryCommand({ AvailabilityZone: ZONE, InstanceTypes: [TYPE], ProductDescriptions: ['Linux/UNIX'], StartTime: new Date(sim.clock.now() - 12 * HOUR_MS) }));
  return SpotPriceHistory!.find(({ SpotPrice }) => Number(SpotPrice) * 1e6 === SECOND_PRICE)!.Timestamp!.getTime();
}

/** A fraction, rounded half up. */
function round(numerator: number, denominator: number): number {
  return Number((2n * BigInt(numerator) + BigInt(denominator)) / (2n * BigInt(denominator)));
}

function iso(at: number): string {
  return new Date(at).toISOString().replace('.000Z', 'Z');
}

test('R206 eight hours on spot with two interruptions pass in seconds, and are billed to the second and the micro-dollar', async () => {
  const startedAt = sim.clock.now();
  const realStart = performance.now();
  await sim.call('market-set', { type: TYPE, zone: ZONE, microUsdPerHour: FIRST_PRICE });
  await s3.send(new CreateBucketCommand({ Bucket: 'story' }));

  const first = await buy();
  await sim.clock.skip(3 * HOUR_MS + 25 * MINUTE_MS);
  const one = await interrupt(first.id);
  const second = await buy();
  await sim.clock.skip(53 * MINUTE_MS);
  const two = await interrupt(second.id);
  const third = await buy();
  await sim.clock.skip(2 * HOUR_MS);
  await sim.call('market-set', { type: TYPE, zone: ZONE, microUsdPerHour: SECOND_PRICE });
  await sim.clock.skip(2 * HOUR_MS + 25 * MINUTE_MS);
  await ec2.send(new TerminateInstancesCommand({ InstanceIds: [third.id] }));
  await until('terminated', async () => ((await find(third.id)).State?.Name === 'terminated' ? true : undefined));
  const three = await lifeOf(third.id);

  expect(sim.clock.now() - startedAt).toBeGreaterThan(8 * HOUR_MS);
  expect(performance.now() - realStart).toBeLessThan(60_000);

  // The job did one step each half hour, none before its time, on three machines one after the other.
  const progress = await (await s3.send(new GetObjectCommand({ Bucket: 'story', Key: 'progress' }))).Body!.transformToString();
  const steps = progress.trim().split('\n').map((line) => line.split(' ') as [string, string, string]);
  expect([...new Set(steps.map(([id]) => id))]).toEqual([first.id, second.id, third.id]);
  expect(steps.length).toBeGreaterThanOrEqual(12);
  expect(steps.length).toBeLessThanOrEqual(15);
  for (const [, due, at] of steps) expect(Number(at)).toBeGreaterThanOrEqual(Number(due));

  const lives = [one, two, three];
  // What is not skipped is real, a few seconds.
  for (const [index, hours] of [3 + 27 / 60, 55 / 60, 4 + 25 / 60].entries()) expect(Math.abs((lives[index]!.to - lives[index]!.from) / HOUR_MS - hours)).toBeLessThan(3 / 60);

  const rise = await risenAt();
  const computes = [
    round(((one.to - one.from) / SECOND_MS) * FIRST_PRICE, 3600),
    // Taken back within its first hour.
    0,
    round(((rise - three.from) * FIRST_PRICE + (three.to - rise) * SECOND_PRICE) / SECOND_MS, 3600),
  ];
  const reading = (await sim.call('bill')) as MeterReading;
  let total = 0;
  for (const [index, { id, diskFrom }] of [first, second, third].entries()) {
    const { from, to } = lives[index]!;
    const seconds = (to - from) / SECOND_MS;
    const line = reading.lines.find((each) => each.instanceId === id)!;
    const money = {
      computeMicroUsd: computes[index]!,
      addressMicroUsd: round(seconds * ADDRESS_PRICE, 3600),
      storageMicroUsd: round(((to - Math.floor(diskFrom / SECOND_MS) * SECOND_MS) / SECOND_MS) * DISK_GB * DISK_PRICE, 720 * 3600),
    };
    expect(line).toMatchObject({ market: 'spot', type: TYPE, zone: ZONE, periods: [{ from: iso(from), to: iso(to), seconds }], ...money });
    total += money.computeMicroUsd + money.addressMicroUsd + money.storageMicroUsd;
  }
  expect(reading).toMatchObject({ totalMicroUsd: total, unpriced: [] });
  expect(reading.lines).toHaveLength(3);
}, 90_000);
