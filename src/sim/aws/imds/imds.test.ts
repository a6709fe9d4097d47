// The metadata service over the wire, and from inside a real guest; keys from it are used by an unmodified SDK.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EC2Client, RunInstancesCommand } from '@aws-sdk/client-ec2';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assembleSim } from '../../assemble.ts';
import { manualClock } from '../../clock.ts';
import type { Sim } from '../../create-sim.ts';
import { imageId, IMAGES } from '../../data/images.ts';
import { DIALS } from '../../dial.ts';
import { installGuestFiles } from '../../machine/guest-files.ts';
import { type Isolation, probeHost } from '../../machine/isolation.ts';
import { runtimeDirectory } from '../../machine/runtime-directory.ts';
import { ec2Tables, type InstanceRow } from '../ec2/rows.ts';
import { iamInstanceProfiles, iamRoles } from '../iam/rows.ts';
import { metadataService } from './imds.ts';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
const REGION = 'us-east-1';
const TTL = 'x-aws-ec2-metadata-token-ttl-seconds';
const TOKEN = 'x-aws-ec2-metadata-token';

const probeDirectory = mkdtempSync(join(tmpdir(), 'sim-probe-'));
const abilities = await probeHost(installGuestFiles(probeDirectory));
rmSync(probeDirectory, { recursive: true });
const clock = manualClock(Date.parse('2026-03-04T05:06:07Z'));
let directory: string;
let sim: Sim;
let ec2: EC2Client;
let id: string;
let server: Server;

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: string;
}

function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, path, headers, method, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

const token = async (seconds = 60): Promise<string> => (await ask('/latest/api/token', { [TTL]: String(seconds) }, 'PUT')).body;
const get = async (path: string): Promise<Answer> => ask(path, { [TOKEN]: await token() });
const row = (): InstanceRow => ec2Tables(sim.cloud.world).instances.get(id) as InstanceRow;

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let round = 0; round < 1500; round++) {
    if (condition()) return;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error(`did not happen: ${what}`);
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sim-imds-'));
  sim = await assembleSim({ directory, dial: DIALS.instant, clock, isolation: 'process', log: (line) => console.error(line) });
  ec2 = new EC2Client({ endpoint: sim.endpoint, region: REGION, credentials: sim.credentials(), maxAttempts: 1 });
  const profile = iamInstanceProfiles(sim.cloud.world).values().find(({ roles }) => roles.length > 0)?.name;
  const answer = await ec2.send(
    new RunInstancesCommand({
      ImageId: imageId(IMAGES[0]!, REGION), InstanceType: 't3.micro', MinCount: 1, MaxCount: 1, IamInstanceProfile: { Name: profile },
      UserData: Buffer.from('plain data\n').toString('base64'),
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'runctl:run', Value: 'r-1' }] }],
    }),
  );
  id = answer.Instances?.[0]?.InstanceId as string;
  await clock.advance(0);
  await until('running', () => row().state === 'running');
  server = createServer(metadataService(sim.cloud, id));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  server.close();
  ec2.destroy();
  await sim.close();
  rmSync(directory, { recursive: true });
  rmSync(runtimeDirectory(directory), { recursive: true, force: true });
});

test('a token is given for 1 to 21,600 seconds, never to a forwarded request or on a path with a version', async () => {
  const put = (headers: Record<string, string>, path = '/latest/api/token') => ask(path, headers, 'PUT');
  const good = await put({ [TTL]: '21600' });
  expect([good.status, good.headers[TTL], good.body.length > 40]).toEqual([200, '21600', true]);
  for (const wrong of ['0', '21601', '-1', 'abc', '']) expect((await put({ [TTL]: wrong })).status).toBe(400);
  expect((await put({})).status).toBe(400);
  expect((await put({ [TTL]: '60', 'x-forwarded-for': '10.0.0.1' })).status).toBe(403);
  expect((await put({ [TTL]: '60' }, '/2021-07-15/api/token')).status).toBe(403);
  expect((await put({ [TTL]: '60' }, '/latest/meta-data/')).status).toBe(404);
  expect((await ask('/latest/api/token', { [TOKEN]: good.body })).status).toBe(405);
  expect((await ask('/latest/meta-data/', {}, 'POST')).status).toBe(405);
});

test('401 without, with a made-up, another instance\'s, or an expired token; version 1 works only where it is optional', async () => {
  expect((await ask('/latest/meta-data/instance-id')).status).toBe(401);
  expect((await ask('/latest/meta-data/instance-id', { [TOKEN]: 'AQAEAmadeup==' })).status).toBe(401);
  const short = await token(10);
  expect(await ask('/latest/meta-data/instance-id', { [TOKEN]: short })).toMatchObject({ status: 200, body: id, headers: { [TTL]: '10' } });
  await clock.advance(10_000);
  expect((await ask('/latest/meta-data/instance-id', { [TOKEN]: short })).status).toBe(401);
  const { metadata } = row();
  metadata.httpTokens = 'optional';
  expect(await ask('/latest/meta-data/instance-id')).toMatchObject({ status: 200, body: id });
  expect((await ask('/latest/meta-data/instance-id', { [TOKEN]: short })).status).toBe(401);
  metadata.httpTokens = 'required';
  metadata.httpEndpoint = 'disabled';
  expect((await ask('/latest/api/token', { [TTL]: '60' }, 'PUT')).status).toBe(403);
  metadata.httpEndpoint = 'enabled';
});

test('the paths say what EC2 knows; there are no spot notices on demand', async () => {
  const { imageId: image, type, hostname, privateIp, publicIp, zone, zoneId } = row();
  const expected: Record<string, string> = {
    'instance-id': id, 'ami-id': image, 'instance-type': type, 'local-ipv4': privateIp, hostname: `${hostname}.ec2.internal`, 'instance-life-cycle': 'on-demand',
    'placement/availability-zone': zone, 'placement/availability-zone-id': zoneId, 'placement/region': REGION, 'events/maintenance/scheduled': '[]', 'instance-action': 'none',
  };
  for (const [path, body] of Object.entries(expected)) expect(await get(`/latest/meta-data/${path}`)).toMatchObject({ status: 200, body });
  if (publicIp) expect((await get('/latest/meta-data/public-ipv4')).body).toBe(publicIp);
  for (const path of ['spot/instance-action', 'spot/termination-time', 'events/recommendations/rebalance', 'nonsense', 'tags/instance']) expect((await get(`/latest/meta-data/${path}`)).status).toBe(404);
  expect((await get('/latest')).body).toBe('dynamic\nmeta-data\nuser-data');
  expect((await get('/latest/meta-data/placement/')).body).toBe('availability-zone\navailability-zone-id\nregion');
  expect((await get('/latest/meta-data/')).body.split('\n')).toEqual(expect.arrayContaining(['ami-id', 'iam/', 'placement/']));
  expect((await get('/2021-07-15/meta-data/instance-id')).body).toBe(id);
  expect((await get('/latest/user-data')).body).toBe('plain data\n');
  expect((await get('/')).body.split('\n')).toContain('latest');
  expect(JSON.parse((await get('/latest/dynamic/instance-identity/document')).body)).toMatchObject({ instanceId: id, region: REGION, accountId: sim.cloud.world.accountId, imageId: image, architecture: 'x86_64' });
  row().metadata.instanceMetadataTags = 'enabled';
  expect((await get('/latest/meta-data/tags/instance/runctl:run')).body).toBe('r-1');
  row().metadata.instanceMetadataTags = 'disabled';
});

test('the role\'s keys are keys of this cloud, the same until they must be renewed, and gone with the role', async () => {
  const name = (await get('/latest/meta-data/iam/security-credentials/')).body;
  expect(iamRoles(sim.cloud.world).values().map((role) => role.name)).toContain(name);
  const path = `/latest/meta-data/iam/security-credentials/${name}`;
  const document = JSON.parse((await get(path)).body) as Record<string, string>;
  expect(document).toMatchObject({ Code: 'Success', Type: 'AWS-HMAC' });
  expect(Date.parse(document['Expiration'] as string) - Date.now()).toBeGreaterThan(3_600_000);
  expect(JSON.parse((await get(path)).body)).toEqual(document);
  const credentials = { accessKeyId: document['AccessKeyId'] as string, secretAccessKey: document['SecretAccessKey'] as string, sessionToken: document['Token'] };
  const sts = new STSClient({ endpoint: sim.endpoint, region: REGION, credentials, maxAttempts: 1 });
  expect((await sts.send(new GetCallerIdentityCommand({}))).Arn).toBe(`arn:aws:sts::${sim.cloud.world.accountId}:assumed-role/${name}/${id}`);
  sts.destroy();
  expect((await get('/latest/meta-data/iam/security-credentials/other')).status).toBe(404);
  const profile = iamInstanceProfiles(sim.cloud.world).values().find(({ arn }) => arn === row().profile?.arn)!;
  const roles = profile.roles.splice(0);
  expect((await get('/latest/meta-data/iam/security-credentials/')).status).toBe(404);
  expect(JSON.parse((await get('/latest/meta-data/iam/info')).body)).toMatchObject({ Code: 'Success', InstanceProfileArn: profile.arn });
  profile.roles.push(...roles);
});

describe('from inside a guest', () => {
  const modes: { isolation: Isolation; possible: boolean }[] = [
    { isolation: 'network', possible: abilities.network !== null },
    { isolation: 'namespace', possible: abilities.namespace !== null },
    { isolation: 'process', possible: true },
  ];
  for (const { isolation, possible } of modes) test.skipIf(!possible)(`R202 in isolation ${isolation} curl reads its own metadata, and its role's keys drive the cloud`, async () => {
    const home = mkdtempSync(join(tmpdir(), 'sim-imds-'));
    const own = await assembleSim({ directory: home, dial: DIALS.instant, isolation, log: () => undefined });
    const client = new EC2Client({ endpoint: own.endpoint, region: REGION, credentials: own.credentials(), maxAttempts: 1 });
    try {
      const profile = iamInstanceProfiles(own.cloud.world).values().find(({ roles }) => roles.length > 0)?.name;
      const answer = await client.send(new RunInstancesCommand({ ImageId: imageId(IMAGES[0]!, REGION), InstanceType: 't3.micro', MinCount: 2, MaxCount: 2, IamInstanceProfile: { Name: profile } }));
      for (const { InstanceId = '' } of answer.Instances ?? []) {
        await until('up', () => own.cloud.machines.isUp(InstanceId));
        const body = `M=\${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}
          T=$(curl -sf -X PUT -H '${TTL}: 60' $M/latest/api/token)
          curl -sf -H "${TOKEN}: $T" $M/latest/meta-data/instance-id
          R=$(curl -sf -H "${TOKEN}: $T" $M/latest/meta-data/iam/security-credentials/)
          curl -sf -H "${TOKEN}: $T" $M/latest/meta-data/iam/security-credentials/$R | grep -c SecretAccessKey
          curl -s -o /dev/null -w '%{http_code}' $AWS_ENDPOINT_URL/`;
        const { stdout } = await own.cloud.machines.run(InstanceId, { id: 'probe', body, timeoutMs: 20_000, env: {} }).done;
        expect(stdout.toString()).toBe(`${InstanceId}1\n403`);
      }
      const hasBoto = ((): boolean => {
        try {
          execFileSync('python3', ['-c', 'import boto3'], { stdio: 'ignore' });
          return true;
        } catch {
          return false;
        }
      })();
      const InstanceId = answer.Instances?.[0]?.InstanceId ?? '';
      if (hasBoto) {
        const body = "#!/usr/bin/env python3\nimport boto3\nprint(boto3.client('sts', region_name='us-east-1').get_caller_identity()['Arn'])\n";
        const { stdout, stderr } = await own.cloud.machines.run(InstanceId, { id: 'boto', body, timeoutMs: 25_000, env: {} }).done;
        expect(stderr.toString() + stdout.toString()).toMatch(new RegExp(`assumed-role/.*/${InstanceId}\n$`));
      }
    } finally {
      client.destroy();
      await own.close();
      rmSync(home, { recursive: true });
      rmSync(runtimeDirectory(home), { recursive: true, force: true });
    }
  });
});
