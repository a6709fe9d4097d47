import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLocalShell } from '../../test/support/local-shell.ts';
import { createLocalStore, type LocalStore } from '../../test/support/local-store.ts';
import type { Clock } from '../core/clock.ts';
import { RunctlError } from '../core/errors.ts';
import type { Event } from '../core/events.ts';
import type { Shell } from '../core/ports.ts';
import { pullFile, type PullRequest } from './pull.ts';
import { tarEnd, tarHeader, tarPadding } from './tar-header.ts';
import { unpackOutputs } from './unpack.ts';

let top: string;
let store: LocalStore | undefined;
let events: Event[];
const clock: Clock = { now: () => 0, monotonic: () => 0, sleep: async () => {} };

beforeEach(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), 'pull-')));
  events = [];
});
afterEach(async () => {
  await store?.close();
  store = undefined;
  rmSync(top, { recursive: true, force: true });
});

function remote(bytes: number) {
  const file = join(top, "out puts'{{1}}.tar.gz");
  const content = randomBytes(bytes);
  writeFileSync(file, content);
  return { file, sizeBytes: bytes, sha256: createHash('sha256').update(content).digest('hex') };
}

const pull = (more: Partial<PullRequest> & Pick<PullRequest, 'remote'>) =>
  pullFile({ shell: createLocalShell({ home: top }), file: join(top, 'local'), key: 'k/outputs.tar.gz', report: (event) => events.push(event), clock, ...more });

describe('a file comes back', () => {
  test.each([0, 1, 17_000, 17_136, 17_137, 100_000])('%d bytes through the shell', async (bytes) => {
    const file = remote(bytes);
    await pull({ remote: file });
    expect(readFileSync(join(top, 'local'))).toEqual(readFileSync(file.file));
    expect(statSync(join(top, 'local')).mode & 0o777).toBe(0o600);
    if (bytes > 0) expect(events.at(-1)).toMatchObject({ kind: 'transfer.moved', doneBytes: bytes, totalBytes: bytes });
  });

  test('through the store when it is large, through the shell when it is not worth it', async () => {
    store = await createLocalStore();
    const shell = createLocalShell({ home: top });
    const large = remote(500_000);
    await pull({ remote: large, store, shell });
    expect(readFileSync(join(top, 'local'))).toEqual(readFileSync(large.file));
    expect(shell.scripts).toHaveLength(1);
    expect(shell.scripts[0]).toContain('--upload-file');
    expect(store.objects()).toEqual([]);
    await pull({ remote: remote(10_000), store, shell });
    expect(shell.scripts).toHaveLength(2);
    expect(shell.scripts[1]).not.toContain(store.signature);
  });

  test('too large without a store: bucket-missing, with the two lines', async () => {
    await expect(pull({ remote: remote(300_000), maxDirectBytes: 200_000 })).rejects.toMatchObject({ code: 'bucket-missing', hints: [expect.stringContaining('s3_bucket = '), expect.any(String)] });
    expect(readdirSync(top).filter((name) => name.startsWith('local'))).toEqual([]);
  });

  function meddling(meddle: (stdout: string, seen: number) => string | RunctlError): Shell {
    const inner = createLocalShell({ home: top });
    let seen = 0;
    return {
      ...inner,
      run: async (script, options) => {
        const result = await inner.run(script, options);
        const changed = meddle(result.stdout, ++seen);
        if (changed instanceof RunctlError) throw changed;
        return { ...result, stdout: changed };
      },
    };
  }
  const flip = (text: string): string => text.slice(0, -9) + (text.at(-9) === 'A' ? 'B' : 'A') + text.slice(-8);

  test.each([
    ['corrupted', (stdout: string, seen: number) => (seen === 2 ? flip(stdout) : stdout)],
    ['cut short', (stdout: string, seen: number) => (seen === 1 ? stdout.slice(0, 5000) : stdout)],
    ['empty', (stdout: string, seen: number) => (seen === 3 ? '' : stdout)],
    ['refused for now', (stdout: string, seen: number) => (seen === 3 ? new RunctlError('throttled', 'slow') : stdout)],
  ])('a piece that is %s once is asked for again', async (_what, meddle) => {
    const file = remote(80_000);
    await pull({ remote: file, shell: meddling(meddle) });
    expect(readFileSync(join(top, 'local'))).toEqual(readFileSync(file.file));
  });

  test('always corrupted, changed meanwhile, or gone: transfer-failed, and nothing is left', async () => {
    const file = remote(80_000);
    await expect(pull({ remote: file, shell: meddling(flip) })).rejects.toMatchObject({ code: 'transfer-failed' });
    await expect(pull({ remote: { ...file, sha256: '0'.repeat(64) } })).rejects.toMatchObject({ code: 'transfer-failed', reason: 'what arrived is not what the machine announced' });
    await expect(pull({ remote: { ...file, file: join(top, 'none') } })).rejects.toMatchObject({ code: 'transfer-failed', reason: 'there is no such file' });
    store = await createLocalStore();
    await expect(pull({ remote: { ...file, sha256: '0'.repeat(64) }, store })).rejects.toMatchObject({ code: 'transfer-failed' });
    store.failWith = 403;
    const error = (await pull({ remote: file, store }).catch((thrown: unknown) => thrown)) as RunctlError;
    expect(error.reason).toContain('curl ended with 22');
    expect(JSON.stringify([error, error.reason])).not.toContain(store.signature);
    expect(readdirSync(top).filter((name) => name.startsWith('local'))).toEqual([]);
  });
});

/** A tar.gz with any entries, also ones that no honest tar makes. */
function archive(...entries: { name: string; flag?: string; content?: string; target?: string }[]): string {
  const file = join(top, 'a.tar.gz');
  const blocks = entries.flatMap(({ name, flag = '0', content = '', target = '' }) => {
    const header = tarHeader({ name: Buffer.from(name), type: 'file', sizeBytes: content.length, mode: 0o644, target: Buffer.from(target) });
    const last = header.subarray(-512);
    last.write(flag, 156, 'latin1');
    last.fill(0x20, 148, 156);
    last.write(`${last.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return [header, Buffer.from(content), tarPadding(content.length)];
  });
  writeFileSync(file, gzipSync(Buffer.concat([...blocks, tarEnd()])));
  return file;
}

describe('R272 unpacking what came back', () => {
  test.each(['gnu', 'pax', 'ustar', 'v7'])('what the system’s tar makes (%s)', async (format) => {
    const tree = join(top, 'tree');
    mkdirSync(join(tree, 'checkpoints', 'empty'), { recursive: true });
    writeFileSync(join(tree, 'training.log'), 'log\n');
    writeFileSync(join(tree, 'checkpoints', 'epoch-1.json'), randomBytes(70_000));
    writeFileSync(join(tree, 'run.sh'), '', { mode: 0o755 });
    symlinkSync('checkpoints/epoch-1.json', join(tree, 'latest'));
    linkSync(join(tree, 'training.log'), join(tree, 'zz-hardlink'));
    if (format === 'gnu' || format === 'pax') writeFileSync(join(tree, `${'n'.repeat(150)}-ü`), 'long');
    utimesSync(join(tree, 'checkpoints', 'epoch-1.json'), 1_000_000, 1_000_000);
    execFileSync('tar', [`--format=${process.platform === 'darwin' && format === 'gnu' ? 'gnutar' : format}`, '-czf', join(top, 'a.tar.gz'), '-C', tree, '.']);
    const out = join(top, 'out');
    const result = await unpackOutputs(join(top, 'a.tar.gz'), out);
    expect(result.refused).toEqual([]);
    execFileSync('diff', ['-r', tree, out]);
    expect(statSync(join(out, 'run.sh')).mode & 0o777).toBe(0o755);
    expect(lstatSync(join(out, 'latest')).isSymbolicLink()).toBe(true);
    expect(statSync(join(out, 'checkpoints/epoch-1.json')).mtimeMs).toBe(1_000_000_000);
    // Twice into the same directory is fine.
    expect((await unpackOutputs(join(top, 'a.tar.gz'), out)).files).toBe(result.files);
  });

  test('nothing gets out of the directory; what is refused is told, the rest is kept', async () => {
    const out = join(top, 'out');
    writeFileSync(join(top, 'victim'), 'safe');
    mkdirSync(join(top, 'victims'));
    const { refused, files } = await unpackOutputs(
      archive(
        { name: '../victim', content: 'evil' },
        { name: join(top, 'victim'), content: 'evil' },
        { name: 'a/../../victim', content: 'evil' },
        { name: 'absolute', flag: '2', target: join(top, 'victim') },
        { name: 'd/up', flag: '2', target: '../../victim' },
        { name: 'hard', flag: '1', target: '../victim' },
        { name: 'hard2', flag: '1', target: join(top, 'victim') },
        { name: 'hard3', flag: '1', target: 'nothing' },
        { name: 'device', flag: '3' },
        { name: 'fifo', flag: '6' },
        { name: 'odd', flag: 'S' },
        { name: '../out-dir/', flag: '5' },
        { name: 'fine/inside', flag: '2', target: '../good' },
        { name: 'good', content: 'yes' },
        { name: 'x/./y/../z', content: 'normal' },
      ),
      out,
    );
    expect(refused.map(({ name }) => name)).toEqual(['../victim', join(top, 'victim'), 'a/../../victim', 'absolute', 'd/up', 'hard', 'hard2', 'hard3', 'device', 'fifo', 'odd', '../out-dir/']);
    expect(files).toBe(2);
    expect(readFileSync(join(top, 'victim'), 'utf8')).toBe('safe');
    expect(existsSync(join(top, 'out-dir'))).toBe(false);
    expect(readFileSync(join(out, 'fine/inside'), 'utf8')).toBe('yes');
    expect(readFileSync(join(out, 'x/z'), 'utf8')).toBe('normal');
  });

  test('R272 links of links do not lead out either', async () => {
    const out = join(top, 'out');
    writeFileSync(join(top, 'victim'), 'secret');
    const { refused } = await unpackOutputs(
      archive(
        { name: 'here', flag: '2', target: '.' },
        { name: 'x', flag: '2', target: 'here/../victim' },
        { name: 'd/deep/', flag: '5' },
        { name: 'd/y', flag: '2', target: '../here/../victim' },
        { name: 'd/deep/fine', flag: '2', target: '../../good' },
        { name: 'good', content: 'yes' },
      ),
      out,
    );
    expect(refused.map(({ name }) => name)).toEqual(['x', 'd/y']);
    expect(readFileSync(join(out, 'd/deep/fine'), 'utf8')).toBe('yes');
  });

  test('R272 whatever links and files an archive mixes, all that can be read below the directory lies below it, and nothing beside it changes', async () => {
    const names = fc.constantFrom('a', 'b', 'c', 'a/b', 'a/c', 'b/a', 'a/b/c', '../v', './a', 'a/../b');
    const targets = fc.array(fc.constantFrom('..', '.', 'a', 'b', 'c', 'v'), { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
    const entry = fc.oneof(
      fc.record({ name: names, flag: fc.constant('2'), target: targets }), fc.record({ name: names, flag: fc.constant('1'), target: targets }),
      fc.record({ name: names, content: fc.constant('mine') }), fc.record({ name: names.map((name) => `${name}/`), flag: fc.constant('5') }),
    );
    let n = 0;
    await fc.assert(fc.asyncProperty(fc.array(entry, { maxLength: 8 }), async (entries) => {
      const place = join(top, `place-${n++}`);
      const out = join(place, 'p/out');
      mkdirSync(out, { recursive: true });
      for (const path of ['v', 'p/v']) writeFileSync(join(place, path), 'theirs');
      // Twice: the second time through whatever the first has left.
      for (const _ of [1, 2]) await unpackOutputs(archive(...entries), out).catch((error: unknown) => expect(error).toBeInstanceOf(RunctlError));
      expect(['v', 'p/v'].map((path) => readFileSync(join(place, path), 'utf8'))).toEqual(['theirs', 'theirs']);
      expect(readdirSync(place).sort()).toEqual(['p', 'v']);
      expect(readdirSync(join(place, 'p')).sort()).toEqual(['out', 'v']);
      // Not by Node, which follows links, round and round.
      for (const path of execFileSync('find', ['.', '-mindepth', '1', '-print0'], { cwd: out, encoding: 'utf8' }).split('\0').filter(Boolean)) {
        try {
          expect(`${realpathSync(join(out, path))}/`, JSON.stringify(entries)).toMatch(new RegExp(`^${realpathSync(out)}/`));
        } catch (error) {
          if (!['ENOENT', 'ELOOP', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
        }
      }
    }), { numRuns: 60 });
  });

  test('no entry is written through a link: neither one of the archive nor one that was there', async () => {
    const out = join(top, 'out');
    mkdirSync(join(out, 'sub'), { recursive: true });
    mkdirSync(join(top, 'victims'));
    writeFileSync(join(top, 'victims', 'v'), 'safe');
    symlinkSync(join(top, 'victims'), join(out, 'there'));
    symlinkSync(join(top, 'victims', 'v'), join(out, 'sub', 'file'));
    await unpackOutputs(
      archive({ name: 'l', flag: '2', target: 'there' }, { name: 'l/v', content: 'evil' }, { name: 'there/v', content: 'evil' }, { name: 'sub/file', content: 'evil' }, { name: 'there', flag: '5' }),
      out,
    );
    expect(readFileSync(join(top, 'victims', 'v'), 'utf8')).toBe('safe');
    expect(readdirSync(join(top, 'victims'))).toEqual(['v']);
    expect(lstatSync(join(out, 'there')).isDirectory()).toBe(true);
    expect(readFileSync(join(out, 'sub', 'file'), 'utf8')).toBe('evil');
  });

  test('an archive that is cut, damaged, no archive, or too large is an error', async () => {
    const good = readFileSync(archive({ name: 'a', content: 'x'.repeat(5000) }, { name: 'b', content: 'y' }));
    const file = join(top, 'bad.tar.gz');
    const bad = [good.subarray(0, good.length - 12), gzipSync(gunzipSync(good).subarray(0, 3000)), gzipSync(gunzipSync(good).subarray(0, 6144)), Buffer.from('no gzip'), gzipSync('no tar, but long enough to be one block'.repeat(40)), Buffer.alloc(0)];
    for (const bytes of bad) {
      writeFileSync(file, bytes);
      await expect(unpackOutputs(file, join(top, 'out'))).rejects.toMatchObject({ code: 'transfer-failed', message: 'the archive is damaged' });
    }
    await expect(unpackOutputs(archive({ name: 'n'.repeat(300), content: 'x' }), join(top, 'out'))).rejects.toMatchObject({ code: 'transfer-failed', reason: expect.stringContaining('ENAMETOOLONG') });
    await expect(unpackOutputs(archive({ name: 'a', content: 'x'.repeat(5000) }), join(top, 'out'), { maxBytes: 4999 })).rejects.toMatchObject({ code: 'transfer-failed', message: 'the archive is larger than allowed' });
  });

  test('any damage is either noticed or harmless', async () => {
    const plain = gunzipSync(readFileSync(archive({ name: 'a/b', content: 'x'.repeat(700) }, { name: 'l', flag: '2', target: 'a/b' }, { name: 'c', content: 'y' })));
    const out = join(top, 'deep', 'out');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(plain.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), async (changes) => {
        const bytes = Buffer.from(plain);
        for (const [at, value] of changes) bytes[at] = value;
        // Repair the checksums, or nothing but them would be tested.
        for (let at = 0; at < bytes.length; at += 512) {
          const block = bytes.subarray(at, at + 512);
          if (block.toString('latin1', 257, 262) !== 'ustar') continue;
          block.fill(0x20, 148, 156);
          block.write(`${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
        }
        writeFileSync(join(top, 'fuzz.tar.gz'), gzipSync(bytes));
        await unpackOutputs(join(top, 'fuzz.tar.gz'), out).catch((error: unknown) => expect(error).toMatchObject({ code: 'transfer-failed' }));
        rmSync(out, { recursive: true, force: true });
        expect(readdirSync(join(top, 'deep'))).toEqual([]);
      }),
      { numRuns: 150 },
    );
    expect(readdirSync(top).sort()).toEqual(['a.tar.gz', 'deep', 'fuzz.tar.gz']);
  });
});
