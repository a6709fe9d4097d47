// Does: the one HTTP server of the pretend cloud, on loopback TCP and, where asked, on a unix socket for guests without a network.
// It finds the service, checks the signature, takes the protocol off and puts it on again, and counts the calls.
// Gaps: no TLS, no HTTP/2, no virtual-host style S3 addressing (path style only).
// By design: Date headers are real, and so are signature times, but that machines may sign with world time; the dial's latency applies to control-plane calls, not to object data.
// Source: Smithy protocol pages for EC2 query, AWS query and AWS JSON 1.1; IAM User Guide on Signature Version 4.
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cloud } from './cloud.ts';
import { findRegion, REGIONS } from './data/regions.ts';
import { AwsFault } from './wire/call.ts';
import type { CallContext, QueryParams, Service, Signature } from './wire/call.ts';
import type { Claim, SignatureFault, SignedRequest } from './wire/claim.ts';
import { credentialTable } from './wire/credentials.ts';
import { internalFault, missingToken, renderFault, signatureFault, unknownOperation } from './wire/faults.ts';
import type { Dialect, Reply } from './wire/faults.ts';
import { identify, isForm } from './wire/identify.ts';
import type { Address } from './wire/identify.ts';
import { parseQuery } from './wire/query.ts';
import { describeCall, describeS3Call } from './weather/match.ts';
import type { WireCall } from './weather/match.ts';
import type { Met, Weather } from './weather/weather.ts';
import { cut, endure } from './weather/wire.ts';
import { headerValues, isFault, readClaim, verify } from './wire/sigv4.ts';
import { XML_DECLARATION, renderXml } from './wire/xml.ts';

/** Paths that are no AWS call: the control surface, an instance's metadata. The handler answers everything under the prefix. */
export interface Route {
  prefix: string;
  handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void>;
}

export interface ServerParts {
  cloud: Cloud;
  services: Service[];
  routes: Route[];
  weather: Pick<Weather, 'meet' | 'skewMs'>;
  /** Control-plane calls changed the world: make it durable before the answer leaves. */
  settle(): void;
  /** Told of bugs: errors that are no AwsFault. */
  log(line: string): void;
}

export interface SimServer {
  readonly port: number;
  /** `service.Operation` to the number of calls since the start, failed ones included. */
  readonly calls: Map<string, number>;
  /** From here on requests are answered; those that came before have waited. */
  open(parts: ServerParts): void;
  close(): Promise<void>;
}

/** SSM's largest document is 64 KB and user data 16 KB; nothing on the control plane comes near this. */
const LARGEST_BODY_BYTES = 4 * 1024 * 1024;
/** Services whose calls must name a region that exists. */
const REGIONAL = new Set(['ec2', 'ssm', 'servicequotas']);
const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';

export async function startServer(options: { port: number; socketPath?: string }): Promise<SimServer> {
  const calls = new Map<string, number>();
  let opened: (parts: ServerParts) => void = () => undefined;
  const ready = new Promise<ServerParts>((resolve) => {
    opened = resolve;
  });
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    void ready.then((parts) => new Exchange(parts, calls, request, response).run());
  };
  const servers: Server[] = [];
  const listen = async (where: { port: number; host: string } | { path: string }): Promise<Server> => {
    // Uploads may take long and clients keep connections open between calls.
    const server = createServer({ keepAliveTimeout: 65_000, requestTimeout: 0 }, listener);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(where, () => {
        server.off('error', reject);
        resolve();
      });
    });
    servers.push(server);
    return server;
  };
  const tcp = await listen({ port: options.port, host: '127.0.0.1' });
  if (options.socketPath !== undefined) {
    rmSync(options.socketPath, { force: true });
    await listen({ path: options.socketPath });
  }
  return {
    port: (tcp.address() as AddressInfo).port,
    calls,
    open: (parts) => opened(parts),
    async close() {
      await Promise.all(
        servers.map(
          (server) =>
            new Promise<void>((resolve) => {
              server.close(() => resolve());
              server.closeAllConnections();
            }),
        ),
      );
    },
  };
}

class Exchange {
  readonly #parts: ServerParts;
  readonly #calls: Map<string, number>;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #requestId = randomUUID();
  readonly #hostId = randomBytes(48).toString('base64');
  #dialect: Dialect = 'rest';
  #service = 's3';
  /** How far this exchange's idea of the time is ahead. */
  #skewMs = 0;

  constructor(parts: ServerParts, calls: Map<string, number>, request: IncomingMessage, response: ServerResponse) {
    this.#parts = parts;
    this.#calls = calls;
    this.#request = request;
    this.#response = response;
  }

  async run(): Promise<void> {
    try {
      const target = this.#request.url ?? '/';
      const url = parseTarget(target);
      const route = this.#parts.routes.find(({ prefix }) => url.pathname.startsWith(prefix));
      if (route) await route.handle(this.#request, this.#response, url);
      else await this.#call(url);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    let fault: AwsFault;
    if (error instanceof AwsFault) {
      fault = error;
    } else {
      // A client that went away in the middle is its own affair; anything else is a bug here.
      if ((this.#request.destroyed && !this.#request.complete) || this.#request.socket.destroyed) return;
      this.#parts.log(`bug while answering ${this.#service}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      fault = internalFault(this.#dialect);
    }
    if (this.#response.headersSent) {
      this.#response.destroy();
      return;
    }
    this.#send(renderFault(this.#dialect, this.#service, fault, this.#requestId, this.#hostId));
  }

  #send(reply: Reply): void {
    const body = Buffer.from(reply.body);
    this.#response.writeHead(reply.status, { ...this.#idHeaders(), ...reply.headers, 'content-length': String(body.length) });
    this.#response.end(this.#request.method === 'HEAD' ? undefined : body);
  }

  #idHeaders(): Record<string, string> {
    return this.#dialect === 'rest'
      ? { 'x-amz-request-id': this.#requestId, 'x-amz-id-2': this.#hostId }
      : { 'x-amzn-requestid': this.#requestId };
  }

  async #call(url: URL): Promise<void> {
    const { headers } = this.#request;
    const signed: SignedRequest = { method: this.#request.method ?? 'GET', target: this.#request.url ?? '/', rawHeaders: this.#request.rawHeaders };
    const claim = readClaim(signed);
    const form = isForm(headers['content-type']);
    const target = headerValues(signed.rawHeaders, 'x-amz-target')[0];
    const goodClaim = claim !== undefined && !isFault(claim) ? claim : undefined;
    // An unsigned form has to be read before anyone can tell which service it is for.
    const early = goodClaim === undefined && form ? await this.#body() : undefined;
    const address = identify(this.#parts.services, {
      scopeService: goodClaim?.service,
      target,
      contentType: headers['content-type'],
      version: (early && new URLSearchParams(early.toString('utf8')).get('Version')) ?? url.searchParams.get('Version') ?? undefined,
    });
    this.#dialect = address.dialect;
    this.#service = address.name;
    if (claim === undefined) throw missingToken(address.dialect);
    if (isFault(claim)) throw this.#signatureFault(claim, '');
    if (address.service?.protocol === 'rest') {
      await this.#rest(address.service, claim, signed, url);
      return;
    }
    const body = await this.#body();
    const isJson = address.dialect === 'json';
    const query = isJson ? '' : body.length > 0 ? body.toString('utf8') : url.search.slice(1);
    const operation = (isJson ? address.targetOperation : new URLSearchParams(query).get('Action')) ?? '';
    this.#skew(describeCall(address.name, operation, {}, this.#principal(claim)));
    this.#verify(signed, claim, this.#payloadHash(body, claim));
    await this.#controlPlane(address, operation, this.#context(claim), isJson ? body : parseQuery(query), url);
  }

  #context(claim: Claim): CallContext {
    const { cloud } = this.#parts;
    return { cloud, region: claim.region, accountId: cloud.world.accountId, accessKeyId: claim.accessKeyId, requestId: this.#requestId };
  }

  #verify(signed: SignedRequest, claim: Claim, payloadHash: string): Signature {
    const credential = credentialTable(this.#parts.cloud.world).get(claim.accessKeyId);
    const at = (nowMs: number): Signature | SignatureFault => verify(signed, claim, credential, payloadHash, nowMs + this.#skewMs);
    const real = at(Date.now());
    // Processes of machines sign with the time that they live in, everybody else with that of this computer.
    const found = 'kind' in real && real.kind === 'skewed' ? at(this.#parts.cloud.clock.now()) : real;
    if ('kind' in found) throw this.#signatureFault(found, claim.accessKeyId);
    return found;
  }

  #signatureFault(fault: Parameters<typeof signatureFault>[0], accessKeyId: string): AwsFault {
    return signatureFault(fault, this.#dialect, accessKeyId, Date.now() + this.#skewMs);
  }

  #principal(claim: Claim): string | undefined {
    return credentialTable(this.#parts.cloud.world).get(claim.accessKeyId)?.principalArn;
  }

  #skew(call: WireCall): void {
    this.#skewMs = this.#parts.weather.skewMs(call);
    if (this.#skewMs !== 0) this.#response.setHeader('date', new Date(Date.now() + this.#skewMs).toUTCString());
  }

  /** What the weather does to a call before it is carried out. Undefined: the exchange is over. */
  async #weather(call: WireCall, who: { accessKeyId: string; principalArn: string }): Promise<Met | undefined> {
    const met = this.#parts.weather.meet(call, this.#dialect, who);
    return (await endure(met, this.#request, this.#response)) ? met : undefined;
  }

  /** The hash that the client signed must be that of the body which came. */
  #payloadHash(body: Buffer, claim: Claim): string {
    const actual = createHash('sha256').update(body).digest('hex');
    const declared = headerValues(this.#request.rawHeaders, 'x-amz-content-sha256')[0];
    if (declared !== undefined && declared !== actual && declared !== UNSIGNED_PAYLOAD) {
      throw this.#signatureFault({ kind: 'mismatch', canonicalRequest: '', stringToSign: '' }, claim.accessKeyId);
    }
    return declared ?? actual;
  }

  async #rest(service: Extract<Service, { protocol: 'rest' }>, claim: Claim, signed: SignedRequest, url: URL): Promise<void> {
    const declared = headerValues(signed.rawHeaders, 'x-amz-content-sha256')[0] ?? url.searchParams.get('X-Amz-Content-Sha256') ?? undefined;
    if (declared === undefined && !claim.presigned) {
      throw new AwsFault('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
    }
    const principalArn = this.#principal(claim) ?? '';
    const call = describeS3Call(this.#request, principalArn);
    this.#skew(call);
    const signature = this.#verify(signed, claim, declared ?? UNSIGNED_PAYLOAD);
    this.#count(...(call.operation.split('.') as [string, string]));
    for (const [name, value] of Object.entries(this.#idHeaders())) this.#response.setHeader(name, value);
    const met = await this.#weather(call, { accessKeyId: claim.accessKeyId, principalArn });
    if (!met) return;
    await service.handle(this.#request, this.#response, { ...this.#context(claim), url, presigned: claim.presigned, signature, bucketRegion: met.bucketRegion });
    if (met.end) cut(this.#request);
    met.done('');
  }

  /** `input`: the JSON body as it came, or the query's parameters. */
  async #controlPlane(address: Address, operation: string, context: CallContext, input: Buffer | QueryParams, url: URL): Promise<void> {
    const { service } = address;
    const { cloud } = this.#parts;
    const isJson = address.dialect === 'json';
    this.#count(address.name, operation);
    if (cloud.dial.latencyMs > 0) await delay(cloud.dial.latencyMs);
    if (!service || service.protocol === 'rest') throw unknownOperation(address.dialect, address.name, operation || url.pathname);
    if (operation === '') throw isJson ? unknownOperation('json', address.name, '(none)') : new AwsFault('MissingAction', 'The request must contain the parameter Action');
    if (REGIONAL.has(service.name) && !findRegion(context.region)) {
      throw new AwsFault('OptInRequired', `This pretend cloud has no region '${context.region}'; it has ${REGIONS.map(({ name }) => name).join(', ')}.`, 403);
    }
    if (!Object.hasOwn(service.operations, operation)) throw unknownOperation(address.dialect, address.name, operation);
    const fields = Buffer.isBuffer(input) ? parseJson(input) : input;
    const principalArn = credentialTable(cloud.world).get(context.accessKeyId)?.principalArn ?? '';
    const met = await this.#weather(describeCall(address.name, operation, fields, principalArn), { accessKeyId: context.accessKeyId, principalArn });
    if (!met) return;
    if (service.protocol === 'json') {
      const result = service.operations[operation]?.(fields, context);
      // Without a pause where there is none to wait for: what the weather does follows the operation at once.
      const answer = JSON.stringify((result instanceof Promise ? await result : result) ?? {});
      met.done(answer);
      this.#parts.settle();
      this.#send({ status: 200, headers: { 'content-type': 'application/x-amz-json-1.1' }, body: answer });
      return;
    }
    const inside = renderXml(await service.operations[operation]?.(fields as QueryParams, context));
    met.done(inside);
    this.#parts.settle();
    const wrapped =
      service.protocol === 'ec2'
        ? `<requestId>${this.#requestId}</requestId>${inside}`
        : `<${operation}Result>${inside}</${operation}Result><ResponseMetadata><RequestId>${this.#requestId}</RequestId></ResponseMetadata>`;
    this.#send({
      status: 200,
      headers: { 'content-type': service.protocol === 'ec2' ? 'text/xml;charset=UTF-8' : 'text/xml' },
      body: `${XML_DECLARATION}<${operation}Response xmlns="${service.xmlns}">${wrapped}</${operation}Response>`,
    });
  }

  #count(service: string, operation: string): void {
    // Only names that can be operations: a client must not be able to fill memory with made-up ones.
    const key = `${service}.${/^[A-Za-z0-9]{1,64}$/.test(operation) ? operation : '(other)'}`.slice(0, 128);
    if (this.#calls.has(key) || this.#calls.size < 1000) this.#calls.set(key, (this.#calls.get(key) ?? 0) + 1);
  }

  #gathered: Buffer | undefined;

  async #body(): Promise<Buffer> {
    if (this.#gathered) return this.#gathered;
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    for await (const chunk of this.#request as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > LARGEST_BODY_BYTES) throw new AwsFault('RequestEntityTooLarge', `The request body is larger than ${LARGEST_BODY_BYTES} bytes.`, 413);
      chunks.push(chunk);
    }
    this.#gathered = Buffer.concat(chunks);
    return this.#gathered;
  }
}

function parseTarget(target: string): URL {
  try {
    return new URL(target.startsWith('/') ? `http://127.0.0.1${target}` : target);
  } catch {
    throw new AwsFault('InvalidURI', "Couldn't parse the specified URI.");
  }
}

function parseJson(body: Buffer): Record<string, unknown> {
  if (body.length === 0) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new AwsFault('SerializationException', `The request body is not JSON: ${(error as Error).message}`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new AwsFault('SerializationException', 'Start of structure or map found where not expected.');
  return parsed as Record<string, unknown>;
}
