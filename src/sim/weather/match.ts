// Does: what a call on the wire is to weather: its operation by name, the machines, bucket and key that it is about.
// By design: S3 has no operation names on the wire; they are told from method, level and query as its API Reference lists them.
// A call is about a machine when a field names it; what stands in a script that is sent there does not count.
// Source: S3 API Reference "Actions"; EC2 and SSM API References for the fields that hold instance ids.
import type { IncomingMessage } from 'node:http';
import { parseAddress } from '../aws/s3/exchange.ts';
import type { Service } from '../wire/call.ts';
import type { Address } from '../aws/s3/exchange.ts';
import { SUBRESOURCES } from '../aws/s3/s3.ts';
import { like } from './plan.ts';
import type { WeatherRule } from './plan.ts';

export interface WireCall {
  /** `ssm.SendCommand` */
  operation: string;
  /** Instance ids that the request names, and the machine whose own keys signed it. */
  instanceIds: string[];
  bucket?: string;
  key?: string;
  /** RunInstances only, for the words of a refusal. */
  instanceType?: string;
  spot?: boolean;
}

const S3_NAMES: Record<string, Record<string, string>> = {
  'GET service': { '': 'ListBuckets' },
  'GET bucket': { '': 'ListObjects', acl: 'GetBucketAcl', location: 'GetBucketLocation', tagging: 'GetBucketTagging', uploads: 'ListMultipartUploads', versions: 'ListObjectVersions' },
  'HEAD bucket': { '': 'HeadBucket' },
  'PUT bucket': { '': 'CreateBucket', tagging: 'PutBucketTagging' },
  'DELETE bucket': { '': 'DeleteBucket', tagging: 'DeleteBucketTagging' },
  'POST bucket': { delete: 'DeleteObjects' },
  'GET object': { '': 'GetObject', acl: 'GetObjectAcl', tagging: 'GetObjectTagging', uploadId: 'ListParts' },
  'HEAD object': { '': 'HeadObject' },
  'PUT object': { '': 'PutObject', uploadId: 'UploadPart', tagging: 'PutObjectTagging' },
  'DELETE object': { '': 'DeleteObject', tagging: 'DeleteObjectTagging', uploadId: 'AbortMultipartUpload' },
  'POST object': { uploads: 'CreateMultipartUpload', uploadId: 'CompleteMultipartUpload' },
};

const S3_OPERATIONS: readonly string[] = [...Object.values(S3_NAMES).flatMap((names) => Object.values(names)), 'ListObjectsV2', 'CopyObject', 'UploadPartCopy'];

/** What each service understands, by the names that rules use. */
export function operationsOf(services: readonly Service[]): Map<string, readonly string[]> {
  return new Map(services.map((service) => [service.name, service.protocol === 'rest' ? S3_OPERATIONS : Object.keys(service.operations)]));
}

const COPIES: Record<string, string> = { PutObject: 'CopyObject', UploadPart: 'UploadPartCopy' };

export function describeS3Call(request: IncomingMessage, principalArn: string | undefined): WireCall {
  const { bucket, key, query } = addressOf(request);
  const level = bucket === '' ? 'service' : key === '' ? 'bucket' : 'object';
  const subresource = SUBRESOURCES.find((name) => query.has(name)) ?? '';
  let name = S3_NAMES[`${request.method ?? 'GET'} ${level}`]?.[subresource] ?? 'Other';
  if (name === 'ListObjects' && query.get('list-type') === '2') name = 'ListObjectsV2';
  if (request.headers['x-amz-copy-source'] !== undefined) name = COPIES[name] ?? name;
  return {
    operation: `s3.${name}`,
    instanceIds: callerMachine(principalArn),
    ...(bucket === '' ? {} : { bucket }),
    ...(key === '' ? {} : { key }),
  };
}

/** An address that cannot be read is for the service to complain about. */
function addressOf(request: IncomingMessage): Pick<Address, 'bucket' | 'key' | 'query'> {
  try {
    return parseAddress(request.url ?? '/', request.headers.host ?? '');
  } catch {
    return { bucket: '', key: '', query: new URLSearchParams() };
  }
}

/** `fields`: query parameters or JSON body. */
export function describeCall(service: string, operation: string, fields: Record<string, unknown>, principalArn: string | undefined): WireCall {
  const { Parameters: _script, UserData: _userData, ...naming } = fields;
  const instanceIds = [...new Set([...instanceIdsIn(JSON.stringify(naming)), ...callerMachine(principalArn)])];
  const type = fields['InstanceType'];
  const call: WireCall = { operation: `${service}.${operation}`, instanceIds };
  if (operation !== 'RunInstances') return call;
  return { ...call, ...(typeof type === 'string' ? { instanceType: type } : {}), ...(isForSpot(fields['InstanceMarketOptions']) ? { spot: true } : {}) };
}

function isForSpot(options: unknown): boolean {
  return typeof options === 'object' && options !== null && (options as { MarketType?: unknown }).MarketType === 'spot';
}

export function instanceIdsIn(textOfCall: string): string[] {
  return [...new Set(textOfCall.match(/\bi-[0-9a-f]{8,17}\b/g) ?? [])];
}

/** Sessions of an instance's role are named by the instance. */
function callerMachine(principalArn: string | undefined): string[] {
  const session = principalArn?.split('/').at(-1) ?? '';
  return session.startsWith('i-') ? [session] : [];
}

export function matches(rule: WeatherRule, call: WireCall): boolean {
  if (rule.operation === undefined || !like(rule.operation, call.operation)) return false;
  if (rule.instance !== undefined && !call.instanceIds.includes(rule.instance)) return false;
  if (rule.kind.startsWith('bucket-') && call.bucket === undefined) return false;
  if (rule.bucket !== undefined && !(call.bucket !== undefined && like(rule.bucket, call.bucket))) return false;
  return rule.key === undefined || (call.key !== undefined && like(rule.key, call.key));
}
