// A Shell port on this computer: scripts run in a real /bin/sh with a home of their own, with the limits of a real channel.
// For tests of what is sent to machines; not an instance, nothing is isolated.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Shell, ShellOptions, ShellResult } from '../../src/core/ports.ts';

export interface LocalShell extends Shell {
  /** Every script that ran, in order. */
  readonly scripts: string[];
}

export interface LocalShellOptions {
  home: string;
  /** As SSM: 24,000. */
  maxOutputBytes?: number;
  maxScriptBytes?: number;
  /** Added to PATH, HOME and LANG, which is all that scripts get. */
  env?: Record<string, string>;
}

export function createLocalShell({ home, maxOutputBytes = 24_000, maxScriptBytes = 60_000, env = {} }: LocalShellOptions): LocalShell {
  const scripts: string[] = [];
  return {
    channel: 'local',
    maxOutputBytes,
    maxScriptBytes,
    scripts,
    run: async (script, options = {}) => {
      if (Buffer.byteLength(script) > maxScriptBytes) throw new Error(`a script of ${Buffer.byteLength(script)} bytes, ${maxScriptBytes} are allowed`);
      if (script.includes('{{')) throw new Error('SSM would take two opening braces for a parameter');
      scripts.push(script);
      const directory = mkdtempSync(join(tmpdir(), 'local-shell-'));
      try {
        const file = join(directory, 'script.sh');
        writeFileSync(file, script);
        return await runFile(file, home, env, maxOutputBytes, options);
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    },
  };
}

function runFile(file: string, home: string, env: Record<string, string>, maxOutputBytes: number, { timeoutMs = 60_000, signal }: ShellOptions): Promise<ShellResult> {
  return new Promise((done, failed) => {
    signal?.throwIfAborted();
    const child = spawn('/bin/sh', [file], { cwd: home, env: { PATH: process.env['PATH'], HOME: home, LANG: 'C', ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const output: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
    child.stdout.on('data', (chunk: Buffer) => output.stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => output.stderr.push(chunk));
    const kill = (): void => {
      try {
        if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
      } catch (error) {
        // It ended this very moment.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    };
    const timer = setTimeout(kill, timeoutMs);
    signal?.addEventListener('abort', kill, { once: true });
    child.on('error', failed);
    child.on('close', (code) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', kill);
      if (signal?.aborted) return failed(signal.reason as Error);
      const cut = (chunks: Buffer[]): string => Buffer.concat(chunks).subarray(0, maxOutputBytes).toString('utf8');
      done({ exitCode: code ?? 137, stdout: cut(output.stdout), stderr: cut(output.stderr) });
    });
  });
}
