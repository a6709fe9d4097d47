// The step `install` on a real machine of the pretend cloud: real pip with packages made here, and a stand-in for uv that is as
// slow, as talkative and as broken as a test wants.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RunctlError } from '../src/core/errors.ts';
import { create } from '../src/engine/create.ts';
import { trainingStatus } from '../src/engine/status.ts';
import { type TrainRequest, type TrainResult, train } from '../src/engine/train.ts';
import { until } from './support/agent-box.ts';
import { type TestApp, openTestApp } from './support/test-app.ts';
import { writeWheel } from './support/wheel.ts';

let t: TestApp;
let machineId: string;
let home: string;

beforeAll(async () => {
  t = await openTestApp();
  machineId = (await create(t.app, { provider: 'aws', type: 't3.micro', profile: 'runctl-ssm-profile', wait: true, timeoutMs: 60_000, dryRun: false })).instanceId as string;
  home = (await remote('[ -d /home/ec2-user ] && echo /home/ec2-user || echo "$HOME"')).trim();
});
afterAll(() => t?.close());
beforeEach(async () => {
  for (const name of ['requirements.txt', 'base.txt', 'uv.lock', 'wheels', 'deep', 'train.py']) rmSync(join(t.project, name), { recursive: true, force: true });
  t.write('pyproject.toml', '[project]\nname = "test"\n');
  t.events.length = 0;
  t.app.config.train.install_timeout_minutes = 30;
  await remote(`rm -f ${home}/.local/bin/uv ${home}/uv-calls`);
});

const trainHere = (script: string, more: Partial<TrainRequest> = {}): Promise<TrainResult> =>
  train(t.app, { provider: 'aws', machineId, script, args: [], includePatterns: [], syncCode: true, install: true, wait: true, force: false, ...more });
const failure = async (promise: Promise<unknown>): Promise<RunctlError> => promise.then(() => expect.unreachable('it should have failed'), (error: unknown) => error as RunctlError);
const remote = async (script: string): Promise<string> => (await (await t.provider.shell({ id: machineId })).run(script)).stdout;
const installLines = (): string[] => t.events.flatMap((event) => (event.kind === 'install.line' ? [event.text] : []));
const stepDetail = (step: string): string | undefined => t.events.flatMap((event) => (event.kind === 'step.done' && event.step === step ? [event.detail ?? ''] : [])).at(-1);
const steps = (): string[] => t.events.flatMap((event) => (event.kind === 'step.started' ? [event.step] : []));
const wheel = (name: string, version: string, requires: string[] = []): void => {
  mkdirSync(join(t.project, 'wheels'), { recursive: true });
  writeWheel(join(t.project, 'wheels'), name, version, requires);
};
/** A uv that makes environments as the real one does and runs `body` for `uv pip install` and `uv sync`. */
const fakeUv = (body: string): Promise<string> => remote(`mkdir -p ${home}/.local/bin
cat >${home}/.local/bin/uv <<'END'
#!/bin/sh
echo "$*" >>${home}/uv-calls
if [ "$1" = venv ]; then for env; do :; done; exec python3 -m venv --without-pip --system-site-packages "$env"; fi
${body}
END
chmod 755 ${home}/.local/bin/uv; chown -R 1000:1000 ${home}/.local 2>/dev/null; true`);
const calls = async (): Promise<string[]> => (await remote(`cat ${home}/uv-calls 2>/dev/null || true`)).split('\n').filter((line) => line !== '');

describe('with pip', () => {
  const OFFLINE = '--no-index\n--find-links wheels\n';

  test('R051 R053 what requirements.txt and the files it includes name is there when the script runs; a second run installs nothing', async () => {
    wheel('left-pad', '1.0', ['right-pad>=2']);
    wheel('right-pad', '2.1');
    wheel('third-pad', '3.0');
    t.write('base.txt', 'third-pad\n');
    t.write('requirements.txt', `${OFFLINE}-r base.txt\nleft-pad==1.0 # a comment\n`);
    t.write('train.py', 'import left_pad, right_pad, third_pad, sys\nprint(left_pad.VERSION, right_pad.VERSION, third_pad.VERSION, sys.prefix != sys.base_prefix)\n');
    await trainHere('train.py');
    expect(t.logLines()).toContain('1.0 2.1 3.0 True');
    expect(installLines().join('\n')).toMatch(/Successfully installed.*left-pad-1\.0/);
    expect(stepDetail('install')).toMatch(/^requirements\.txt: 3 packages in \d+ s \(pip, Python 3\.\d+\.\d+\)$/);
    t.events.length = 0;
    await trainHere('train.py');
    expect(t.logLines()).toContain('1.0 2.1 3.0 True');
    expect(installLines()).toEqual([]);
    expect(stepDetail('install')).toMatch(/^requirements\.txt: installed already \(pip, Python 3/);
  });

  test('R053 what the Python of the image has counts as installed: pip leaves it alone and asks no index', async () => {
    const site = (await remote(`PATH=/usr/bin:/bin:$PATH; d=${home}/image; python3 -m venv --without-pip --system-site-packages $d && ls -d $d/lib/python*/site-packages && chown -R 1000:1000 $d 2>/dev/null; true`)).trim().split('\n')[0]!;
    await remote(`mkdir -p ${site}/torch ${site}/torch-9.9.dist-info && echo 'VERSION = "9.9"' >${site}/torch/__init__.py && printf 'Metadata-Version: 2.1\\nName: torch\\nVersion: 9.9\\n' >${site}/torch-9.9.dist-info/METADATA && echo pip >${site}/torch-9.9.dist-info/INSTALLER`);
    await fakeUv('exit 9');
    t.write('requirements.txt', '--no-index\ntorch>=9\n');
    t.write('train.py', 'import torch\nprint("torch", torch.VERSION)\n');
    t.app.config.train.python = `${home}/image/bin/python`;
    try {
      await trainHere('train.py');
    } finally {
      t.app.config.train.python = undefined;
    }
    expect(t.logLines()).toContain('torch 9.9');
    expect(installLines().join('\n')).toContain('Requirement already satisfied: torch>=9');
    expect(stepDetail('install')).toMatch(/0 packages .*pip/);
    expect(await calls()).toEqual([]);
  });

  test('D27 R054 a package that no index has ends the run before the start, names the package, and leaves the log here', async () => {
    const before = (await trainingStatus(t.app, { provider: 'aws', machineId }).catch(() => undefined))?.runId;
    t.write('requirements.txt', `${OFFLINE}no-such-package==7\n`);
    t.write('train.py', 'print("never")\n');
    const error = await failure(trainHere('train.py'));
    expect(error).toMatchObject({ code: 'dependencies-failed', data: { package: 'no-such-package==7', trouble: 'unknown-package', exitCode: 1 } });
    expect(error.message).toBe('the dependencies of requirements.txt could not be installed: the package index has no no-such-package==7 for this machine');
    expect(error.reason).toContain('No matching distribution found for no-such-package==7');
    expect(error.hints).toContainEqual(expect.stringContaining('--no-install'));
    expect(readFileSync(join(t.project, error.data!['log'] as string), 'utf8')).toContain('No matching distribution');
    expect(steps()).not.toContain('launch');
    expect((await trainingStatus(t.app, { provider: 'aws', machineId }).catch(() => undefined))?.runId).toBe(before);
    // Nothing half-made is left to be taken for an environment.
    expect((await remote(`cd ${home}/runctl/envs && for d in */; do [ -f "$d/runctl-complete.json" ] || echo "$d"; done`)).trim()).toBe('');
  });

  test('a requirements file that stays here because of .gitignore is told as that', async () => {
    execFileSync('git', ['init', '-q'], { cwd: t.project });
    t.write('.gitignore', 'requirements.txt\n');
    t.write('requirements.txt', 'left-pad\n');
    t.write('train.py', 'pass\n');
    const error = await failure(trainHere('train.py')).finally(() => {
      rmSync(join(t.project, '.git'), { recursive: true });
      rmSync(join(t.project, '.gitignore'));
    });
    expect(error.message).toContain('requirements.txt did not come to the machine: .gitignore or sync.exclude keeps it back');
    expect(error.data).toMatchObject({ trouble: 'unsent' });
  });

  test('R054 an index that cannot be reached is told as that, with what the way out itself says about it', async () => {
    t.write('requirements.txt', '--index-url https://index.test/simple\nfar-away==1\n');
    t.write('train.py', 'pass\n');
    t.app.config.train.env = { PIP_RETRIES: '1', PIP_CONFIG_FILE: '/dev/null' };
    const error = await failure(trainHere('train.py')).finally(() => {
      t.app.config.train.env = {};
    });
    expect(error.data).toMatchObject({ trouble: 'network', package: 'far-away==1' });
    expect(error.message).toContain('the machine cannot reach the package index');
    if (t.sim.cloud.machines.isolation === 'network') expect(error.message).toContain('runctl sim start --internet');
    expect(error.hints).toContain('runctl config set train.env.PIP_INDEX_URL URL');
  });

  test('train.python that is not there is an error that names it', async () => {
    t.write('requirements.txt', 'left-pad\n');
    t.write('train.py', 'pass\n');
    t.app.config.train.python = 'python9.9';
    const error = await failure(trainHere('train.py')).finally(() => {
      t.app.config.train.python = undefined;
    });
    expect(error.message).toContain('train.python is python9.9, and no such Python works on this machine');
    expect(error.data).toMatchObject({ trouble: 'python' });
  });
});

describe('with uv', () => {
  test('R051 lines appear while the installer runs, in order, and once each', async () => {
    await fakeUv(`for i in 1 2 3; do echo "Downloading part $i"; until [ -e ${home}/go$i ]; do sleep 0.05; done; done`);
    t.write('requirements.txt', 'left-pad\n');
    t.write('train.py', 'print("trained")\n');
    const running = trainHere('train.py');
    for (const i of [1, 2, 3]) {
      await until(`line ${i}`, async () => (installLines().includes(`Downloading part ${i}`) ? true : undefined));
      expect(installLines()).not.toContain(`Downloading part ${i + 1}`);
      expect(steps()).not.toContain('launch');
      await remote(`touch ${home}/go${i}`);
    }
    await running;
    expect(installLines().filter((line) => line.startsWith('Downloading'))).toEqual([1, 2, 3].map((i) => `Downloading part ${i}`));
    expect(t.events.some((event) => event.kind === 'step.progress' && event.step === 'install' && event.detail === 'Downloading part 2')).toBe(true);
    expect(stepDetail('install')).toMatch(/uv, Python 3/);
    expect(t.logLines()).toContain('trained');
    await remote(`rm -f ${home}/go*`);
  });

  test('R052 with --no-install no installer is called, and no step is there', async () => {
    await fakeUv('exit 1');
    t.write('requirements.txt', 'some-package\n');
    t.write('train.py', 'print("trained")\n');
    await trainHere('train.py', { install: false });
    expect(await calls()).toEqual([]);
    expect(steps()).not.toContain('install');
    expect(t.logLines()).toContain('trained');
  });

  test('R053 a project that asks for nothing costs no question to the machine', async () => {
    await fakeUv('exit 1');
    t.write('train.py', 'print("trained")\n');
    await trainHere('train.py');
    expect(await calls()).toEqual([]);
    expect(stepDetail('install')).toBe('nothing to install');
  });

  test('R053 a script block, a project file and a lock each reach uv in its own way', async () => {
    await fakeUv('for word; do last=$word; done; case $1 in pip) cat "$last" ;; sync) echo "into $UV_PROJECT_ENVIRONMENT" ;; esac');
    t.write('deep/train.py', '# /// script\n# requires-python = ">=3.8"\n# dependencies = [\n#   "rich>=13",\n#   "left-pad; python_version > \'3\'",\n# ]\n# ///\nprint("trained")\n');
    await trainHere('deep/train.py');
    expect(installLines()).toEqual(expect.arrayContaining(['rich>=13', "left-pad; python_version > '3'"]));
    expect(stepDetail('install')).toContain('deep/train.py: ');

    t.write('deep/pyproject.toml', '[project]\nname = "deep"\ndependencies = ["numpy~=2.0"]\n');
    t.write('deep/plain.py', 'print("plain")\n');
    t.events.length = 0;
    await trainHere('deep/plain.py', { projectRoot: t.project });
    expect(installLines()).toContain('numpy~=2.0');
    expect(stepDetail('install')).toContain('deep/pyproject.toml: ');

    t.write('uv.lock', 'version = 1\n');
    t.write('train.py', 'print("locked")\n');
    t.events.length = 0;
    await trainHere('train.py');
    expect((await calls()).at(-1)).toBe('sync --frozen --inexact --no-install-project');
    expect(installLines().join('\n')).toMatch(/into .*\/runctl\/envs\/[0-9a-f]{16}$/m);
    expect(stepDetail('install')).toContain('uv.lock: ');
  });

  test('R054 Ctrl-C ends the installer on the machine and everything it started, and no training starts', async () => {
    const own = await openOwn();
    await fakeUv(`trap 'echo terminated >${home}/uv-end; exit 143' TERM\necho "$$" >${home}/uv-pid\necho waiting\nsleep 600 & wait`);
    t.write('requirements.txt', 'cancelled-package\n');
    t.write('train.py', 'print("never")\n');
    const running = failure(train(own.app, { provider: 'aws', machineId, script: 'train.py', args: [], includePatterns: [], syncCode: true, install: true, wait: true, force: false }));
    await until('the installer to wait', async () => (installLines().includes('waiting') ? true : undefined));
    const pid = (await remote(`cat ${home}/uv-pid`)).trim();
    own.abort.abort(new Error('Ctrl-C'));
    const error = await running;
    expect(error).toMatchObject({ code: 'interrupted', exitCode: 130 });
    expect(error.message).toContain('the installation was ended, and no training was started');
    expect((await remote(`cat ${home}/uv-end; kill -0 ${pid} 2>/dev/null && echo alive; ps -A -o args= 2>/dev/null | grep -c '^sleep 600$'`)).trim().split('\n')).toEqual(['terminated', '0']);
    expect(steps()).toContain('stop-install');
    expect(steps()).not.toContain('launch');
  });

  test('R054 an installer that takes longer than allowed is ended, and the error says how to allow more', async () => {
    t.app.config.train.install_timeout_minutes = 0.01;
    await fakeUv(`echo "$$" >${home}/uv-pid; sleep 600`);
    t.write('requirements.txt', 'slow-package\n');
    t.write('train.py', 'print("never")\n');
    const error = await failure(trainHere('train.py'));
    expect(error).toMatchObject({ code: 'timeout', hints: [expect.stringMatching(/^runctl config set train\.install_timeout_minutes /), expect.stringContaining('--no-install')] });
    expect((await remote(`kill -0 "$(cat ${home}/uv-pid)" 2>/dev/null && echo alive || echo gone`)).trim()).toBe('gone');
    expect(steps()).not.toContain('launch');
  });

  test('R054 an answer that is lost on the way neither fails the run nor installs twice', async () => {
    await fakeUv('sleep 0.2');
    t.write('requirements.txt', 'once-only\n');
    t.write('train.py', 'print("trained")\n');
    let lost = 0;
    t.use({
      ...t.provider,
      shell: async (machine) => {
        const shell = await t.provider.shell(machine);
        return {
          ...shell,
          run: async (script, options) => {
            const answer = await shell.run(script, options);
            if (/^runctl_install_main install /m.test(script) && lost++ === 0) throw new RunctlError('answer-broken', 'lost');
            return answer;
          },
        };
      },
    });
    await trainHere('train.py').finally(() => t.use(t.provider));
    expect(lost).toBe(2);
    expect((await calls()).filter((call) => call.startsWith('pip install'))).toHaveLength(1);
    expect(t.logLines()).toContain('trained');
  });

  test('R054 a failure of uv names the package', async () => {
    await fakeUv('printf \'  × No solution found when resolving dependencies:\\n  ╰─▶ Because no-such was not found in the package registry and you require\\n      no-such, we can conclude that your requirements are unsatisfiable.\\n\' >&2; exit 1');
    t.write('requirements.txt', 'no-such\n');
    t.write('train.py', 'print("never")\n');
    const error = await failure(trainHere('train.py'));
    expect(error).toMatchObject({ code: 'dependencies-failed', data: { package: 'no-such' } });
    expect(error.message).toContain('the package index has no no-such');
    expect(existsSync(join(t.project, error.data!['log'] as string))).toBe(true);
  });

  test('R054 a project file that is no TOML is told before anything is asked of the machine', async () => {
    t.write('pyproject.toml', '[project\n');
    t.write('train.py', 'print("never")\n');
    expect(await failure(trainHere('train.py'))).toMatchObject({ code: 'dependencies-failed', message: 'pyproject.toml cannot be read' });
  });
});

/** The same app with a Ctrl-C of its own. */
async function openOwn(): Promise<{ app: TestApp['app']; abort: AbortController }> {
  const abort = new AbortController();
  return { app: { ...t.app, signal: abort.signal }, abort };
}
