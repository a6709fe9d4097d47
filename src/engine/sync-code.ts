// The code of a project to a run directory on the machine: listed, packed, sent, verified there.
import { resolve } from 'node:path';
import type { Event, Report } from '../core/events.ts';
import type { Shell } from '../core/ports.ts';
import { type Advice, missingFileAdvice } from '../sync/advice.ts';
import { packTree } from '../sync/pack.ts';
import { type SyncPlan, listTree } from '../sync/plan.ts';
import { progress } from '../sync/progress.ts';
import { type PushSummary, pushTree } from '../sync/push.ts';
import type { ProjectRoot } from '../sync/root.ts';
import type { App } from './app.ts';
import type { Say, Story } from './steps.ts';

/** Step `sync`. */
export function syncCode(app: App, story: Story, shell: Shell, root: ProjectRoot, request: { includePatterns: string[] }, runDirectory: string): Promise<PushSummary> {
  return story.step('sync', 'sync code', (say) => syncTree(app, shell, root, request.includePatterns, runDirectory, say), describeSync);
}

/** Which files go: the same for the sync itself and for `--explain`. */
export function planSync(app: App, root: ProjectRoot, includePatterns: string[]): Promise<SyncPlan> {
  return listTree({
    root: root.directory,
    script: root.script,
    include: [...app.config.sync.include, ...includePatterns],
    exclude: app.config.sync.exclude,
    outputDir: resolve(app.cwd, app.config.local.output_dir),
    signal: app.signal,
  });
}

/** Remembered for as long as the result of the sync is: for advice when the script misses a file. Not for the ledger. */
const plans = new WeakMap<PushSummary, { plan: SyncPlan; script: string }>();

/** For a failed script whose log names a file that is here and was not sent. */
export function adviceOnMissingFile(sync: PushSummary | undefined, logTail: string | undefined): Advice | undefined {
  const known = sync && plans.get(sync);
  return known && logTail !== undefined ? missingFileAdvice(logTail, known.plan, known.script) : undefined;
}

async function syncTree(app: App, shell: Shell, root: ProjectRoot, includePatterns: string[], runDirectory: string, say: Say): Promise<PushSummary> {
  say('listing files');
  const plan = await planSync(app, root, includePatterns);
  for (const warning of plan.warnings) app.report({ kind: 'note', level: 'warning', text: warning });
  say(`packing ${plan.files.length} files`);
  const report = telling(app.report, say);
  const archive = await packTree(plan, { signal: app.signal, onProgress: progress({ report, clock: app.clock, step: 'sync' }, 'pack', plan.bytes) });
  try {
    const summary = await pushTree({
      plan, archive, shell, runDirectory,
      store: await app.store(),
      maxDirectBytes: app.config.sync.max_direct_mb * 1024 * 1024,
      report, clock: app.clock, signal: app.signal,
    });
    plans.set(summary, { plan, script: root.script });
    return summary;
  } finally {
    await archive.remove();
  }
}

const STAGES: Record<NonNullable<Extract<Event, { kind: 'transfer.moved' }>['stage']>, string> = {
  pack: 'packing', send: 'sending', fetch: 'the machine fetches', unpack: 'the machine unpacks', verify: 'the machine verifies',
};

/** Bytes that move are also the step's own detail, for listeners that show steps only. */
function telling(report: Report, say: Say): Report {
  return (event) => {
    report(event);
    if (event.kind === 'transfer.moved' && event.stage && event.totalBytes > 0) say(`${STAGES[event.stage]}: ${partOf(event.doneBytes, event.totalBytes)}`);
  };
}

/** `12.5 of 40.0 MiB`. */
function partOf(doneBytes: number, totalBytes: number): string {
  const step = totalBytes < 1024 ** 2 ? 1 : totalBytes < 1024 ** 3 ? 2 : 3;
  const inUnit = (bytes: number): string => (bytes / 1024 ** step).toFixed(1);
  return `${inUnit(doneBytes)} of ${inUnit(totalBytes)} ${['KiB', 'MiB', 'GiB'][step - 1]}`;
}

function describeSync(summary: PushSummary): string {
  return `${summary.files} files, ${Math.ceil(summary.bytes / 1024)} KiB (${Math.ceil(summary.packedBytes / 1024)} KiB packed), ${summary.skipped} skipped, via ${summary.route}, verified`;
}
