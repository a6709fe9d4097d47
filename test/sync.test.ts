// The sync on a real machine of the pretend cloud: what goes, what a script finds there, what is said when something is missing.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, linkSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RunctlError } from '../src/core/errors.ts';
import { create } from '../src/engine/create.ts';
import { explainSync } from '../src/engine/explain-sync.ts';
import { trainLocally } from '../src/engine/local.ts';
import { trainingStatus } from '../src/engine/status.ts';
import { type TrainRequest, type TrainResult, train } from '../src/engine/train.ts';
import { workflowTrain } from '../src/engine/workflow-train.ts';
import { runCli, withState } from './support/cli.ts';
import { type TestApp, openTestApp } from './support/test-app.ts';

let t: TestApp;
let machineId: string;
let bucketed: TestApp;
let bucketMachine: string;

beforeAll(async () => {
  [t, bucketed] = await Promise.all([openTestApp(), openTestApp({ bucket: 'sync-bucket' })]);
  const make = async ({ app }: TestApp): Promise<string> => (await create(app, { provider: 'aws', type: 't3.micro', profile: 'runctl-ssm-profile', wait: true, timeoutMs: 60_000, dryRun: false })).instanceId as string;
  [machineId, bucketMachine] = await Promise.all([make(t), make(bucketed)]);
});
afterAll(() => Promise.all([t?.close(), bucketed?.close()]));
beforeEach(() => {
  // Not by Node, which cannot name what is no UTF-8.
  for (const { project } of [t, bucketed]) execFileSync('find', [project, '-mindepth', '1', '-maxdepth', '1', '!', '-name', 'pyproject.toml', '-exec', 'rm', '-rf', '{}', '+']);
  t.events.length = 0;
});

const trainIn = (where: TestApp, script: string, more: Partial<TrainRequest> = {}): Promise<TrainResult> =>
  train(where.app, { provider: 'aws', machineId: where === t ? machineId : bucketMachine, script, args: [], includePatterns: [], syncCode: true, install: false, wait: true, force: false, ...more });
const failure = async (promise: Promise<unknown>): Promise<RunctlError> => promise.then(() => expect.unreachable('it should have failed'), (error: unknown) => error as RunctlError);

/** Prints what it finds around itself: kind, mode, hash, name in hex. */
const LIST = `import hashlib, os, stat, sys
for directory, names, files in os.walk(b"."):
    for name in files + [n for n in names if os.path.islink(os.path.join(directory, n))]:
        path = os.path.relpath(os.path.join(directory, name), b".")
        found = os.lstat(path)
        content = os.readlink(path) if stat.S_ISLNK(found.st_mode) else open(path, "rb").read()
        print("FOUND", "l" if stat.S_ISLNK(found.st_mode) else "%o" % (found.st_mode & 0o777), hashlib.sha256(content).hexdigest(), path.hex())
`;

describe('R039 R272 what arrives', () => {
  test.each(['shell', 'bucket'])('R272 through the %s: every byte, mode and link, whatever the names', async (route) => {
    const where = route === 'shell' ? t : bucketed;
    const { project } = where;
    where.write('list.py', LIST);
    const raw = (...parts: (string | number[])[]): Buffer => Buffer.concat([Buffer.from(`${project}/`), ...parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part)))]);
    const long = `${'d'.repeat(255)}/${'e'.repeat(255)}`;
    mkdirSync(join(project, long), { recursive: true });
    mkdirSync(join(project, 'read-only'));
    mkdirSync(join(project, 'empty'));
    // macOS refuses names that are no UTF-8; Linux does not.
    const names = [`${long}/${'f'.repeat(255)}`, '-rf', '--help', 'new\nline', ' blank ', '*', '$(id)', "q'u\"o`te", 'back\\slash', '\u001b[31mred', 'ünï', 'read-only/x', 'empty.txt', '#h', '!b', '{{x}}', '%s'];
    const all = [...names.map((name) => raw(name)), ...(process.platform === 'linux' ? [raw([0xff, 0x0a, 0xfe]), raw([0x80])] : [])];
    all.forEach((file, i) => writeFileSync(file, i % 2 ? Buffer.from([i, 0, 255, 10]) : ''));
    chmodSync(join(project, '-rf'), 0o444);
    chmodSync(join(project, '*'), 0o755);
    chmodSync(join(project, '--help'), 0o700);
    chmodSync(join(project, 'read-only'), 0o555);
    linkSync(join(project, 'empty.txt'), join(project, 'hard'));
    symlinkSync('read-only/x', join(project, 'link'));
    symlinkSync('read-only', join(project, 'dir-link'));
    symlinkSync('nowhere', join(project, 'dangling'));
    symlinkSync('/etc/hostname', join(project, 'absolute'));
    await trainIn(where, 'list.py');
    chmodSync(join(project, 'read-only'), 0o755);
    const found = Object.fromEntries(where.logLines().filter((line) => line.startsWith('FOUND ')).map((line) => {
      const [, kind, sha256, name] = line.split(' ');
      return [Buffer.from(name!, 'hex').toString('latin1'), `${kind} ${sha256}`];
    }));
    const expected: Record<string, string> = {};
    const paths = [...all, raw('list.py'), raw('pyproject.toml'), raw('hard'), raw('link'), raw('dir-link'), raw('dangling')];
    for (const path of paths) {
      const stat = lstatSync(path);
      const content = stat.isSymbolicLink() ? readlinkSync(path, { encoding: 'buffer' }) : readFileSync(path);
      const kind = stat.isSymbolicLink() ? 'l' : stat.mode & 0o111 ? '755' : '644';
      expected[path.subarray(project.length + 1).toString('latin1')] = `${kind} ${createHash('sha256').update(content).digest('hex')}`;
    }
    // The agent's own: where the script may save.
    delete found['checkpoints'];
    expect(found).toEqual(expected);
    const warnings = where.events.flatMap((event) => (event.kind === 'note' && event.level === 'warning' ? [event.text] : []));
    expect(warnings).toContain('"absolute" is not sent: it is a link that leads out of the project');
    expect(warnings).toContain('"dangling" is a link to "nowhere", which is not sent');
  });

  test('D25 a file that was deleted here is not there in the next run', async () => {
    t.write('list.py', 'import glob\nprint("SEES", sorted(glob.glob("*.py")))\n');
    t.write('old.py', '');
    await trainIn(t, 'list.py');
    expect(t.logLines().at(-1)).toBe("SEES ['list.py', 'old.py']");
    rmSync(join(t.project, 'old.py'));
    await trainIn(t, 'list.py');
    expect(t.logLines().at(-1)).toBe("SEES ['list.py']");
  });

  test('R050 a second sync while a job runs goes to a directory of its own', async () => {
    t.write('slow.py', 'import os, time\nfor i in range(200):\n    if os.path.exists(os.environ["RUNCTL_CHECKPOINT_DIR"] + "/../../go"): break\n    time.sleep(0.05)\nprint("STILL", open("value.txt").read())\n');
    t.write('quick.py', 'import os\nopen(os.environ["RUNCTL_CHECKPOINT_DIR"] + "/../../go", "w").close()\nprint("NOW", open("value.txt").read())\n');
    t.write('value.txt', 'first');
    const slow = await trainIn(t, 'slow.py', { wait: false });
    t.write('value.txt', 'second');
    rmSync(join(t.project, 'slow.py'));
    await trainIn(t, 'quick.py', { force: true });
    expect(t.logLines().at(-1)).toBe('NOW second');
    const shell = await t.provider.shell({ id: machineId } as Parameters<TestApp['provider']['shell']>[0]);
    const log = `$HOME/runctl/runs/${slow.runId}/training.log`;
    const { stdout } = await shell.run(`for home in "$HOME" /home/*; do f="$home/runctl/runs/${slow.runId}/training.log"; [ -f "$f" ] || continue; n=0; while [ $n -lt 100 ] && ! grep -q STILL "$f"; do sleep 0.1; n=$((n+1)); done; cat "$f"; break; done`);
    expect(stdout, log).toContain('STILL first');
  });
});

describe('R048 missing files', () => {
  test('R048 a script that imports a module which was not sent: the rule and the flag are in the error', async () => {
    t.write('.gitignore', '# made here\nlocal_settings.py\n');
    t.write('local_settings.py', 'x = 1\n');
    t.write('train.py', 'import local_settings\n');
    const error = await failure(trainIn(t, 'train.py'));
    expect(error).toMatchObject({ code: 'job-failed', exitCode: 4 });
    expect(error.reason).toContain('module local_settings is here as local_settings.py but was not sent: local_settings.py is ignored by .gitignore (.gitignore:2: local_settings.py)');
    expect(error.hints[0]).toBe('--include-pattern "local_settings.py"');
    expect(await trainIn(t, 'train.py', { includePatterns: ['local_settings.py'] })).toMatchObject({ phase: 'succeeded' });
    // Nothing of this in the ledger: it would be as long as the project.
    expect(JSON.stringify(t.ledger.listRuns({ limit: 5 }))).not.toContain('made here');
  });

  test('R048 R049 a file of data that stays here is named; a script that fails for other reasons gets no such advice', async () => {
    t.write('.gitignore', 'data/\n');
    t.write('data/train.csv', '1\n');
    t.write('train.py', 'open("data/train.csv")\n');
    expect((await failure(trainIn(t, 'train.py'))).hints).toContain('--include-pattern "data/train.csv"');
    t.write('train.py', 'raise ValueError("data/train.csv")\n');
    expect((await failure(trainIn(t, 'train.py'))).hints.join('\n')).not.toContain('--include-pattern');
  });
});

describe('R045 R047 on the way', () => {
  test('R047 bytes advance while packing and sending', async () => {
    t.write('train.py', 'pass\n');
    writeFileSync(join(t.project, 'data.bin'), Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 2_654_435_761) >>> 24)));
    await trainIn(t, 'train.py');
    const moves = t.events.flatMap((event) => (event.kind === 'transfer.moved' && event.step === 'sync' ? [event] : []));
    expect(moves.map((move) => move.stage)).toEqual(expect.arrayContaining(['pack', 'send']));
    for (const stage of ['pack', 'send'] as const) {
      const own = moves.filter((move) => move.stage === stage);
      expect(own.map((move) => move.doneBytes)).toEqual(own.map((move) => move.doneBytes).toSorted((a, b) => a - b));
      expect(own.at(-1)!.doneBytes).toBe(own.at(-1)!.totalBytes);
    }
    expect(t.events.flatMap((event) => (event.kind === 'step.progress' && event.step === 'sync' ? [event.detail] : []))).toContainEqual(expect.stringMatching(/^sending: \d+\.\d of \d+\.\d KiB$/));
    expect(t.events).toContainEqual(expect.objectContaining({ kind: 'step.done', step: 'sync', detail: expect.stringMatching(/^3 files, .* 0 skipped, via ssm, verified$/) }));
  });

  test.each([
    ['one byte of the upload', (bytes: Buffer) => bytes.fill(bytes[bytes.length >> 1]! ^ 1, bytes.length >> 1, (bytes.length >> 1) + 1)],
    ['the end of the archive', (bytes: Buffer) => bytes.subarray(0, -10)],
  ])('R045 %s is lost on the way through the bucket: sync-failed, and no training is started', async (_what, damage) => {
    bucketed.write('train.py', 'open("/tmp/started", "w")\n');
    const store = (await bucketed.app.store())!;
    const scratch = join(tmpdir(), `sync-test-${process.pid}`);
    const app = {
      ...bucketed.app,
      store: async () => ({
        ...store,
        put: async (key: string, file: string, options: Parameters<typeof store.put>[2]) => {
          writeFileSync(scratch, damage(readFileSync(file)));
          await store.put(key, scratch, options);
        },
      }),
    };
    const before = (await trainingStatus(app, { provider: 'aws', machineId: bucketMachine })).runId;
    const error = await failure(train(app, { provider: 'aws', machineId: bucketMachine, script: 'train.py', args: [], includePatterns: [], syncCode: true, install: false, wait: true, force: false })).finally(() => rmSync(scratch, { force: true }));
    expect(error).toMatchObject({ code: 'sync-failed', exitCode: 2, data: { stage: 'check' } });
    expect((await trainingStatus(app, { provider: 'aws', machineId: bucketMachine })).runId).toBe(before);
  });

  test('Ctrl-C while sending leaves no file here', async () => {
    const mine = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('runctl-pack-') && name.includes(`-${process.pid}-`));
    const own = await openTestApp();
    try {
      const made = await create(own.app, { provider: 'aws', type: 't3.micro', profile: 'runctl-ssm-profile', wait: true, timeoutMs: 60_000, dryRun: false });
      own.write('train.py', 'pass\n');
      const report = own.app.report;
      own.app.report = (event) => {
        report(event);
        if (event.kind === 'transfer.moved' && event.stage === 'send') own.interrupt(new RunctlError('interrupted', 'interrupted by Ctrl-C'));
      };
      const error = await failure(train(own.app, { provider: 'aws', machineId: made.instanceId as string, script: 'train.py', args: [], includePatterns: [], syncCode: true, install: false, wait: true, force: false }));
      expect(error.code).toBe('interrupted');
      expect(mine()).toEqual([]);
    } finally {
      await own.close();
    }
  });
});

describe('R042 R043 R044 the same project everywhere', () => {
  test('R042 train, workflow, local and --explain speak of the same root', async () => {
    t.write('pkg/requirements.txt', '');
    t.write('pkg/src/train.py', 'import os\nprint("AT", os.path.basename(os.getcwd()), os.path.exists("requirements.txt"), os.path.exists("src/train.py"))\n');
    const script = 'pkg/src/train.py';
    expect(await explainSync(t.app, { script, includePatterns: [] })).toMatchObject({ root: join(t.project, 'pkg'), script: 'src/train.py', marker: join(t.project, 'pkg/requirements.txt') });
    expect(await trainIn(t, script)).toMatchObject({ script: 'src/train.py' });
    expect(t.logLines().at(-1)).toBe('AT code True True');
    const outside = { script, projectRoot: 'pkg/src/..', args: [] };
    expect(await explainSync(t.app, { ...outside, includePatterns: [] })).toMatchObject({ root: join(t.project, 'pkg'), why: 'given by --project-root' });
  });

  test('R043 R044 a script outside of the project is refused by every caller before anything is asked of the cloud', async () => {
    t.write('a/requirements.txt', '');
    t.write('b/train.py', '');
    const untouched = { ...t.app, provider: async () => expect.unreachable('the cloud was asked'), ledger: async () => expect.unreachable('a run was begun') };
    const request = { script: 'b/train.py', projectRoot: 'a', args: [], includePatterns: [] };
    const callers: Promise<unknown>[] = [
      train(untouched, { ...request, provider: 'aws', machineId: 'i-0abc', syncCode: true, install: false, wait: false, force: false }),
      workflowTrain(untouched, { ...request, provider: 'aws', type: 't3.micro', syncCode: true, install: false, onFailure: 'terminate', keep: false, timeoutMs: 60_000 }),
      trainLocally(untouched, request),
      explainSync(untouched, request),
    ];
    for (const caller of callers) {
      const error = await failure(caller);
      expect(error).toMatchObject({ code: 'script-missing', exitCode: 1, message: `the script ${t.project}/b/train.py lies outside the project ${t.project}/a`, hints: expect.arrayContaining([`--project-root ${t.project}/b`]) });
    }
  });
});

describe('R049 --explain', () => {
  test('R049 what goes, what stays and by which rule, without a cloud', async () => {
    t.write('.gitignore', 'data/\n*.log\n!keep.log\n');
    for (const file of ['train.py', 'src/m.py', 'data/a.csv', 'data/b.csv', 'a.log', 'keep.log', '.env', 'src/__pycache__/m.pyc', 'myenv/pyvenv.cfg', 'myenv/lib/x.py', 'big.mp4']) t.write(file, 'x');
    const offline = { ...t.app, config: { ...t.app.config, sync: { ...t.app.config.sync, exclude: ['*.mp4'] } }, provider: async () => expect.unreachable('asked'), store: async () => expect.unreachable('asked'), ledger: async () => expect.unreachable('asked') };
    const explanation = await explainSync(offline, { script: 'train.py', includePatterns: ['data/a.csv'] });
    expect(explanation.files.map((file) => file.path)).toEqual(['.gitignore', 'data/a.csv', 'keep.log', 'pyproject.toml', 'src/m.py', 'train.py']);
    expect(explanation).toMatchObject({ root: t.project, marker: join(t.project, 'pyproject.toml'), script: 'train.py', fileCount: 6, route: 'direct', maxDirectBytes: 2 * 1024 * 1024 });
    expect(explanation.packedBytes).toBeGreaterThan(100);
    const rules = Object.fromEntries(explanation.skipped.map(({ path, reason, rule }) => [path, `${reason} ${rule}`]));
    expect(rules).toEqual({
      '.env': 'secret .env*', 'a.log': 'gitignore .gitignore:2: *.log', 'data/b.csv': 'gitignore .gitignore:1: data/', 'src/__pycache__/m.pyc': 'cache __pycache__/',
      'myenv/pyvenv.cfg': 'cache myenv/pyvenv.cfg', 'myenv/lib/x.py': 'cache myenv/pyvenv.cfg', 'big.mp4': 'exclude *.mp4',
    });
    const small = { ...offline, config: { ...offline.config, sync: { ...offline.config.sync, max_direct_mb: 0 } } };
    expect(await explainSync(small, { script: 'train.py', includePatterns: [] })).toMatchObject({ route: 'too-large' });
    const withBucket = { ...offline, config: { ...offline.config, aws: { ...offline.config.aws, s3_bucket: 'b-1' } } };
    expect(await explainSync(withBucket, { script: 'train.py', includePatterns: [] })).toMatchObject({ route: 'bucket', bucket: 'b-1' });
  });

  test('R049 a script that itself stays here is refused with the rule', async () => {
    t.write('.gitignore', 'train.py\n');
    t.write('train.py', '');
    const error = await failure(explainSync(t.app, { script: 'train.py', includePatterns: [] }));
    expect(error).toMatchObject({ code: 'script-missing', reason: 'train.py is left out: ignored by .gitignore (.gitignore:1: train.py).', hints: ['--include-pattern "train.py"'] });
  });

  test('R049 on the command line, without credentials, a cloud or a trace', async () => {
    await withState(async (state) => {
      writeFileSync(join(state.project, 'train.py'), '');
      writeFileSync(join(state.project, '.env'), '');
      for (const words of [['workflow', 'train'], ['aws', 'train', 'i-0abc']]) {
        const text = await runCli([...words, 'train.py', '--explain'], { state });
        expect(text).toMatchObject({ code: 0, stderr: '' });
        expect(text.stdout).toContain('train.py');
        expect(text.stdout).toContain('built-in: .env*\n      .env\n');
        const json = await runCli([...words, 'train.py', '--explain', '--output', 'json', '--include-pattern', '.env'], { state });
        expect(JSON.parse(json.stdout)).toMatchObject({ fileCount: 2, route: 'direct', files: [{ path: '.env' }, { path: 'train.py' }] });
      }
      expect(existsSync(join(state.directory, 'state'))).toBe(false);
    });
  });
});
