// The pretend S3: which operation a request is, and how a failure is answered. Each operation lives in a file of its own.
// Does: buckets, objects, listings, multipart uploads, copies, tags, conditional writes, ranges, checksums, aws-chunked.
// Gaps: versioning, bucket policies and other settings, object lock, browser POST uploads, S3 Select: NotImplemented.
// By design: one account owns everything, so nothing is AccessDenied; 100-continue is answered by Node before a handler runs.
// Sources: botocore s3 model (which query parameter makes which operation), S3 API Reference "Error responses".
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AwsFault, type RestService } from '../../wire/call.ts';
import { createBucket, deleteBucket, getBucketLocation, headBucket, listBuckets } from './bucket.ts';
import { deleteBucketSetting, getBucketAcl, getBucketSetting, getObjectAcl, putBucketEncryption, putPublicAccessBlock, SETTING_NAMES } from './bucket-settings.ts';
import { completeMultipartUpload } from './complete-upload.ts';
import { copyObject } from './copy-object.ts';
import { deleteObject, deleteObjects } from './delete-object.ts';
import { Exchange, hostIdOf, parseAddress, type Address, type RestContext } from './exchange.ts';
import { listObjects, listObjectsV2, listObjectVersions } from './list-objects.ts';
import { listMultipartUploads, listParts } from './list-uploads.ts';
import { abortMultipartUpload, createMultipartUpload, uploadPart, uploadPartCopy } from './multipart.ts';
import { getObject, headObject } from './read-object.ts';
import { deleteBucketTagging, deleteObjectTagging, getBucketTagging, getObjectTagging, putBucketTagging, putObjectTagging } from './tagging.ts';
import { putObject } from './write-object.ts';
import { renderXml } from './xml.ts';

type Operation = (exchange: Exchange) => Promise<void>;

/** By method and level, then by the query parameter that makes it another operation; '' is the plain one. */
const OPERATIONS: Record<string, Record<string, Operation>> = {
  'GET service': { '': listBuckets },
  'GET bucket': {
    '': (exchange) => (exchange.query.get('list-type') === '2' ? listObjectsV2(exchange) : listObjects(exchange)),
    acl: getBucketAcl,
    location: getBucketLocation,
    tagging: getBucketTagging,
    uploads: listMultipartUploads,
    versions: listObjectVersions,
    ...Object.fromEntries(SETTING_NAMES.map((name) => [name, (exchange: Exchange) => getBucketSetting(exchange, name)])),
  },
  'HEAD bucket': { '': headBucket },
  'PUT bucket': { '': createBucket, encryption: putBucketEncryption, publicAccessBlock: putPublicAccessBlock, tagging: putBucketTagging },
  'DELETE bucket': {
    '': deleteBucket,
    encryption: (exchange) => deleteBucketSetting(exchange, 'encryption'),
    publicAccessBlock: (exchange) => deleteBucketSetting(exchange, 'publicAccessBlock'),
    tagging: deleteBucketTagging,
  },
  'POST bucket': { delete: deleteObjects },
  'GET object': { '': getObject, acl: getObjectAcl, tagging: getObjectTagging, uploadId: listParts },
  'HEAD object': { '': headObject },
  'PUT object': {
    '': (exchange) => (exchange.header('x-amz-copy-source') === undefined ? putObject(exchange) : copyObject(exchange)),
    uploadId: (exchange) => (exchange.header('x-amz-copy-source') === undefined ? uploadPart(exchange) : uploadPartCopy(exchange)),
    tagging: putObjectTagging,
  },
  'DELETE object': { '': deleteObject, tagging: deleteObjectTagging, uploadId: abortMultipartUpload },
  'POST object': { uploads: createMultipartUpload, uploadId: completeMultipartUpload },
};

/** Query parameters that select an operation, known here or not; any other parameter is an argument. */
export const SUBRESOURCES = [
  'accelerate', 'acl', 'analytics', 'attributes', 'cors', 'delete', 'encryption', 'intelligent-tiering', 'inventory', 'legal-hold', 'lifecycle',
  'location', 'logging', 'metadataConfiguration', 'metadataTable', 'metrics', 'notification', 'object-lock', 'ownershipControls', 'policy', 'policyStatus',
  'publicAccessBlock', 'renameObject', 'replication', 'requestPayment', 'restore', 'retention', 'select', 'session', 'tagging', 'torrent', 'uploadId', 'uploads',
  'versioning', 'versions', 'website',
];

export const s3: RestService = {
  protocol: 'rest',
  name: 's3',
  async handle(request, response, context) {
    response.setHeader('x-amz-request-id', context.requestId);
    response.setHeader('x-amz-id-2', hostIdOf(context.requestId));
    response.setHeader('server', 'AmazonS3');
    let address: Address | undefined;
    try {
      address = parseAddress(request.url ?? '/', request.headers.host ?? '');
      await operationOf(request, address)(new Exchange(request, response, context, address));
    } catch (error) {
      // The client has gone in the middle of its request or of our answer: nobody is left to be told.
      if (request.errored || response.destroyed) return void response.destroy();
      if (!(error instanceof AwsFault) || response.headersSent) throw error;
      answerFault(request, response, context, error, address);
    }
  },
};

function operationOf(request: IncomingMessage, address: Address): Operation {
  const level = address.bucket === '' ? 'service' : address.key === '' ? 'bucket' : 'object';
  const method = request.method ?? 'GET';
  const subresource = SUBRESOURCES.find((name) => address.query.has(name)) ?? '';
  const operation = OPERATIONS[`${method} ${level}`]?.[subresource];
  if (operation) return operation;
  if (OPERATIONS[`${method} ${level}`] === undefined || (subresource === '' && method !== 'POST')) {
    throw new AwsFault('MethodNotAllowed', 'The specified method is not allowed against this resource.', 405, { body: { Method: method, ResourceType: level.toUpperCase() } });
  }
  const name = address.query.get('x-id') ?? `${method} ${level}${subresource === '' ? '' : ` ?${subresource}`}`;
  throw new AwsFault('NotImplemented', `A header or query you provided implies functionality that is not implemented: ${name}`, 501);
}

function answerFault(request: IncomingMessage, response: ServerResponse, context: RestContext, fault: AwsFault, address: Address | undefined): void {
  const body = Buffer.from(
    renderXml('Error', {
      Code: fault.code,
      Message: fault.message,
      ...fault.extra.body,
      Resource: fault.extra.body?.['Key'] ?? fault.extra.body?.['BucketName'] ? undefined : `/${address?.bucket ?? ''}${address?.key ? `/${address.key}` : ''}`,
      RequestId: context.requestId,
      HostId: hostIdOf(context.requestId),
    }, ''),
  );
  // The rest of an unread body is thrown away by Node; closing instead could reset the connection before the client has read this.
  const bodiless = request.method === 'HEAD';
  response.writeHead(fault.status, {
    'content-type': 'application/xml',
    ...fault.extra.headers,
    ...(bodiless ? {} : { 'content-length': String(body.length) }),
  });
  response.end(bodiless ? undefined : body);
}
