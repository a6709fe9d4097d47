// Answers of AWS that are asked for several times within one purchase: the checks, the list of pools and the plan of each pool want
// the same facts. Only looking is remembered, never a change, never a failure, and nothing for long.
import type { AwsApi, CallOptions } from './clients.ts';
import type { ServiceName } from './environment.ts';

/** As long as one purchase takes from its checks to its launch. */
const FRESH_MS = 60_000;
/** EC2 allows few scores a day, and they change slowly (EC2 User Guide, "Spot placement score": limitations). */
const LASTS_MS: Record<string, number> = { GetSpotPlacementScores: 600_000 };

export interface AnswerMemory {
  /** Like the one it was made from, but it remembers. */
  readonly api: AwsApi;
  /** Ask anew the next time. */
  forget(operation: string): void;
  /** A new purchase begins: ask everything anew but what lasts. */
  renew(): void;
  /** An answer that a larger question brought along. */
  learn(service: ServiceName, operation: string, input: object, answer: object): void;
}

type AnyCall = (operation: string, input: object, options?: CallOptions) => Promise<unknown>;

export function createAnswerMemory(api: AwsApi): AnswerMemory {
  const answers = new Map<string, { at: number; answer: Promise<unknown> }>();
  // A moment in a question ("from now on") makes it no other question.
  const keyOf = (service: ServiceName, operation: string, input: object, region?: string): string =>
    `${operation} ${service} ${region ?? ''} ${JSON.stringify(input, (name, value: unknown) => (name === 'StartTime' ? undefined : value))}`;

  const keep = (key: string, answer: Promise<unknown>): void => {
    answers.set(key, { at: api.clock.monotonic(), answer });
    answer.catch(() => {
      if (answers.get(key)?.answer === answer) answers.delete(key);
    });
  };

  const remembering = (service: ServiceName): AnyCall => {
    const ask = api[service] as unknown as AnyCall;
    return async (operation, input, options) => {
      if (!/^(Describe|Get|List)/.test(operation)) return ask(operation, input, options);
      options?.signal?.throwIfAborted();
      const key = keyOf(service, operation, input, options?.region);
      const known = answers.get(key);
      if (known && api.clock.monotonic() - known.at < (LASTS_MS[operation] ?? FRESH_MS)) return known.answer;
      const answer = ask(operation, input, options);
      keep(key, answer);
      return answer;
    };
  };

  const services: ServiceName[] = ['ec2', 'ssm', 's3', 'sts', 'iam', 'pricing', 'quotas'];
  return {
    api: { ...api, ...Object.fromEntries(services.map((service) => [service, remembering(service)])) } as AwsApi,
    forget(operation) {
      for (const key of answers.keys()) if (key.startsWith(`${operation} `)) answers.delete(key);
    },
    renew() {
      for (const key of answers.keys()) if (LASTS_MS[key.split(' ')[0] as string] === undefined) answers.delete(key);
    },
    learn: (service, operation, input, answer) => keep(keyOf(service, operation, input), Promise.resolve(answer)),
  };
}
