// A Store port on this computer: a directory behind a loopback HTTP server whose URLs carry a signature, as presigned ones do.
// For tests of what machines fetch and upload; knows nothing of S3.
import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { copyFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Store } from '../../src/core/ports.ts';

export interface LocalStore extends Store {
  /** In every URL; must not be seen anywhere else. */
  readonly signature: string;
  /** Names of the objects that are there. */
  objects(): string[];
  /** What the server answers instead of serving. */
  failWith: number | undefined;
  close(): Promise<void>;
}

export async function createLocalStore(): Promise<LocalStore> {
  const directory = mkdtempSync(join(tmpdir(), 'local-store-'));
  const signature = `CANARY${randomBytes(8).toString('hex')}`;
  const place = (key: string): string => join(directory, encodeURIComponent(key));
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://store');
    const file = place(decodeURIComponent(url.pathname.slice(1)));
    const answer = async (): Promise<void> => {
      if (url.searchParams.get('X-Amz-Signature') !== signature) return void response.writeHead(403).end();
      if (store.failWith !== undefined) return void response.writeHead(store.failWith).end();
      if (request.method === 'PUT') {
        await pipeline(request, createWriteStream(file));
        return void response.writeHead(200).end();
      }
      if (!existsSync(file)) return void response.writeHead(404).end();
      response.writeHead(200);
      await pipeline(createReadStream(file), response);
    };
    answer().catch(() => response.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const urlOf = async (key: string): Promise<string> => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${encodeURIComponent(key)}?X-Amz-Expires=1&X-Amz-Signature=${signature}`;
  const store: LocalStore = {
    name: 's3://local',
    signature,
    failWith: undefined,
    objects: () => readdirSync(directory).map(decodeURIComponent),
    put: async (key, file, { onProgress, signal }) => {
      signal?.throwIfAborted();
      await copyFile(file, place(key));
      onProgress?.(1);
    },
    get: async (key, file) => copyFile(place(key), file),
    remove: async (key) => rm(place(key)),
    urlToRead: urlOf,
    urlToWrite: urlOf,
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return store;
}
