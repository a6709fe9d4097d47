// What may lie between here and AWS, each told apart: real sockets and real certificates where they can be had in a test.
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { awsDouble, ID } from '../../../test/support/aws-double.ts';
import type { AwsDouble } from '../../../test/support/aws-double.ts';
import { leapingClock } from '../../../test/support/leaping-clock.ts';
import type { WireReply } from '../../../test/support/wire-double.ts';
import { RunctlError } from '../../core/errors.ts';
import { createAwsProvider } from './aws-provider.ts';
import { translateAwsError } from './translate.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function caught(work: Promise<unknown>): Promise<RunctlError> {
  const error = await work.then((value) => new Error(`it worked: ${JSON.stringify(value)}`), (thrown: unknown) => thrown);
  if (!(error instanceof RunctlError)) throw error;
  return error;
}

async function double(env: Record<string, string> = {}): Promise<AwsDouble> {
  const made = await awsDouble({ env });
  closing.push(() => made.close());
  return made;
}

async function port(listener: ((socket: Socket) => void) | undefined, keep = true): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    listener?.(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> => new Promise((resolve) => {
    for (const socket of sockets) socket.destroy();
    server.close(() => resolve());
  });
  if (keep) closing.push(close);
  else await close();
  return port;
}

function providerAt(url: string, env: Record<string, string> = {}) {
  const provider = createAwsProvider({ clock: leapingClock(), env: { HOME: '/nonexistent', AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_REGION: 'us-east-1', ...env } });
  closing.push(() => provider.close());
  return provider;
}

const page = (status: number, title = 'Welcome to Airport WiFi', broken = ''): WireReply => ({ status, headers: { 'content-type': 'text/html; charset=utf-8' }, body: `<!doctype html><html><head><title>${title}</title></head><body>Log in${broken}</body></html>` });
const context = { service: 'ec2', operation: 'DescribeInstances', region: 'us-east-1' };
const broken = (code: string, message = 'x') => translateAwsError(Object.assign(new Error(message), { code }), context);

test('R078 nothing listens: the address is named, and the built-in cloud thought of', async () => {
  const url = `http://127.0.0.1:${await port(undefined, false)}`;
  const error = await caught(providerAt(url).find(ID));
  expect(error).toMatchObject({ code: 'endpoint-unreachable', message: `nothing listens at ${url}`, reason: expect.stringContaining('ECONNREFUSED') as string });
  expect(error.hints).toContain('runctl sim status   # when it is the built-in cloud');
});

test('R078 a connection that breaks off is another thing, and nobody knows whether it was carried out', async () => {
  const { wire, provider } = await double();
  wire.on('StopInstances', { reset: true });
  expect(await caught(provider.stop(ID))).toMatchObject({ code: 'endpoint-unreachable', message: expect.stringContaining('broke off') as string, data: { sent: 'maybe' } });
});

test('R078 a server that does not speak HTTP, or no TLS, is told', async () => {
  const plain = await port((socket) => void socket.end('SSH-2.0-OpenSSH_9.6\r\n'));
  expect(await caught(providerAt(`http://127.0.0.1:${plain}`).find(ID))).toMatchObject({ code: 'endpoint-foreign', reason: expect.stringContaining('not HTTP') as string });
  const error = await caught(providerAt(`https://127.0.0.1:${plain}`).find(ID));
  expect(error).toMatchObject({ code: 'endpoint-unreachable', message: `https://127.0.0.1:${plain} does not speak TLS` });
  expect(error.hints).toContain(`export AWS_ENDPOINT_URL=http://127.0.0.1:${plain}`);
});

test.each([
  ['ENOTFOUND', /name of ec2 in us-east-1 cannot be resolved/, /describe-regions/],
  ['EAI_AGAIN', /cannot be resolved/, /config set aws.region/],
  ['ENETUNREACH', /no network leads to/, /^curl /],
  ['EACCES', /forbids the connection/, /^curl /],
  ['CERT_HAS_EXPIRED', /certificate .* not valid at this computer's time/, /^date -u$/],
  ['ERR_TLS_CERT_ALTNAME_INVALID', /certificate of somebody else/, /^curl -sSI/],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', /no trusted TLS connection/, /NODE_EXTRA_CA_CERTS/],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', /no trusted TLS connection/, /NODE_EXTRA_CA_CERTS/],
])('R078 %s has a text and a command of its own, and nothing was sent', (code, message, hint) => {
  const error = broken(code);
  expect(error).toMatchObject({ code: 'endpoint-unreachable', exitCode: 2, data: { sent: 'never', transport: code } });
  expect(error.message).toMatch(message);
  expect(error.hints.some((line) => hint.test(line)), error.hints.join('\n')).toBe(true);
  expect(error.reason).toContain(code);
});

test('R078 no connection in time, and no answer in time, are told apart', () => {
  const late = (text: string) => translateAwsError(Object.assign(new Error(text), { name: 'TimeoutError' }), context);
  expect(late('@smithy/node-http-handler - the request socket did not establish a connection with the server within the configured timeout of 5000 ms.')).toMatchObject({ message: 'ec2 in us-east-1 does not take the connection', data: { sent: 'never' } });
  expect(late('Connection timed out after 30000 ms')).toMatchObject({ message: expect.stringContaining('did not answer in time') as string, data: { sent: 'maybe' } });
});

test('R078 a proxy variable that is set but not used is said', async () => {
  const url = `http://127.0.0.1:${await port(undefined, false)}`;
  expect((await caught(providerAt(url, { HTTPS_PROXY: 'http://proxy.corp:3128' }).find(ID))).reason).toContain('HTTPS_PROXY is set, but runctl connects directly');
});

test('R078 several addresses that all refuse are one refusal', () => {
  const each = Object.assign(new Error('connect ECONNREFUSED ::1:9'), { code: 'ECONNREFUSED' });
  expect(translateAwsError(Object.assign(new AggregateError([each], ''), {}), context)).toMatchObject({ code: 'endpoint-unreachable', reason: expect.stringContaining('connect ECONNREFUSED ::1:9') as string });
});

test('R078 a login page of a network is never taken for an empty answer', async () => {
  const { wire, provider } = await double();
  wire.on('DescribeInstances', page(200));
  wire.on('TerminateInstances', page(200));
  // The SDK itself reads this page as "no machine of that id".
  expect(await caught(provider.find(ID))).toMatchObject({ code: 'endpoint-foreign', data: { httpStatus: 200, sent: 'never' } });
  expect((await caught(provider.terminate(ID))).code).toBe('endpoint-foreign');
});

test('R078 the page of a filter in front of AWS itself is called that', () => {
  const error = translateAwsError(Object.assign(new Error('XML parse error'), { $metadata: { httpStatusCode: 403 }, $responseBodyText: '<html><head><title>Blocked by policy</title>' }), context);
  expect(error).toMatchObject({ code: 'endpoint-foreign', message: 'a web page came instead of an answer of ec2', reason: expect.stringContaining('"Blocked by policy"') as string });
  expect(error.hints[0]).toBe('curl -sSI https://ec2.us-east-1.amazonaws.com');
});

test.each([
  ['HTML 404', page(404), 'endpoint-foreign', /does not speak/],
  ['broken HTML 200', page(200, 'x', '<br>'), 'endpoint-foreign', /does not speak/],
  ['HTML 503 of a gateway', page(503, 'Service Unavailable', '<br>'), 'endpoint-unreachable', /gateway/],
  ['502 without a body', { status: 502, body: '' }, 'endpoint-unreachable', /gateway/],
  ['407', page(407, 'Proxy Authentication Required'), 'endpoint-unreachable', /proxy .* wants a name and a password/],
  ['a redirect to a login', { status: 302, headers: { location: 'http://login.example/' }, body: '' }, 'endpoint-foreign', /does not speak/],
  ['JSON 404', { status: 404, headers: { 'content-type': 'application/json' }, body: '{"message":"not found"}' }, 'endpoint-foreign', /does not speak/],
  ['a 500 page of an emulator', page(500, 'Internal Server Error', '<br>'), 'endpoint-foreign', /does not speak/],
  ['XML of an object store', { status: 501, headers: { 'content-type': 'application/xml' }, body: '<?xml version="1.0"?><Error><Code>NotImplemented</Code><Message>A header you provided implies functionality that is not implemented.</Message></Error>' }, 'endpoint-foreign', /does not/],
] as [string, WireReply, string, RegExp][])('R078 %s, from EC2 and from SSM, reads as %3$s', async (_case, reply, code, message) => {
  const { wire, provider } = await double();
  wire.on('StopInstances', reply);
  wire.on('DescribeInstanceInformation', reply);
  for (const error of [await caught(provider.stop(ID)), await caught((await double().then(async (other) => { other.wire.on('SendCommand', reply); other.wire.on('ListCommands', reply); return other.provider.shell({ id: ID }); })).run('true'))]) {
    expect(error.code).toBe(code);
    expect(error.message + error.reason).toMatch(message);
    expect(error.hints.length).toBeGreaterThan(0);
    expect(error.message).not.toMatch(/service error|undefined/i);
  }
});

test('R078 an object store only: the hint says how to use it beside AWS', async () => {
  const { wire, provider } = await double();
  wire.on('StopInstances', { status: 405, headers: { 'content-type': 'application/xml' }, body: '<?xml version="1.0"?><Error><Code>MethodNotAllowed</Code><Message>no</Message></Error>' });
  expect((await caught(provider.stop(ID))).hints[0]).toBe(`unset AWS_ENDPOINT_URL; export AWS_ENDPOINT_URL_S3=${wire.url}   # when it is an object store only`);
});

test.each(['localhost:4566', '127.0.0.1:4566', 'https://', 'ftp://x'])('an endpoint that is no web address (%s) is a mistake in the settings, before anything is sent', async (url) => {
  expect(await caught(providerAt(url).find(ID))).toMatchObject({ code: 'config-invalid', message: `AWS_ENDPOINT_URL is not a web address: ${url}`, exitCode: 3 });
});
