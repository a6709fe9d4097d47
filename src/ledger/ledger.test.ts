import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RunctlError } from '../core/errors.ts';
import { effectToken } from '../core/ids.ts';
import { redact } from '../core/secrets.ts';
import { openLedger, type Ledger } from './ledger.ts';
import { ownerAlive } from './owner.ts';
import { openSqlite } from './sqlite.ts';

let directory: string;
let path: string;
const open: Ledger[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ledger-'));
  path = join(directory, 'state', 'ledger.db');
});

afterEach(() => {
  for (const ledger of open.splice(0)) ledger.close();
  rmSync(directory, { recursive: true, force: true });
});

async function ledger(): Promise<Ledger> {
  const opened = await openLedger(path);
  open.push(opened);
  return opened;
}

async function withRun(): Promise<Ledger> {
  const opened = await ledger();
  opened.beginRun({ id: 'run-1', verb: 'train', request: { script: 'a.py' }, project: 'mnist', nowMs: 1000 });
  return opened;
}

describe('runs and steps', () => {
  test('R220 a run is found again by the next process, with what it was asked and how it ended', async () => {
    const first = await withRun();
    first.setMachine('run-1', 'i-0abc', 'aws');
    first.endRun('run-1', 'failed', { code: 'job-failed', exitCode: 3 }, 5000);
    const again = await ledger();
    expect(again.getRun('run-1')).toEqual({
      id: 'run-1', verb: 'train', state: 'failed', machineId: 'i-0abc', provider: 'aws', project: 'mnist', request: { script: 'a.py' },
      result: { code: 'job-failed', exitCode: 3 }, createdAt: 1000, endedAt: 5000, owner: expect.objectContaining({ pid: process.pid }),
    });
  });

  test('steps count their attempts and keep value or error', async () => {
    const book = await withRun();
    expect(book.startStep('run-1', 'sync-code', 1)).toBe(1);
    book.failStep('run-1', 'sync-code', 1, { code: 'sync-failed' }, 2);
    expect(book.startStep('run-1', 'sync-code', 3)).toBe(2);
    book.finishStep('run-1', 'sync-code', 2, { files: 4 }, 9);
    expect(book.startStep('run-1', 'watch', 10)).toBe(1);
    expect(book.stepsOf('run-1').map(({ name, attempt, state, value, error, endedAt }) => ({ name, attempt, state, value, error, endedAt }))).toEqual([
      { name: 'sync-code', attempt: 1, state: 'failed', error: { code: 'sync-failed' }, value: undefined, endedAt: 2 },
      { name: 'sync-code', attempt: 2, state: 'done', value: { files: 4 }, error: undefined, endedAt: 9 },
      { name: 'watch', attempt: 1, state: 'started', value: undefined, error: undefined, endedAt: undefined },
    ]);
    expect(() => book.finishStep('run-1', 'watch', 7, {}, 1)).toThrow(/no such step/);
  });

  test('runs are listed newest first, by state and by machine', async () => {
    const book = await ledger();
    for (let i = 1; i <= 5; i++) book.beginRun({ id: `run-${i}`, verb: 'train', request: {}, nowMs: i });
    book.setMachine('run-2', 'i-1', 'aws');
    book.endRun('run-2', 'succeeded', undefined, 9);
    expect(book.listRuns().map((run) => run.id)).toEqual(['run-5', 'run-4', 'run-3', 'run-2', 'run-1']);
    expect(book.listRuns({ limit: 2 }).map((run) => run.id)).toEqual(['run-5', 'run-4']);
    expect(book.listRuns({ state: 'succeeded' }).map((run) => run.id)).toEqual(['run-2']);
    expect(book.listRuns({ machineId: 'i-1' }).map((run) => run.id)).toEqual(['run-2']);
    expect(() => book.getRun('run-9')).toThrow(expect.objectContaining({ code: 'not-found', hints: ['runctl runs list'] }));
    expect(book.findRun('run-9')).toBeUndefined();
    expect(() => book.beginRun({ id: 'run-1', verb: 'x', request: {}, nowMs: 1 })).toThrow(/UNIQUE/);
  });

  test('an open run whose process is gone can be told, and is taken over once', async () => {
    const book = await withRun();
    const { owner } = book.getRun('run-1');
    expect(ownerAlive(owner)).toBe(true);
    expect(ownerAlive({ ...owner, start: 'another boot/1' })).toBe(false);
    const gone = Number(execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }));
    expect(ownerAlive({ pid: gone, start: 'x' })).toBe(false);
    const sqlite = await openSqlite(path);
    sqlite.run('UPDATE runs SET owner_pid = ?, owner_start = ?', gone, 'x');
    sqlite.close();
    expect(book.takeOver('run-1', { pid: gone, start: 'x' })).toBe(true);
    expect(book.takeOver('run-1', { pid: gone, start: 'x' })).toBe(false);
    expect(book.getRun('run-1').owner).toEqual(owner);
  });

  test('costs are kept by run; an unknown price stays unknown', async () => {
    const book = await withRun();
    book.addCost({ runId: 'run-1', machineId: 'i-1', category: 'training', seconds: 61, costMicroUsd: 177, at: 5 });
    book.addCost({ runId: 'run-1', machineId: 'i-1', category: 'boot', seconds: 9.6, at: 6 });
    expect(book.costsOf('run-1')).toEqual([
      { runId: 'run-1', machineId: 'i-1', category: 'training', seconds: 61, costMicroUsd: 177, at: 5 },
      { runId: 'run-1', machineId: 'i-1', category: 'boot', seconds: 10, costMicroUsd: undefined, at: 6 },
    ]);
  });
});

describe('effects', () => {
  const effect = { runId: 'run-1', step: 'create', kind: 'ec2.run-instances', request: { type: 't3.micro' }, nowMs: 10 };

  test('R220 the intent can be read by another process before the effect happens', async () => {
    const book = await withRun();
    const { token, attempt, known } = book.intend(effect);
    expect({ token, attempt, known }).toEqual({ token: effectToken('run-1', 'create', 1), attempt: 1, known: false });
    const other = await ledger();
    const { nowMs, ...intent } = effect;
    expect(other.findOpenEffects()).toEqual([{ ...intent, intendedAt: nowMs, attempt: 1, token, state: 'intended', outcome: undefined, resourceId: undefined, settledAt: undefined }]);
  });

  test('R220 a second try after a crash says the same token; after a refusal another one', async () => {
    const book = await withRun();
    const first = book.intend(effect);
    const afterCrash = book.intend({ ...effect, request: { type: 'other' } });
    expect(afterCrash).toMatchObject({ known: true, token: first.token, state: 'intended', request: { type: 't3.micro' } });
    book.settle({ runId: 'run-1', step: 'create', attempt: 1, state: 'failed', outcome: { code: 'capacity' }, nowMs: 11 });
    const second = book.intend(effect);
    expect(second).toMatchObject({ known: false, attempt: 2, token: effectToken('run-1', 'create', 2) });
    book.settle({ runId: 'run-1', step: 'create', attempt: 2, state: 'done', resourceId: 'i-0abc', outcome: { id: 'i-0abc' }, nowMs: 12 });
    expect(book.findOpenEffects()).toEqual([]);
    // Done is done: nobody who asks again can be told to do it twice.
    expect(book.intend(effect)).toMatchObject({ known: true, attempt: 2, state: 'done', resourceId: 'i-0abc', outcome: { id: 'i-0abc' } });
    expect(book.effectsOf('run-1').map((row) => row.state)).toEqual(['failed', 'done']);
  });

  test('an outcome is settled once, for an effect that was intended', async () => {
    const book = await withRun();
    book.intend(effect);
    const done = { runId: 'run-1', step: 'create', attempt: 1, state: 'done', resourceId: 'i-1', nowMs: 1 } as const;
    book.settle(done);
    book.settle(done);
    expect(() => book.settle({ ...done, state: 'abandoned' })).toThrow(/no such open effect/);
    expect(() => book.settle({ ...done, attempt: 4 })).toThrow(/no such open effect/);
    expect(() => book.intend({ ...effect, runId: 'run-unknown' })).toThrow(/FOREIGN KEY/);
    // The failed transaction above left nothing open.
    expect(book.startStep('run-1', 'next', 1)).toBe(1);
  });

  test('R220 kill -9 right after intend() returned leaves the intent on disk', async () => {
    (await withRun()).close();
    open.pop();
    const child = worker('crash');
    await new Promise((done) => child.on('exit', done));
    expect(child.signalCode).toBe('SIGKILL');
    const book = await ledger();
    expect(book.findOpenEffects('run-1')).toMatchObject([{ step: 'create', token: effectToken('run-1', 'create', 1) }]);
  });

  test('R220 two processes at once lose no update and share no attempt', async () => {
    (await withRun()).close();
    open.pop();
    const children = [worker('count'), worker('count'), worker('count')];
    const ended = Promise.all(children.map((child) => new Promise((done) => child.on('exit', done))));
    await Promise.all(children.map((child) => new Promise((done) => child.stdout.once('data', done))));
    writeFileSync(join(directory, 'go'), '');
    const codes = await ended;
    expect(codes).toEqual([0, 0, 0]);
    const book = await ledger();
    expect(book.stepsOf('run-1').map((step) => step.attempt).sort((a, b) => a - b)).toEqual(Array.from({ length: 120 }, (_, i) => i + 1));
    expect(book.effectsOf('run-1')).toHaveLength(120);
  });
});

/** A real second process on the same file, running the real code. */
function worker(job: 'crash' | 'count') {
  const bundle = join(directory, 'ledger.mjs');
  if (!existsSync(bundle)) execFileSync(process.execPath, [resolve('node_modules/rolldown/bin/cli.mjs'), resolve('src/ledger/ledger.ts'), '--file', bundle, '--format', 'esm', '--platform', 'node', '--external', 'libsql'], { stdio: 'pipe' });
  const script = join(directory, `${job}.mjs`);
  writeFileSync(
    script,
    `import { existsSync } from 'node:fs';
    import { openLedger } from ${JSON.stringify(bundle)};
    const book = await openLedger(${JSON.stringify(path)});
    if (${JSON.stringify(job)} === 'crash') {
      book.intend({ runId: 'run-1', step: 'create', kind: 'k', request: {}, nowMs: 1 });
      process.kill(process.pid, 'SIGKILL');
    }
    // All start at once, when each has said that it is ready.
    console.log('ready');
    while (!existsSync(${JSON.stringify(join(directory, 'go'))})) await new Promise((done) => setTimeout(done, 5));
    for (let i = 0; i < 40; i++) {
      const attempt = book.startStep('run-1', 'step', i);
      book.finishStep('run-1', 'step', attempt, process.pid, i);
      book.intend({ runId: 'run-1', step: 'effect ' + attempt, kind: 'k', request: {}, nowMs: i });
    }
    book.close();`,
  );
  return spawn(process.execPath, ['--require', requireFrom(), script], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** libsql is found from the repository although the bundle lies elsewhere. */
function requireFrom(): string {
  mkdirSync(join(directory, 'node_modules'), { recursive: true });
  const file = join(directory, 'node_modules', 'libsql', 'index.js');
  mkdirSync(join(directory, 'node_modules', 'libsql'), { recursive: true });
  writeFileSync(file, `module.exports = require(${JSON.stringify(resolve('node_modules/libsql'))});`);
  return file;
}

describe('the file', () => {
  test('R270 is for its owner only, and so is a new directory', async () => {
    mkdirSync(join(directory, 'state'), { mode: 0o755 });
    writeFileSync(path, '', { mode: 0o644 });
    await withRun();
    for (const suffix of ['', '-wal', '-shm']) expect(statSync(path + suffix).mode & 0o777).toBe(0o600);
    const fresh = join(directory, 'new', 'deep', 'ledger.db');
    (await openLedger(fresh)).close();
    expect(statSync(join(directory, 'new', 'deep')).mode & 0o777).toBe(0o700);
  });

  test('R270 secrets in requests, values and errors do not reach the disk', async () => {
    const book = await withRun();
    const url = 'https://b.s3.amazonaws.com/k?X-Amz-Algorithm=A&X-Amz-Credential=AKIACANARY1&X-Amz-Signature=CANARY2&X-Amz-Security-Token=CANARY3';
    const attempt = book.startStep('run-1', 'push', 1);
    book.failStep('run-1', 'push', attempt, { message: `curl: ${url} failed` }, 2);
    book.intend({ runId: 'run-1', step: 'put', kind: 'k', request: { url, nested: [{ secretAccessKey: 'CANARY4' }] }, nowMs: 1 });
    book.endRun('run-1', 'failed', { password: 'CANARY5', proxy: 'http://me:CANARY6@proxy:1/' }, 3);
    book.close();
    open.pop();
    const onDisk = ['', '-wal'].map((suffix) => (existsSync(path + suffix) ? readFileSync(path + suffix, 'latin1') : '')).join('');
    expect(onDisk).toContain('X-Amz-Algorithm');
    expect(onDisk).not.toMatch(/CANARY/);
    const back = await ledger();
    expect(back.stepsOf('run-1')[0]?.error).toEqual({
      message: 'curl: https://b.s3.amazonaws.com/k?X-Amz-Algorithm=A&X-Amz-Credential=[redacted]&X-Amz-Signature=[redacted]&X-Amz-Security-Token=[redacted] failed',
    });
  });

  test('redact leaves everything else as it was', () => {
    const value = { clientToken: 'a'.repeat(64), n: 1, list: [null, true, 'https://x/y?versionId=3'], undefinedStays: undefined };
    expect(redact(value)).toEqual(value);
  });

  test('a damaged file is named, with the command that puts it aside', async () => {
    mkdirSync(join(directory, 'state'));
    writeFileSync(path, 'this is not a database, but it is long enough to be taken for a broken one'.repeat(20));
    const error = await openLedger(path).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RunctlError);
    expect(error).toMatchObject({ code: 'state-unusable', exitCode: 3 });
    expect((error as RunctlError).hints[0]).toContain(`mv ${path} ${path}.broken`);
  });

  test('a page that rots later is told as damage, not as a bug', async () => {
    const book = await ledger();
    for (let i = 0; i < 200; i++) book.beginRun({ id: `run-${i}`, verb: 'train', request: { text: 'x'.repeat(200) }, nowMs: i });
    book.close();
    open.pop();
    const sqlite = await openSqlite(path);
    sqlite.all('PRAGMA wal_checkpoint(TRUNCATE)');
    sqlite.close();
    for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
    const bytes = readFileSync(path);
    for (let page = 2; page * 4096 < bytes.length; page++) bytes.fill(0xee, page * 4096, page * 4096 + 64);
    writeFileSync(path, bytes);
    const broken = await openLedger(path).then((opened) => {
      open.push(opened);
      return () => opened.listRuns({ limit: 500 });
    });
    expect(broken).toThrow(expect.objectContaining({ code: 'state-unusable' }));
  });

  test('an impossible place and a newer version are refused with a remedy', async () => {
    writeFileSync(join(directory, 'file'), '');
    await expect(openLedger(join(directory, 'file', 'ledger.db'))).rejects.toMatchObject({ code: 'state-unusable', hints: [expect.stringContaining('ls -ld'), expect.any(String)] });
    (await openLedger(path)).close();
    const sqlite = await openSqlite(path);
    sqlite.exec('PRAGMA user_version = 99');
    sqlite.close();
    await expect(openLedger(path)).rejects.toMatchObject({ code: 'state-unusable', message: expect.stringContaining('newer runctl') });
  });
});
