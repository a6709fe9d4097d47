// Renders what keeps a lease on a machine: the boot script with the guard, and the calls that install, renew and ask its keeper.
// Pure. The keeper is lease.py, the guard guard.sh; neither needs runctl once it is there.
import { type Lease, leaseWords, readLease, type LeaseFacts } from '../core/lease.ts';
import { shellQuote } from '../core/quote.ts';
import leaseSh from './agent-lease.sh?raw';
import { type Answer, readFacts, text } from './facts.ts';
import guardSh from './guard.sh?raw';
import { readLeaseFacts } from './lease-facts.ts';
import placeSh from './lease-place.sh?raw';
import keeperPy from './lease.py?raw';
import { AGENT, strip } from './render.ts';

/** After the grace the guard leaves the keeper so much time to have done it itself, seconds. */
const GUARD_SLACK_S = 30;
/** How often time is written down: what a crash can lose. */
const LONGEST_TICK_S = 30;

const GUARD = [strip(placeSh), strip(guardSh), 'guard_main "$@"'].join('\n');
/** Indentation means something in it, and a # may stand in a text: only whole lines of comment go. */
const KEEPER = keeperPy.split('\n').filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#')).join('\n');

/** User data that arms the guard at every boot, from the first one (cloud-init documentation, "User data formats": cloud-boothook).
 *  Holds nothing secret. */
export function renderBootScript(lease: Lease): string {
  return ['#cloud-boothook', '#!/bin/sh', `GUARD_LEASE=${shellQuote(leaseFile(lease, true))}`, GUARD, ''].join('\n');
}

/** `hold`: the lease that the machine has, else this one; `set`: this one. Either way guard and keeper live afterwards. `on: false` lifts it. */
export function renderLease(how: 'hold' | 'set', lease: Lease, { on = true }: { on?: boolean } = {}): string {
  return [
    '#!/bin/sh',
    `RUNCTL_LEASE=${shellQuote(leaseFile(lease, on))}`,
    `RUNCTL_KEEPER=${shellQuote(KEEPER)}`,
    `RUNCTL_GUARD=${shellQuote(GUARD)}`,
    AGENT,
    strip(leaseSh),
    `runctl_lease_main ${how}`,
    '',
  ].join('\n');
}

export function renderLeaseShow(): string {
  return `#!/bin/sh\n${AGENT}\n${strip(leaseSh)}\nrunctl_lease_main show\n`;
}

/** What a machine answers about its lease. */
export interface HeldLease extends LeaseFacts {
  /** As it is now, renewals included. */
  lease?: Lease;
}

export function parseLease(answer: Answer): HeldLease {
  const facts = readFacts(answer);
  const lease = facts.has('lease64') ? readLease(text(facts, 'lease64')) : undefined;
  return { state: 'none', ...readLeaseFacts(facts), ...(lease ? { lease } : {}) };
}

/** The file `lease` of guard.sh. */
function leaseFile(lease: Lease, on: boolean): string {
  const tick = Math.min(LONGEST_TICK_S, Math.max(1, Math.floor((lease.allowedS ?? Infinity) / 20)));
  const off = lease.allowedS === undefined ? [] : [`off_after=${lease.allowedS + lease.graceS + GUARD_SLACK_S}`];
  return [`state=${on ? 'on' : 'off'}`, `tick=${tick}`, ...off, ...leaseWords(lease)].join('\n');
}
