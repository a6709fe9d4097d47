// Training stories on a real machine of the pretend cloud: bytes in, bytes out, exit codes, logs, outcomes.
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunctlError } from '../src/core/errors.ts';
import type { Machine } from '../src/core/machine.ts';
import { create } from '../src/engine/create.ts';
import { changeLifecycle } from '../src/engine/lifecycle.ts';
import { type MonitorItem, monitor } from '../src/engine/monitor.ts';
import { status, trainingStatus } from '../src/engine/status.ts';
import { type TrainRequest, type TrainResult, train } from '../src/engine/train.ts';
import { type TestApp, openTestApp } from './support/test-app.ts';
import { anyText } from './support/any-text.ts';

let t: TestApp;
let machineId: string;

beforeAll(async () => {
  t = await openTestApp();
  const made = await create(t.app, { provider: 'aws', type: 't3.micro', profile: 'runctl-ssm-profile', wait: true, timeoutMs: 60_000, dryRun: false });
  machineId = made.instanceId as string;
});
afterAll(() => t?.close());

const trainHere = (script: string, args: string[] = [], more: Partial<TrainRequest> = {}): Promise<TrainResult> =>
  train(t.app, { provider: 'aws', machineId, script, args, includePatterns: [], syncCode: true, install: false, wait: true, force: false, ...more });
const failure = async (promise: Promise<unknown>): Promise<RunctlError> => promise.then(() => expect.unreachable('it should have failed'), (error: unknown) => error as RunctlError);
const items = async (runId?: string, follow = false): Promise<MonitorItem[]> => {
  const all: MonitorItem[] = [];
  for await (const item of monitor(t.app, { provider: 'aws', machineId, runId, follow })) all.push(item);
  return all;
};
const logOf = async (runId?: string, follow = false): Promise<string> => (await items(runId, follow)).map((item) => (item.kind === 'log' ? item.text : '')).join('');

describe('R115 argument parsing: what stands after -- on the machine', () => {
  test('R055 every argument reaches the script byte for byte over SSM', async () => {
    t.write('dump.py', 'import json, os, sys\nopen(os.environ["RUNCTL_CHECKPOINT_DIR"] + "/argv.json", "wb").write(json.dumps([list(os.fsencode(a)) for a in sys.argv[1:]]).encode())\n');
    const hard = ['', ' ', 'a b', '"', "'", "'\\''", '$HOME', '`id`', '\\', '\n', 'a\nb\n', '-x', '--output', '--', '*', '~', '{{ssm:x}}', '{{ x }}', 'ü 漢字 🚀', '!', '#', ';', '&&', '|', '>', '\t', '%s', '\u0001', '=', '$(', '\r'];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(fc.constantFrom(...hard), anyText({ maxLength: 20 }).map((text) => text.replaceAll('\0', ''))), { maxLength: 12 }), async (args) => {
        const wellFormed = args.map((arg) => Buffer.from(arg).toString('utf8'));
        const { outputs } = await trainHere('dump.py', wellFormed);
        const seen = JSON.parse(readFileSync(join(t.project, outputs as string, 'checkpoints/argv.json'), 'utf8')) as number[][];
        expect(seen.map((bytes) => Buffer.from(bytes).toString('utf8'))).toEqual(wellFormed);
      }),
      { numRuns: 4, examples: [[hard]] },
    );
  });
});

describe('R115 completion: outcomes', () => {
  test.each([
    ['sys.exit(0)', 'import sys; sys.exit(0)', 0],
    ['sys.exit(3)', 'import sys; sys.exit(3)', 3],
    ['a crash', 'raise RuntimeError("boom")', 1],
    ['SIGKILL', 'import os, signal; os.kill(os.getpid(), signal.SIGKILL)', 137],
  ])('R062 the exit code of %s is recorded without the script\'s help', async (_name, code, expected) => {
    t.write('end.py', `${code}\n`);
    const outcome = await trainHere('end.py').then((result) => result.exitCode, (error: RunctlError) => error.data?.['exitCode']);
    expect(outcome).toBe(expected);
    const now = await trainingStatus(t.app, { provider: 'aws', machineId });
    expect(now).toMatchObject({ phase: expected === 0 ? 'succeeded' : 'failed', exitCode: expected });
    const run = t.ledger.listRuns({ limit: 1 })[0];
    const record = readFileSync(join(t.project, 'runs', run!.id, 'training_exit_code.txt'), 'utf8');
    expect(record.trim()).toBe(String(expected));
  });

  test('R066 D6 a marker and the word "success" do not turn exit code 1 into success', async () => {
    t.write('liar.py', 'import sys\nopen("training_complete.txt", "w").write("done")\nprint("Training complete! success")\nsys.exit(1)\n');
    const error = await failure(trainHere('liar.py'));
    expect(error.code).toBe('job-failed');
    expect(error.exitCode).toBe(4);
    expect(error.message).toContain('exit code 1');
    expect(error.reason).toContain('Training complete! success');
  });

  test('R065 R070 D7 --wait ends soon after this run\'s own end, whatever earlier runs left behind', async () => {
    t.write('two.py', 'import time\nprint("start", flush=True)\ntime.sleep(1.2)\nprint(time.time())\n');
    t.write('end.py', 'pass\n');
    await trainHere('end.py');
    await trainHere('two.py');
    const endedS = Number(t.logLines().at(-1));
    const waited = t.ledger.stepsOf(t.ledger.listRuns({ limit: 1 })[0]!.id).find((step) => step.name === 'train');
    expect(waited!.endedAt! / 1000 - endedS).toBeLessThan(3);
    expect(waited!.endedAt! - waited!.startedAt).toBeGreaterThan(1000);
  });

  test('a script that saves nothing is no failure; ./checkpoints is found as well as RUNCTL_CHECKPOINT_DIR', async () => {
    t.write('saver.py', 'import os\nos.makedirs("checkpoints", exist_ok=True)\nopen("checkpoints/last.json", "w").write("{}")\n');
    expect((await trainHere('saver.py')).checkpoints).toEqual([expect.stringMatching(/^runs\/.*\/checkpoints\/last\.json$/)]);
    t.write('end.py', 'pass\n');
    expect((await trainHere('end.py')).checkpoints).toEqual([]);
  });
});

describe('R115 sync edges, without a bucket', () => {
  test('D4 R040 R041 a script in a subdirectory runs on a machine that has seen nothing yet, with its neighbours', async () => {
    t.write('lib/helper.py', 'def word():\n    return "from the neighbour"\n');
    t.write('deep/er/main.py', 'import os, sys\nsys.path.insert(0, os.getcwd())\nfrom lib.helper import word\nprint(word(), os.path.basename(os.getcwd()))\n');
    await trainHere('deep/er/main.py');
    expect(t.logLines()).toContain('from the neighbour code');
  });

  test('R045 a transfer that breaks ends the command and starts nothing', async () => {
    const before = (await trainingStatus(t.app, { provider: 'aws', machineId })).runId;
    const broken = {
      ...t.provider,
      shell: async (machine: Machine) => {
        const shell = await t.provider.shell(machine);
        // The machine's own copy is damaged behind the back of the sync: every archive is a byte short of itself.
        return { ...shell, run: (script: string, options: object) => shell.run(script.replaceAll('base64 -d', 'base64 -d | tail -c +2'), options) };
      },
    };
    t.use(broken as typeof t.provider);
    const error = await failure(trainHere('lib/helper.py')).finally(() => t.use(t.provider));
    expect(error.code).toBe('sync-failed');
    expect((await trainingStatus(t.app, { provider: 'aws', machineId })).runId).toBe(before);
  });

  test('R039 R046 a hundred files arrive equal, through SSM alone, and the summary says so', async () => {
    for (let i = 0; i < 100; i++) t.write(`data/part ${i}.bin`, `${i}\n`.repeat(i * 3));
    t.write('sum.py', 'import glob, hashlib\nh = hashlib.sha256()\nfor f in sorted(glob.glob("data/*")): h.update(f.encode() + open(f, "rb").read())\nprint("digest", h.hexdigest())\n');
    const { createHash } = await import('node:crypto');
    const digest = createHash('sha256');
    for (const name of Array.from({ length: 100 }, (_, i) => `data/part ${i}.bin`).sort()) digest.update(name).update(readFileSync(join(t.project, name)));
    const result = await trainHere('sum.py');
    expect(t.logLines()).toContain(`digest ${digest.digest('hex')}`);
    expect(result.sync).toMatchObject({ verified: true, route: expect.stringContaining('ssm') });
    expect(result.sync!.files).toBeGreaterThanOrEqual(101);
    expect(result.sync!.elapsedMs).toBeLessThan(10_000);
    expect(t.events.some((event) => event.kind === 'step.done' && event.step === 'sync' && /files.*verified/.test(event.detail ?? ''))).toBe(true);
  });

  test('R009 a project too large for SSM alone is refused with the two lines that help', async () => {
    const { randomBytes } = await import('node:crypto');
    t.write('big.bin', randomBytes(3 * 1024 * 1024).toString('latin1'));
    const error = await failure(trainHere('end.py'));
    t.write('big.bin', '');
    expect(error.code).toBe('bucket-missing');
    expect(error.hints.join('\n')).toMatch(/\[aws\]\s*\n\s*s3_bucket = /);
    expect(error.message + (error.reason ?? '')).not.toMatch(/key pair/i);
  });
});

describe('logs and status', () => {
  test('D22 R074 monitor gives the log byte for byte, also what is no UTF-8 boundary and larger than one answer', async () => {
    t.write('loud.py', 'import sys\nfor i in range(2500):\n    sys.stdout.write(f"line {i} ünïcödé 漢字\\n")\nsys.stdout.write("no newline at the end")\n');
    const { runId } = await trainHere('loud.py');
    const expected = `${Array.from({ length: 2500 }, (_, i) => `line ${i} ünïcödé 漢字\n`).join('')}no newline at the end`;
    expect(await logOf(runId)).toBe(expected);
    expect(readFileSync(join(t.project, 'runs', runId, 'training.log'), 'utf8')).toBe(expected);
  });

  test('D41 R074 --follow misses nothing and repeats nothing while the job writes in bursts, and ends with it', async () => {
    t.write('bursts.py', 'import sys, time\nfor burst in range(4):\n    for i in range(900):\n        print(f"{burst}:{i} " + "x" * 30)\n    sys.stdout.flush()\n    time.sleep(0.3)\nsys.exit(5)\n');
    const { runId } = await trainHere('bursts.py', [], { wait: false });
    const all = await items(runId, true);
    const expected = Array.from({ length: 4 }, (_, burst) => Array.from({ length: 900 }, (_unused, i) => `${burst}:${i} ${'x'.repeat(30)}\n`).join('')).join('');
    expect(all.map((item) => (item.kind === 'log' ? item.text : '')).join('')).toBe(expected);
    expect(all.at(-1)).toEqual({ kind: 'end', runId, phase: 'failed', exitCode: 5 });
  });

  test('R060 the log of an earlier run is still there after the next', async () => {
    t.write('say.py', 'import sys\nprint("run", sys.argv[1])\n');
    const first = await trainHere('say.py', ['one']);
    const second = await trainHere('say.py', ['two']);
    expect(await logOf(first.runId)).toBe('run one\n');
    expect(await logOf(second.runId)).toBe('run two\n');
    expect(await logOf()).toBe('run two\n');
  });

  test('D5 R033 R034 status tells running, then the end, with epoch, loss, checkpoint and log', async () => {
    t.write('slow.py', 'import os, time\nd = os.environ["RUNCTL_CHECKPOINT_DIR"]\nprint("epoch 1/2 loss 0.5 accuracy 0.8", flush=True)\nopen(d + "/e1.json", "w").write("{}")\nwhile not os.path.exists(d + "/go"): time.sleep(0.05)\nprint("epoch 2/2 loss 0.25 accuracy 0.9")\n');
    const { runId } = await trainHere('slow.py', [], { wait: false });
    let now = await trainingStatus(t.app, { provider: 'aws', machineId });
    for (let i = 0; i < 50 && now.epoch === undefined; i++) now = await trainingStatus(t.app, { provider: 'aws', machineId });
    expect(now).toMatchObject({ phase: 'running', runId, epoch: 1, epochs: 2, loss: 0.5, accuracy: 0.8, checkpoint: expect.stringContaining('e1.json') });
    expect(now.exitCode).toBeUndefined();
    const whole = await status(t.app, { provider: 'aws', machineId });
    expect(whole).toMatchObject({ state: 'running', instanceType: 't3.micro', trainingStatus: 'running', ssm: 'online', publicIp: expect.any(String), privateIp: expect.any(String) });
    // A second job is refused while this one runs, and the refusal names it.
    const refused = await failure(trainHere('end.py'));
    expect(refused.code).toBe('job-running');
    expect(refused.message).toContain(runId);
    const shell = await t.provider.shell({ id: machineId });
    await shell.run(`touch '${now.logPath!.replace('training.log', 'checkpoints/go')}'`);
    await items(runId, true);
    expect(await trainingStatus(t.app, { provider: 'aws', machineId, runId })).toMatchObject({ phase: 'succeeded', exitCode: 0, epoch: 2, loss: 0.25, logBytes: expect.any(Number) });
  });

  test('R036 R037 stop and start --wait end in the final state; log and exit record of the first run are still there', async () => {
    t.write('say.py', 'import sys\nprint("run", sys.argv[1])\n');
    const { runId } = await trainHere('say.py', ['before']);
    const address = (await status(t.app, { provider: 'aws', machineId })).publicIp;
    expect(await changeLifecycle(t.app, 'stop', { provider: 'aws', machineId, wait: true, timeoutMs: 30_000 })).toMatchObject({ state: 'stopped', previousState: 'running' });
    expect(await status(t.app, { provider: 'aws', machineId })).toMatchObject({ state: 'stopped', trainingStatus: 'unknown', training: { reason: 'machine is stopped' } });
    const refused = await failure(trainHere('say.py', ['x']));
    expect(refused).toMatchObject({ code: 'wrong-state', hints: [`runctl aws start ${machineId} --wait`] });
    expect(await changeLifecycle(t.app, 'start', { provider: 'aws', machineId, wait: true, timeoutMs: 30_000 })).toMatchObject({ state: 'running', ssm: 'connected' });
    expect((await status(t.app, { provider: 'aws', machineId })).publicIp).not.toBe(address);
    await trainHere('say.py', ['after']);
    expect(await logOf(runId)).toBe('run before\n');
    expect(await trainingStatus(t.app, { provider: 'aws', machineId, runId })).toMatchObject({ phase: 'succeeded', exitCode: 0 });
  });
});
