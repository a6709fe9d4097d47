// Which process works on a run, told in a way that survives the reuse of process ids: pid plus when that process started.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Owner {
  pid: number;
  /** Opaque: equal for the same process, different for any later process with the same pid. */
  start: string;
}

let self: Owner | undefined;

export function currentOwner(): Owner {
  return (self ??= { pid: process.pid, start: processStart(process.pid) ?? 'unknown' });
}

/** Does the process that wrote this still run? `unknown` starts count as alive while any process has that pid. */
export function ownerAlive(owner: Owner): boolean {
  const start = processStart(owner.pid);
  if (start === undefined) return false;
  return owner.start === 'unknown' || start === owner.start;
}

/** Undefined when no such process exists. */
function processStart(pid: number): string | undefined {
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      // Fields after the command name, which may itself hold blanks and brackets; the start time is field 22 (proc(5)).
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields[0] === 'Z') return undefined;
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
      return `${boot}/${fields[19]}`;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' }, stdio: ['ignore', 'pipe', 'ignore'] }).trim() || undefined;
  } catch (error) {
    // ps exits 1 when no process has that id.
    if ((error as { status?: number }).status === 1) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ESRCH';
}
