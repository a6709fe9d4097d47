// Installing on a machine with the real scripts and real processes; uv is a stand-in that writes down how it was called.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Box, SHELLS, until } from '../../test/support/agent-box.ts';
import source from './dependencies.py?raw';
import { parseInstall, renderInstall, renderInstallStop, renderInstallWatch } from './dependencies.ts';
import type { Wanted } from './dependencies-wanted.ts';
import { parseStop, parseWatch } from './parse.ts';
import { renderPrepare } from './render.ts';

let box: Box;
afterEach(async () => {
  for (const file of installers()) {
    try {
      process.kill(-Number(readFileSync(file, 'utf8').split(' ')[0]), 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  await box.remove();
});

const WANTED: Wanted = { kind: 'list', source: 'train.py', directory: '', file: '', requirements: ["it's==1; python_version > '3'", 'größe==2'], requiresPython: '', names: ['it-s'], key: 'a'.repeat(64), shared: true };

/** Of everything that was started and may still run: the files that name its processes. */
function installers(): string[] {
  const runs = join(box.base, 'installs/runs');
  if (!existsSync(runs)) return [];
  return readdirSync(runs).flatMap((run) => (existsSync(join(runs, run, 'exit_record')) ? [] : ['supervisor', 'job'].map((file) => join(runs, run, file)).filter((file) => existsSync(file))));
}
/** Makes environments as the real one does; `body` is what happens on `uv pip install`. */
function fakeUv(body: string): void {
  const bin = join(box.home, '.local/bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'uv'), `#!/bin/sh\necho "$*" >>${box.home}/calls\nif [ "$1" = venv ]; then for env; do :; done; exec python3 -m venv --without-pip --system-site-packages "$env"; fi\n${body}\n`);
  chmodSync(join(bin, 'uv'), 0o755);
}
const installs = (): number => (existsSync(join(box.home, 'calls')) ? readFileSync(join(box.home, 'calls'), 'utf8').split('\n').filter((line) => line.startsWith('pip install')).length : 0);
async function prepared(): Promise<string> {
  const runId = box.newId();
  await box.run(renderPrepare(runId));
  return runId;
}
const start = async (runId: string, wanted: Wanted = WANTED): Promise<string> => parseInstall(await box.run(renderInstall(runId, { wanted, python: undefined }))).outcome;
const look = async (runId: string) => parseWatch(await box.run(renderInstallWatch(runId, 0, 100_000, 1)));
const ended = (runId: string) => until(`the install of ${runId}`, async () => {
  const chunk = await look(runId);
  return chunk.status.phase === 'running' || chunk.status.phase === 'starting' ? undefined : { ...chunk.status, log: chunk.bytes.toString() };
});
const link = (runId: string): string => readlinkSync(join(box.directory(runId), 'code/.venv'));

describe.each(SHELLS)('with %s as sh', (shell) => {
  test('R053 the environment is made once, named after its content, linked into the code; the next run finds it', async () => {
    box = new Box(shell);
    fakeUv('for last; do :; done; cat "$last"');
    const first = await prepared();
    expect(await start(first)).toBe('launched');
    const { phase, log } = await ended(first);
    expect(phase, log).toBe('succeeded');
    expect(log).toContain("it's==1; python_version > '3'\ngröße==2\n");
    expect(log).toMatch(/runctl: 0 packages in \d+ s \(uv, Python 3[\d.]+\)\n$/);
    expect(link(first)).toMatch(new RegExp(`^${box.base}/envs/[0-9a-f]{16}$`));
    expect(readlinkSync(join(box.directory(first), 'install.log'))).toBe(`../../installs/runs/${first}/training.log`);
    expect(readFileSync(join(box.directory(first), 'install.log'), 'utf8')).toBe(log);
    const second = await prepared();
    expect(await start(second)).toBe('ready');
    expect(link(second)).toBe(link(first));
    expect(installs()).toBe(1);
    // What the link leads to is what the job runs with, and so is everything that it starts by name.
    writeFileSync(join(box.directory(second), 'code/job.sh'), 'command -v python; python -c "import sys; print(sys.prefix)"\n');
    await box.launch({ runId: second, script: 'job.sh' });
    expect((await box.ended(second)).logTail).toBe(`${box.directory(second)}/code/.venv/bin/python\n${box.directory(second)}/code/.venv\n`);
  });
});

test('asking twice for one run installs once', async () => {
  box = new Box();
  fakeUv('sleep 0.3');
  const runId = await prepared();
  expect(await start(runId)).toBe('launched');
  expect(await start(runId)).toBe('already');
  await ended(runId);
  expect(installs()).toBe(1);
});

test('R053 of two runs at once one installs, the other waits for it and says so', async () => {
  box = new Box();
  fakeUv(`until [ -e ${box.home}/go ]; do sleep 0.02; done`);
  const [one, two] = [await prepared(), await prepared()];
  expect([await start(one), await start(two)]).toEqual(['launched', 'launched']);
  await until('the second to wait', async () => ((await look(two)).bytes.toString() + (await look(one)).bytes.toString()).includes('another run installs the same environment') ? true : undefined);
  writeFileSync(join(box.home, 'go'), '');
  const both = [await ended(one), await ended(two)];
  expect(both.map(({ phase }) => phase)).toEqual(['succeeded', 'succeeded']);
  expect(both.filter(({ log }) => /installed already \(uv/.test(log))).toHaveLength(1);
  expect(installs()).toBe(1);
  expect(link(one)).toBe(link(two));
});

test('R053 an installation that was killed half-way, or whose Python has gone, is never used: the next run begins anew', async () => {
  box = new Box();
  fakeUv(`until [ -e ${box.home}/go ]; do sleep 0.02; done`);
  const killed = await prepared();
  await start(killed);
  await until('the installer', async () => (installs() === 1 ? true : undefined));
  const run = join(box.base, 'installs/runs', killed);
  for (const file of ['supervisor', 'job']) process.kill(-Number(readFileSync(join(run, file), 'utf8').split(' ')[0]), 'SIGKILL');
  expect((await ended(killed)).phase).toBe('lost');
  writeFileSync(join(box.home, 'go'), '');
  const next = await prepared();
  expect(await start(next)).toBe('launched');
  expect((await ended(next)).phase).toBe('succeeded');
  expect(installs()).toBe(2);
  rmSync(join(link(next), 'bin/python'));
  const third = await prepared();
  expect(await start(third)).toBe('launched');
  expect((await ended(third)).phase).toBe('succeeded');
  expect(installs()).toBe(3);
});

test('R054 a failed installation leaves no environment, and its exit code is the installer\'s', async () => {
  box = new Box();
  fakeUv('echo "no luck" >&2; exit 3');
  const runId = await prepared();
  await start(runId);
  expect(await ended(runId)).toMatchObject({ phase: 'failed', exitCode: 3, log: expect.stringMatching(/no luck\n$/) });
  expect(readdirSync(join(box.base, 'envs')).filter((name) => !name.endsWith('.lock'))).toEqual([]);
  expect(existsSync(join(box.directory(runId), 'code/.venv'))).toBe(false);
});

test('R054 a stop ends the installer and what it started', async () => {
  box = new Box();
  fakeUv(`sleep 600 & echo $! >${box.home}/child; wait`);
  const runId = await prepared();
  await start(runId);
  const child = await until('the child', async () => (existsSync(join(box.home, 'child')) ? Number(readFileSync(join(box.home, 'child'), 'utf8')) || undefined : undefined));
  expect(parseStop(await box.run(renderInstallStop(runId, 5))).stopped).toBe('term');
  await until('the child to be gone', async () => {
    try {
      process.kill(child, 0);
      return undefined;
    } catch {
      return true;
    }
  });
  expect(await ended(runId)).toMatchObject({ phase: 'failed', exitCode: 143 });
});

test('variables of the job reach the installer and are still there for the job', async () => {
  box = new Box();
  fakeUv('echo "index $UV_INDEX_URL"');
  const runId = await prepared();
  writeFileSync(join(box.directory(runId), 'env.sh'), "export UV_INDEX_URL='https://index.test/a b'\n");
  await start(runId);
  expect((await ended(runId)).log).toContain('index https://index.test/a b\n');
  expect(existsSync(join(box.directory(runId), 'env.sh'))).toBe(true);
});

test('a .venv that came with the code is left alone; directories of the project itself make an environment of one run', async () => {
  box = new Box();
  fakeUv(':');
  const own = await prepared();
  mkdirSync(join(box.directory(own), 'code/.venv/bin'), { recursive: true });
  expect(await start(own)).toBe('ready');
  expect(installs()).toBe(0);
  const one = await prepared();
  await start(one, { ...WANTED, requirements: ['-e .'], shared: false });
  expect((await ended(one)).phase).toBe('succeeded');
  expect(link(one)).toBe(join(box.directory(one), 'environment'));
});

test('a Python that requires-python excludes is passed over, and the error names what there is', async () => {
  box = new Box();
  // Every Python on the PATH is asked for its version, and each shim of a version manager takes a third of a second to answer.
  if (existsSync('/usr/bin/python3')) box.path = '/usr/bin:/bin';
  const runId = await prepared();
  await start(runId, { ...WANTED, requiresPython: '>=99' });
  expect((await ended(runId)).log).toMatch(/^runctl: cannot install: Python >=99 is required, and this machine has none: \S+ is 3\.\d+\.\d+/m);
  // uv can fetch one.
  fakeUv(':');
  writeFileSync(join(box.home, '.local/bin/uv'), readFileSync(join(box.home, '.local/bin/uv'), 'utf8').replace('exec python3', 'echo "asked: $*"; exec python3'));
  const other = await prepared();
  await start(other, { ...WANTED, requiresPython: '>=99' });
  expect((await ended(other)).log).toContain('asked: venv --system-site-packages --python >=99 ');
});

test.each([
  ['nothing that could make an environment', '"virtualenv": false', 'failed', /has neither pip nor ensurepip nor virtualenv, and there is no uv \(Debian and Ubuntu: apt-get install python3-venv\)\n$/],
  ['virtualenv only', '"virtualenv": true', 'failed', /^\$ \S+python -m virtualenv --system-site-packages \S+$/m],
])('R054 a Python with %s', async (_name, virtualenv, phase, expected) => {
  box = new Box();
  const python = join(box.root, 'python');
  // As Debian's Python without python3-venv describes itself; asked for anything else it fails.
  writeFileSync(python, `#!/bin/sh\n[ "$2" = -c ] || exit 1\necho '{"version": [3, 11, 2], "prefix": "/usr", "base": "/usr", "names": [], "sites": [], "pip": false, "venv": true, "ensurepip": false, ${virtualenv}}'\n`);
  chmodSync(python, 0o755);
  const runId = await prepared();
  parseInstall(await box.run(renderInstall(runId, { wanted: WANTED, python })));
  const end = await ended(runId);
  expect(end.phase).toBe(phase);
  expect(end.log).toMatch(expected);
});

test('requires-python is read as PEP 440 says', () => {
  box = new Box();
  const cases: [string, string, boolean][] = [
    ['3.11.2', '', true], ['3.11.2', '>=3.8', true], ['3.11.2', '>=3.12', false], ['3.9.1', '>=3.8, <3.10', true], ['3.10.0', '>=3.8,<3.10', false], ['3.11.2', '~=3.8', true], ['4.0.0', '~=3.8', false], ['3.11.2', '~=3.11.3', false],
    ['3.11.2', '==3.11.*', true], ['3.12.0', '==3.11.*', false], ['3.11.2', '!=3.11.*', false], ['3.11.2', '!=3.11.1', true], ['3.11.0', '>3.11', false], ['3.11.0', '<=3.11', true], ['3.11.2', '==3.11.2', true], ['3.10.0', '<4.0', true],
  ];
  const text = source.slice(source.indexOf('def fits'), source.indexOf('def look_at'));
  const program = `import json,re,sys\n${text}\nprint(json.dumps([fits([int(p) for p in v.split(".")], w) for v, w, _ in json.loads(sys.argv[1])]))`;
  expect(JSON.parse(execFileSync('python3', ['-c', program, JSON.stringify(cases)], { encoding: 'utf8' }))).toEqual(cases.map(([, , fits]) => fits));
});

test('a machine without python3 is told as that', async () => {
  box = new Box();
  const runId = await prepared();
  const bin = join(box.root, 'without-python');
  mkdirSync(bin);
  for (const directory of ['/bin', '/usr/bin']) for (const name of readdirSync(directory)) if (!name.startsWith('python') && !existsSync(join(bin, name))) symlinkSync(join(directory, name), join(bin, name));
  box.path = bin;
  const answer = await box.run(renderInstall(runId, { wanted: WANTED, python: undefined }));
  expect(() => parseInstall(answer)).toThrowError(expect.objectContaining({ code: 'dependencies-failed', message: expect.stringContaining('there is no python3 on this machine') }));
});

test('what is sent fits Systems Manager, also with a long list, and holds no parameter of it', () => {
  box = new Box();
  const requirements = Array.from({ length: 100 }, (_, n) => `package-{{${n}}}==1.${n}`);
  const script = renderInstall('run-20260101-aaaaaa', { wanted: { ...WANTED, requirements, names: requirements }, python: '/opt/pytorch/bin/python' });
  expect(Buffer.byteLength(script)).toBeLessThan(45_000);
  expect(script).not.toContain('{{');
});
