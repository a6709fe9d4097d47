// For tests: the S3 service behind the real server in a temporary world, an SDK client for it, and a signer for raw HTTP
// that can sign wrongly on purpose. Not part of the pretend cloud.
import { createHash, createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { worldClock } from '../../src/sim/clock.ts';
import type { MachineHost } from '../../src/sim/cloud.ts';
import { DIALS } from '../../src/sim/dial.ts';
import { startServer } from '../../src/sim/server.ts';
import { callerCredential } from '../../src/sim/wire/credentials.ts';
import { createWeather } from '../../src/sim/weather/weather.ts';
import { openWorld } from '../../src/sim/world.ts';
import { s3 } from '../../src/sim/aws/s3/s3.ts';

export interface Running {
  port: number;
  accessKeyId: string;
  secretAccessKey: string;
  client(config?: S3ClientConfig): S3Client;
  close(): Promise<void>;
}

/** A server over `directory`; what it logs as a bug fails the close. */
export async function startS3(directory: string, port = 0): Promise<Running> {
  const world = openWorld(directory);
  const bugs: string[] = [];
  const server = await startServer({ port });
  const clock = worldClock(directory);
  const weather = createWeather(world, clock);
  server.open({
    cloud: { world, clock, dial: DIALS.instant, machines: {} as MachineHost, weather },
    weather,
    services: [s3],
    routes: [],
    settle: () => world.save(),
    log: (line) => void bugs.push(line),
  });
  const { accessKeyId, secretAccessKey } = callerCredential(world);
  const clients: S3Client[] = [];
  return {
    port: server.port,
    accessKeyId,
    secretAccessKey,
    client(config = {}) {
      const client = new S3Client({ region: 'us-east-1', endpoint: `http://127.0.0.1:${server.port}`, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true, maxAttempts: 1, ...config });
      clients.push(client);
      return client;
    },
    async close() {
      for (const client of clients) client.destroy();
      await server.close();
      world.close();
      if (bugs.length > 0) throw new Error(bugs.join('\n'));
    },
  };
}

export function newDirectory(): { directory: string; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), 'runctl-s3-'));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

export interface RawRequest {
  method: string;
  /** On the request line exactly so. */
  target: string;
  headers?: Record<string, string>;
  /** Value of x-amz-content-sha256. */
  payload?: string;
  region?: string;
  /** Written as they are; the connection is cut after them when `cut` is set. */
  body?: Buffer[] | ((seed: Seed) => Buffer[]);
  cut?: boolean;
}

export interface Seed {
  signature: string;
  key: Buffer;
  scope: string;
  amzDate: string;
}

export interface RawReply {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export const hmac = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest();
export const sha256Hex = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex');

export function signatureOfChunk(seed: Seed, previous: string, data: Buffer): string {
  return hmac(seed.key, ['AWS4-HMAC-SHA256-PAYLOAD', seed.amzDate, seed.scope, previous, sha256Hex(''), sha256Hex(data)].join('\n')).toString('hex');
}

/** Header-signed raw HTTP. Resolves with status 0 when the server (or `cut`) ended the connection without an answer. */
export function send(server: Running, raw: RawRequest): Promise<RawReply> {
  const amzDate = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
  const region = raw.region ?? 'us-east-1';
  const scope = `${amzDate.slice(0, 8)}/${region}/s3/aws4_request`;
  const headers: Record<string, string> = { host: `127.0.0.1:${server.port}`, 'x-amz-date': amzDate, 'x-amz-content-sha256': raw.payload ?? 'UNSIGNED-PAYLOAD', ...raw.headers };
  const names = Object.keys(headers).map((name) => name.toLowerCase()).filter((name) => name !== 'expect' && name !== 'transfer-encoding').sort();
  const [path = '', search = ''] = raw.target.split('?', 2) as [string, string?];
  const query = search.split('&').filter(Boolean).map((pair) => (pair.includes('=') ? pair : `${pair}=`)).sort().join('&');
  const canonical = [raw.method, path, query, ...names.map((name) => `${name}:${headers[name]?.trim()}`), '', names.join(';'), headers['x-amz-content-sha256']].join('\n');
  const key = [region, 's3', 'aws4_request'].reduce((previous, text) => hmac(previous, text), hmac(`AWS4${server.secretAccessKey}`, amzDate.slice(0, 8)));
  const signature = hmac(key, ['AWS4-HMAC-SHA256', amzDate, scope, sha256Hex(canonical)].join('\n')).toString('hex');
  headers['authorization'] = `AWS4-HMAC-SHA256 Credential=${server.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  const body = typeof raw.body === 'function' ? raw.body({ signature, key, scope, amzDate }) : (raw.body ?? []);
  return exchange(server.port, raw.method, raw.target, headers, body, raw.cut ?? false);
}

export function exchange(port: number, method: string, path: string, headers: Record<string, string>, body: Buffer[] = [], cut = false): Promise<RawReply> {
  return new Promise((resolve) => {
    const nothing = (): void => resolve({ status: 0, headers: {}, body: '' });
    const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString('utf8') }));
      response.on('error', nothing);
    });
    request.on('error', nothing);
    for (const chunk of body) request.write(chunk);
    if (cut) setImmediate(() => setImmediate(() => request.destroy()));
    else request.end();
  });
}
