// Does: at most one server for one state directory, also after a crash of the last one.
// By design: a file with the owner's pid and its start time; a lock whose owner is gone is taken over.
import { execFileSync } from 'node:child_process';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** Returns the function that releases it, or undefined when a live process holds it. */
export function takeLock(file: string): (() => void) | undefined {
  const mine = JSON.stringify({ pid: process.pid, start: startOf(process.pid) });
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, mine, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        linkSync(temporary, file); // atomic: fails when the lock exists
        return () => {
          if (read(file) === mine) rmSync(file, { force: true });
        };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const held = read(file);
      if (held !== undefined && isAlive(held)) return undefined;
      // Out of the way by rename: of several that find a dead owner only one moves this very file.
      const grave = `${file}.dead.${process.pid}`;
      try {
        renameSync(file, grave);
        // Somebody may have put a fresh lock there between our look and our move: it goes back.
        if (read(grave) !== held) linkSync(grave, file);
        rmSync(grave, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    return undefined;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive(held: string): boolean {
  let owner: { pid: number; start: string };
  try {
    owner = JSON.parse(held) as { pid: number; start: string };
    process.kill(owner.pid, 0);
  } catch (error) {
    // EPERM: alive, but somebody else's; a broken file belongs to nobody.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return startOf(owner.pid) === owner.start;
}

/** A pid alone may have been given to another process since. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    try {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    } catch {
      return '';
    }
  }
}
