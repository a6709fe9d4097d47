// The settings of a bucket that clients ask for before they work (rclone, s3cmd, terraform): each answers as a fresh bucket would.
// Does: reading of the defaults. Gaps: none of them can be changed; the PUT answers NotImplemented.
// By design: ACLs off, public access blocked, SSE-S3, no versioning: what S3 gives every bucket made since April 2023.
// Sources: S3 API Reference (GetBucket* operations and their error codes), S3 User Guide "Default encryption".
import { AwsFault } from '../../wire/call.ts';
import type { Exchange } from './exchange.ts';
import { findObject } from './read-object.ts';
import type { XmlContent } from './xml.ts';

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
  const setting = SETTINGS[name] as Setting;
  if ('code' in setting) throw new AwsFault(setting.code, setting.message, 404, { body: { BucketName: bucket.name } });
  exchange.answerXml(setting.root, setting.content);
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
