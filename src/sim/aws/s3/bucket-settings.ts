// The settings of a bucket that clients ask for before they work (rclone, s3cmd, terraform): each answers as a fresh bucket would.
// Does: reading of the defaults; block public access and default encryption can be changed and taken away.
// Gaps: the others cannot; their PUT answers NotImplemented. KMS keys are kept, not used.
// By design: ACLs off, public access blocked, SSE-S3, no versioning: what S3 gives every bucket made since April 2023.
// Sources: S3 API Reference (GetBucket*, PutPublicAccessBlock, PutBucketEncryption and their error codes), S3 User Guide "Default encryption".
import { AwsFault } from '../../wire/call.ts';
import { readText } from './body.ts';
import type { Exchange } from './exchange.ts';
import { findObject } from './read-object.ts';
import { malformedXml, parseXml, textOf, type XmlContent } from './xml.ts';

type Setting = { root: string; content: XmlContent } | { code: string; message: string };

const SETTINGS: Record<string, Setting> = {
  accelerate: { root: 'AccelerateConfiguration', content: '' },
  cors: { code: 'NoSuchCORSConfiguration', message: 'The CORS configuration does not exist' },
  encryption: {
    root: 'ServerSideEncryptionConfiguration',
    content: { Rule: { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' }, BucketKeyEnabled: false } },
  },
  lifecycle: { code: 'NoSuchLifecycleConfiguration', message: 'The lifecycle configuration does not exist' },
  logging: { root: 'BucketLoggingStatus', content: '' },
  notification: { root: 'NotificationConfiguration', content: '' },
  'object-lock': { code: 'ObjectLockConfigurationNotFoundError', message: 'Object Lock configuration does not exist for this bucket' },
  ownershipControls: { root: 'OwnershipControls', content: { Rule: { ObjectOwnership: 'BucketOwnerEnforced' } } },
  policy: { code: 'NoSuchBucketPolicy', message: 'The bucket policy does not exist' },
  policyStatus: { code: 'NoSuchBucketPolicy', message: 'The bucket policy does not exist' },
  publicAccessBlock: {
    root: 'PublicAccessBlockConfiguration',
    content: { BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true },
  },
  replication: { code: 'ReplicationConfigurationNotFoundError', message: 'The replication configuration was not found' },
  requestPayment: { root: 'RequestPaymentConfiguration', content: { Payer: 'BucketOwner' } },
  versioning: { root: 'VersioningConfiguration', content: '' },
  website: { code: 'NoSuchWebsiteConfiguration', message: 'The specified bucket does not have a website configuration' },
};

export const SETTING_NAMES = Object.keys(SETTINGS);

export async function getBucketSetting(exchange: Exchange, name: string): Promise<void> {
  const bucket = exchange.bucket();
  const changed = bucket.settings?.[name];
  const setting = (changed === null ? TAKEN_AWAY[name] : SETTINGS[name]) as Setting;
  if (changed) return exchange.answerXml((setting as { root: string }).root, changed);
  if ('code' in setting) throw new AwsFault(setting.code, setting.message, 404, { body: { BucketName: bucket.name } });
  exchange.answerXml(setting.root, setting.content);
}

const TAKEN_AWAY: Record<string, Setting> = {
  publicAccessBlock: { code: 'NoSuchPublicAccessBlockConfiguration', message: 'The public access block configuration was not found' },
  // Every bucket is encrypted since January 2023: what is taken away falls back to this.
  encryption: SETTINGS['encryption'] as Setting,
};

const BLOCKS = ['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets'];

export async function putPublicAccessBlock(exchange: Exchange): Promise<void> {
  exchange.bucket();
  const given = parseXml(await readText(exchange), 'PublicAccessBlockConfiguration');
  change(exchange, 'publicAccessBlock', Object.fromEntries(BLOCKS.map((name) => [name, textOf(given, name) === 'true'])));
  exchange.answer(200, { 'content-length': '0' });
}

export async function putBucketEncryption(exchange: Exchange): Promise<void> {
  exchange.bucket();
  const rule = parseXml(await readText(exchange), 'ServerSideEncryptionConfiguration')['Rule'];
  if (rule === undefined || typeof rule === 'string' || Array.isArray(rule)) throw malformedXml();
  const preset = rule['ApplyServerSideEncryptionByDefault'];
  const algorithm = textOf(preset, 'SSEAlgorithm');
  if (algorithm === undefined || !['AES256', 'aws:kms', 'aws:kms:dsse'].includes(algorithm)) throw malformedXml();
  const key = textOf(preset, 'KMSMasterKeyID');
  if (key !== undefined && algorithm === 'AES256') throw new AwsFault('InvalidArgument', 'a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse', 400);
  change(exchange, 'encryption', { Rule: { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: algorithm, KMSMasterKeyID: key }, BucketKeyEnabled: textOf(rule, 'BucketKeyEnabled') === 'true' } });
  exchange.answer(200, { 'content-length': '0' });
}

export async function deleteBucketSetting(exchange: Exchange, name: string): Promise<void> {
  exchange.bucket();
  change(exchange, name, null);
  exchange.answer(204);
}

function change(exchange: Exchange, name: string, content: XmlContent | null): void {
  const bucket = exchange.bucket();
  exchange.store.buckets.put(bucket.name, { ...bucket, settings: { ...bucket.settings, [name]: content } });
}

export async function getBucketAcl(exchange: Exchange): Promise<void> {
  exchange.bucket();
  answerAcl(exchange);
}

export async function getObjectAcl(exchange: Exchange): Promise<void> {
  findObject(exchange);
  answerAcl(exchange);
}

function answerAcl(exchange: Exchange): void {
  const owner = { ID: exchange.store.ownerId };
  exchange.answerXml('AccessControlPolicy', {
    Owner: owner,
    AccessControlList: {
      Grant: { 'Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"': owner, Permission: 'FULL_CONTROL' },
    },
  });
}
