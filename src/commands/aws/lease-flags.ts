// The flags that bound a machine, for every command that makes one or changes its lease.
import type { Flags } from '../../cli/command.ts';

/** `workflow`: whether bounds hold without being asked for. */
export const LEASE_FLAGS = {
  maxCost: { kind: 'number', placeholder: 'USD', min: 0.01, max: 1_000_000, summary: 'most that the machine may cost: it powers itself off before, whatever becomes of this command (default: lease.max_cost)' },
  maxHours: { kind: 'number', placeholder: 'HOURS', min: 0.02, max: 8760, summary: 'most hours that it may run (default: lease.max_hours, else 24 for workflows)' },
  idleStop: { kind: 'duration', placeholder: 'TIME', summary: 'power it off after so long without log line, checkpoint or work, 0 for never (default: lease.idle_minutes, else 1h for workflows)' },
  leaseEnd: { kind: 'choice', values: ['terminate', 'stop'], summary: 'what becomes of it then (default: as --on-failure for workflows, else lease.on_end)' },
  leaseGrace: { kind: 'duration', placeholder: 'TIME', summary: 'time that a training has to save before (default: lease.grace_seconds)' },
} as const satisfies Flags;
