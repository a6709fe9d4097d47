// S3's control plane and presigned URLs, as far as runctl calls them. The bytes themselves go by plain HTTP (http-transfer.ts).
// Loaded by import() from clients.ts.
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutBucketEncryptionCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';

export { S3Client as Client };

export const operations = {
  CreateBucket: CreateBucketCommand,
  DeleteObject: DeleteObjectCommand,
  HeadBucket: HeadBucketCommand,
  ListBuckets: ListBucketsCommand,
  ListObjectsV2: ListObjectsV2Command,
  PutBucketEncryption: PutBucketEncryptionCommand,
  PutPublicAccessBlock: PutPublicAccessBlockCommand,
};

export function signGet(client: S3Client, bucket: string, key: string, expiresS: number): Promise<string> {
  return getSignedUrl(client, new GetObjectCommand({ Bucket: bucket, Key: key }), { expiresIn: expiresS });
}

export function signPut(client: S3Client, bucket: string, key: string, expiresS: number): Promise<string> {
  return getSignedUrl(client, new PutObjectCommand({ Bucket: bucket, Key: key }), { expiresIn: expiresS });
}
