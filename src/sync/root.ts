// Which directory is the project: the one tree that goes to the machine, and the script's path in it. One rule for every
// caller. Symlinks are resolved once, for the script's directory, so that root and script always speak of the same tree.
import { existsSync, realpathSync, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { RunctlError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';

export interface ProjectRoot {
  /** Absolute, symlinks resolved. */
  directory: string;
  /** One sentence for people: why this directory. */
  why: string;
  /** The file or directory that decided, when one did. */
  marker?: string;
  /** Path of the script in it, with slashes. */
  script: string;
}

export interface RootRequest {
  cwd: string;
  script: string;
  /** From `--project-root`: decides alone. */
  projectRoot?: string;
}

/** Nearest first; within a directory the first of these that exists is named as the reason. */
const MARKERS = ['.runctl.toml', 'pyproject.toml', 'setup.py', 'setup.cfg', 'requirements.txt', 'environment.yml', 'uv.lock', 'Pipfile', 'package.json', 'Cargo.toml', 'go.mod', 'Makefile'];

export async function findProjectRoot({ cwd, script, projectRoot }: RootRequest): Promise<ProjectRoot> {
  const asked = resolve(cwd, script);
  const kind = kindOf(asked);
  if (kind !== 'file') throw missing(asked, kind, cwd);
  const file = join(realpathSync(dirname(asked)), basename(asked));
  const root = projectRoot === undefined ? detect(dirname(file)) : given(resolve(cwd, projectRoot));
  const inside = below(root.directory, file);
  // A script that is itself a link must not lead out of the tree: only the link would arrive on the machine.
  if (inside === undefined || below(root.directory, realpathSync(file)) === undefined) throw outside(root, file, realpathSync(file));
  return { ...root, script: inside.split(sep).join('/') };
}

type Detected = Omit<ProjectRoot, 'script'>;

/** The project that a directory lies in, when a git checkout or a project file says so. */
export function projectAround(directory: string): string | undefined {
  const found = detect(realpathSync(directory));
  return found.marker === undefined ? undefined : found.directory;
}

function given(directory: string): Detected {
  if (kindOf(directory) !== 'directory') {
    throw new RunctlError('script-missing', `the project root ${directory} is not a directory`, { hints: [`ls -ld ${directory}`, 'runctl aws train INSTANCE_ID SCRIPT --project-root DIRECTORY'], data: { root: directory } });
  }
  return { directory: realpathSync(directory), why: 'given by --project-root' };
}

function detect(scriptDirectory: string): Detected {
  const ancestors: string[] = [];
  for (let directory = scriptDirectory; ; directory = dirname(directory)) {
    ancestors.push(directory);
    if (dirname(directory) === directory) break;
  }
  // `.git` is a file in submodules and linked worktrees: they are checkouts of their own.
  // A checkout of the home directory keeps settings of programs; what lies below is no part of it.
  const checkout = ancestors.find((directory) => existsSync(join(directory, '.git')) && !isEverybodys(directory));
  if (checkout !== undefined) return { directory: checkout, why: 'the git checkout that holds the script', marker: join(checkout, '.git') };
  for (const directory of ancestors.filter((candidate) => (candidate === scriptDirectory ? !isEverybodys(candidate) : !isNobodysProject(candidate)))) {
    const marker = MARKERS.find((name) => existsSync(join(directory, name)));
    if (marker !== undefined) return { directory, why: `the nearest directory with a project file (${marker})`, marker: join(directory, marker) };
  }
  if (isEverybodys(scriptDirectory)) throw tooWide(scriptDirectory);
  return { directory: scriptDirectory, why: 'the directory of the script: no git checkout and no project file above it' };
}

/** A stray package.json in the home directory must not make all of it the project; nor one in / or /tmp. */
function isNobodysProject(directory: string): boolean {
  return isEverybodys(directory) || (statSync(directory).mode & 0o002) !== 0;
}

/** The home directory, /, and directories such as /tmp, where anybody may put things but only remove their own. */
function isEverybodys(directory: string): boolean {
  return directory === dirname(directory) || directory === realHome() || (statSync(directory).mode & 0o1002) === 0o1002;
}

function realHome(): string {
  const home = homedir();
  return existsSync(home) ? realpathSync(home) : home;
}

function kindOf(path: string): 'file' | 'directory' | 'other' | 'none' {
  try {
    const stat = statSync(path);
    return stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'other';
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return 'none';
    throw error;
  }
}

/** Relative path, or undefined when `path` is not below `directory`. */
function below(directory: string, path: string): string | undefined {
  const inside = relative(directory, path);
  return inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside) ? undefined : inside;
}

function missing(file: string, kind: 'directory' | 'other' | 'none', cwd: string): RunctlError {
  const directory = dirname(file);
  const siblings = kindOf(directory) === 'directory' ? readdirSync(directory) : [];
  const meant = nearest(basename(file), siblings);
  return new RunctlError('script-missing', kind === 'none' ? `there is no script ${file}` : `the script ${file} is a ${kind === 'directory' ? 'directory' : 'special file'}`, {
    cause: meant !== undefined && kind === 'none' ? `Did you mean ${relative(cwd, join(directory, meant)) || meant}?` : siblings.length === 0 && kind === 'none' ? `The directory ${directory} ${kindOf(directory) === 'directory' ? 'is empty' : 'does not exist'}.` : undefined,
    hints: [`ls ${directory}`],
    data: { script: file },
  });
}

function tooWide(directory: string): RunctlError {
  return new RunctlError('script-missing', `the script lies in ${directory} itself, and all of that directory would be the project`, {
    cause: 'The project is what goes to the machine: the git checkout, else the nearest directory with a project file, else the directory of the script. The home directory, / and directories for temporary files are taken for it only when they are named.',
    hints: ['mkdir my-project', `--project-root ${directory}`],
    data: { root: directory },
  });
}

function outside(root: Detected, file: string, target: string): RunctlError {
  const link = target === file ? '' : `, a link to ${target},`;
  return new RunctlError('script-missing', `the script ${file}${link} lies outside the project ${root.directory}`, {
    cause: `The project is ${root.directory}: ${root.why}${root.marker === undefined ? '' : ` (${root.marker})`}. Only what lies in it goes to the machine.`,
    hints: [`--project-root ${dirname(target)}`, `cp ${target} ${root.directory}/`],
    data: { root: root.directory, marker: root.marker, script: file },
  });
}
