// Weather that needs a real guest: its network cut, its disk full, its life ended in the middle of a script.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EC2Client, RunInstancesCommand, StartInstancesCommand, StopInstancesCommand } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { assembleSim } from '../assemble.ts';
import type { Sim } from '../create-sim.ts';
import { IMAGES, imageId } from '../data/images.ts';
import { runtimeDirectory } from '../machine/runtime-directory.ts';

let sim: Sim;
let ec2: EC2Client;
const directory = mkdtempSync(join(tmpdir(), 'runctl-weather-'));
let sequence = 0;

beforeAll(async () => {
  sim = await assembleSim({ directory, dial: 'instant', log: (line) => console.error(line) });
  ec2 = new EC2Client({ endpoint: sim.endpoint, region: 'us-east-1', credentials: sim.credentials(), maxAttempts: 1 });
});
beforeEach(() => void sim.weather.clear());
afterAll(async () => {
  ec2.destroy();
  await sim.close();
  for (const path of [directory, runtimeDirectory(directory)]) rmSync(path, { recursive: true, force: true });
});

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let round = 0; round < 1000; round++) {
    if (condition()) return;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error(`did not happen: ${what}`);
}

function stateOf(id: string): string | undefined {
  return sim.cloud.world.table<{ state: string }>('ec2.instances').get(id)?.state;
}

async function launch(): Promise<string> {
  const answer = await ec2.send(new RunInstancesCommand({ ImageId: imageId(IMAGES[0]!, 'us-east-1'), InstanceType: 't3.micro', MinCount: 1, MaxCount: 1, IamInstanceProfile: { Name: 'runctl-ssm-profile' } }));
  const id = answer.Instances![0]!.InstanceId!;
  await until(`${id} runs`, () => stateOf(id) === 'running');
  return id;
}

function run(id: string, body: string) {
  return sim.cloud.machines.run(id, { id: `s-${++sequence}`, body, timeoutMs: 20_000, env: {} }).done;
}

async function output(id: string, body: string): Promise<string> {
  const { stdout, stderr } = await run(id, body);
  return `${stdout.toString()}${stderr.toString()}`.trim();
}

describe('R205 weather of real guests', () => {
  test('R205 network down: neither the cloud nor the metadata can be reached, until it is up again', async ({ skip }) => {
    if (sim.cloud.machines.isolation !== 'network') skip(`no network of their own here: ${sim.cloud.machines.isolation}`);
    const id = await launch();
    const reach = `for url in "$AWS_ENDPOINT_URL" http://169.254.169.254/; do curl -s -m 5 -o /dev/null -w '%{http_code} ' "$url" || true; done`;
    const before = await output(id, reach);
    expect(before).not.toContain('000');
    sim.weather.add({ kind: 'network-down', instance: id });
    expect(await output(id, reach)).toBe('000 000');
    sim.weather.clear();
    expect(await output(id, reach)).toBe(before);
  });

  test('R205 disk full: writing fails with ENOSPC, what fits is kept over stop and start, and there is room again without the rule', async ({ skip }) => {
    if (sim.cloud.machines.isolation === 'process') skip('no file systems of their own here');
    sim.weather.add({ kind: 'disk-full', freeMib: 1 });
    const id = await launch();
    const home = '/home/ec2-user';
    expect(await output(id, `cd ${home} && head -c 500000 /dev/zero > small && mkdir d && ln -s ../small d/link && head -c 3000000 /dev/zero > big || echo failed; wc -c < d/link`)).toMatch(/No space left on device[^]*failed|failed[^]*No space left on device/);
    await ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
    await until('stopped', () => stateOf(id) === 'stopped');
    sim.weather.clear();
    await ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
    await until('running', () => stateOf(id) === 'running');
    expect(await output(id, `cd ${home} && wc -c < d/link && head -c 3000000 /dev/zero > big && wc -c < big`)).toBe('500000\n3000000');
  });

  test('R205 the disk runs full in the middle, by time, and then has room again', async ({ skip }) => {
    if (sim.cloud.machines.isolation === 'process') skip('no file systems of their own here');
    sim.weather.add({ kind: 'disk-full', after: '1h' });
    const id = await launch();
    const write = 'head -c 200000 /dev/zero > /home/ec2-user/file && echo written';
    expect(await output(id, write)).toBe('written');
    sim.weather.load([{ kind: 'disk-full' }]);
    expect(await output(id, `rm -f /home/ec2-user/none; head -c 300000 /dev/zero > /home/ec2-user/more && echo written`)).toContain('No space left on device');
    sim.weather.clear();
    expect(await output(id, write)).toBe('written');
  });

  test('R205 host failure: the script in the guest ends with it, and nothing of it is left', async () => {
    const id = await launch();
    const lost = run(id, 'sleep 60').catch((error: Error) => error.name);
    sim.weather.add({ kind: 'instance-loss', instance: id });
    expect(await lost).toBe('GuestGone');
    await until('terminated', () => stateOf(id) === 'terminated');
    expect(sim.cloud.machines.isUp(id)).toBe(false);
  });

  test('R205 reboot: the script ends, the disk stays, the machine comes back', async () => {
    const id = await launch();
    await output(id, 'echo kept > "${HOME:-/home/ec2-user}/note" 2>/dev/null || true; echo kept > /var/tmp/note');
    const lost = run(id, 'exec sleep 60').catch((error: Error) => error.name);
    sim.weather.add({ kind: 'reboot', instance: id });
    expect(await lost).toBe('GuestGone');
    await until('up again', () => sim.cloud.machines.isUp(id));
    expect(stateOf(id)).toBe('running');
    expect(await output(id, 'echo back')).toBe('back');
  });
});
