// The pretend S3 against raw HTTP: what no well-behaved client sends, and what must survive a crash.
import { createHash } from 'node:crypto';
import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newCrc } from './crc.ts';
import { hmac, newDirectory, send, sha256Hex, signatureOfChunk, startS3, type RawReply, type RawRequest, type Running, type Seed } from '../../../../test/support/s3-under-test.ts';

const place = newDirectory();
let server: Running;
beforeAll(async () => {
  server = await startS3(place.directory);
  await server.client().send(new CreateBucketCommand({ Bucket: 'raw' }));
});
afterAll(async () => {
  await server.close();
  place.remove();
});

const code = (reply: RawReply): string => /<Code>(.*?)<\/Code>/.exec(reply.body)?.[1] ?? `${reply.status}`;
const crc32Of = (text: string): string => {
  const crc = newCrc('CRC32');
  crc.update(Buffer.from(text));
  return crc.digest().toString('base64');
};
const status = async (key: string): Promise<number> => (await send(server, { method: 'HEAD', target: `/raw/${key}` })).status;
const put = (key: string, raw: Partial<RawRequest>): Promise<RawReply> => send(server, { method: 'PUT', target: `/raw/${key}`, ...raw });
const plain = (key: string, text: string, headers: Record<string, string> = {}, payload?: string): Promise<RawReply> =>
  put(key, { headers: { 'content-length': String(Buffer.byteLength(text)), ...headers }, body: [Buffer.from(text)], ...(payload === undefined ? {} : { payload }) });

/** Every file under the buckets' data directories. */
function dataFiles(): string[] {
  return readdirSync(join(place.directory, 's3'), { recursive: true, encoding: 'utf8' }).filter((name) => /data\/..\/./.test(name));
}

describe('bodies that must not become objects', () => {
  test.each<[string, Record<string, string>, string | undefined, string]>([
    ['a wrong payload hash', {}, sha256Hex('other'), 'XAmzContentSHA256Mismatch'],
    ['a wrong Content-MD5', { 'content-md5': createHash('md5').update('other').digest('base64') }, undefined, 'BadDigest'],
    ['a malformed Content-MD5', { 'content-md5': 'AAAA' }, undefined, 'InvalidDigest'],
    ['a wrong checksum', { 'x-amz-checksum-crc32': crc32Of('other') }, undefined, 'BadDigest'],
    ['a malformed checksum', { 'x-amz-checksum-crc32': 'xx' }, undefined, 'InvalidRequest'],
    ['two checksums', { 'x-amz-checksum-crc32': crc32Of('body'), 'x-amz-checksum-sha1': 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=' }, undefined, 'InvalidRequest'],
    ['an announced checksum that is absent', { 'x-amz-sdk-checksum-algorithm': 'CRC32' }, undefined, 'InvalidRequest'],
    ['an unknown payload form', {}, 'STREAMING-SOMETHING', 'InvalidArgument'],
    ['customer keys', { 'x-amz-server-side-encryption-customer-algorithm': 'AES256' }, undefined, 'NotImplemented'],
    ['a public ACL', { 'x-amz-acl': 'public-read' }, undefined, 'AccessControlListNotSupported'],
    ['too much metadata', { 'x-amz-meta-big': 'x'.repeat(2100) }, undefined, 'MetadataTooLarge'],
  ])('R200 S3 refuses %s', async (_what, headers, payload, expected) => {
    expect(code(await plain('refused', 'body', headers, payload))).toBe(expected);
    expect(await status('refused')).toBe(404);
  });

  test('R200 S3 answers 411 without a length', async () => {
    const reply = await put('no-length', { headers: { 'transfer-encoding': 'chunked' }, body: [Buffer.from('x')] });
    expect([reply.status, code(reply)]).toEqual([411, 'MissingContentLength']);
  });

  test('R200 S3 forgets an upload whose connection was cut, large or small', async () => {
    const before = dataFiles().length;
    expect((await put('cut', { headers: { 'content-length': '9000000' }, body: [Buffer.alloc(3_000_000)], cut: true })).status).toBe(0);
    expect((await put('cut', { headers: { 'content-length': '9' }, body: [Buffer.from('abc')], cut: true })).status).toBe(0);
    expect(await status('cut')).toBe(404);
    await expect.poll(() => dataFiles().length).toBe(before);
  });
});

describe('aws-chunked', () => {
  const unsigned = (text: string, trailer: string, decoded = text.length, extra: Record<string, string> = {}): Partial<RawRequest> => ({
    payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    headers: { 'content-encoding': 'aws-chunked', 'x-amz-decoded-content-length': String(decoded), 'x-amz-trailer': 'x-amz-checksum-crc32', 'transfer-encoding': 'chunked', ...extra },
    body: [Buffer.from(`${text.length.toString(16)}\r\n${text}\r\n0\r\n${trailer}`)],
  });

  test('R200 S3 takes unsigned chunks with a trailer, in whatever pieces they arrive', async () => {
    const whole = unsigned('chunked text', `x-amz-checksum-crc32:${crc32Of('chunked text')}\r\n\r\n`);
    const bytes = (whole.body as Buffer[])[0] as Buffer;
    expect((await put('pieces', { ...whole, body: [...bytes].map((byte) => Buffer.from([byte])) })).status).toBe(200);
    const got = await send(server, { method: 'GET', target: '/raw/pieces' });
    expect([got.body, got.headers['content-encoding']]).toEqual(['chunked text', undefined]);
  });

  test.each<[string, Partial<RawRequest>, string]>([
    ['a wrong trailer checksum', unsigned('text', `x-amz-checksum-crc32:${crc32Of('test')}\r\n\r\n`), 'BadDigest'],
    ['a missing trailer', unsigned('text', '\r\n'), 'MalformedTrailerError'],
    ['a body cut before its end', unsigned('text', ''), 'IncompleteBody'],
    ['a body cut in its trailer', unsigned('text', `x-amz-checksum-crc32:${crc32Of('text')}`), 'IncompleteBody'],
    ['fewer bytes than announced', unsigned('text', `x-amz-checksum-crc32:${crc32Of('text')}\r\n\r\n`, 5), 'IncompleteBody'],
    ['more bytes than announced', unsigned('text', `x-amz-checksum-crc32:${crc32Of('text')}\r\n\r\n`, 3), 'IncompleteBody'],
    ['a chunk without its size', { ...unsigned('text', ''), body: [Buffer.from('zz\r\ntext\r\n0\r\n\r\n')] }, 'InvalidRequest'],
    ['a chunk longer than its size', { ...unsigned('text', ''), body: [Buffer.from('2\r\ntext\r\n0\r\n\r\n')] }, 'InvalidRequest'],
    ['a short chunk in the middle', { ...unsigned('ab', ''), body: [Buffer.from('1\r\na\r\n1\r\nb\r\n0\r\n\r\n')] }, 'InvalidChunkSizeError'],
  ])('R200 S3 makes no object of %s', async (_what, raw, expected) => {
    expect(code(await put('never', raw))).toBe(expected);
    expect(await status('never')).toBe(404);
  });

  const data = [Buffer.alloc(65_536, 'a'), Buffer.alloc(1000, 'b')];
  const signedBody = (seed: Seed, tamper: (chunk: Buffer, i: number) => Buffer, trailer?: string): Buffer[] => {
    let previous = seed.signature;
    const out: Buffer[] = [];
    for (const [i, chunk] of [...data, Buffer.alloc(0)].entries()) {
      previous = signatureOfChunk(seed, previous, chunk);
      out.push(Buffer.from(`${chunk.length.toString(16)};chunk-signature=${previous}\r\n`), tamper(chunk, i));
      if (chunk.length > 0) out.push(Buffer.from('\r\n'));
    }
    if (trailer !== undefined) {
      const text = ['AWS4-HMAC-SHA256-TRAILER', seed.amzDate, seed.scope, previous, sha256Hex(`${trailer}\n`)].join('\n');
      out.push(Buffer.from(`${trailer}\r\nx-amz-trailer-signature:${hmac(seed.key, text).toString('hex')}\r\n`));
    }
    out.push(Buffer.from('\r\n'));
    return out;
  };
  const lengths = { 'x-amz-decoded-content-length': '66536', 'transfer-encoding': 'chunked', 'content-encoding': 'aws-chunked' };
  const same = (chunk: Buffer): Buffer => chunk;

  test('R200 S3 verifies the signature of every chunk', async () => {
    const payload = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';
    expect((await put('signed', { payload, headers: lengths, body: (seed) => signedBody(seed, same) })).status).toBe(200);
    expect((await send(server, { method: 'GET', target: '/raw/signed' })).body).toBe(Buffer.concat(data).toString());
    for (const broken of [0, 1]) {
      const reply = await put('forged', { payload, headers: lengths, body: (seed) => signedBody(seed, (chunk, i) => (i === broken ? Buffer.from(chunk.map((byte) => byte ^ 1)) : chunk)) });
      expect([reply.status, code(reply)]).toEqual([403, 'SignatureDoesNotMatch']);
    }
    expect(await status('forged')).toBe(404);
  });

  test('R200 S3 verifies signed trailers', async () => {
    const payload = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER';
    const trailer = `x-amz-checksum-crc32:${crc32Of(Buffer.concat(data).toString())}`;
    const headers = { ...lengths, 'x-amz-trailer': 'x-amz-checksum-crc32' };
    expect((await put('trailed', { payload, headers, body: (seed) => signedBody(seed, same, trailer) })).status).toBe(200);
    const forged = await put('forged', { payload, headers, body: (seed) => signedBody(seed, same, trailer).map((part) => Buffer.from(part.toString('latin1').replace('signature:', 'signature:0'), 'latin1')) });
    expect(code(forged)).toBe('SignatureDoesNotMatch');
  });
});

describe('addresses and errors', () => {
  test('R200 S3 keeps dots and doubled slashes of a key, and refuses bad escapes and long keys', async () => {
    expect((await plain('a/../../b//c', 'dots')).status).toBe(200);
    const { Contents } = await server.client().send(new ListObjectsV2Command({ Bucket: 'raw', Prefix: 'a/' }));
    expect(Contents?.map((row) => row.Key)).toEqual(['a/../../b//c']);
    expect(code(await plain('%FF', 'x'))).toBe('InvalidURI');
    expect(code(await plain('x'.repeat(1025), 'x'))).toBe('KeyTooLongError');
  });

  test('R200 S3 errors carry code, ids and details; HEAD has no body', async () => {
    const reply = await send(server, { method: 'GET', target: '/raw/no%20such' });
    expect(reply.body).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n<Error><Code>NoSuchKey<\/Code><Message>.*<\/Message><Key>no such<\/Key><RequestId>.+<\/RequestId><HostId>.+<\/HostId><\/Error>$/);
    expect(reply.headers['x-amz-request-id']).toBe(/<RequestId>(.*)<\/RequestId>/.exec(reply.body)?.[1]);
    const head = await send(server, { method: 'HEAD', target: '/raw/none' });
    expect([head.status, head.body, head.headers['x-amz-id-2']?.length]).toEqual([404, '', 64]);
    expect((await send(server, { method: 'GET', target: '/nowhere/k' })).body).toContain('<BucketName>nowhere</BucketName>');
  });

  test.each([
    ['PUT', '/raw?versioning', 501, 'NotImplemented'], ['GET', '/raw/k?torrent', 501, 'NotImplemented'], ['POST', '/raw', 501, 'NotImplemented'],
    ['PATCH', '/raw/k', 405, 'MethodNotAllowed'], ['POST', '/raw/k?restore', 501, 'NotImplemented'],
  ])('R200 S3 answers %s %s in its own protocol', async (method, target, expectedStatus, expectedCode) => {
    const reply = await send(server, { method, target, headers: { 'content-length': '0' } });
    expect([reply.status, code(reply)]).toEqual([expectedStatus, expectedCode]);
  });

  test('R200 S3 CreateBucket without a constraint is refused outside us-east-1', async () => {
    expect(code(await send(server, { method: 'PUT', target: '/other-region', region: 'eu-west-1', headers: { 'content-length': '0' } }))).toBe('IllegalLocationConstraintException');
  });

  test('R200 S3 refuses entities and malformed XML', async () => {
    const body = Buffer.from('<!DOCTYPE x [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>');
    const headers = { 'content-length': String(body.length), 'content-md5': createHash('md5').update(body).digest('base64') };
    expect(code(await send(server, { method: 'POST', target: '/raw?delete', headers, body: [body] }))).toBe('MalformedXML');
    expect(code(await send(server, { method: 'POST', target: '/raw?delete', headers: { 'content-length': '9' }, body: [Buffer.from('<Delete/>')] }))).toBe('InvalidRequest');
  });

  test('R200 S3 survives bytes that are no HTTP, and a refused upload leaves the connection usable', async () => {
    await new Promise<void>((resolve) => {
      const socket = connect(server.port, '127.0.0.1', () => socket.write('PUT /raw/x HTTP/1.1\r\nHost: \u0000\r\n\r\n'));
      socket.on('data', () => undefined).on('error', () => undefined).on('close', () => resolve());
    });
    await plain('taken', 'x');
    const big = Buffer.alloc(2_000_000);
    for (let i = 0; i < 3; i++) {
      expect((await put('taken', { headers: { 'content-length': String(big.length), 'if-none-match': '*', expect: '100-continue' }, body: [big] })).status).toBe(412);
    }
  });
});

test('R208 S3 objects, uploads and metadata survive a restart; a torn last line and stray data do not matter', async () => {
  const own = newDirectory();
  const first = await startS3(own.directory);
  const client = first.client();
  await client.send(new CreateBucketCommand({ Bucket: 'kept' }));
  await client.send(new PutObjectCommand({ Bucket: 'kept', Key: 'a', Body: 'first' }));
  await client.send(new PutObjectCommand({ Bucket: 'kept', Key: 'a', Body: 'second', Metadata: { m: '1' } }));
  await first.close();
  const bucketDirectory = join(own.directory, 's3', readdirSync(join(own.directory, 's3'))[0] as string);
  const journal = join(bucketDirectory, 'journal.jsonl');
  const sizeBytes = statSync(journal).size;
  appendFileSync(journal, '{"put":"b","row":{"etag"');
  const shard = readdirSync(join(bucketDirectory, 'data'))[0] as string;
  writeFileSync(join(bucketDirectory, 'data', shard, 'stray'), 'left by a crash');
  const second = await startS3(own.directory);
  try {
    const got = await second.client().send(new GetObjectCommand({ Bucket: 'kept', Key: 'a' }));
    expect([await got.Body?.transformToString(), got.Metadata]).toEqual(['second', { m: '1' }]);
    expect((await second.client().send(new ListObjectsV2Command({ Bucket: 'kept' }))).KeyCount).toBe(1);
    expect(statSync(journal).size).toBe(sizeBytes);
    expect(readFileSync(journal, 'utf8').endsWith('\n')).toBe(true);
    expect(readdirSync(join(bucketDirectory, 'data', shard))).not.toContain('stray');
  } finally {
    await second.close();
    own.remove();
  }
});
