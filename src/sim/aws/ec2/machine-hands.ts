// Does: lets the weather act on instances: loses them, reboots them, interrupts them, cuts their network, fills their disk; and on
// the market that they are bought in.
// Gaps: a network can be cut only where it is the machine's own (isolation network); elsewhere agent and service just lose touch.
// Only a machine's home runs full, in memory of this computer; what a machine wrote there is lost when its host fails.
import type { Cloud } from '../../cloud.ts';
import type { Market } from '../../market/market.ts';
import type { MachineHands } from '../../weather/weather.ts';
import type { Lifecycle } from './lifecycle.ts';
import { ec2Tables } from './rows.ts';
import type { InstanceRow } from './rows.ts';

export function machineHands(cloud: Cloud, lifecycle: Lifecycle, market: Market): MachineHands {
  const rowOf = (instanceId: string): InstanceRow | undefined => ec2Tables(cloud.world).instances.get(instanceId);
  return {
    running: () =>
      ec2Tables(cloud.world)
        .instances.values()
        .flatMap((row) => (row.state === 'running' && row.runningSince !== undefined ? [{ instanceId: row.instanceId, since: row.runningSince, spot: row.spot !== undefined }] : [])),
    lose(instanceId, state) {
      const row = rowOf(instanceId);
      if (row) lifecycle.lose(row, state);
    },
    reboot(instanceId) {
      const row = rowOf(instanceId);
      if (row) void lifecycle.reboot(row);
    },
    interrupt(instanceId, order) {
      if (rowOf(instanceId)?.interruption === undefined) market.interrupt(instanceId, order);
    },
    setMarket(pools, change) {
      market.set(pools, change);
    },
    refresh(instanceId) {
      if (rowOf(instanceId)?.state !== 'running') return;
      cloud.machines.setNetwork(instanceId, !cloud.weather.isNetworkDown(instanceId));
      cloud.machines.setFreeMib(instanceId, cloud.weather.freeMib(instanceId));
    },
    limits(kind) {
      const { isolation } = cloud.machines;
      if (kind === 'network-down' && isolation !== 'network') return `isolation ${isolation}: the SSM agent falls silent, but the machine still reaches the network of this computer`;
      if (kind === 'disk-full') return isolation === 'process' ? 'isolation process: machines have no file system of their own, so this does nothing' : 'machines that are up already keep their disk until they boot again';
      return undefined;
    },
  };
}
