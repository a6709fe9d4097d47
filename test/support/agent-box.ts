// For the agent's tests only: a temporary home in which the real scripts run through a real shell, and its removal.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newRunId } from '../../src/core/ids.ts';
import type { JobSpec, JobStatus } from '../../src/core/job.ts';
import type { ShellResult } from '../../src/core/ports.ts';
import { parseLaunch, parsePrepared, parseStatus } from '../../src/agent/parse.ts';
import type { LaunchOutcome } from '../../src/agent/parse.ts';
import { renderLaunch, renderPrepare, renderStatus } from '../../src/agent/render.ts';

const SYSTEM_PATH = `/usr/bin:/bin:/usr/sbin:/sbin:${process.env['PATH'] ?? ''}`;

export function which(program: string): string | undefined {
  return SYSTEM_PATH.split(':').map((directory) => join(directory, program)).find((file) => existsSync(file));
}

/** Each shell in turn plays `sh`, also for the supervisor: the system's own, then bash and busybox where present. */
export const SHELLS = ['sh', 'bash', 'busybox'].filter((name) => which(name) !== undefined);

export class Box {
  /** Without a symlink in it, as the machine's own paths come back. */
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'runctl-agent-')));
  readonly home = join(this.root, 'home');
  readonly base = join(this.home, 'runctl');
  path = SYSTEM_PATH;
  readonly runIds: string[] = [];

  constructor(shell = 'sh') {
    mkdirSync(this.home);
    if (shell !== 'sh') {
      const bin = join(this.root, 'bin');
      mkdirSync(bin);
      symlinkSync(which(shell) ?? shell, join(bin, 'sh'));
      this.path = `${bin}:${SYSTEM_PATH}`;
    }
  }

  /** As Systems Manager does it: a file run by sh, in a directory of no use, ended only when every holder of its pipes has let go. */
  run(script: string, onStart: (pid: number) => void = () => undefined): Promise<ShellResult> {
    const file = join(this.root, `script-${Math.random().toString(36).slice(2)}.sh`);
    writeFileSync(file, script);
    const env = { HOME: this.home, PATH: this.path, LANG: 'C.UTF-8' };
    const child = spawn('sh', [file], { cwd: '/', env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    if (child.pid) onStart(child.pid);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => err.push(bytes));
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => {
        rmSync(file, { force: true });
        resolve({ exitCode: code ?? -1, stdout: Buffer.concat(out).toString('latin1'), stderr: Buffer.concat(err).toString() });
      });
    });
  }

  newId(): string {
    const id = newRunId(Date.now());
    this.runIds.push(id);
    return id;
  }

  directory(runId: string): string {
    return join(this.base, 'runs', runId);
  }

  read(runId: string, file: string): string | undefined {
    const path = join(this.directory(runId), file);
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  }

  /** A run directory with the script in it. */
  async prepare(script: string, source: string, runId = this.newId()): Promise<string> {
    // Forced: a job of another test step may be alive, and whether one is refused is the launch's to say here.
    parsePrepared(await this.run(renderPrepare(runId, { force: true })), { machineId: 'i-test', provider: 'aws', runId });
    const file = join(this.directory(runId), 'code', script);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, source);
    if (source.startsWith('#!')) chmodSync(file, 0o755);
    return runId;
  }

  async launch(spec: Partial<JobSpec> & { runId: string; script: string }, force = false): Promise<LaunchOutcome> {
    const script = renderLaunch({ args: [], env: {}, ...spec }, { force });
    return parseLaunch(await this.run(script), { machineId: 'i-test', provider: 'aws', runId: spec.runId });
  }

  /** Prepares and launches; `source` as `job.py` unless named. */
  async start(source: string, options: Partial<JobSpec> & { force?: boolean } = {}): Promise<string> {
    const { force, ...spec } = options;
    const script = spec.script ?? 'job.py';
    const runId = await this.prepare(script, source, spec.runId);
    await this.launch({ ...spec, script, runId }, force);
    return runId;
  }

  async status(runId?: string): Promise<JobStatus> {
    return parseStatus(await this.run(renderStatus(runId)));
  }

  async ended(runId: string): Promise<JobStatus> {
    return until(`${runId} to end`, async () => {
      const status = await this.status(runId);
      return status.phase === 'running' || status.phase === 'starting' ? undefined : status;
    });
  }

  /** Pids of the run's supervisor and job that still live, heartbeat and sleepers of the supervisor's group included. */
  living(): string[] {
    if (!existsSync(join(this.base, 'runs'))) return [];
    const groups = readdirSync(join(this.base, 'runs')).flatMap((runId) =>
      ['supervisor', 'job'].map((file) => this.read(runId, file)?.split(' ')[0]).filter((pid) => pid !== undefined),
    );
    const table = spawnSync('ps', ['-A', '-o', 'pid=', '-o', 'pgid=', '-o', 'stat=', '-o', 'args='], { encoding: 'utf8' }).stdout;
    return table.split('\n').filter((line) => {
      const [, group = '', state = ''] = line.trim().split(/\s+/);
      return groups.includes(group) && !state.startsWith('Z');
    });
  }

  async remove(): Promise<void> {
    for (const line of this.living()) {
      try {
        process.kill(-Number(line.trim().split(/\s+/)[1]), 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
    await until('all processes to be gone', async () => (this.living().length === 0 ? true : undefined));
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Polls for what a real process will do soon. */
export async function until<T>(what: string, look: () => Promise<T | undefined>, limitMs = 15_000): Promise<T> {
  const limit = Date.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > limit) throw new Error(`waited ${limitMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
