import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { Agent, request } from 'node:http';
import type { IncomingHttpHeaders, RequestOptions } from 'node:http';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { DescribeInstancesCommand, DescribeRegionsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { GetUserCommand, IAMClient } from '@aws-sdk/client-iam';
import { GetProductsCommand, PricingClient } from '@aws-sdk/client-pricing';
import { GetServiceQuotaCommand, ServiceQuotasClient } from '@aws-sdk/client-service-quotas';
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failure, startTestSim } from '../../test/support/test-sim.ts';
import type { ClientSettings, TestSim } from '../../test/support/test-sim.ts';
import { createSim } from './create-sim.ts';
import { machineDouble } from '../../test/support/machine-double.ts';
import { signatureOf } from '../../test/support/sign-request.ts';
import { AwsFault } from './wire/call.ts';
import type { RestService } from './wire/call.ts';

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

function http(options: RequestOptions, body?: string | Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', agent: new Agent({ keepAlive: false }), ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString('utf8') }));
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** A bucketless object service, enough to see what the server hands to REST services. */
const echoStore: RestService = {
  protocol: 'rest',
  name: 's3',
  async handle(incoming, response, context) {
    if (context.url.pathname === '/broken') throw new TypeError('boom');
    if (context.url.pathname === '/missing') throw new AwsFault('NoSuchKey', 'The specified key does not exist.', 404, { body: { Key: 'missing' } });
    let sizeBytes = 0;
    for await (const chunk of incoming as AsyncIterable<Buffer>) sizeBytes += chunk.length;
    response.end(JSON.stringify({ path: context.url.pathname, sizeBytes, presigned: context.presigned, scope: context.signature.scope }));
  },
};

let t: TestSim;
beforeAll(async () => {
  t = await startTestSim({ parts: () => [{ service: echoStore }] });
});
afterAll(() => t.close());

/** A request signed by this file's own signer, independent of the SDK. */
function signed(options: { service: string; method?: string; path?: string; headers?: Record<string, string>; body?: string; secret?: string; keyId?: string; region?: string; at?: number; signedBody?: string }): Promise<Answer> {
  const { accessKeyId, secretAccessKey } = t.sim.credentials();
  const path = options.path ?? '/';
  const method = options.method ?? 'POST';
  const headers = signatureOf({
    service: options.service,
    region: options.region ?? 'us-east-1',
    method,
    path,
    host: `127.0.0.1:${t.sim.port}`,
    headers: options.headers ?? {},
    payloadHash: createHash('sha256').update(options.signedBody ?? options.body ?? '').digest('hex'),
    accessKeyId: options.keyId ?? accessKeyId,
    secretAccessKey: options.secret ?? secretAccessKey,
    atMs: options.at ?? Date.now(),
  });
  return http({ port: t.sim.port, method, path, headers }, options.body);
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };

describe('errors in the words of each protocol', () => {
  test('R200 an unknown EC2 action is InvalidAction in EC2 XML and names it', async () => {
    const answer = await signed({ service: 'ec2', headers: FORM, body: 'Action=LaunchRockets&Version=2016-11-15' });
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toContain('text/xml');
    expect(answer.body).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n<Response><Errors><Error><Code>InvalidAction<\/Code><Message>[^<]*LaunchRockets[^<]*<\/Message><\/Error><\/Errors><RequestID>[0-9a-f-]{36}<\/RequestID><\/Response>$/);
    expect(answer.headers['x-amzn-requestid']).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('R200 an unknown IAM action is InvalidAction in an ErrorResponse', async () => {
    const answer = await signed({ service: 'iam', headers: FORM, body: 'Action=LaunchRockets&Version=2010-05-08' });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatch(/<ErrorResponse xmlns="https:\/\/iam.amazonaws.com\/doc\/2010-05-08\/"><Error><Type>Sender<\/Type><Code>InvalidAction<\/Code><Message>[^<]*LaunchRockets/);
  });

  test('R200 an unknown JSON operation is UnknownOperationException and names it', async () => {
    const answer = await signed({ service: 'pricing', headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'AWSPriceListService.LaunchRockets' }, body: '{}' });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ __type: 'UnknownOperationException', message: expect.stringContaining('LaunchRockets') });
  });

  test('R200 a service that is not here gets an error that its client can read', async () => {
    const json = await signed({ service: 'dynamodb', headers: { 'x-amz-target': 'DynamoDB_20120810.ListTables' }, body: '{}' });
    expect([json.status, JSON.parse(json.body)]).toMatchObject([400, { __type: 'UnknownOperationException', message: expect.stringContaining('ListTables') }]);
    const query = await signed({ service: 'sns', headers: FORM, body: 'Action=ListTopics&Version=2010-03-31' });
    expect(query.body).toContain('<Code>InvalidAction</Code>');
    const restJson = await signed({ service: 'lambda', method: 'GET', path: '/2015-03-31/functions' });
    expect([restJson.headers['x-amzn-errortype'], JSON.parse(restJson.body)]).toMatchObject(['UnknownOperationException', { message: expect.stringContaining('/2015-03-31/functions') }]);
    const restXml = await signed({ service: 'route53', method: 'GET', path: '/2013-04-01/hostedzone' });
    expect([restXml.status, restXml.body]).toMatchObject([501, expect.stringContaining('<Code>NotImplemented</Code>')]);
  });

  test('R208 unsigned requests are refused in the words of the service they were meant for', async () => {
    const { port } = t.sim;
    const ec2 = await http({ port, method: 'POST', headers: FORM }, 'Action=DescribeInstances&Version=2016-11-15');
    expect([ec2.status, ec2.body]).toMatchObject([403, expect.stringMatching(/<Response><Errors><Error><Code>MissingAuthenticationToken</)]);
    const sts = await http({ port, method: 'GET', path: '/?Action=GetCallerIdentity&Version=2011-06-15' });
    expect([sts.status, sts.body]).toMatchObject([403, expect.stringMatching(/<ErrorResponse.*<Code>MissingAuthenticationToken</)]);
    const json = await http({ port, method: 'POST', headers: { 'x-amz-target': 'AWSPriceListService.GetProducts' } }, '{}');
    expect([json.status, JSON.parse(json.body)]).toMatchObject([400, { __type: 'MissingAuthenticationTokenException' }]);
    const s3 = await http({ port, method: 'GET', path: '/bucket/key' });
    expect([s3.status, s3.body]).toMatchObject([403, expect.stringContaining('<Error><Code>AccessDenied</Code>')]);
  });

  test('R200 malformed requests: empty, not JSON, not a form, an unknown region', async () => {
    expect((await signed({ service: 'ec2', headers: FORM, body: '' })).body).toContain('<Code>MissingAction</Code>');
    expect((await signed({ service: 'ec2', headers: FORM, body: 'Action=DescribeInstances&a=1&a=2' })).body).toContain('<Code>MalformedQueryString</Code>');
    const target = { 'x-amz-target': 'AWSPriceListService.GetProducts' };
    for (const body of ['{', '[]', 'null', '"x"']) {
      expect(JSON.parse((await signed({ service: 'pricing', headers: target, body })).body)).toMatchObject({ __type: 'SerializationException' });
    }
    const elsewhere = await signed({ service: 'ec2', region: 'mars-north-1', headers: FORM, body: 'Action=DescribeInstances&Version=2016-11-15' });
    expect([elsewhere.status, elsewhere.body]).toMatchObject([403, expect.stringMatching(/OptInRequired.*mars-north-1/)]);
  });

  test('R200 a body without end is refused instead of gathered', async () => {
    const answer = await signed({ service: 'ec2', headers: FORM, body: 'x'.repeat(5 * 1024 * 1024) }).catch((error: NodeJS.ErrnoException) => error);
    // The server may close while the client still writes.
    if (answer instanceof Error) expect(['ECONNRESET', 'EPIPE']).toContain(answer.code);
    else expect(answer.status).toBe(413);
  });
});

describe('signatures', () => {
  const wrong = (region = 'us-east-1'): ClientSettings => ({ endpoint: t.sim.endpoint, region, maxAttempts: 1, credentials: { accessKeyId: t.sim.credentials().accessKeyId, secretAccessKey: 'wrong' } });
  const unknown = (): ClientSettings => ({ ...wrong(), credentials: { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'x' } });

  test('R208 a wrong secret is refused by every service in its own words', async () => {
    const seen = await Promise.all([
      failure(new EC2Client(wrong()).send(new DescribeInstancesCommand({}))),
      failure(new STSClient(wrong()).send(new GetCallerIdentityCommand({}))),
      failure(new IAMClient(wrong()).send(new GetUserCommand({}))),
      failure(new PricingClient(wrong()).send(new GetProductsCommand({ ServiceCode: 'AmazonEC2' }))),
      failure(new S3Client({ ...wrong(), forcePathStyle: true }).send(new ListBucketsCommand({}))),
    ]);
    expect(seen.map(({ name, $metadata }) => [name, $metadata.httpStatusCode])).toEqual([
      ['AuthFailure', 401],
      ['SignatureDoesNotMatch', 403],
      ['SignatureDoesNotMatch', 403],
      ['InvalidSignatureException', 400],
      ['SignatureDoesNotMatch', 403],
    ]);
    expect(seen.every(({ $metadata }) => $metadata.requestId !== undefined)).toBe(true);
  });

  test('R208 an unknown key is refused by every service in its own words', async () => {
    const seen = await Promise.all([
      failure(new EC2Client(unknown()).send(new DescribeInstancesCommand({}))),
      failure(new STSClient(unknown()).send(new GetCallerIdentityCommand({}))),
      failure(new ServiceQuotasClient(unknown()).send(new GetServiceQuotaCommand({ ServiceCode: 'ec2', QuotaCode: 'L-1216C47A' }))),
      failure(new S3Client({ ...unknown(), forcePathStyle: true }).send(new ListBucketsCommand({}))),
    ]);
    expect(seen.map(({ name, $metadata }) => [name, $metadata.httpStatusCode])).toEqual([
      ['AuthFailure', 401],
      ['InvalidClientTokenId', 403],
      ['UnrecognizedClientException', 400],
      ['InvalidAccessKeyId', 403],
    ]);
  });

  test('R208 a body that is not the signed one is refused', async () => {
    const answer = await signed({ service: 'ec2', headers: FORM, body: 'Action=DescribeRegions&Version=2016-11-15', signedBody: 'Action=DescribeVpcs&Version=2016-11-15' });
    expect([answer.status, answer.body]).toMatchObject([401, expect.stringContaining('AuthFailure')]);
  });

  test('R208 a declared payload hash that is not that of the body is refused, though it was signed', async () => {
    const hash = createHash('sha256').update('Action=DescribeVpcs').digest('hex');
    const answer = await signed({ service: 'sts', headers: { ...FORM, 'x-amz-content-sha256': hash }, body: 'Action=GetCallerIdentity&Version=2011-06-15', signedBody: 'Action=DescribeVpcs' });
    expect([answer.status, answer.body]).toMatchObject([403, expect.stringContaining('SignatureDoesNotMatch')]);
  });

  test('R208 times more than 15 minutes off are refused, judged by real time and not by the world clock', async () => {
    const body = 'Action=DescribeRegions&Version=2016-11-15';
    expect((await signed({ service: 'ec2', headers: FORM, body, at: Date.now() - 16 * 60_000 })).body).toContain('<Code>RequestExpired</Code>');
    expect((await signed({ service: 'ec2', headers: FORM, body, at: Date.now() - 14 * 60_000 })).status).toBe(200);
    const s3 = await signed({ service: 's3', method: 'GET', headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }, at: Date.now() + 16 * 60_000 });
    expect([s3.status, s3.body]).toMatchObject([403, expect.stringContaining('RequestTimeTooSkewed')]);
  });

  test('R200 Date headers are real whatever the world clock says', async () => {
    const answer = await signed({ service: 'ec2', headers: FORM, body: 'Action=DescribeRegions&Version=2016-11-15' });
    expect(Math.abs(Date.parse(answer.headers.date ?? '') - Date.now())).toBeLessThan(5_000);
    expect(t.clock.now()).toBeLessThan(Date.parse('2026-02-01'));
  });
});

describe('REST services', () => {
  const sha = { 'x-amz-content-sha256': createHash('sha256').update('hello').digest('hex') };

  test('R200 get the raw exchange, with S3 request ids on every answer', async () => {
    const answer = await signed({ service: 's3', method: 'PUT', path: '/bucket/k%20ey?x-id=PutObject', headers: sha, body: 'hello' });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({ path: '/bucket/k%20ey', sizeBytes: 5, presigned: false, scope: expect.stringMatching(/us-east-1\/s3\/aws4_request$/) });
    expect(answer.headers['x-amz-request-id']).toBeTruthy();
    expect(answer.headers['x-amz-id-2']).toBeTruthy();
  });

  test('R200 their faults are S3 XML, without a body for HEAD; bugs become InternalError and are logged', async () => {
    const unsigned = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
    const missing = await signed({ service: 's3', method: 'GET', path: '/missing', headers: unsigned });
    expect([missing.status, missing.body]).toMatchObject([404, expect.stringMatching(/<Error><Code>NoSuchKey<\/Code><Message>[^<]+<\/Message><Key>missing<\/Key><RequestId>.+<\/RequestId><HostId>/)]);
    const head = await signed({ service: 's3', method: 'HEAD', path: '/missing', headers: unsigned });
    expect([head.status, head.body]).toEqual([404, '']);
    const broken = await signed({ service: 's3', method: 'GET', path: '/broken', headers: unsigned });
    expect([broken.status, broken.body]).toMatchObject([500, expect.stringContaining('<Code>InternalError</Code>')]);
    expect(broken.body).not.toContain('boom');
    expect(t.log.join('\n')).toContain('boom');
  });

  test('R208 S3 refuses x-amz headers that the signature does not cover, and requests without a payload hash', async () => {
    const { accessKeyId, secretAccessKey } = t.sim.credentials();
    const headers = signatureOf({ service: 's3', region: 'us-east-1', method: 'PUT', path: '/b/k', host: `127.0.0.1:${t.sim.port}`, headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }, payloadHash: 'UNSIGNED-PAYLOAD', accessKeyId, secretAccessKey, atMs: Date.now() });
    const sneaked = await http({ port: t.sim.port, method: 'PUT', path: '/b/k', headers: { ...headers, 'x-amz-acl': 'public-read' } }, 'x');
    expect([sneaked.status, sneaked.body]).toMatchObject([403, expect.stringContaining('<HeadersNotSigned>x-amz-acl</HeadersNotSigned>')]);
    const bare = await signed({ service: 's3', method: 'GET', path: '/b/k' });
    expect([bare.status, bare.body]).toMatchObject([400, expect.stringContaining('x-amz-content-sha256')]);
  });
});

describe('where it listens', () => {
  test('R208 only on loopback', async () => {
    const outside = Object.values(networkInterfaces()).flat().filter((address) => address !== undefined && !address.internal && address.family === 'IPv4');
    for (const address of outside) {
      const refused = await http({ host: address!.address, port: t.sim.port, path: '/', timeout: 3_000 }).catch((error: NodeJS.ErrnoException) => error.code);
      expect(refused).toBe('ECONNREFUSED');
    }
  });

  test('R202 also on a unix socket where asked; a stale one is replaced, and it is gone after the end', async () => {
    const socketPath = join(t.directory, 'sim.sock');
    for (let round = 0; round < 2; round++) {
      const sim = await createSim({ directory: join(t.directory, 'second'), dial: 'instant', socketPath, machines: () => machineDouble() });
      const answer = await new Promise<number>((resolve, reject) => {
        request({ socketPath, agent: false, path: '/_sim/status', headers: { host: 'localhost', authorization: `Bearer ${sim.controlToken()}` } }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        })
          .on('error', reject)
          .end();
      });
      expect(answer).toBe(200);
      await sim.close();
    }
    expect(existsSync(socketPath)).toBe(false);
  });
});

describe('the control surface', () => {
  const control = (path: string, method = 'GET', headers: Record<string, string> = {}): Promise<Answer> =>
    http({ port: t.sim.port, method, path, headers: { authorization: `Bearer ${t.sim.controlToken()}`, ...headers } });

  test('R201 status tells isolation, instances, meter and calls', async () => {
    await t.ec2.send(new DescribeRegionsCommand({}));
    const answer = await control('/_sim/status');
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({ isolation: 'process', instances: {}, meterTotalMicroUsd: 0, operations: { 'ec2.DescribeRegions': expect.any(Number) } });
  });

  test('R208 refuses a wrong or missing token, a foreign Host and any Origin', async () => {
    expect((await control('/_sim/status', 'GET', { authorization: 'Bearer nonsense' })).status).toBe(401);
    expect((await http({ port: t.sim.port, path: '/_sim/status' })).status).toBe(401);
    expect((await control('/_sim/status', 'GET', { host: 'evil.example' })).status).toBe(403);
    expect((await control('/_sim/status', 'GET', { host: 'localhost.evil.example' })).status).toBe(403);
    expect((await control('/_sim/reset', 'POST', { origin: 'http://127.0.0.1' })).status).toBe(403);
    expect((await control('/_sim/nonsense')).status).toBe(404);
    expect((await control('/_sim/reset', 'GET')).status).toBe(404);
  });
});
