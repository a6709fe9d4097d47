// A script that failed for want of a file: is that file here, and why was it not sent? Reads what Python writes at the end of
// a log; says nothing when it is not sure.
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, normalize, relative } from 'node:path';
import { type SkippedFile, type SyncPlan, asPattern, whyOf } from './plan.ts';

/** What the log says is missing: paths as they may lie in the project, the likeliest first. */
interface Missing {
  what: string;
  paths: string[];
  /** Python looks for modules beside the script first, for files in the working directory, which is the project's root. */
  isModule: boolean;
}

export interface Advice {
  /** One sentence: what is missing, and why it is not there. */
  why: string;
  /** The flag that brings it. */
  flag?: string;
}

/** Undefined when nothing of this computer is missed. `script`: its path in the project. */
export function missingFileAdvice(logTail: string, plan: SyncPlan, script: string): Advice | undefined {
  const missing = lastMissing(logTail);
  if (missing === undefined) return undefined;
  const beside = dirname(script) === '.' ? '' : dirname(script);
  const places = [...new Set(missing.isModule ? [beside, '', 'src'] : ['', beside])];
  const candidates = places.flatMap((place) => missing.paths.map((path) => (isAbsolute(path) ? inProject(plan.root, path) : normalize(join(place, path)))));
  const sent = sentPlaces(plan);
  for (const path of candidates) {
    if (path === undefined || path === '.' || path.startsWith('..')) continue;
    const local = join(plan.root, path);
    if (!existsSync(local)) continue;
    const stays = skippedAt(plan, path, sent);
    if (stays) return leftOut(plan.root, missing.what, path, stays);
    // It is there, so it is something else that the script misses.
    if (missing.isModule && sent.has(path)) return undefined;
    if (lstatSync(local).isDirectory() && !sent.has(path) && readdirSync(local).length === 0) return { why: `${missing.what} is an empty directory, and those are not sent: let the script make it, with os.makedirs(..., exist_ok=True)` };
  }
  return outside(plan.root, missing, script) ?? elsewhere(missing);
}

function leftOut(root: string, what: string, path: string, stays: SkippedFile): Advice {
  const directory = lstatSync(join(root, path)).isDirectory();
  return {
    why: `${what} is here as ${path}${directory ? '/' : ''} but was not sent: ${stays.path} ${stays.reason === 'gitignore' ? 'is ' : ''}${whyOf(root, stays)}`,
    flag: `--include-pattern ${JSON.stringify(`${asPattern(path)}${directory ? '/' : ''}`)}`,
  };
}

/** The last complaint in the log. */
function lastMissing(log: string): Missing | undefined {
  const complaints = [
    ...[...log.matchAll(/ModuleNotFoundError: No module named '([\w.]+)'/g)].map((match) => ({ at: match.index, missing: ofModule(match[1]!) })),
    ...[...log.matchAll(/ImportError: cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'/g)].map((match) => ({ at: match.index, missing: ofModule(`${match[2]}.${match[1]}`) })),
    ...[...log.matchAll(/(?:FileNotFoundError|OSError|RuntimeError|NotADirectoryError)\b.*?(?:No such file or directory|Not a directory|does not exist|Unable to open file)[^'"\n]*(['"])(.+?)\1/g)].map((match) => ({ at: match.index, missing: ofFile(match[2]!) })),
    // Shells and programs in C: "cat: data/x.csv: No such file or directory".
    ...[...log.matchAll(/^[\w./-]+: (?:cannot open |can't open )?'?([^\s':][^':\n]*?)'?: No such file or directory$/gm)].map((match) => ({ at: match.index, missing: ofFile(match[1]!) })),
  ];
  return complaints.sort((a, b) => a.at - b.at).at(-1)?.missing;
}

function ofModule(name: string): Missing {
  const path = name.split('.').join('/');
  const first = name.split('.')[0]!;
  // Whole packages after their parts: of `a.b` only `a` may be left out.
  const paths = [`${path}.py`, path, ...(first === path ? [] : [`${first}.py`, first])];
  return { what: `module ${name}`, paths, isModule: true };
}

function ofFile(path: string): Missing {
  return { what: JSON.stringify(path), paths: [path.replace(/\\\\/g, '\\')], isModule: false };
}

/** An absolute path of this project, or of where its code lies on the machine. */
function inProject(root: string, path: string): string | undefined {
  const here = relative(root, path);
  if (!here.startsWith('..')) return here;
  return /\/runctl\/runs\/[^/]+\/code\/(.+)$/.exec(path)?.[1];
}

/** The entry by which the path stays here: itself, a directory around it, or, for a directory of which nothing was sent, something in it. */
function skippedAt(plan: SyncPlan, path: string, sent: Set<string>): SkippedFile | undefined {
  return plan.skipped.find((skipped) => skipped.path === path || skipped.path === `${path}/` || (skipped.path.endsWith('/') && path.startsWith(skipped.path)))
    ?? (sent.has(path) ? undefined : plan.skipped.find((skipped) => skipped.path.startsWith(`${path}/`)));
}

/** Every path that is there on the machine, directories too. */
function sentPlaces(plan: SyncPlan): Set<string> {
  const there = new Set<string>();
  for (const { path } of plan.files) for (let place = path; place !== '.' && !there.has(place); place = dirname(place)) there.add(place);
  return there;
}

/** A module or file that lies beside the project, not in it. */
function outside(root: string, { what, paths }: Missing, script: string): Advice | undefined {
  const parent = dirname(root);
  if (parent === root) return undefined;
  const found = paths.filter((path) => !isAbsolute(path)).map((path) => normalize(join(parent, path.replace(/^(\.\.\/)+/, '')))).find((path) => existsSync(path));
  if (found === undefined || basename(found) === '') return undefined;
  return { why: `${what} is here as ${found}, outside of the project ${root}, so it was not sent (the script is ${script})`, flag: `--project-root ${parent}` };
}

/** An absolute path of this computer. */
function elsewhere({ what, paths: [path = ''] }: Missing): Advice | undefined {
  if (!isAbsolute(path) || !existsSync(path)) return undefined;
  return { why: `${what} is a file of this computer, outside of the project: put it into the project and name it by a relative path` };
}
