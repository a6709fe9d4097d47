import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { simControl } from './daemon.ts';

/** As the real one behaves towards those who start it: one has the place, others are told so at once, and it takes its time. */
const SERVER = `
import { createServer } from 'node:http';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
const directory = process.argv[process.argv.indexOf('--directory') + 1];
const lock = join(directory, 'server.lock');
const tell = (message) => process.send(message, () => process.disconnect());
let first = true;
try {
  writeFileSync(lock, '', { flag: 'wx' });
} catch {
  first = false;
  tell({ taken: true });
}
if (first) setTimeout(() => {
  const server = createServer((request, response) => {
    response.writeHead(200, { connection: 'close' }).end('{}');
    if (!request.url.endsWith('/stop')) return;
    server.close();
    // It answers nobody any more, and has the place a little longer.
    setTimeout(() => (rmSync(lock), process.exit()), 300);
  });
  server.listen(0, '127.0.0.1', () => {
    writeFileSync(join(directory, 'server.json'), JSON.stringify({ pid: process.pid, port: server.address().port, token: 't', accessKeyId: 'k', secretAccessKey: 's', region: 'r' }));
    tell({ ready: true });
  });
}, 300);
`;

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

test('R201 two commands that start the cloud at once both get it; one that comes while the last cloud leaves gets a new one', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'runctl-daemon-'));
  directories.push(directory);
  const serverFile = join(directory, 'server.mjs');
  writeFileSync(serverFile, SERVER);
  const control = () => simControl({ directory, serverFile, defaults: { dial: 'instant', latency: false, idleMinutes: 1, isolation: 'auto', internet: false } });
  const both = await Promise.all([control().start({}), control().start({})]);
  expect(new Set(both.map(({ pid }) => pid)).size).toBe(1);
  expect(both.map(({ started }) => started).toSorted()).toEqual([false, true]);
  expect(await control().stop()).toBe(true);
  const next = await control().start({});
  expect(next.started).toBe(true);
  expect(next.pid).not.toBe(both[0]!.pid);
  await control().stop();
});
