// One door to AWS: `api.ec2('DescribeInstances', input)`. Clients are made when first used, each service in its own lazily
// loaded chunk; every error leaves here translated. Not here: what to do with answers.
import type { Clock } from '../../core/clock.ts';
import {
  anyCredentialSource,
  credentialsMissing,
  endpointFromEnvironment,
  keysFromEnvironment,
  proxyVariable,
  regionFromEnvironment,
  requireUrl,
  wantsInstanceMetadata,
} from './environment.ts';
import type { Env, ServiceName } from './environment.ts';
import { createRetryStrategy, patiently } from './retry.ts';

const LOADERS = {
  ec2: () => import('./sdk/ec2.ts'),
  ssm: () => import('./sdk/ssm.ts'),
  s3: () => import('./sdk/s3.ts'),
  sts: () => import('./sdk/sts.ts'),
  iam: () => import('./sdk/iam.ts'),
  pricing: () => import('./sdk/pricing.ts'),
  quotas: () => import('./sdk/service-quotas.ts'),
} as const;

type Loaded<Service extends ServiceName> = Awaited<ReturnType<(typeof LOADERS)[Service]>>;
type Operations<Service extends ServiceName> = Loaded<Service>['operations'];
type Made<Class> = Class extends abstract new (...input: never[]) => infer Command ? Command : never;
type InputOf<Class> = Made<Class> extends { readonly input: infer Input } ? Input : never;
type OutputOf<Class> = Made<Class> extends { resolveMiddleware(stack: never, configuration: never, options: never): (...input: never[]) => Promise<{ output: infer Output }> } ? Output : never;

export interface CallOptions {
  signal?: AbortSignal;
  /** What the call is about (a machine id, a name); error messages name it. */
  subject?: string;
  /** Where in the region; error messages name it. */
  zone?: string;
  /** Send exactly once: the caller decides about a second try. */
  once?: boolean;
  /** Longest time for one request. Default 30,000. */
  timeoutMs?: number;
  /** Another region than the provider's (a bucket's own). */
  region?: string;
}

type Call<Service extends ServiceName> = <Name extends keyof Operations<Service> & string>(
  operation: Name,
  input: InputOf<Operations<Service>[Name]>,
  options?: CallOptions,
) => Promise<OutputOf<Operations<Service>[Name]>>;

export type AwsApi = { [Service in ServiceName]: Call<Service> } & {
  readonly clock: Clock;
  readonly env: Env;
  /** Load a service's client now; otherwise its first call does. */
  preload(service: ServiceName): Promise<void>;
  /** The region in use; throws region-missing. */
  region(): Promise<string>;
  /** A URL that does one thing to one object without credentials. */
  presign(verb: 'get' | 'put', bucket: string, key: string, expiresS: number, region: string): Promise<string>;
  close(): void;
};

export interface AwsApiOptions {
  region?: string;
  /** Pauses between the tries of one call are slept on it too. */
  clock: Clock;
  env: Env;
}

/** The little that is used of a client, whichever service it is for. */
interface AnyClient {
  send(command: unknown, options: { abortSignal?: AbortSignal; requestTimeout?: number }): Promise<unknown>;
  destroy(): void;
  middlewareStack: { add(middleware: unknown, options: { name: string; step: string; priority: string }): void };
  config: { region(): Promise<string>; requestHandler: unknown };
}
interface AnyModule {
  Client: new (configuration: Record<string, unknown>) => AnyClient;
  operations: Record<string, new (input: unknown) => unknown>;
}

const REQUEST_TIMEOUT_MS = 30_000;
/** The Price List API answers in three regions only. */
const FIXED_REGION: Partial<Record<ServiceName, string>> = { pricing: 'us-east-1' };

export function createAwsApi(options: AwsApiOptions): AwsApi {
  const { env } = options;
  const named = regionFromEnvironment(options.region, env);
  const clients = new Map<string, AnyClient>();
  const retryStrategy = createRetryStrategy(options.clock);
  const attempts = attemptsOf(env);
  let sharedHandler: unknown;

  async function load(service: ServiceName): Promise<AnyModule> {
    if (!anyCredentialSource(env)) {
      throw credentialsMissing('neither keys in the environment, nor ~/.aws/credentials or ~/.aws/config, nor a container or web identity');
    }
    quietSdk(env);
    return (await LOADERS[service]()) as unknown as AnyModule;
  }

  function clientOf(service: ServiceName, module: AnyModule, call: CallOptions): AnyClient {
    const region = call.region ?? FIXED_REGION[service] ?? named?.region;
    const key = `${service} ${region ?? ''}`;
    let client = clients.get(key);
    if (!client) {
      const endpoint = requireUrl(endpointFromEnvironment(service, env));
      const credentials = keysFromEnvironment(env);
      client = new module.Client({
        customUserAgent: 'runctl',
        maxAttempts: attempts,
        retryStrategy,
        // Services on one endpoint share its kept-alive connections.
        requestHandler: sharedHandler ?? { connectionTimeout: 5_000, requestTimeout: REQUEST_TIMEOUT_MS, throwOnRequestTimeout: true },
        ...(region ? { region } : {}),
        ...(endpoint ? { endpoint } : {}),
        ...(credentials ? { credentials } : {}),
        ...(env.AWS_PROFILE ? { profile: env.AWS_PROFILE } : {}),
        // With the default, a presigned PUT carries the checksum of an empty body, which some stores enforce.
        ...(service === 's3' ? { requestChecksumCalculation: 'WHEN_REQUIRED', forcePathStyle: Boolean(endpoint) } : {}),
      });
      client.middlewareStack.add(refuseWebPages, { name: 'refuseWebPages', step: 'deserialize', priority: 'low' });
      sharedHandler ??= client.config.requestHandler;
      clients.set(key, client);
    }
    return client;
  }

  async function translated<T>(service: ServiceName, operation: string, call: CallOptions, work: () => Promise<T>): Promise<T> {
    call.signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (call.signal?.aborted) throw call.signal.reason;
      const { translateAwsError } = await import('./translate.ts');
      throw translateAwsError(error, { service, operation, subject: call.subject, zone: call.zone, region: call.region ?? named?.region, endpoint: endpointFromEnvironment(service, env), proxy: proxyVariable(env) });
    }
  }

  function caller<Service extends ServiceName>(service: Service): Call<Service> {
    const send = (operation: string, input: unknown, call: CallOptions = {}): Promise<unknown> =>
      translated(service, operation, call, async () => {
        const module = await load(service);
        const Command = module.operations[operation];
        if (!Command) throw new TypeError(`sdk/${service}.ts lacks ${operation}`);
        const client = clientOf(service, module, call);
        return patiently({ signal: call.signal, attempts: call.once ? 1 : attempts }, () =>
          client.send(new Command(input), {
            ...(call.signal ? { abortSignal: call.signal } : {}),
            requestTimeout: call.timeoutMs ?? REQUEST_TIMEOUT_MS,
          }),
        );
      });
    return send as Call<Service>;
  }

  return {
    clock: options.clock,
    env,
    ec2: caller('ec2'),
    ssm: caller('ssm'),
    s3: caller('s3'),
    sts: caller('sts'),
    iam: caller('iam'),
    pricing: caller('pricing'),
    quotas: caller('quotas'),
    async preload(service) {
      await translated(service, 'configuration', {}, () => load(service));
    },
    async region() {
      if (named) return named.region;
      return translated('ec2', 'configuration', {}, async () => clientOf('ec2', await load('ec2'), {}).config.region());
    },
    presign(verb, bucket, key, expiresS, region) {
      return translated('s3', verb === 'get' ? 'GetObject' : 'PutObject', { subject: bucket, region }, async () => {
        const module = await load('s3');
        const client = clientOf('s3', module, { region }) as never;
        const { signGet, signPut } = module as unknown as Loaded<'s3'>;
        return verb === 'get' ? signGet(client, bucket, key, expiresS) : signPut(client, bucket, key, expiresS);
      });
    },
    close() {
      for (const client of clients.values()) client.destroy();
      clients.clear();
      sharedHandler = undefined;
    },
  };
}

type Answered = { response: { statusCode: number; headers: Record<string, string> } };

/** The SDK reads a well-formed web page as an answer without content: a login page of a network would mean "no such machine". */
const refuseWebPages = (next: (request: unknown) => Promise<Answered>) => async (request: unknown): Promise<Answered> => {
  const answer = await next(request);
  const { statusCode, headers } = answer.response;
  if (statusCode >= 300 || !/^text\/html/i.test(headers['content-type'] ?? '')) return answer;
  throw Object.assign(new Error('a web page'), { $response: answer.response, $metadata: { httpStatusCode: statusCode } });
};

/** How often a request is sent before its failure is believed; the AWS tools' own variable goes before our number. */
function attemptsOf(env: Env): number {
  const wanted = Number(env.AWS_MAX_ATTEMPTS);
  return Number.isInteger(wanted) && wanted > 0 ? wanted : 5;
}

/** The SDK looks at the process's own environment for these two; there is no option for either. */
function quietSdk(env: Env): void {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  process.env.AWS_EC2_METADATA_DISABLED ??= wantsInstanceMetadata(env) ? 'false' : 'true';
}
