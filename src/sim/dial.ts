// Does: the three settings of the pretend cloud's delays.
// By design: `realistic` uses round figures for small Linux instances; the real cloud varies and promises none of them.
// Source: EC2 User Guide "Instance lifecycle" (states, stop may take minutes), EC2 API Reference "Eventual consistency"
// and TerminateInstances ("terminated instances remain visible for approximately one hour"), amazon-ssm-agent (registers
// after boot and network). The seconds themselves are experience, not documentation: they are not promised anywhere.
import type { Dial } from './cloud.ts';

export type DialName = 'instant' | 'quick' | 'realistic';

const HOUR_MS = 3_600_000;

export const DIALS: Record<DialName, Dial> = {
  /** For tests: every state is passed through, none is waited for. */
  instant: {
    pendingMs: 0,
    stoppingMs: 0,
    shuttingDownMs: 0,
    volumeMs: 0,
    snapshotMs: 0,
    ssmOnlineMs: 0,
    invocationVisibleMs: 0,
    instanceVisibleMs: 0,
    terminatedVisibleMs: HOUR_MS,
    latencyMs: 0,
  },
  /** For demonstrations: quick, yet each state can be seen. */
  quick: {
    pendingMs: 500,
    stoppingMs: 500,
    shuttingDownMs: 400,
    volumeMs: 300,
    snapshotMs: 1_000,
    ssmOnlineMs: 900,
    invocationVisibleMs: 40,
    instanceVisibleMs: 60,
    terminatedVisibleMs: HOUR_MS,
    latencyMs: 0,
  },
  realistic: {
    // A small Nitro instance is `running` some ten seconds after the call; that says nothing of its operating system.
    pendingMs: 12_000,
    // An orderly systemd shutdown plus the hypervisor's part.
    stoppingMs: 30_000,
    shuttingDownMs: 25_000,
    // A volume is there and attached within seconds; a snapshot takes as long as its blocks take to be copied.
    volumeMs: 3_000,
    snapshotMs: 60_000,
    // Boot, network, agent start, registration.
    ssmOnlineMs: 25_000,
    // SendCommand's id is not known everywhere at once.
    invocationVisibleMs: 700,
    // Ids of RunInstances spread within a second or so.
    instanceVisibleMs: 800,
    terminatedVisibleMs: HOUR_MS,
    // A round trip within a continent plus the service's own work.
    latencyMs: 60,
  },
};

export function isDialName(text: string): text is DialName {
  return Object.hasOwn(DIALS, text);
}
