// Does: one pending moment per key in world time: set anew it replaces the old one, and all can be called off.
import type { SimClock } from './cloud.ts';

export class Alarms {
  readonly #clock: SimClock;
  readonly #cancels = new Map<string, () => void>();

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  /** `at`: world time; what has passed already is due at once. */
  set(key: string, at: number, action: () => void | Promise<void>): void {
    this.drop(key);
    const cancel = this.#clock.after(Math.max(0, at - this.#clock.now()), () => {
      if (this.#cancels.get(key) === cancel) this.#cancels.delete(key);
      return action();
    });
    this.#cancels.set(key, cancel);
  }

  drop(key: string): void {
    this.#cancels.get(key)?.();
    this.#cancels.delete(key);
  }

  clear(): void {
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }
}
