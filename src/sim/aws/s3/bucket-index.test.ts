import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { BucketIndex, type ObjectRow } from './bucket-index.ts';
import { compareKeys } from './key-order.ts';
import { listPage } from './list-objects.ts';
import { newDirectory } from '../../../../test/support/s3-under-test.ts';

const places: { directory: string; remove(): void }[] = [];
const make = (): string => {
  const place = newDirectory();
  places.push(place);
  return place.directory;
};
afterEach(() => {
  for (const place of places.splice(0)) place.remove();
});

const row = (etag: string): ObjectRow => ({ system: {}, user: {}, tags: [], storageClass: 'STANDARD', etag, sizeBytes: 0, modifiedMs: 0, segments: [] });

describe('bucket index', () => {
  test('comes back from its journal in the same state, also after it was rewritten', () => {
    const directory = make();
    const index = new BucketIndex(directory);
    for (let i = 0; i < 25_000; i++) index.put(`hot/${i % 7}`, row(String(i)));
    index.delete('hot/3');
    index.beginUpload('u', { ...row(''), key: 'big', initiatedMs: 1 });
    index.putPart('u', 2, { etag: 'p', sizeBytes: 0, modifiedMs: 0, segments: [] });
    expect(readFileSync(join(directory, 'journal.jsonl'), 'utf8').split('\n').length).toBeLessThan(6_000);
    const again = new BucketIndex(directory);
    expect(again.find('hot/4')?.etag).toBe('24994');
    expect([again.size, again.find('hot/3'), again.uploads.get('u')?.parts.get(2)?.etag]).toEqual([6, undefined, 'p']);
  });

  test('says which file is damaged instead of losing objects', () => {
    const directory = make();
    new BucketIndex(directory).put('a', row('1'));
    writeFileSync(join(directory, 'journal.jsonl'), 'nonsense\n{"delete":"a"}\n');
    expect(() => new BucketIndex(directory)).toThrow(/damaged.*journal\.jsonl, byte 0/);
  });

  test('compares keys as their UTF-8 bytes', () => {
    const keys = ['', 'a', 'aa', 'b', 'é', '\ud7ff', '\ue000', '\uffff', '𐀀', '🔑', 'a\u0000'];
    for (const a of keys) for (const b of keys) expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
  });

  test('rolls keys up into common prefixes and goes on behind them', () => {
    const index = new BucketIndex(make());
    for (let i = 0; i < 3000; i++) index.put(`p${i % 3}/${i}`, row('e'));
    expect(listPage(index, '', '/', '', 1000)).toEqual({ keys: [], commonPrefixes: ['p0/', 'p1/', 'p2/'], truncated: false, last: 'p2/' });
    expect(listPage(index, '', '/', 'p0/', 1)).toEqual({ keys: [], commonPrefixes: ['p1/'], truncated: true, last: 'p1/' });
    expect(listPage(index, 'p1/', '', 'p1/', 1).keys).toEqual(['p1/1']);
    expect(listPage(index, 'q', '', '', 5).keys).toEqual([]);
  });
});
