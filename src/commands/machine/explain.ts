// The text of --explain: what goes, what does not and why, in lines that stay readable for ten thousand files.
import type { App } from '../../engine/app.ts';
import type { SyncExplanation } from '../../engine/explain-sync.ts';
import { type Style, formatBytes } from '../../ui/style.ts';
import { renderFacts } from './facts.ts';
import { summarise } from './tree-summary.ts';

/** What --explain does instead of the command. */
export async function explain(app: App, script: string, flags: { includePattern: string[]; projectRoot?: string | undefined }): Promise<SyncExplanation> {
  const { explainSync } = await import('../../engine/explain-sync.ts');
  return explainSync(app, { script, includePatterns: flags.includePattern, projectRoot: flags.projectRoot });
}

export function isExplanation(result: object): result is SyncExplanation {
  return 'skipped' in result && 'route' in result;
}

/** Of files that go, and of paths that stay for one reason. */
const MOST_LINES = { sent: 40, skipped: 8 };

export function explainText(explanation: SyncExplanation, style: Style): string {
  const { root, why, marker, script, fileCount, bytes, files, skipped, warnings } = explanation;
  return [
    ...renderFacts([
      ['Project', shown(root)],
      ['Because', `${why}${marker === undefined ? '' : ` (${shown(marker)})`}`],
      ['Script', shown(script)],
      ['Goes', `${count(fileCount, 'file')}, ${formatBytes(bytes)}; about ${formatBytes(explanation.packedBytes)} packed`],
      ['Way', wayOf(explanation)],
    ]),
    '',
    style.bold('Goes'),
    ...summarise(files, MOST_LINES.sent).map((line) => `  ${formatBytes(line.bytes).padStart(10)}  ${shown(line.path)}${line.path.endsWith('/') ? style.dim(`  ${count(line.files, 'file')}`) : ''}`),
    '',
    style.bold('Stays here'),
    ...(skipped.length === 0 ? ['  nothing'] : groups(skipped).flatMap(({ title, paths }) => [`  ${title}`, ...pathsText(paths).map((line) => `      ${line}`)])),
    ...(warnings.length === 0 ? [] : ['', ...warnings.map((text) => `${style.warn('!')} ${shown(text)}`)]),
    '',
    style.dim('Nothing was sent and nothing was asked of a cloud. To send more: --include-pattern GLOB, or sync.include; to send less: sync.exclude.'),
  ].join('\n');
}

function wayOf({ route, bucket, maxDirectBytes, packedBytes }: SyncExplanation): string {
  if (route === 'bucket') return `through s3://${bucket}`;
  if (route === 'direct') return `through the machine's own channel: no bucket is configured, and up to ${formatBytes(maxDirectBytes)} packed need none`;
  return `none: ${formatBytes(packedBytes)} packed are too much without a bucket (at most ${formatBytes(maxDirectBytes)}); runctl config set aws.s3_bucket my-bucket`;
}

/** By rule; the rules that leave out most come first. */
function groups(skipped: SyncExplanation['skipped']): { title: string; paths: string[] }[] {
  const byRule = new Map<string, string[]>();
  for (const { path, explanation, reason, rule } of skipped) {
    const title = reason === 'gitignore' ? `${explanation}${rule === undefined ? '' : `  ${rule}`}` : `${explanation}${rule === undefined ? '' : `  ${reason === 'exclude' ? '' : 'built-in: '}${rule}`}`;
    const paths = byRule.get(title);
    if (paths) paths.push(path);
    else byRule.set(title, [path]);
  }
  return [...byRule].map(([title, paths]) => ({ title: shown(title), paths })).sort((a, b) => b.paths.length - a.paths.length);
}

function pathsText(paths: string[]): string[] {
  return summarise(paths.map((path) => ({ path, bytes: 0 })), MOST_LINES.skipped).map(({ path, files }) => `${shown(path)}${files > 1 ? `  ${count(files, 'path')}` : ''}`);
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}

/** Names may hold anything; those that would disturb a terminal or a line are quoted. */
function shown(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return /[\u0000-\u001f\u007f-\u009f]/.test(text) ? JSON.stringify(text).replace(/[\u007f-\u009f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`) : text;
}
