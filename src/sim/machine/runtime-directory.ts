// Where a world's unix sockets live: a short, private directory, because socket paths end at 104 bytes (macOS) and worlds lie deep.
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The directory for this world's sockets, made (mode 0700) when absent. The same world gives the same directory. */
export function runtimeDirectory(worldDirectory: string): string {
  const uid = process.getuid?.() ?? 0;
  const digest = createHash('sha256').update(resolve(worldDirectory)).digest('hex').slice(0, 12);
  const directory = join(tmpdir(), `rsim-${uid}-${digest}`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const found = lstatSync(directory);
  // The name can be guessed: somebody else may have made it first.
  if (!found.isDirectory() || found.uid !== uid) throw new Error(`${directory} exists and is not this user's own directory`);
  if ((found.mode & 0o077) !== 0) chmodSync(directory, 0o700);
  return directory;
}
