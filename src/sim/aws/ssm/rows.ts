// What SSM remembers of a command. Plain JSON, one file a command (command-store.ts).

export type InvocationStatus = 'Pending' | 'InProgress' | 'Delayed' | 'Success' | 'Cancelled' | 'TimedOut' | 'Failed' | 'Cancelling';

export interface InvocationRow {
  status: InvocationStatus;
  /** As the API spells it: DeliveryTimedOut, ExecutionTimedOut, Terminated… */
  statusDetails: string;
  /** -1 until there is one. */
  responseCode: number;
  startedAt?: number;
  endedAt?: number;
  /** First 24,000 and 8,000 characters, marked when cut. */
  stdout: string;
  stderr: string;
  /** How often the script has been started: exit code 194 reboots the machine and runs it again. */
  attempt: number;
}

export interface CommandRow {
  commandId: string;
  region: string;
  documentName: string;
  comment: string;
  /** As given; `{{ssm:name}}` is resolved at delivery. */
  parameters: Record<string, string[]>;
  instanceIds: string[];
  targets: { Key: string; Values: string[] }[];
  requestedAt: number;
  timeoutS: number;
  executionTimeoutS: number;
  maxConcurrency: string;
  maxErrors: string;
  outputBucket: string;
  outputPrefix: string;
  serviceRole: string;
  invocations: Record<string, InvocationRow>;
}

const TERMINAL = new Set<InvocationStatus>(['Success', 'Cancelled', 'TimedOut', 'Failed']);

export function isTerminal(status: InvocationStatus): boolean {
  return TERMINAL.has(status);
}

export function isFinished(command: CommandRow): boolean {
  return Object.values(command.invocations).every(({ status }) => isTerminal(status));
}
