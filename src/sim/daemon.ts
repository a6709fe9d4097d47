// The built-in cloud as a background process of one state directory: found, started, asked, stopped.
// This is the outside of the sim, used by `runctl sim` and `--sim`; main.ts is the inside.
import { fork } from 'node:child_process';
import { mkdirSync, openSync, closeSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { RunctlError } from '../core/errors.ts';
import type { ErrorCode } from '../core/errors.ts';
import { clockFile } from './clock-file.ts';
import type { WeatherReport } from './weather/weather.ts';

export type { MeterLine, MeterReading, SnapshotLine, VolumeLine } from './meter-reading.ts';
export type { PoolReport } from './market/market.ts';
export type { WeatherReport } from './weather/weather.ts';
export { KINDS as WEATHER_KINDS } from './weather/plan.ts';

/** What a running server writes to server.json (0600: it holds keys, though of a pretend cloud). */
export interface SimInfo {
  pid: number;
  port: number;
  /** Bearer token of the control surface. */
  token: string;
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
}

export interface SimSettings {
  dial: string;
  latency: boolean;
  idleMinutes: number;
  isolation: string;
  /** Machines reach the package indexes of this computer. */
  internet: boolean;
  port?: number;
}

export interface SimControl {
  readonly directory: string;
  /** The server that answers now, or undefined. */
  find(): Promise<SimInfo | undefined>;
  /** Start one unless one answers already. */
  start(settings: Partial<SimSettings>): Promise<SimInfo & { started: boolean }>;
  /** End server and machines; state stays on disk. False when none ran. */
  stop(): Promise<boolean>;
  status(): Promise<Record<string, unknown> | undefined>;
  /** Empty the world: no machine, bucket, bill is left. Starts no server. */
  reset(): Promise<void>;
  readonly weather: WeatherControl;
  /** One action of the running cloud by name (actions.ts). What it refuses is the RunctlError it threw; without a server: `sim-failed`. */
  call(name: string, body?: object): Promise<Record<string, unknown>>;
}

/** The plan of faults of a running cloud. What it refuses is RunctlError `usage`; without a server: `sim-failed`. */
export interface WeatherControl {
  add(rule: object): Promise<WeatherReport>;
  /** These rules and no others. */
  load(rules: readonly unknown[]): Promise<WeatherReport[]>;
  list(): Promise<WeatherReport[]>;
  /** One rule or all; how many went. */
  clear(id?: string): Promise<number>;
}

export interface SimOptions {
  /** State of this cloud. */
  directory: string;
  /** The bundled server program. */
  serverFile: string;
  defaults: SimSettings;
}

export const INFO_FILE = 'server.json';
const START_TIMEOUT_MS = 15_000;
const TAKEN_PAUSE_MS = 150;
/** A skip of the clock waits for machines that boot or go down on its way. */
const ACTION_TIMEOUT_MS = 600_000;

export function simControl({ directory, serverFile, defaults }: SimOptions): SimControl {
  const read = (): SimInfo | undefined => {
    try {
      return JSON.parse(readFileSync(join(directory, INFO_FILE), 'utf8')) as SimInfo;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new RunctlError('sim-failed', `${join(directory, INFO_FILE)} cannot be read`, { cause: (error as Error).message, hints: ['runctl sim reset'] });
    }
  };
  const find = async (): Promise<SimInfo | undefined> => {
    const info = read();
    return info && (await control(info, 'GET', 'status')) ? info : undefined;
  };
  const ask = async (method: Method, path: string, body?: unknown, timeoutMs?: number): Promise<Record<string, unknown>> => {
    const info = read();
    const answer = info && (await control(info, method, path, body, timeoutMs));
    if (!answer) throw new RunctlError('sim-failed', 'the built-in cloud is not running', { hints: ['runctl sim start'] });
    return answer;
  };
  const weather = async (method: Method, path = 'weather', body?: unknown): Promise<{ rules: WeatherReport[]; cleared: number }> =>
    (await ask(method, path, body)) as unknown as { rules: WeatherReport[]; cleared: number };
  return {
    directory,
    find,
    call: (name, body = {}) => ask('POST', `do/${name}`, body, ACTION_TIMEOUT_MS),
    weather: {
      add: async (rule) => (await weather('POST', 'weather', rule)).rules[0] as WeatherReport,
      load: async (rules) => (await weather('PUT', 'weather', rules)).rules,
      list: async () => (await weather('GET')).rules,
      clear: async (id) => (await weather('DELETE', id === undefined ? 'weather' : `weather?id=${encodeURIComponent(id)}`)).cleared,
    },
    async start(settings) {
      const running = await find();
      if (running) return { ...running, started: false };
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const deadline = performance.now() + START_TIMEOUT_MS;
      for (;;) {
        const state = await launch(serverFile, directory, { ...defaults, ...definedOnly(settings) }, read()?.port);
        const info = await find();
        if (info) return { ...info, started: state === 'ready' };
        if (state === 'ready' || performance.now() > deadline) throw new RunctlError('sim-failed', 'the built-in cloud started but does not answer', { hints: [`cat ${join(directory, 'server.log')}`] });
        // Whoever has taken it is still coming up, or on its way out.
        await setTimeout(TAKEN_PAUSE_MS);
      }
    },
    async stop() {
      const info = await find();
      if (!info) return false;
      await control(info, 'POST', 'stop');
      return true;
    },
    async status() {
      const info = read();
      const status = info && (await control(info, 'GET', 'status'));
      return status && { endpoint: `http://127.0.0.1:${info.port}`, ...status };
    },
    async reset() {
      const info = await find();
      if (info) await control(info, 'POST', 'reset');
      else rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The environment that points every AWS client at this cloud. null: must be unset, or it would lead elsewhere. */
export function simEnvironment(directory: string, info: SimInfo, env: Record<string, string | undefined>): Record<string, string | null> {
  const stray = Object.keys(env).filter((name) => name.startsWith('AWS_ENDPOINT_URL_'));
  return {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${info.port}`,
    // runctl lives in the time of that cloud.
    RUNCTL_SIM_CLOCK: clockFile(directory),
    AWS_ACCESS_KEY_ID: info.accessKeyId,
    AWS_SECRET_ACCESS_KEY: info.secretAccessKey,
    AWS_REGION: info.region,
    AWS_DEFAULT_REGION: info.region,
    AWS_EC2_METADATA_DISABLED: 'true',
    // Files of a real account must not mix in: a profile's own endpoint or credentials would win.
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_PROFILE: null,
    AWS_SESSION_TOKEN: null,
    AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: null,
    ...Object.fromEntries(stray.map((name) => [name, null])),
  };
}

/** `taken`: another runctl was quicker, and its server will serve us too; or the last server has not quite gone. */
async function launch(serverFile: string, directory: string, settings: SimSettings, lastPort: number | undefined): Promise<'ready' | 'taken'> {
  const log = openSync(join(directory, 'server.log'), 'a', 0o600);
  const port = settings.port ?? lastPort;
  const child = fork(
    serverFile,
    [
      '--directory', directory, '--dial', settings.dial, '--idle-minutes', String(settings.idleMinutes), '--isolation', settings.isolation,
      ...(settings.latency ? ['--latency'] : []), ...(settings.internet ? ['--internet'] : []), ...(port === undefined ? [] : ['--port', String(port)]),
    ],
    { detached: true, stdio: ['ignore', log, log, 'ipc'], env: serverEnvironment() },
  );
  closeSync(log);
  try {
    return await new Promise<'ready' | 'taken'>((resolve, reject) => {
      const limit = new AbortController();
      setTimeout(START_TIMEOUT_MS, undefined, { signal: limit.signal }).then(() => reject(failed('it did not come up in time', directory)), () => undefined);
      const settle = (end: RunctlError | 'ready' | 'taken'): void => {
        limit.abort();
        if (typeof end === 'string') resolve(end);
        else reject(end);
      };
      child.once('error', (error) => settle(failed(error.message, directory)));
      child.once('exit', (code) => settle(failed(`it ended at once with code ${code}`, directory)));
      child.once('message', (message: { ready?: boolean; taken?: boolean; failed?: string }) => settle(message.failed ? failed(message.failed, directory) : message.taken ? 'taken' : 'ready'));
    });
  } finally {
    child.removeAllListeners();
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** Machines are no place for the user's own keys: the server, and so everything it starts, never sees them. */
function serverEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(AWS_|RUNCTL_|NODE_OPTIONS$)|TOKEN|SECRET|PASSWORD|API_KEY/.test(name)));
}

function failed(why: string, directory: string): RunctlError {
  return new RunctlError('sim-failed', `the built-in cloud could not be started: ${why}`, { hints: why.startsWith('ENOSPC') ? [`df -h ${directory}`] : [`tail ${join(directory, 'server.log')}`, 'runctl sim reset'] });
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** One call of the control surface; undefined when nothing of ours answers there. */
async function control(info: SimInfo, method: Method, path: string, body?: unknown, timeoutMs = 30_000): Promise<Record<string, unknown> | undefined> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port: info.port, path: `/_sim/${path}`, method, headers: { authorization: `Bearer ${info.token}` }, timeout: timeoutMs }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        if (response.statusCode !== 200 && response.statusCode !== 400) return resolve(undefined);
        try {
          const answer = JSON.parse(Buffer.concat(parts).toString('utf8')) as Record<string, unknown>;
          if (response.statusCode === 400) reject(refused(answer));
          else resolve(answer);
        } catch {
          resolve(undefined); // some other server has that port now
        }
      });
      response.on('error', () => resolve(undefined));
    });
    call.on('timeout', () => call.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    call.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET') resolve(undefined);
      else reject(new RunctlError('sim-failed', `the built-in cloud on port ${info.port} cannot be asked`, { cause: error.message, hints: ['runctl sim status'] }));
    });
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function refused({ error, code, cause, hints }: Record<string, unknown>): RunctlError {
  return new RunctlError(code as ErrorCode, error as string, { cause: cause as string | undefined, hints: hints as string[] });
}

function definedOnly<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}
