// Canaries: secrets planted wherever a user has some, then every kind of command, good and failing, then a search through all
// that was printed, written, remembered, sent, or passed as an argument. What may be where is docs/security.md.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tellError } from '../src/command-line.ts';
import { type ArgumentWatch, filesBelow, filesHolding, holds, layers, shapesOf, watchArguments } from './support/canary.ts';
import { type CliState, type Outcome, copyTraining, openState, runCli } from './support/cli.ts';

const CANARIES = {
  session: 'CANARYsessiontokenQ7xw2mKp93vZs',
  token: 'CANARY-hf-token-Rk4v8nTqLw61',
  plain: 'CANARY plain value of a variable nobody would call secret',
  password: 'CANARYpassword8Jq2Xv',
  wrongKey: 'CANARYwrongsecretkey/uPq93+Zm2Lk41Vx',
  argument: 'CANARYargumentWz5tGh0',
  data: 'CANARY row of the data set, 4711',
};

let state: CliState;
/** Environment of a user who has exported keys for the built-in cloud. */
let keys: Record<string, string>;
let watch: ArgumentWatch;
const told: { what: string; text: string }[] = [];
const SCRIPT = `import hashlib, json, os, sys
seen = lambda name: hashlib.sha256(os.environ[name].encode()).hexdigest()
json.dump({"token": seen("HF_TOKEN"), "plain": seen("MY_NOTE")}, open(os.environ["RUNCTL_CHECKPOINT_DIR"] + "/env.json", "w"))
print("epoch 1/1 loss=0.5")
sys.exit(3 if "--fail" in sys.argv else 0)
`;

async function runctl(args: string[], env: Record<string, string> = {}): Promise<Outcome> {
  const outcome = await runCli(args, { state, env: { ...keys, ...env } });
  told.push({ what: `runctl ${args.join(' ')}`, text: `${outcome.stdout}\n${outcome.stderr}` });
  return outcome;
}

beforeAll(async () => {
  state = openState();
  copyTraining(state);
  mkdirSync(join(state.project, 'tmp'));
  writeFileSync(join(state.project, 'job.py'), SCRIPT);
  writeFileSync(join(state.project, 'data.csv'), `${CANARIES.data}\n`);
  writeFileSync(join(state.project, '.runctl.toml'), `[train.env]\nHF_TOKEN = "${CANARIES.token}"\nMY_NOTE = "${CANARIES.plain}"\n`);
  await runCli(['sim', 'start'], { state });
  keys = JSON.parse((await runCli(['sim', 'env', '--output', 'json'], { state })).stdout) as Record<string, string>;
  keys = { ...Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== null)), TMPDIR: join(state.project, 'tmp') };
  watch = watchArguments();

  for (const words of [['doctor'], ['config', 'show'], ['aws', 'policy', 'caller']]) for (const output of ['text', 'json', 'jsonl']) await runctl([...words, '--output', output]);
  const created = await runctl(['aws', 'create', 't3.micro', '--iam-instance-profile', 'runctl-ssm-profile', '--wait', '--output', 'instance-id']);
  const id = created.stdout.trim();
  expect(id, created.stderr).toMatch(/^i-/);
  const failed = await runctl(['aws', 'train', id, 'job.py', '--wait', '--verbose', '--output', 'jsonl', '--', '--fail']);
  expect(failed.code, failed.stdout + failed.stderr).toBe(4);
  for (const output of ['text', 'json', 'jsonl']) for (const words of [['aws', 'status', id], ['aws', 'training-status', id], ['aws', 'monitor', id], ['runs', 'list'], ['runs', 'show']]) await runctl([...words, '--output', output]);
  for (const words of [['aws', 'processes', id, '--detailed'], ['aws', 'exec', id, '--', 'env'], ['aws', 'stop-training', id], ['sim', 'status']]) await runctl(words);
  const local = await runctl(['local', 'job.py']);
  expect(local.code, local.stderr).toBe(0);
  await runctl(['aws', 'terminate', id, '--yes']);
}, 180_000);
afterAll(async () => {
  watch?.stop();
  await state?.close();
});

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
const STATE = (): string => join(state.directory, 'state', 'runctl');
/** Disks of pretend machines, and what a local job wrote: there the job runs, and there its variables have to arrive. */
const DISKS = /^(sim\/machines|local\/runs\/[^/]+\/checkpoints)(\/|$)/;

describe.runIf(process.platform === 'linux')('R270 canaries', () => {
  test('R270 the search itself finds a canary in scripts within scripts, archives, hex and URLs', () => {
    const wrap = (text: string): string => Buffer.from(`x='${text}' ${'#'.repeat(80)}`).toString('base64');
    for (const canary of Object.values(CANARIES)) {
      for (const text of [canary, wrap(canary), wrap(wrap(` ${canary}`)), Buffer.from(canary).toString('hex'), `http://h/?a=${encodeURIComponent(canary)}`]) expect(holds(`{"a":"${text}"}`, canary)).toBe(true);
      expect(holds(wrap(wrap('nothing here')), canary)).toBe(false);
      expect(shapesOf(canary).every((shape) => shape.length >= 12)).toBe(true);
    }
  });

  test('R270 variables of the job reach the job, and nothing else: no output, no ledger, no Systems Manager, no arguments', async () => {
    const results = readdirSync(join(state.project, 'runs')).filter((name) => existsSync(join(state.project, 'runs', name, 'checkpoints/env.json')));
    expect(results.length).toBeGreaterThan(0);
    for (const name of results) expect(JSON.parse(readFileSync(join(state.project, 'runs', name, 'checkpoints/env.json'), 'utf8'))).toEqual({ token: sha256(CANARIES.token), plain: sha256(CANARIES.plain) });
    const { token, plain } = CANARIES;
    expect(told.filter(({ text }) => holds(text, token)).map(({ what }) => what)).toEqual([]);
    // A value under a harmless name is shown where settings are shown, and only there.
    expect(told.filter(({ what, text }) => holds(text, plain) && !what.startsWith('runctl config show')).map(({ what }) => what)).toEqual([]);
    for (const canary of [token, plain]) {
      expect(filesHolding(STATE(), canary, DISKS)).toEqual([]);
      expect([...watch.seen].filter((line) => holds(line, canary))).toEqual([]);
    }
    expect(filesBelow(STATE(), DISKS).filter((path) => path.startsWith('sim/ssm/')).length).toBeGreaterThan(5);
  });

  test('R270 user data carry nothing, and tags only what names the run', () => {
    const world = readFileSync(join(STATE(), 'sim/world.json'), 'utf8');
    expect(world).toContain('runctl:run');
    expect(world).not.toMatch(/"userData":"[^"]+"/);
    for (const canary of Object.values(CANARIES)) expect(holds(world, canary)).toBe(false);
  });

  test('R270 our own key signs, and is printed, remembered or passed on nowhere', () => {
    const key = keys['AWS_SECRET_ACCESS_KEY']!;
    expect(key.length).toBeGreaterThan(20);
    expect(told.filter(({ text }) => holds(text, key)).map(({ what }) => what)).toEqual([]);
    // The pretend cloud has to know the keys that it checks.
    expect(filesHolding(STATE(), key, DISKS).filter((path) => !/^sim\/(world|server)\b/.test(path))).toEqual([]);
    expect([...watch.seen].filter((line) => holds(line, key))).toEqual([]);
  });

  test('R270 by way of a bucket: no signature in outputs, ledger or arguments; the object is gone; scripts hold URLs that end soon', async () => {
    const before = told.length;
    const { CreateBucketCommand, ListObjectsV2Command, S3Client } = await import('@aws-sdk/client-s3');
    const s3 = new S3Client({ endpoint: keys['AWS_ENDPOINT_URL']!, region: 'us-east-1', forcePathStyle: true, credentials: { accessKeyId: keys['AWS_ACCESS_KEY_ID']!, secretAccessKey: keys['AWS_SECRET_ACCESS_KEY']! } });
    await s3.send(new CreateBucketCommand({ Bucket: 'canary-bucket' }));
    // curl has to live long enough to be looked at.
    await runctl(['sim', 'weather', 'add', 'slow', '--operation', 's3.GetObject', '--delay', '300ms']);
    const done = await runctl(['workflow', 'train', 'job.py', '--output', 'jsonl', '--verbose'], { RUNCTL_AWS_S3_BUCKET: 'canary-bucket' });
    await runctl(['sim', 'weather', 'clear']);
    expect(done.code, done.stdout + done.stderr).toBe(0);
    expect((await s3.send(new ListObjectsV2Command({ Bucket: 'canary-bucket' }))).KeyCount).toBe(0);
    s3.destroy();
    const signed = /X-Amz-Signature(=|%3D)[0-9a-f]{16}/;
    for (const { what, text } of told.slice(before)) expect(text, what).not.toMatch(signed);
    for (const path of filesBelow(STATE(), /^sim\//)) expect(readFileSync(join(STATE(), path), 'latin1'), path).not.toMatch(signed);
    expect([...watch.seen].filter((line) => signed.test(line))).toEqual([]);
    expect([...watch.seen].some((line) => line.includes('curl'))).toBe(true); // it was looked at while curl ran
    const scripts = filesBelow(join(STATE(), 'sim/ssm')).flatMap((path) => [...layers(readFileSync(join(STATE(), 'sim/ssm', path), 'latin1'))]);
    const lives = scripts.flatMap((text) => [...text.matchAll(/^url = .*X-Amz-Expires=(\d+)/gm)].map(([, seconds]) => Number(seconds)));
    expect(lives.length).toBeGreaterThan(0);
    expect(Math.max(...lives)).toBeLessThanOrEqual(1000);
    for (const canary of [CANARIES.data, CANARIES.token, CANARIES.plain]) expect(filesHolding(STATE(), canary, /^(sim\/(machines|s3)|local\/runs\/[^/]+\/checkpoints)(\/|$)/)).toEqual([]);
  }, 60_000);

  test.each([
    ['a wrong key', ['aws', 'status', 'i-0123456789abcdef0'], { AWS_SECRET_ACCESS_KEY: CANARIES.wrongKey }, CANARIES.wrongKey],
    ['a password in the endpoint', ['aws', 'status', 'i-0123456789abcdef0'], { AWS_ENDPOINT_URL: `http://me:${CANARIES.password}@127.0.0.1:9` }, CANARIES.password],
    ['a password in a proxy', ['doctor'], { HTTPS_PROXY: `http://me:${CANARIES.password}@127.0.0.1:9`, HTTP_PROXY: `http://me:${CANARIES.password}@127.0.0.1:9` }, CANARIES.password],
    ['a session token that nobody knows', ['workflow', 'train', 'job.py'], { AWS_SESSION_TOKEN: CANARIES.session, AWS_ACCESS_KEY_ID: 'ASIACANARY' }, CANARIES.session],
    ['a wrong setting', ['aws', 'create', 't3.micro'], { RUNCTL_TRAIN_ENV: `HF_TOKEN=${CANARIES.token},BAD-NAME=1` }, CANARIES.token],
  ] as [string, string[], Record<string, string>, string][])('R270 what fails because of %s says so without it', async (_what, args, env, canary) => {
    for (const output of ['text', 'json', 'jsonl']) {
      const { code, stdout, stderr } = await runctl([...args, '--verbose', '--output', output], env);
      if (args[0] !== 'doctor') expect(code, stderr).not.toBe(0);
      expect(holds(stdout + stderr, canary), stdout + stderr).toBe(false);
    }
    expect(filesHolding(STATE(), canary, DISKS)).toEqual([]);
  }, 60_000);

  test('R270 secret-looking arguments of the script are not remembered; the job gets them', async () => {
    writeFileSync(join(state.project, 'args.py'), 'import sys,hashlib\nprint("sum", hashlib.sha256(sys.argv[2].encode()).hexdigest()[:8])\n');
    const { code, stdout, stderr } = await runctl(['local', 'args.py', '--', '--api-key', CANARIES.argument]);
    expect(code, stderr).toBe(0);
    expect(stdout + stderr).toMatch(/sum [0-9a-f]{8}/);
    const shown = await runctl(['runs', 'show', '--output', 'json']);
    expect(shown.stdout).toContain('[redacted]');
    expect(holds(shown.stdout + shown.stderr, CANARIES.argument)).toBe(false);
    expect(filesHolding(STATE(), CANARIES.argument).filter((path) => path.startsWith('ledger'))).toEqual([]);
  });

  test('R270 a bug file tells of the bug, not of secrets, and is for its owner alone', () => {
    const kept = { ...process.env };
    Object.assign(process.env, { XDG_STATE_HOME: join(state.directory, 'state'), MY_API_TOKEN: CANARIES.session });
    const written: string[] = [];
    const write = process.stderr.write.bind(process.stderr);
    process.stderr.write = ((text: string) => written.push(text) > 0) as typeof process.stderr.write;
    try {
      expect(tellError(new TypeError(`cannot read ${CANARIES.session} of https://b/k?X-Amz-Signature=${CANARIES.wrongKey} with password=${CANARIES.password}`), ['aws', 'status', '--token', CANARIES.argument])).toBe(70);
    } finally {
      process.stderr.write = write;
      for (const name of Object.keys(process.env)) if (!(name in kept)) delete process.env[name];
      Object.assign(process.env, kept);
    }
    const contents = readdirSync(join(STATE(), 'bugs')).map((file) => readFileSync(join(STATE(), 'bugs', file), 'utf8'));
    expect(contents).toEqual([expect.stringContaining('TypeError: cannot read [redacted]')]); // and no command has met a bug
    const content = contents.join('');
    for (const text of [content, written.join('')]) for (const canary of [CANARIES.session, CANARIES.wrongKey, CANARIES.password, CANARIES.argument]) expect(holds(text, canary), text).toBe(false);
  });

  // A local job writes its own files under its own umask, below a directory that nobody else may enter.
  test('R270 whatever is written is for its owner alone, and nothing stays in the temporary directory', () => {
    const open = filesBelow(STATE(), /^(sim\/machines|local)(\/|$)/).filter((path) => (statSync(join(STATE(), path)).mode & 0o077) !== 0);
    expect(open).toEqual([]);
    for (const directory of ['.', 'sim', 'sim/machines', 'sim/ssm', 'bugs', 'local']) expect((statSync(join(STATE(), directory)).mode & 0o777).toString(8), directory).toBe('700');
    expect(readdirSync(join(state.project, 'tmp'))).toEqual([]);
  });
});
