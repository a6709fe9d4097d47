// Keeps V8's compiled form of our chunks on disk: a command that loads the AWS clients starts 15-20 % faster.
// Node 22.8 and newer have this built in; on Node 20 the same is done by hand for the files of this bundle. It is only a
// cache: whatever goes wrong with it is passed over, and V8 itself refuses data of another version of V8 or of the source.
import { lstatSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import Module from 'node:module';
import { basename, dirname, join, sep } from 'node:path';
import { Script } from 'node:vm';

/** What Node 20 does not type and newer versions have. */
interface Caching {
  enableCompileCache?(directory: string): unknown;
  wrap(source: string): string;
  _resolveFilename(request: string, parent: unknown): string;
  prototype: { _compile(this: LoadedModule, content: string, filename: string): unknown };
}

interface LoadedModule {
  exports: unknown;
  require(id: string): unknown;
}

/** `directory`: a private one of this user. `bundle`: where our own chunks lie. Content hashes in their names tell versions apart. */
export function useCompileCache(directory: string, bundle: string): void {
  const loader = Module as unknown as Caching;
  try {
    if (!ownDirectory(directory)) return;
    if (loader.enableCompileCache) loader.enableCompileCache(directory);
    else cacheByHand(loader, join(directory, `${process.version}-${process.arch}`), bundle + sep);
  } catch {
    // No cache, then: a read-only home is no reason to fail.
  }
}

/** What lies in it is run as code, so nobody else may write there. */
function ownDirectory(directory: string): boolean {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const found = lstatSync(directory);
  return found.isDirectory() && (process.getuid === undefined || found.uid === process.getuid()) && (found.mode & 0o022) === 0;
}

function cacheByHand(loader: Caching, directory: string, bundle: string): void {
  const compile = loader.prototype._compile;
  const fresh: { script: Script; file: string }[] = [];
  loader.prototype._compile = function cached(content, filename) {
    if (!filename.startsWith(bundle)) return compile.call(this, content, filename);
    const file = join(directory, basename(filename));
    const cachedData = read(file);
    const script = new Script(loader.wrap(content), { filename, cachedData });
    if (cachedData === undefined || script.cachedDataRejected) fresh.push({ script, file });
    const own = (id: string): unknown => this.require(id);
    own.resolve = (id: string) => loader._resolveFilename(id, this);
    const run = script.runInThisContext() as (...args: unknown[]) => unknown;
    return run.call(this.exports, this.exports, own, this, filename, dirname(filename));
  };
  // At the end, when the functions that were needed have been compiled too.
  process.on('exit', () => {
    try {
      if (fresh.length > 0) save(directory, fresh);
    } catch {
      // A full disk is told where it matters.
    }
  });
}

function read(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

const MOST_FILES = 400;

function save(directory: string, fresh: { script: Script; file: string }[]): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // Chunks of former versions pile up; all are made again when needed.
  if (readdirSync(directory).length > MOST_FILES) for (const name of readdirSync(directory)) rmSync(join(directory, name), { force: true });
  for (const { script, file } of fresh) {
    const temporary = `${file}.${process.pid}`;
    writeFileSync(temporary, script.createCachedData(), { mode: 0o600 });
    renameSync(temporary, file);
  }
}
