// An in-memory MachineHost: guests are entries in a map, so that EC2 is tested without processes. Scripts are answered by a
// function. It keeps a record of what it was asked, in order.
import type { GuestResult, GuestRun, GuestScript, MachineHost, MachineSpec } from '../../src/sim/cloud.ts';

export interface MachineDouble extends MachineHost {
  readonly calls: string[];
  readonly specs: Map<string, MachineSpec>;
  /** Guests with a disk: booted once and not destroyed. */
  readonly disks: Set<string>;
  /** The guest powers itself off. */
  powerOff(instanceId: string): void;
  /** The next boots fail with this message; undefined: they work again. */
  failBoots(message: string | undefined): void;
  /** Boots wait until the returned function is called. */
  holdBoots(): () => void;
}

export function machineDouble(options: { alive?: string[]; answer?: (script: GuestScript) => Partial<GuestResult> } = {}): MachineDouble {
  const up = new Set(options.alive);
  const disks = new Set(options.alive);
  const unreachable = new Set<string>();
  const freeOf = new Map<string, number | undefined>();
  const specs = new Map<string, MachineSpec>();
  const calls: string[] = [];
  const listeners: ((instanceId: string) => void)[] = [];
  let bootFailure: string | undefined;
  let gate: Promise<void> = Promise.resolve();
  return {
    isolation: 'process',
    calls,
    specs,
    disks,
    powerOff(instanceId) {
      up.delete(instanceId);
      for (const listener of listeners) listener(instanceId);
    },
    failBoots(message) {
      bootFailure = message;
    },
    holdBoots() {
      let release = (): void => undefined;
      gate = new Promise((resolve) => {
        release = resolve;
      });
      return () => release();
    },
    async boot(spec) {
      calls.push(`boot ${spec.instanceId}`);
      await gate;
      if (bootFailure !== undefined) throw new Error(bootFailure);
      specs.set(spec.instanceId, spec);
      disks.add(spec.instanceId);
      up.add(spec.instanceId);
    },
    async shutdown(instanceId, graceMs) {
      calls.push(`shutdown ${instanceId} ${graceMs}`);
      up.delete(instanceId);
    },
    async reboot(instanceId, graceMs) {
      calls.push(`reboot ${instanceId} ${graceMs}`);
      if (!up.has(instanceId)) throw new Error(`guest ${instanceId} is not up`);
    },
    async destroy(instanceId) {
      calls.push(`destroy ${instanceId}`);
      up.delete(instanceId);
      disks.delete(instanceId);
    },
    isUp: (instanceId) => up.has(instanceId),
    run(instanceId, script): GuestRun {
      if (!up.has(instanceId)) throw new Error(`guest ${instanceId} is not up`);
      const result: GuestResult = { exitCode: 0, timedOut: false, killed: false, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), ...options.answer?.(script) };
      return { done: Promise.resolve(result), kill: () => undefined };
    },
    attach: () => undefined,
    async adopt(instanceIds) {
      calls.push(`adopt ${[...instanceIds].sort().join(' ')}`);
      return instanceIds.filter((id) => up.has(id));
    },
    setNetwork(instanceId, isUp) {
      if (isUp === !unreachable.has(instanceId)) return;
      calls.push(`network ${instanceId} ${isUp ? 'up' : 'down'}`);
      if (isUp) unreachable.delete(instanceId);
      else unreachable.add(instanceId);
    },
    setFreeMib(instanceId, freeMib) {
      if (freeMib === freeOf.get(instanceId)) return;
      calls.push(`free ${instanceId} ${freeMib ?? 'enough'}`);
      freeOf.set(instanceId, freeMib);
    },
    onGuestDown(listener) {
      listeners.push(listener);
    },
    async close() {
      calls.push('close');
    },
  };
}
