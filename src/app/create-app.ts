// Builds the App once: settings, clock, ledger, providers, store, sim. The only place that decides between real and built-in cloud.
import { join } from 'node:path';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { RunctlError } from '../core/errors.ts';
import type { Report } from '../core/events.ts';
import type { Ask, Provider, Store } from '../core/ports.ts';
import type { Stake } from '../core/stake.ts';
import type { SimControl } from '../sim/daemon.ts';
import { realClock } from './clock.ts';
import type { CommandApp } from './command-app.ts';
import { stateDirectory } from './places.ts';
import { clockFor } from './world-clock.ts';

export interface AppOptions {
  cwd: string;
  /** Changed by `--sim`: SDK credential chains read the process's own environment. */
  env: NodeJS.ProcessEnv;
  report: Report;
  ask: Ask;
  signal: AbortSignal;
  stake: Stake;
  completeHint(hint: string): string;
  sim: boolean;
  region: string | undefined;
  configPath: string | undefined;
  /** Directory of the bundle; the sim's server program lies there. */
  bundleDirectory: string;
}

export interface BuiltApp {
  app: CommandApp;
  close(): Promise<void>;
}

export async function createApp(options: AppOptions): Promise<BuiltApp> {
  const { env, cwd, signal } = options;
  const settings = await settingsOf(options);
  const sim = once(() => openSim(options, settings));
  if (options.sim) await pointAtSim(await sim(), env);
  const clock = clockFor(env, realClock);
  const ledger = once(async () => (await import('../ledger/ledger.ts')).openLedger(join(stateDirectory(env), 'ledger.sqlite')));
  const aws = once(async () => {
    const { createAwsProvider } = await import('../providers/aws/index.ts');
    return createAwsProvider({ region: settings().values.aws.region, clock, env });
  });
  const local = once(async () => (await import('../providers/local/local-provider.ts')).createLocalProvider({ base: join(stateDirectory(env), 'local'), env }));
  const providers: Record<string, () => Promise<Provider>> = { aws, local };
  const app: CommandApp = {
    get config() {
      return settings().values;
    },
    settings,
    configPath: options.configPath,
    env,
    cwd,
    clock,
    report: options.report,
    ask: options.ask,
    signal,
    stake: options.stake,
    completeHint: options.completeHint,
    ledger,
    sim,
    provider: async (name) => {
      const make = providers[name];
      if (!make) throw new RunctlError('usage', `unknown provider "${name}"`, { cause: `There are ${Object.keys(providers).join(', ')}.`, hints: ['runctl --help'] });
      return make();
    },
    store: once(async (): Promise<Store | undefined> => {
      const bucket = settings().values.aws.s3_bucket;
      return bucket === undefined ? undefined : (await aws()).store(bucket);
    }),
  };
  return {
    app,
    async close() {
      // What could not be made has nothing to close, and its error has been told.
      await Promise.all([ledger, aws].map((part) => part.made() && part().then((made) => made.close(), () => undefined)));
    },
  };
}

/** A wrong file is an error for whoever needs settings, not for the commands that mend it. */
async function settingsOf(options: AppOptions): Promise<() => LoadedConfig> {
  try {
    const loaded = await loadConfig({ cwd: options.cwd, env: options.env, explicitPath: options.configPath, flags: { 'aws.region': options.region } });
    for (const text of loaded.warnings) options.report({ kind: 'note', level: 'warning', text });
    return () => loaded;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

async function openSim(options: AppOptions, settings: () => LoadedConfig): Promise<SimControl> {
  const { simControl } = await import('../sim/daemon.ts');
  const { dial, latency, idle_minutes: idleMinutes, internet } = settings().values.sim;
  return simControl({
    directory: join(stateDirectory(options.env), 'sim'),
    serverFile: join(options.bundleDirectory, 'sim-server.cjs'),
    defaults: { dial, latency, idleMinutes, isolation: 'auto', internet },
  });
}

async function pointAtSim(sim: SimControl, env: NodeJS.ProcessEnv): Promise<void> {
  const { simEnvironment } = await import('../sim/daemon.ts');
  for (const [name, value] of Object.entries(simEnvironment(sim.directory, await sim.start({}), env))) {
    if (value === null) delete env[name];
    else env[name] = value;
  }
}

interface Once<T> {
  (): Promise<T>;
  made(): boolean;
}

/** The first call makes it, later calls share it. */
function once<T>(make: () => Promise<T>): Once<T> {
  let made: Promise<T> | undefined;
  return Object.assign(() => (made ??= make()), { made: () => made !== undefined });
}
