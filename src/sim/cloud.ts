// The parts of the pretend cloud that its services see: world, clock, dial, machines. Types only, so that services,
// machines and the server can be built and tested apart. Nothing here knows runctl; nothing of runctl but core types may be imported.

/** The world's own clock. Real time by default; tests drive it by hand. HTTP Date headers do not use it. */
export interface SimClock {
  /** Epoch milliseconds in the world. */
  now(): number;
  /** Call `action` once the world's time has moved by `delayMs`; returns a function that cancels it. Errors in `action` are bugs. */
  after(delayMs: number, action: () => void | Promise<void>): () => void;
}

/** Delays of the pretend cloud, all in world milliseconds. Presets `instant` (tests), `quick` (default), `realistic`. */
export interface Dial {
  /** RunInstances/StartInstances: pending to running. */
  pendingMs: number;
  /** StopInstances: stopping to stopped. */
  stoppingMs: number;
  /** TerminateInstances: shutting-down to terminated. */
  shuttingDownMs: number;
  /** From running until the SSM agent has registered. */
  ssmOnlineMs: number;
  /** GetCommandInvocation answers InvocationDoesNotExist for this long after SendCommand. */
  invocationVisibleMs: number;
  /** CreateVolume, AttachVolume, DetachVolume, DeleteVolume: until the state that each leads to. */
  volumeMs: number;
  /** CreateSnapshot: pending to completed. */
  snapshotMs: number;
  /** DescribeInstances answers InvalidInstanceID.NotFound for this long after RunInstances. */
  instanceVisibleMs: number;
  /** How long a terminated instance stays visible (EC2: about an hour). */
  terminatedVisibleMs: number;
  /** Added to every control-plane reply (real time). */
  latencyMs: number;
}

/** Rows of one kind, kept in the world file. Values are plain JSON. Mutate a row, then `put` it. */
export interface Table<Row> {
  get(id: string): Row | undefined;
  put(id: string, row: Row): void;
  delete(id: string): boolean;
  values(): Row[];
  entries(): [string, Row][];
  readonly size: number;
}

export interface World {
  /** 12 digits; the one account of the pretend cloud. */
  readonly accountId: string;
  /** The directory that holds everything of this world: world.json, s3/, machines/. */
  readonly directory: string;
  /** Open (or make) the table `service.kind`, e.g. `ec2.instances`. Same name, same table. */
  table<Row>(name: string): Table<Row>;
  /** A hexadecimal id such as `i-0f3c…` (17 digits), unique in this world. */
  newId(prefix: string): string;
  /** Write pending changes to disk now. Also happens by itself soon after each change. */
  save(): void;
}

/** What an instance sees of itself; the machine host hands it to the sandbox, IMDS serves it. */
export interface MachineSpec {
  instanceId: string;
  /** e.g. ip-172-31-20-8 */
  hostname: string;
  privateIp: string;
  region: string;
  /** Decoded user data; runs once, at the first boot, as cloud-init would run a script (starts with #!). */
  userData?: string;
  /** Its home can be made to run full: it lives in memory and is written to the disk when the machine goes down in order. */
  canFillUp?: boolean;
}

/** Runs instances as real process trees. One implementation per way of isolating, chosen once per world. */
export interface MachineHost {
  /** `network`: namespaces including network; `namespace`: PID, mount, UTS, IPC; `process`: a plain process group with its own home. */
  readonly isolation: 'network' | 'namespace' | 'process';
  /** Boot (or boot again after a stop): home and disk are kept between boots. Resolves when the guest can run scripts. */
  boot(spec: MachineSpec): Promise<void>;
  /** Orderly shutdown: SIGTERM to everything, then SIGKILL after `graceMs`. Disk is kept. */
  shutdown(instanceId: string, graceMs: number): Promise<void>;
  /** Down and up again, as `reboot` inside does: same disk, processes gone, no onGuestDown. Resolves when scripts can run again. */
  reboot(instanceId: string, graceMs: number): Promise<void>;
  /** Kill at once and delete the disk. Safe to repeat. */
  destroy(instanceId: string): Promise<void>;
  isUp(instanceId: string): boolean;
  /** Run a script in the guest with the SSM agent's semantics. Throws when the guest is not up. */
  run(instanceId: string, script: GuestScript): GuestRun;
  /** Take up again a script started earlier, also by a server before this one; undefined when the guest knows nothing of it. */
  attach(instanceId: string, scriptId: string): GuestRun | undefined;
  /** Take up again, after a restart of the server, guests that are still alive. Returns the ids of those found alive. */
  adopt(instanceIds: string[]): Promise<string[]>;
  /** Cut the guest off from the cloud and its metadata, or connect it again; holds over boots. Only where the network is its own. */
  setNetwork(instanceId: string, isUp: boolean): void;
  /** Leave so many MiB free in the guest's home; undefined: no limit. Only for guests booted with `canFillUp` and file systems of their own. */
  setFreeMib(instanceId: string, freeMib: number | undefined): void;
  /** Called when a guest went down by itself (poweroff, crash of its init). */
  onGuestDown(listener: (instanceId: string) => void): void;
  /** Stop relaying, close sockets. `killGuests` also ends every guest (disks kept). */
  close(killGuests: boolean): Promise<void>;
}

export interface GuestScript {
  /** Unique; also names the directory that holds _script.sh, stdout, stderr, result.json. */
  id: string;
  body: string;
  workingDirectory?: string;
  /** SIGKILL to the process group after this long. */
  timeoutMs: number;
  env: Record<string, string>;
}

export interface GuestRun {
  /** Settles when every holder of the output pipes has closed them, or the process group was killed. Rejects when the guest dies. */
  readonly done: Promise<GuestResult>;
  /** SIGKILL to the process group; processes in another session survive. */
  kill(): void;
}

export interface GuestResult {
  exitCode: number;
  timedOut: boolean;
  killed: boolean;
  /** Whole output as bytes; the SSM service cuts it (24,000 and 8,000 characters). */
  stdout: Buffer;
  stderr: Buffer;
}

/** What the weather does to machines, for those who keep their states (weather/). */
export interface MachineWeather {
  /** An instance has become `running`, at this world time. */
  machineUp(instanceId: string, since: number): void;
  /** Added to the time that its SSM agent takes to register. */
  agentDelayMs(instanceId: string): number;
  /** World time since which its SSM agent answers no more; undefined: it answers. */
  agentSilentSince(instanceId: string): number | undefined;
  isNetworkDown(instanceId: string): boolean;
  /** Whether its disk may have to run full one day: settled when it boots. */
  mayFillUp(instanceId: string): boolean;
  /** MiB that are left on its disk; undefined: enough. */
  freeMib(instanceId: string): number | undefined;
}

/** Everything a service may use. */
export interface Cloud {
  world: World;
  clock: SimClock;
  dial: Dial;
  machines: MachineHost;
  weather: MachineWeather;
}
