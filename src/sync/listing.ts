// What lies in a tree: by asking git in a checkout, else by walking it and reading git's files ourselves, with the same answer.
// Says what is ignored but decides nothing: plan.ts does.
import { execFile } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { checkoutAt } from './checkout.ts';
import { type Listed, look } from './entry.ts';
import { walkTree } from './walk.ts';

export interface Listing {
  root: string;
  source: 'git' | 'walk';
  entries: Listed[];
}

const SLASH = Buffer.from('/');

/** `useGit`: false on computers where it is not to be trusted, and in tests. `deep`: look into ignored directories too, because patterns may take files out of them. */
export async function listFiles(root: string, { deep = false, signal, useGit = true }: { deep?: boolean; signal?: AbortSignal; useGit?: boolean } = {}): Promise<Listing> {
  const fromGit = useGit && mayBeInCheckout(root) ? await listByGit(root, deep, signal) : undefined;
  // Nothing at all: the directory is itself ignored by a checkout around it, and yet it is what was asked for.
  if (fromGit !== undefined && fromGit.some((entry) => !entry.ignored)) return { root, source: 'git', entries: fromGit };
  return { root, source: 'walk', entries: walkTree(root, deep) };
}

/** Whether git could find a checkout from here: where it could not, two processes less are started for every listing. */
function mayBeInCheckout(root: string): boolean {
  for (let place = existsSync(root) ? realpathSync(root) : root; ; place = dirname(place)) {
    if (existsSync(join(place, '.git'))) return true;
    if (dirname(place) === place) return false;
  }
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
  if (checkoutAt(directory) === undefined) return [];
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
