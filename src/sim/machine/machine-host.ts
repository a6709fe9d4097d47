// Does: machines of the pretend cloud as real process trees on this host, in the best isolation that the kernel allows:
//   network: namespaces for mounts, processes, names, IPC and network; 169.254.169.254, the cloud's own port and a proxy (egress.ts)
//   namespace: the same with the host's network; metadata through AWS_EC2_METADATA_SERVICE_ENDPOINT
//   process: plain processes with a home of their own (macOS, locked-down containers)
//   Time in a guest is the world's (clock.ts): date, sleep, stat -c %Y by PATH, shutdown +N by its first process, Python by
//   sitecustomize.py. Real stay work, /proc/uptime, file times, programs called by absolute path, and waits inside of C code.
// Gaps: no CPU, memory or disk limits; one root, no other users in user namespaces; at most 8 MiB of a script's output is kept.
// By design: the guest shares the host's files, read-only (but for its own home, /root, /tmp, /var/tmp, /run); it is a fence, no
//   vault. Guests outlive the server: the next one finds them by pid, start time and socket. In process mode /home/ec2-user is
//   $HOME, /tmp is $TMPDIR, absolute paths of shutdown reach the host's, and AWS_ENDPOINT_URL points SDKs at the pretend cloud.
// Source: namespaces(7), amazon-ssm-agent (runscript, executers), EC2 User Guide "Instance metadata", systemd shutdown(8).
import { createHash } from 'node:crypto';
import { mkdirSync, rmdirSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join, resolve } from 'node:path';
import { clockDirectory } from '../clock-file.ts';
import type { WorldClock } from '../clock.ts';
import type { GuestRun, GuestScript, MachineHost, MachineSpec } from '../cloud.ts';
import { openEgress } from './egress.ts';
import { Guest, type GuestSettings } from './guest.ts';
import { installGuestFiles } from './guest-files.ts';
import { readIndexSettings } from './index-settings.ts';
import { chooseIsolation, type Isolation, probeHost } from './isolation.ts';
import { runtimeDirectory } from './runtime-directory.ts';

export interface MachineHostOptions {
  /** The world's directory; machines live in machines/ below it. */
  world: string;
  /** Port on 127.0.0.1 at which guests find the pretend cloud. */
  serverPort: number;
  /** Unix socket on which the server listens too: the way out of a network namespace. Keep it in runtimeDirectory(world). */
  serverSocket: string;
  /** The metadata service of one instance. */
  metadata(instanceId: string): RequestListener;
  clock: WorldClock;
  /** Machines may install packages as this computer does, from its indexes and with its settings. */
  internet?: boolean;
  /** Force a mode; rejects where the kernel does not allow it. */
  isolation?: Isolation;
  /** Take the way of an ordinary user, an unprivileged user namespace, also as root. */
  userNamespace?: boolean;
  /** Interpreter for the guests' first process; else python3 from PATH. */
  python?: string;
  /** From SIGTERM to SIGKILL when a guest goes down by itself; systemd's default. */
  guestGraceMs?: number;
}

export async function openMachineHost(options: MachineHostOptions): Promise<MachineHost> {
  const world = resolve(options.world);
  const guestInit = installGuestFiles(join(world, 'machines'));
  let failure: Error | undefined;
  const abilities = await probeHost(guestInit, options.python).catch((error: Error) => {
    // A cloud without machines is still a cloud: S3 and the rest work. Booting says what is wrong.
    failure = error;
    return { python: '', pythonPlaces: [], network: null, namespace: null };
  });
  const isolation = chooseIsolation(abilities, options.isolation);
  const index = options.internet ? readIndexSettings(process.env) : undefined;
  const egressSocket = join(runtimeDirectory(world), 'egress');
  const egress = isolation === 'network' ? await openEgress({ socketPath: egressSocket, reachable: index?.reachable, env: process.env }) : undefined;
  const { clock } = options;
  mkdirSync(clockDirectory(world), { recursive: true, mode: 0o755 });
  const settings = {
    world,
    clock,
    clockDirectory: clockDirectory(world),
    runtime: runtimeDirectory(world),
    guestInit,
    python: abilities.python,
    pythonPlaces: abilities.pythonPlaces,
    isolation,
    userNamespace: isolation !== 'process' && (options.userNamespace ?? abilities[isolation]?.userNamespace ?? false),
    serverPort: options.serverPort,
    serverSocket: options.serverSocket,
    egressSocket,
    variables: index?.variables ?? {},
    homeFiles: index?.files ?? {},
    guestGraceMs: options.guestGraceMs ?? 90_000,
    worldDigest: createHash('sha256').update(world).digest('hex').slice(0, 12),
  };
  const guests = new Map<string, Guest>();
  const listeners: ((instanceId: string) => void)[] = [];

  const guestOf = (instanceId: string): Guest => {
    if (!/^[\w-]+$/.test(instanceId)) throw new Error(`not an instance id: ${instanceId}`);
    let guest = guests.get(instanceId);
    if (!guest) {
      const own: GuestSettings = { ...settings, metadata: options.metadata(instanceId) };
      guest = new Guest(instanceId, own);
      guest.onDown = () => {
        for (const listener of listeners) listener(instanceId);
      };
      guests.set(instanceId, guest);
    }
    return guest;
  };

  return {
    isolation,
    async boot(spec: MachineSpec) {
      if (failure) throw failure;
      await clock.unhurried(() => guestOf(spec.instanceId).boot(spec));
    },
    async shutdown(instanceId, graceMs) {
      await clock.unhurried(async () => guests.get(instanceId)?.shutdown(graceMs));
    },
    async reboot(instanceId, graceMs) {
      await clock.unhurried(() => guestOf(instanceId).reboot(graceMs));
    },
    async destroy(instanceId) {
      await guestOf(instanceId).destroy();
      guests.delete(instanceId);
    },
    isUp: (instanceId) => guests.get(instanceId)?.isUp ?? false,
    run(instanceId: string, script: GuestScript): GuestRun {
      if (!/^[\w.-]+$/.test(script.id)) throw new Error(`not a script id: ${script.id}`);
      return guestOf(instanceId).run(script);
    },
    attach: (instanceId, scriptId) => guests.get(instanceId)?.attach(scriptId),
    async adopt(instanceIds) {
      const alive = await Promise.all(instanceIds.map((instanceId) => guestOf(instanceId).adopt()));
      return instanceIds.filter((_, index) => alive[index]);
    },
    setNetwork(instanceId, isUp) {
      guests.get(instanceId)?.setNetwork(isUp);
    },
    setFreeMib(instanceId, freeMib) {
      guests.get(instanceId)?.setFreeMib(freeMib);
    },
    onGuestDown(listener) {
      listeners.push(listener);
    },
    async close(killGuests) {
      if (killGuests) await Promise.all([...guests.values()].map((guest) => guest.shutdown(0)));
      else for (const guest of guests.values()) guest.release();
      guests.clear();
      egress?.close();
      try {
        rmdirSync(settings.runtime);
      } catch (error) {
        // Other sockets are still there: the server's own, or those of guests that live on.
        if (!['ENOTEMPTY', 'ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      }
    },
  };
}
