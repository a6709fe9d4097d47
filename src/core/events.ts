// Typed facts said while working. Kind and data are stable (docs/events.md is made from this list), wording is not.
import type { MachineState } from './machine.ts';
import type { MicroUsd } from './money.ts';

export type Event =
  | { kind: 'run.started'; runId: string; verb: string }
  | { kind: 'step.started'; step: string; label: string }
  | { kind: 'step.progress'; step: string; label: string; elapsedMs: number; detail?: string }
  | { kind: 'step.done'; step: string; label: string; elapsedMs: number; detail?: string; bad?: boolean }
  | { kind: 'step.failed'; step: string; label: string; elapsedMs: number; message: string }
  | { kind: 'cost.estimated'; type: string; market: string; zone?: string; hourlyMicroUsd?: MicroUsd; dailyMicroUsd?: MicroUsd; source: string; computeMicroUsd?: MicroUsd; storageMicroUsd?: MicroUsd; addressMicroUsd?: MicroUsd; onDemandHourlyMicroUsd?: MicroUsd; spotHourlyMicroUsd?: MicroUsd; spotZone?: string; hours?: number; expectedMicroUsd?: MicroUsd; otherExpectedMicroUsd?: MicroUsd; worstMicroUsd?: MicroUsd; worst?: string }
  | { kind: 'spot.tried'; step: string; label: string; round: number; attempt: number; of: number; type: string; zone: string; hourlyMicroUsd?: MicroUsd; elapsedMs: number }
  | { kind: 'spot.refused'; step: string; round: number; attempt: number; type: string; zone: string; refusal: 'capacity' | 'price' | 'quota' | 'busy' | 'unknown'; text: string; elapsedMs: number }
  | { kind: 'spot.fallback'; type: string; spotHourlyMicroUsd?: MicroUsd; spotZone?: string; onDemandHourlyMicroUsd?: MicroUsd; factor?: number; hours: number; spotExpectedMicroUsd?: MicroUsd; onDemandExpectedMicroUsd?: MicroUsd; elapsedMs: number; tried: string[] }
  | { kind: 'cost.actual'; seconds: number; costMicroUsd?: MicroUsd; machineId: string; atMost?: boolean; estimatedMicroUsd?: MicroUsd; worstMicroUsd?: MicroUsd }
  | { kind: 'machine.changed'; machineId: string; state: MachineState }
  | { kind: 'transfer.moved'; step: string; stage?: 'pack' | 'send' | 'fetch' | 'unpack' | 'verify'; doneBytes: number; totalBytes: number }
  | { kind: 'log.line'; text: string }
  | { kind: 'install.line'; text: string }
  | { kind: 'checkpoint.saved'; path: string }
  | { kind: 'note'; level: 'info' | 'warning'; text: string; hints?: string[] };

/** Why a place did not sell a spot machine. `busy`: the cloud asked for fewer requests; `unknown`: nobody heard its answer. */
export type Refusal = Extract<Event, { kind: 'spot.refused' }>['refusal'];

export type Report = (event: Event) => void;
