// Whether code could be sent to a machine now, and if not, why: SSM alone is not enough when the bucket is missing or the
// project too large. For `status`, which must not wait for it: everything here is loaded and asked beside its other questions.
import type { Check, Provider } from '../core/ports.ts';
import type { App } from './app.ts';
import type { DirectRoute } from './code-route.ts';

export interface CodeSync {
  /** `limited`: small projects only, and whether this one is small is not known. */
  state: 'ready' | 'limited' | 'not-ready';
  detail: string;
  /** A whole command or config lines that help. */
  fix?: string;
}

/** What is known without the machine. */
export type Outlook = { bucket: string; check: Check | undefined } | { bucket?: undefined; mostBytes: number; project?: string; route?: DirectRoute };

/** Longest look at a project: enough for thousands of files on a busy computer. A status never waits for more. */
const PROJECT_MS = 1_500;

export async function lookAhead(app: App, provider: Provider): Promise<Outlook> {
  const bucket = app.config.aws.s3_bucket;
  if (bucket !== undefined) {
    const checks = await provider.checks({ bucket }, app.signal);
    return { bucket, check: checks.find((check) => check.outcome === 'failed') ?? checks.find((check) => check.name === 'bucket') };
  }
  const mostBytes = app.config.sync.max_direct_mb * 1024 * 1024;
  const { projectAround } = await import('../sync/root.ts');
  const late = AbortSignal.timeout(PROJECT_MS);
  try {
    const project = projectAround(app.cwd);
    if (project === undefined) return { mostBytes };
    // Only now: what lists and packs takes time to load.
    const { judgeRoute } = await import('./code-route.ts');
    return { mostBytes, project, route: await judgeRoute({ config: app.config, cwd: app.cwd, signal: AbortSignal.any([app.signal, late]) }, project) };
  } catch (error) {
    if (app.signal.aborted) throw error;
    // Too large to look at quickly, or not readable: the sync itself will say.
    return { mostBytes };
  }
}

/** `ssm`: the state of the way in, and what it says about itself. */
export function judgeCodeSync(machine: { id: string; state: string; provider: string }, ssm: { state: string; detail: string }, outlook: Outlook): CodeSync {
  if (machine.state !== 'running') {
    const start = machine.state === 'stopped' ? { fix: `runctl ${machine.provider} start ${machine.id} --wait` } : {};
    return { state: 'not-ready', detail: `the machine is ${machine.state}`, ...start };
  }
  if (ssm.state !== 'online') {
    const wait = ssm.state === 'registering' ? { fix: `runctl ${machine.provider} wait-ssm ${machine.id}` } : {};
    return { state: 'not-ready', detail: ssm.detail, ...wait };
  }
  if (outlook.bucket !== undefined) {
    const { bucket, check } = outlook;
    if (check?.outcome === 'ok') return { state: 'ready', detail: `through s3://${bucket}` };
    return { state: 'not-ready', detail: check?.detail ?? `bucket ${bucket} could not be checked`, ...(check?.fix ? { fix: check.fix } : {}) };
  }
  return withoutBucket(outlook);
}

function withoutBucket({ mostBytes, project, route }: Extract<Outlook, { bucket?: undefined }>): CodeSync {
  const most = size(mostBytes);
  if (route?.fits === true) return { state: 'ready', detail: `through SSM itself; ${project} is ${size(route.packedBytes)} of at most ${most} packed` };
  if (route?.fits === false) return { state: 'not-ready', detail: `no bucket is configured, and ${project} is ${size(route.packedBytes)} packed: SSM itself takes at most ${most}`, fix: 'runctl doctor --fix' };
  return { state: 'limited', detail: `no bucket is configured: only projects of at most ${most} packed, through SSM itself`, fix: 'runctl doctor --fix' };
}

function size(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
