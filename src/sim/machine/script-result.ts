// What the guest left of a script that ended: result.json, written last and whole, beside stdout and stderr.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestResult } from '../cloud.ts';

function folderOf(machineDirectory: string, scriptId: string): string {
  return join(machineDirectory, 'disk', 'ssm', scriptId);
}

export function hasResult(machineDirectory: string, scriptId: string): boolean {
  return existsSync(join(folderOf(machineDirectory, scriptId), 'result.json'));
}

export async function readResult(machineDirectory: string, scriptId: string): Promise<GuestResult> {
  const folder = folderOf(machineDirectory, scriptId);
  const [record, stdout, stderr] = await Promise.all([
    readFile(join(folder, 'result.json'), 'utf8'),
    readFile(join(folder, 'stdout')),
    readFile(join(folder, 'stderr')),
  ]);
  const { exitCode, timedOut, killed } = JSON.parse(record) as GuestResult;
  return { exitCode, timedOut, killed, stdout, stderr };
}
