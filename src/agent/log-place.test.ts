// Logs where the configuration wants them, refusals before anything is sent, and the list of a machine's runs.
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Box, SHELLS, until } from '../../test/support/agent-box.ts';
import { parseJobs, parsePacked, parsePrepared, parseWatch } from './parse.ts';
import { renderJobs, renderLaunch, renderPackOutputs, renderPrepare, renderWatch } from './render.ts';

let box: Box;
afterEach(async () => {
  await box.remove();
});

const WAITS = 'import os,time\nprint("here", flush=True)\nwhile not os.path.exists("go"): time.sleep(0.02)\n';
const context = (runId: string) => ({ machineId: 'i-test', provider: 'aws', runId, script: 'my job.py' });
const jobs = async () => parseJobs(await box.run(renderJobs()));

describe.each(SHELLS)('with %s as sh', (shell) => {
  test('R061 the log is where it is wanted, and whoever asks for it by the run finds it', async () => {
    box = new Box(shell);
    for (const [log, file] of [
      ['logs/one.log', join(box.home, 'logs/one.log')],
      ['~/two of/them/log', join(box.home, 'two of/them/log')],
      [join(box.root, 'elsewhere', "it's.log"), join(box.root, 'elsewhere', "it's.log")],
    ] as const) {
      const runId = await box.start(`print("in ${log.length}")`, { log });
      const status = await box.ended(runId);
      expect(status).toMatchObject({ phase: 'succeeded', logPath: file, logBytes: 6, logTail: `in ${log.length}\n` });
      expect(lstatSync(file).isFile()).toBe(true);
      expect(readFileSync(file, 'utf8')).toBe(`in ${log.length}\n`);
      expect(box.read(runId, 'training.log')).toBe(`in ${log.length}\n`);
      expect(String(parseWatch(await box.run(renderWatch(runId, 3, 100, 1))).bytes)).toBe(`${log.length}\n`);
      const packed = parsePacked(await box.run(renderPackOutputs(runId)));
      expect(spawnSync('tar', ['-xzOf', packed.file, 'training.log'], { encoding: 'utf8' }).stdout).toBe(`in ${log.length}\n`);
      expect(existsSync(join(box.directory(runId), 'pack'))).toBe(false);
      expect(existsSync(`${file}.try`)).toBe(false);
    }
  });

  test('R059 a machine with a live job refuses before anything is sent, and makes no directory for the newcomer', async () => {
    box = new Box(shell);
    const first = await box.start(WAITS);
    const second = box.newId();
    const refused = await box.run(renderPrepare(second));
    expect(refused.exitCode).toBe(75);
    const error = (() => {
      try {
        return parsePrepared(refused, context(second));
      } catch (thrown) {
        return thrown as Error;
      }
    })();
    const pid = Number(box.read(first, 'training.pid'));
    expect(error).toMatchObject({ code: 'job-running', data: { refused: second, running: { runId: first, pid } } });
    expect((error as Error).message).toMatch(new RegExp(`job\\.py \\(${first}, pid ${pid}, since \\d{4}-`));
    expect((error as unknown as { hints: string[] }).hints.join('\n')).toMatch(/monitor i-test --follow[^]*stop-training i-test[^]*train i-test 'my job\.py' --force/);
    expect(existsSync(box.directory(second))).toBe(false);
    expect(parsePrepared(await box.run(renderPrepare(second, { force: true })), context(second)).directory).toBe(box.directory(second));
    writeFileSync(join(box.directory(first), 'code/go'), '');
    await box.ended(first);
    const third = box.newId();
    expect(parsePrepared(await box.run(renderPrepare(third)), context(third)).runId).toBe(third);
  });
});

test('every run that was launched is listed with what became of it', async () => {
  box = new Box();
  expect(await jobs()).toEqual([]);
  const good = await box.start('pass');
  await box.ended(good);
  const bad = await box.start('raise SystemExit(2)');
  await box.ended(bad);
  const live = await box.start(WAITS);
  await box.prepare('job.py', 'pass'); // prepared, never launched
  const list = await jobs();
  expect(Object.fromEntries(list.map(({ runId, phase }) => [runId, phase]))).toEqual({ [good]: 'succeeded', [bad]: 'failed', [live]: 'running' });
  const { pid, startedAt } = list.find(({ runId }) => runId === live)!;
  expect(pid).toBe(Number(box.read(live, 'training.pid')));
  expect(Math.abs(startedAt! - Date.now())).toBeLessThan(60_000);
});

test('R061 a place that cannot be written is an error that names it, and nothing is launched', async () => {
  box = new Box();
  writeFileSync(join(box.home, 'file'), '');
  const runId = box.newId();
  for (const word of [renderPrepare(runId, { log: 'file/x.log' }), renderLaunch({ runId, script: 'job.py', args: [], env: {}, log: 'file/x.log' })]) {
    const answer = await box.run(word);
    expect(answer.exitCode).toBe(73);
    expect(() => parsePrepared(answer, context(runId))).toThrow(/the directory for the log cannot be made: .*home\/file/);
  }
  // A full disk: names can be made, bytes cannot be written.
  const bin = join(box.root, 'full');
  mkdirSync(bin);
  writeFileSync(join(bin, 'head'), '#!/bin/sh\necho "head: error writing \'standard output\': No space left on device" >&2\nexit 1\n', { mode: 0o755 });
  box.path = `${bin}:${box.path}`;
  const full = await box.run(renderPrepare(runId, { log: 'logs/x.log' }));
  expect(() => parsePrepared(full, context(runId))).toThrow(/cannot be written to .*logs\/x\.log: head: .*No space left/);
  expect(readdirSync(join(box.home, 'logs'))).toEqual([]);
  expect(existsSync(box.directory(runId))).toBe(false);
});

test.skipIf(process.getuid?.() !== 0)('R061 as root: log and new directories belong to the owner of the home; a place they may not enter is told', async () => {
  box = new Box();
  chmodSync(box.root, 0o755);
  chownSync(box.home, 65_534, 65_534);
  const runId = await box.start('print("mine")', { log: 'deep/er/x.log' });
  expect(await box.ended(runId)).toMatchObject({ phase: 'succeeded', logTail: 'mine\n' });
  for (const path of ['deep', 'deep/er', 'deep/er/x.log']) expect(statSync(join(box.home, path)).uid).toBe(65_534);
  const closed = join(box.root, 'closed');
  mkdirSync(closed, { mode: 0o700 });
  await expect(box.start('print("no")', { log: join(closed, 'x.log') })).rejects.toMatchObject({ code: 'wrong-state', message: expect.stringMatching(/cannot write the log: .*ermission denied/) });
});

test('R060 the log of every run stays its own, also when a second one is forced beside it', async () => {
  box = new Box();
  const first = await box.start(WAITS, { log: 'logs/a.log' });
  const second = await box.start('print("second")', { log: 'logs/b.log', force: true });
  await box.ended(second);
  writeFileSync(join(box.directory(first), 'code/go'), '');
  await until('the first to end', async () => ((await box.status(first)).phase === 'succeeded' ? true : undefined));
  expect([first, second].map((runId) => box.read(runId, 'training.log'))).toEqual(['here\n', 'second\n']);
  expect(readdirSync(join(box.home, 'logs')).sort()).toEqual(['a.log', 'b.log']);
});
