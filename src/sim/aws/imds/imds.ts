// Does: the instance metadata service, versions 1 and 2, of one instance; the machine host gives it a way in.
// Gaps: the hop limit is not enforced; IPv6; token and document of /latest/dynamic/instance-identity/{pkcs7,signature,rsa2048}.
// By design: bound to the instance by the socket that the request comes through, not by an address it could claim.
// Source: EC2 User Guide "Use the Instance Metadata Service to access instance metadata" (token rules, response codes).
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { ec2Tables } from '../ec2/rows.ts';
import { lookUp, metadataOf } from './metadata.ts';
import type { MetadataWorld } from './role-credentials.ts';
import { makeToken, tokenExpiry } from './token.ts';

const TTL_HEADER = 'x-aws-ec2-metadata-token-ttl-seconds';
const TOKEN_HEADER = 'x-aws-ec2-metadata-token';
const LONGEST_TTL_S = 21_600;
const VERSION = /^\/(latest|1\.0|\d{4}-\d\d-\d\d)(?:\/(.*))?$/;
const VERSIONS = ['1.0', '2021-03-23', '2021-07-15', '2022-09-24', '2024-04-11', 'latest'];
const TITLES: Record<number, string> = { 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed' };

export function metadataService(cloud: MetadataWorld, instanceId: string): RequestListener {
  return (request, response) => {
    request.resume();
    answer(cloud, instanceId, request, response);
  };
}

function answer(cloud: MetadataWorld, instanceId: string, request: IncomingMessage, response: ServerResponse): void {
  const row = ec2Tables(cloud.world).instances.get(instanceId);
  if (!row) return refuse(response, 404);
  if (row.metadata.httpEndpoint === 'disabled') return refuse(response, 403);
  const path = decodeURIComponent(new URL(request.url ?? '/', 'http://169.254.169.254').pathname).replace(/\/{2,}/g, '/');
  if (request.method === 'PUT') return giveToken(cloud, instanceId, path, request, response);
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405);
  const now = cloud.clock.now();
  const token = request.headers[TOKEN_HEADER];
  const headers: Record<string, string> = {};
  if (token !== undefined || row.metadata.httpTokens === 'required') {
    const expiresAt = typeof token === 'string' ? tokenExpiry(cloud.world, instanceId, token, now) : undefined;
    if (expiresAt === undefined) return refuse(response, 401);
    headers[TTL_HEADER] = String(Math.floor((expiresAt - now) / 1000));
  }
  if (path === '/') return give(response, VERSIONS.join('\n'), headers);
  const [, version, rest = ''] = VERSION.exec(path) ?? [];
  if (version === undefined) return refuse(response, 404);
  if (rest === 'api/token') return refuse(response, 405);
  const text = lookUp(metadataOf(cloud, row), rest);
  if (text === undefined) return refuse(response, 404);
  give(response, text, headers);
}

function giveToken(cloud: MetadataWorld, instanceId: string, path: string, request: IncomingMessage, response: ServerResponse): void {
  if (!/^\/[^/]+\/api\/token$/.test(path)) return refuse(response, 404);
  // A request that was forwarded did not come from the instance; a path of a version is refused as well.
  if (request.headers['x-forwarded-for'] !== undefined || !path.startsWith('/latest/')) return refuse(response, 403);
  const wanted = request.headers[TTL_HEADER];
  const ttlS = typeof wanted === 'string' && /^\d{1,5}$/.test(wanted.trim()) ? Number(wanted) : 0;
  if (ttlS < 1 || ttlS > LONGEST_TTL_S) return refuse(response, 400);
  give(response, makeToken(cloud.world, instanceId, cloud.clock.now() + ttlS * 1000), { [TTL_HEADER]: String(ttlS) });
}

function give(response: ServerResponse, text: string, headers: Record<string, string>): void {
  response.writeHead(200, { server: 'EC2ws', 'content-type': 'text/plain', 'content-length': Buffer.byteLength(text), ...headers });
  response.end(text);
}

function refuse(response: ServerResponse, status: number): void {
  const title = `${status} - ${TITLES[status] ?? 'Error'}`;
  const body = `<?xml version="1.0" encoding="iso-8859-1"?>\n<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n <head>\n  <title>${title}</title>\n </head>\n <body>\n  <h1>${title}</h1>\n </body>\n</html>\n`;
  response.writeHead(status, { server: 'EC2ws', 'content-type': 'text/html', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
