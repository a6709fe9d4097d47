// The process on the machine, as the machine's own agent tells it. The exit record is the only truth about completion.
import type { LeaseFacts, LeaseReason } from './lease.ts';

export type JobPhase =
  | 'none' // no job was ever launched there
  | 'starting' // launched, process not seen yet
  | 'running'
  | 'succeeded' // exit record says 0
  | 'failed' // exit record says anything else
  | 'lost'; // process gone without an exit record (machine rebooted, supervisor killed)

export interface JobStatus {
  phase: JobPhase;
  runId?: string;
  /** Script path as given, relative to the project root. */
  script?: string;
  pid?: number;
  /** As a shell reports it: 0-255, 128+n for signal n. Only from the exit record. */
  exitCode?: number;
  startedAt?: number;
  endedAt?: number;
  /** Epoch ms of the agent's last sign of life. */
  heartbeatAt?: number;
  /** Epoch ms when this was told. Like all times here by the machine's clock, which is not ours: ages are differences to this. */
  nowAt?: number;
  /** The machine was started anew since the launch. Absent: it was not, or nobody can tell. */
  rebooted?: true;
  /** Epoch ms of that start, when known. */
  bootedAt?: number;
  /** Run directory on the machine, absolute. */
  directory?: string;
  logPath?: string;
  logBytes?: number;
  /** Epoch ms of the last byte of the log. */
  logAt?: number;
  /** Newest non-empty file in the checkpoint directory, absolute. */
  checkpoint?: string;
  checkpointAt?: number;
  /** The end of the log (at most 4 KiB), for metrics and error messages. */
  logTail?: string;
  /** Of the machine, where it has one. */
  lease?: LeaseFacts;
  /** The job was told to end because the machine's lease was over, whatever its exit code is. */
  endedByLease?: LeaseReason;
}

/** All that the agent needs to start a job. Rendered to a script by agent/. */
export interface JobSpec {
  runId: string;
  script: string;
  /** Exactly these strings reach the script, byte for byte. */
  args: string[];
  /** Extra environment; names match [A-Za-z_][A-Za-z0-9_]*. */
  env: Record<string, string>;
  /** Directory holding the code: `<run dir>/code` after a sync, or an absolute path for jobs in place. */
  codeDirectory?: string;
  /** Where the log shall be, absolute or from the home on the machine; absent: in the run directory. */
  log?: string;
}

/** One line of what the agent knows of all runs of its machine. */
export interface KnownJob {
  runId: string;
  phase: JobPhase;
  pid?: number;
  /** Epoch ms. */
  startedAt?: number;
}
