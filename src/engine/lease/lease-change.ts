// `runctl aws lease`: what bounds a machine, and other bounds for it, also while a job runs.
import { type HeldLease, renderLease, renderLeaseShow } from '../../agent/lease.ts';
import { durationText } from '../../core/durations.ts';
import { RunctlError } from '../../core/errors.ts';
import { newRunId } from '../../core/ids.ts';
import { LEASE_MARGIN_S, type Lease, type LeaseFacts } from '../../core/lease.ts';
import type { Machine } from '../../core/machine.ts';
import { MICROS_PER_USD, type MicroUsd, formatUsd } from '../../core/money.ts';
import type { Provider, Shell } from '../../core/ports.ts';
import type { App } from '../app.ts';
import { allowance, requireIdle, worstMicroUsdPerHour } from './lease.ts';
import { askLease, describeHeld, leaseOf } from './lease-hold.ts';
import { requireMachine } from '../states.ts';
import { tell } from '../steps.ts';

/** All limits are totals since the machine was bought; what is absent stays as it is. */
export interface LeaseChange {
  provider: string;
  machineId: string;
  maxCostMicroUsd?: MicroUsd;
  maxHours?: number;
  /** 0: never. */
  idleMs?: number;
  graceMs?: number;
  /** Nothing bounds the machine from here on. */
  off?: boolean;
}

export interface LeaseResult {
  instanceId: string;
  lease: LeaseFacts['state'];
  /** Which limit is reached first. */
  limit?: Lease['limit'];
  maxHours?: number;
  maxCostUsd?: number;
  idleStopS?: number;
  graceS?: number;
  onEnd?: Lease['onEnd'];
  /** Running seconds in all. */
  allowedS?: number;
  usedS?: number;
  leftS?: number;
  /** Since something moved on the machine. */
  quietS?: number;
  /** At most, at the highest price that the machine can have. */
  costSoFarUsd?: number;
  mostUsd?: number;
  /** Its keeper lives; without it only the guard that was armed at boot holds. */
  kept: boolean;
  /** Why it is ending. */
  reason?: LeaseFacts['reason'];
}

export async function showLease(app: App, request: Pick<LeaseChange, 'provider' | 'machineId'>): Promise<LeaseResult> {
  const provider = await app.provider(request.provider);
  const machine = await requireMachine(provider, request.machineId, 'lease', app.signal);
  const held = await askLease(app, await provider.shell(machine), renderLeaseShow());
  return describe(machine, held);
}

export async function changeLease(app: App, request: LeaseChange): Promise<LeaseResult> {
  requireIdle(request.idleMs);
  const provider = await app.provider(request.provider);
  return tell(app, { runId: newRunId(app.clock.now()), verb: 'lease', request }, async (story) => {
    story.setMachine(request.machineId, provider.name);
    const machine = await requireMachine(provider, request.machineId, 'lease', app.signal);
    const shell = await provider.shell(machine);
    const before = await askLease(app, shell, renderLeaseShow());
    const lease = await renewed(app, provider, machine, before, request);
    const held = await story.step('lease', request.off ? 'lift the lease' : 'change the lease', () => set(app, shell, lease, !request.off), describeHeld);
    if (!leaseOf(machine) && !request.off) {
      app.report({ kind: 'note', level: 'warning', text: `${machine.id} was bought without a lease: this one holds until the machine is stopped, and must be given again after a start`, hints: [`runctl ${provider.name} lease ${machine.id} --max-hours 8`] });
    }
    const wanted = request.maxHours === undefined ? (request.maxCostMicroUsd === undefined ? undefined : 'cost') : request.maxCostMicroUsd === undefined ? 'hours' : undefined;
    if (!request.off && wanted && lease.limit !== wanted) {
      app.report({ kind: 'note', level: 'warning', text: wanted === 'hours' ? `its cost limit of ${formatUsd(lease.maxCostMicroUsd ?? 0, 2)} is reached before that` : `its ${durationText((lease.hoursS ?? 0) * 1000)} are over before that`, hints: [wanted === 'hours' ? `runctl ${provider.name} lease ${machine.id} --max-cost 10` : `runctl ${provider.name} lease ${machine.id} --max-hours 24`] });
    }
    return describe(machine, held);
  });
}

function set(app: App, shell: Shell, lease: Lease, on: boolean): Promise<HeldLease> {
  return askLease(app, shell, renderLease('set', lease, { on }));
}

async function renewed(app: App, provider: Provider, machine: Machine, held: HeldLease, request: LeaseChange): Promise<Lease> {
  const now = held.lease ?? leaseOf(machine) ?? { idleS: 0, graceS: app.config.lease.grace_seconds, onEnd: machine.market === 'spot' ? 'terminate' : 'stop' };
  if (request.off) return now;
  const price = await provider.price(machine, app.signal);
  const lease: Lease = {
    ...now,
    rateMicroUsd: now.rateMicroUsd ?? worstMicroUsdPerHour({ market: machine.market, price }),
    maxCostMicroUsd: request.maxCostMicroUsd ?? now.maxCostMicroUsd,
    hoursS: request.maxHours === undefined ? now.hoursS : Math.max(1, Math.floor(request.maxHours * 3600)),
    ...(request.idleMs === undefined ? {} : { idleS: Math.ceil(request.idleMs / 1000) }),
    ...(request.graceMs === undefined ? {} : { graceS: Math.ceil(request.graceMs / 1000) }),
    allowedS: undefined, limit: undefined,
  };
  if (lease.maxCostMicroUsd !== undefined && lease.rateMicroUsd === undefined) {
    throw new RunctlError('usage', `a cost limit cannot be kept for ${machine.id}: nobody knows what it costs`, { cause: `Price: ${price.source}.`, hints: [`runctl ${provider.name} lease ${machine.id} --max-hours 8`] });
  }
  const { allowedS, limit } = allowance(lease, price.storageMicroUsd);
  if (allowedS === undefined && lease.idleS === 0) {
    throw new RunctlError('usage', 'nothing would bound the machine any more', { hints: [`runctl ${provider.name} lease ${machine.id} --off   (if that is what is wanted)`] });
  }
  const usedS = held.usedS ?? 0;
  if (allowedS !== undefined && allowedS <= usedS) {
    const least = lease.rateMicroUsd === undefined ? 1 : Math.ceil(((usedS + 3600) * lease.rateMicroUsd) / 36e8) / 100 + (lease.spentMicroUsd ?? 0) / MICROS_PER_USD;
    throw new RunctlError('usage', `${machine.id} has run for ${durationText(usedS * 1000)} already, and ${limit === 'cost' ? `${formatUsd(lease.maxCostMicroUsd ?? 0)} buys` : 'these hours are'} ${durationText(allowedS * 1000)}`, {
      cause: 'Limits are totals since the machine was bought. To end it now, stop or terminate it.',
      hints: [limit === 'cost' ? `runctl ${provider.name} lease ${machine.id} --max-cost ${least.toFixed(2)}` : `runctl ${provider.name} lease ${machine.id} --max-hours ${Math.ceil(usedS / 3600) + 1}`, `runctl ${provider.name} terminate ${machine.id} --wait`],
    });
  }
  return { ...lease, allowedS, limit };
}

function describe(machine: Machine, { state, lease, usedS, leftS, quietS, reason, kept }: HeldLease): LeaseResult {
  if (!lease) return { instanceId: machine.id, lease: 'none', kept: false };
  const { rateMicroUsd: rate, allowedS, graceS, spentMicroUsd = 0 } = lease;
  const costOf = (seconds: number | undefined): number | undefined => (rate === undefined || seconds === undefined ? undefined : Math.ceil((seconds * rate) / 3600 + spentMicroUsd) / MICROS_PER_USD);
  const isOn = state !== 'off';
  return {
    instanceId: machine.id, lease: state, limit: lease.limit,
    maxHours: lease.hoursS === undefined ? undefined : lease.hoursS / 3600,
    maxCostUsd: lease.maxCostMicroUsd === undefined ? undefined : lease.maxCostMicroUsd / MICROS_PER_USD,
    idleStopS: lease.idleS, graceS, onEnd: lease.onEnd,
    allowedS, usedS, leftS, quietS,
    costSoFarUsd: costOf(usedS),
    mostUsd: isOn && allowedS !== undefined ? costOf(Math.max(allowedS, (usedS ?? 0) + (leftS ?? 0)) + graceS + LEASE_MARGIN_S) : undefined,
    kept: kept ?? false, reason,
  };
}
