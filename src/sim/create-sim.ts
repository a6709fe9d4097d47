// Does: builds a pretend cloud: opens its world, starts its server, seeds what a fresh account has, takes up what a former
// server left. EC2, IAM, STS, Pricing and Service Quotas are always there; further services are given.
// By design: one function, usable inside a test as well as in a daemon; it starts nothing but the server and the guests.
import { randomBytes } from 'node:crypto';
import { simActions } from './actions.ts';
import { createEc2 } from './aws/ec2/create-ec2.ts';
import { isVisible } from './aws/ec2/instance-ids.ts';
import { ec2Tables } from './aws/ec2/rows.ts';
import { iam, seedIam } from './aws/iam/iam.ts';
import { pricing } from './aws/pricing/pricing.ts';
import { serviceQuotas } from './aws/service-quotas/service-quotas.ts';
import { sts } from './aws/sts/sts.ts';
import { worldClock } from './clock.ts';
import type { WorldClock } from './clock.ts';
import type { Cloud, Dial, MachineHost, World } from './cloud.ts';
import { controlRoute } from './control.ts';
import type { SimStatus } from './control.ts';
import { REGIONS } from './data/regions.ts';
import { DIALS } from './dial.ts';
import type { DialName } from './dial.ts';
import { readMeter } from './meter-reading.ts';
import type { MeterReading } from './meter-reading.ts';
import { startServer } from './server.ts';
import type { Route } from './server.ts';
import type { Service } from './wire/call.ts';
import { callerCredential } from './wire/credentials.ts';
import { openWorld } from './world.ts';
import { operationsOf } from './weather/match.ts';
import { createWeather } from './weather/weather.ts';
import type { Weather } from './weather/weather.ts';

/** A service of its own, with what it needs besides operations. */
export interface Part {
  service?: Service;
  routes?: Route[];
  /** After a start, before the first request is answered. */
  resume?(): Promise<void> | void;
  /** The world was emptied; throw away what is kept outside of its tables. */
  reset?(): Promise<void> | void;
  close?(): Promise<void> | void;
}

/** What a machine host may need to know of the world that it works for. */
export interface Place {
  world: World;
  clock: WorldClock;
  dial: Dial;
  port: number;
  socketPath?: string;
}

export interface SimOptions {
  directory: string;
  dial: DialName | Dial;
  /** Absent: the world's own, which keeps to real time until it is told otherwise. */
  clock?: WorldClock;
  /** 0 or absent: any free port. */
  port?: number;
  /** Also listen on this unix socket, for guests that have no network. */
  socketPath?: string;
  machines: (place: Place) => MachineHost | Promise<MachineHost>;
  parts?: (cloud: Cloud, place: Place) => Part[];
  /** POST /_sim/stop was called; whoever owns the sim closes it. */
  onStop?(): void;
  /** Lines for whoever looks after the sim: bugs, failed boots. */
  log?(line: string): void;
}

export interface Sim {
  readonly port: number;
  /** http://127.0.0.1:port */
  readonly endpoint: string;
  readonly cloud: Cloud;
  /** The world's time: read, set its rate, skip ahead. */
  readonly clock: WorldClock;
  /** The plan of faults. */
  readonly weather: Weather;
  credentials(): { accessKeyId: string; secretAccessKey: string };
  /** Bearer token of /_sim/. */
  controlToken(): string;
  status(): SimStatus;
  /** One action of actions.ts; rejects with the RunctlError that it throws. */
  call(name: string, body?: unknown): Promise<object>;
  meter(): MeterReading;
  /** End every guest, empty the world, seed it again. Keys and token stay. */
  reset(): Promise<void>;
  /** Stop answering; guests are ended unless told otherwise, their disks kept. */
  close(options?: { keepGuests?: boolean }): Promise<void>;
}

const TOKEN_TABLE = 'sim.control';
const CALLER_TABLES = ['sts.credentials', 'sts.caller', TOKEN_TABLE];

function controlToken(world: World): string {
  const table = world.table<{ token: string }>(TOKEN_TABLE);
  const known = table.get('control');
  if (known) return known.token;
  const token = randomBytes(32).toString('base64url');
  table.put('control', { token });
  return token;
}

export async function createSim(options: SimOptions): Promise<Sim> {
  const log = options.log ?? (() => undefined);
  const world = openWorld(options.directory);
  const hasGuests = (): boolean => ec2Tables(world).instances.values().some((row) => row.state === 'running');
  const clock = options.clock ?? worldClock(options.directory, hasGuests);
  const dial = typeof options.dial === 'string' ? DIALS[options.dial] : options.dial;
  const server = await startServer({ port: options.port ?? 0, socketPath: options.socketPath });
  const place: Place = { world, clock, dial, port: server.port, socketPath: options.socketPath };
  const machines = await options.machines(place);
  const weather = createWeather(world, clock);
  const cloud: Cloud = { world, clock, dial, machines, weather };
  const startedAt = Date.now();
  const ec2 = createEc2(cloud, log);
  const parts = options.parts?.(cloud, place) ?? [];
  const services = [ec2.service, iam, sts, pricing, serviceQuotas, ...parts.flatMap((part) => part.service ?? [])];
  weather.attach(ec2.hands, () => ({ operations: operationsOf(services), regions: REGIONS.map(({ name }) => name), zonesOf: (type) => ec2.market.zonesOf(type) }));

  const actions = simActions({ cloud, clock, ec2 });

  const seed = (): void => {
    callerCredential(world);
    controlToken(world);
    seedIam(cloud);
    ec2.seed();
    world.save();
  };

  const status = (): SimStatus => {
    const instances: Record<string, number> = {};
    for (const row of ec2Tables(world).instances.values()) {
      if (isVisible(cloud, row)) instances[row.state] = (instances[row.state] ?? 0) + 1;
    }
    const operations = Object.fromEntries([...server.calls].sort(([a], [b]) => (a < b ? -1 : 1)));
    const { nowMs, rate, aheadMs } = clock.read();
    return {
      uptimeMs: Date.now() - startedAt,
      pid: process.pid,
      directory: options.directory,
      isolation: machines.isolation,
      accountId: world.accountId,
      regions: REGIONS.map(({ name }) => name),
      clock: { worldTime: new Date(nowMs).toISOString(), rate, aheadMs },
      instances,
      meterTotalMicroUsd: readMeter(world, clock.now()).totalMicroUsd,
      requests: Object.values(operations).reduce((sum, count) => sum + count, 0),
      operations,
    };
  };

  const reset = async (): Promise<void> => {
    const ids = ec2Tables(world).instances.values().map((row) => row.instanceId);
    ec2.forget();
    weather.forget();
    clock.reset();
    const kept = CALLER_TABLES.map((name) => ({ name, rows: world.table<unknown>(name).entries() }));
    world.clear();
    for (const { name, rows } of kept) for (const [id, row] of rows) world.table<unknown>(name).put(id, row);
    await Promise.all(ids.map((id) => machines.destroy(id)));
    for (const part of parts) await part.reset?.();
    seed();
  };

  seed();
  await ec2.resume();
  for (const part of parts) await part.resume?.();
  weather.resume();

  server.open({
    cloud,
    services,
    weather,
    routes: [controlRoute({ token: () => controlToken(world), status, reset, weather, actions, stop: () => options.onStop?.() }), ...parts.flatMap((part) => part.routes ?? [])],
    settle() {
      // What was answered should survive a crash; a world too large for that is written a little later.
      if (world.dirty && world.lastWriteMs < 10) world.save();
    },
    log,
  });

  return {
    port: server.port,
    endpoint: `http://127.0.0.1:${server.port}`,
    cloud,
    clock,
    weather,
    credentials() {
      const { accessKeyId, secretAccessKey } = callerCredential(world);
      return { accessKeyId, secretAccessKey };
    },
    controlToken: () => controlToken(world),
    status,
    async call(name, body = {}) {
      const action = actions[name];
      if (!action) throw new Error(`no such action: ${name}`);
      return action(body);
    },
    meter: () => readMeter(world, clock.now()),
    reset,
    async close({ keepGuests = false } = {}) {
      ec2.close();
      weather.forget();
      await server.close();
      for (const part of parts) await part.close?.();
      await machines.close(!keepGuests);
      clock.close();
      world.close();
    },
  };
}
