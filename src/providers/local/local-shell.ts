// Shell on this machine: scripts run by sh from a private file (argv is for everybody to read), in a session of their own
// so that Ctrl-C reaches only runctl, which then decides what happens to the job.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunctlError } from '../../core/errors.ts';
import type { Shell, ShellOptions, ShellResult } from '../../core/ports.ts';

const MEBIBYTE = 1024 * 1024;

/** `base`: where the agent keeps run directories. */
export function createLocalShell({ base, env }: { base: string; env: Record<string, string | undefined> }): Shell {
  return {
    channel: 'local',
    maxOutputBytes: MEBIBYTE,
    maxScriptBytes: MEBIBYTE,
    async run(script, { timeoutMs = 60_000, signal }: ShellOptions = {}): Promise<ShellResult> {
      signal?.throwIfAborted();
      mkdirSync(base, { recursive: true, mode: 0o700 });
      const scratch = mkdtempSync(join(tmpdir(), 'runctl-sh-'));
      try {
        const file = join(scratch, 'script.sh');
        writeFileSync(file, script, { mode: 0o600 });
        return await runFile(file, { ...env, RUNCTL_BASE: base }, timeoutMs, signal);
      } finally {
        rmSync(scratch, { recursive: true, force: true });
      }
    },
  };
}

function runFile(file: string, env: Record<string, string | undefined>, timeoutMs: number, signal: AbortSignal | undefined): Promise<ShellResult> {
  return new Promise((resolve, reject) => {
    const child = spawn('sh', [file], { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const output: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
    child.stdout.on('data', (part: Buffer) => output.stdout.push(part));
    child.stderr.on('data', (part: Buffer) => output.stderr.push(part));
    const end = (): void => {
      // The whole group: sh alone would leave its children behind.
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    };
    const timer = setTimeout(end, timeoutMs);
    signal?.addEventListener('abort', end, { once: true });
    const settled = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    };
    child.once('error', (error) => {
      settled();
      reject(new RunctlError('cloud-refused', 'sh could not be started on this machine', { cause: error.message, hints: ['command -v sh'], source: error }));
    });
    child.once('close', (code, signalName) => {
      settled();
      if (signal?.aborted) return reject(signal.reason);
      resolve({
        exitCode: code ?? (signalName === 'SIGKILL' ? 137 : 143),
        stdout: Buffer.concat(output.stdout).toString('utf8'),
        stderr: Buffer.concat(output.stderr).toString('utf8'),
      });
    });
  });
}
