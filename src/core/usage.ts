// What a machine is billed for, in the terms in which clouds bill: spans of running, disks while they exist, prices over time.
import type { Market } from './machine.ts';
import type { MicroUsd } from './money.ts';

/** From `at` on (epoch ms) it costs so much an hour, until the next change. */
export interface PriceChange {
  at: number;
  microUsdPerHour: MicroUsd;
}

/** One start of a machine, from `running` to leaving it. */
export interface RunSpan {
  /** Epoch ms, whole seconds. */
  from: number;
  /** Absent: it runs still. */
  to?: number;
  /** `to` is when it ended at the latest: the cloud does not tell, or has forgotten. */
  atMost?: boolean;
  /** The cloud itself took it back (spot). */
  interrupted?: boolean;
  market: Market;
  /** Compute, oldest first, the first in effect at `from`. Empty: not asked for yet, or nobody could tell. */
  prices: PriceChange[];
  /** Public address while it runs; 0: it has none. */
  addressMicroUsdPerHour: MicroUsd;
  /** Nobody saw it run: whether it had an address is not known, and none is counted. */
  addressUnseen?: boolean;
}

/** A disk of a machine, billed from its creation until it goes, running or stopped. */
export interface DiskSpan {
  id: string;
  gb: number;
  /** Absent: not asked for yet. */
  microUsdPerGbMonth?: MicroUsd;
  /** Epoch ms, whole seconds. */
  from: number;
  /** Absent: it exists still. */
  to?: number;
  /** `to` is when it went at the latest. */
  atMost?: boolean;
  /** It goes with its machine. */
  onTermination: boolean;
}

/** All that a machine is billed for. */
export interface MachineUsage {
  machineId: string;
  runs: RunSpan[];
  disks: DiskSpan[];
  /** It was used for more than this: a start before these, or disks, of which nobody here knows. */
  unseen?: true;
  /** It ran, but nobody could tell when. */
  runsUnknown?: true;
  /** It has disks, but nobody could tell which. */
  disksUnknown?: true;
}

/** What machines of one kind cost over some time. */
export interface Rates {
  prices: PriceChange[];
  addressMicroUsdPerHour: MicroUsd;
  diskMicroUsdPerGbMonth: MicroUsd;
  /** Where the compute price came from, with its date. */
  source: string;
}

/** Whose rates, and when. */
export interface RatesWish {
  type: string;
  market: Market;
  region: string;
  /** Spot prices differ between zones. */
  zone?: string;
  /** Epoch ms. */
  from: number;
  /** Absent: up to now. */
  to?: number;
}
