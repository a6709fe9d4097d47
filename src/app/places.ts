// Where runctl keeps things on this machine (XDG Base Directory Specification): two states never meet.
import { homedir } from 'node:os';
import { join } from 'node:path';

type Env = Record<string, string | undefined>;

/** Ledger, sim, bug reports. */
export function stateDirectory(env: Env): string {
  return join(env['XDG_STATE_HOME'] || join(env['HOME'] || homedir(), '.local', 'state'), 'runctl');
}
