// Typed facts said while working. Kind and data are stable (docs/events.md is made from this list), wording is not.
import type { MachineState } from './machine.ts';
import type { MicroUsd } from './money.ts';

export type Event =
  | { kind: 'run.started'; runId: string; verb: string }
  | { kind: 'step.started'; step: string; label: string }
  | { kind: 'step.progress'; step: string; label: string; elapsedMs: number; detail?: string }
  | { kind: 'step.done'; step: string; label: string; elapsedMs: number; detail?: string; bad?: boolean }
  | { kind: 'step.failed'; step: string; label: string; elapsedMs: number; message: string }
  | { kind: 'cost.estimated'; type: string; market: string; hourlyMicroUsd?: MicroUsd; dailyMicroUsd?: MicroUsd; source: string }
  | { kind: 'cost.actual'; seconds: number; costMicroUsd?: MicroUsd; machineId: string }
  | { kind: 'machine.changed'; machineId: string; state: MachineState }
  | { kind: 'transfer.moved'; step: string; stage?: 'pack' | 'send' | 'fetch' | 'unpack' | 'verify'; doneBytes: number; totalBytes: number }
  | { kind: 'log.line'; text: string }
  | { kind: 'install.line'; text: string }
  | { kind: 'checkpoint.saved'; path: string }
  | { kind: 'note'; level: 'info' | 'warning'; text: string; hints?: string[] };

export type Report = (event: Event) => void;
