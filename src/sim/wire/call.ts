// One call as a service sees it, after the wire (query, JSON, REST) has been taken off and the signature checked.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Cloud } from '../cloud.ts';

export interface CallContext {
  cloud: Cloud;
  /** From the credential scope of the signature. */
  region: string;
  accountId: string;
  /** Access key id that signed. */
  accessKeyId: string;
  requestId: string;
}

/** An error the service answers with. The wire layer renders it in the protocol's own shape. */
export class AwsFault extends Error {
  constructor(
    readonly code: string,
    message: string,
    /** HTTP status; 400 for nearly all client errors. */
    readonly status = 400,
    /** Extra elements in the body (S3: Region, Endpoint, BucketName…) and headers. */
    readonly extra: { body?: Record<string, string>; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.name = code;
  }
}

/** Query parameters unflattened: `Filter.1.Name` becomes `{ Filter: [{ Name }] }`; `.member.` levels are dropped. Leaves are strings. */
export type QueryValue = string | QueryValue[] | { [name: string]: QueryValue };
export type QueryParams = { [name: string]: QueryValue };

/** XML to answer with: object keys are element names, arrays of EC2 lists are `{ item: [...] }`, IAM/STS lists `{ member: [...] }`. undefined is left out. */
export type Xml = string | number | boolean | undefined | Xml[] | { [name: string]: Xml };

export interface QueryService {
  protocol: 'ec2' | 'query';
  /** SigV4 service name: ec2, iam, sts. */
  name: string;
  /** XML namespace of responses. */
  xmlns: string;
  operations: Record<string, (params: QueryParams, context: CallContext) => Xml | Promise<Xml>>;
}

export interface JsonService {
  protocol: 'json';
  /** SigV4 service name: ssm, pricing, servicequotas. */
  name: string;
  /** Prefix of x-amz-target, e.g. AmazonSSM. */
  target: string;
  operations: Record<string, (body: Record<string, unknown>, context: CallContext) => unknown>;
}

/** REST services take the raw exchange: bodies are streamed, never gathered. The signature is already checked, except its payload hash. */
export interface RestService {
  protocol: 'rest';
  /** SigV4 service name: s3. */
  name: string;
  handle(request: IncomingMessage, response: ServerResponse, context: CallContext & RestParts): Promise<void>;
}

export interface RestParts {
  url: URL;
  presigned: boolean;
  signature: Signature;
  /** The region in which the addressed bucket is said to be, instead of its own. */
  bucketRegion?: string;
}

/** What the verifier found; REST services need it to check signed chunks (STREAMING-AWS4-HMAC-SHA256-PAYLOAD). */
export interface Signature {
  signature: string;
  /** Derived signing key for date/region/service. */
  signingKey: Buffer;
  scope: string;
  amzDate: string;
}

export type Service = QueryService | JsonService | RestService;
