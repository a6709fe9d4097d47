// A scripted AWS on the wire for tests: answers what it is told, per operation, and remembers every request as it arrived. It
// knows nothing of AWS beyond how a call names its operation; the built-in cloud (src/sim) is the thing that behaves.
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface WireRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
  /** From the signature: ec2, ssm, s3, iam, sts, pricing, servicequotas. */
  service: string;
  region: string;
  /** RunInstances, SendCommand, or for REST the method and path, e.g. "HEAD /bucket". */
  operation: string;
  /** Query protocol parameters, flat as they came. */
  params: Record<string, string>;
  /** JSON protocol body. */
  json: Record<string, unknown>;
}

export interface WireReply {
  status?: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Break the connection instead of answering. */
  reset?: boolean;
  /** Never answer. */
  hang?: boolean;
}

export type Answer = WireReply | ((request: WireRequest, nth: number) => WireReply | Promise<WireReply>);

export interface WireDouble {
  readonly url: string;
  /** Environment that points every client here. */
  readonly env: Record<string, string>;
  readonly requests: WireRequest[];
  /** Answers of one operation, in turn; the last one stays. */
  on(operation: string, ...answers: Answer[]): void;
  /** What arrived for one operation. */
  of(operation: string): WireRequest[];
  close(): Promise<void>;
}

export async function startWireDouble(): Promise<WireDouble> {
  const requests: WireRequest[] = [];
  const scripts = new Map<string, Answer[]>();
  const counts = new Map<string, number>();
  const server = createServer((message, response) => {
    void (async () => {
      const request = await read(message);
      requests.push(request);
      const answers = scripts.get(request.operation) ?? [];
      const nth = counts.get(request.operation) ?? 0;
      counts.set(request.operation, nth + 1);
      const answer = answers[Math.min(nth, answers.length - 1)];
      const reply = typeof answer === 'function' ? await answer(request, nth) : (answer ?? unscripted(request));
      if (reply.hang) return;
      if (reply.reset) return void message.socket.destroy();
      response.writeHead(reply.status ?? 200, { 'x-amzn-requestid': `req-${requests.length}`, ...reply.headers });
      response.end(request.method === 'HEAD' ? undefined : reply.body);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    env: { AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: 'AKIAWIREDOUBLE000000', AWS_SECRET_ACCESS_KEY: 'secret-canary', AWS_REGION: 'us-east-1' },
    requests,
    on: (operation, ...answers) => {
      scripts.set(operation, answers);
      counts.set(operation, 0);
    },
    of: (operation) => requests.filter((request) => request.operation === operation),
    close: () =>
      new Promise((resolve, reject) => {
        server.closeAllConnections();
        server.close((error) => (error ? reject(error) : resolve()));
      }),
  };
}

async function read(message: IncomingMessage): Promise<WireRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString('utf8');
  const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)]));
  const url = new URL(message.url ?? '/', 'http://double');
  const credential = /Credential=([^,]+)/.exec(headers.authorization ?? '')?.[1] ?? url.searchParams.get('X-Amz-Credential') ?? '';
  const [, , region = '', service = ''] = credential.split('/');
  const isForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false;
  const isJson = headers['content-type']?.startsWith('application/x-amz-json') ?? false;
  const params = isForm ? Object.fromEntries(new URLSearchParams(body)) : {};
  return {
    method: message.method ?? '',
    path: message.url ?? '',
    headers,
    body,
    service,
    region,
    operation: isForm ? (params.Action ?? '') : isJson ? (headers['x-amz-target']?.split('.')[1] ?? '') : `${message.method} ${url.pathname.replace(/(.)\/$/, '$1')}`,
    params,
    json: isJson ? (JSON.parse(body || '{}') as Record<string, unknown>) : {},
  };
}

const unscripted = (request: WireRequest): WireReply =>
  Object.keys(request.json).length > 0 || request.headers['x-amz-target']
    ? jsonError('UnknownOperationException', `not scripted: ${request.operation}`)
    : ec2Error('InvalidAction', `not scripted: ${request.operation}`);

export const ec2Xml = (operation: string, inner: string): WireReply => ({
  headers: { 'content-type': 'text/xml' },
  body: `<${operation}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>${inner}</${operation}Response>`,
});

export const ec2Error = (code: string, message: string, status = 400): WireReply => ({
  status,
  headers: { 'content-type': 'text/xml' },
  body: `<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>r</RequestID></Response>`,
});

/** IAM and STS. */
export const queryXml = (operation: string, inner: string): WireReply => ({
  headers: { 'content-type': 'text/xml' },
  body: `<${operation}Response><${operation}Result>${inner}</${operation}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></${operation}Response>`,
});

export const queryError = (code: string, message: string, status = 400): WireReply => ({
  status,
  headers: { 'content-type': 'text/xml' },
  body: `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
});

export const jsonReply = (value: unknown): WireReply => ({ headers: { 'content-type': 'application/x-amz-json-1.1' }, body: JSON.stringify(value) });

export const jsonError = (type: string, message: string, status = 400): WireReply => ({
  status,
  headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-errortype': type },
  body: JSON.stringify({ __type: type, message }),
});

export const s3Error = (code: string, message: string, status: number, headers: Record<string, string> = {}): WireReply => ({
  status,
  headers: { 'content-type': 'application/xml', 'x-amz-request-id': 'S3REQ', ...headers },
  body: `<Error><Code>${code}</Code><Message>${message}</Message><RequestId>S3REQ</RequestId></Error>`,
});
