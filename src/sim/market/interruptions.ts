// Does: takes spot instances back: recommendation to rebalance, notice, then the end; by order, because the price rose above what
// somebody pays at most, or because the pool has less room than machines.
// Gaps: hibernation stops an instance at its notice and keeps no memory.
// By design: what is planned stands in the instance's row, so a restarted server carries it out; of several machines in a pool the
// latest launched go first.
// Source: EC2 User Guide "Spot Instance interruption notices" (two minutes; hibernation begins at once), "EC2 instance rebalance
// recommendations", "Why Spot Instances are interrupted" (capacity, price).
import { Alarms } from '../alarms.ts';
import { BY_SPOT_STOP, BY_SPOT_TERMINATION } from '../aws/ec2/lifecycle.ts';
import type { Lifecycle } from '../aws/ec2/lifecycle.ts';
import { ec2Tables } from '../aws/ec2/rows.ts';
import type { Interruption, InterruptionBehavior } from '../aws/ec2/market-rows.ts';
import type { InstanceRow } from '../aws/ec2/rows.ts';
import type { SpotRequests } from '../aws/ec2/spot-requests.ts';
import type { Cloud } from '../cloud.ts';
import { inPool, poolCapacity } from './pools.ts';
import { spotPriceChanges } from './prices.ts';

export const NOTICE_MS = 120_000;
/** How far ahead prices are searched for the moment at which they rise too high. */
const LOOK_AHEAD_MS = 7 * 24 * 3_600_000;

export interface InterruptionOrder {
  reason: Interruption['reason'];
  /** From notice to end; 0: no warning. */
  noticeMs: number;
  /** From the recommendation, which comes at once, to the notice; undefined: no recommendation. */
  rebalanceMs?: number;
  /** Absent: as the spot request says. */
  action?: InterruptionBehavior;
}

export class Interruptions {
  readonly #cloud: Cloud;
  readonly #lifecycle: Lifecycle;
  readonly #requests: SpotRequests;
  readonly #alarms: Alarms;
  #closed = false;

  constructor(cloud: Cloud, lifecycle: Lifecycle, requests: SpotRequests) {
    this.#cloud = cloud;
    this.#alarms = new Alarms(cloud.clock);
    this.#lifecycle = lifecycle;
    this.#requests = requests;
    lifecycle.watch((row) => {
      if (row.spot && row.state === 'running') this.#watch(row);
      else this.#forget(row.instanceId);
    });
  }

  /** For a running spot instance that is not being interrupted yet. */
  begin(row: InstanceRow, order: InterruptionOrder): Interruption {
    const now = this.#cloud.clock.now();
    const noticeAt = now + (order.rebalanceMs ?? 0);
    const action = order.action ?? this.#behaviorOf(row);
    const interruption: Interruption = { reason: order.reason, action, noticeAt, endAt: action === 'hibernate' ? noticeAt : noticeAt + order.noticeMs };
    if (order.rebalanceMs !== undefined) interruption.rebalanceAt = now;
    row.interruption = interruption;
    this.#put(row);
    this.#carryOn(row, interruption);
    return interruption;
  }

  /** Prices or capacity of the pool changed: who cannot stay is told. */
  poolChanged(type: string, zone: string): void {
    for (const row of inPool(this.#cloud.world, type, zone)) if (row.state === 'running') this.#watch(row);
  }

  resume(): void {
    for (const row of ec2Tables(this.#cloud.world).instances.values()) if (row.spot && row.state === 'running') this.#watch(row);
  }

  forget(): void {
    this.#alarms.clear();
  }

  close(): void {
    this.#closed = true;
    this.forget();
  }

  #behaviorOf(row: InstanceRow): InterruptionBehavior {
    return ec2Tables(this.#cloud.world).spotRequests.get(row.spot?.requestId ?? '')?.behavior ?? 'terminate';
  }

  #put(row: InstanceRow): void {
    const { instances } = ec2Tables(this.#cloud.world);
    if (instances.get(row.instanceId) === row) instances.put(row.instanceId, row);
  }

  #forget(instanceId: string): void {
    this.#alarms.drop(instanceId);
  }

  #at(row: InstanceRow, at: number, action: () => void): void {
    this.#forget(row.instanceId);
    if (!this.#closed) this.#alarms.set(row.instanceId, at, action);
  }

  /** Carries on with an interruption under way, else begins one when price or room call for it, else waits for the price to. */
  #watch(row: InstanceRow): void {
    if (this.#closed || !row.spot || ec2Tables(this.#cloud.world).instances.get(row.instanceId) !== row || row.state !== 'running') return;
    if (row.interruption) return this.#carryOn(row, row.interruption);
    if (this.#hasNoRoom(row)) return void this.begin(row, { reason: 'capacity', noticeMs: NOTICE_MS });
    const now = this.#cloud.clock.now();
    const { maxMicroUsdPerHour } = row.spot;
    const tooHigh = spotPriceChanges(this.#cloud.world, row.type, row.zone, now, now + LOOK_AHEAD_MS).find((change) => change.microUsdPerHour > maxMicroUsdPerHour);
    if (tooHigh && tooHigh.at <= now) this.begin(row, { reason: 'price', noticeMs: NOTICE_MS });
    else this.#at(row, tooHigh?.at ?? now + LOOK_AHEAD_MS, () => this.#watch(row));
  }

  #hasNoRoom(row: InstanceRow): boolean {
    const capacity = poolCapacity(this.#cloud.world, row.type, row.zone);
    if (capacity === undefined) return false;
    const staying = inPool(this.#cloud.world, row.type, row.zone).filter((other) => other.interruption === undefined);
    return staying.indexOf(row) >= capacity;
  }

  #carryOn(row: InstanceRow, interruption: Interruption): void {
    const now = this.#cloud.clock.now();
    if (now < interruption.noticeAt) return this.#at(row, interruption.noticeAt, () => this.#watch(row));
    this.#requests.noticed(row);
    if (now < interruption.endAt) return this.#at(row, interruption.endAt, () => this.#watch(row));
    this.#forget(row.instanceId);
    if (interruption.action === 'terminate') this.#lifecycle.terminate(row, { reason: BY_SPOT_TERMINATION });
    else this.#lifecycle.stop(row, { reason: BY_SPOT_STOP });
  }
}
