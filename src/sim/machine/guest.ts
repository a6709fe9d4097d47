// One machine's life on this host: boot, scripts, shutdown, reboot from inside, sudden death, finding it again after a restart.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { GuestRun, GuestScript, MachineSpec, SimClock } from '../cloud.ts';
import { EGRESS_PORT } from './egress.ts';
import { type GuestEvent, type GuestLink, openGuestLink } from './guest-link.ts';
import { GuestRuns } from './guest-runs.ts';
import { type GuestIdentity, isAlive, killGuest, killMarked, readIdentity, waitUntilGone } from './guest-process.ts';
import type { Isolation } from './isolation.ts';
import { prepareMachineFiles } from './machine-files.ts';

const BOOT_LIMIT_MS = 20_000;
const USER_DATA_ID = 'user-data';
const BOOTHOOK = '#cloud-boothook\n';
const LAST_BREATH_MS = 3_000;

export interface GuestSettings {
  world: string;
  runtime: string;
  guestInit: string;
  python: string;
  pythonPlaces: string[];
  isolation: Isolation;
  userNamespace: boolean;
  serverPort: number;
  serverSocket: string;
  /** Of egress.ts: the way out of a network of its own. */
  egressSocket: string;
  /** Of index-settings.ts, when that way is open. */
  variables: Record<string, string>;
  homeFiles: Record<string, string>;
  /** How long `poweroff` and `reboot` inside the guest wait between SIGTERM and SIGKILL. */
  guestGraceMs: number;
  metadata: RequestListener;
  clock: SimClock;
  /** Holds the clock file; may be empty. */
  clockDirectory: string;
  /** Distinguishes this world's processes from those of any other. */
  worldDigest: string;
}

export class Guest {
  readonly directory: string;
  /** Fires once each time the guest goes down without the host having asked for it, and does not come back by itself. */
  onDown: () => void = () => undefined;
  #settings: GuestSettings;
  #spec: MachineSpec | undefined;
  #identity: GuestIdentity | undefined;
  #link: GuestLink | undefined;
  #metadata: Server | undefined;
  readonly #runs: GuestRuns;
  #booting: Promise<void> | undefined;
  #phase: 'off' | 'up' | 'rebooting' | 'halted' | 'ending' = 'off';
  #wantsReboot = false;
  #isOnline = true;
  #freeMib: number | undefined;
  #rebooted: Promise<void> = Promise.resolve();
  #onHangUp: () => void = () => undefined;
  #callOff: () => void = () => undefined;
  #afterPlan: () => void = () => undefined;

  constructor(
    readonly id: string,
    settings: GuestSettings,
  ) {
    this.#settings = settings;
    this.directory = join(settings.world, 'machines', id);
    this.#runs = new GuestRuns(id, this.directory, (scriptId) => this.#link?.send({ op: 'kill', id: scriptId }));
  }

  get isUp(): boolean {
    return this.#phase === 'up' || this.#phase === 'rebooting';
  }

  get #marker(): string {
    return `${this.#settings.worldDigest}-${this.id}`;
  }

  #socket(kind: 'c' | 'm'): string {
    return join(this.#settings.runtime, `${this.id}.${kind}`);
  }

  async boot(spec: MachineSpec): Promise<void> {
    this.#booting = this.#bootUnlessUp(spec);
    await this.#booting.finally(() => (this.#booting = undefined));
  }

  async #bootUnlessUp(spec: MachineSpec): Promise<void> {
    if (this.isUp || (await this.adopt())) return;
    if (this.#identity) await this.#end(0);
    await this.#bootNow(spec);
    this.#runUserData(spec);
  }

  async #bootNow(spec: MachineSpec): Promise<void> {
    this.#spec = spec;
    const settings = this.#settings;
    const root = settings.isolation !== 'process' && !settings.userNamespace;
    prepareMachineFiles(this.directory, spec, root, settings.homeFiles);
    const file = join(this.directory, 'boot.json');
    const config = {
      machine: this.directory,
      world: settings.world,
      isolation: settings.isolation,
      userNamespace: settings.userNamespace,
      python: settings.python,
      pythonPlaces: settings.pythonPlaces,
      hostname: spec.hostname,
      privateIp: spec.privateIp,
      serverPort: settings.serverPort,
      serverSocket: settings.serverSocket,
      egressSocket: settings.egressSocket,
      egressPort: EGRESS_PORT,
      variables: settings.variables,
      clock: settings.clockDirectory,
      controlSocket: this.#socket('c'),
      metadataSocket: this.#socket('m'),
      marker: this.#marker,
      graceMs: settings.guestGraceMs,
      spec,
    };
    writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
    await this.#serveMetadata();
    await this.#spawn(file);
    this.#identity = readIdentity(this.directory);
    await this.#connect();
  }

  #spawn(configFile: string): Promise<void> {
    const { python, guestInit, isolation } = this.#settings;
    const logFile = join(this.directory, 'guest.log');
    const log = openSync(logFile, 'a', 0o600);
    const env: Record<string, string> = { PATH: '/usr/bin:/bin', ...(isolation === 'process' ? { SIM_MACHINE: this.#marker } : {}) };
    const child = spawn(python, ['-I', '-S', guestInit, 'boot', configFile], { cwd: '/', env, detached: true, stdio: ['ignore', 'pipe', log] });
    closeSync(log);
    child.unref();
    return new Promise((resolve, reject) => {
      let said = '';
      const fail = (why: string): void => reject(new Error(`machine ${this.id} did not boot: ${why}`));
      const timer = setTimeout(() => fail(`no sign of life within ${BOOT_LIMIT_MS} ms, see ${logFile}`), BOOT_LIMIT_MS);
      child.on('error', (error) => fail(error.message));
      const output = child.stdout as Readable;
      output.setEncoding('utf8');
      output.on('data', (chunk: string) => {
        said += chunk;
        if (!said.includes('\n')) return;
        const answer = JSON.parse(said) as { error?: string };
        if (answer.error) fail(answer.error);
        else resolve();
      });
      output.on('close', () => {
        clearTimeout(timer);
        if (!said) fail(lastWords(logFile));
      });
    });
  }

  #serveMetadata(): Promise<void> {
    if (this.#metadata) return Promise.resolve();
    const path = this.#socket('m');
    rmSync(path, { force: true });
    const server = createServer(this.#settings.metadata);
    this.#metadata = server;
    server.unref();
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => resolve());
    });
  }

  async #connect(): Promise<void> {
    const { link, state } = await openGuestLink(this.#socket('c'), (event) => this.#heard(event), () => this.#hungUp());
    this.#link = link;
    this.#runs.found(state.running);
    this.#phase = state.halted ? 'halted' : 'up';
    this.#plan(state.plannedAt);
    // A server that came back on another port is reached there too.
    link.send({ op: 'listen', port: this.#settings.serverPort });
    link.send({ op: 'network', up: this.#isOnline });
    link.send({ op: 'disk', freeMib: this.#freeMib ?? null });
  }

  /** Outlives boots: it is the network that is down, not the machine. */
  setNetwork(isUp: boolean): void {
    if (this.#isOnline === isUp) return;
    this.#isOnline = isUp;
    this.#link?.send({ op: 'network', up: isUp });
  }

  #heard(event: GuestEvent): void {
    if (event.event === 'done') {
      this.#runs.done(event.id);
    } else if (event.event === 'planned') {
      this.#plan(event.at);
      this.#afterPlan();
    } else if (event.event === 'down') {
      if (event.how === 'halt') {
        this.#phase = 'halted';
        this.#afterPlan();
        this.#runs.failAll();
        return;
      }
      // It is about to exit: from here on nothing may be sent to it.
      this.#wantsReboot = event.how === 'reboot';
      this.#link?.close();
      this.#hungUp();
    }
  }

  /** The world's clock, not the guest's own, brings about what the guest planned, so that a skip stops at that very moment. */
  #plan(at: number | null): void {
    this.#callOff();
    const { clock } = this.#settings;
    this.#callOff = at === null ? () => undefined : clock.after(Math.max(0, at - clock.now()), () => this.#carryOutPlan());
  }

  async #carryOutPlan(): Promise<void> {
    if (!this.#link) return;
    const done = new Promise<void>((resolve) => {
      this.#afterPlan = resolve;
    });
    this.#link.send({ op: 'due' });
    await done;
    await this.#rebooted;
  }

  /** The guest's first process is gone, or going, and the host did not ask for it. */
  #hungUp(): void {
    if (this.#phase === 'ending') return;
    const reboots = this.#wantsReboot && this.#spec !== undefined;
    this.#wantsReboot = false;
    this.#link = undefined;
    this.#phase = reboots ? 'rebooting' : 'ending';
    this.#runs.failAll();
    const spec = this.#spec;
    const next = this.#bury().then(async () => {
      if (reboots && spec) {
        await this.#bootNow(spec);
        this.#runUserData(spec);
        return;
      }
      this.#phase = 'off';
      this.onDown();
    });
    this.#rebooted = next.catch(() => {
      this.#phase = 'off';
      this.onDown();
    });
    this.#onHangUp();
    this.#callOff();
    this.#afterPlan();
  }

  /** Make sure that all of it is dead: nothing of a machine may outlive its first process. */
  async #bury(): Promise<void> {
    const identity = this.#identity;
    if (identity && !(await waitUntilGone(identity, LAST_BREATH_MS))) {
      killGuest(identity);
      if (!(await waitUntilGone(identity, LAST_BREATH_MS))) throw new Error(`machine ${this.id} (pid ${identity.pid}) does not die`);
    }
    this.#identity = undefined;
    rmSync(join(this.directory, 'guest.json'), { force: true });
    if (this.#settings.isolation === 'process') await killMarked(this.#marker);
  }

  setFreeMib(freeMib: number | undefined): void {
    if (this.#freeMib === freeMib) return;
    this.#freeMib = freeMib;
    this.#link?.send({ op: 'disk', freeMib: freeMib ?? null });
  }

  async adopt(): Promise<boolean> {
    const identity = readIdentity(this.directory);
    this.#identity = identity;
    if (!identity || !isAlive(identity)) return false;
    const config = JSON.parse(readFileSync(join(this.directory, 'boot.json'), 'utf8')) as { spec: MachineSpec };
    this.#spec = config.spec;
    await this.#serveMetadata();
    try {
      await this.#connect();
    } catch {
      return false; // alive but deaf: boot() buries it and starts afresh
    }
    return true;
  }

  /** As cloud-init: a script once in the life of the machine, a boothook at every boot ("User data formats"). */
  #runUserData(spec: MachineSpec): void {
    const { userData } = spec;
    const hook = userData?.startsWith(BOOTHOOK) ? userData.slice(BOOTHOOK.length).trimStart() : undefined;
    const done = join(this.directory, 'user-data.started');
    if (!(hook ?? userData)?.startsWith('#!') || (hook === undefined && existsSync(done))) return;
    writeFileSync(done, '');
    const id = hook === undefined ? USER_DATA_ID : `boothook-${randomBytes(4).toString('hex')}`;
    // Its outcome stays in its files, as cloud-init's stays in its log; no API reports it.
    this.run({ id, body: hook ?? (userData as string), workingDirectory: '/', timeoutMs: 0, env: {} }).done.catch(() => undefined);
  }

  run(script: GuestScript): GuestRun {
    if (!this.isUp) throw new Error(`machine ${this.id} is not up`);
    const run = this.#runs.track(script.id);
    const send = (): void => {
      this.#runs.sent(script.id);
      this.#link?.send({ op: 'run', ...script });
    };
    if (this.#phase === 'up') send();
    else void this.#rebooted.then(() => (this.isUp ? send() : this.#runs.failAll()));
    return run;
  }

  attach(scriptId: string): GuestRun | undefined {
    return this.#runs.attach(scriptId);
  }

  /** End it by the host's wish; the disk stays. */
  async #end(graceMs: number): Promise<void> {
    await (this.#phase === 'rebooting' ? this.#rebooted : undefined);
    this.#phase = 'ending';
    this.#callOff();
    this.#afterPlan();
    const identity = this.#identity ?? readIdentity(this.directory);
    this.#identity = identity;
    if (identity) {
      const canAsk = this.#link && (graceMs > 0 || this.#settings.isolation === 'process');
      this.#link?.send({ op: 'down', how: 'poweroff', graceMs });
      if (!canAsk || !(await waitUntilGone(identity, graceMs + LAST_BREATH_MS))) killGuest(identity);
    }
    this.#link?.close();
    this.#link = undefined;
    this.#runs.failAll();
    await this.#bury();
    this.#closeMetadata();
    rmSync(this.#socket('c'), { force: true });
    this.#phase = 'off';
  }

  #closeMetadata(): void {
    this.#metadata?.closeAllConnections();
    this.#metadata?.close();
    this.#metadata = undefined;
    rmSync(this.#socket('m'), { force: true });
  }

  async shutdown(graceMs: number): Promise<void> {
    await this.#booted();
    await this.#end(graceMs);
  }

  async reboot(graceMs: number): Promise<void> {
    if (!this.#link) throw new Error(`machine ${this.id} is not up`);
    const ended = new Promise<void>((resolve) => {
      this.#onHangUp = resolve;
    });
    this.#link.send({ op: 'down', how: 'reboot', graceMs });
    await ended;
    await this.#rebooted;
    if (!this.isUp) throw new Error(`machine ${this.id} did not come back from its reboot`);
  }

  /** A guest that is coming up cannot be ended before it is there: it would be nobody's afterwards. */
  async #booted(): Promise<void> {
    await this.#booting?.catch(() => undefined);
  }

  async destroy(): Promise<void> {
    await this.#booted();
    await this.#end(0);
    await rm(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Leave the guest alone, for the next server to find. */
  release(): void {
    this.#phase = 'ending';
    this.#callOff();
    this.#link?.close();
    this.#link = undefined;
    this.#closeMetadata();
  }
}

/** Why a first process ended; its directory may be gone too, when the machine was destroyed while it booted. */
function lastWords(logFile: string): string {
  try {
    return readFileSync(logFile, 'utf8').trim().split('\n').at(-1) || 'its first process ended';
  } catch {
    return 'its first process ended';
  }
}
