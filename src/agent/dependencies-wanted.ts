// What a project asks to have installed, decided from the local tree: nothing is asked of a machine to find out that there is
// nothing to do. Order: the script's own block (PEP 723); else, from the script's directory upward to the project root, the first
// directory with uv.lock beside pyproject.toml, requirements.txt, or pyproject.toml with [project] dependencies.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { RunctlError } from '../core/errors.ts';

export interface Wanted {
  /** `file`: a requirements file; `list`: the requirements themselves; `lock`: uv.lock. */
  kind: 'file' | 'list' | 'lock';
  /** For people, relative to the root: `sub/requirements.txt`, `train.py`. */
  source: string;
  /** Relative to the root, '' for the root itself. */
  directory: string;
  /** Of `file` and `lock`: its name in `directory`. */
  file: string;
  /** Of `list`: as in a requirements file. */
  requirements: string[];
  /** PEP 440, '' for any. */
  requiresPython: string;
  /** What is asked for directly, normalized. */
  names: string[];
  /** Hash of everything above that decides what gets installed. */
  key: string;
  /** False when the project's own directories are installed: such an environment belongs to one run. */
  shared: boolean;
}

/** Either what is wanted, or why there is nothing; no reason: no file says anything. */
export type Finding = { wanted: Wanted } | { wanted?: undefined; nothing?: string; unread?: string };

/** Files of tools that are not read here: seeing one and saying nothing would be a riddle. */
const UNREAD = ['environment.yml', 'environment.yaml', 'Pipfile', 'setup.py', 'setup.cfg'];

/** `script`: relative to `root`, with slashes. */
export async function findDependencies(root: string, script: string): Promise<Finding> {
  const block = script.endsWith('.py') ? await readBlock(root, script) : undefined;
  if (block) return block;
  let unread: string | undefined;
  for (let directory = clean(posix.dirname(script)); ; directory = clean(posix.dirname(directory))) {
    const found = await inDirectory(root, directory);
    if (found) return found;
    for (const name of UNREAD) if (unread === undefined && (await read(root, posix.join(directory, name))) !== undefined) unread = posix.join(directory, name);
    if (directory === '') return { unread };
  }
}

/** Nothing but a Python: an environment that adds nothing to it. */
export function onlyPython(): Wanted {
  return made({ kind: 'list', source: 'train.python', directory: '', file: '', requirements: [], requiresPython: '', names: [], shared: true }, '');
}

async function inDirectory(root: string, directory: string): Promise<Finding | undefined> {
  const pyproject = await read(root, posix.join(directory, 'pyproject.toml'));
  const lock = await read(root, posix.join(directory, 'uv.lock'));
  const project = pyproject === undefined ? undefined : await projectTable(pyproject, posix.join(directory, 'pyproject.toml'));
  if (lock !== undefined && project !== undefined) {
    return { wanted: made({ kind: 'lock', source: posix.join(directory, 'uv.lock'), directory, file: 'uv.lock', ...project, names: namesOf(project.requirements), shared: true }, lock + pyproject) };
  }
  const source = posix.join(directory, 'requirements.txt');
  const file = await read(root, source);
  if (file !== undefined) {
    const { text, lines, shared } = await wholeFile(root, source, file);
    if (lines.length === 0) return { nothing: `${source} asks for nothing` };
    return { wanted: made({ kind: 'file', source, directory, file: 'requirements.txt', requirements: [], requiresPython: project?.requiresPython ?? '', names: namesOf(lines), shared }, text) };
  }
  if (!project?.listed) return undefined;
  return listed(posix.join(directory, 'pyproject.toml'), directory, project.requirements, project.requiresPython);
}

function listed(source: string, directory: string, requirements: string[], requiresPython: string): Finding {
  if (requirements.length === 0) return { nothing: `${source} asks for nothing` };
  const shared = !requirements.some(isOwnPath);
  return { wanted: made({ kind: 'list', source, directory, file: '', requirements, requiresPython, names: namesOf(requirements), shared }, requirements.join('\n')) };
}

function made(wanted: Omit<Wanted, 'key'>, content: string): Wanted {
  const key = createHash('sha256').update(JSON.stringify([wanted.kind, wanted.requiresPython, content])).digest('hex');
  return { ...wanted, key };
}

/** PEP 723, "Specification": the reference implementation's expression, with line ends of either kind. */
const BLOCK = /^# \/\/\/ (?<type>[a-zA-Z0-9-]+)$\s(?<content>(?:^#(?:| .*)$\s)+)^# \/\/\/$/gm;

async function readBlock(root: string, script: string): Promise<Finding | undefined> {
  const text = ((await read(root, script)) ?? '').replaceAll('\r\n', '\n');
  const blocks = [...text.matchAll(BLOCK)].filter(({ groups }) => groups!['type'] === 'script');
  if (blocks.length === 0) return undefined;
  if (blocks.length > 1) throw unreadable(script, 'it has more than one "# /// script" block');
  const toml = blocks[0]!.groups!['content']!.replace(/^# ?/gm, '');
  const table = await parseToml(toml, `the "# /// script" block of ${script}`);
  if (table['dependencies'] === undefined) return undefined;
  const directory = clean(posix.dirname(script));
  return listed(script, directory, texts(table['dependencies'], script), textOf(table['requires-python']));
}

async function projectTable(toml: string, source: string): Promise<{ requirements: string[]; requiresPython: string; listed: boolean }> {
  const project = (await parseToml(toml, source))['project'];
  const table = typeof project === 'object' && project !== null ? (project as Record<string, unknown>) : {};
  const requirements = table['dependencies'] === undefined ? [] : texts(table['dependencies'], source);
  return { requirements, requiresPython: textOf(table['requires-python']), listed: table['dependencies'] !== undefined };
}

async function parseToml(toml: string, source: string): Promise<Record<string, unknown>> {
  const { parse } = await import('smol-toml');
  try {
    return parse(toml);
  } catch (error) {
    throw unreadable(source, (error as Error).message.split('\n')[0]!);
  }
}

function unreadable(source: string, cause: string): RunctlError {
  return new RunctlError('dependencies-failed', `${source} cannot be read`, { cause, hints: [`less ${source.split(' ').at(-1)}`], data: { source } });
}

function texts(value: unknown, source: string): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string' && !/[\r\n]/.test(item))) return value as string[];
  throw unreadable(source, 'dependencies must be a list of texts');
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A requirements file with everything that it includes: text for the hash, and its lines without options. */
async function wholeFile(root: string, path: string, content: string, seen = new Set<string>()): Promise<{ text: string; lines: string[]; shared: boolean }> {
  seen.add(path);
  let text = content;
  let shared = true;
  const lines: string[] = [];
  for (const line of content.replace(/\\\r?\n/g, ' ').split(/\r?\n/).map((one) => one.replace(/(^|\s)#.*$/, '').trim())) {
    if (line === '') continue;
    const include = /^(-r|-c|--requirement|--constraint)[\s=]*(.+)$/.exec(line);
    if (include) {
      const inner = posix.join(posix.dirname(path), include[2]!);
      const nested = seen.has(inner) || include[2]!.includes('://') ? undefined : await read(root, inner);
      if (nested === undefined) {
        if (include[1]!.includes('r')) lines.push(line);
        continue;
      }
      const deeper = await wholeFile(root, inner, nested, seen);
      text += `\0${inner}\0${deeper.text}`;
      shared &&= deeper.shared;
      if (/^(-r|--req)/.test(include[1]!)) lines.push(...deeper.lines);
    } else {
      shared &&= !isOwnPath(line);
      if (!line.startsWith('-') || /^(-e|--editable)/.test(line)) lines.push(line);
    }
  }
  return { text, lines, shared };
}

function isOwnPath(line: string): boolean {
  return /^(-e|--editable)[\s=]/.test(line) || /^(\.{1,2}([/\\[]|$)|\/|file:)/.test(line) || /@\s*(file:|\.)/.test(line) || /^[^\s@;]+\.(whl|zip|tar\.gz)(\s|;|$)/.test(line);
}

function namesOf(lines: string[]): string[] {
  const names = lines.flatMap((line) => /^([A-Za-z0-9][A-Za-z0-9._-]*)/.exec(line)?.[1] ?? []);
  return [...new Set(names.map((name) => name.replace(/[-_.]+/g, '-').toLowerCase()))].sort();
}

async function read(root: string, path: string): Promise<string | undefined> {
  if (path.startsWith('..')) return undefined;
  try {
    return await readFile(join(root, path), 'utf8');
  } catch (error) {
    if (['ENOENT', 'EISDIR', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

function clean(directory: string): string {
  return directory === '.' ? '' : directory;
}
