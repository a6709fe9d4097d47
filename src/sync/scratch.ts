// A private directory for what is on its way. It goes when it is no longer needed; one that a killed process left behind goes
// with the next that is opened.
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunctlError } from '../core/errors.ts';

export interface Scratch {
  /** Readable by this user only. */
  directory: string;
  remove(): Promise<void>;
  /** What went wrong with writing there, as an error for people; other errors as they are. */
  explain(error: unknown): unknown;
}

/** `name` is what it is for: `runctl-pack`. */
export async function openScratch(name: string, base = tmpdir()): Promise<Scratch> {
  await removeForsaken(name, base);
  // The computer is in the name: with a shared directory for temporary files, a process of another must not look dead.
  const directory = await mkdtemp(join(base, `${name}-${computer()}-${process.pid}-`)).catch((error: unknown) => {
    throw explain(error, base);
  });
  return { directory, remove: () => rm(directory, { recursive: true, force: true }), explain: (error) => explain(error, base) };
}

function computer(): string {
  return createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
}

async function removeForsaken(name: string, base: string): Promise<void> {
  const pattern = new RegExp(`^${name}-${computer()}-(\\d+)-`);
  for (const entry of await readdir(base).catch(() => [])) {
    const pid = pattern.exec(entry)?.[1];
    if (pid !== undefined && !lives(Number(pid)) && (await isOld(join(base, entry)))) {
      // What belongs to somebody else cannot be removed, and is not ours to mention.
      await rm(join(base, entry), { recursive: true, force: true }).catch(() => undefined);
    }
  }
}

/** Process ids of containers may mean other processes here: what was touched a moment ago stays. */
async function isOld(directory: string): Promise<boolean> {
  const found = await stat(directory).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > 10 * 60_000;
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function explain(error: unknown, base: string): unknown {
  const { code = '', syscall, message } = (error ?? {}) as NodeJS.ErrnoException;
  if (error instanceof RunctlError || syscall === undefined) return error;
  const full = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code);
  return new RunctlError('sync-failed', full ? `there is no room in ${base} to pack the project` : `the project cannot be packed in ${base}`, {
    cause: message,
    hints: [`df -h ${base}`, 'export TMPDIR=/a/directory/with/room', ...(full ? ['runctl config set sync.exclude "data/,*.mp4"'] : [])],
    source: error,
  });
}
