// Does: the control surface of the pretend cloud under /_sim/: status, reset, stop. Whoever starts the sim holds its token.
// By design: no AWS client ever sees it; a browser cannot use it (foreign Host or any Origin is refused, so a page that
// rebinds its name to loopback gets nowhere).
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Route } from './server.ts';

export interface SimStatus {
  uptimeMs: number;
  pid: number;
  directory: string;
  isolation: 'network' | 'namespace' | 'process';
  accountId: string;
  regions: string[];
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
  stop(): void;
}

export function controlRoute(actions: ControlActions): Route {
  return {
    prefix: '/_sim/',
    async handle(request, response, url) {
      const refusal = refuse(request, actions.token());
      request.resume();
      if (refusal) {
        answer(response, refusal.status, { error: refusal.message });
        return;
      }
      const call = `${request.method ?? ''} ${url.pathname}`;
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
