// Tags of objects and buckets: get, put, delete.
// Does: limits of 10 and 50, lengths, duplicates. Gaps: tags of versions. Sources: S3 API Reference, *ObjectTagging, *BucketTagging.
import { AwsFault } from '../../wire/call.ts';
import { readText } from './body.ts';
import type { Exchange } from './exchange.ts';
import { noSuchKey } from './exchange.ts';
import { requireTags } from './object-headers.ts';
import { findObject } from './read-object.ts';
import { listOf, malformedXml, parseXml, textOf, type XmlContent, type XmlNode } from './xml.ts';

function render(tags: [string, string][]): XmlContent {
  return { TagSet: { Tag: tags.map(([Key, Value]) => ({ Key, Value })) } };
}

function parse(text: string, max: number): [string, string][] {
  const set = parseXml(text, 'Tagging')['TagSet'];
  if (set === undefined || Array.isArray(set)) throw malformedXml();
  const items: XmlNode[] = typeof set === 'string' ? [] : listOf(set, 'Tag');
  return requireTags(items.map((item) => [textOf(item, 'Key') ?? '', textOf(item, 'Value') ?? '']), max);
}

export async function getObjectTagging(exchange: Exchange): Promise<void> {
  exchange.answerXml('Tagging', render(findObject(exchange).tags));
}

export async function putObjectTagging(exchange: Exchange): Promise<void> {
  findObject(exchange);
  setObjectTags(exchange, parse(await readText(exchange), 10));
  exchange.answer(200, { 'content-length': '0' });
}

export async function deleteObjectTagging(exchange: Exchange): Promise<void> {
  setObjectTags(exchange, []);
  exchange.answer(204);
}

function setObjectTags(exchange: Exchange, tags: [string, string][]): void {
  const index = exchange.index();
  const row = index.find(exchange.key);
  if (!row) throw noSuchKey(exchange.key);
  index.put(exchange.key, { ...row, tags });
}

export async function getBucketTagging(exchange: Exchange): Promise<void> {
  const { tags } = exchange.bucket();
  if (tags.length === 0) throw new AwsFault('NoSuchTagSet', 'The TagSet does not exist', 404, { body: { BucketName: exchange.address.bucket } });
  exchange.answerXml('Tagging', render(tags));
}

export async function putBucketTagging(exchange: Exchange): Promise<void> {
  const tags = parse(await readText(exchange), 50);
  exchange.store.buckets.put(exchange.address.bucket, { ...exchange.bucket(), tags });
  exchange.answer(204);
}

export async function deleteBucketTagging(exchange: Exchange): Promise<void> {
  exchange.store.buckets.put(exchange.address.bucket, { ...exchange.bucket(), tags: [] });
  exchange.answer(204);
}
