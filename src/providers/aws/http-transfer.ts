// One file to or from one URL by plain HTTP, streamed, with progress and a few tries. Why not the SDK: several times slower per
// byte, and a stream that failed cannot be sent again. The URL is a secret: no error of this file repeats it.
import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../core/clock.ts';
import { RunctlError } from '../../core/errors.ts';

const ATTEMPTS = 4;
const IDLE_TIMEOUT_MS = 30_000;
/** S3's most for a single PUT. */
const MOST_BYTES = 5 * 1024 ** 3;

export interface TransferOptions {
  clock: Clock;
  /** For messages: s3://bucket/key. */
  name: string;
  onProgress?: (doneBytes: number) => void;
  signal?: AbortSignal;
}

export async function uploadFile(url: () => Promise<string>, file: string, options: TransferOptions): Promise<void> {
  const { size } = await stat(file);
  if (size > MOST_BYTES) throw new RunctlError('sync-failed', `${file} is larger than 5 GiB, the most for one upload`, { cause: 'S3 takes single PUTs up to 5 GiB', hints: [`aws s3 cp ${file} ${options.name}`] });
  await tries(options, async () => {
    const answer = await exchange(await url(), 'PUT', { 'content-length': String(size) }, options.signal, async (request) => {
      await pipeline(createReadStream(file), counter(options.onProgress), request, options.signal ? { signal: options.signal } : {});
    });
    await refuse(answer, options.name);
    answer.resume();
  });
}

export async function downloadFile(url: () => Promise<string>, file: string, options: TransferOptions): Promise<void> {
  const partial = `${file}.${randomBytes(4).toString('hex')}.part`;
  try {
    await tries(options, async () => {
      const answer = await exchange(await url(), 'GET', {}, options.signal, async (request) => {
        request.end();
      });
      await refuse(answer, options.name);
      const expected = answer.headers['content-length'];
      let doneBytes = 0;
      await pipeline(
        answer,
        counter((bytes) => {
          doneBytes = bytes;
          options.onProgress?.(bytes);
        }),
        createWriteStream(partial),
        options.signal ? { signal: options.signal } : {},
      );
      if (expected !== undefined && Number(expected) !== doneBytes) throw new TransientTransfer(`${doneBytes} of ${expected} bytes arrived`);
    });
    await rename(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
}

/** Worth another try. */
class TransientTransfer extends Error {}

async function tries(options: TransferOptions, work: () => Promise<void>): Promise<void> {
  for (let attempt = 1, pauseMs = 300; ; attempt += 1, pauseMs *= 3) {
    options.signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (options.signal?.aborted) throw options.signal.reason;
      const transient = error instanceof TransientTransfer || isSocketError(error);
      if (!transient) throw error;
      if (attempt >= ATTEMPTS) {
        throw new RunctlError('endpoint-unreachable', `the transfer of ${options.name} failed ${ATTEMPTS} times`, { cause: (error as Error).message, hints: ['runctl doctor'] });
      }
      await options.clock.sleep(pauseMs, options.signal);
    }
  }
}

const isSocketError = (error: unknown): boolean => {
  const code = (error as { code?: string }).code ?? '';
  return ['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ERR_STREAM_PREMATURE_CLOSE'].includes(code);
};

function exchange(url: string, method: string, headers: Record<string, string>, signal: AbortSignal | undefined, write: (request: ReturnType<typeof httpRequest>) => Promise<void>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const start = url.startsWith('https:') ? httpsRequest : httpRequest;
    const request = start(url, { method, headers, timeout: IDLE_TIMEOUT_MS, ...(signal ? { signal } : {}) });
    request.on('timeout', () => request.destroy(new TransientTransfer(`nothing moved for ${IDLE_TIMEOUT_MS / 1000} s`)));
    request.on('response', resolve);
    request.on('error', reject);
    // An early refusal ends the upload; the answer tells more than the broken pipe, so give it a moment to arrive.
    write(request).catch((error: unknown) => setImmediate(() => reject(error)));
  });
}

async function refuse(answer: IncomingMessage, name: string): Promise<void> {
  const status = answer.statusCode ?? 0;
  if (status >= 200 && status < 300) return;
  let body = '';
  for await (const chunk of answer) {
    if (body.length < 4_096) body += String(chunk);
  }
  const code = /<Code>([^<]*)<\/Code>/.exec(body)?.[1];
  const message = /<Message>([^<]*)<\/Message>/.exec(body)?.[1];
  const cause = `HTTP ${status}${code ? ` ${code}` : ''}${message ? `: ${message}` : ''}`;
  if (status >= 500 || status === 429 || status === 409 || code === 'RequestTimeout') throw new TransientTransfer(cause);
  const bucket = name.split('/')[2] ?? name;
  if (code === 'NoSuchBucket') throw new RunctlError('bucket-missing', `no bucket ${bucket}`, { cause, hints: [`aws s3 mb s3://${bucket}`] });
  if (status === 404) throw new RunctlError('not-found', `no object ${name}`, { cause, hints: [`aws s3 ls s3://${bucket}/`] });
  if (status === 403) throw new RunctlError('bucket-forbidden', `these credentials may not use ${name}`, { cause, hints: [`aws s3 ls s3://${bucket}/`, 'runctl aws policy'] });
  throw new RunctlError('cloud-refused', `S3 refused ${name}`, { cause, hints: ['runctl doctor'] });
}

function counter(onProgress: ((doneBytes: number) => void) | undefined): Transform {
  let doneBytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      doneBytes += chunk.length;
      onProgress?.(doneBytes);
      done(null, chunk);
    },
  });
}
