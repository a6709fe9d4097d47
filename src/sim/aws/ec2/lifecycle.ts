// Does: moves instances from state to state over world time and makes the machine host follow: boots, shuts down, destroys.
// Gaps: no hibernation, no scheduled events, no instance recovery.
// By design: an instance is `running` only when its guest has booted (on EC2 some seconds before); transitions are counted
// from stateSince in the row, so a restarted server goes on where the old one was, as after a reboot of the host.
// A one-time spot instance that powers itself off ends, whatever its shutdown behaviour says: it could never be started again.
// Source: EC2 User Guide "Instance lifecycle", "Instance state transition", "Spot Instance interruptions"; EC2 API Reference StateReason.
import { Alarms } from '../../alarms.ts';
import type { Cloud, MachineSpec } from '../../cloud.ts';
import { meterNotRunning, meterRunning, meterTerminated, wholeSecond } from '../../meter.ts';
import { newPublicIp } from './network.ts';
import { ec2Tables } from './rows.ts';
import type { Ec2Tables, InstanceRow, InstanceState } from './rows.ts';

/** systemd's own patience is 90 s; EC2 then pulls the plug. The dial's delays shorten it, never below this. */
const LEAST_GRACE_MS = 2_000;
const MOST_GRACE_MS = 30_000;
const CONSOLE_LINES = 400;

export interface Reason {
  code: string;
  message: string;
}

export const BY_USER: Reason = { code: 'Client.UserInitiatedShutdown', message: 'Client.UserInitiatedShutdown: User initiated shutdown' };
export const BY_GUEST: Reason = { code: 'Client.InstanceInitiatedShutdown', message: 'Client.InstanceInitiatedShutdown: Instance initiated shutdown' };
/** What EC2 says of a host that failed under a running instance is not documented further than the code. */
export const BY_HOST: Reason = { code: 'Server.InternalError', message: 'Server.InternalError: The host of the instance failed' };
export const BY_SPOT_TERMINATION: Reason = { code: 'Server.SpotInstanceTermination', message: 'Server.SpotInstanceTermination: Spot instance termination' };
export const BY_SPOT_STOP: Reason = { code: 'Server.SpotInstanceShutdown', message: 'Server.SpotInstanceShutdown: Spot instance shutdown' };
export const BY_SERVER: Reason = { code: 'Server.InternalError', message: 'Server.InternalError: Internal error on launch' };

/** `at`: UTC, to the second. */
function transitionReason(reason: Reason, at: string): string {
  if (reason === BY_GUEST) return '';
  if (reason === BY_USER) return `User initiated (${at} GMT)`;
  return isInterruption(reason) ? `${reason.code} (${at} GMT)` : 'Server.InternalError';
}

function isInterruption(reason: Reason): boolean {
  return reason === BY_SPOT_TERMINATION || reason === BY_SPOT_STOP;
}

export class Lifecycle {
  readonly #cloud: Cloud;
  readonly #tables: Ec2Tables;
  readonly #log: (line: string) => void;
  readonly #alarms: Alarms;
  /** Shutdowns of guests under way; a state is left only when its guest is down. */
  readonly #downs = new Map<string, Promise<void>>();
  readonly #rebooting = new Set<string>();
  readonly #watchers: ((row: InstanceRow) => void)[] = [];
  #closed = false;

  constructor(cloud: Cloud, log: (line: string) => void) {
    this.#cloud = cloud;
    this.#alarms = new Alarms(cloud.clock);
    this.#tables = ec2Tables(cloud.world);
    this.#log = log;
    cloud.machines.onGuestDown((instanceId) => this.#guestDown(instanceId));
  }

  /** Called after each change of a state, with the row as it is then. */
  watch(watcher: (row: InstanceRow) => void): void {
    this.#watchers.push(watcher);
  }

  /** A new or restarted instance, already put in the table as pending. */
  launched(row: InstanceRow): void {
    this.#note(row, `launch requested: ${row.type}, image ${row.imageId}`);
    this.#schedule(row);
  }

  start(row: InstanceRow): void {
    row.launchTime = this.#cloud.clock.now();
    row.stateReason = undefined;
    row.transitionReason = '';
    row.interruption = undefined;
    this.#enter(row, 'pending');
    this.launched(row);
  }

  stop(row: InstanceRow, options: { reason: Reason; skipOsShutdown?: boolean }): void {
    this.#leaveRunning(row, options.reason, options.skipOsShutdown ? 0 : this.#graceMs(this.#cloud.dial.stoppingMs));
    this.#enter(row, 'stopping');
    this.#schedule(row);
  }

  terminate(row: InstanceRow, options: { reason: Reason; skipOsShutdown?: boolean }): void {
    const wasStopped = row.state === 'stopped';
    this.#leaveRunning(row, options.reason, options.skipOsShutdown ? 0 : this.#graceMs(this.#cloud.dial.shuttingDownMs));
    meterTerminated(this.#cloud.world, row.instanceId, this.#cloud.clock.now());
    this.#enter(row, 'shutting-down');
    if (wasStopped) {
      this.#gone(row);
      void this.#destroy(row.instanceId);
    } else {
      this.#schedule(row);
    }
  }

  /** Its host fails: the guest is dead before anybody hears of it. */
  lose(row: InstanceRow, state: 'terminated' | 'stopped'): void {
    if (row.state !== 'running') return;
    if (state === 'stopped') this.stop(row, { reason: BY_HOST, skipOsShutdown: true });
    else this.terminate(row, { reason: BY_HOST, skipOsShutdown: true });
  }

  async reboot(row: InstanceRow): Promise<void> {
    if (this.#rebooting.has(row.instanceId)) return;
    this.#rebooting.add(row.instanceId);
    this.#note(row, 'reboot requested');
    try {
      await this.#cloud.machines.reboot(row.instanceId, this.#graceMs(this.#cloud.dial.stoppingMs));
      this.#note(row, `${row.hostname} booted`);
    } catch (error) {
      this.#log(`reboot of ${row.instanceId} failed: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      this.#rebooting.delete(row.instanceId);
    }
    // Stopped or terminated meanwhile: the reboot must not leave a guest behind. Gone in mid-reboot: it is down.
    const { instances } = this.#tables;
    const now = instances.get(row.instanceId);
    const isUp = this.#cloud.machines.isUp(row.instanceId);
    if (isUp && (now !== row || row.state === 'terminated')) await this.#destroy(row.instanceId);
    else if (isUp && row.state !== 'running') this.#bringDown(row);
    else if (!isUp) this.#guestDown(row.instanceId);
  }

  /** After a start of the server: take up guests that live, boot those that should, go on with transitions. */
  async resume(): Promise<void> {
    const rows = this.#tables.instances.values().filter((row) => row.state !== 'terminated' && row.state !== 'stopped');
    const alive = new Set(await this.#cloud.machines.adopt(rows.map((row) => row.instanceId)));
    for (const row of rows) {
      if (row.state !== 'running') this.#schedule(row);
      else if (!alive.has(row.instanceId)) void this.#bootAgain(row);
    }
    // The former server may have died after the state was written and before the disk was deleted.
    const { clock, dial } = this.#cloud;
    for (const row of this.#tables.instances.values()) {
      if (row.state === 'terminated' && clock.now() - row.stateSince <= dial.terminatedVisibleMs) void this.#destroy(row.instanceId);
    }
  }

  /** The world is being emptied: nothing that was under way may come back. */
  forget(): void {
    this.#alarms.clear();
  }

  /** The server ends; rows keep the states that they are in. */
  close(): void {
    this.forget();
    this.#closed = true;
  }

  #graceMs(dialMs: number): number {
    return Math.min(MOST_GRACE_MS, Math.max(LEAST_GRACE_MS, dialMs));
  }

  /** A row that a reset took out of the table meanwhile must not come back. */
  #put(row: InstanceRow): void {
    if (this.#tables.instances.get(row.instanceId) === row) this.#tables.instances.put(row.instanceId, row);
  }

  #enter(row: InstanceRow, state: InstanceState): void {
    row.state = state;
    row.stateSince = this.#cloud.clock.now();
    this.#put(row);
    for (const watcher of this.#watchers) watcher(row);
  }

  #note(row: InstanceRow, text: string): void {
    row.console.push({ at: this.#cloud.clock.now(), text });
    if (row.console.length > CONSOLE_LINES) row.console.shift();
    this.#put(row);
  }

  #leaveRunning(row: InstanceRow, reason: Reason, graceMs: number): void {
    const now = this.#cloud.clock.now();
    const at = new Date(now).toISOString().slice(0, 19).replace('T', ' ');
    row.stateReason = reason;
    row.transitionReason = transitionReason(reason, at);
    row.shutdownGraceMs = graceMs;
    meterNotRunning(this.#cloud.world, row.instanceId, now, { interrupted: isInterruption(reason) });
    row.runningSince = undefined;
    row.formerPublicIp = row.publicIp;
    row.publicIp = undefined;
    this.#note(row, `shutdown: ${reason.message}`);
  }

  #delayMs(state: InstanceState): number | undefined {
    const { dial } = this.#cloud;
    if (state === 'pending') return dial.pendingMs;
    if (state === 'stopping') return dial.stoppingMs;
    return state === 'shutting-down' ? dial.shuttingDownMs : undefined;
  }

  #schedule(row: InstanceRow): void {
    const delayMs = this.#delayMs(row.state);
    if (delayMs === undefined || this.#closed) return;
    const { instanceId, state, stateSince } = row;
    if (state !== 'pending') this.#bringDown(row);
    this.#alarms.set(instanceId, stateSince + delayMs, () => (state === 'pending' ? this.#toRunning(instanceId, stateSince) : this.#toDown(instanceId, state, stateSince)));
  }

  #bringDown(row: InstanceRow): void {
    const { instanceId } = row;
    if (!this.#cloud.machines.isUp(instanceId)) return;
    const down = this.#cloud.machines
      .shutdown(instanceId, row.shutdownGraceMs ?? LEAST_GRACE_MS)
      .catch((error: unknown) => this.#log(`shutdown of ${instanceId} failed: ${String(error)}`))
      .finally(() => this.#downs.delete(instanceId));
    this.#downs.set(instanceId, down);
  }

  /** The row if it is still in the state entered then: anything else has happened since and owns the instance now. */
  #still(instanceId: string, state: InstanceState, since: number): InstanceRow | undefined {
    const row = this.#tables.instances.get(instanceId);
    return !this.#closed && row?.state === state && row.stateSince === since ? row : undefined;
  }

  async #toRunning(instanceId: string, since: number): Promise<void> {
    const row = this.#still(instanceId, 'pending', since);
    if (!row) return;
    const booted = await this.#boot(row);
    if (!this.#still(instanceId, 'pending', since)) {
      // Terminated (a pending instance cannot be stopped) or forgotten while it booted: that path found no guest to end.
      if (!this.#closed) await this.#destroy(instanceId);
      return;
    }
    if (!booted) {
      this.#failed(row);
      return;
    }
    if (row.wantsPublicIp) row.publicIp = newPublicIp(this.#cloud.world, row.formerPublicIp);
    row.everRan = true;
    row.runningSince = this.#cloud.clock.now();
    // Billed from here on, by whole seconds: LaunchTime is the first one that counts.
    row.launchTime = wholeSecond(row.runningSince);
    this.#enter(row, 'running');
    meterRunning(this.#cloud.world, { ...row, spot: row.spot !== undefined }, row.launchTime);
    if (!this.#cloud.machines.isUp(instanceId)) this.#guestDown(instanceId);
    else this.#cloud.weather.machineUp(instanceId, row.stateSince);
  }

  #failed(row: InstanceRow): void {
    row.stateReason = BY_SERVER;
    row.transitionReason = BY_SERVER.code;
    if (row.everRan) this.#enter(row, 'stopped');
    else {
      this.#gone(row);
      void this.#destroy(row.instanceId);
    }
  }

  async #toDown(instanceId: string, state: InstanceState, since: number): Promise<void> {
    await this.#downs.get(instanceId);
    const row = this.#still(instanceId, state, since);
    if (!row) return;
    if (state === 'stopping') {
      this.#note(row, 'stopped');
      this.#enter(row, 'stopped');
      return;
    }
    this.#gone(row);
    await this.#destroy(instanceId);
  }

  /** Terminated: disks go or stay by DeleteOnTermination. */
  #gone(row: InstanceRow): void {
    // A launch that failed comes here without terminate().
    meterTerminated(this.#cloud.world, row.instanceId, this.#cloud.clock.now());
    for (const volume of this.#tables.volumes.values()) {
      if (volume.attachment?.instanceId !== row.instanceId) continue;
      if (volume.attachment.deleteOnTermination) {
        this.#tables.volumes.delete(volume.volumeId);
      } else {
        this.#tables.volumes.put(volume.volumeId, { ...volume, attachment: undefined });
      }
    }
    this.#note(row, 'terminated');
    this.#enter(row, 'terminated');
  }

  async #destroy(instanceId: string): Promise<void> {
    try {
      await this.#cloud.machines.destroy(instanceId);
    } catch (error) {
      this.#log(`destroying ${instanceId} failed: ${String(error)}`);
    }
  }

  async #boot(row: InstanceRow): Promise<boolean> {
    const spec: MachineSpec = { instanceId: row.instanceId, hostname: row.hostname, privateIp: row.privateIp, region: row.region, userData: row.userData };
    if (this.#cloud.weather.mayFillUp(row.instanceId)) spec.canFillUp = true;
    try {
      await this.#cloud.machines.boot(spec);
      this.#note(row, `${row.hostname} booted`);
      return true;
    } catch (error) {
      this.#log(`boot of ${row.instanceId} failed: ${error instanceof Error ? error.message : String(error)}`);
      this.#note(row, 'boot failed');
      return false;
    }
  }

  async #bootAgain(row: InstanceRow): Promise<void> {
    this.#note(row, 'host came back');
    if (await this.#boot(row)) return;
    if (row.state === 'running') this.stop(row, { reason: BY_SERVER });
  }

  #guestDown(instanceId: string): void {
    const row = this.#tables.instances.get(instanceId);
    if (this.#closed || row?.state !== 'running' || this.#rebooting.has(instanceId)) return;
    if (row.shutdownBehavior === 'terminate' || row.spot?.persistent === false) this.terminate(row, { reason: BY_GUEST });
    else this.stop(row, { reason: BY_GUEST });
  }
}
