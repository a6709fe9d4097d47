// Settings of a bucket that can be changed, as the unmodified AWS SDK sees them.
import {
  CreateBucketCommand, DeleteBucketEncryptionCommand, DeletePublicAccessBlockCommand, GetBucketEncryptionCommand, GetPublicAccessBlockCommand,
  PutBucketEncryptionCommand, PutPublicAccessBlockCommand, type S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newDirectory, startS3, type Running } from '../../../../test/support/s3-under-test.ts';

const place = newDirectory();
let server: Running;
let s3: S3Client;
const Bucket = 'settings-of-this';

beforeAll(async () => {
  server = await startS3(place.directory);
  s3 = server.client();
  await s3.send(new CreateBucketCommand({ Bucket }));
});
afterAll(async () => {
  await server.close();
  place.remove();
});

const code = (promise: Promise<unknown>) => promise.then(() => undefined, (error: Error & { $metadata: { httpStatusCode: number } }) => [error.name, error.$metadata.httpStatusCode]);

test('R200 a new bucket blocks public access; the block can be changed, taken away and put back', async () => {
  const read = async () => (await s3.send(new GetPublicAccessBlockCommand({ Bucket }))).PublicAccessBlockConfiguration;
  const all = { BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true };
  expect(await read()).toEqual(all);
  await s3.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration: { BlockPublicAcls: true } }));
  expect(await read()).toEqual({ BlockPublicAcls: true, IgnorePublicAcls: false, BlockPublicPolicy: false, RestrictPublicBuckets: false });
  await s3.send(new DeletePublicAccessBlockCommand({ Bucket }));
  expect(await code(read())).toEqual(['NoSuchPublicAccessBlockConfiguration', 404]);
  await s3.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration: all }));
  expect(await read()).toEqual(all);
});

test('R200 default encryption can be changed and falls back to S3\'s own keys', async () => {
  const read = async () => (await s3.send(new GetBucketEncryptionCommand({ Bucket }))).ServerSideEncryptionConfiguration?.Rules?.[0];
  const put = (SSEAlgorithm: string, more: object = {}) =>
    s3.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: { Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: SSEAlgorithm as 'AES256', ...more } }] } }));
  expect((await read())?.ApplyServerSideEncryptionByDefault).toEqual({ SSEAlgorithm: 'AES256' });
  await put('aws:kms', { KMSMasterKeyID: 'alias/ours' });
  expect((await read())?.ApplyServerSideEncryptionByDefault).toEqual({ SSEAlgorithm: 'aws:kms', KMSMasterKeyID: 'alias/ours' });
  await s3.send(new DeleteBucketEncryptionCommand({ Bucket }));
  expect((await read())?.ApplyServerSideEncryptionByDefault).toEqual({ SSEAlgorithm: 'AES256' });
  expect(await code(put('rot13'))).toEqual(['MalformedXML', 400]);
  expect(await code(put('AES256', { KMSMasterKeyID: 'alias/ours' }))).toEqual(['InvalidArgument', 400]);
});

test('R200 settings of a bucket that is not there are not there either', async () => {
  const absent = { Bucket: 'nobody-made-this' };
  expect(await code(s3.send(new PutPublicAccessBlockCommand({ ...absent, PublicAccessBlockConfiguration: {} })))).toEqual(['NoSuchBucket', 404]);
  expect(await code(s3.send(new DeleteBucketEncryptionCommand(absent)))).toEqual(['NoSuchBucket', 404]);
});
