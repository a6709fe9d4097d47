// Does: the control surface of the pretend cloud under /_sim/: status, reset, stop, weather, and what actions.ts names.
// Whoever starts the sim holds its token.
// By design: no AWS client ever sees it; a browser cannot use it (foreign Host or any Origin is refused, so a page that
// rebinds its name to loopback gets nowhere).
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { RunctlError } from '../core/errors.ts';
import type { SimAction } from './actions.ts';
import type { Route } from './server.ts';
import type { WeatherInput } from './weather/plan.ts';
import type { Weather } from './weather/weather.ts';

const LARGEST_BODY_BYTES = 1024 * 1024;

export interface SimStatus {
  uptimeMs: number;
  pid: number;
  directory: string;
  isolation: 'network' | 'namespace' | 'process';
  accountId: string;
  regions: string[];
  clock: { worldTime: string; rate: number; aheadMs: number };
  /** How many instances are in each state; terminated ones that can no longer be seen are left out. */
  instances: Record<string, number>;
  meterTotalMicroUsd: number;
  requests: number;
  operations: Record<string, number>;
}

export interface ControlActions {
  token(): string;
  status(): SimStatus;
  reset(): Promise<void>;
  weather: Weather;
  /** POST /_sim/do/NAME. */
  actions: Record<string, SimAction>;
  stop(): void;
}

const ACTION_PREFIX = '/_sim/do/';

export function controlRoute(actions: ControlActions): Route {
  return {
    prefix: '/_sim/',
    async handle(request, response, url) {
      const refusal = refuse(request, actions.token());
      if (refusal) {
        request.resume();
        answer(response, refusal.status, { error: refusal.message });
        return;
      }
      const call = `${request.method ?? ''} ${url.pathname}`;
      if (url.pathname === '/_sim/weather') {
        await answerWeather(request, response, actions.weather, url.searchParams.get('id') ?? undefined);
        return;
      }
      if (url.pathname.startsWith(ACTION_PREFIX)) {
        await answerAction(request, response, actions.actions, url.pathname.slice(ACTION_PREFIX.length));
        return;
      }
      request.resume();
      switch (call) {
        case 'GET /_sim/status':
          answer(response, 200, actions.status());
          return;
        case 'POST /_sim/reset':
          await actions.reset();
          answer(response, 200, { reset: true });
          return;
        case 'POST /_sim/stop':
          response.once('finish', () => actions.stop());
          answer(response, 200, { stopping: true });
          return;
        default:
          answer(response, 404, { error: `no such control call: ${call}` });
      }
    },
  };
}

/** GET: the rules. POST: add one. PUT: these and no others. DELETE: one (?id=) or all. */
async function answerWeather(request: IncomingMessage, response: ServerResponse, weather: Weather, id: string | undefined): Promise<void> {
  const body = await readBody(request);
  await orRefusal(response, () => {
    switch (request.method) {
      case 'GET':
        return answer(response, 200, { rules: weather.list() });
      case 'POST':
        return answer(response, 200, { rules: [weather.add(parseBody(body) as WeatherInput)] });
      case 'PUT':
        return answer(response, 200, { rules: weather.load(parseBody(body) as unknown[]) });
      case 'DELETE':
        return answer(response, 200, { cleared: weather.clear(id) });
      default:
        return answer(response, 404, { error: `no such control call: ${request.method ?? ''} /_sim/weather` });
    }
  });
}

async function answerAction(request: IncomingMessage, response: ServerResponse, actions: Record<string, SimAction>, name: string): Promise<void> {
  const body = await readBody(request);
  const action = request.method === 'POST' && Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (!action) return answer(response, 404, { error: `no such control call: ${request.method ?? ''} ${ACTION_PREFIX}${name}` });
  await orRefusal(response, async () => answer(response, 200, await action(body === '' ? {} : parseBody(body))));
}

/** Whatever is refused is told as RunctlError tells it. */
async function orRefusal(response: ServerResponse, act: () => Promise<void> | void): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof RunctlError)) throw error;
    answer(response, 400, { error: error.message, code: error.code, cause: error.reason, hints: error.hints });
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    sizeBytes += part.length;
    if (sizeBytes <= LARGEST_BODY_BYTES) parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RunctlError('usage', 'what the built-in cloud was told is no JSON', { cause: (error as Error).message, hints: ['runctl sim --help'] });
  }
}

function refuse(request: IncomingMessage, token: string): { status: number; message: string } | undefined {
  if (!/^(?:127\.0\.0\.1|localhost)(?::\d{1,5})?$/.test(request.headers.host ?? '')) return { status: 403, message: 'the Host header must name this loopback server' };
  if (request.headers.origin !== undefined) return { status: 403, message: 'not for web pages' };
  const given = Buffer.from(/^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '');
  const expected = Buffer.from(token);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return { status: 401, message: 'a valid bearer token is needed' };
  return undefined;
}

function answer(response: ServerResponse, status: number, body: object): void {
  const text = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': String(text.length), 'cache-control': 'no-store' });
  response.end(text);
}
