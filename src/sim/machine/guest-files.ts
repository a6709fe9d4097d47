// The guest's programs, carried as text inside the bundle, written once per content to the world's directory.
// A machine that outlives an upgrade of the server keeps the programs it booted with.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import initPy from './guest/guest-init.py?raw';
import timeSh from './guest/guest-time.sh?raw';
import toolsSh from './guest/guest-tools.sh?raw';
import bootPy from './guest/guest_boot.py?raw';
import familyPy from './guest/guest_family.py?raw';
import loopPy from './guest/guest_loop.py?raw';
import relayPy from './guest/guest_relay.py?raw';
import sandboxPy from './guest/guest_sandbox.py?raw';
import scriptsPy from './guest/guest_scripts.py?raw';
import timePy from './guest/guest_time.py?raw';
import sitePy from './guest/sitecustomize.py?raw';

const FILES: Record<string, string> = {
  'guest-init.py': initPy,
  'guest-time.sh': timeSh,
  'guest-tools.sh': toolsSh,
  'guest_boot.py': bootPy,
  'guest_family.py': familyPy,
  'guest_loop.py': loopPy,
  'guest_relay.py': relayPy,
  'guest_sandbox.py': sandboxPy,
  'guest_scripts.py': scriptsPy,
  'guest_time.py': timePy,
  'sitecustomize.py': sitePy,
};

/** Writes the programs below `directory` unless they are there; returns the path of guest-init.py. */
export function installGuestFiles(directory: string): string {
  const digest = createHash('sha256').update(JSON.stringify(FILES)).digest('hex').slice(0, 12);
  const home = join(directory, `guest-${digest}`);
  if (!existsSync(home)) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const partial = mkdtempSync(join(directory, 'guest-partial-'));
    for (const [name, text] of Object.entries(FILES)) writeFileSync(join(partial, name), text);
    try {
      renameSync(partial, home);
    } catch (error) {
      // Another process was quicker with the same content.
      rmSync(partial, { recursive: true, force: true });
      if (!existsSync(home)) throw error;
    }
  }
  return join(home, 'guest-init.py');
}
