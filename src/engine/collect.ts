// Brings a run's results home: log, exit record and checkpoints, as one verified archive unpacked under the output directory.
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parsePacked } from '../agent/parse.ts';
import { logBytesPerCall, renderPackOutputs } from '../agent/render.ts';
import { RunctlError } from '../core/errors.ts';
import type { JobStatus } from '../core/job.ts';
import type { Machine } from '../core/machine.ts';
import type { Provider, Shell } from '../core/ports.ts';
import { pullFile, unpackOutputs } from '../sync/pull.ts';
import type { App } from './app.ts';
import { isGone, machineLost } from './lost.ts';
import type { Story } from './steps.ts';

export interface Outputs {
  /** Relative to the working directory when below it. */
  directory: string;
  /** Oldest first. */
  checkpoints: string[];
  bytes: number;
}

/** Step `collect`, after a training that has ended. Its end is known then, whatever becomes of the results: an error says both. */
export async function fetchResults(app: App, provider: Provider, story: Story, machine: Machine, shell: Shell, status: JobStatus): Promise<Outputs> {
  try {
    return await story.step('collect', 'fetch results', () => collectOutputs(app, shell, story.runId), describeOutputs);
  } catch (error) {
    if (app.signal.aborted || !(error instanceof RunctlError)) throw error;
    const ended = `The training ${status.phase === 'lost' ? 'was lost' : `ended with exit code ${status.exitCode}`}`;
    const now = await provider.find(machine.id, app.signal).catch(() => machine);
    const { code, message, reason, hints, step, data, source } = isGone(now) ? machineLost(machine, now, story.runId) : error;
    const where = isGone(now) ? 'before its results could be fetched' : `its results are still on ${machine.id}${status.directory ? ` in ${status.directory}` : ''}`;
    throw new RunctlError(code, message, {
      cause: [`${ended}${isGone(now) ? ' ' : '; '}${where}.`, reason].filter(Boolean).join('\n'),
      hints: [...new Set([...hints, ...(isGone(now) ? [] : [`runctl ${provider.name} monitor ${machine.id} --run ${story.runId}`])])],
      step: step ?? error.step, source,
      data: { ...data, phase: status.phase, exitCode: status.exitCode },
    });
  }
}

export async function collectOutputs(app: App, shell: Shell, runId: string): Promise<Outputs> {
  const scratch = await mkdtemp(join(tmpdir(), 'runctl-collect-'));
  try {
    const inlineBytes = logBytesPerCall(shell.maxOutputBytes);
    const packed = parsePacked(await shell.run(renderPackOutputs(runId, { inlineBytes }), { timeoutMs: 600_000, signal: app.signal }));
    const archive = join(scratch, 'outputs.tar.gz');
    if (packed.content) await writeFile(archive, packed.content, { mode: 0o600 });
    else await pullFile({ shell, store: await app.store(), remote: packed, file: archive, key: `runctl/${runId}/outputs.tar.gz`, report: app.report, clock: app.clock, signal: app.signal });
    const directory = resolve(app.cwd, app.config.local.output_dir, runId);
    await unpackOutputs(archive, directory);
    const shown = relative(app.cwd, directory);
    return { directory: shown.startsWith('..') ? directory : shown, checkpoints: await listCheckpoints(directory, app.cwd), bytes: packed.sizeBytes };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function listCheckpoints(directory: string, cwd: string): Promise<string[]> {
  const entries = await readdir(join(directory, 'checkpoints'), { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const dated = await Promise.all(
    entries.map(async (entry) => {
      const path = join(directory, 'checkpoints', entry.name);
      const { mtimeMs, size } = await stat(path);
      return { path, mtimeMs, empty: entry.isFile() && size === 0 };
    }),
  );
  return dated
    .filter((file) => !file.empty)
    .sort((a, b) => a.mtimeMs - b.mtimeMs || (a.path < b.path ? -1 : 1))
    .map(({ path }) => (relative(cwd, path).startsWith('..') ? path : relative(cwd, path)));
}

export function describeOutputs(outputs: Outputs): string {
  return `${outputs.checkpoints.length} checkpoint${outputs.checkpoints.length === 1 ? '' : 's'} in ${outputs.directory}`;
}
