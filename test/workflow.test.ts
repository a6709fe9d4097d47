// The whole story on real machines of the pretend cloud: what comes back, and that nothing is left billing whatever breaks.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { RunctlError } from '../src/core/errors.ts';
import type { Provider, Shell } from '../src/core/ports.ts';
import { create } from '../src/engine/create.ts';
import { showRun } from '../src/engine/runs.ts';
import { type WorkflowTrainRequest, workflowTrain } from '../src/engine/workflow-train.ts';
import { type TestApp, openTestApp } from './support/test-app.ts';

let t: TestApp;
afterEach(() => t?.close());

const SCRIPT = 'import os, sys\nprint("epoch 1/1 loss 0.5 accuracy 0.9")\nopen(os.environ["RUNCTL_CHECKPOINT_DIR"] + "/one.json", "w").write("{}")\nsys.exit(int(sys.argv[1]) if len(sys.argv) > 1 else 0)\n';

async function open(options: Parameters<typeof openTestApp>[0] = {}): Promise<void> {
  t = await openTestApp(options);
  t.write('job.py', SCRIPT);
}
const run = (more: Partial<WorkflowTrainRequest> = {}) =>
  workflowTrain(t.app, {
    provider: 'aws', type: 't3.micro', profile: 'runctl-ssm-profile', script: 'job.py', args: [], includePatterns: [], syncCode: true, install: false,
    onFailure: 'terminate', keep: false, timeoutMs: 60_000, ...more,
  });
const failure = async (promise: Promise<unknown>): Promise<RunctlError> => promise.then(() => expect.unreachable('it should have failed'), (error: unknown) => error as RunctlError);
const alive = async () => Object.values(await t.machines()).filter((state) => state !== 'terminated' && state !== 'shutting-down');

test('R055 R088 arguments that are too long to get to a machine are refused before there is one, however they must be quoted', async () => {
  await open();
  for (const args of [['--text', 'x'.repeat(17_000)], ["'".repeat(2000)]]) {
    expect(await failure(run({ args }))).toMatchObject({ code: 'usage', exitCode: 1, message: expect.stringContaining('too long') as string });
  }
  expect(await alive()).toEqual([]);
});

describe('R088 R115 one command from nothing to results, with and without a bucket', () => {
  test('D36 R088 R012 create, wait, sync, train, fetch, terminate; cost and outputs come back', async () => {
    await open();
    const result = await run();
    expect(result).toMatchObject({ phase: 'succeeded', exitCode: 0, machineState: 'terminated', instanceType: 't3.micro', market: 'on-demand', accuracy: 0.9 });
    expect(result.costUsd).toBeGreaterThan(0);
    expect(await alive()).toEqual([]);
    expect(readFileSync(join(t.project, result.outputs!, 'training.log'), 'utf8')).toContain('epoch 1/1');
    expect(existsSync(join(t.project, result.checkpoints![0]!))).toBe(true);
    const steps = t.events.flatMap((event) => (event.kind === 'step.done' ? [event.step] : []));
    expect(steps).toEqual(['preflight', 'plan', 'create', 'running', 'ssm', 'prepare', 'sync', 'launch', 'train', 'collect', 'terminate']);
    expect(t.events.findIndex((event) => event.kind === 'cost.estimated')).toBeLessThan(t.events.findIndex((event) => event.kind === 'step.started' && event.step === 'create'));
    const told = await showRun(t.app, result.runId);
    expect(told).toMatchObject({ state: 'succeeded', machineId: result.instanceId });
    expect(told.effects.map((effect) => [effect.kind, effect.state])).toEqual([['aws.create', 'done'], ['agent.launch', 'done'], ['aws.terminate', 'done']]);
  });

  test('R088 with a bucket code and results travel through it, and nothing is left in it', async () => {
    await open({ bucket: 'team-bucket', config: { 'aws.s3_bucket': 'team-bucket' } });
    const result = await run();
    expect(result.sync!.route).toContain('s3');
    expect(existsSync(join(t.project, result.checkpoints![0]!))).toBe(true);
    const { S3Client, ListObjectsV2Command } = await import('@aws-sdk/client-s3');
    const s3 = new S3Client({ endpoint: t.sim.endpoint, region: 'us-east-1', forcePathStyle: true, credentials: t.sim.credentials() });
    expect((await s3.send(new ListObjectsV2Command({ Bucket: 'team-bucket' }))).KeyCount).toBe(0);
    s3.destroy();
  });

  test('R207 R087 the cloud\'s own meter agrees with the cost that is told, to the micro-dollar, and with its phases', async () => {
    await open();
    const result = await run();
    expect(result).not.toHaveProperty('costIsAtMost');
    expect(Math.round(result.costUsd! * 1_000_000)).toBe(t.sim.meter().totalMicroUsd);
    const { phases } = await showRun(t.app, result.runId);
    expect(t.ledger.markOf(result.runId, 'checkpoint')).toBeGreaterThan(0);
    expect(Math.round(phases!.reduce((sum, phase) => sum + phase.costUsd!, 0) * 1_000_000)).toBe(t.sim.meter().totalMicroUsd);
  });
});

describe('R089 R115 failure and recovery: whatever breaks, nothing is left', () => {
  test('D39 R089 every single command to the machine is made to fail once, from the first to the last', async () => {
    await open();
    for (let nth = 1, failed = true; failed; nth++) {
      let seen = 0;
      const breaking = (shell: Shell): Shell => ({
        ...shell,
        run: async (script, options) => {
          if (++seen === nth) throw new RunctlError('cloud-refused', `command ${nth} was made to fail`);
          return shell.run(script, options);
        },
      });
      t.use({ ...t.provider, shell: async (machine) => breaking(await t.provider.shell(machine)) });
      const outcome = await run().then(() => undefined, (error: RunctlError) => error);
      failed = outcome !== undefined;
      if (failed) {
        expect(outcome).toBeInstanceOf(RunctlError);
        expect(outcome!.message).toContain(`command ${nth} was made to fail`);
        expect(outcome!.step).toBeTruthy();
      } else {
        expect(nth).toBeGreaterThan(5);
      }
      expect(await alive()).toEqual([]);
    }
  });

  test.each(['find', 'readiness', 'shell', 'create', 'plan', 'checks'] as const)('R089 %s fails: one clear error, no machine', async (method) => {
    await open();
    const broken = { ...t.provider } as unknown as Record<string, unknown>;
    // `find` serves the clean-up too; a cloud that fails for ever is the next test.
    let failures = method === 'find' ? 1 : Infinity;
    const real = (t.provider as unknown as Record<string, (...args: unknown[]) => unknown>)[method]!;
    broken[method] = async (...args: unknown[]) => {
      if (failures-- > 0) throw new RunctlError('cloud-refused', `${method} was made to fail`);
      return real.apply(t.provider, args);
    };
    t.use(broken as unknown as Provider);
    expect((await failure(run())).message).toContain(`${method} was made to fail`);
    expect(await alive()).toEqual([]);
  });

  test('R089 when even the clean-up fails, the machine, its price and the command are named', async () => {
    await open();
    t.use({ ...t.provider, terminate: async () => Promise.reject(new RunctlError('cloud-refused', 'terminate was made to fail')) });
    const error = await failure(run({ args: ['3'] }));
    expect(error.code).toBe('job-failed');
    const [id] = Object.keys(await t.machines());
    const note = t.events.find((event) => event.kind === 'note' && event.text.includes('may still cost'));
    expect(note).toMatchObject({ text: expect.stringMatching(/\$0\.0\d+ an hour/), hints: [`runctl aws terminate ${id} --wait`] });
  });
});

describe('R089 a disk that fills up', () => {
  test('R089 when the ledger can no longer be written, the machine is terminated all the same', async () => {
    await open();
    const full = (): never => {
      throw new RunctlError('state-unusable', 'the ledger cannot be used', { cause: 'The disk is full.' });
    };
    t.app.ledger = async () => {
      const made = Object.keys(await t.machines()).length > 0;
      return { ...t.ledger, intend: (effect) => (effect.step === 'create' && !made ? t.ledger.intend(effect) : full()) };
    };
    const error = await failure(run());
    expect(error.code).toBe('state-unusable');
    expect(await alive()).toEqual([]);
  });
});

describe('R090 R115 failure and recovery: a failed training', () => {
  test('R090 results are rescued, the machine is terminated, the exit code is 4', async () => {
    await open();
    const error = await failure(run({ args: ['3'] }));
    expect(error).toMatchObject({ code: 'job-failed', exitCode: 4, data: { machineState: 'terminated' } });
    const runId = t.ledger.listRuns({ limit: 1 })[0]!.id;
    expect(existsSync(join(t.project, 'runs', runId, 'checkpoints/one.json'))).toBe(true);
    expect(readFileSync(join(t.project, 'runs', runId, 'training_exit_code.txt'), 'utf8').trim()).toBe('3');
    // R207: after a failure too.
    expect(Math.round((await showRun(t.app, runId)).costUsd! * 1_000_000)).toBe(t.sim.meter().totalMicroUsd);
    expect(await alive()).toEqual([]);
  });

  test('R090 --on-failure stop leaves a stopped machine, keep leaves it running and says what it costs', async () => {
    await open();
    await failure(run({ args: ['3'], onFailure: 'stop' }));
    expect(await alive()).toEqual(['stopped']);
    await failure(run({ args: ['3'], onFailure: 'keep' }));
    expect((await alive()).sort()).toEqual(['running', 'stopped']);
    // R207: both are within the minute that is billed at least.
    const costs = await Promise.all(t.ledger.listRuns().map(async ({ id }) => (await showRun(t.app, id)).costUsd!));
    expect(Math.round((costs[0]! + costs[1]!) * 1_000_000)).toBe(t.sim.meter().totalMicroUsd);
    expect(t.events.some((event) => event.kind === 'note' && /keeps running and costs \$/.test(event.text))).toBe(true);
  });

  test('R090 results that cannot come home are not thrown away with the machine: it is stopped, and the way to them is told', async () => {
    await open();
    t.write('job.py', 'import os\nopen(os.environ["RUNCTL_CHECKPOINT_DIR"] + "/w.bin", "wb").write(os.urandom(9_000_000))\n');
    const error = await failure(run());
    expect(error).toMatchObject({ code: 'bucket-missing', exitCode: 3, data: { machineState: 'stopped', exitCode: 0 } });
    const id = error.data!['machine'] as string;
    expect(error.hints).toEqual(expect.arrayContaining([`runctl aws start ${id} --wait`, `runctl aws terminate ${id} --wait   (fetches the results first)`]));
    expect((await t.machines())[id]).toBe('stopped');
    expect(t.events).toContainEqual(expect.objectContaining({ kind: 'note', text: expect.stringMatching(/was not terminated: the only copy of the results is on its disk, which costs \$0\.\d+ an hour/) as string }));
    expect(t.events.some((event) => event.kind === 'step.started' && event.step === 'rescue')).toBe(false);
  });

  test('R090 Ctrl-C while training: the job may save, results are rescued, nothing goes on billing', async () => {
    await open();
    t.write('long.py', 'import os, signal, sys, time\nd = os.environ["RUNCTL_CHECKPOINT_DIR"]\ndef save(*_):\n    open(d + "/saved-on-term.json", "w").write("{}")\n    sys.exit(143)\nsignal.signal(signal.SIGTERM, save)\nprint("ready", flush=True)\nwhile True: time.sleep(0.05)\n');
    const running = run({ script: 'long.py' });
    const waiting = setInterval(() => {
      if (t.logLines().includes('ready')) {
        clearInterval(waiting);
        t.interrupt(new RunctlError('interrupted', 'interrupted by Ctrl-C'));
      }
    }, 20);
    const error = await failure(running);
    expect(error).toMatchObject({ code: 'interrupted', exitCode: 130 });
    const record = t.ledger.listRuns({ limit: 1 })[0]!;
    expect(record.state).toBe('interrupted');
    expect(existsSync(join(t.project, 'runs', record.id, 'checkpoints/saved-on-term.json'))).toBe(true);
    expect(await alive()).toEqual([]);
  });
});

describe('creating', () => {
  const request = { provider: 'aws', type: 't3.micro', wait: false, timeoutMs: 60_000, dryRun: false };

  test('R015 the limit stops the next machine, names the way out, and can be raised', async () => {
    await open({ config: { 'aws.max_instances': 2 } });
    await create(t.app, request);
    await create(t.app, request);
    const error = await failure(create(t.app, request));
    expect(error).toMatchObject({ code: 'limit-reached' });
    expect(error.hints.join('\n')).toMatch(/terminate/);
    expect(error.hints.join('\n')).toMatch(/config set aws\.max_instances/);
    expect(await alive()).toHaveLength(2);
    t.app.config.aws.max_instances = 3;
    expect((await create(t.app, request)).instanceId).toMatch(/^i-[0-9a-f]{17}$/);
  });

  test('R025 --dry-run shows plan and price, asks EC2, creates nothing', async () => {
    await open();
    expect(await create(t.app, { ...request, dryRun: true })).toMatchObject({ dryRun: true, state: 'planned', instanceId: undefined, costPerHourUsd: expect.any(Number) });
    expect(await t.machines()).toEqual({});
  });

  test('R013 R026 the profile is passed on and reported; phases are told with their times', async () => {
    await open();
    const made = await create(t.app, { ...request, profile: 'runctl-ssm-profile', wait: true });
    expect(made).toMatchObject({ iamInstanceProfile: 'runctl-ssm-profile', ssm: 'connected', state: 'running' });
    const rows = t.sim.cloud.world.table<{ profile?: { arn: string } }>('ec2.instances').values();
    expect(rows[0]!.profile!.arn).toMatch(/instance-profile\/runctl-ssm-profile$/);
    const phases = t.events.flatMap((event) => (event.kind === 'step.done' ? [[event.step, typeof event.elapsedMs]] : []));
    expect(phases).toEqual([['preflight', 'number'], ['plan', 'number'], ['create', 'number'], ['running', 'number'], ['ssm', 'number']]);
  });

  test('R080 R089 a machine that was made but never became ready is named, with its price and the way to end it', async () => {
    await open({ dial: { ssmOnlineMs: 3_600_000 } });
    const error = await failure(create(t.app, { ...request, profile: 'runctl-ssm-profile', wait: true, timeoutMs: 1500 }));
    const [id] = Object.keys(await t.machines());
    expect(error).toMatchObject({ code: 'ssm-not-ready', exitCode: 5, step: 'wait for SSM' });
    expect(error.reason).toMatch(new RegExp(`${id} was created and costs \\$0\\.0\\d+ an hour`));
    expect(error.hints).toContain(`runctl aws terminate ${id} --wait`);
  });

  test('R089 a reply that is lost after the machine was made: the machine is found by its token and terminated', async () => {
    await open();
    t.use({
      ...t.provider,
      create: async (plan, token, signal) => {
        await t.provider.create(plan, token, signal);
        throw new RunctlError('endpoint-unreachable', 'the reply was lost');
      },
    });
    expect((await failure(create(t.app, request))).message).toBe('the reply was lost');
    expect((await failure(run())).message).toBe('the reply was lost');
    expect(Object.keys(await t.machines())).toHaveLength(2);
    expect(await alive()).toEqual([]);
    expect(t.ledger.findOpenEffects()).toEqual([]);
  });

  test('a refusal for want of capacity is final at once: nothing is searched for', async () => {
    await open();
    t.use({ ...t.provider, create: async () => Promise.reject(new RunctlError('capacity', 'no capacity')), findByToken: async () => expect.unreachable() });
    expect((await failure(create(t.app, request))).code).toBe('capacity');
    expect(t.ledger.findOpenEffects()).toEqual([]);
  });

  test('R089 Ctrl-C in the middle of the launch leaves no machine', async () => {
    await open();
    t.use({
      ...t.provider,
      create: async (plan, token) => {
        await t.provider.create(plan, token);
        t.interrupt(new RunctlError('interrupted', 'interrupted by Ctrl-C'));
        throw t.app.signal.reason;
      },
    });
    expect((await failure(run())).code).toBe('interrupted');
    expect(Object.keys(await t.machines())).toHaveLength(1);
    expect(await alive()).toEqual([]);
  });
});
