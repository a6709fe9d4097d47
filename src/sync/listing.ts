// What lies in a tree: by asking git in a checkout, else by walking it and reading .gitignore files ourselves. Says what is
// ignored but decides nothing: plan.ts does. File names are bytes: `raw` is the truth, `path` is for people and patterns.
import { execFile } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import ignore, { type Ignore } from 'ignore';

export interface Listed {
  raw: Buffer;
  path: string;
  /** `directory`: an ignored one that was not looked into. */
  kind: 'file' | 'link' | 'directory' | 'special';
  sizeBytes: number;
  executable: boolean;
  /** Of a link. */
  target?: Buffer;
  /** By .gitignore or git's other ignore files. */
  ignored: boolean;
}

export interface Listing {
  root: string;
  source: 'git' | 'walk';
  entries: Listed[];
}

const SLASH = Buffer.from('/');

/** `deep`: look into ignored directories too, because patterns may take files out of them. */
export async function listFiles(root: string, { deep = false, signal }: { deep?: boolean; signal?: AbortSignal } = {}): Promise<Listing> {
  const fromGit = await listByGit(root, deep, signal);
  // Nothing at all: the directory is itself ignored by a checkout around it, and yet it is what was asked for.
  if (fromGit !== undefined && fromGit.some((entry) => !entry.ignored)) return { root, source: 'git', entries: fromGit };
  const entries: Listed[] = [];
  walk(root, Buffer.alloc(0), [], false, deep, entries);
  return { root, source: 'walk', entries };
}

async function listByGit(root: string, deep: boolean, signal: AbortSignal | undefined, prefix: Buffer = Buffer.alloc(0)): Promise<Listed[] | undefined> {
  const [wanted, ignored] = await Promise.all([
    git(root, ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], signal),
    git(root, ['ls-files', '-z', '--others', '--ignored', '--exclude-standard', ...(deep ? [] : ['--directory'])], signal),
  ]);
  if (wanted === undefined || ignored === undefined) return undefined;
  const entries: Listed[] = [];
  // A file in a merge conflict is listed once for each side.
  const seen = new Set<string>();
  for (const raw of split(wanted)) {
    const key = raw.toString('latin1');
    if (seen.has(key)) continue;
    seen.add(key);
    const isDirectory = key.endsWith('/');
    const local = isDirectory ? raw.subarray(0, -1) : raw;
    const full = prefix.length > 0 ? Buffer.concat([prefix, SLASH, local]) : local;
    const entry = look(root, local, full, false);
    if (entry === undefined) continue; // Tracked, but deleted here.
    if (entry.kind !== 'directory') entries.push(entry);
    else entries.push(...(await listNested(root, local, full, deep, signal)));
  }
  let above: Buffer | undefined;
  for (const raw of split(ignored).sort(Buffer.compare)) {
    // git names a directory and what is in it when all of that is ignored for a reason of its own.
    if (above && raw.subarray(0, above.length).equals(above)) continue;
    const isDirectory = raw.at(-1) === 0x2f;
    if (isDirectory) above = raw;
    const local = isDirectory ? raw.subarray(0, -1) : raw;
    const full = prefix.length > 0 ? Buffer.concat([prefix, SLASH, local]) : local;
    const entry = look(root, local, full, true);
    if (entry) entries.push(entry);
  }
  return entries;
}

/** A submodule, or a checkout inside the checkout: git lists only its directory. It has its own index and ignore files. */
async function listNested(root: string, local: Buffer, full: Buffer, deep: boolean, signal: AbortSignal | undefined): Promise<Listed[]> {
  const directory = Buffer.concat([Buffer.from(`${root}/`), local]).toString('utf8');
  // Without a .git of its own git would answer for the checkout around it, for ever.
  if (!readdirSync(directory).includes('.git')) return [];
  return (await listByGit(directory, deep, signal, full)) ?? [];
}

function git(cwd: string, args: string[], signal: AbortSignal | undefined): Promise<Buffer | undefined> {
  // Inside a git hook these variables point at another checkout.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^GIT_(DIR|WORK_TREE|INDEX_FILE|PREFIX|OBJECT_DIRECTORY|COMMON_DIR)$/.test(name)));
  return new Promise((done, failed) => {
    execFile('git', ['-c', 'core.fsmonitor=false', ...args], { cwd, env: { ...env, GIT_OPTIONAL_LOCKS: '0' }, encoding: 'buffer', maxBuffer: 1 << 30, signal }, (error, stdout) => {
      if (error && signal?.aborted) failed(signal.reason as Error);
      else if (error) done(undefined); // No git, or no checkout: we can look ourselves.
      else done(stdout);
    });
  });
}

function split(listing: Buffer): Buffer[] {
  const names: Buffer[] = [];
  for (let start = 0; start < listing.length; ) {
    const end = listing.indexOf(0, start);
    names.push(listing.subarray(start, end));
    start = end + 1;
  }
  return names;
}

/** Undefined when it is not there (any more). */
function look(root: string, local: Buffer, full: Buffer, ignored: boolean): Listed | undefined {
  const place = Buffer.concat([Buffer.from(`${root}/`), local]);
  try {
    const stat = lstatSync(place);
    const kind = stat.isFile() ? 'file' : stat.isSymbolicLink() ? 'link' : stat.isDirectory() ? 'directory' : 'special';
    return {
      raw: full,
      path: full.toString('utf8'),
      kind,
      sizeBytes: kind === 'file' ? stat.size : 0,
      executable: (stat.mode & 0o111) !== 0,
      target: kind === 'link' ? readlinkSync(place, { encoding: 'buffer' }) : undefined,
      ignored,
    };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** One .gitignore and the directory that it speaks for. */
interface Rules {
  base: string;
  rules: Ignore;
}

function walk(root: string, directory: Buffer, outer: Rules[], ignoredAbove: boolean, deep: boolean, entries: Listed[]): void {
  const place = directory.length > 0 ? Buffer.concat([Buffer.from(`${root}/`), directory]) : Buffer.from(root);
  const rules = withGitignore(root, directory.toString('utf8'), outer);
  for (const name of readdirSync(place, { encoding: 'buffer' }).sort(Buffer.compare)) {
    if (name.toString('latin1') === '.git') continue;
    const full = directory.length > 0 ? Buffer.concat([directory, SLASH, name]) : name;
    const entry = look(root, full, full, false);
    if (entry === undefined) continue;
    entry.ignored = ignoredAbove || isIgnored(entry, rules);
    if (entry.kind !== 'directory') entries.push(entry);
    else if (entry.ignored && !deep) entries.push(entry);
    else walk(root, full, rules, entry.ignored, deep, entries);
  }
}

function withGitignore(root: string, base: string, outer: Rules[]): Rules[] {
  try {
    const rules = ignore({ ignorecase: false }).add(readFileSync(join(root, base, '.gitignore'), 'utf8'));
    return [...outer, { base, rules }];
  } catch (error) {
    if (['ENOENT', 'EISDIR', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return outer;
    throw error;
  }
}

/** The deepest .gitignore that has an opinion decides. */
function isIgnored(entry: Listed, rules: Rules[]): boolean {
  for (const { base, rules: own } of rules.toReversed()) {
    const inside = base === '' ? entry.path : entry.path.slice(base.length + 1);
    const { ignored, unignored } = own.test(entry.kind === 'directory' ? `${inside}/` : inside);
    if (ignored || unignored) return ignored;
  }
  return false;
}
