// Does: what weather does to one HTTP exchange: cut it, swallow its answer, let its body crawl, answer with a proxy's page.
// By design: an upload is not slowed byte by byte: its answer comes when so many bytes would have come at that pace.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Met } from './weather.ts';

const SLICES_PER_SECOND = 20;

/** Lets the weather act before the operation; throws its refusals. False: there is nothing left to do. */
export async function endure({ delayMs, end, bytesPerSecond }: Met, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  if (delayMs > 0) await delay(delayMs);
  if (end?.how === 'refuse') throw end.fault;
  if (end?.how === 'reset') cut(request);
  if (end?.how === 'html') webPage(response, end.status);
  if (end?.how === 'lose-reply') swallow(request, response);
  else if (end) return false;
  else if (bytesPerSecond !== undefined) {
    pace(response, bytesPerSecond);
    await crawlIn(request, bytesPerSecond);
  }
  return true;
}

/** As a network does that loses its way: RST where there is TCP. */
export function cut(request: IncomingMessage): void {
  const { socket } = request;
  // Guests without a network come through a unix socket, which knows no reset.
  if (socket.remoteAddress === undefined) socket.destroy();
  else socket.resetAndDestroy();
}

/** From here on nothing of the answer leaves; at its end the connection is cut. */
function swallow(request: IncomingMessage, response: ServerResponse): void {
  const end = (): ServerResponse => {
    cut(request);
    return response;
  };
  Object.assign(response, { writeHead: () => response, write: () => true, flushHeaders: () => undefined, end });
}

/** Let the body of the answer leave at this pace. */
function pace(response: ServerResponse, bytesPerSecond: number): void {
  const write = response.write.bind(response) as (chunk: Buffer) => boolean;
  const end = response.end.bind(response);
  const sliceBytes = Math.max(1, Math.floor(bytesPerSecond / SLICES_PER_SECOND));
  let queue: Promise<void> = Promise.resolve();
  const crawl = async (chunk: Buffer): Promise<void> => {
    for (let at = 0; at < chunk.length && !response.destroyed; at += sliceBytes) {
      const slice = chunk.subarray(at, at + sliceBytes);
      await delay((slice.length / bytesPerSecond) * 1000);
      if (!response.destroyed) write(slice);
    }
  };
  const enqueue = (chunk: unknown): void => {
    if (chunk !== undefined && chunk !== null && typeof chunk !== 'function') {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk as string);
      queue = queue.then(() => crawl(bytes));
    }
  };
  const slowWrite = (chunk: unknown): boolean => {
    enqueue(chunk);
    void queue.then(() => response.emit('drain'));
    return false;
  };
  const slowEnd = (chunk?: unknown): ServerResponse => {
    enqueue(chunk);
    void queue.then(() => (response.destroyed ? undefined : end()));
    return response;
  };
  Object.assign(response, { write: slowWrite, end: slowEnd });
}

/** How long a body of this length takes at this pace. */
async function crawlIn(request: IncomingMessage, bytesPerSecond: number): Promise<void> {
  const bytes = Number(request.headers['content-length'] ?? 0);
  if (bytes > 0) await delay((bytes / bytesPerSecond) * 1000);
}

function webPage(response: ServerResponse, status: number): void {
  const title = status === 503 ? '503 Service Unavailable' : status === 502 ? '502 Bad Gateway' : status === 200 ? 'Welcome' : `${status}`;
  const body = Buffer.from(`<html>\n<head><title>${title}</title></head>\n<body>\n<center><h1>${title}</h1></center>\n<hr><center>proxy</center>\n</body>\n</html>\n`);
  response.writeHead(status, { 'content-type': 'text/html', 'content-length': String(body.length), connection: 'close' });
  response.end(body);
}
