// A pretend cloud of one's own: started by `runctl sim start` in a temporary state directory, stopped and removed afterwards.
// Not the library behind the command: what is tried here is what a user types.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { calmEnvironment } from './clients.mjs';

const STOP_LIMIT_MS = 15_000;
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const MAIN = process.env.RUNCTL_MAIN ?? join(ROOT, 'dist/main.cjs');

const open = new Set();
process.on('exit', () => {
  for (const sim of open) sim.stop();
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

/** { directory, env, info, stop() }: `env` points every client at it. stop() throws when a process is left. */
export function startPrivateSim({ dial = 'instant', args = [] } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'runctl-private-'));
  const work = join(directory, 'work');
  mkdirSync(work);
  const base = { ...calmEnvironment(), XDG_STATE_HOME: join(directory, 'state'), XDG_CONFIG_HOME: join(directory, 'config'), RUNCTL_SIM_DIAL: dial, RUNCTL_MAIN: MAIN, RUNCTL_NODE: process.execPath };
  const run = (words) => {
    const { status, stdout, stderr, error } = spawnSync(process.execPath, [MAIN, ...words, '--output', 'json'], { cwd: work, env: base, encoding: 'utf8', timeout: 60_000 });
    if (status !== 0) throw new Error(`runctl ${words.join(' ')} ended with ${status ?? error?.message}: ${stderr.trim()}`);
    return JSON.parse(stdout);
  };
  let info;
  const sim = {
    directory,
    work,
    /** Before `sim env`: what a user's shell has at first. */
    shellEnv: base,
    env: { ...base },
    stop() {
      open.delete(sim);
      if (info) {
        run(['sim', 'stop']);
        if (!waitForEnd(info.pid)) {
          process.kill(info.pid, 'SIGKILL');
          throw new Error(`the sim (pid ${info.pid}) was still there ${STOP_LIMIT_MS} ms after "runctl sim stop"`);
        }
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
  open.add(sim);
  info = run(['sim', 'start', ...args]);
  for (const [name, value] of Object.entries(run(['sim', 'env']))) {
    if (value === null) delete sim.env[name];
    else sim.env[name] = value;
  }
  return Object.assign(sim, { info });
}

function waitForEnd(pid) {
  const until = Date.now() + STOP_LIMIT_MS;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return true;
    }
    if (Date.now() > until) return false;
    Atomics.wait(pause, 0, 0, 20);
  }
}
