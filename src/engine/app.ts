// What an operation may use. Built once by app/create-app.ts, passed down, never imported as a value.
import type { Config } from '../config/settings.ts';
import type { Clock } from '../core/clock.ts';
import type { Report } from '../core/events.ts';
import type { Ask, Provider, Store } from '../core/ports.ts';
import type { Stake } from '../core/stake.ts';
import type { Ledger } from '../ledger/ledger.ts';

export interface App {
  config: Config;
  /** Working directory: where scripts and outputs are relative to. */
  cwd: string;
  clock: Clock;
  report: Report;
  ask: Ask;
  /** Aborted by the first Ctrl-C. */
  signal: AbortSignal;
  /** What this command would leave behind; kept up to date by stories. Absent: nobody will ask. */
  stake?: Stake;
  /** A hint as a whole command, for the cloud that this command line means. Absent: hints stay as they are. */
  completeHint?(hint: string): string;
  /** Opened on first use; commands that need no memory start faster. */
  ledger(): Promise<Ledger>;
  /** By name: aws, local. Loaded on first use. */
  provider(name: string): Promise<Provider>;
  /** The configured bucket as a store, or undefined when none is configured. */
  store(): Promise<Store | undefined>;
}
