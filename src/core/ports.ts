// The ports between the stories and the world: what a provider, a shell on a machine and an object store must offer.
// Narrow on purpose: if a second implementation is hard to fill in, the port is too wide.
import type { ErrorCode } from './errors.ts';
import type { InventoryEnd, InventoryRequest, Item } from './inventory.ts';
import type { HourlyPrice, Machine, MachinePlan, MachineRef, MachineRequest, Pool } from './machine.ts';
import type { MachineUsage, Rates, RatesWish } from './usage.ts';

export interface Provider {
  readonly name: string;
  /** Resolve every choice and the price. No effect. Throws RunctlError for what would fail. */
  plan(request: MachineRequest, signal?: AbortSignal): Promise<MachinePlan>;
  /** Create exactly what the plan says; the same token never makes a second machine. Tags travel in the same call. */
  create(plan: MachinePlan, token: string, signal?: AbortSignal): Promise<Machine>;
  /** Where spot machines of these types can be had, best first: cheap and likely. `zones` absent: all that offer a type and can be reached. Absent: no spot market. */
  pools?(wanted: { request: MachineRequest; types: string[]; zones?: string[] }, signal?: AbortSignal): Promise<Pool[]>;
  /** Give up on a spot launch whose fate may be unknown: cancel what is still open in the market for this token, and say which machine it made after all. Safe to repeat. */
  withdraw?(token: string, signal?: AbortSignal): Promise<{ cancelled: string[]; machine?: Machine }>;
  /** Ask the provider whether `create` would be allowed, without creating. Throws as `create` would. */
  rehearse(plan: MachinePlan, signal?: AbortSignal): Promise<void>;
  /** Prerequisites, those first without which the others cannot be. For `doctor` and before anything billable. Never throws for what it finds. */
  checks(wanted: Wanted, signal?: AbortSignal): Promise<Check[]>;
  /** Do what a check offered as its remedy. Safe to repeat. Absent: this provider can repair nothing. */
  repair?(remedy: Remedy, signal?: AbortSignal): Promise<Repaired>;
  /** The machine an earlier `create` with this token made, in any state, or undefined. Crash recovery looks here first. */
  findByToken(token: string, signal?: AbortSignal): Promise<Machine | undefined>;
  find(id: string, signal?: AbortSignal): Promise<Machine | undefined>;
  /** Machines that runctl made (owner tags), not yet terminated. */
  list(signal?: AbortSignal): Promise<Machine[]>;
  start(id: string, signal?: AbortSignal): Promise<Machine>;
  stop(id: string, signal?: AbortSignal): Promise<Machine>;
  terminate(id: string, signal?: AbortSignal): Promise<Machine>;
  price(machine: Machine, signal?: AbortSignal): Promise<HourlyPrice>;
  /** Hands everything that there is to `visit`, as it is found, in no order. Regions and kinds that refuse are in the result and stop nothing. Absent: nothing outlives this computer. */
  inventory?(wanted: InventoryRequest, visit: (item: Item) => void, signal?: AbortSignal): Promise<InventoryEnd>;
  /** Remove a disk, a snapshot, a spot request or an object for good; machines go by `terminate`. Done already is done. */
  dispose?(item: Exclude<Item, { kind: 'machine' }>, signal?: AbortSignal): Promise<void>;
  /** The same provider for another region. Closed together with this one. */
  inRegion?(region: string): Provider;
  /** The endpoint is not the cloud's own: what it costs there is nobody's money, and is never added to what is. */
  readonly pretend?: boolean;
  /** What the cloud tells of the latest start of a machine, and when `disks` shall be asked for of those, without prices. Earlier starts, and disks of terminated machines, clouds forget. Absent: nothing is billed. */
  usage?(machine: Machine, wanted: { disks: boolean }, signal?: AbortSignal): Promise<MachineUsage>;
  /** Prices over a time, also of machines that the cloud has forgotten. */
  rates?(wanted: RatesWish, signal?: AbortSignal): Promise<Rates>;
  /** Those of these machines that the cloud still knows, in any state; it has forgotten the others. */
  sightings?(wanted: { ids: string[]; region: string }, signal?: AbortSignal): Promise<Machine[]>;
  /** Hands on the machine. Does not prove that they work: run something. */
  shell(machine: MachineRef): Promise<Shell>;
  /** By id alone, so that it can be asked while `find` is under way. What the control plane says of the shell's readiness, cheaply and without proof; for `status` and for explaining a failure. */
  readiness(machine: MachineRef, signal?: AbortSignal): Promise<Readiness>;
}

export interface Readiness {
  /** `none`: this machine has no such channel (no instance profile, no key). */
  channel: 'ssm' | 'ssh' | 'local' | 'none';
  state: 'online' | 'registering' | 'lost' | 'none' | 'unknown';
  /** One sentence for people. */
  detail: string;
}

export interface Shell {
  readonly channel: 'ssm' | 'ssh' | 'local';
  /** Most bytes of stdout that come back whole from one `run`. More is cut. */
  readonly maxOutputBytes: number;
  /** Most bytes of script that one `run` takes. */
  readonly maxScriptBytes: number;
  /** Run a POSIX sh script to its end. Resolves for any exit code; throws RunctlError when the machine could not be asked. */
  run(script: string, options?: ShellOptions): Promise<ShellResult>;
}

export interface ShellOptions {
  /** Ends the script on the machine after this long. Default 60,000. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** For questions: throws `timeout` when no answer came in so long, whatever the machine goes on doing. Default: as long as it may take. */
  answerWithinMs?: number;
}

export interface ShellResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** An object store that machines can reach by plain HTTP URLs, with no credentials of their own. */
export interface Store {
  readonly name: string;
  put(key: string, file: string, options: { onProgress?: (doneBytes: number) => void; signal?: AbortSignal }): Promise<void>;
  get(key: string, file: string, options: { onProgress?: (doneBytes: number) => void; signal?: AbortSignal }): Promise<void>;
  remove(key: string): Promise<void>;
  /** URL that reads the object, valid for `expiresS` seconds. A secret: never logged, never in argv on this side. */
  urlToRead(key: string, expiresS: number): Promise<string>;
  /** URL that a plain `curl -T file` may PUT to. A secret too. */
  urlToWrite(key: string, expiresS: number): Promise<string>;
}

/** What `checks` shall look at; whatever is absent it leaves alone. */
export interface Wanted {
  /** Through which code will go to machines. */
  bucket?: string;
  /** Instance profile, when no machine is asked about. */
  profile?: string;
  /** A machine that is to be made: everything that it needs. A `plan` of the same request right after asks nothing again. */
  machine?: Omit<MachineRequest, 'tags'>;
  /** Say also who calls, and what could be used where nothing was named. For people; operations do without. */
  advise?: ('account' | 'bucket' | 'profile')[];
}

/** One finding of a check before anything billable happens. */
export interface Check {
  name: string;
  /** `skipped`: could not be looked at because an earlier check failed. */
  outcome: 'ok' | 'warning' | 'failed' | 'skipped';
  detail: string;
  /** A whole command or config lines that put it right. */
  fix?: string;
  /** Of a failed check: the error that an operation would have ended in. */
  error?: { code: ErrorCode; message: string; cause?: string; hints: string[]; data?: Record<string, unknown> };
  /** Names that could be used where none was given. */
  suggestions?: string[];
  /** What `repair` could do about it. */
  remedy?: Remedy;
}

/** Plain data, so that it can be shown and asked about first. */
export interface Remedy {
  /** Tells remedies apart. */
  id: string;
  /** Ends with a question mark. */
  question: string;
  /** The provider's own, opaque to the engine. */
  detail: unknown;
}

export interface Repaired {
  /** What was done, in the past tense. */
  done: string;
  /** A setting that must say so from now on. */
  setting?: { name: string; value: string };
}

export interface Question {
  /** Ends with a question mark. */
  text: string;
  /** The flag that answers it for scripts, e.g. `--yes`. */
  flag: string;
  /** Called just before somebody is asked: for what must be seen then, and only then. */
  before?(): void;
}

/** The only way to ask. True for yes; without anybody to answer it throws `declined` naming the flag. */
export type Ask = (question: Question) => Promise<boolean>;
