import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openWorld } from './world.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'runctl-world-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('R208 a world is the same after it was closed and opened', () => {
  const first = openWorld(directory);
  first.table<{ n: number }>('a.things').put('x', { n: 1 });
  first.close();
  const second = openWorld(directory);
  expect(second.accountId).toBe(first.accountId);
  expect(second.accountId).toMatch(/^[1-9]\d{11}$/);
  expect(second.table<{ n: number }>('a.things').get('x')).toEqual({ n: 1 });
  second.close();
});

test('R208 changes reach the disk by themselves within moments, readable by the owner only', async () => {
  const world = openWorld(directory);
  world.table('a.things').put('x', { n: 2 });
  const file = join(directory, 'world.json');
  const until = Date.now() + 5_000;
  let text = '';
  while (!text.includes('"n":2') && Date.now() < until) {
    await new Promise((resolve) => setImmediate(resolve));
    try {
      text = readFileSync(file, 'utf8');
    } catch {
      text = '';
    }
  }
  expect(text).toContain('"n":2');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory)).toEqual(['world.json']);
  world.close();
});

test('R208 a world that cannot be read is refused, not overwritten', () => {
  const file = join(directory, 'world.json');
  for (const content of ['{"format":', '{"format":99,"accountId":"1","tables":{}}', '{"format":1}']) {
    writeFileSync(file, content);
    expect(() => openWorld(directory)).toThrow(/world file/);
    expect(readFileSync(file, 'utf8')).toBe(content);
  }
});

test('ids look like those of EC2 and do not repeat; deleting says whether there was something', () => {
  const world = openWorld(directory);
  const ids = Array.from({ length: 1000 }, () => world.newId('i'));
  expect(new Set(ids).size).toBe(1000);
  expect(ids.every((id) => /^i-[0-9a-f]{17}$/.test(id))).toBe(true);
  expect(world.table('t').delete('none')).toBe(false);
  world.close();
});
