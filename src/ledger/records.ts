// What the ledger remembers: runs, their steps, effects on the world, costs. Types only.
import type { Machine, MachineState, Market } from '../core/machine.ts';
import type { MicroUsd } from '../core/money.ts';
import type { MachineUsage } from '../core/usage.ts';
import type { Owner } from './owner.ts';

export type RunState = 'open' | 'succeeded' | 'failed' | 'interrupted';
export type EffectState = 'intended' | 'done' | 'failed' | 'abandoned';

export interface RunRecord {
  id: string;
  verb: string;
  state: RunState;
  machineId?: string;
  provider?: string;
  project?: string;
  request: unknown;
  result?: unknown;
  createdAt: number;
  endedAt?: number;
  /** The process that works, or worked, on it. An open run whose owner is dead was interrupted. */
  owner: Owner;
}

export interface StepRecord {
  runId: string;
  name: string;
  attempt: number;
  state: 'started' | 'done' | 'failed';
  startedAt: number;
  endedAt?: number;
  value?: unknown;
  error?: unknown;
}

export interface EffectRecord {
  runId: string;
  step: string;
  attempt: number;
  token: string;
  kind: string;
  state: EffectState;
  /** The intent: what was about to be asked for. */
  request: unknown;
  outcome?: unknown;
  resourceId?: string;
  intendedAt: number;
  settledAt?: number;
}

export interface CostRecord {
  runId: string;
  machineId: string;
  category: string;
  seconds: number;
  /** Undefined when the price was unknown. */
  costMicroUsd?: MicroUsd;
  at: number;
}

/** A machine as it was last seen, and everything it is billed for. */
export interface MachineRecord {
  id: string;
  provider: string;
  /** Of a cloud that bills nobody; see Provider.pretend. */
  pretend: boolean;
  region: string;
  zone?: string;
  type: string;
  market: Market;
  project?: string;
  owner?: string;
  /** Run that made it. */
  runId?: string;
  state: MachineState;
  firstSeenAt: number;
  seenAt: number;
  /** The lease that it was bought with, as its tag says it. */
  lease?: string;
  usage: MachineUsage;
}

/** What a machine was planned to have, for bills of machines that nobody saw running. */
export interface PlannedParts {
  diskGb: number;
  addressMicroUsdPerHour: MicroUsd;
}

export interface Sighting {
  machine: Machine;
  pretend: boolean;
  /** What the cloud tells of it, where it was asked. */
  usage?: MachineUsage;
  plan?: PlannedParts;
  nowMs: number;
}

export interface MachineFilter {
  pretend?: boolean;
  /** Only those that were not terminated when last seen. */
  alive?: boolean;
  /** Only those that were seen since, epoch ms. */
  sinceMs?: number;
  project?: string;
}
