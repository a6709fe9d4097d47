// The job's own variables, from the settings to a file of the run directory that only the job's user can read.
import { checkDelivered, renderKey, renderPlainEnvironment, renderSealedEnvironment } from '../agent/environment.ts';
import type { Shell } from '../core/ports.ts';
import type { App } from './app.ts';

/** `directory`: of the run, on the machine. Nothing is asked of the machine when there are none. */
export async function deliverEnvironment(app: App, shell: Shell, directory: string, env: Record<string, string>): Promise<void> {
  if (Object.keys(env).length === 0) return;
  const ask = (script: string) => shell.run(script, { timeoutMs: 60_000, signal: app.signal });
  // Scripts for this very machine pass through nobody's hands.
  if (shell.channel === 'local') return checkDelivered(await ask(renderPlainEnvironment(directory, env)));
  checkDelivered(await ask(renderSealedEnvironment(directory, env, await ask(renderKey(directory)))));
}
