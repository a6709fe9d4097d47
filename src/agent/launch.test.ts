// Starting and ending jobs with the real scripts, real shells and real processes.
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import launchSh from './agent-launch.sh?raw';
import agentSh from './agent.sh?raw';
import { renderLaunch, renderPrepare } from './render.ts';
import { Box, SHELLS, until, which } from '../../test/support/agent-box.ts';
import { anyText } from '../../test/support/any-text.ts';

let box: Box;
afterEach(async () => {
  await box.remove();
});

/** The script says who it is, then waits for the file `go` in its code directory. */
const WAITS = 'import os,time\nprint("here", flush=True)\nwhile not os.path.exists("go"): time.sleep(0.02)\n';
const AS_ROOT = process.getuid?.() === 0;

describe.each(SHELLS)('with %s as sh', (shell) => {
  test('R062 exit codes of a script that ends, fails, crashes and is killed: 0, 3, 1, 137', async () => {
    box = new Box(shell);
    const cases: [string, number, string][] = [
      ['import sys; sys.exit(0)', 0, 'succeeded'],
      ['import sys; sys.exit(3)', 3, 'failed'],
      ['raise RuntimeError("no data")', 1, 'failed'],
      ['import os,signal; os.kill(os.getpid(), signal.SIGKILL)', 137, 'failed'],
    ];
    for (const [source, code, phase] of cases) {
      const runId = await box.start(source);
      const status = await box.ended(runId);
      expect(status).toMatchObject({ phase, exitCode: code, runId, script: 'job.py' });
      expect(box.read(runId, 'training_exit_code.txt')).toBe(`${code}\n`);
      expect(readFileSync(join(box.base, 'training_exit_code.txt'), 'utf8')).toBe(`${code}\n`);
      expect(existsSync(join(box.base, 'training_complete.txt'))).toBe(code === 0);
      expect(Math.abs((status.endedAt ?? 0) - Date.now())).toBeLessThan(10_000);
    }
    expect((await box.status(box.runIds[2])).logTail).toContain('RuntimeError: no data');
    await until('supervisors to be gone', async () => (box.living().length === 0 ? true : undefined));
  });

  test('the job outlives the launching shell and SIGKILL to its whole process group', async () => {
    box = new Box(shell);
    const runId = await box.prepare('job.py', WAITS);
    let launcher = 0;
    const script = `${renderLaunch({ runId, script: 'job.py', args: [], env: {} })}sleep 60\n`;
    const answer = box.run(script, (pid) => (launcher = pid));
    await until('the job', async () => ((await box.status(runId)).logTail === 'here\n' ? true : undefined));
    process.kill(-launcher, 'SIGKILL');
    expect((await answer).exitCode).toBe(-1);
    // The script may have spoken before its supervisor wrote down that it runs.
    await until('the word that it runs', async () => ((await box.status(runId)).phase === 'running' ? true : undefined));
    writeFileSync(join(box.directory(runId), 'code/go'), '');
    expect(await box.ended(runId)).toMatchObject({ phase: 'succeeded', exitCode: 0 });
  });

  test('the same run id is started once, another is refused while the job lives, and not afterwards', async () => {
    box = new Box(shell);
    const first = await box.prepare('job.py', WAITS);
    expect(await box.launch({ runId: first, script: 'job.py' })).toMatchObject({ outcome: 'launched', phase: 'running' });
    const again = await box.launch({ runId: first, script: 'job.py' });
    expect(again).toMatchObject({ outcome: 'already', phase: 'running', pid: (await box.status()).pid });
    const second = await box.prepare('job.py', 'print("second")');
    const refused = await box.launch({ runId: second, script: 'job.py' }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'job-running', data: { running: { runId: first, phase: 'running' } } });
    expect((await box.status(second)).phase).toBe('none');
    expect((await box.status()).runId).toBe(first);
    expect(await box.launch({ runId: second, script: 'job.py' }, true)).toMatchObject({ outcome: 'launched' });
    await box.ended(second);
    const third = await box.prepare('job.py', 'print("third")');
    // The newest launch has ended, but the first one still lives.
    await expect(box.launch({ runId: third, script: 'job.py' })).rejects.toMatchObject({ code: 'job-running' });
    writeFileSync(join(box.directory(first), 'code/go'), '');
    await box.ended(first);
    expect(await box.launch({ runId: third, script: 'job.py' })).toMatchObject({ outcome: 'launched' });
    await box.ended(third);
    expect(await box.launch({ runId: third, script: 'job.py' })).toMatchObject({ outcome: 'already', phase: 'succeeded' });
    expect(box.read(third, 'training.log')).toBe('third\n');
  });

  test('R055 arguments and environment reach the script byte for byte', async () => {
    box = new Box(shell);
    const source = 'import os,sys\nprint([os.fsencode(a).hex() for a in sys.argv[1:]], os.environb[b"MY_VAR"].hex())';
    const check = async (args: string[]): Promise<void> => {
      const runId = await box.start(source, { args, env: { MY_VAR: args.join('\n'), IFS: 'x' } });
      await box.ended(runId);
      const hex = (text: string): string => Buffer.from(text).toString('hex');
      expect(box.read(runId, 'training.log')).toBe(`[${args.map((arg) => `'${hex(arg)}'`).join(', ')}] ${hex(args.join('\n'))}\n`);
    };
    const corpus = ['', ' ', 'a b', "it's", "'", "''", '"', '$HOME', '${x}', '$(id)', '`id`', '\\', '\\n', '\n', 'a\n\nb\n', '\r\n', '\t', '--', '-n', '--epochs', '--output', '*', '~', '!', '#', '%s', '&', '|', ';', '<', '{{x}}', '{{{{', "{'{", 'ä€😀', '\u202e', '\x01\x7f', 'runctl-facts-end', 'x'.repeat(20_000)];
    await check([]);
    await check(corpus);
    const text = anyText({ maxLength: 40 }).filter((value) => !value.includes('\0'));
    await fc.assert(fc.asyncProperty(fc.array(fc.oneof(text, fc.constantFrom(...corpus.slice(0, -1))), { maxLength: 40 }), check), { numRuns: 3 });
  });
});

test('R059 20 racing launches of different runs start exactly one, and the others are told its pid', async () => {
  box = new Box();
  for (let round = 0; round < 2; round += 1) {
    const ids = Array.from({ length: 20 }, () => box.newId());
    await Promise.all(ids.map((id) => box.prepare('job.py', WAITS, id)));
    const outcomes = await Promise.allSettled(ids.map((runId) => box.launch({ runId, script: 'job.py' })));
    const won = ids.filter((_, at) => outcomes[at]?.status === 'fulfilled');
    expect(won).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'job-running', data: { running: { runId: won[0], pid: expect.any(Number) } } });
    }
    const ran = ids.filter((id) => box.read(id, 'training.log') !== undefined);
    expect(ran).toEqual(won);
    writeFileSync(join(box.directory(won[0] ?? ''), 'code/go'), '');
    await box.ended(won[0] ?? '');
  }
});

test('20 racing launches of the same run start it once', async () => {
  box = new Box();
  const runId = await box.prepare('job.py', WAITS);
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => box.launch({ runId, script: 'job.py' })));
  expect(outcomes.filter(({ outcome }) => outcome === 'launched')).toHaveLength(1);
  writeFileSync(join(box.directory(runId), 'code/go'), '');
  expect(await box.ended(runId)).toMatchObject({ phase: 'succeeded' });
  expect(box.read(runId, 'training.log')).toBe('here\n');
});

test('R066 a marker written by a script that then fails does not make success', async () => {
  box = new Box();
  const runId = await box.start('import os,sys\nfor d in (".", "..", os.environ["RUNCTL_CHECKPOINT_DIR"]): open(d+"/training_complete.txt","w").write("done")\nprint("Training complete!")\nsys.exit(1)');
  expect(await box.ended(runId)).toMatchObject({ phase: 'failed', exitCode: 1, logTail: 'Training complete!\n' });
});

test('R070 R060 markers and logs of an earlier run neither mislead nor are lost', async () => {
  box = new Box();
  mkdirSync(box.base);
  writeFileSync(join(box.base, 'training_complete.txt'), 'left by something else');
  const first = await box.start('print("one")');
  await box.ended(first);
  const second = await box.start(WAITS);
  for (const marker of ['training_exit_code.txt', 'training_complete.txt']) expect(existsSync(join(box.base, marker))).toBe(false);
  expect(await box.status()).toMatchObject({ phase: 'running', runId: second });
  expect(readFileSync(join(box.base, 'training.pid'), 'utf8')).toBe(`${(await box.status()).pid}\n`);
  writeFileSync(join(box.directory(second), 'code/go'), '');
  await box.ended(second);
  expect(await box.status(first)).toMatchObject({ phase: 'succeeded', logTail: 'one\n' });
  expect(readFileSync(join(box.base, 'training.log'), 'utf8')).toBe('here\n');
});

test('interpreters: shebang, executable, plain .sh, venv, and clear words in the log for what cannot run', async () => {
  box = new Box();
  const log = async (script: string, source: string, before?: (code: string) => void): Promise<[string | undefined, number | undefined]> => {
    const runId = await box.prepare(script, source);
    before?.(join(box.directory(runId), 'code'));
    await box.launch({ runId, script, args: ['a b'] });
    const { exitCode } = await box.ended(runId);
    return [box.read(runId, 'training.log')?.replaceAll(box.directory(runId), 'RUN'), exitCode];
  };
  const notExecutable = (name: string) => (code: string) => chmodSync(join(code, name), 0o644);
  expect(await log('sub/-t.sh', '#!/bin/sh\necho "sh $1"')).toEqual(['sh a b\n', 0]);
  expect(await log('t.sh', 'echo "sh $1"; pwd')).toEqual(['sh a b\nRUN/code\n', 0]);
  expect(await log('-t.sh', 'echo "sh $1"')).toEqual(['sh a b\n', 0]);
  expect(await log('tool', '#!/usr/bin/env python3\nimport sys; print(sys.argv[1])', notExecutable('tool'))).toEqual(['a b\n', 0]);
  expect(await log('tool', '#!/usr/bin/env python3\nimport sys; print(sys.argv[1])')).toEqual(['a b\n', 0]);
  expect(await log('t.py', 'print("no")', (code) => {
    mkdirSync(join(code, '.venv/bin'), { recursive: true });
    writeFileSync(join(code, '.venv/bin/python'), '#!/bin/sh\necho "venv $*"', { mode: 0o755 });
  })).toEqual(['venv t.py a b\n', 0]);
  expect(await log('t.txt', 'hello')).toEqual(['runctl: t.txt is neither .py, .sh nor executable, and has no #! line\n', 126]);
  expect(await log('gone.py', '', (code) => rmSync(join(code, 'gone.py')))).toEqual(['runctl: no script gone.py in RUN/code\n', 127]);
});

test('a job in place runs in the given directory', async () => {
  box = new Box();
  const place = join(box.root, 'my project');
  mkdirSync(place);
  writeFileSync(join(place, 'job.py'), 'import os\nprint(os.getcwd(), os.environ["RUNCTL_CODE_DIR"])');
  const runId = box.newId();
  await box.launch({ runId, script: 'job.py', codeDirectory: place });
  await box.ended(runId);
  expect(box.read(runId, 'training.log')).toBe(`${place} ${place}\n`);
});

test('lost: supervisor and job are killed without a word, and the machine is free again', async () => {
  box = new Box();
  const runId = await box.start(WAITS);
  for (const file of ['supervisor', 'job']) process.kill(Number(box.read(runId, file)?.split(' ')[0]), 'SIGKILL');
  const status = await until('the end', async () => {
    const now = await box.status(runId);
    return now.phase === 'running' ? undefined : now;
  });
  expect(status.phase).toBe('lost');
  expect(status.exitCode).toBeUndefined();
  const next = await box.start('print("next")');
  expect(await box.ended(next)).toMatchObject({ phase: 'succeeded' });
});

test('D35 a pid that was given to another process is not taken for the job', async () => {
  box = new Box();
  const runId = await box.start('print("done")');
  await box.ended(runId);
  const directory = box.directory(runId);
  rmSync(join(directory, 'exit_record'));
  for (const file of ['job', 'supervisor']) writeFileSync(join(directory, file), `${process.pid} 1@old-boot 1700000000\n`);
  expect(await box.status(runId)).toMatchObject({ phase: 'lost', pid: process.pid });
});

test('without /proc, ps tells processes apart', async () => {
  box = new Box();
  const run = box.run.bind(box);
  box.run = (script, onStart) => run(script.replaceAll('/proc/self/stat', '/nowhere'), onStart);
  const runId = await box.start(WAITS);
  expect(box.read(runId, 'job')).toMatch(/^\d+ [A-Z][a-z]{2}_\w+_\d\d:\d\d:\d\d_/);
  expect(await box.status(runId)).toMatchObject({ phase: 'running' });
  await expect(box.start('pass')).rejects.toMatchObject({ code: 'job-running' });
  for (const file of ['supervisor', 'job']) process.kill(Number(box.read(runId, file)?.split(' ')[0]), 'SIGKILL');
  await until('the end', async () => ((await box.status(runId)).phase === 'lost' ? true : undefined));
});

test('without setsid and setpriv, python3 detaches the job', async () => {
  box = new Box();
  const bin = join(box.root, 'few');
  mkdirSync(bin);
  for (const tool of ['sh', 'cat', 'mv', 'rm', 'ln', 'ls', 'id', 'mkdir', 'chown', 'date', 'sleep', 'wc', 'tr', 'head', 'tail', 'base64', 'readlink', 'find', 'stat', 'tee', 'ps', 'kill', 'python3']) {
    const file = which(tool);
    if (file) symlinkSync(file, join(bin, tool));
  }
  box.path = bin;
  const runId = await box.start('import os\nprint(os.getsid(0) == os.getpid())');
  expect(await box.ended(runId)).toMatchObject({ phase: 'succeeded', logTail: 'True\n' });
});

test.skipIf(!AS_ROOT)('as root the job runs as the owner of the home, and the run is theirs', async () => {
  for (const setpriv of [true, false]) {
    box = new Box();
    chmodSync(box.root, 0o755);
    chownSync(box.home, 65_534, 65_534);
    if (!setpriv) {
      const bin = join(box.root, 'bin');
      mkdirSync(bin);
      writeFileSync(join(bin, 'setpriv'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
      box.path = `${bin}:${box.path}`;
    }
    const runId = await box.start('import os\nopen("mine","w")\nprint(os.getuid(), os.getgid(), os.getgroups(), os.environ["HOME"])');
    expect(await box.ended(runId)).toMatchObject({ phase: 'succeeded', logTail: `65534 65534 [65534] ${box.home}\n` });
    if (setpriv) await box.remove();
  }
});

test('D21 the home is never guessed: HOME, else uid 1000, else /root', () => {
  box = new Box();
  const ubuntu = join(box.root, 'ubuntu');
  mkdirSync(ubuntu);
  const home = (HOME: string | undefined, passwd: string, uid: number): string => {
    const file = join(box.root, 'passwd');
    writeFileSync(file, passwd);
    const text = `${agentSh}\n${launchSh}`.replaceAll('/etc/passwd', file);
    const script = `id() { echo ${uid}; }\n${text}\nrunctl_home; echo "$rc_home"`;
    return spawnSync('sh', ['-c', script], { env: { PATH: box.path, ...(HOME === undefined ? {} : { HOME }) }, encoding: 'utf8' }).stdout.trim();
  };
  const users = `root:x:0:0::/root:/bin/sh\nec2:x:500:500::/nope:/bin/sh\nu:x:1000:1000:U:${ubuntu}:/bin/bash\nme:x:77:77::${box.root}:/bin/sh`;
  expect(home('/data/me', users, 0)).toBe('/data/me');
  for (const none of [undefined, '', '/', '/root']) expect(home(none, users, 0)).toBe(ubuntu);
  expect(home(undefined, 'root:x:0:0::/root:/bin/sh\n', 0)).toBe('/root');
  expect(home(undefined, users.replace(ubuntu, '/gone'), 0)).toBe('/root');
  expect(home(undefined, users, 77)).toBe(box.root);
  expect(home(undefined, users, 78)).toContain('error=unwritable');
});

test('a base directory that cannot be made is an error that says which and why', async () => {
  box = new Box();
  writeFileSync(box.base, 'a file in the way');
  const answer = await box.run(renderPrepare(box.newId()));
  expect(answer.exitCode).toBe(73);
  expect(answer.stderr).toContain(`cannot create ${box.base}/claims`);
  await expect(box.start('pass')).rejects.toMatchObject({ code: 'wrong-state' });
});
