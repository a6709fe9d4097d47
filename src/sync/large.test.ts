// What is large, slow or in the way: streams instead of memory, progress while the machine works, full disks, two at a time.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLocalShell, type LocalShell } from '../../test/support/local-shell.ts';
import { createLocalStore, type LocalStore } from '../../test/support/local-store.ts';
import type { Clock } from '../core/clock.ts';
import { RunctlError } from '../core/errors.ts';
import type { Event } from '../core/events.ts';
import { estimatePackedBytes, packTree } from './pack.ts';
import { listTree } from './plan.ts';
import { progress } from './progress.ts';
import { pushTree, type PushRequest } from './push.ts';
import { openScratch } from './scratch.ts';

let top: string;
let root: string;
let run: string;
let temporary: string;
let shell: LocalShell;
let store: LocalStore | undefined;
let events: Event[];
const clock: Clock = { now: () => performance.now(), monotonic: () => performance.now(), sleep: async (_ms, signal) => signal?.throwIfAborted() };
const report = (event: Event): void => void events.push(event);

beforeEach(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), 'large-')));
  root = join(top, 'project');
  run = join(top, 'run');
  temporary = join(top, 'tmp');
  for (const directory of [root, run, temporary]) mkdirSync(directory);
  writeFileSync(join(root, 'train.py'), 'print(1)\n');
  vi.stubEnv('TMPDIR', temporary);
  shell = createLocalShell({ home: top });
  events = [];
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await store?.close();
  store = undefined;
  rmSync(top, { recursive: true, force: true });
});

const planOf = () => listTree({ root, script: 'train.py' });

async function push(more: Partial<PushRequest> = {}) {
  const plan = await planOf();
  const archive = await packTree(plan);
  try {
    return await pushTree({ plan, archive, shell, runDirectory: run, maxDirectBytes: 2 * 1024 * 1024, report, clock, ...more });
  } finally {
    await archive.remove();
  }
}

/** 300 MiB with something in it here and there; takes no room on most disks. */
function sparse(file: string): void {
  const handle = openSync(file, 'w');
  for (const at of [0, 123_456_789, 300 * 1024 * 1024 - 7]) writeSync(handle, randomBytes(7), 0, 7, at);
  closeSync(handle);
}

describe('large files', () => {
  test('R039 R047 300 MiB through the bucket: whole, in bounded memory, and told while they move', async () => {
    store = await createLocalStore();
    sparse(join(root, 'weights.bin'));
    const before = process.memoryUsage.rss();
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss() - before)), 20);
    const plan = await planOf();
    const archive = await packTree(plan, { onProgress: progress({ report, clock, step: 'sync' }, 'pack', plan.bytes) });
    const summary = await pushTree({ plan, archive, shell, store, runDirectory: run, maxDirectBytes: 1, report, clock, lookMs: 30 });
    clearInterval(watch);
    await archive.remove();
    expect(most).toBeLessThan(200 * 1024 * 1024);
    expect(summary.bytes).toBe(300 * 1024 * 1024 + 9);
    execFileSync('cmp', [join(root, 'weights.bin'), join(run, 'code/weights.bin')]);
    const stages = new Set(events.flatMap((event) => (event.kind === 'transfer.moved' ? [event.stage] : [])));
    expect(stages).toEqual(new Set(['pack', 'send', 'fetch', 'unpack', 'verify'].filter((stage) => stages.has(stage as 'pack'))));
    expect([...stages]).toEqual(expect.arrayContaining(['pack', 'send', 'unpack', 'verify']));
    for (const event of events) if (event.kind === 'transfer.moved') expect(event.doneBytes).toBeLessThanOrEqual(event.totalBytes);
  }, 60_000);

  test('R009 too large without a bucket: the estimate says so, and the push refuses before anything is sent', async () => {
    writeFileSync(join(root, 'noise.bin'), randomBytes(3 * 1024 * 1024));
    const plan = await planOf();
    const estimate = await estimatePackedBytes(plan);
    const archive = await packTree(plan);
    expect(estimate).toBe(archive.packedBytes);
    await archive.remove();
    await expect(push()).rejects.toMatchObject({ code: 'bucket-missing' });
    expect(shell.scripts).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test('the estimate from samples is near the truth for mixed trees', async () => {
    for (let i = 0; i < 300; i++) writeFileSync(join(root, `m${i}.py`), `x = ${i}\n`.repeat(500));
    for (let i = 0; i < 4; i++) writeFileSync(join(root, `noise${i}.bin`), randomBytes((i + 1) * 1_500_000));
    writeFileSync(join(root, 'zeros.bin'), Buffer.alloc(5_000_000));
    const plan = await planOf();
    const exact = await estimatePackedBytes(plan);
    const sampled = await estimatePackedBytes(plan, { mostBytes: 4 * 1024 * 1024 });
    expect(sampled).toBeGreaterThan(exact / 2);
    expect(sampled).toBeLessThan(exact * 2);
  });

  test('R047 progress is told at most five times a second, the end always, nothing twice', () => {
    let now = 0;
    const moved = progress({ report, clock: { ...clock, monotonic: () => now }, step: 'sync' }, 'send', 1000);
    for (let bytes = 0; bytes <= 1000; bytes++) {
      now += 1;
      moved(bytes);
    }
    moved(1000);
    expect(events.map((event) => (event as { doneBytes: number }).doneBytes)).toEqual([0, 200, 400, 600, 800, 1000]);
  });
});

describe('R045 what is damaged on its way', () => {
  test.each([
    ['one byte of the upload is another', (bytes: Buffer) => bytes.fill(bytes[200]! ^ 1, 200, 201)],
    ['the archive is cut short', (bytes: Buffer) => bytes.subarray(0, -100)],
    ['the archive is empty', () => Buffer.alloc(0)],
    ['more comes than was sent', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('x')])],
  ])('%s: sync-failed, nothing is left', async (_what, damage) => {
    store = await createLocalStore();
    writeFileSync(join(root, 'data.bin'), randomBytes(20_000));
    const put = store.put.bind(store);
    store.put = async (key, file, options) => {
      const damaged = join(top, 'damaged');
      writeFileSync(damaged, damage(readFileSync(file)));
      await put(key, damaged, options);
    };
    await expect(push({ store })).rejects.toMatchObject({ code: 'sync-failed', data: { stage: 'check' } });
    expect(readdirSync(run)).toEqual([]);
    expect(store.objects()).toEqual([]);
  });

  test('parts that come in each other\'s place are found out', async () => {
    writeFileSync(join(root, 'data.bin'), randomBytes(60_000));
    const narrow = createLocalShell({ home: top, maxScriptBytes: 16_000 });
    const swapping = { ...narrow, run: (script: string, options?: object) => narrow.run(/^parts=[1-9]/m.test(script) ? script.replace('missing=', 'mv "$in/part.0" "$in/x"; mv "$in/part.1" "$in/part.0"; mv "$in/x" "$in/part.1"; missing=') : script, options) };
    await expect(push({ shell: swapping })).rejects.toMatchObject({ code: 'sync-failed', data: { stage: 'check' } });
    expect(readdirSync(run)).toEqual([]);
  });

  test('R050 under a job that was started nothing is replaced', async () => {
    await push();
    writeFileSync(join(run, 'supervisor'), '1 2');
    writeFileSync(join(root, 'train.py'), 'changed');
    await expect(push()).rejects.toMatchObject({ code: 'sync-failed', reason: expect.stringContaining('a job was started') });
    expect(readFileSync(join(run, 'code/train.py'), 'utf8')).toBe('print(1)\n');
  });
});

/** Small disks, in mount namespaces of their own; not everybody may. */
const canMount = process.platform === 'linux' && spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs -o size=64k none /mnt']).status === 0;

describe('R045 full disks', () => {
  test.runIf(canMount).each([
    ['while the parts are put together', 1_000_000, '500k', randomBytes(300_000)],
    ['while it is unpacked', 1_000_000, '500k', Buffer.alloc(3_000_000)],
    ['while parts are written', 60_000, '16k', randomBytes(300_000)],
  ])('the machine\'s, %s: said in plain words, with the setting that helps', async (_what, maxScriptBytes, size, content) => {
    writeFileSync(join(root, 'data.bin'), content);
    const wide = createLocalShell({ home: top, maxScriptBytes: 2_000_000 });
    // A disk of its own for each call.
    const full = (script: string): string => `f=$(mktemp)\ncat >"$f" <<'WHOLE'\n${script}\nWHOLE\nunshare -rm sh -c 'mount -t tmpfs -o size=${size} none "${run}" && exec sh "$0"' "$f"; rm -f "$f"\n`;
    const error = (await push({ shell: { ...wide, maxScriptBytes, run: (script, options) => wide.run(full(script), options) } }).catch((thrown: unknown) => thrown)) as RunctlError;
    expect(error).toMatchObject({ code: 'sync-failed', message: 'the code did not arrive whole: the disk of the machine is full', hints: expect.arrayContaining(['runctl config set aws.root_volume_gb 100']) });
    expect(error.reason).toContain('No space left on device');
  });

  test('ours: the directory, the cause and the way round are told, and nothing is left', async () => {
    const scratch = await openScratch('runctl-pack', temporary);
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' });
    expect(scratch.explain(full)).toMatchObject({ code: 'sync-failed', message: `there is no room in ${temporary} to pack the project`, reason: full.message, hints: expect.arrayContaining([`df -h ${temporary}`]) });
    const bug = new TypeError('x');
    expect(scratch.explain(bug)).toBe(bug);
    const own = new RunctlError('sync-failed', 'y');
    expect(scratch.explain(own)).toBe(own);
    await scratch.remove();
    expect(readdirSync(temporary)).toEqual([]);
    vi.stubEnv('TMPDIR', join(top, 'nowhere'));
    await expect(packTree(await planOf())).rejects.toMatchObject({ code: 'sync-failed', message: `the project cannot be packed in ${join(top, 'nowhere')}` });
  });
});

describe('temporary files', () => {
  test('an archive is readable by its owner only, two at a time do not meet, and an interrupted one is gone', async () => {
    writeFileSync(join(root, 'noise.bin'), randomBytes(2_000_000));
    const plan = await planOf();
    const [one, two] = await Promise.all([packTree(plan), packTree(plan)]);
    expect(one.file).not.toBe(two.file);
    expect(one.sha256).toBe(two.sha256);
    expect(statSync(one.file).mode & 0o777).toBe(0o600);
    await one.remove();
    expect(existsSync(two.file)).toBe(true);
    await two.remove();
    const controller = new AbortController();
    const reason = new RunctlError('interrupted', 'interrupted');
    truncateSync(join(root, 'noise.bin'), 30_000_000);
    const packing = packTree(await planOf(), { signal: controller.signal, onProgress: () => controller.abort(reason) });
    await expect(packing).rejects.toBe(reason);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test('what a killed process left is removed by the next; what others use stays', async () => {
    const computer = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
    const { pid } = spawnSync('true');
    const [dead, fresh, living, elsewhere] = [`runctl-pack-${computer}-${pid}-aaaaaa`, `runctl-pack-${computer}-${pid}-bbbbbb`, `runctl-pack-${computer}-${process.pid}-cccccc`, `runctl-pack-00000000-${pid}-dddddd`];
    for (const name of [dead, fresh, living, elsewhere]) mkdirSync(join(temporary, name!));
    for (const name of [dead, living, elsewhere]) utimesSync(join(temporary, name!), 1, 1);
    await (await openScratch('runctl-pack', temporary)).remove();
    expect(readdirSync(temporary).sort()).toEqual([elsewhere, fresh, living].sort());
  });
});
