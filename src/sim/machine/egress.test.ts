// The way out of machines, over its unix socket, to servers of this test: what passes, what is refused and with which words.
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, createServer as createHttpServer, request } from 'node:http';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Egress, type EgressOptions, openEgress } from './egress.ts';
import { readIndexSettings } from './index-settings.ts';

let directory: string;
let egress: Egress | undefined;
let echo: Server;
let target: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sim-egress-'));
  echo = createServer((socket) => socket.pipe(socket));
  target = `127.0.0.1:${await listen(echo)}`;
});
afterEach(() => {
  egress?.close();
  echo.close();
  rmSync(directory, { recursive: true });
});

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
}
async function open(options: Partial<EgressOptions>): Promise<void> {
  egress = await openEgress({ socketPath: join(directory, 'egress'), reachable: new Set([target]), ...options });
}
function connectTo(wanted: string): Promise<{ response: IncomingMessage; socket: Socket }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: join(directory, 'egress'), method: 'CONNECT', path: wanted, agent: false });
    call.on('error', reject);
    call.on('connect', (response, socket) => resolve({ response, socket: socket as Socket }));
    call.end();
  });
}
function said(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve) => {
    socket.once('data', (data) => resolve(data.toString()));
    socket.write(text);
  });
}

test('what is on the list is reached, and bytes pass both ways', async () => {
  await open({});
  const { response, socket } = await connectTo(target);
  expect(response.statusCode).toBe(200);
  expect(await said(socket, 'hello')).toBe('hello');
  socket.destroy();
});

test('closed, it refuses everything and names the command that opens it', async () => {
  await open({ reachable: undefined });
  const { response } = await connectTo(target);
  expect([response.statusCode, response.statusMessage]).toEqual([403, 'machines of the built-in cloud have no way out; to open one: runctl sim stop, then runctl sim start --internet']);
});

test('what is not on the list is refused by name, also on another port or in capitals of no avail', async () => {
  await open({});
  for (const wanted of ['evil.test:443', `${target}1`, '127.0.0.1:22', '169.254.169.254:80']) {
    const { response } = await connectTo(wanted);
    expect(response.statusCode, wanted).toBe(403);
    expect(response.statusMessage).toContain(`${wanted} is none that pip or uv of this computer use`);
  }
});

test('a server that is not there is a 502 with its reason; what is no CONNECT is refused', async () => {
  echo.close();
  await open({});
  const { response } = await connectTo(target);
  expect(response.statusCode).toBe(502);
  expect(response.statusMessage).toContain('ECONNREFUSED');
  const plain = await new Promise<number | undefined>((resolve) => request({ socketPath: join(directory, 'egress'), path: '/', agent: false }, ({ statusCode }) => resolve(statusCode)).end());
  expect(plain).toBe(405);
});

test('a proxy of this computer is gone through, with its login, unless the host is spared', async () => {
  const asked: string[] = [];
  const proxy = createHttpServer();
  proxy.on('connect', (call, socket: Socket) => {
    asked.push(`${call.url} ${call.headers['proxy-authorization']}`);
    if (call.url === 'refused.test:443') return void socket.end('HTTP/1.1 407 no\r\n\r\n');
    socket.write('HTTP/1.1 200 ok\r\n\r\n');
    socket.once('data', (data) => socket.end(`proxied ${data}`));
  });
  const port = await listen(proxy);
  const env = { HTTPS_PROXY: `http://me:pass%20word@127.0.0.1:${port}`, NO_PROXY: 'spared.test,127.0.0.1' };
  await open({ reachable: new Set(['index.test:443', 'refused.test:443', target]), env });
  const { socket } = await connectTo('index.test:443');
  expect(await said(socket, 'hello')).toBe('proxied hello');
  expect((await connectTo('refused.test:443')).response).toMatchObject({ statusCode: 502, statusMessage: 'the proxy of this computer says 407 no' });
  const direct = await connectTo(target);
  expect(await said(direct.socket, 'direct')).toBe('direct');
  direct.socket.destroy();
  expect(asked).toEqual([`index.test:443 Basic ${btoa('me:pass word')}`, `refused.test:443 Basic ${btoa('me:pass word')}`]);
  proxy.close();
  proxy.closeAllConnections();
});

test('the settings of pip and uv are carried, those that lead to places of this computer are not', () => {
  const { variables, files, reachable } = readIndexSettings({ HOME: directory, PIP_INDEX_URL: 'https://user:secret@index.test:8443/simple', UV_INDEX_URL: 'https://uv.test/simple', PIP_CONFIG_FILE: '/nowhere', PIP_CACHE_DIR: '/cache', PIP_PROXY: 'http://proxy', UV_CACHE_DIR: '/cache', AWS_SECRET_ACCESS_KEY: 'no', PATH: '/bin' });
  expect(variables).toEqual({ PIP_INDEX_URL: 'https://user:secret@index.test:8443/simple', UV_INDEX_URL: 'https://uv.test/simple' });
  expect(files).toEqual({});
  expect([...reachable]).toEqual(expect.arrayContaining(['pypi.org:443', 'files.pythonhosted.org:443', 'index.test:8443', 'uv.test:443']));
});
