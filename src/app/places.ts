// Where runctl keeps things on this machine (XDG Base Directory Specification): two states never meet.
import { homedir } from 'node:os';
import { join } from 'node:path';

type Env = Record<string, string | undefined>;

/** What can be made again: V8's compiled form of the program. */
export function cacheDirectory(env: Env): string {
  return join(env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache'), 'runctl');
}

/** Ledger, sim, bug reports. */
export function stateDirectory(env: Env): string {
  return join(env['XDG_STATE_HOME'] || join(env['HOME'] || homedir(), '.local', 'state'), 'runctl');
}
