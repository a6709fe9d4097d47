// Finds out, once, how far this kernel lets a machine be set apart from the host, and which Python can be its first process.
// By design: what is tried is what will be done (namespaces, mounts, loopback addresses), not a guess from versions or settings.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { MachineHost } from '../cloud.ts';

export type Isolation = MachineHost['isolation'];

export interface HostAbilities {
  /** The real interpreter, not a shim, by absolute path. */
  python: string;
  /** Where it and its library are, symlinks followed or not: what a guest must be able to see. */
  pythonPlaces: string[];
  /** Set where the mode works: whether it takes an unprivileged user namespace. */
  network: { userNamespace: boolean } | null;
  namespace: { userNamespace: boolean } | null;
}

const run = promisify(execFile);
const probes = new Map<string, Promise<HostAbilities>>();

/** `python` as found on PATH unless named. Rejects, saying so, when there is none that works. */
export function probeHost(guestInit: string, python = 'python3'): Promise<HostAbilities> {
  const key = `${python} ${process.env['PATH'] ?? ''}`;
  let probe = probes.get(key);
  if (!probe) {
    probe = run(python, ['-I', '-S', guestInit, 'probe'], { timeout: 20_000 }).then(
      ({ stdout }) => JSON.parse(stdout) as HostAbilities,
      (error: NodeJS.ErrnoException & { stderr?: string }) => {
        probes.delete(key);
        if (error.code === 'ENOENT') throw new Error(`${python} not found: the pretend cloud's machines need Python 3.8 or newer`);
        throw new Error(`${python} cannot run the pretend cloud's machines: ${error.stderr?.trim() || error.message}`);
      },
    );
    probes.set(key, probe);
  }
  return probe;
}

/** The best mode, or the one asked for; throws when the one asked for is not possible here. */
export function chooseIsolation(abilities: HostAbilities, wanted?: Isolation): Isolation {
  if (wanted === undefined) return abilities.network ? 'network' : abilities.namespace ? 'namespace' : 'process';
  if (wanted !== 'process' && !abilities[wanted]) throw new Error(`this kernel does not allow isolation ${wanted}`);
  return wanted;
}
