// Jobs on a real machine of the pretend cloud: one at a time, ended in order, their machine taken away, commands beside them.
import fc from 'fast-check';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunctlError } from '../src/core/errors.ts';
import { newRunId } from '../src/core/ids.ts';
import type { Machine } from '../src/core/machine.ts';
import type { App } from '../src/engine/app.ts';
import { create } from '../src/engine/create.ts';
import { type ExecItem, type ExecRequest, exec } from '../src/engine/exec.ts';
import { type LifecycleRequest, changeLifecycle } from '../src/engine/lifecycle.ts';
import { monitor } from '../src/engine/monitor.ts';
import { processes, watchProcesses } from '../src/engine/processes.ts';
import { trainingStatus } from '../src/engine/status.ts';
import { stopTraining } from '../src/engine/stop-training.ts';
import { type TrainRequest, type TrainResult, train } from '../src/engine/train.ts';
import { until } from './support/agent-box.ts';
import { type TestApp, openTestApp } from './support/test-app.ts';
import { anyText } from './support/any-text.ts';

let t: TestApp;
let id: string;

beforeAll(async () => {
  t = await openTestApp();
  t.write('saver.py', SAVER);
  t.write('say.py', 'import os, sys\nopen("here.txt", "w").write(sys.argv[1])\nprint("run", sys.argv[1], os.getcwd())\n');
  t.write('burn.py', 'import os\nprint("ready", flush=True)\nwhile not os.path.exists("go"): sum(range(20000))\n');
  t.write('quick.py', 'import os\nopen(os.environ["RUNCTL_CHECKPOINT_DIR"] + "/m.json", "w").write("{}")\n');
  t.write('deaf.py', 'import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint("ready", flush=True)\nwhile True: time.sleep(0.05)\n');
  id = await machine();
});
afterAll(() => t?.close());

async function machine(): Promise<string> {
  const made = await create(t.app, { provider: 'aws', type: 't3.micro', profile: 'runctl-ssm-profile', wait: true, timeoutMs: 60_000, dryRun: false });
  return made.instanceId as string;
}

const trainOn = (machineId: string, script: string, more: Partial<TrainRequest> = {}, app: App = t.app): Promise<TrainResult> =>
  train(app, { provider: 'aws', machineId, script, args: [], includePatterns: [], syncCode: true, install: false, wait: false, force: false, ...more } as TrainRequest);
const change = (verb: 'start' | 'stop' | 'terminate', machineId: string, more: Partial<LifecycleRequest> = {}, app: App = t.app) => changeLifecycle(app, verb, { provider: 'aws', machineId, wait: true, timeoutMs: 60_000, ...more });
const failure = async (promise: Promise<unknown>): Promise<RunctlError> => promise.then(() => expect.unreachable('it should have failed'), (error: unknown) => error as RunctlError);
const statusOf = (machineId: string, runId: string) => trainingStatus(t.app, { provider: 'aws', machineId, runId });
const logOf = async (machineId: string, runId: string): Promise<string> => {
  let text = '';
  for await (const item of monitor(t.app, { provider: 'aws', machineId, runId, follow: false })) text += item.kind === 'log' ? item.text : '';
  return text;
};
const saysReady = (machineId: string, runId: string) => until(`${runId} to be ready`, async () => ((await logOf(machineId, runId)).includes('ready') ? true : undefined));
/** `--yes`, a person who says no, and a script without anybody: what was asked is kept. */
function asked(answer: 'yes' | 'no' | 'nobody'): { app: App; questions: string[] } {
  const questions: string[] = [];
  const app: App = {
    ...t.app,
    ask: async ({ text, flag }) => {
      questions.push(text);
      if (answer === 'nobody') throw new RunctlError('declined', `nobody is here to answer: ${text}`, { cause: 'Standard input is not a terminal.', hints: [flag] });
      return answer === 'yes';
    },
  };
  return { app, questions };
}

/** Saves when it is asked to end, and says so with its exit code. */
const SAVER = `import os, signal, sys, time
def save(*_):
    open(os.environ["RUNCTL_CHECKPOINT_DIR"] + "/last.json", "w").write("saved in time")
    print("saved", flush=True)
    sys.exit(9)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
while True: time.sleep(0.02)
`;

describe('one job for each machine', () => {
  test('R059 two trains at once: exactly one starts, the other names PID, run, time and choices', async () => {
    for (let round = 0; round < 2; round += 1) {
      const both = await Promise.allSettled([trainOn(id, 'saver.py'), trainOn(id, 'saver.py')]);
      const won = both.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      const lost = both.flatMap((one) => (one.status === 'rejected' ? [one.reason as RunctlError] : []));
      expect([won.length, lost.length]).toEqual([1, 1]);
      const { runId } = won[0]!;
      const pid = (await processes(t.app, { provider: 'aws', machineId: id, detailed: false })).jobs.find((job) => job.runId === runId)?.pid;
      expect(lost[0]).toMatchObject({ code: 'job-running', exitCode: 1, data: { running: { runId } } });
      expect(lost[0]!.message).toMatch(new RegExp(`saver\\.py \\(${runId}, pid ${pid}, since`));
      const third = await failure(trainOn(id, 'saver.py'));
      expect(third.message).toMatch(new RegExp(`saver\\.py \\(${runId}, pid ${pid}, since \\d{4}-\\d\\d-\\d\\dT`));
      expect(third.hints.map((hint) => hint.split('   ')[0])).toEqual([`runctl aws monitor ${id} --follow`, `runctl aws stop-training ${id}`, `runctl aws train ${id} saver.py --force`]);
      await saysReady(id, runId);
      expect((await stopTraining(t.app, { provider: 'aws', machineId: id })).runs).toEqual([expect.objectContaining({ runId, stopped: 'term', exitCode: 9 })]);
    }
  });

  test('R050 R059 a second train is refused before its code is sent', async () => {
    const first = await trainOn(id, 'saver.py');
    t.events.length = 0;
    const error = await failure(trainOn(id, 'saver.py'));
    expect(error.code).toBe('job-running');
    expect(t.events.flatMap((event) => (event.kind === 'step.started' ? [event.step] : []))).not.toContain('sync');
    await stopTraining(t.app, { provider: 'aws', machineId: id, runId: first.runId });
  });

  test('R050 R060 with --force both run, each in its own directory, and both logs stay readable by their ids', async () => {
    const first = await trainOn(id, 'saver.py');
    await saysReady(id, first.runId);
    const second = await trainOn(id, 'say.py', { args: ['two'], force: true, wait: true });
    expect(await logOf(id, second.runId)).toMatch(new RegExp(`^run two /.*/${second.runId}/code\n$`));
    expect(await logOf(id, first.runId)).toBe('ready\n');
    expect((await statusOf(id, first.runId)).phase).toBe('running');
    await stopTraining(t.app, { provider: 'aws', machineId: id, runId: first.runId });
    expect(await logOf(id, first.runId)).toBe('ready\nsaved\n');
  });
});

describe('logs', () => {
  test.each([
    ['log_dir', 'logs/', (runId: string) => `logs/${runId}.log`],
    ['log_path', '~/all/{run}/out.log', (runId: string) => `all/${runId}/out.log`],
  ])('R061 with train.%s the log is there; monitor, training-status and the results follow it', async (name, value, place) => {
    const app: App = { ...t.app, config: { ...t.app.config, train: { ...t.app.config.train, [name]: value } } };
    const { runId, logPath, outputs } = await trainOn(id, 'say.py', { args: ['x'], wait: true }, app);
    expect(logPath).toMatch(new RegExp(`/${place(runId)}$`));
    expect(await logOf(id, runId)).toMatch(/^run x /);
    expect(await statusOf(id, runId)).toMatchObject({ logPath, phase: 'succeeded' });
    expect(readFileSync(join(t.project, outputs as string, 'training.log'), 'utf8')).toMatch(/^run x /);
    const seen = await run(['sh', '-c', `test ! -L '${logPath}' && cat '${logPath}'`]);
    expect(seen).toMatchObject({ exitCode: 0, stdout: await logOf(id, runId) });
  });

  test('R061 a log that cannot be written ends the train before anything is sent', async () => {
    const app: App = { ...t.app, config: { ...t.app.config, train: { ...t.app.config.train, log_dir: '/proc/nowhere' } } };
    t.events.length = 0;
    const error = await failure(trainOn(id, 'say.py', {}, app));
    expect(error).toMatchObject({ code: 'wrong-state', message: expect.stringContaining('/proc/nowhere') });
    expect(t.events.some((event) => event.kind === 'step.started' && event.step === 'sync')).toBe(false);
  });
});

async function run(words: string[], more: Partial<ExecRequest> = {}, app: App = t.app): Promise<{ exitCode: number | undefined; stdout: string; stderr: string; bytes: Buffer; items: ExecItem[] }> {
  const items: ExecItem[] = [];
  for await (const item of exec(app, { provider: 'aws', machineId: id, words, ...more })) items.push(item);
  const said = (stream: string): string => items.map((item) => (item.kind === 'output' && item.stream === stream ? item.text : '')).join('');
  const end = items.at(-1);
  return { exitCode: end?.kind === 'end' ? end.exitCode : undefined, stdout: said('stdout'), stderr: said('stderr'), bytes: Buffer.concat(items.flatMap((item) => (item.kind === 'output' && item.stream === 'stdout' ? [item.bytes] : []))), items };
}

describe('exec', () => {
  test('R055 arguments of exec arrive byte for byte over SSM, output and exit code come back', async () => {
    const hard = ['', ' ', 'a b', '"', "'", '$HOME', '`id`', '\\', '\n', 'a\nb\n', '-x', '--output', '--', '*', '~', '{{ssm:x}}', 'ü 漢字 🚀', '!', '#', ';', '&&', '|', '\t', '%s', '\u0001', '\r'];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(fc.constantFrom(...hard), anyText({ maxLength: 20 }).map((text) => Buffer.from(text.replaceAll('\0', '')).toString())), { maxLength: 12 }), async (args) => {
        const { bytes, exitCode, stderr } = await run(['python3', '-c', 'import os,sys; os.write(1, b"\\0".join(map(os.fsencode, sys.argv[1:]))); os.write(2, b"and this"); sys.exit(7)', ...args]);
        expect({ text: bytes.toString(), exitCode, stderr }).toEqual({ text: args.join('\0'), exitCode: 7, stderr: 'and this' });
      }),
      { numRuns: 3, examples: [[hard]] },
    );
  });

  test('R055 output far beyond what SSM keeps comes whole, also what is no UTF-8', async () => {
    const { bytes, exitCode } = await run(['python3', '-c', 'import os\nfor i in range(400): os.write(1, bytes((i * 7 + n) % 256 for n in range(250)))']);
    expect(exitCode).toBe(0);
    expect(bytes.equals(Buffer.from(Array.from({ length: 100_000 }, (_, at) => (Math.floor(at / 250) * 7 + (at % 250)) % 256)))).toBe(true);
  });

  test('a character cut by the window arrives whole as text; Ctrl-C and the time limit end the command there', async () => {
    expect((await run(['python3', '-c', 'print("漢" * 20000, end="")'])).stdout).toBe('漢'.repeat(20_000));
    const late = await failure(run(['sh', '-c', 'echo on; sleep 300'], { timeoutMs: 1000 }));
    expect(late).toMatchObject({ code: 'timeout', exitCode: 5, data: { exitCode: 143 } });
    const abort = new AbortController();
    const app: App = { ...t.app, signal: abort.signal };
    const marker = `marker-${Math.random().toString(36).slice(2)}`;
    const stopped = failure((async () => {
      for await (const item of exec(app, { provider: 'aws', machineId: id, words: ['sh', '-c', `echo on; exec sleep 317 # ${marker}`] })) {
        if (item.kind === 'output') abort.abort(new RunctlError('interrupted', 'interrupted by Ctrl-C'));
      }
    })());
    expect(await stopped).toMatchObject({ code: 'interrupted', message: `interrupted; the command on ${id} was ended too` });
    expect((await processes(t.app, { provider: 'aws', machineId: id, detailed: true })).processes.filter(({ command }) => command.includes('sleep 317'))).toEqual([]);
  });

  test('a line for a shell, a missing program, a missing directory and a machine without a command are told', async () => {
    t.events.length = 0;
    expect(await run(['ls | wc -l'])).toMatchObject({ exitCode: 127, stderr: "runctl: there is no program 'ls | wc -l' on this machine\n" });
    expect(t.events.find((event) => event.kind === 'note')).toMatchObject({ hints: [`runctl aws exec ${id} -- sh -c 'LINE'`] });
    expect(await failure(run(['true'], { directory: '/no/where' }))).toMatchObject({ code: 'not-found', message: expect.stringContaining('/no/where') });
    expect(await failure(run([]))).toMatchObject({ code: 'usage' });
    expect(await failure(run(['true'], { machineId: 'i-0123456789abcdef0' }))).toMatchObject({ code: 'not-found' });
  });
});

describe('processes', () => {
  test('D35 D37 a training that computes is there, marked, with its use of CPU; memory, disks and load are numbers', async () => {
    const { runId } = await trainOn(id, 'burn.py');
    await saysReady(id, runId);
    const seen = await processes(t.app, { provider: 'aws', machineId: id, detailed: false });
    const job = seen.processes.find((row) => row.job === runId);
    expect(job?.command).toMatch(/python3.* burn\.py$/);
    expect(job!.cpuPercent).toBeGreaterThan(5);
    expect(seen.jobs).toEqual([{ runId, pid: job!.pid }]);
    expect(seen.processes[0]).toEqual(job);
    expect(seen).toMatchObject({ instanceId: id, load: [expect.any(Number), expect.any(Number), expect.any(Number)], memory: { totalMb: expect.any(Number), usedPercent: expect.any(Number) }, gpus: [] });
    expect(seen.disks[0]).toMatchObject({ mount: '/', usedPercent: expect.any(Number) });
    expect(seen.processes.length).toBeLessThanOrEqual(10);
    const detailed = await processes(t.app, { provider: 'aws', machineId: id, detailed: true });
    expect(detailed.processes.length).toBeLessThanOrEqual(40);
    let looks = 0;
    for await (const look of watchProcesses(t.app, { provider: 'aws', machineId: id, detailed: false, intervalMs: 10 })) {
      expect(look.jobs).toHaveLength(1);
      if (++looks === 2) break;
    }
    await stopTraining(t.app, { provider: 'aws', machineId: id });
    expect((await processes(t.app, { provider: 'aws', machineId: id, detailed: false })).jobs).toEqual([]);
  });
});

describe('ending', () => {
  test('R063 stop-training: the checkpoint is written before it returns, the machine stays, and a later one finds nothing', async () => {
    const { runId } = await trainOn(id, 'saver.py');
    await saysReady(id, runId);
    const { runs } = await stopTraining(t.app, { provider: 'aws', machineId: id, graceMs: 10_000 });
    expect(runs).toEqual([{ runId, stopped: 'term', phase: 'failed', exitCode: 9, checkpoint: expect.stringMatching(/last\.json$/) }]);
    expect(await run(['cat', 'checkpoints/last.json'])).toMatchObject({ stdout: 'saved in time' });
    expect((await stopTraining(t.app, { provider: 'aws', machineId: id })).runs).toEqual([]);
    expect(await failure(stopTraining(t.app, { provider: 'aws', machineId: id, runId: newRunId(Date.now()) }))).toMatchObject({ code: 'not-found' });
    expect((await t.machines())[id]).toBe('running');
  });

  test('R063 stop: SIGTERM, time to save, and what was saved is on the disk when the machine comes back', async () => {
    const { runId } = await trainOn(id, 'saver.py');
    await saysReady(id, runId);
    const { app, questions } = asked('nobody');
    expect(await change('stop', id, { graceMs: 10_000 }, app)).toMatchObject({ state: 'stopped', stoppedRuns: [runId] });
    expect(questions).toEqual([]);
    await change('start', id);
    expect(await statusOf(id, runId)).toMatchObject({ phase: 'failed', exitCode: 9 });
    expect(await run(['cat', 'checkpoints/last.json'], { runId })).toMatchObject({ stdout: 'saved in time' });
  });

  test('D34 R063 R064 terminate with a live job: refused without anybody to ask, left alone on no; on yes the job saves and its results come home', async () => {
    const own = await machine();
    const { runId } = await trainOn(own, 'saver.py');
    await saysReady(own, runId);
    const nobody = await failure(change('terminate', own, {}, asked('nobody').app));
    expect(nobody).toMatchObject({ code: 'declined', exitCode: 6 });
    expect(nobody.message).toMatch(new RegExp(`${runId} trains \\(pid \\d+, since`));
    expect(nobody.hints.map((hint) => hint.split('   ')[0])).toEqual([`runctl aws terminate ${own} --yes`, `runctl aws terminate ${own} --force`, `runctl aws training-status ${own}`]);
    expect(await failure(change('terminate', own, {}, asked('no').app))).toMatchObject({ code: 'declined', message: `${own} was left as it is` });
    expect((await statusOf(own, runId)).phase).toBe('running');
    const { app, questions } = asked('yes');
    expect(await change('terminate', own, {}, app)).toMatchObject({ state: 'terminated', stoppedRuns: [runId], outputs: [`runs/${runId}`] });
    expect(questions).toHaveLength(1);
    expect(readFileSync(join(t.project, 'runs', runId, 'checkpoints/last.json'), 'utf8')).toBe('saved in time');
    expect(readFileSync(join(t.project, 'runs', runId, 'training.log'), 'utf8')).toBe('ready\nsaved\n');
  });

  test('R063 terminate brings home what ended and was never fetched, without a question; --no-fetch and --force do not', async () => {
    const own = await machine();
    const { runId } = await trainOn(own, 'quick.py');
    await until('the end', async () => ((await statusOf(own, runId)).phase === 'succeeded' ? true : undefined));
    expect(await change('terminate', own, {}, asked('nobody').app)).toMatchObject({ state: 'terminated', outputs: [`runs/${runId}`] });
    expect(existsSync(join(t.project, 'runs', runId, 'checkpoints/m.json'))).toBe(true);
    const other = await machine();
    const second = await trainOn(other, 'saver.py');
    await saysReady(other, second.runId);
    expect(await change('terminate', other, { force: true }, asked('nobody').app)).toEqual({ instanceId: other, state: 'terminated', previousState: 'running', publicIp: undefined, costUsd: expect.any(Number), billedS: expect.any(Number) });
    expect(existsSync(join(t.project, 'runs', second.runId))).toBe(false);
  });

  test('R063 results that cannot be fetched keep the machine until somebody says yes; --no-fetch says so at once', async () => {
    const own = await machine();
    const { runId } = await trainOn(own, 'quick.py');
    await until('the end', async () => ((await statusOf(own, runId)).phase === 'succeeded' ? true : undefined));
    t.write('a file', '');
    const nowhere = { ...t.app.config, local: { ...t.app.config.local, output_dir: 'a file/runs' } };
    const refused = await failure(change('terminate', own, {}, { ...asked('nobody').app, config: nowhere }));
    expect(refused).toMatchObject({ code: 'declined', message: expect.stringMatching(new RegExp(`The results of ${runId} \\(.*\\) could not be fetched and are lost with the disk`)) });
    expect((await t.machines())[own]).toBe('running');
    const end = await change('terminate', own, { fetch: false }, { ...asked('nobody').app, config: nowhere });
    expect(end).toMatchObject({ state: 'terminated' });
    expect(end.outputs).toBeUndefined();
  });

  test('R063 a job that ignores SIGTERM is killed when its time is over, and stop goes on', async () => {
    const { runId } = await trainOn(id, 'deaf.py');
    await saysReady(id, runId);
    expect((await stopTraining(t.app, { provider: 'aws', machineId: id, graceMs: 1000 })).runs).toEqual([{ runId, stopped: 'kill', phase: 'failed', exitCode: 137 }]);
  });

  test('R063 a machine that does not answer goes at once when nothing of ours is on it, and else only on yes, naming what is lost', async () => {
    const deaf = { ...t.provider, shell: async () => ({ channel: 'ssm' as const, maxOutputBytes: 1, maxScriptBytes: 1, run: async () => { throw new RunctlError('ssm-not-ready', 'no answer'); } }) };
    const empty = await machine();
    const full = await machine();
    const { runId } = await trainOn(full, 'saver.py');
    await saysReady(full, runId);
    t.use(deaf);
    try {
      expect(await change('terminate', empty, {}, asked('nobody').app)).toMatchObject({ state: 'terminated' });
      const refused = await failure(change('terminate', full, {}, asked('nobody').app));
      expect(refused).toMatchObject({ code: 'declined', message: expect.stringMatching(new RegExp(`does not answer .*: the results of ${runId} are not here and are lost`)) });
      expect((await t.machines())[full]).toBe('running');
      expect(await change('terminate', full, {}, asked('yes').app)).toMatchObject({ state: 'terminated' });
    } finally {
      t.use(t.provider);
    }
  });
});

describe('a machine that is taken away', () => {
  /** The upload never ends by itself: while it is under way the test does what it wants. */
  async function whileSyncing(machineId: string, act: (runId: string) => Promise<void>): Promise<RunctlError> {
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    let reached!: () => void;
    const syncing = new Promise<void>((resolve) => (reached = resolve));
    let scripts = 0;
    const slow = {
      ...t.provider,
      shell: async (of: Machine) => {
        const shell = await t.provider.shell(of);
        return {
          ...shell,
          run: async (script: string, options: object) => {
            // The first script prepares, the second is the first of the sync.
            if (++scripts === 2) {
              reached();
              await held;
            }
            return shell.run(script, options);
          },
        };
      },
    };
    const app: App = { ...t.app, provider: async () => slow as typeof t.provider };
    const ended = failure(trainOn(machineId, 'saver.py', {}, app));
    await syncing;
    const { id: runId } = t.ledger.listRuns({ machineId, state: 'open' })[0]!;
    try {
      await act(runId);
    } finally {
      release();
    }
    return ended;
  }

  test('R064 terminate while another run syncs asks and names it; forced, the run ends with who did it', async () => {
    const own = await machine();
    let terminate!: string;
    const error = await whileSyncing(own, async (runId) => {
      const second = await trainOn(own, 'say.py', { args: ['beside'], wait: true });
      expect(t.events.some((event) => event.kind === 'note' && event.text.includes(`${runId} (process ${process.pid}) is at step sync on ${own}; whichever is launched first runs`))).toBe(true);
      expect(second.exitCode).toBe(0);
      for (const verb of ['terminate', 'stop'] as const) {
        const refused = await failure(change(verb, own, {}, asked('nobody').app));
        expect(refused).toMatchObject({ code: 'declined' });
        expect(refused.message).toContain(`${own} is in use: ${runId} (runctl train, process ${process.pid}) is at step sync. ${verb === 'stop' ? 'Stop' : 'Terminate'} the machine?`);
      }
      await change('terminate', own, {}, asked('yes').app);
      terminate = t.ledger.listRuns({ machineId: own, limit: 1 }).find((one) => one.verb === 'terminate')!.id;
    });
    expect(error).toMatchObject({ code: 'machine-lost', data: { machine: own, takenBy: terminate } });
    expect(error.message).toBe(`${own} was terminated while sync code was under way`);
    expect(error.reason).toContain(`It was terminated by "runctl aws terminate" (${terminate})`);
    expect(error.hints.every((hint) => hint.startsWith('runctl '))).toBe(true);
  });

  test('R064 a machine that vanishes by other hands: the run that used it says so, and why', async () => {
    const own = await machine();
    const error = await whileSyncing(own, async () => void (await t.provider.terminate(own)));
    expect(error.code).toBe('machine-lost');
    expect(`${error.message} ${error.reason}`).toMatch(/terminated|shutting-down/);
    expect(error.reason).toMatch(/ser initiated/);
  });

  test('R064 terminate while another process follows the training: both ends are told, and the results are here', async () => {
    const own = await machine();
    const following = failure(trainOn(own, 'saver.py', { wait: true }));
    const runId = await until('the training', async () => t.ledger.listRuns({ machineId: own, state: 'open' }).find((one) => t.ledger.stepsOf(one.id).some((step) => step.name === 'train'))?.id);
    await saysReady(own, runId);
    const { app, questions } = asked('yes');
    const end = await change('terminate', own, {}, app);
    expect(questions[0]).toContain(`${runId} trains`);
    expect(end).toMatchObject({ state: 'terminated', stoppedRuns: [runId] });
    const error = await following;
    expect(`${error.message} ${error.reason}`).toContain('"runctl aws terminate"');
    expect(['job-failed', 'machine-lost']).toContain(error.code);
    expect(readFileSync(join(t.project, 'runs', runId, 'checkpoints/last.json'), 'utf8')).toBe('saved in time');
  });
});
