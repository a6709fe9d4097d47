// Where tests keep their files: in memory, if this computer has room there. Worlds, ledgers, projects and disks of pretend machines
// are made and deleted by the thousand, which on a disk costs a sixth of the whole suite's CPU time, and waiting for the disk.
// Before all tests (vitest.config.ts); not where TMPDIR says otherwise.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
const NAME = 'runctl-test-';
/** Workers side by side, each with a few hundred MiB at its worst moment. */
const LEAST_BYTES = 4 * 1024 ** 3;

export default function setUp(): (() => void) | undefined {
  if (process.env['TMPDIR'] || !hasRoom()) return undefined;
  sweep();
  const directory = mkdtempSync(join(MEMORY, `${NAME}${process.pid}-`));
  // As /tmp is: some jobs run as the owner of a home, who is not root.
  chmodSync(directory, 0o1777);
  if (!runsPrograms(directory)) {
    remove(directory);
    return undefined;
  }
  process.env['TMPDIR'] = directory;
  // Who breaks a run off ends it without a teardown.
  process.once('exit', () => remove(directory));
  return () => remove(directory);
}

function hasRoom(): boolean {
  if (process.platform !== 'linux' || !existsSync(MEMORY)) return false;
  const { bavail, bsize } = statfsSync(MEMORY);
  return Math.min(bavail * bsize, process.availableMemory()) >= LEAST_BYTES;
}

/** Containers often mount it so that nothing in it can be run. */
function runsPrograms(directory: string): boolean {
  const program = join(directory, 'program');
  writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 });
  try {
    execFileSync(program);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(program);
  }
}

/** What runs that were killed have left: memory that nobody else would free. */
function sweep(): void {
  for (const name of readdirSync(MEMORY)) {
    const pid = name.startsWith(NAME) ? Number(name.slice(NAME.length).split('-', 1)[0]) : 0;
    if (pid > 0 && !existsSync(`/proc/${pid}`)) remove(join(MEMORY, name));
  }
}

function remove(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  } catch {
    // Another user's, or somebody still writes there: the next run sweeps it.
  }
}
