// The aws-chunked content coding: takes the chunk framing, chunk signatures and trailers off an upload while it streams by.
// Does: unsigned chunks with trailers, signed chunks with and without trailers, the 8 KiB minimum of all but the last chunk.
// Gaps: ECDSA (SigV4A) chunk signatures. By design: strict about the end: a body without its closing empty line is incomplete.
// Sources: S3 API Reference "Signature Calculations: Transferring Payload in Multiple Chunks" and "Including Trailing Headers",
// versitygw issue 1683 (InvalidChunkSizeError as seen from S3).
import { createHash, createHmac, timingSafeEqual, type Hash } from 'node:crypto';
import { AwsFault, type Signature } from '../../wire/call.ts';

const EMPTY_SHA256 = createHash('sha256').digest('hex');
const MIN_CHUNK_BYTES = 8192;
const MAX_LINE_BYTES = 16_384;

export interface ChunkedOptions {
  /** Present when every chunk is signed. */
  signature?: Signature;
  /** Whether trailing headers may follow the last chunk. */
  trailers: boolean;
}

export class AwsChunkedDecoder {
  readonly trailers = new Map<string, string>();
  readonly #signed: boolean;
  readonly #options: ChunkedOptions;
  #state: 'size' | 'data' | 'data-end' | 'trailer' | 'done' = 'size';
  #line = '';
  #leftBytes = 0;
  #chunkNumber = 0;
  #shortChunkBytes: number | undefined;
  #previousSignature: string;
  #chunkSignature = '';
  #chunkHash: Hash | undefined;
  #trailerLines: string[] = [];
  #trailerSignature: string | undefined;

  constructor(options: ChunkedOptions) {
    this.#options = options;
    this.#signed = options.signature !== undefined;
    this.#previousSignature = options.signature?.signature ?? '';
  }

  /** Decoded slices of `input`, without copying. */
  push(input: Buffer): Buffer[] {
    const out: Buffer[] = [];
    let at = 0;
    while (at < input.length) {
      if (this.#state === 'done') throw malformed('data after the end of the aws-chunked body');
      if (this.#state === 'data') {
        const slice = input.subarray(at, at + this.#leftBytes);
        at += slice.length;
        this.#leftBytes -= slice.length;
        this.#chunkHash?.update(slice);
        out.push(slice);
        if (this.#leftBytes === 0) this.#state = 'data-end';
        continue;
      }
      const newline = input.indexOf(10, at);
      const end = newline === -1 ? input.length : newline;
      this.#line += input.toString('latin1', at, end);
      if (this.#line.length > MAX_LINE_BYTES) throw malformed('a line of the aws-chunked framing is too long');
      at = end + 1;
      if (newline === -1) break;
      const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line;
      this.#line = '';
      this.#takeLine(line);
    }
    return out;
  }

  /** Call when the body has ended; throws unless it ended where the framing says. */
  end(): void {
    if (this.#state !== 'done') throw new AwsFault('IncompleteBody', 'The request body terminated unexpectedly', 400);
  }

  #takeLine(line: string): void {
    if (this.#state === 'size') return this.#beginChunk(line);
    if (this.#state === 'data-end') {
      if (line !== '') throw malformed('a chunk is longer than its size says');
      this.#verifyChunk();
      this.#state = 'size';
      return;
    }
    if (line !== '') return this.#takeTrailer(line);
    // The documentation's own example has an empty line between the trailers and their signature.
    if (this.#signed && this.#options.trailers && this.#trailerLines.length > 0 && this.#trailerSignature === undefined) return;
    this.#verifyTrailer();
    this.#state = 'done';
  }

  #beginChunk(line: string): void {
    const match = /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line);
    if (!match || (this.#signed && match[2] === undefined)) throw malformed('a chunk header is malformed');
    const sizeBytes = Number.parseInt(match[1] as string, 16);
    this.#chunkNumber++;
    if (sizeBytes > 0 && this.#shortChunkBytes !== undefined) {
      throw new AwsFault('InvalidChunkSizeError', 'Only the last chunk is allowed to have a size less than 8192 bytes', 403, {
        body: { Chunk: String(this.#chunkNumber), BadChunkSize: String(this.#shortChunkBytes) },
      });
    }
    if (sizeBytes < MIN_CHUNK_BYTES) this.#shortChunkBytes = sizeBytes;
    this.#chunkSignature = match[2] ?? '';
    if (this.#signed) this.#chunkHash = createHash('sha256');
    this.#leftBytes = sizeBytes;
    if (sizeBytes > 0) {
      this.#state = 'data';
      return;
    }
    this.#verifyChunk();
    this.#state = 'trailer';
  }

  #takeTrailer(line: string): void {
    const colon = line.indexOf(':');
    if (!this.#options.trailers || colon <= 0) throw malformedTrailer();
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'x-amz-trailer-signature') {
      this.#trailerSignature = value;
      return;
    }
    if (this.trailers.has(name) || this.#trailerLines.length >= 32) throw malformedTrailer();
    this.trailers.set(name, value);
    this.#trailerLines.push(`${name}:${value}\n`);
  }

  #verifyChunk(): void {
    const hash = this.#chunkHash;
    if (!hash) return;
    this.#verify('AWS4-HMAC-SHA256-PAYLOAD', `${EMPTY_SHA256}\n${hash.digest('hex')}`, this.#chunkSignature);
    this.#previousSignature = this.#chunkSignature;
    this.#chunkHash = undefined;
  }

  #verifyTrailer(): void {
    if (!this.#signed || !this.#options.trailers) return;
    const hash = createHash('sha256').update(this.#trailerLines.sort().join('')).digest('hex');
    this.#verify('AWS4-HMAC-SHA256-TRAILER', hash, this.#trailerSignature ?? '');
  }

  #verify(kind: string, payload: string, given: string): void {
    const seed = this.#options.signature as Signature;
    const text = [kind, seed.amzDate, seed.scope, this.#previousSignature, payload].join('\n');
    const wanted = createHmac('sha256', seed.signingKey).update(text).digest();
    const got = Buffer.from(given, 'hex');
    if (got.length !== wanted.length || !timingSafeEqual(got, wanted)) {
      throw new AwsFault('SignatureDoesNotMatch', 'The request signature we calculated does not match the signature you provided. Check your key and signing method.', 403);
    }
  }
}

function malformed(detail: string): AwsFault {
  return new AwsFault('InvalidRequest', `The request body is not valid aws-chunked data: ${detail}`, 400);
}

export function malformedTrailer(): AwsFault {
  return new AwsFault('MalformedTrailerError', 'The request contained trailing data that was not well-formed or did not conform to our published schema.', 400);
}
