// What would go to a machine and what would not, and why: everything about a sync that can be known before a cloud is asked.
import { estimatePackedBytes } from '../sync/pack.ts';
import { EXPLANATIONS, type SkipReason, ruleText } from '../sync/plan.ts';
import { ruleFinder } from '../sync/ignored.ts';
import { type ProjectRoot, findProjectRoot } from '../sync/root.ts';
import type { App } from './app.ts';
import { planSync } from './sync-code.ts';

export interface ExplainRequest {
  script: string;
  projectRoot?: string;
  includePatterns: string[];
}

export interface SyncExplanation extends Omit<ProjectRoot, 'directory'> {
  root: string;
  fileCount: number;
  bytes: number;
  /** Estimated beyond 64 MiB of content. */
  packedBytes: number;
  /** `too-large`: there is no bucket, and the channel itself takes no more than `maxDirectBytes`. */
  route: 'bucket' | 'direct' | 'too-large';
  bucket?: string;
  maxDirectBytes: number;
  files: { path: string; bytes: number; link?: string }[];
  /** A path that ends with a slash stands for a whole directory. */
  skipped: { path: string; reason: SkipReason; explanation: string; rule?: string }[];
  warnings: string[];
}

export async function explainSync(app: App, request: ExplainRequest): Promise<SyncExplanation> {
  const { directory, ...root } = await findProjectRoot({ cwd: app.cwd, script: request.script, projectRoot: request.projectRoot });
  const plan = await planSync(app, { directory, ...root }, request.includePatterns);
  const packedBytes = await estimatePackedBytes(plan, { signal: app.signal });
  const bucket = app.config.aws.s3_bucket;
  const maxDirectBytes = app.config.sync.max_direct_mb * 1024 * 1024;
  const find = ruleFinder(plan.root);
  return {
    root: directory,
    ...root,
    fileCount: plan.files.length,
    bytes: plan.bytes,
    packedBytes,
    route: bucket !== undefined ? 'bucket' : packedBytes <= maxDirectBytes ? 'direct' : 'too-large',
    bucket,
    maxDirectBytes,
    files: plan.files.map(({ path, sizeBytes, target }) => ({ path, bytes: sizeBytes, ...(target ? { link: target.toString('utf8') } : {}) })),
    skipped: plan.skipped.map((skipped) => ({ path: skipped.path, reason: skipped.reason, explanation: EXPLANATIONS[skipped.reason], rule: ruleText(plan.root, skipped, find) })),
    warnings: plan.warnings,
  };
}
