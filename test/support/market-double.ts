// A provider that sells machines, doubled at its port: every place answers as the test says, and what was asked is remembered.
import type { Machine, MachinePlan, Market, Pool } from '../../src/core/machine.ts';
import type { Provider } from '../../src/core/ports.ts';
import { RunctlError } from '../../src/core/errors.ts';

export interface Asked {
  token: string;
  market: Market;
  type: string;
  zone?: string;
  /** Of the clock, at which it was asked. */
  atMs: number;
}

export interface MarketDouble {
  provider: Provider;
  creates: Asked[];
  plans: MachinePlan[];
  withdrawn: string[];
  terminated: string[];
  /** Machines that exist, by token. */
  made: Map<string, Machine>;
  /** A machine comes to be for this token, whatever its buyer was told. */
  make(plan: MachinePlan, token: string, more?: Partial<Machine>): Machine;
}

export interface MarketOptions {
  /** Micro-dollars an hour by `zone/type`; its keys are the places, best first. */
  pools?: Record<string, number> | (() => Record<string, number>);
  onDemand?: Record<string, number>;
  /** What a launch ends in: a machine when it returns undefined. */
  answer?: (asked: Asked, nth: number, market: MarketDouble, plan: MachinePlan, signal: AbortSignal | undefined) => Promise<undefined | Error | Machine> | undefined | Error | Machine;
  planError?: (market: Market, type: string, zone: string | undefined) => Error | undefined;
  nowMs?: () => number;
}

export const refused = {
  capacity: () => new RunctlError('capacity', 'no capacity for it now', { hints: ['runctl aws create g5.xlarge'], data: { operation: 'RunInstances', awsCode: 'InsufficientInstanceCapacity', awsMessage: 'There is no Spot capacity available that matches your request.' } }),
  price: () => new RunctlError('capacity', 'spot costs more than is to be paid', { hints: ['--spot-max-price 0.5'], data: { refusal: 'price', awsCode: 'SpotMaxPriceTooLow', awsMessage: 'Your Spot request price of 0.1 is lower than the minimum required Spot request fulfillment price of 0.3.' } }),
  quota: () => new RunctlError('quota', "the account's quota of spot vCPUs is used up in us-east-1", { hints: ['aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-3819A6DF --desired-value 8'], data: { awsCode: 'MaxSpotInstanceCountExceeded', awsMessage: 'Max spot instance count exceeded' } }),
  throttled: () => new RunctlError('throttled', 'ec2 asks for fewer requests', { hints: ['sleep 30'], data: { awsCode: 'RequestLimitExceeded', awsMessage: 'Request limit exceeded.' } }),
  permission: () => new RunctlError('not-permitted', 'these credentials lack ec2:RunInstances', { hints: ['runctl aws policy caller'], data: { awsCode: 'UnauthorizedOperation' } }),
  parameter: () => new RunctlError('cloud-refused', 'ec2 did not accept a value in RunInstances', { hints: ['runctl doctor'], data: { awsCode: 'InvalidParameterValue' } }),
  lost: () => new RunctlError('endpoint-unreachable', 'the connection broke before the answer came', { hints: ['runctl doctor'], data: { sent: 'maybe' } }),
};

export function marketDouble({ pools = { 'us-east-1a/g5.xlarge': 300_000 }, onDemand = { 'g5.xlarge': 1_006_000, 'g6.xlarge': 804_800 }, answer = () => undefined, planError = () => undefined, nowMs = () => 0 }: MarketOptions = {}): MarketDouble {
  const places = typeof pools === 'function' ? pools : () => pools;
  const fail = (): never => {
    throw new Error('not of this double');
  };
  const double: MarketDouble = {
    creates: [], plans: [], withdrawn: [], terminated: [], made: new Map(),
    make: (plan, token, more = {}) => {
      const machine: Machine = {
        id: `i-${double.made.size + 1}`, provider: 'aws', type: plan.type, market: plan.market, region: 'us-east-1', zone: plan.zone, state: 'pending', tags: plan.tags,
        ...(plan.market === 'spot' ? { spotRequestId: `sir-${double.made.size + 1}` } : {}), ...more,
      };
      double.made.set(token, machine);
      return machine;
    },
    provider: {
      name: 'aws',
      async pools({ types, zones }) {
        return Object.entries(places()).flatMap(([place, microUsdPerHour]): Pool[] => {
          const [zone, type] = place.split('/') as [string, string];
          return types.includes(type) && (zones?.includes(zone) ?? true) ? [{ zone, type, market: 'spot', microUsdPerHour, onDemandMicroUsdPerHour: onDemand[type] }] : [];
        });
      },
      async plan({ type, zone, market = 'on-demand', maxPriceMicroUsd, tags }) {
        const error = planError(market, type, zone);
        if (error) throw error;
        const spot = market === 'spot' ? places()[`${zone}/${type}`] : undefined;
        const plan: MachinePlan = {
          type, market, zone, region: 'us-east-1', image: { id: 'ami-1', name: 'linux', architecture: 'x86_64', rootDevice: '/dev/xvda' }, subnet: 'subnet-1', rootVolumeGb: 100,
          ...(maxPriceMicroUsd === undefined ? {} : { maxPriceMicroUsd }),
          price: { computeMicroUsd: market === 'spot' ? spot : onDemand[type], storageMicroUsd: 11_111, addressMicroUsd: 5_000, source: 'test', ...(market === 'spot' ? { onDemandMicroUsd: onDemand[type] } : {}) },
          tags: { ...tags, 'runctl:market': market }, detail: {},
        };
        double.plans.push(plan);
        return plan;
      },
      async create(plan, token, signal) {
        const asked: Asked = { token, market: plan.market, type: plan.type, zone: plan.zone, atMs: nowMs() };
        double.creates.push(asked);
        // As EC2 does: the same token brings back the same machine.
        const known = double.made.get(token);
        if (known) return known;
        const end = await answer(asked, double.creates.length, double, plan, signal);
        if (end instanceof Error) throw end;
        return end ?? double.make(plan, token);
      },
      async withdraw(token) {
        double.withdrawn.push(token);
        return { cancelled: [], machine: double.made.get(token) };
      },
      findByToken: async (token) => double.made.get(token),
      find: async (id) => [...double.made.values()].find((machine) => machine.id === id),
      list: async () => [...double.made.values()].filter((machine) => machine.state !== 'terminated'),
      async terminate(id) {
        double.terminated.push(id);
        const machine = [...double.made.values()].find((one) => one.id === id)!;
        machine.state = 'terminated';
        return machine;
      },
      price: fail, rehearse: async () => undefined, checks: async () => [], start: fail, stop: fail, shell: fail, readiness: fail,
    },
  };
  return double;
}
