// R115, completion: jobs on real machines of the pretend cloud, and weather that takes machine, agent, network or patience away
// while somebody waits. The exit record is the only truth; everything else has its own end, with its cause.
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { RebootInstancesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { RunctlError } from '../src/core/errors.ts';
import { create } from '../src/engine/create.ts';
import { changeLifecycle } from '../src/engine/lifecycle.ts';
import { type MonitorItem, monitor } from '../src/engine/monitor.ts';
import { waitReady } from '../src/engine/ready.ts';
import { type TrainRequest, type TrainResult, train } from '../src/engine/train.ts';
import { workflowTrain } from '../src/engine/workflow-train.ts';
import { createAwsProvider } from '../src/providers/aws/index.ts';
import type { WeatherInput } from '../src/sim/weather/plan.ts';
import { quickClock } from './support/quick-clock.ts';
import { type TestApp, openTestApp } from './support/test-app.ts';

/** Saves, says where it is, and then does nothing until somebody makes the file `go`. */
const JOB = `import os, sys, time
d = os.environ["RUNCTL_CHECKPOINT_DIR"]
for epoch in range(1, 3):
    print(f"epoch {epoch}/9 loss 0.{5 - epoch}", flush=True)
    open(d + f"/epoch-00{epoch}.json", "w").write("{}")
while not os.path.exists(d + "/go"): time.sleep(0.05)
print("went on", flush=True)
`;

/** Short enough to be over soon, long enough that what happens meanwhile happens in the middle. */
const LINES = 'import time\nfor i in range(30):\n    print(f"line {i}", flush=True)\n    time.sleep(0.05)\n';

let t: TestApp;
let id: string;
let config: TestApp['app']['config'];

beforeAll(async () => {
  t = await openTestApp();
  t.write('job.py', JOB);
  t.write('end.py', 'print("short")\n');
  t.write('lines.py', LINES);
  config = t.app.config;
});
afterAll(() => t?.close());
/** A machine that works, the one of the test before where that has left it so, and nothing else of that test. */
beforeEach(async () => {
  t.sim.weather.clear();
  t.use(t.provider);
  t.app.config = { ...config, train: { ...config.train } };
  if (id === undefined || (await t.machines())[id] !== 'running') {
    const made = await create(t.app, { provider: 'aws', type: 't3.micro', profile: 'runctl-ssm-profile', wait: true, timeoutMs: 60_000, dryRun: false });
    id = made.instanceId as string;
  }
  t.events.length = 0;
});

/** Another way to the same cloud: by another endpoint, or for somebody whose time passes faster. */
function another({ endpoint = t.sim.endpoint, times = 1 }: { endpoint?: string; times?: number }) {
  const { accessKeyId, secretAccessKey } = t.sim.credentials();
  const env = { AWS_ENDPOINT_URL: endpoint, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, HOME: t.project };
  const aws = createAwsProvider({ region: 'us-east-1', clock: times === 1 ? t.app.clock : quickClock(times), env });
  t.use(aws);
  onTestFinished(() => aws.close());
}
/** Polls and looks at the machine that are twelve seconds apart come in two: an answer is still given time enough. */
const hurry = (): void => another({ times: 6 });

const start = (script = 'job.py', more: Partial<TrainRequest> = {}): Promise<TrainResult> =>
  train(t.app, { provider: 'aws', machineId: id, script, args: [], includePatterns: [], syncCode: true, install: false, wait: true, force: false, ...more });
const failure = async (promise: Promise<unknown>): Promise<RunctlError> => promise.then(() => expect.unreachable('it should have failed'), (error: unknown) => error as RunctlError);
const elsewhere = (action: (ec2: EC2Client) => Promise<unknown>): Promise<unknown> => {
  const ec2 = new EC2Client({ endpoint: t.sim.endpoint, region: 'us-east-1', credentials: t.sim.credentials() });
  return action(ec2).finally(() => ec2.destroy());
};
/** A way to the cloud that can be cut: connections break, and new ones are refused. */
async function openCable(port: string) {
  const open = new Set<Socket>();
  const carry = (here: Socket): void => {
    const there = connect(Number(port), '127.0.0.1');
    for (const [from, to] of [[here, there], [there, here]] as const) {
      open.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
  };
  let server = createServer(carry);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: mine } = server.address() as AddressInfo;
  const pull = (): void => {
    server.close();
    for (const socket of open) socket.destroy();
    open.clear();
  };
  return {
    endpoint: `http://127.0.0.1:${mine}`,
    pull,
    plug: () => new Promise<void>((resolve) => (server = createServer(carry)).listen(mine, '127.0.0.1', resolve)),
    close: async () => pull(),
  };
}
/** Once the log says so. */
async function seen(text: string): Promise<void> {
  while (!t.logLines().some((line) => line.includes(text))) await new Promise((resolve) => setTimeout(resolve, 20));
}
const follow = async (): Promise<MonitorItem[]> => {
  const all: MonitorItem[] = [];
  for await (const item of monitor(t.app, { provider: 'aws', machineId: id, follow: true })) all.push(item);
  return all;
};
const notes = (): string[] => t.events.flatMap((event) => (event.kind === 'note' ? [event.text] : []));
async function go(runId: string): Promise<void> {
  await (await t.provider.shell({ id })).run(`for d in /home/*/runctl/runs/${runId}/checkpoints; do touch "$d/go"; done`);
}
const newestRun = () => t.ledger.listRuns({ limit: 1 })[0]!;

describe('R115 completion: the end of a machine is the end of the wait', () => {
  test.each<[string, () => Promise<unknown> | unknown, RegExp, RegExp]>([
    ['terminated by somebody else', () => t.provider.terminate(id), /is (shutting-down|terminated): run-\S+ ended with it/, /call of the API.*cannot be had any more/s],
    ['stopped by somebody else', () => t.provider.stop(id), /is (stopping|stopped): run-\S+ ended with it/, /call of the API.*disk is kept/s],
    ['lost with its host', () => t.sim.weather.add({ kind: 'instance-loss' }), /is (shutting-down|terminated)/, /disk is gone/],
    ['lost with its host, its disk kept', () => t.sim.weather.add({ kind: 'instance-loss', state: 'stopped' }), /is (stopping|stopped)/, /disk is kept/],
  ])('R071 D9 train --wait: %s', async (_name, strike, message, cause) => {
    hurry();
    const waiting = failure(start());
    await seen('epoch 2/9');
    const struckAt = performance.now();
    await strike();
    const error = await waiting;
    expect(error).toMatchObject({ code: 'machine-lost', exitCode: 2, data: { machine: id } });
    expect(error.message).toMatch(message);
    expect(error.reason).toMatch(cause);
    expect(error.hints.length).toBeGreaterThan(0);
    expect(performance.now() - struckAt).toBeLessThan(15_000);
    expect(newestRun()).toMatchObject({ verb: 'train', state: 'failed' });
  });

  test('R071 monitor --follow of a machine that is terminated meanwhile', async () => {
    await start('job.py', { wait: false });
    hurry();
    const following = failure(follow());
    await new Promise((resolve) => setTimeout(resolve, 300));
    await t.provider.terminate(id);
    expect(await following).toMatchObject({ code: 'machine-lost', exitCode: 2 });
  });

  test('R071 wait on a machine whose agent never comes, and which is then terminated', async () => {
    await changeLifecycle(t.app, 'stop', { provider: 'aws', machineId: id, wait: true, timeoutMs: 30_000 });
    t.sim.weather.add({ kind: 'agent-dead' });
    await changeLifecycle(t.app, 'start', { provider: 'aws', machineId: id, wait: false, timeoutMs: 30_000 });
    hurry();
    const waiting = failure(waitReady(t.app, { provider: 'aws', machineId: id, timeoutMs: 60_000, fromPending: true }));
    await new Promise((resolve) => setTimeout(resolve, 500));
    await t.provider.terminate(id);
    expect(await waiting).toMatchObject({ code: 'machine-lost', exitCode: 2, message: expect.stringMatching(/is (shutting-down|terminated)/) });
  });
});

describe('R115 completion: the process is gone without an exit record', () => {
  test('R072 the machine restarts: told as such, with the checkpoint and the command to go on', async () => {
    if (t.sim.cloud.machines.isolation === 'process') return; // there a guest shares pid 1, and with it its boot, with this machine
    hurry();
    const waiting = failure(start('job.py', { args: ['--lr', '0.1'] }));
    await seen('epoch 2/9');
    await elsewhere((ec2) => ec2.send(new RebootInstancesCommand({ InstanceIds: [id] })));
    const error = await waiting;
    expect(error.exitCode).toBe(4);
    expect(['job-lost', 'job-failed']).toContain(error.code);
    expect(error.reason).toMatch(new RegExp(`^${id} was restarted at 20\\d\\d-.*while the training ran`));
    expect(error.reason).toMatch(/It had reached epoch 2; the newest checkpoint is runs\/.*\/epoch-002\.json/);
    expect(error.hints).toContainEqual(expect.stringMatching(new RegExp(`^runctl aws train ${id} job\\.py --wait -- --lr 0\\.1 --resume-from /.*/epoch-002\\.json$`)));
  });

  test('R072 process and supervisor are killed: lost, and not for a restart', async () => {
    const waiting = failure(start());
    await seen('epoch 2/9');
    const shell = await t.provider.shell({ id });
    await shell.run(`cd /home/*/runctl/runs/${newestRun().id} && for f in supervisor job; do read -r pid rest <$f; kill -9 "$pid"; done`);
    const error = await waiting;
    expect(error).toMatchObject({ code: 'job-lost', exitCode: 4 });
    expect(error.reason).toMatch(/was not restarted/);
    expect(error.reason).toContain('epoch 2/9');
  });

  test('R072 a script that fails half-way: epoch, checkpoint, the end of the log, and the way on', async () => {
    t.write('half.py', JOB.replace('while not', 'raise RuntimeError("CUDA out of memory")\nwhile not'));
    const error = await failure(start('half.py', { args: ['--resume-from', 'old.json', '--name', 'a b'] }));
    expect(error).toMatchObject({ code: 'job-failed', exitCode: 4, message: 'training failed (exit code 1)' });
    expect(error.reason).toMatch(/reached epoch 2; the newest checkpoint is .*epoch-002\.json/);
    expect(error.reason).toContain('RuntimeError: CUDA out of memory');
    expect(error.hints).toContainEqual(expect.stringMatching(/^runctl aws train \S+ half\.py --wait -- --name 'a b' --resume-from \/.*epoch-002\.json$/));
  });
});

describe('R115 completion: nobody answers for a while', () => {
  test.each<[string, WeatherInput[]]>([
    ['throttling', [{ kind: 'throttle', operation: 'ssm.*', times: 4 }]],
    ['errors inside of AWS', [{ kind: 'server-error', operation: 'ssm.*', times: 4 }]],
    ['broken connections', [{ kind: 'reset', operation: 'ssm.*', times: 3 }, { kind: 'lost-reply', operation: 'ssm.SendCommand', times: 1 }]],
    ['a silent agent', [{ kind: 'agent-dead', for: '1s' }]],
    ['a machine without network', [{ kind: 'network-down', for: '1s' }]],
    ['a clock of this computer that is set', [{ kind: 'clock-skew', skew: '20m', for: '1s' }]],
  ])('R222 %s is sat out: the log is whole and the job ran once', async (_name, weather) => {
    another({ times: 3 });
    const machines = await t.machines();
    const waiting = start('lines.py');
    await seen('line 2');
    for (const rule of weather) t.sim.weather.add(rule);
    expect(await waiting).toMatchObject({ phase: 'succeeded', exitCode: 0 });
    expect(t.logLines().filter((line) => line.startsWith('line '))).toEqual(Array.from({ length: 30 }, (_, i) => `line ${i}`));
    expect(await t.machines()).toEqual(machines);
  });

  test('the network of this computer is gone and comes back: waited for in words, and no byte is lost or comes twice', async () => {
    const cable = await openCable(new URL(t.sim.endpoint).port);
    another({ endpoint: cable.endpoint, times: 3 });
    const waiting = start('lines.py');
    await seen('line 2');
    cable.pull();
    while (!notes().some((text) => /from this computer; the job on \S+ needs no connection and goes on/.test(text))) await new Promise((resolve) => setTimeout(resolve, 50));
    await cable.plug();
    expect(await waiting).toMatchObject({ phase: 'succeeded', exitCode: 0 });
    expect(t.logLines().filter((line) => line.startsWith('line '))).toEqual(Array.from({ length: 30 }, (_, i) => `line ${i}`));
    expect(notes().some((text) => /answers again after \d+ s/.test(text))).toBe(true);
    await cable.close();
  }, 60_000);

  test('R222 an agent that stays dead: after the limit the job may still run, and it does', async () => {
    t.app.config.train.patience_minutes = 4 / 60;
    const waiting = failure(start());
    await seen('epoch 2/9');
    const { id: rule } = t.sim.weather.add({ kind: 'agent-dead' });
    const error = await waiting;
    expect(error).toMatchObject({ code: 'unreachable', exitCode: 5, message: expect.stringMatching(/may still run there/) });
    expect(notes().some((text) => /runs, says the cloud, but does not answer/.test(text))).toBe(true);
    t.sim.weather.clear(rule);
    await go(error.data!['runId'] as string);
    const items = await follow();
    expect(items.at(-1)).toMatchObject({ phase: 'succeeded' });
    expect(items.map((item) => (item.kind === 'log' ? item.text : '')).join('')).toMatch(/went on/);
  });
});

describe('R115 completion: hangs and earlier runs', () => {
  test('R069 a script that says nothing any more is reported within the window and left alone', async () => {
    t.app.config.train.hang_minutes = 1 / 60;
    // No question is held longer than half of that.
    t.app.config.train.patience_minutes = 6 / 60;
    const waiting = start();
    await seen('epoch 2/9');
    while (!notes().some((text) => text.includes('the training may hang'))) await new Promise((resolve) => setTimeout(resolve, 50));
    await go(newestRun().id);
    expect(await waiting).toMatchObject({ phase: 'succeeded' });
  }, 30_000);

  test('R065 R070 D7 a job of two seconds, after one that left its marker: the wait ends soon after its own end', async () => {
    await start('end.py');
    t.write('two.py', 'import time\ntime.sleep(2)\nprint(time.time())\n');
    await start('two.py');
    const step = t.ledger.stepsOf(newestRun().id).find(({ name }) => name === 'train')!;
    expect(step.endedAt! / 1000 - Number(t.logLines().at(-1))).toBeLessThan(3);
  });
});

describe('R115 failure and recovery: a workflow whose machine is taken away', () => {
  const run = (more = {}) =>
    workflowTrain(t.app, { provider: 'aws', type: 't3.micro', profile: 'runctl-ssm-profile', script: 'job.py', args: [], includePatterns: [], syncCode: true, install: false, onFailure: 'terminate', keep: false, timeoutMs: 60_000, ...more });
  const mine = () => newestRun().machineId!;

  test('R071 R089 terminated by somebody else: said, nothing is searched on it, nothing is left', async () => {
    hurry();
    const waiting = failure(run());
    await seen('epoch 2/9');
    await t.provider.terminate(mine());
    const error = await waiting;
    expect(error).toMatchObject({ code: 'machine-lost', exitCode: 2, data: { machineState: 'terminated' } });
    expect(t.events.some((event) => event.kind === 'step.started' && event.step === 'rescue')).toBe(false);
    expect((await t.machines())[mine()]).toBe('terminated');
    expect(newestRun().state).toBe('failed');
  });

  test('R071 R090 stopped by somebody else: its results are taken off its disk before it goes', async () => {
    hurry();
    const waiting = failure(run());
    await seen('epoch 2/9');
    await t.provider.stop(mine());
    expect(await waiting).toMatchObject({ code: 'machine-lost', data: { machineState: 'terminated' } });
    // The machine is gone by now: nothing is to be started or watched there.
    expect(((await waiting) as RunctlError).hints.filter((hint) => hint.includes(mine()))).toEqual([]);
    const rescued = t.events.find((event) => event.kind === 'step.done' && event.step === 'rescue');
    expect(rescued).toMatchObject({ detail: expect.stringContaining('2 checkpoints') });
    expect((await t.machines())[mine()]).toBe('terminated');
  }, 30_000);

  test('R222 an agent that stays dead: the machine is not ended under a job that may run, and is named with its price', async () => {
    t.app.config.train.patience_minutes = 4 / 60;
    const waiting = failure(run());
    await seen('epoch 2/9');
    t.sim.weather.add({ kind: 'agent-dead' });
    const error = await waiting;
    expect(error).toMatchObject({ code: 'unreachable', exitCode: 5 });
    expect((await t.machines())[mine()]).toBe('running');
    expect(notes().some((text) => text.includes(`${mine()} keeps running and costs $`))).toBe(true);
    expect(error.hints).toContain(`runctl aws terminate ${mine()} --wait`);
  }, 30_000);
});
