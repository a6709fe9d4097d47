// Brings a run's results home: log, exit record and checkpoints, as one verified archive unpacked under the output directory.
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parsePacked } from '../agent/parse.ts';
import { renderPackOutputs } from '../agent/render.ts';
import type { Shell } from '../core/ports.ts';
import { pullFile, unpackOutputs } from '../sync/pull.ts';
import type { App } from './app.ts';

export interface Outputs {
  /** Relative to the working directory when below it. */
  directory: string;
  /** Oldest first. */
  checkpoints: string[];
  bytes: number;
}

export async function collectOutputs(app: App, shell: Shell, runId: string): Promise<Outputs> {
  const scratch = await mkdtemp(join(tmpdir(), 'runctl-collect-'));
  try {
    const packed = parsePacked(await shell.run(renderPackOutputs(runId), { timeoutMs: 600_000, signal: app.signal }));
    const archive = join(scratch, 'outputs.tar.gz');
    await pullFile({ shell, store: await app.store(), remote: packed, file: archive, key: `runctl/${runId}/outputs.tar.gz`, report: app.report, clock: app.clock, signal: app.signal });
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
