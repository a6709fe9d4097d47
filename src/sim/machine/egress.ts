// Does: the only way out of a machine that has a network of its own: an HTTP proxy for CONNECT on a unix socket of the host, which
//   the guest sees as 127.0.0.1:3128 and has in HTTPS_PROXY. Closed unless the owner of this computer opens it; open, it leads to
//   the package indexes and nowhere else. A proxy of the host itself (HTTPS_PROXY, NO_PROXY) is gone through.
// Gaps: TLS only, so no index over plain http and none on the host's own loopback; no other protocol; no SOCKS.
// By design: what is refused is refused with a reason that installers print, and with the command that opens the way.
//   Names are resolved on the host: the guest has no DNS. Nothing is read of what passes.
// Source: RFC 9110 section 9.3.6 (CONNECT).
import { rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Socket, connect } from 'node:net';

export const EGRESS_PORT = 3128;
const CONNECT_LIMIT_MS = 20_000;

export interface EgressOptions {
  socketPath: string;
  /** `host:port` of everything that may be reached; undefined: closed. */
  reachable: ReadonlySet<string> | undefined;
  /** Where the host's own proxy is looked up. */
  env?: Record<string, string | undefined>;
}

export interface Egress {
  close(): void;
}

export async function openEgress({ socketPath, reachable, env = {} }: EgressOptions): Promise<Egress> {
  rmSync(socketPath, { force: true });
  const tunnels = new Set<Duplex>();
  const server = createServer((_request, response) => response.writeHead(405).end('This proxy knows CONNECT only.\n'));
  server.on('connect', (asked, near: Duplex, head: Buffer) => {
    tunnels.add(near);
    near.on('close', () => tunnels.delete(near));
    near.on('error', () => near.destroy());
    const target = (asked.url ?? '').toLowerCase();
    const refusal = refusalOf(target, reachable);
    if (refusal !== undefined) return void near.end(`HTTP/1.1 403 ${refusal}\r\nContent-Length: 0\r\n\r\n`);
    reach(target, env).then(
      (far) => {
        far.on('error', () => near.destroy());
        near.on('close', () => far.destroy());
        near.write('HTTP/1.1 200 Connection established\r\n\r\n');
        far.write(head);
        near.pipe(far).pipe(near);
      },
      (error: Error) => void near.end(`HTTP/1.1 502 ${plainLine(error.message)}\r\nContent-Length: 0\r\n\r\n`),
    );
  });
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  return {
    close() {
      server.close();
      server.closeAllConnections();
      for (const tunnel of tunnels) tunnel.destroy();
      rmSync(socketPath, { force: true });
    },
  };
}

function refusalOf(target: string, reachable: ReadonlySet<string> | undefined): string | undefined {
  if (!reachable) return 'machines of the built-in cloud have no way out; to open one: runctl sim stop, then runctl sim start --internet';
  return reachable.has(target) ? undefined : plainLine(`machines of the built-in cloud reach package indexes only, and ${target} is none that pip or uv of this computer use`);
}

function plainLine(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 300);
}

async function reach(target: string, env: Record<string, string | undefined>): Promise<Socket> {
  const proxy = proxyFor(target, env);
  return proxy === undefined ? direct(target) : throughProxy(target, proxy);
}

function direct(target: string): Promise<Socket> {
  const at = target.lastIndexOf(':');
  return new Promise((resolve, reject) => {
    const socket = connect({ host: target.slice(0, at), port: Number(target.slice(at + 1)) });
    socket.setTimeout(CONNECT_LIMIT_MS, () => socket.destroy(new Error(`${target} does not answer`)));
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}

function throughProxy(target: string, proxy: URL): Promise<Socket> {
  const login = proxy.username === '' ? {} : { 'proxy-authorization': `Basic ${Buffer.from(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`).toString('base64')}` };
  return new Promise((resolve, reject) => {
    const call = request({ host: proxy.hostname, port: proxy.port || 80, method: 'CONNECT', path: target, headers: { host: target, ...login }, timeout: CONNECT_LIMIT_MS, agent: false });
    call.once('timeout', () => call.destroy(new Error('the proxy of this computer does not answer')));
    call.once('error', reject);
    call.once('connect', (response, socket, head) => {
      socket.setTimeout(0);
      if (head.length > 0) socket.unshift(head);
      if (response.statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(new Error(`the proxy of this computer says ${response.statusCode} ${response.statusMessage}`));
    });
    call.end();
  });
}

function proxyFor(target: string, env: Record<string, string | undefined>): URL | undefined {
  const value = env['HTTPS_PROXY'] || env['https_proxy'];
  if (!value) return undefined;
  const host = target.slice(0, target.lastIndexOf(':'));
  const spared = (env['NO_PROXY'] || env['no_proxy'] || '').split(',').map((one) => one.trim().replace(/^\*?\./, ''));
  if (spared.some((one) => one === '*' || (one !== '' && (host === one || host.endsWith(`.${one}`))))) return undefined;
  const url = new URL(value.includes('://') ? value : `http://${value}`);
  return url.protocol === 'http:' ? url : undefined;
}
