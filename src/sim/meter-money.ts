// Does: exact sums of money over time, rounded once: prices times seconds as big integers, divided at the end.
// By design: a double would lose micro-dollars on long lives of large machines, and sums rounded in between would drift.

/** Micro-dollars as a numerator over a fixed number of seconds (an hour's, a month's), so that parts add up without loss. */
export class ExactSum {
  readonly #perSeconds: bigint;
  #numerator = 0n;

  /** `perSeconds`: the time that the prices are for, 3600 for prices an hour. */
  constructor(perSeconds: number) {
    this.#perSeconds = BigInt(perSeconds);
  }

  /** So many units at this price for so many whole seconds. */
  add(microUsd: number, seconds: number, units = 1): void {
    this.#numerator += BigInt(microUsd) * BigInt(seconds) * BigInt(units);
  }

  /** Whole micro-dollars, half up. */
  get microUsd(): number {
    return Number((2n * this.#numerator + this.#perSeconds) / (2n * this.#perSeconds));
  }
}
