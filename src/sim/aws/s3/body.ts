// Takes in the body of a request while it streams by: aws-chunked framing off, every hash that was declared verified, length checked.
// Does: x-amz-content-sha256 in all its forms, Content-MD5, object checksums in header or trailer, 411 without a length.
// Gaps: SigV4A. By design: never holds more than one network chunk; whoever calls throws away what a refused body left.
// Sources: S3 API Reference "Common request headers" and "Error responses", botocore httpChecksum trait.
import { createHash } from 'node:crypto';
import { AwsFault } from '../../wire/call.ts';
import { AwsChunkedDecoder, malformedTrailer } from './aws-chunked.ts';
import {
  badDigest, checksumHeader, declaredChecksum, invalidRequest, newDigest, parseContentMd5, requireWellFormed, type ChecksumAlgorithm,
} from './checksums.ts';
import { invalidArgument, type Exchange } from './exchange.ts';

export interface ReadBody {
  sizeBytes: number;
  md5: Buffer;
  /** The declared checksum, verified, or the one asked for by `algorithm`. */
  checksum?: { algorithm: ChecksumAlgorithm; value: string };
}

export interface BodyOptions {
  maxBytes: number;
  /** Compute this checksum when the request declares none. */
  algorithm?: ChecksumAlgorithm;
  /** CompleteMultipartUpload: the x-amz-checksum-* header speaks of the object, not of this body. */
  ignoreChecksumHeader?: boolean;
}

export const MAX_PUT_BYTES = 5 * 1024 ** 3;
const MAX_TEXT_BYTES = 4 * 1024 * 1024;

export async function readBody(exchange: Exchange, sink: (chunk: Buffer) => void | Promise<void>, options: BodyOptions): Promise<ReadBody> {
  const payload = payloadOf(exchange);
  const expectedSize = expectedSizeOf(exchange, payload.chunked);
  if (expectedSize > options.maxBytes) throw tooLarge(expectedSize, options.maxBytes);
  const declared = options.ignoreChecksumHeader ? undefined : declaredChecksum(exchange.request.headers);
  if (declared && declared.expected === undefined && !payload.trailers) throw malformedTrailer();
  const contentMd5 = exchange.header('content-md5');
  const expectedMd5 = contentMd5 === undefined ? undefined : parseContentMd5(contentMd5);

  const algorithm = declared?.algorithm ?? options.algorithm;
  const digest = algorithm && newDigest(algorithm);
  const md5 = createHash('md5');
  const sha256 = payload.sha256 === undefined ? undefined : createHash('sha256');
  const decoder = payload.chunked
    ? new AwsChunkedDecoder({ trailers: payload.trailers, signature: payload.signed ? exchange.context.signature : undefined })
    : undefined;
  let sizeBytes = 0;
  // Not destroyed when the loop is left early: the socket still has to carry the error.
  for await (const input of exchange.request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    for (const chunk of decoder ? decoder.push(input) : [input]) {
      sizeBytes += chunk.length;
      if (sizeBytes > expectedSize) throw incompleteBody();
      const accepted = sink(chunk);
      md5.update(chunk);
      sha256?.update(chunk);
      digest?.update(chunk);
      if (accepted) await accepted;
    }
  }
  decoder?.end();
  if (sizeBytes !== expectedSize) throw incompleteBody();

  if (sha256) requireSha256(sha256.digest('hex'), payload.sha256 as string);
  const md5Bytes = md5.digest();
  if (expectedMd5 && !expectedMd5.equals(md5Bytes)) {
    throw new AwsFault('BadDigest', 'The Content-MD5 you specified did not match what we received.', 400, {
      body: { ExpectedDigest: contentMd5 as string, CalculatedDigest: md5Bytes.toString('base64') },
    });
  }
  if (!algorithm || !digest) return { sizeBytes, md5: md5Bytes };
  const value = digest.digest().toString('base64');
  if (declared) {
    const expected = declared.expected ?? decoder?.trailers.get(checksumHeader(algorithm));
    if (expected === undefined) throw malformedTrailer();
    requireWellFormed(algorithm, expected);
    if (expected !== value) throw badDigest(algorithm);
  }
  return { sizeBytes, md5: md5Bytes, checksum: { algorithm, value } };
}

/** A small document, whole. */
export async function readText(exchange: Exchange, options: Partial<BodyOptions> = {}): Promise<string> {
  const chunks: Buffer[] = [];
  await readBody(exchange, (chunk) => void chunks.push(chunk), { maxBytes: MAX_TEXT_BYTES, ...options });
  return Buffer.concat(chunks).toString('utf8');
}

interface Payload {
  chunked: boolean;
  trailers: boolean;
  signed: boolean;
  sha256?: string;
}

function payloadOf(exchange: Exchange): Payload {
  const text = exchange.header('x-amz-content-sha256');
  const plain = { chunked: false, trailers: false, signed: false };
  if (text === undefined) {
    if (exchange.context.presigned) return plain;
    throw invalidRequest('Missing required header for this request: x-amz-content-sha256');
  }
  switch (text) {
    case 'UNSIGNED-PAYLOAD':
      return plain;
    case 'STREAMING-UNSIGNED-PAYLOAD-TRAILER':
      return { chunked: true, trailers: true, signed: false };
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD':
      return { chunked: true, trailers: false, signed: true };
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER':
      return { chunked: true, trailers: true, signed: true };
  }
  if (/^[0-9a-f]{64}$/.test(text)) return { ...plain, sha256: text };
  if (text.startsWith('STREAMING-AWS4-ECDSA')) throw new AwsFault('NotImplemented', `A header you provided implies functionality that is not implemented: ${text}`, 501, { body: { Header: 'x-amz-content-sha256' } });
  throw invalidArgument('x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.', 'x-amz-content-sha256', text);
}

function expectedSizeOf(exchange: Exchange, chunked: boolean): number {
  const text = exchange.header(chunked ? 'x-amz-decoded-content-length' : 'content-length');
  if (text === undefined) throw new AwsFault('MissingContentLength', 'You must provide the Content-Length HTTP header.', 411);
  if (!/^\d{1,15}$/.test(text)) throw invalidArgument('The content length is not a number', chunked ? 'x-amz-decoded-content-length' : 'content-length', text);
  return Number(text);
}

function requireSha256(computed: string, claimed: string): void {
  if (computed === claimed) return;
  throw new AwsFault('XAmzContentSHA256Mismatch', "The provided 'x-amz-content-sha256' header does not match what was computed.", 400, {
    body: { ClientComputedContentSHA256: claimed, S3ComputedContentSHA256: computed },
  });
}

function incompleteBody(): AwsFault {
  return new AwsFault('IncompleteBody', 'You did not provide the number of bytes specified by the Content-Length HTTP header', 400);
}

export function tooLarge(sizeBytes: number, maxBytes: number): AwsFault {
  return new AwsFault('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size', 400, {
    body: { ProposedSize: String(sizeBytes), MaxSizeAllowed: String(maxBytes) },
  });
}
