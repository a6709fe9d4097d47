// Files to and from a bucket by presigned URL, and buckets told apart.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { s3Error } from '../../../test/support/wire-double.ts';
import { awsDouble } from '../../../test/support/aws-double.ts';
import type { AwsDouble } from '../../../test/support/aws-double.ts';

let double: AwsDouble;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'runctl-s3-'));
});
afterEach(async () => {
  rmSync(directory, { recursive: true, force: true });
  await double.close();
});

const here = { headers: { 'x-amz-bucket-region': 'us-east-1' } };

test('a file goes up by presigned URL with its length and no checksum of ours, with progress', async () => {
  double = await awsDouble();
  double.wire.on('HEAD /bkt', here);
  double.wire.on('PUT /bkt/a/b%20c.txt', {});
  const file = join(directory, 'f');
  writeFileSync(file, 'x'.repeat(200_000));
  const moved: number[] = [];
  await (await double.provider.store('bkt')).put('a/b c.txt', file, { onProgress: (bytes) => moved.push(bytes) });
  const request = double.wire.of('PUT /bkt/a/b%20c.txt')[0];
  expect(request?.body).toHaveLength(200_000);
  expect(request?.headers['content-length']).toBe('200000');
  expect(request?.headers.authorization).toBeUndefined();
  expect(request?.path).not.toMatch(/checksum/i);
  expect(moved.at(-1)).toBe(200_000);
});

test('a download appears whole or not at all', async () => {
  double = await awsDouble();
  double.wire.on('HEAD /bkt', here);
  double.wire.on('GET /bkt/k', { reset: true }, { status: 503, body: '<Error><Code>SlowDown</Code></Error>' }, { body: 'hello' });
  const file = join(directory, 'got');
  await (await double.provider.store('bkt')).get('k', file, {});
  expect(readFileSync(file, 'utf8')).toBe('hello');
  double.wire.on('GET /bkt/gone', s3Error('NoSuchKey', 'The specified key does not exist.', 404));
  await expect((await double.provider.store('bkt')).get('gone', join(directory, 'no'), {})).rejects.toMatchObject({ code: 'not-found', message: 'no object s3://bkt/gone' });
  expect(readdirSync(directory)).toEqual(['got']);
});

test('an upload that S3 keeps refusing fails with S3\'s words, and the URL is in none of them', async () => {
  double = await awsDouble();
  double.wire.on('HEAD /bkt', here);
  double.wire.on('PUT /bkt/k', s3Error('InternalError', 'We encountered an internal error.', 500));
  const file = join(directory, 'f');
  writeFileSync(file, 'x');
  const failed = await (await double.provider.store('bkt')).put('k', file, {}).catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: 'endpoint-unreachable', reason: 'HTTP 500 InternalError: We encountered an internal error.' });
  expect(double.wire.of('PUT /bkt/k')).toHaveLength(4);
  double.wire.on('PUT /bkt/k', s3Error('AccessDenied', 'Access Denied', 403));
  const refused = await (await double.provider.store('bkt')).put('k', file, {}).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'bucket-forbidden' });
  expect(JSON.stringify([failed, refused])).not.toMatch(/X-Amz-Signature|AKIA/);
});

test('URLs for machines are signed for the bucket\'s own region, live as long as asked, and carry no checksum', async () => {
  double = await awsDouble();
  double.wire.on('HEAD /bkt', { status: 301, headers: { 'x-amz-bucket-region': 'eu-west-1' } });
  const store = await double.provider.store('bkt');
  const write = new URL(await store.urlToWrite('runs/1/code.tgz', 900));
  expect(write.searchParams.get('X-Amz-Expires')).toBe('900');
  expect(write.searchParams.get('X-Amz-Credential')).toContain('/eu-west-1/s3/');
  expect(write.searchParams.get('X-Amz-SignedHeaders')).toBe('host');
  expect([...write.searchParams.keys()].filter((name) => /checksum/i.test(name))).toEqual([]);
  expect(write.pathname).toBe('/bkt/runs/1/code.tgz');
  expect(new URL(await store.urlToRead('k', 10_000_000)).searchParams.get('X-Amz-Expires')).toBe('604800');
  expect(double.wire.of('HEAD /bkt')).toHaveLength(1);
});

test('an upload can be given up', async () => {
  double = await awsDouble();
  double.wire.on('HEAD /bkt', here);
  double.wire.on('PUT /bkt/k', { hang: true });
  const file = join(directory, 'f');
  writeFileSync(file, 'x');
  const controller = new AbortController();
  const upload = (await double.provider.store('bkt')).put('k', file, { signal: controller.signal, onProgress: () => controller.abort(new Error('ctrl-c')) });
  await expect(upload).rejects.toThrow('ctrl-c');
});

test('R005 missing, forbidden and wrong-region buckets each get their own advice', async () => {
  double = await awsDouble();
  const { wire, provider } = double;
  wire.on('HEAD /absent', { status: 404 });
  wire.on('HEAD /theirs', { status: 403, headers: { 'x-amz-bucket-region': 'us-east-1' } });
  wire.on('HEAD /far', { status: 301, headers: { 'x-amz-bucket-region': 'eu-west-1' } });
  wire.on('HEAD /mine', here);
  const found = async (bucket: string) => (await provider.checks({ bucket })).find((check) => check.name === 'bucket');
  expect(await found('absent')).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('no bucket absent') as string, fix: 'runctl doctor --fix --bucket absent', error: { code: 'bucket-missing' }, remedy: { id: 'bucket' } });
  expect(await found('theirs')).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('may not use it') as string, fix: 'runctl aws policy --bucket theirs', error: { code: 'bucket-forbidden' } });
  expect(await found('far')).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('is in eu-west-1') as string, fix: 'runctl config set aws.region eu-west-1', error: { code: 'config-invalid' } });
  expect(await found('mine')).toMatchObject({ outcome: 'ok' });
  await expect((await provider.store('absent')).urlToRead('k', 60)).rejects.toMatchObject({ code: 'bucket-missing', exitCode: 3 });
  await expect((await provider.store('theirs')).urlToRead('k', 60)).rejects.toMatchObject({ code: 'bucket-forbidden', exitCode: 3 });
});
