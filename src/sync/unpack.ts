// Unpacks what came back from a machine. The archive is not trusted: nothing is written outside of the directory, through a
// link, over a link's target, or as anything but files, directories and links that stay inside. What is refused is told.
import { createReadStream } from 'node:fs';
import { link, lstat, mkdir, open, rm, symlink, utimes } from 'node:fs/promises';
import { dirname, isAbsolute, join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { RunctlError } from '../core/errors.ts';
import { type ReadEntry, readTar } from './tar-read.ts';

export interface Unpacked {
  files: number;
  bytes: number;
  refused: { name: string; why: string }[];
}

/** More than any disk that results are meant for; stops an archive that was made to fill it. */
const DEFAULT_MAX_BYTES = 256 * 1024 ** 3;

export async function unpackOutputs(archive: string, directory: string, { maxBytes = DEFAULT_MAX_BYTES }: { maxBytes?: number } = {}): Promise<Unpacked> {
  await mkdir(directory, { recursive: true });
  const result: Unpacked = { files: 0, bytes: 0, refused: [] };
  // Links come last, so that no entry can be written through one that the archive brought along.
  const links: { path: string; target: string }[] = [];
  const refuse = (name: string, why: string): void => {
    result.refused.push({ name, why });
  };
  const take = async (entry: ReadEntry): Promise<void> => {
    const path = insideOf(entry.name);
    if (path === undefined) return refuse(entry.name, 'its name leads out of the directory');
    if (path === '') return;
    if (entry.type === 'directory') return void (await makeDirectory(directory, path));
    if (entry.type === 'link') {
      const end = isAbsolute(entry.target) || turnsBack(entry.target) ? undefined : insideOf(posix.join(dirname(path), entry.target));
      return end === undefined ? refuse(entry.name, `it links to ${entry.target}, outside of the directory`) : void links.push({ path, target: entry.target });
    }
    if (entry.type === 'hardlink') {
      const target = insideOf(entry.target);
      if (target === undefined || !(await isPlainFile(directory, target))) return refuse(entry.name, `it links to ${entry.target}, which is not a file of this archive`);
      await clear(directory, path);
      await link(join(directory, target), join(directory, path));
      result.files++;
      return;
    }
    if (entry.type !== 'file') return refuse(entry.name, 'it is neither a file nor a directory nor a link');
    result.bytes += entry.sizeBytes;
    if (result.bytes > maxBytes) throw new RunctlError('transfer-failed', 'the archive is larger than allowed', { cause: `It holds more than ${maxBytes} bytes.`, hints: ['runctl explain transfer-failed'] });
    await clear(directory, path);
    await write(join(directory, path), entry);
    result.files++;
  };
  const gunzip = createGunzip();
  try {
    await pipeline(createReadStream(archive), gunzip, async (chunks: AsyncIterable<Buffer>) => {
      for await (const entry of readTar(chunks)) await take(entry);
    });
  } catch (error) {
    const { code = '', syscall, message } = error as NodeJS.ErrnoException;
    if (code.startsWith('Z_')) throw new RunctlError('transfer-failed', 'the archive is damaged', { cause: message, hints: ['runctl explain transfer-failed'], source: error });
    if (syscall !== undefined) throw new RunctlError('transfer-failed', `${directory} cannot be filled`, { cause: message, hints: [`df -h ${directory}`, `ls -ld ${directory}`], source: error });
    throw error;
  }
  for (const { path, target } of links) {
    await clear(directory, path);
    await symlink(target, join(directory, path));
  }
  return result;
}

/** Whether a target goes up again after a name: where that leads is not to be seen in the text when the name is a link too. */
function turnsBack(target: string): boolean {
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  return parts.lastIndexOf('..') > parts.findIndex((part) => part !== '..') && parts.some((part) => part !== '..');
}

/** The path in normal form, '' for the directory itself, undefined when it leads out. */
function insideOf(name: string): string | undefined {
  if (isAbsolute(name) || name.includes('\0')) return undefined;
  const path = posix.normalize(name).replace(/\/+$/, '');
  if (path === '..' || path.startsWith('../')) return undefined;
  return path === '.' ? '' : path;
}

/** Each level must be a real directory: one that is a link, from whatever source, is taken away, not followed. */
async function makeDirectory(root: string, path: string): Promise<void> {
  let place = root;
  for (const part of path.split('/').filter((name) => name !== '.' && name !== '')) {
    place = join(place, part);
    const found = await lstat(place).catch(nothing);
    if (found?.isDirectory()) continue;
    if (found) await rm(place);
    await mkdir(place);
  }
}

/** Make way for a new file: directories above it are there and real, and nothing has its name. */
async function clear(root: string, path: string): Promise<void> {
  await makeDirectory(root, dirname(path));
  const found = await lstat(join(root, path)).catch(nothing);
  if (found) await rm(join(root, path), { recursive: true });
}

async function isPlainFile(root: string, path: string): Promise<boolean> {
  let place = root;
  for (const part of path.split('/')) {
    place = join(place, part);
    if ((await lstat(place).catch(nothing))?.isSymbolicLink()) return false;
  }
  return (await lstat(place).catch(nothing))?.isFile() ?? false;
}

function nothing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  throw error;
}

async function write(path: string, entry: ReadEntry): Promise<void> {
  // Exclusive: fails rather than follow something that has just been put there.
  const handle = await open(path, 'wx', entry.mode & 0o111 ? 0o755 : 0o644);
  try {
    for await (const piece of entry.content()) await handle.writeFile(piece);
  } finally {
    await handle.close();
  }
  // The order of checkpoints is told by their times.
  if (entry.mtimeS > 0 && Number.isFinite(entry.mtimeS)) await utimes(path, entry.mtimeS, entry.mtimeS);
}
