// The example scripts as users run them, and the conventions they promise: stop, resume, verify.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const MNIST = resolve(import.meta.dirname, '../training/train_mnist_e2e.py');
const TEMPLATE = resolve(import.meta.dirname, '../training/template.py');

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

let cwd: string;
const children = new Set<ChildProcess>();
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'runctl-training-'));
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  rmSync(cwd, { recursive: true, force: true });
});

/** Runs a script in `cwd`; `onOutput` sees all that it printed so far. */
function python(script: string, args: string[], onOutput: (out: string, child: ChildProcess) => void = () => undefined): Promise<Ended> {
  const env = { PATH: `/usr/bin:${process.env['PATH'] ?? ''}`, PYTHONUNBUFFERED: '1', RUNCTL_CHECKPOINT_DIR: join(cwd, 'cp') };
  const child = spawn('python3', [script, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  let out = '';
  let err = '';
  child.stdout.on('data', (bytes: Buffer) => {
    out += bytes.toString();
    onOutput(out, child);
  });
  child.stderr.on('data', (bytes: Buffer) => (err += bytes.toString()));
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code) => {
      children.delete(child);
      done({ code, out, err });
    });
  });
}

/** Sends SIGTERM a few batches after `text` was printed; tells how long the script took to leave. */
async function stopAfter(text: string, script: string, args: string[]): Promise<Ended & { tookMs: number }> {
  let sentAt = 0;
  const ended = await python(script, args, (out, child) => {
    if (sentAt === 0 && out.includes(text)) {
      sentAt = Date.now() + 40;
      setTimeout(() => child.kill('SIGTERM'), 40);
    }
  });
  return { ...ended, tookMs: Date.now() - sentAt };
}

const inCwd = (...path: string[]): string => join(cwd, ...path);
const marker = (): boolean => existsSync(inCwd('training_complete.txt'));

describe('train_mnist_e2e.py', () => {
  test('R112 three epochs on bare python3: clear lines, checkpoints, marker, over 92 % held out', async () => {
    const started = Date.now();
    const { code, out, err } = await python(MNIST, ['--epochs', '3']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(Date.now() - started).toBeLessThan(20_000);
    expect(out.match(/^epoch [123]\/3 loss \d\.\d{4} accuracy 0\.\d{4} held-out 0\.\d{4} \(\d+\.\ds\)$/gm)).toHaveLength(3);
    expect(out.match(/^checkpoint saved .*\/cp\/epoch-00[123]\.json$/gm)).toHaveLength(3);
    const final = /^held-out accuracy (0\.\d{4})$/m.exec(out);
    expect(Number(final?.[1])).toBeGreaterThan(0.92);
    expect(readFileSync(inCwd('training_complete.txt'), 'utf8')).toBe(`${final?.[0]}\n`);
  });

  test('R112 stopped in the middle of an epoch and resumed, it ends with the same weights, bit for bit', async () => {
    const args = ['--epochs', '4', '--hidden', '64'];
    await python(MNIST, [...args, '--checkpoint-dir', 'whole']);
    rmSync(inCwd('training_complete.txt'));
    const stopped = await stopAfter('epoch-001.json', MNIST, args);
    expect(stopped.code).toBe(143);
    expect(stopped.tookMs).toBeLessThan(1_500);
    expect(stopped.out).toMatch(/stopped by signal 15; go on with --resume-from .*\/cp$/m);
    expect(marker()).toBe(false);
    const saved = readdirSync(inCwd('cp'));
    expect(saved.some((name) => /^epoch-00[1-3]-batch-\d{4}\.json$/.test(name)), saved.join(' ')).toBe(true);
    const resumed = await python(MNIST, [...args, '--resume-from', 'cp']);
    expect(resumed).toMatchObject({ code: 0, err: '' });
    expect(resumed.out).toMatch(/^resumed from cp\/epoch-00[1-3]-batch-\d{4}\.json: epoch [1-3], batch \d+$/m);
    expect(readFileSync(inCwd('cp/epoch-004.json')).equals(readFileSync(inCwd('whole/epoch-004.json')))).toBe(true);
    expect(marker()).toBe(true);
    const other = await python(MNIST, ['--epochs', '1', '--hidden', '64', '--seed', '2', '--checkpoint-dir', 'other']);
    expect(other.code).toBe(0);
    expect(readFileSync(inCwd('other/epoch-001.json')).equals(readFileSync(inCwd('whole/epoch-001.json')))).toBe(false);
  });

  test('a torn or foreign checkpoint is refused; from a directory the one before it is taken', async () => {
    await python(MNIST, ['--epochs', '2']);
    const second = readFileSync(inCwd('cp/epoch-002.json'), 'utf8');
    writeFileSync(inCwd('cp/epoch-002.json'), second.slice(0, -1_000));
    const torn = await python(MNIST, ['--resume-from', 'cp/epoch-002.json']);
    expect(torn).toMatchObject({ code: 1, err: expect.stringContaining('error: checkpoint cp/epoch-002.json is torn or foreign and was not used') });
    expect(marker()).toBe(false);
    const before = await python(MNIST, ['--epochs', '2', '--resume-from', 'cp']);
    expect(before).toMatchObject({ code: 0, err: expect.stringContaining('warning: checkpoint cp/epoch-002.json is torn') });
    expect(before.out).toContain('resumed from cp/epoch-001.json');
    expect(readFileSync(inCwd('cp/epoch-002.json'), 'utf8')).toBe(second);
    const foreign = [JSON.parse(second), JSON.parse(second), JSON.parse(second)];
    foreign[0].format = 'other';
    foreign[1].weights[0].pop();
    foreign[2].rng[1].pop();
    for (const state of foreign) {
      writeFileSync(inCwd('foreign.json'), JSON.stringify(state));
      expect(await python(MNIST, ['--resume-from', 'foreign.json'])).toMatchObject({ code: 1, err: expect.stringMatching(/^error: .*foreign/) });
    }
  });

  test('wrong arguments: exit code 2 and the reason', async () => {
    await python(MNIST, ['--epochs', '1']);
    for (const args of [['--epochs', '0'], ['--lr', 'nan'], ['--batch-size', '-1'], ['--hidden', '8', '--resume-from', 'cp'], ['--nonsense']]) {
      expect(await python(MNIST, args), args.join(' ')).toMatchObject({ code: 2, err: expect.stringContaining('error: ') });
    }
    expect(await python(MNIST, ['--resume-from', 'gone.json'])).toMatchObject({ code: 1, err: expect.stringContaining('cannot read checkpoint gone.json') });
    expect(await python(MNIST, ['--resume-from', '.'])).toMatchObject({ code: 1, err: expect.stringContaining('no usable checkpoint in .') });
  });
});

describe('template.py', () => {
  test('R113 stop, resume, verify', async () => {
    const whole = await python(TEMPLATE, ['--epochs', '4', '--checkpoint-dir', 'whole']);
    expect(whole).toMatchObject({ code: 0, err: '' });
    const done = readFileSync(inCwd('training_complete.txt'), 'utf8');
    expect(done).toBe('y = 3.0000 x + 1.0000\n');
    const stopped = await stopAfter('epoch 1/4', TEMPLATE, ['--epochs', '4', '--epoch-seconds', '0.3']);
    expect(stopped).toMatchObject({ code: 143, err: '' });
    expect(stopped.tookMs).toBeLessThan(1_500);
    expect(marker()).toBe(false);
    const resumed = await python(TEMPLATE, ['--epochs', '4', '--resume-from', inCwd('cp/checkpoint.json')]);
    expect(resumed).toMatchObject({ code: 0, err: '' });
    expect(resumed.out).toMatch(/^resumed from .* at epoch [123]$/m);
    expect(readFileSync(inCwd('cp/checkpoint.json')).equals(readFileSync(inCwd('whole/checkpoint.json')))).toBe(true);
    expect(readFileSync(inCwd('training_complete.txt'), 'utf8')).toBe(done);
  });

  test('R113 a torn checkpoint ends it with exit code 1 and no marker', async () => {
    writeFileSync(inCwd('torn.json'), '{"epoch": 1, "wei');
    expect(await python(TEMPLATE, ['--resume-from', 'torn.json'])).toMatchObject({ code: 1, err: expect.stringContaining('JSONDecodeError') });
    expect(marker()).toBe(false);
  });

  test('R113 it names every convention', () => {
    const text = readFileSync(TEMPLATE, 'utf8');
    for (const word of ['RUNCTL_CHECKPOINT_DIR', 'SIGTERM', '143', '--resume-from', 'training_complete.txt', 'exit code', 'os.replace', 'fsync']) expect(text).toContain(word);
  });
});
