// Does: the life of spot requests: evaluated, held, fulfilled, followed while their instance lives, opened again, cancelled.
// Gaps: launch groups, availability zone groups, a start date; a held request looks at the market every five minutes and whenever
// somebody changes the market.
// By design: every wait is a world time in the row, so a restarted server goes on where the old one was. After an interruption the
// market looks at a persistent request again five minutes later: capacity that was just taken back is not there at once.
// Source: EC2 User Guide "Spot request states", "Spot request status", "Cancel a Spot Instance request", "Stop a Spot Instance"
// (a cancelled request ends its stopped instance; a terminated instance of a persistent request is replaced).
import { Alarms } from '../../alarms.ts';
import type { Cloud } from '../../cloud.ts';
import { refusalOfPool } from '../../market/pools.ts';
import { AwsFault } from '../../wire/call.ts';
import { readLaunch } from './launch-request.ts';
import { BY_SPOT_STOP, BY_SPOT_TERMINATION, BY_USER } from './lifecycle.ts';
import type { Lifecycle } from './lifecycle.ts';
import { ec2Tables } from './rows.ts';
import type { SpotRequestRow, SpotRequestState } from './market-rows.ts';
import type { Ec2Tables, InstanceRow } from './rows.ts';
import { launch } from './run-instances.ts';
import { heldCode, interruptedCode, isHeld, isStoppedByMarket, isTerminatedByMarket, setSpotStatus } from './spot-status.ts';
import type { SpotStatusCode } from './spot-status.ts';

const LOOK_AGAIN_MS = 5 * 60_000;

export class SpotRequests {
  readonly #cloud: Cloud;
  readonly #lifecycle: Lifecycle;
  readonly #tables: Ec2Tables;
  readonly #alarms: Alarms;
  #closed = false;

  constructor(cloud: Cloud, lifecycle: Lifecycle) {
    this.#cloud = cloud;
    this.#alarms = new Alarms(cloud.clock);
    this.#lifecycle = lifecycle;
    this.#tables = ec2Tables(cloud.world);
    lifecycle.watch((instance) => this.#instanceChanged(instance));
  }

  /** A new request that is put in the table, pending evaluation. */
  opened(row: SpotRequestRow): void {
    this.#lookAt(row, this.#now + this.#momentMs);
  }

  cancel(row: SpotRequestRow): void {
    const instance = this.#instanceOf(row);
    if (row.state === 'closed' || row.state === 'cancelled' || row.state === 'failed') return;
    this.#forget(row.requestId);
    if (row.state === 'open') {
      // An interrupted instance of a persistent request may still run: what became of it is told already.
      if (instance && instance.state !== 'terminated') this.#set(row, 'cancelled', row.status.code as SpotStatusCode);
      else this.#set(row, 'cancelled', 'canceled-before-fulfillment');
    } else if (instance?.state === 'stopped') {
      this.#endStopped(row, instance);
    } else {
      this.#set(row, 'cancelled', row.state === 'disabled' ? (row.status.code as SpotStatusCode) : 'request-canceled-and-instance-running');
    }
  }

  /** The market has told an instance that it will be taken back. Safe to repeat. */
  noticed(instance: InstanceRow): void {
    const row = this.#requestOf(instance);
    const { interruption } = instance;
    if (!row || !interruption) return;
    const code = interruption.action === 'terminate' ? interruptedCode(instance) : 'marked-for-stop';
    if (row.status.code === code) return;
    const state: SpotRequestState = interruption.action !== 'terminate' ? 'active' : row.type === 'persistent' ? 'open' : 'closed';
    this.#set(row, row.state === 'cancelled' ? 'cancelled' : state, code);
  }

  /** Prices, capacity or quotas are not what they were: whoever waits is looked at now. */
  marketChanged(): void {
    for (const row of this.#tables.spotRequests.values()) if (this.#waits(row)) this.#reconsider(row);
  }

  /** Only requests that their user stopped may be started by him. Throws EC2's refusals. */
  refuseStart(instance: InstanceRow): void {
    const row = this.#requestOf(instance);
    if (!instance.spot || !row) return;
    if (row.state !== 'disabled' || row.status.code !== 'instance-stopped-by-user') {
      throw new AwsFault(
        'IncorrectSpotRequestState',
        `You can't start the Spot Instance '${instance.instanceId}' because the associated Spot Instance request is not in an appropriate state to support start.`,
      );
    }
    const refusal = refusalOfPool(this.#cloud.world, instance, 1, instance.spot.maxMicroUsdPerHour, this.#now);
    if (refusal) throw refusal;
  }

  /** After a start of the server, when instances were taken up. */
  resume(): void {
    for (const row of this.#tables.spotRequests.values()) if (this.#waits(row)) this.#wake(row, row.notBefore ?? this.#now);
  }

  forget(): void {
    this.#alarms.clear();
  }

  close(): void {
    this.#closed = true;
    this.forget();
  }

  get #now(): number {
    return this.#cloud.clock.now();
  }

  /** Evaluating and fulfilling take so long each. */
  get #momentMs(): number {
    return this.#cloud.dial.pendingMs / 2;
  }

  #set(row: SpotRequestRow, state: SpotRequestState, code: SpotStatusCode, message?: string): void {
    setSpotStatus(this.#cloud.world, row, this.#now, state, code, message);
  }

  #instanceOf(row: SpotRequestRow): InstanceRow | undefined {
    return row.instanceId === undefined ? undefined : this.#tables.instances.get(row.instanceId);
  }

  /** Undefined also for an instance that a later one has followed. */
  #requestOf(instance: InstanceRow): SpotRequestRow | undefined {
    const row = instance.spot && this.#tables.spotRequests.get(instance.spot.requestId);
    return row?.instanceId === instance.instanceId ? row : undefined;
  }

  #waits(row: SpotRequestRow): boolean {
    return row.state === 'open' || (row.state === 'disabled' && isStoppedByMarket(row));
  }

  #forget(requestId: string): void {
    this.#alarms.drop(requestId);
  }

  /** Not before this time, whatever happens in the market. */
  #lookAt(row: SpotRequestRow, at: number): void {
    row.notBefore = at;
    if (this.#tables.spotRequests.get(row.requestId) === row) this.#tables.spotRequests.put(row.requestId, row);
    this.#wake(row, at);
  }

  #lookAgain(row: SpotRequestRow): void {
    this.#wake(row, this.#now + LOOK_AGAIN_MS);
  }

  #wake(row: SpotRequestRow, at: number): void {
    this.#forget(row.requestId);
    if (!this.#closed) this.#alarms.set(row.requestId, Math.min(at, row.validUntil ?? Infinity), () => this.#reconsider(row));
  }

  #reconsider(row: SpotRequestRow): void {
    if (this.#closed || this.#tables.spotRequests.get(row.requestId) !== row || !this.#waits(row)) return;
    const instance = this.#instanceOf(row);
    if (row.validUntil !== undefined && this.#now >= row.validUntil) {
      this.#forget(row.requestId);
      if (row.state === 'open') this.#set(row, 'cancelled', 'schedule-expired');
    } else if (this.#now < (row.notBefore ?? 0)) {
      this.#wake(row, row.notBefore as number);
    } else if (row.state === 'disabled') {
      this.#restart(row, instance);
    } else if (instance !== undefined && instance.state !== 'terminated') {
      this.#lookAgain(row);
    } else if (row.status.code === 'pending-fulfillment') {
      this.#fulfil(row);
    } else {
      this.#evaluate(row);
    }
  }

  #restart(row: SpotRequestRow, instance: InstanceRow | undefined): void {
    if (!instance || instance.state === 'terminated' || instance.state === 'shutting-down') return this.#forget(row.requestId);
    const refusal = refusalOfPool(this.#cloud.world, instance, 1, row.maxMicroUsdPerHour, this.#now);
    if (refusal || instance.state !== 'stopped') return this.#lookAgain(row);
    this.#forget(row.requestId);
    this.#lifecycle.start(instance);
  }

  #evaluate(row: SpotRequestRow): void {
    this.#orHold(row, () => {
      const { type, subnet } = this.#readLaunch(row);
      const refusal = refusalOfPool(this.#cloud.world, { type: type.name, zone: subnet.zone }, 1, row.maxMicroUsdPerHour, this.#now);
      if (refusal) throw refusal;
      this.#set(row, 'open', 'pending-fulfillment');
      this.#lookAt(row, this.#now + this.#momentMs);
    });
  }

  #fulfil(row: SpotRequestRow): void {
    this.#orHold(row, () => {
      const { begin } = launch(this.#cloud, row.region, { request: this.#readLaunch(row), params: row.launch, spotRequest: row }, this.#lifecycle);
      this.#forget(row.requestId);
      begin();
    });
  }

  #readLaunch(row: SpotRequestRow) {
    const terms = { type: row.type, behavior: row.behavior, maxMicroUsdPerHour: row.maxMicroUsdPerHour, validUntil: row.validUntil };
    return readLaunch(this.#cloud.world, row.region, row.launch, this.#now, terms);
  }

  #orHold(row: SpotRequestRow, act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof AwsFault)) throw error;
      const code = heldCode(error.code);
      if (code === undefined) {
        this.#forget(row.requestId);
        row.fault = { code: error.code, message: error.message };
        this.#set(row, 'failed', 'bad-parameters');
        return;
      }
      if (row.status.code !== code) this.#set(row, 'open', code, error.message);
      this.#lookAgain(row);
    }
  }

  #endStopped(row: SpotRequestRow, instance: InstanceRow): void {
    this.#set(row, 'cancelled', 'instance-terminated-by-service');
    this.#lifecycle.terminate(instance, { reason: BY_USER });
  }

  #instanceChanged(instance: InstanceRow): void {
    const row = this.#requestOf(instance);
    if (!row) return;
    const ended = row.state === 'cancelled';
    switch (instance.state) {
      case 'pending':
        this.#set(row, ended ? 'cancelled' : 'active', 'fulfilled');
        break;
      case 'stopping':
        if (instance.stateReason?.code === BY_SPOT_STOP.code) this.#interrupted(row, ended ? 'cancelled' : 'disabled', instance);
        else if (!ended) this.#set(row, 'active', 'marked-for-stop');
        break;
      case 'stopped':
        if (!isStoppedByMarket(row)) this.#set(row, ended ? 'cancelled' : 'disabled', 'instance-stopped-by-user');
        else if (ended) this.#endStopped(row, instance);
        break;
      case 'shutting-down':
        this.#ended(row, instance);
        break;
      case 'terminated':
        // A launch that failed never was shutting down.
        if (row.state === 'active') this.#ended(row, instance);
        if (row.state === 'open') this.#lookAt(row, Math.max(row.notBefore ?? 0, this.#now + this.#momentMs));
        break;
    }
    if (instance.state !== 'pending' && instance.state !== 'running') this.#roomAfter(instance);
  }

  #ended(row: SpotRequestRow, instance: InstanceRow): void {
    const reason = instance.stateReason?.code ?? '';
    const open = row.type === 'persistent' && row.state !== 'cancelled';
    const state: SpotRequestState = row.state === 'cancelled' ? 'cancelled' : open ? 'open' : 'closed';
    if (reason === BY_SPOT_TERMINATION.code) this.#interrupted(row, state, instance);
    else if (row.status.code !== 'instance-terminated-by-service' && !isTerminatedByMarket(row)) {
      this.#set(row, state, reason.startsWith('Client.') ? 'instance-terminated-by-user' : 'system-error');
    }
    if (open) this.#lookAt(row, this.#now + (isTerminatedByMarket(row) ? LOOK_AGAIN_MS : this.#momentMs));
  }

  /** Its time is that at which the instance left `running`. */
  #interrupted(row: SpotRequestRow, state: SpotRequestState, instance: InstanceRow): void {
    this.#set(row, state, interruptedCode(instance));
    if (state === 'disabled') this.#lookAt(row, this.#now + LOOK_AGAIN_MS);
  }

  /** Those held for lack of room may have it now; not in the middle of the change that made it. */
  #roomAfter(instance: InstanceRow): void {
    const held = this.#tables.spotRequests.values().filter((row) => row.state === 'open' && isHeld(row) && row.instanceType === instance.type);
    for (const row of held) this.#lookAt(row, this.#now);
  }
}
