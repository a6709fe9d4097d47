// Why EC2 stopped or ended a machine, in words. Source: EC2 API Reference, StateReason; EC2 User Guide, "Troubleshoot launch issues".

const REASONS: Record<string, string> = {
  'Client.UserInitiatedShutdown': 'stopped or terminated by a call of the API: runctl, the console, or somebody else of the account',
  'Client.InstanceInitiatedShutdown': 'shut down from inside the machine',
  'Client.UserInitiatedHibernate': 'hibernated by a call of the API',
  'Client.InternalError': 'ended while it started; most often the KMS key of its encrypted disk cannot be used',
  'Client.InvalidSnapshot.NotFound': 'ended while it started: the snapshot of its image is gone',
  'Client.VolumeLimitExceeded': 'ended while it started: the account\'s quota of disk space is used up',
  'Client.InstanceTerminated': 'terminated by a call of the API',
  'Server.SpotInstanceTermination': 'taken back by AWS: a spot interruption',
  'Server.SpotInstanceShutdown': 'stopped by AWS: a spot interruption; only AWS can start it again',
  'Server.InsufficientInstanceCapacity': 'AWS had no capacity for it when it was to start',
  'Server.InternalError': 'ended by a failure inside AWS',
  'Server.ScheduledStop': 'stopped by AWS for maintenance that was announced',
};

/** A sentence part, with AWS's own code and message behind it; undefined when EC2 gives no reason. */
export function readableReason(code: string | undefined, message: string | undefined): string | undefined {
  const known = code === undefined ? undefined : REASONS[code];
  if (known === undefined) return message || code || undefined;
  // EC2's message mostly begins with the code already.
  const said = !message ? code : message.includes(code as string) ? message : `${code}: ${message}`;
  return `${known} (${said})`;
}

export const STATE_REASONS: readonly (readonly [string, string])[] = Object.entries(REASONS);

/** Whether a StateReason code, or a StateTransitionReason, says that EC2 took a spot machine back. */
export function isInterruption(reason: string | undefined): boolean {
  return /^Server\.SpotInstance(Termination|Shutdown)\b/.test(reason ?? '');
}

/** Epoch ms, whole seconds, of "User initiated (2026-01-01 00:00:00 GMT)". A machine that shut itself down has no such text. */
export function timeInReason(transitionReason: string | undefined): number | undefined {
  const [, day, time] = /\((\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) (?:GMT|UTC)\)/.exec(transitionReason ?? '') ?? [];
  const at = Date.parse(`${day}T${time}Z`);
  return Number.isNaN(at) ? undefined : at;
}
