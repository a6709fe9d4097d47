// rclone against the sim's S3: a Go client with its own signer and its own idea of multipart, odd names and listings.
// Started by run.mjs with the environment of `runctl sim env`.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { check as checkAny, must, run } from './session.mjs';

const check = (title, body) => checkAny(title.replace(/^(R\d+) /, '$1 rclone: '), body);
const mine = (name) => join(process.cwd(), name);

writeFileSync(mine('rclone.conf'), '');
const env = {
  ...process.env,
  RCLONE_CONFIG: mine('rclone.conf'),
  RCLONE_RETRIES: '1',
  RCLONE_LOW_LEVEL_RETRIES: '1',
  RCLONE_CONFIG_SIM_TYPE: 's3',
  RCLONE_CONFIG_SIM_PROVIDER: 'Other',
  RCLONE_CONFIG_SIM_ENDPOINT: process.env.AWS_ENDPOINT_URL,
  RCLONE_CONFIG_SIM_ACCESS_KEY_ID: process.env.AWS_ACCESS_KEY_ID,
  RCLONE_CONFIG_SIM_SECRET_ACCESS_KEY: process.env.AWS_SECRET_ACCESS_KEY,
  RCLONE_CONFIG_SIM_REGION: process.env.AWS_REGION,
  RCLONE_CONFIG_SIM_FORCE_PATH_STYLE: 'true',
};
const PARTS = ['--s3-chunk-size', '5M', '--s3-upload-cutoff', '6M'];
const rclone = (...args) => must('rclone', args, { env });
const BUCKET = 'SIM:conformance-rclone';

const big = randomBytes(16 * 1024 * 1024 + 11);
const names = ['plain.txt', 'a b.txt', 'plus+and&.txt', 'ünï/çödé.txt', "it's (1) [x].txt", 'hash#query?=.txt', '100%.txt', 'deep/er/and/deeper.txt', 'empty', '~tilde', 'semi;colon,comma', 'emoji-🚀.txt'];
for (const [index, name] of names.entries()) {
  mkdirSync(dirname(join(mine('tree'), name)), { recursive: true });
  writeFileSync(join(mine('tree'), name), name === 'empty' ? '' : `file ${index}\n`);
}
writeFileSync(join(mine('tree'), 'big.bin'), big);

await check('R200 mkdir, lsd', () => {
  rclone('mkdir', BUCKET);
  assert.match(rclone('lsd', 'SIM:'), / conformance-rclone\n/);
});

await check('R200 copy of a tree with odd names and a file in parts, then check both ways', () => {
  rclone('copy', mine('tree'), `${BUCKET}/tree`, ...PARTS);
  rclone('check', mine('tree'), `${BUCKET}/tree`);
  rclone('check', '--download', mine('tree'), `${BUCKET}/tree`);
});

await check('R200 lsf lists every name as it was', () => {
  const listed = rclone('lsf', '-R', '--files-only', `${BUCKET}/tree`).trimEnd().split('\n');
  assert.deepEqual(listed.sort(), [...names, 'big.bin'].sort());
});

await check('R200 a second copy moves nothing', () => {
  const { stderr } = run('rclone', ['copy', mine('tree'), `${BUCKET}/tree`, '-v', '--stats-one-line', ...PARTS], { env });
  assert.doesNotMatch(stderr, /Copied/);
});

await check('R200 cat gives the bytes back, whole and from the middle', () => {
  const cat = (...args) => must('rclone', ['cat', `${BUCKET}/tree/big.bin`, ...args], { env, binary: true });
  assert.ok(big.equals(cat()), 'the bytes differ');
  assert.ok(big.subarray(7_000_000, 7_000_500).equals(cat('--offset', '7000000', '--count', '500')), 'the range differs');
});

await check('R200 server-side move and copy; modification time is kept in metadata', () => {
  rclone('moveto', `${BUCKET}/tree/plain.txt`, `${BUCKET}/moved/plain name.txt`);
  assert.equal(rclone('cat', `${BUCKET}/moved/plain name.txt`), 'file 0\n');
  assert.equal(rclone('lsf', `${BUCKET}/tree/plain.txt`, '--files-only'), '');
  rclone('copyto', join(mine('tree'), 'a b.txt'), `${BUCKET}/moved/time.txt`, '--metadata');
  const times = JSON.parse(rclone('lsjson', `${BUCKET}/moved/time.txt`));
  assert.ok(Math.abs(Date.parse(times[0].ModTime) - Date.now()) < 600_000, times[0].ModTime);
});

await check('R200 copy back gives the same tree', () => {
  rclone('copy', `${BUCKET}/tree`, mine('back'), '--s3-chunk-size', '5M');
  for (const name of names.slice(1)) assert.equal(readFileSync(join(mine('back'), name), 'utf8'), readFileSync(join(mine('tree'), name), 'utf8'));
  assert.ok(big.equals(readFileSync(join(mine('back'), 'big.bin'))), 'the big file differs');
});

await check('R200 streaming upload of unknown length (rcat)', () => {
  must('rclone', ['rcat', `${BUCKET}/stream`, ...PARTS, '--streaming-upload-cutoff', '1M'], { env, input: big });
  assert.ok(big.equals(must('rclone', ['cat', `${BUCKET}/stream`], { env, binary: true })), 'the bytes differ');
});

await check('R208 a wrong secret is refused', () => {
  const { status, stderr } = run('rclone', ['lsd', 'SIM:'], { env: { ...env, RCLONE_CONFIG_SIM_SECRET_ACCESS_KEY: 'not-the-secret' } });
  assert.notEqual(status, 0);
  assert.match(stderr, /SignatureDoesNotMatch/);
});

await check('R200 deletefile, delete with a filter, purge; a bucket that is not empty stays', () => {
  rclone('deletefile', `${BUCKET}/stream`);
  rclone('delete', `${BUCKET}/tree`, '--include', '*.txt');
  assert.equal(rclone('lsf', `${BUCKET}/tree`, '--include', '*.txt', '-R', '--files-only'), '');
  assert.notEqual(run('rclone', ['rmdir', BUCKET], { env }).status, 0);
  rclone('purge', BUCKET);
  assert.equal(rclone('lsd', 'SIM:'), '');
});
