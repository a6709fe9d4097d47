// Does: the background program behind `runctl sim` and `--sim`: one server for one state directory, until told to stop or idle.
// By design: ends by itself when for a while no request came and no machine runs; machines survive a crash of this program
// (the next one adopts them) but not an orderly stop. What it knows for clients is in server.json, readable by its owner only.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { assembleSim } from './assemble.ts';
import type { Sim } from './create-sim.ts';
import { INFO_FILE, type SimInfo } from './daemon.ts';
import { DIALS, isDialName } from './dial.ts';
import type { Isolation } from './machine/isolation.ts';
import { takeLock } from './lock.ts';

const DEFAULT_REGION = 'us-east-1';
const AWS_LATENCY_MS = 60;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      directory: { type: 'string' },
      dial: { type: 'string', default: 'quick' },
      latency: { type: 'boolean', default: false },
      'idle-minutes': { type: 'string', default: '30' },
      isolation: { type: 'string', default: 'auto' },
      internet: { type: 'boolean', default: false },
      port: { type: 'string' },
    },
  });
  const directory = values.directory as string;
  if (!isDialName(values.dial)) throw new Error(`no such dial: ${values.dial}`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const release = takeLock(join(directory, 'server.lock'));
  if (!release) return tell({ taken: true });
  const dial = { ...DIALS[values.dial], ...(values.latency ? { latencyMs: AWS_LATENCY_MS } : {}) };
  let stopping = false;
  const options = {
    directory,
    dial,
    isolation: values.isolation === 'auto' ? undefined : (values.isolation as Isolation),
    internet: values.internet,
    log: (line: string) => console.error(`${new Date().toISOString()} ${line}`),
    onStop: () => void stop(),
  };
  const wantedPort = values.port === undefined ? 0 : Number(values.port);
  // The last port is wanted again, so that shells that point at it go on working; somebody else may have it by now.
  const sim: Sim = await assembleSim({ ...options, port: wantedPort }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    return assembleSim({ ...options, port: 0 });
  });
  const info: SimInfo = { pid: process.pid, port: sim.port, token: sim.controlToken(), ...sim.credentials(), region: DEFAULT_REGION };
  writeInfo(join(directory, INFO_FILE), info);
  endWhenIdle(sim, Number(values['idle-minutes']) * 60_000, () => void stop());
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, () => void stop());
  tell({ ready: true });

  async function stop(): Promise<void> {
    if (stopping) return;
    stopping = true;
    await sim.close();
    release?.();
    process.exit(0);
  }
}

function tell(message: object): void {
  process.send?.(message, () => process.disconnect?.());
}

function writeInfo(file: string, info: SimInfo): void {
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, JSON.stringify(info), { mode: 0o600 });
  renameSync(temporary, file);
}

function endWhenIdle(sim: Sim, idleMs: number, end: () => void): void {
  let requests = -1;
  let since = Date.now();
  const look = (): void => {
    const status = sim.status();
    const busy = Object.entries(status.instances).some(([state, count]) => state !== 'stopped' && state !== 'terminated' && count > 0);
    if (busy || status.requests !== requests) since = Date.now();
    requests = status.requests;
    if (Date.now() - since >= idleMs) end();
  };
  setInterval(look, Math.min(60_000, idleMs)).unref();
}

main().catch((error: unknown) => {
  console.error(error);
  tell({ failed: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
});
