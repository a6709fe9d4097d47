// One guest as the host's kernel sees it: is it alive, and how to end all of it. A process is named by pid and start time,
// so that a reused pid is never taken for a guest, and never killed for one.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface GuestIdentity {
  pid: number;
  start: string;
}

/** Written by the guest itself, before anything else it does. */
export function readIdentity(machineDirectory: string): GuestIdentity | undefined {
  try {
    return JSON.parse(readFileSync(join(machineDirectory, 'guest.json'), 'utf8')) as GuestIdentity;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Start time of a living process (a zombie is not), as the guest writes it. */
function startOf(pid: number): string | undefined {
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
    } catch {
      return undefined; // no such process
    }
  }
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const [state = '', ...start] = line.split(/\s+/);
    return state.startsWith('Z') ? undefined : start.join(' ');
  } catch {
    return undefined; // ps exits 1 for no such process
  }
}

export function isAlive(guest: GuestIdentity): boolean {
  return startOf(guest.pid) === guest.start.replace(/\s+/g, ' ');
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

export function killGuest(guest: GuestIdentity): void {
  if (isAlive(guest)) signal(guest.pid, 'SIGKILL');
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** Resolves to whether it was gone within the time. */
export async function waitUntilGone(guest: GuestIdentity, limitMs: number): Promise<boolean> {
  const until = performance.now() + limitMs;
  for (let stepMs = 1; isAlive(guest); stepMs = Math.min(stepMs * 2, 50)) {
    if (performance.now() > until) return false;
    await pause(stepMs);
  }
  return true;
}

/** Pids whose environment carries the marker; only processes of this user can be read, and only they can be a guest's. */
export function markedProcesses(marker: string): number[] {
  const needle = `SIM_MACHINE=${marker}`;
  if (process.platform === 'linux') {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && carries(`/proc/${name}/environ`, needle)).map(Number);
  }
  const listing = execFileSync('ps', ['-Eww', '-axo', 'pid=,command='], { encoding: 'utf8', maxBuffer: 64 << 20 });
  return listing.split('\n').filter((line) => line.includes(needle)).map((line) => Number.parseInt(line, 10));
}

function carries(environ: string, needle: string): boolean {
  try {
    return readFileSync(environ, 'latin1').split('\0').includes(needle);
  } catch {
    return false; // gone meanwhile, or another user's
  }
}

/** For machines without a PID namespace: end everything that carries the marker, again until nobody is left. */
export async function killMarked(marker: string): Promise<void> {
  for (let round = 0; round < 50; round++) {
    const left = markedProcesses(marker).filter((pid) => startOf(pid) !== undefined);
    if (left.length === 0) return;
    for (const pid of left) signal(pid, 'SIGKILL');
    await pause(10);
  }
  throw new Error(`processes of ${marker} do not die: ${markedProcesses(marker).join(' ')}`);
}
