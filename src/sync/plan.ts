// Which files go to the machine, which stay, and why. `planTree` is pure, over a listing; `listTree` makes the listing first.
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import ignore from 'ignore';
import { RunctlError } from '../core/errors.ts';
import { listFiles, type Listed, type Listing } from './listing.ts';

export interface PlannedFile {
  raw: Buffer;
  path: string;
  sizeBytes: number;
  executable: boolean;
  /** Where a link points; undefined for files. */
  target?: Buffer;
}

export type SkipReason = 'git' | 'secret' | 'cache' | 'output' | 'exclude' | 'gitignore' | 'special' | 'link-outside';

export interface SkippedFile {
  /** Ends with a slash when a whole directory stays. */
  path: string;
  reason: SkipReason;
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
  /** Must be among the files. */
  script: string;
  include?: string[];
  exclude?: string[];
  /** Where results are put, absolute or relative to the root: never sent. */
  outputDir?: string;
}

/** Never sent unless an include pattern says so: they hold secrets, or belong to this computer. As in .gitignore. */
const SECRETS = ['.env*', '.netrc', '.aws/', '.ssh/', '*.pem', 'id_rsa', 'id_ed25519', 'id_ecdsa', '.pypirc', '.git-credentials'];
const CACHES = [
  '__pycache__/', '*.pyc', '.venv', 'venv', 'node_modules', '.mypy_cache/', '.pytest_cache/', '.ruff_cache/', '.ipynb_checkpoints/', '.tox/', '.nox/', '.hg/', '.svn/', '.DS_Store',
];
const LARGE_BYTES = 50 * 1024 * 1024;

export async function listTree(options: PlanOptions & { root: string; signal?: AbortSignal }): Promise<SyncPlan> {
  const listing = await listFiles(options.root, { deep: (options.include?.length ?? 0) > 0, signal: options.signal });
  return planTree(listing, options);
}

export function planTree(listing: Listing, options: PlanOptions): SyncPlan {
  const judge = judgement(listing.root, options);
  const files: PlannedFile[] = [];
  const skipped: SkippedFile[] = [];
  for (const entry of listing.entries) {
    const reason = judge(entry);
    if (reason === undefined) files.push({ raw: entry.raw, path: entry.path, sizeBytes: entry.sizeBytes, executable: entry.executable, target: entry.target });
    else skipped.push({ path: entry.kind === 'directory' ? `${entry.path}/` : entry.path, reason });
  }
  files.sort((a, b) => Buffer.compare(a.raw, b.raw));
  const reasons: SyncPlan['reasons'] = {};
  for (const { reason } of skipped) reasons[reason] = (reasons[reason] ?? 0) + 1;
  requireScript(options.script, files, skipped);
  return { root: listing.root, files, bytes: files.reduce((sum, file) => sum + file.sizeBytes, 0), skipped, reasons, warnings: warningsOf(files, skipped) };
}

function judgement(root: string, { include = [], exclude = [], outputDir }: PlanOptions): (entry: Listed) => SkipReason | undefined {
  const matcher = (patterns: string[]) => {
    const rules = ignore({ ignorecase: false }).add(patterns);
    return ({ path, kind }: Listed) => rules.ignores(kind === 'directory' ? `${path}/` : path);
  };
  const output = outputDir === undefined ? '' : relative(root, resolve(root, outputDir));
  const isOutput = ({ path }: Listed): boolean => output !== '' && !output.startsWith('..') && !isAbsolute(output) && (path === output || path.startsWith(`${output}/`));
  const [isIncluded, isExcluded, isSecret, isCache] = [include, exclude, SECRETS, CACHES].map(matcher) as [Match, Match, Match, Match];
  return (entry) => {
    if (/(^|\/)\.git(\/|$)/.test(entry.path)) return 'git';
    if (entry.kind === 'special') return 'special';
    if (entry.kind === 'link' && !staysInside(entry)) return 'link-outside';
    if (entry.kind !== 'directory' && include.length > 0 && isIncluded(entry)) return undefined;
    if (isOutput(entry)) return 'output';
    if (isSecret(entry)) return 'secret';
    if (isCache(entry)) return 'cache';
    if (isExcluded(entry)) return 'exclude';
    return entry.ignored || entry.kind === 'directory' ? 'gitignore' : undefined;
  };
}

type Match = (entry: Listed) => boolean;

/** Only the link itself would travel; what it points to must travel too. Decided on the text: nothing is followed. */
function staysInside({ path, target }: Listed): boolean {
  const text = target!.toString('utf8');
  if (isAbsolute(text)) return false;
  const end = join(dirname(path), text);
  return end !== '..' && !end.startsWith('../');
}

function requireScript(script: string, files: PlannedFile[], skipped: SkippedFile[]): void {
  if (files.some((file) => file.path === script)) return;
  const stays = skipped.find(({ path }) => path === script || (path.endsWith('/') && script.startsWith(path)));
  throw new RunctlError('script-missing', `the script ${script} would not be sent to the machine`, {
    cause: stays === undefined ? 'It is not among the files of the project.' : `${stays.path} is left out: ${EXPLANATIONS[stays.reason]}.`,
    hints: [`--include-pattern ${JSON.stringify(script)}`],
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
};

function warningsOf(files: PlannedFile[], skipped: SkippedFile[]): string[] {
  const large = files.filter((file) => file.sizeBytes > LARGE_BYTES).map(({ path, sizeBytes }) => `${JSON.stringify(path)} (${Math.round(sizeBytes / 1048576)} MiB) goes to the machine with the code; to leave it out, add it to exclude in [sync] of .runctl.toml`);
  const outside = skipped.filter(({ reason }) => reason === 'link-outside').map(({ path }) => `${JSON.stringify(path)} is not sent: it ${EXPLANATIONS['link-outside']}`);
  const most = 5;
  return [large, outside].flatMap((list) => (list.length > most ? [...list.slice(0, most), `and ${list.length - most} more like this`] : list));
}
