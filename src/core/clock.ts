// The clock port: every wait and every "now" of runctl goes through it, so tests run hours in milliseconds.

export interface Clock {
  /** Milliseconds since the Unix epoch, for what is written down. May step: somebody sets the clock, NTP corrects it. */
  now(): number;
  /** Milliseconds since some moment, for limits and elapsed times: steps never, and stands still while this computer sleeps. */
  monotonic(): number;
  /** As monotonic, but of this computer even where time is the pretend cloud's and runs faster: for limits on how long somebody may
   *  work on an answer. Absent: monotonic is that. */
  computing?(): number;
  /** Resolves after `ms`; rejects with `signal.reason` when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
