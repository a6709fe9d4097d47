// The scripts that were sent into a guest: who waits for which, told when one is done or when the guest is gone for good.
import type { GuestResult, GuestRun } from '../cloud.ts';
import { hasResult, readResult } from './script-result.ts';

/** The machine ended before the script did: nobody will ever know how that went. */
export class GuestGone extends Error {
  constructor(instanceId: string) {
    super(`the machine ${instanceId} ended before its script did`);
    this.name = 'GuestGone';
  }
}

interface Pending {
  run: GuestRun;
  finish(): void;
  fail(error: Error): void;
}

export class GuestRuns {
  readonly #instanceId: string;
  readonly #directory: string;
  readonly #kill: (scriptId: string) => void;
  readonly #pending = new Map<string, Pending>();
  #running = new Set<string>();

  /** `kill` asks the guest to; it may be gone. */
  constructor(instanceId: string, directory: string, kill: (scriptId: string) => void) {
    this.#instanceId = instanceId;
    this.#directory = directory;
    this.#kill = kill;
  }

  /** What runs in a guest that was found, by its own word. */
  found(running: readonly string[]): void {
    this.#running = new Set(running);
  }

  sent(scriptId: string): void {
    this.#running.add(scriptId);
  }

  done(scriptId: string): void {
    this.#running.delete(scriptId);
    this.#pending.get(scriptId)?.finish();
  }

  /** The guest is gone, and with it everything that ran. */
  failAll(): void {
    this.#running.clear();
    for (const pending of this.#pending.values()) pending.fail(new GuestGone(this.#instanceId));
    this.#pending.clear();
  }

  attach(scriptId: string): GuestRun | undefined {
    const known = this.#pending.get(scriptId);
    if (known) return known.run;
    if (this.#running.has(scriptId)) return this.track(scriptId);
    if (hasResult(this.#directory, scriptId)) return { done: readResult(this.#directory, scriptId), kill: () => undefined };
    return undefined;
  }

  track(scriptId: string): GuestRun {
    let finish: () => void = () => undefined;
    let fail: (error: Error) => void = () => undefined;
    const done = new Promise<GuestResult>((resolve, reject) => {
      finish = () => {
        this.#pending.delete(scriptId);
        readResult(this.#directory, scriptId).then(resolve, reject);
      };
      fail = reject;
    });
    // Whoever wants to know listens himself; nobody listening is no fault.
    done.catch(() => undefined);
    const run: GuestRun = { done, kill: () => this.#kill(scriptId) };
    this.#pending.set(scriptId, { run, finish, fail });
    return run;
  }
}
