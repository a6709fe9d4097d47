// Looking at a job, stopping it and fetching what it made, with the real scripts and real processes.
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { parseLog, parsePacked, parseStop, parseWatch } from './parse.ts';
import { logBytesPerCall, renderLog, renderPackOutputs, renderStop, renderWatch } from './render.ts';
import { Box, SHELLS, until } from '../../test/support/agent-box.ts';

let box: Box;
afterEach(async () => {
  await box.remove();
});

const WAIT_FOR = 'import os,sys,time\ndef wait(name):\n  while not os.path.exists(name): time.sleep(0.02)\n';

test.each(SHELLS)('the log arrives byte for byte through a small pipe, with %s as sh', async (shell) => {
  box = new Box(shell);
  // Bytes that are no UTF-8, NUL, CR, a burst far over SSM's 24,000 characters, no newline at the end.
  const runId = await box.start(
    'import os,random\nr=random.Random(4)\no=lambda b: os.write(1, b)\no(bytes(range(256)))\no("ä€😀\\r".encode())\no(bytes(r.randrange(256) for _ in range(100000)))\no(b"runctl-facts-end\\nrunctl-facts-begin\\n\\xff\\xfe no newline")',
  );
  const maxBytes = logBytesPerCall(24_000);
  const parts: Buffer[] = [];
  let offset = 0;
  for (;;) {
    const answer = await box.run(renderWatch(runId, offset, maxBytes, 5));
    expect(answer.stdout.length).toBeLessThan(24_000);
    const chunk = parseWatch(answer);
    expect(chunk.offset).toBe(offset);
    parts.push(chunk.bytes);
    offset += chunk.bytes.length;
    if (chunk.status.phase === 'succeeded' && offset === chunk.status.logBytes) break;
  }
  const log = readFileSync(join(box.directory(runId), 'training.log'));
  expect(Buffer.concat(parts).equals(log)).toBe(true);
  expect(log.length).toBeGreaterThan(100_000);
  expect(log.at(-1)).not.toBe(10);
  const middle = parseLog(await box.run(renderLog(runId, 255, 7)));
  expect(middle).toEqual({ offset: 255, bytes: log.subarray(255, 262), logBytes: log.length });
});

test('R065 watch answers at once when the log grows or the job ends, and waits no longer than told', async () => {
  box = new Box();
  const runId = await box.start(`${WAIT_FOR}print("one"); wait("a"); print("two"); wait("b")`);
  const watch = async (offset: number, waitS: number) => parseWatch(await box.run(renderWatch(runId, offset, 1_000, waitS)));
  const touch = (name: string): void => writeFileSync(join(box.directory(runId), 'code', name), '');
  expect(String((await watch(0, 20)).bytes)).toBe('one\n');
  const idle = await watch(4, 1);
  expect(idle).toMatchObject({ offset: 4, status: { phase: 'running', logBytes: 4 } });
  expect(idle.bytes).toHaveLength(0);
  expect(idle.status.logTail).toBeUndefined();

  const started = Date.now();
  const growing = watch(4, 20);
  touch('a');
  expect(String((await growing).bytes)).toBe('two\n');
  const ending = watch(8, 20);
  touch('b');
  expect(await ending).toMatchObject({ status: { phase: 'succeeded', exitCode: 0, logTail: 'one\ntwo\n' } });
  expect(Date.now() - started).toBeLessThan(3_000);
  expect((await watch(8, 20)).bytes).toHaveLength(0);
  expect(Date.now() - started).toBeLessThan(4_000);
});

test('the heartbeat tells that the supervisor lives, and status names the newest checkpoint that holds anything', async () => {
  box = new Box();
  const runId = await box.start(`${WAIT_FOR}wait("go")`);
  const beat = await until('a heartbeat', async () => (await box.status(runId)).heartbeatAt);
  expect(Math.abs(beat - Date.now())).toBeLessThan(10_000);
  const checkpoints = join(box.directory(runId), 'checkpoints');
  mkdirSync(join(checkpoints, 'step 500'));
  const put = (name: string, text: string, second: number): void => {
    writeFileSync(join(checkpoints, name), text);
    utimesSync(join(checkpoints, name), second, second);
  };
  expect((await box.status(runId)).checkpoint).toBeUndefined();
  put('old.pt', 'x', 1_700_000_000);
  put("step 500/mod'el.pt", 'x', 1_700_000_500);
  put('empty.pt', '', 1_700_000_900);
  put('torn.pt.tmp', 'x', 1_700_000_900);
  expect(await box.status(runId)).toMatchObject({ checkpoint: join(checkpoints, "step 500/mod'el.pt"), checkpointAt: 1_700_000_500_000 });
});

test('a machine that was started anew since the launch is told apart from a job that was killed; times are by its own clock', async () => {
  box = new Box();
  const runId = await box.start(`${WAIT_FOR}print("on"); wait("go")`);
  await until('the log', async () => (box.read(runId, 'training.log') ? true : undefined));
  const before = await box.status(runId);
  expect(before.rebooted).toBeUndefined();
  expect(before.nowAt! - before.logAt!).toBeGreaterThanOrEqual(0);
  expect(before.nowAt! - before.logAt!).toBeLessThan(60_000);
  const boot = box.read(runId, 'boot')!;
  expect(boot).toMatch(/^\S+ \S+\n$/);
  for (const file of ['supervisor', 'job']) process.kill(Number(box.read(runId, file)?.split(' ')[0]), 'SIGKILL');
  expect((await box.ended(runId)).rebooted).toBeUndefined();
  const [id, first] = boot.trim().split(' ');
  const told = async (text: string): Promise<unknown> => {
    writeFileSync(join(box.directory(runId), 'boot'), text);
    return (await box.status(runId)).rebooted;
  };
  expect(await told(`another-boot ${first}\n`)).toBe(true);
  expect(await told(`${id} 1\n`)).toBe(first === '-' ? undefined : true);
  expect(await told('- -\n')).toBeUndefined();
  expect(await told('')).toBeUndefined();
  await told('another-boot 1\n');
  const { bootedAt, nowAt } = await box.status(runId);
  expect(bootedAt).toBeLessThanOrEqual(nowAt! + 1000);
});

const SAVES = `import signal,os,sys,time
def save(*_):
  open(os.environ["RUNCTL_CHECKPOINT_DIR"]+"/last.json","w").write("saved"); print("saved"); sys.exit(143)
signal.signal(signal.SIGTERM, save)
print("ready")
while True: time.sleep(0.05)`;

test('R063 stop asks first: the handler saves, and the exit record is written', async () => {
  box = new Box();
  const runId = await box.start(SAVES);
  await until('the handler', async () => (box.read(runId, 'training.log') === 'ready\n' ? true : undefined));
  const stopped = parseStop(await box.run(renderStop(runId, 10)));
  expect(stopped).toMatchObject({ stopped: 'term', status: { phase: 'failed', exitCode: 143 } });
  expect(box.read(runId, 'checkpoints/last.json')).toBe('saved');
  expect(existsSync(join(box.base, 'training_complete.txt'))).toBe(false);
  expect(parseStop(await box.run(renderStop(runId, 10)))).toMatchObject({ stopped: 'none', status: { phase: 'failed' } });
});

test('R063 stop after the grace: what ignores SIGTERM is killed with all its children', async () => {
  box = new Box();
  const runId = await box.start('trap "" TERM\nsleep 300 &\necho ready\nwhile :; do sleep 0.1; done', { script: 'job.sh' });
  await until('the trap', async () => (box.read(runId, 'training.log') === 'ready\n' ? true : undefined));
  const stopped = parseStop(await box.run(renderStop(runId, 1)));
  expect(stopped).toMatchObject({ stopped: 'kill', status: { phase: 'failed', exitCode: 137 } });
  await until('the children to be gone', async () => (box.living().length === 0 ? true : undefined));
});

test('the supervisor ignores the SIGTERM of a machine that shuts down, its job does not', async () => {
  box = new Box();
  const runId = await box.start(SAVES);
  await until('the handler', async () => (box.read(runId, 'training.log') === 'ready\n' ? true : undefined));
  for (const file of ['supervisor', 'job']) process.kill(Number(box.read(runId, file)?.split(' ')[0]), 'SIGTERM');
  expect(await box.ended(runId)).toMatchObject({ phase: 'failed', exitCode: 143 });
});

test('R243 outputs come as one archive with its size and hash, a small one in the answer itself, also while the job runs', async () => {
  box = new Box();
  const runId = await box.start(`${WAIT_FOR}open(os.environ["RUNCTL_CHECKPOINT_DIR"]+"/c 1.bin","wb").write(bytes(5000))\nprint("log")\nwait("go")`);
  await until('the log', async () => (box.read(runId, 'training.log') ? true : undefined));
  const running = parsePacked(await box.run(renderPackOutputs(runId)));
  expect(running.file).toBe(join(box.directory(runId), 'outputs.tar.gz'));
  writeFileSync(join(box.directory(runId), 'code/go'), '');
  await box.ended(runId);
  const file = join(box.root, 'out put.tar.gz');
  const packed = parsePacked(await box.run(renderPackOutputs(runId, { file })));
  const archive = readFileSync(file);
  expect(packed).toEqual({ file, sizeBytes: archive.length, sha256: createHash('sha256').update(archive).digest('hex') });
  const inline = parsePacked(await box.run(renderPackOutputs(runId, { file, inlineBytes: archive.length + 200 })));
  expect(inline.content).toEqual(readFileSync(file));
  expect(parsePacked(await box.run(renderPackOutputs(runId, { file, inlineBytes: 100 }))).content).toBeUndefined();
  const names = spawnSync('tar', ['-tzf', file], { encoding: 'utf8' }).stdout.trim().split('\n').sort();
  expect(names).toEqual(['checkpoints/', 'checkpoints/c 1.bin', 'exit_record', 'training.log', 'training.pid', 'training_complete.txt', 'training_exit_code.txt']);
  await expect(box.run(renderPackOutputs(runId, { file: join(box.root, 'gone/x.tar.gz') })).then(parsePacked)).rejects.toMatchObject({ code: 'wrong-state' });
});

test('a run that the machine does not know', async () => {
  box = new Box();
  expect(await box.status()).toEqual({ phase: 'none' });
  const runId = box.newId();
  expect(await box.status(runId)).toEqual({ phase: 'none', runId });
  expect(parseWatch(await box.run(renderWatch(runId, 0, 100, 20)))).toMatchObject({ status: { phase: 'none' }, bytes: Buffer.alloc(0) });
  for (const script of [renderLog(runId, 0, 1), renderStop(runId, 1), renderPackOutputs(runId)]) {
    const answer = await box.run(script);
    expect(answer.exitCode).toBe(66);
    expect(() => parseLog(answer)).toThrow(`no run ${runId}`);
  }
});
