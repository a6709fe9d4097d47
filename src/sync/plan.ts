// Which files go to the machine, which stay, and why. `planTree` is pure, over a listing; `listTree` makes the listing first.
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { RunctlError } from '../core/errors.ts';
import { CACHES, SECRETS } from './defaults.ts';
import type { Listed } from './entry.ts';
import { type Rule, RuleList, parentOf, pathMatcher } from './ignore-rules.ts';
import { ruleFinder } from './ignored.ts';
import { listFiles, type Listing } from './listing.ts';

export interface PlannedFile {
  raw: Buffer;
  path: string;
  sizeBytes: number;
  executable: boolean;
  /** Where a link points; undefined for files. */
  target?: Buffer;
}

export type SkipReason = 'git' | 'secret' | 'cache' | 'output' | 'exclude' | 'gitignore' | 'special' | 'link-outside' | 'behind-link';

export interface SkippedFile {
  raw: Buffer;
  /** Ends with a slash when a whole directory stays. */
  path: string;
  reason: SkipReason;
  /** The pattern of runctl's own, or of sync.exclude, that it matches. For those of git see `ruleText`. */
  pattern?: string;
}

export interface SyncPlan {
  root: string;
  /** Sorted by the bytes of their names. */
  files: PlannedFile[];
  bytes: number;
  skipped: SkippedFile[];
  /** How many of `skipped` for each reason. */
  reasons: Partial<Record<SkipReason, number>>;
  warnings: string[];
}

export interface PlanOptions {
  /** Must be among the files, when given. */
  script?: string;
  include?: string[];
  exclude?: string[];
  /** Where results are put, absolute or relative to the root: never sent. */
  outputDir?: string;
}

const LARGE_BYTES = 50 * 1024 * 1024;

export async function listTree(options: PlanOptions & { root: string; signal?: AbortSignal }): Promise<SyncPlan> {
  const listing = await listFiles(options.root, { deep: (options.include?.length ?? 0) > 0, signal: options.signal });
  return planTree(listing, options);
}

export function planTree(listing: Listing, options: PlanOptions): SyncPlan {
  const judge = judgement(listing, options);
  const files: PlannedFile[] = [];
  const skipped: SkippedFile[] = [];
  for (const entry of listing.entries) {
    const verdict = judge(entry);
    if (verdict === undefined) files.push({ raw: entry.raw, path: entry.path, sizeBytes: entry.sizeBytes, executable: entry.executable, target: entry.target });
    else skipped.push({ raw: entry.raw, path: entry.kind === 'directory' ? `${entry.path}/` : entry.path, ...verdict });
  }
  files.sort((a, b) => Buffer.compare(a.raw, b.raw));
  const reasons: SyncPlan['reasons'] = {};
  for (const { reason } of skipped) reasons[reason] = (reasons[reason] ?? 0) + 1;
  if (options.script !== undefined) requireScript(listing.root, options.script, files, skipped);
  return { root: listing.root, files, bytes: files.reduce((sum, file) => sum + file.sizeBytes, 0), skipped, reasons, warnings: warningsOf(files, skipped) };
}

type Verdict = Pick<SkippedFile, 'reason' | 'pattern'>;

function judgement({ root, entries }: Listing, { include = [], exclude = [], outputDir }: PlanOptions): (entry: Listed) => Verdict | undefined {
  const matcher = (patterns: string[]) => {
    const match = pathMatcher(RuleList.ofPatterns(patterns));
    return ({ raw, kind }: Listed): Rule | undefined => match(raw.toString('latin1'), kind === 'directory');
  };
  const output = outputDir === undefined ? '' : relative(root, resolve(root, outputDir));
  const isOutput = ({ path }: Listed): boolean => output !== '' && !output.startsWith('..') && !isAbsolute(output) && (path === output || path.startsWith(`${output}/`));
  const [included, excluded, secret, cache] = [matcher(include), matcher(exclude), matcher(SECRETS), matcher(CACHES)];
  const environments = new Set(entries.filter(({ path }) => /(^|\/)pyvenv\.cfg$/.test(path)).map(({ path }) => parentOf(path)).filter((path) => path !== ''));
  const links = new Set(entries.filter(({ kind }) => kind === 'link').map(({ path }) => path));
  return (entry) => {
    if (/(^|\/)\.git(\/|$)/.test(entry.path)) return { reason: 'git' };
    // No system makes such names, but an index can be forged.
    if (entry.kind === 'special' || /(^|\/)\.?\.?(\/|$)/.test(entry.path)) return { reason: 'special' };
    if (entry.kind === 'link' && !staysInside(entry)) return { reason: 'link-outside' };
    // git may still track what lay in a directory that is a link by now.
    if (isBelow(entry.path, links) !== undefined) return { reason: 'behind-link' };
    if (entry.kind !== 'directory' && included(entry)) return undefined;
    if (isOutput(entry)) return { reason: 'output', pattern: output };
    const bySecret = secret(entry);
    if (bySecret) return { reason: 'secret', pattern: bySecret.pattern };
    const byCache = cache(entry)?.pattern;
    if (byCache !== undefined) return { reason: 'cache', pattern: byCache };
    // A virtual environment, whatever its name (PEP 405).
    const environment = isBelow(entry.path, environments);
    if (environment !== undefined) return { reason: 'cache', pattern: `${environment}/pyvenv.cfg` };
    const byExclude = excluded(entry);
    if (byExclude) return { reason: 'exclude', pattern: byExclude.pattern };
    return entry.ignored || entry.kind === 'directory' ? { reason: 'gitignore' } : undefined;
  };
}

/** The directory among these that the path lies in. */
function isBelow(path: string, directories: Set<string>): string | undefined {
  if (directories.size === 0) return undefined;
  for (let place = parentOf(path); place !== ''; place = parentOf(place)) if (directories.has(place)) return place;
  return undefined;
}

/** Only the link itself would travel; what it points to must travel too. Decided on the text: nothing is followed. */
function staysInside(link: Pick<PlannedFile, 'path' | 'target'>): boolean {
  const end = endOf(link);
  return end !== undefined && end !== '..' && !end.startsWith('../');
}

function endOf({ path, target }: Pick<PlannedFile, 'path' | 'target'>): string | undefined {
  const text = target!.toString('utf8');
  return isAbsolute(text) ? undefined : join(dirname(path), text);
}

function requireScript(root: string, script: string, files: PlannedFile[], skipped: SkippedFile[]): void {
  if (files.some((file) => file.path === script)) return;
  const stays = skipped.find(({ path }) => path === script || (path.endsWith('/') && script.startsWith(path)));
  throw new RunctlError('script-missing', `the script ${script} would not be sent to the machine`, {
    cause: stays === undefined ? 'It is not among the files of the project.' : `${stays.path} is left out: ${whyOf(root, stays)}.`,
    hints: [`--include-pattern ${JSON.stringify(asPattern(script))}`],
    data: { script, reason: stays?.reason },
  });
}

/** For `--explain` and messages. */
export const EXPLANATIONS: Record<SkipReason, string> = {
  git: 'belongs to git itself',
  secret: 'may hold secrets',
  cache: 'is a cache or an environment of this computer',
  output: 'results of runs',
  exclude: 'matches sync.exclude',
  gitignore: 'ignored by .gitignore',
  special: 'is neither a file nor a link',
  'link-outside': 'is a link that leads out of the project',
  'behind-link': 'lies behind a link',
};

/** The explanation with the rule: `ignored by .gitignore (.gitignore:3: data/)`. */
export function whyOf(root: string, skipped: SkippedFile): string {
  const rule = ruleText(root, skipped);
  return rule === undefined ? EXPLANATIONS[skipped.reason] : `${EXPLANATIONS[skipped.reason]} (${rule})`;
}

/** Where the rule stands and what it says; for git's rules the file is relative to the root when it lies in it. */
export function ruleText(root: string, skipped: SkippedFile, find = ruleFinder(root)): string | undefined {
  if (skipped.reason !== 'gitignore') return skipped.pattern;
  const rule = find(skipped.raw, skipped.path.endsWith('/'));
  if (rule?.file === undefined) return undefined;
  const inside = relative(root, rule.file);
  return `${inside.startsWith('..') ? rule.file : inside}:${rule.line}: ${rule.pattern}`;
}

/** A pattern that matches exactly this path. */
export function asPattern(path: string): string {
  return path.replace(/[\\*?[]|^[!#]| $/g, '\\$&');
}

function warningsOf(files: PlannedFile[], skipped: SkippedFile[]): string[] {
  const large = files.filter((file) => file.sizeBytes > LARGE_BYTES).map(({ path, sizeBytes }) => `${JSON.stringify(path)} (${Math.round(sizeBytes / 1048576)} MiB) goes to the machine with the code; to leave it out, add it to exclude in [sync] of .runctl.toml`);
  const outside = skipped.filter(({ reason }) => reason === 'link-outside').map(({ path }) => `${JSON.stringify(path)} is not sent: it ${EXPLANATIONS['link-outside']}`);
  const most = 5;
  return [large, outside, danglingLinks(files)].flatMap((list) => (list.length > most ? [...list.slice(0, most), `and ${list.length - most} more like this`] : list));
}

/** Links go as they are; one whose end does not go leads nowhere on the machine. */
function danglingLinks(files: PlannedFile[]): string[] {
  const links = files.filter((file) => file.target);
  if (links.length === 0) return [];
  const there = new Set(['.']);
  for (const { path } of files) for (let place = path; place !== '' && !there.has(place); place = parentOf(place)) there.add(place);
  return links.filter((link) => !there.has(endOf(link)!.replace(/\/$/, ''))).map((link) => `${JSON.stringify(link.path)} is a link to ${JSON.stringify(link.target!.toString('utf8'))}, which is not sent`);
}
