// The AWS provider against the built-in cloud with real guest processes: the provider contract, and what is AWS's own.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { realClock } from '../../src/app/clock.ts';
import { createAwsProvider } from '../../src/providers/aws/index.ts';
import { providerContract } from '../support/provider-contract.ts';
import { assembleSim } from '../../src/sim/assemble.ts';
import type { Sim } from '../../src/sim/create-sim.ts';

interface World {
  sim: Sim;
  env: Record<string, string>;
  log: string[];
  close(): Promise<void>;
}

async function world(): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'runctl-aws-'));
  const log: string[] = [];
  const sim = await assembleSim({ directory, dial: 'instant', log: (line) => log.push(line) });
  const { accessKeyId, secretAccessKey } = sim.credentials();
  return {
    sim,
    log,
    env: { HOME: directory, AWS_ENDPOINT_URL: sim.endpoint, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: 'us-east-1' },
    async close() {
      await sim.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const PROFILE = 'runctl-ssm-profile';

providerContract('R210 aws on the built-in cloud', async () => {
  const { env, log, close } = await world();
  const provider = createAwsProvider({ owner: 'contract', clock: realClock, env });
  return {
    provider,
    request: { type: 't3.micro', profile: PROFILE, tags: { 'runctl:run': 'run-contract' } },
    unknownId: 'i-0123456789abcdef0',
    patienceMs: 30_000,
    async close() {
      provider.close();
      await close();
      expect(log).toEqual([]);
    },
  };
});

let place: World;
beforeAll(async () => {
  place = await world();
}, 60_000);
afterAll(() => place.close(), 60_000);

test('R004 doctor is content with the built-in cloud once a bucket exists', async () => {
  const provider = createAwsProvider({ clock: realClock, env: place.env });
  const client = new S3Client({ endpoint: place.env.AWS_ENDPOINT_URL, region: 'us-east-1', forcePathStyle: true, credentials: place.sim.credentials() });
  await client.send(new CreateBucketCommand({ Bucket: 'digits' }));
  client.destroy();
  const checks = await provider.checks({ bucket: 'digits', machine: { type: 't3.micro', profile: PROFILE }, advise: ['account'] });
  expect(checks.map((check) => `${check.name} ${check.outcome}`), JSON.stringify(checks)).toEqual(['credentials', 'region', 'type', 'zone', 'subnet', 'image', 'security-group', 'profile', 'quota', 'bucket'].map((name) => `${name} ok`));
  expect((await provider.checks({ advise: ['bucket'] })).find((check) => check.name === 'bucket')?.suggestions).toEqual(['digits']);
  expect((await provider.checks({ bucket: 'no-such-bucket-here' })).find((check) => check.name === 'bucket')).toMatchObject({ outcome: 'failed', error: { message: 'no bucket no-such-bucket-here' } });
  provider.close();
});

test('R271 the security group that runctl makes has no inbound rule, and every machine is IMDSv2-only with an encrypted disk', async () => {
  const provider = createAwsProvider({ clock: realClock, env: place.env });
  const machine = await provider.create(await provider.plan({ type: 't3.micro', tags: {} }), 'token-of-this-test');
  const { EC2Client, DescribeInstancesCommand, DescribeSecurityGroupsCommand, DescribeVolumesCommand } = await import('@aws-sdk/client-ec2');
  const ec2 = new EC2Client({ endpoint: place.env.AWS_ENDPOINT_URL, region: 'us-east-1', credentials: place.sim.credentials() });
  const instance = (await ec2.send(new DescribeInstancesCommand({ InstanceIds: [machine.id] }))).Reservations?.[0]?.Instances?.[0];
  expect(instance?.MetadataOptions).toMatchObject({ HttpTokens: 'required' });
  const group = (await ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [instance?.SecurityGroups?.[0]?.GroupId ?? ''] }))).SecurityGroups?.[0];
  expect(group).toMatchObject({ GroupName: 'runctl', IpPermissions: [] });
  const volumes = (await ec2.send(new DescribeVolumesCommand({ Filters: [{ Name: 'attachment.instance-id', Values: [machine.id] }] }))).Volumes;
  expect(volumes).toMatchObject([{ Encrypted: true, VolumeType: 'gp3', Size: 30 }]);
  const second = await provider.plan({ type: 't3.micro', tags: {} });
  expect(second.securityGroup).toBe(group?.GroupId);
  ec2.destroy();
  await provider.terminate(machine.id);
  provider.close();
}, 60_000);

test('a file goes through the bucket both ways by its URLs alone', async () => {
  const provider = createAwsProvider({ clock: realClock, env: place.env });
  const store = await provider.store('digits');
  const file = join(place.env.HOME as string, 'code.bin');
  writeFileSync(file, Buffer.from(Array.from({ length: 100_000 }, (_, n) => n % 251)));
  await store.put('runs/1/ä b.bin', file, {});
  const back = `${file}.back`;
  await store.get('runs/1/ä b.bin', back, {});
  expect(readFileSync(back).equals(readFileSync(file))).toBe(true);
  await store.remove('runs/1/ä b.bin');
  await expect(store.get('runs/1/ä b.bin', back, {})).rejects.toMatchObject({ code: 'not-found' });
  provider.close();
}, 60_000);

test('R078 wrong keys are told from missing ones', async () => {
  const provider = createAwsProvider({ clock: realClock, env: { ...place.env, AWS_SECRET_ACCESS_KEY: 'wrong' } });
  await expect(provider.list()).rejects.toMatchObject({ code: 'credentials-rejected', exitCode: 3 });
  provider.close();
});
