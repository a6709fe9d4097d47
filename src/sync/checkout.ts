// What a git checkout says about its files, read without git: where it begins, which ignore files count besides .gitignore,
// what is tracked. For computers that have no git, and for explaining; where there is one, listing.ts asks it.
import { lstatSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { latin1 } from './ignore-rules.ts';

export interface Checkout {
  /** Absolute, the directory that holds `.git`. */
  directory: string;
  /** Where the index lies. */
  gitDirectory: string;
  /** Where info/exclude and the config lie: another one only in linked worktrees. */
  commonDirectory: string;
}

/** The checkout that `directory` lies in, itself included. */
export function checkoutAround(directory: string): Checkout | undefined {
  for (let place = directory; ; place = dirname(place)) {
    const found = checkoutAt(place);
    if (found !== undefined || dirname(place) === place) return found;
  }
}

/** Whether `directory` is the top of a checkout: `.git` is a repository, or a file that names one (submodules, worktrees). */
export function checkoutAt(directory: string): Checkout | undefined {
  const dotGit = join(directory, '.git');
  const kind = kindOf(dotGit);
  if (kind === undefined) return undefined;
  const gitDirectory = kind === 'file' ? named(dotGit, /^gitdir: (.+?)\r?\n*$/) : dotGit;
  if (gitDirectory === undefined || kindOf(join(gitDirectory, 'HEAD')) !== 'file') return undefined;
  const commonDirectory = named(join(gitDirectory, 'commondir'), /^(.+?)\r?\n*$/) ?? gitDirectory;
  if (kindOf(join(commonDirectory, 'objects')) !== 'directory') return undefined;
  return { directory, gitDirectory, commonDirectory };
}

function kindOf(path: string): 'file' | 'directory' | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isDirectory() ? 'directory' : stat?.isFile() ? 'file' : undefined;
}

function named(file: string, line: RegExp): string | undefined {
  const name = line.exec(readIfThere(file)?.toString('utf8') ?? '')?.[1];
  return name === undefined ? undefined : resolve(dirname(file), name);
}

export interface IgnoreSettings {
  /** Files of patterns for the whole checkout, the weakest first. */
  files: string[];
  ignoreCase: boolean;
  /** Bytes of an object id. */
  idBytes: number;
}

export function ignoreSettings({ directory, commonDirectory }: Checkout, env: NodeJS.ProcessEnv = process.env): IgnoreSettings {
  const home = env['HOME'] ?? homedir();
  const xdg = env['XDG_CONFIG_HOME'] ? env['XDG_CONFIG_HOME'] : join(home, '.config');
  const personal = env['GIT_CONFIG_GLOBAL'] === undefined ? [join(xdg, 'git/config'), join(home, '.gitconfig')] : [env['GIT_CONFIG_GLOBAL']];
  const system = env['GIT_CONFIG_NOSYSTEM'] === undefined ? [env['GIT_CONFIG_SYSTEM'] ?? '/etc/gitconfig'] : [];
  const config = new Map([...system, ...personal, join(commonDirectory, 'config')].flatMap((file) => [...readConfig(file)]));
  const excludes = config.get('core.excludesfile');
  const excludesFile = excludes === undefined ? join(xdg, 'git/ignore') : resolve(directory, excludes.replace(/^~(?=\/)/, home));
  return {
    files: [excludesFile, join(commonDirectory, 'info/exclude')],
    ignoreCase: /^(true|yes|on|1)$/i.test(config.get('core.ignorecase') ?? ''),
    idBytes: config.get('extensions.objectformat') === 'sha256' ? 32 : 20,
  };
}

/** `section.key` in small letters to the last value. Sub-sections and includes are left out: nothing that is asked for stands in them. */
function readConfig(file: string): Map<string, string> {
  const values = new Map<string, string>();
  let section = '';
  for (const line of (readIfThere(file)?.toString('utf8') ?? '').split(/\r?\n/)) {
    const header = /^\s*\[([^\]]*)\]\s*(.*)$/.exec(line);
    if (header) section = header[1]!.trim().toLowerCase();
    const entry = /^\s*([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*))?$/.exec(header ? header[2]! : line);
    if (entry) values.set(`${section}.${entry[1]!.toLowerCase()}`, entry[2] === undefined ? 'true' : unquoted(entry[2]));
  }
  return values;
}

function unquoted(value: string): string {
  let text = '';
  let quoted = false;
  for (let i = 0; i < value.length; i++) {
    const char = value[i]!;
    if (char === '"') quoted = !quoted;
    else if (char === '\\') text += { n: '\n', t: '\t', b: '\b' }[value[++i] ?? ''] ?? value[i] ?? '';
    else if (!quoted && (char === '#' || char === ';')) break;
    else text += char;
  }
  return quoted ? text : text.trimEnd();
}

/** What the checkout around `root` tracks in it, relative to it; by the latin1 form of the paths. Submodules are among them. */
export function trackedBelow(root: string): Map<string, Buffer> {
  const checkout = checkoutAround(root);
  if (checkout === undefined) return new Map();
  const above = aboveOf(checkout, root);
  const paths = trackedPaths(checkout, ignoreSettings(checkout).idBytes);
  return new Map(paths.flatMap((path) => {
    const text = path.toString('latin1');
    return text.startsWith(above) ? [[text.slice(above.length), path.subarray(above.length)] as const] : [];
  }));
}

/** What stands between the top of the checkout and `root`, in latin1: '' or 'a/b/'. */
export function aboveOf(checkout: Checkout, root: string): string {
  const between = relative(checkout.directory, root);
  return between === '' ? '' : `${latin1(between.split(sep).join('/'))}/`;
}

/** From the top of the checkout, as bytes. */
function trackedPaths({ gitDirectory }: Checkout, idBytes: number): Buffer[] {
  const index = readIfThere(join(gitDirectory, 'index'));
  if (index === undefined || index.toString('latin1', 0, 4) !== 'DIRC') return [];
  const version = index.readUInt32BE(4);
  const paths: Buffer[] = [];
  let previous: Buffer = Buffer.alloc(0);
  let at = 12;
  for (let left = index.readUInt32BE(8); left > 0; left--) {
    // Ten numbers of file facts, the object id, then flags; a bit of them says that there are more (git, index-format).
    const mode = index.readUInt32BE(at + 24);
    const flags = at + 40 + idBytes;
    let nameAt = flags + 2 + (version >= 3 && index.readUInt16BE(flags) & 0x4000 ? 2 : 0);
    let kept: Buffer = Buffer.alloc(0);
    if (version === 4) {
      const strip = offsetNumber(index, nameAt);
      nameAt = strip.end;
      kept = previous.subarray(0, previous.length - strip.value);
    }
    const end = index.indexOf(0, nameAt);
    previous = Buffer.concat([kept, index.subarray(nameAt, end)]);
    at = version === 4 ? end + 1 : at + Math.ceil((end - at + 1) / 8) * 8;
    // A directory as an entry stands for files that a sparse checkout does not have.
    if (mode !== 0o040000) paths.push(previous);
  }
  return paths;
}

/** A number in git's offset encoding: seven bits a byte, each continuation adds one. */
function offsetNumber(bytes: Buffer, at: number): { value: number; end: number } {
  let byte = bytes[at++]!;
  let value = byte & 0x7f;
  while (byte & 0x80) {
    byte = bytes[at++]!;
    value = (value + 1) * 128 + (byte & 0x7f);
  }
  return { value, end: at };
}

/** `plain`: not through a link, as git reads a .gitignore. */
export function readIfThere(file: string | Buffer, { plain = false }: { plain?: boolean } = {}): Buffer | undefined {
  try {
    if (plain && !lstatSync(file).isFile()) return undefined;
    return readFileSync(file);
  } catch (error) {
    if (['ENOENT', 'EISDIR', 'ENOTDIR', 'ELOOP', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

