// What a list of machines is to those who read it: commands, exports, --output json.
import type { Market } from '../../core/machine.ts';
import type { Warning } from './warnings.ts';

/** One machine, in the terms of --output json and of exports. */
export interface Resource {
  id: string;
  type: string;
  state: string;
  stateReason?: string;
  market: Market;
  region: string;
  zone?: string;
  project?: string;
  run?: string;
  owner?: string;
  publicIp?: string;
  privateIp?: string;
  diskGb: number;
  launchedAt?: string;
  uptimeS?: number;
  costPerHourUsd?: number;
  /** So far. */
  accumulatedUsd?: number;
  /** It cost that at most: when it ended is not known exactly. */
  atMost?: boolean;
  /** It cost that at least: of what it was used for before this computer knew of it nobody tells. */
  atLeast?: boolean;
  /** protected, old, idle. */
  marks: string[];
}

export interface ListResult {
  /** Epoch time of the look, ISO. */
  at: string;
  resources: Resource[];
  /** How many match, of which `resources` are the first. */
  matching: number;
  running: number;
  /** Of all that match, and whose price is known. */
  costPerHourUsd: number;
  accumulatedUsd: number;
  /** Machines whose price nobody could tell; they are in neither sum. */
  unknownPrices: number;
  warnings: Warning[];
  regions: string[];
  unanswered: { region: string; kind: string; reason: string }[];
  /** Machines that runctl did not make, by region. Only when asked for. */
  foreign?: Record<string, number>;
  exportFile?: string;
}
