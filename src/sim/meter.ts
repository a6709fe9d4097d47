// Does: the billing meter: what each machine, disk and address cost, from periods that EC2's state changes write down.
// Gaps: data transfer, EBS other than by size, snapshots; sales tax.
// By design: knows nothing of who asks, so that it can contradict the client's own sums. Seconds are rounded up per period,
// money half up once per instance and kind.
// Source: EC2 User Guide "Instance lifecycle" (billed while running; not while pending, stopping, stopped, shutting-down),
// "On-Demand Instances" (per second, 60 seconds at least per start), EBS and VPC pricing pages (per second, 60 at least).
import type { World } from './cloud.ts';
import { EBS_MONTH_HOURS, GP3_MICRO_USD_PER_GB_MONTH, PUBLIC_IPV4_MICRO_USD_PER_HOUR, onDemandPrice } from './data/prices.ts';

interface Period {
  from: number;
  to?: number;
}

interface InstanceMeterRow {
  region: string;
  periods: (Period & { type: string; publicAddress: boolean })[];
}

interface VolumeMeterRow {
  instanceId: string;
  sizeGb: number;
  volumeType: string;
  period: Period;
}

export interface MeterLine {
  instanceId: string;
  region: string;
  type: string;
  runningSeconds: number;
  /** Undefined: the price table has no price for this type and region. */
  computeMicroUsd: number | undefined;
  storageMicroUsd: number;
  addressMicroUsd: number;
}

export interface MeterReading {
  lines: MeterLine[];
  totalMicroUsd: number;
  /** Types that ran without a known price, so that the total is too low. */
  unpriced: string[];
}

const LEAST_SECONDS = 60;
const HOUR_S = 3600;

function instanceMeters(world: World) {
  return world.table<InstanceMeterRow>('meter.instances');
}

function volumeMeters(world: World) {
  return world.table<VolumeMeterRow>('meter.volumes');
}

export function meterRunning(world: World, instance: { instanceId: string; region: string; type: string; publicIp?: string }, at: number): void {
  const table = instanceMeters(world);
  const row = table.get(instance.instanceId) ?? { region: instance.region, periods: [] };
  row.periods.push({ from: at, type: instance.type, publicAddress: instance.publicIp !== undefined });
  table.put(instance.instanceId, row);
}

export function meterNotRunning(world: World, instanceId: string, at: number): void {
  const table = instanceMeters(world);
  const row = table.get(instanceId);
  const open = row?.periods.at(-1);
  if (!row || !open || open.to !== undefined) return;
  open.to = at;
  table.put(instanceId, row);
}

export function meterVolume(world: World, volume: { volumeId: string; sizeGb: number; volumeType: string }, instanceId: string, at: number): void {
  volumeMeters(world).put(volume.volumeId, { instanceId, sizeGb: volume.sizeGb, volumeType: volume.volumeType, period: { from: at } });
}

export function meterVolumeGone(world: World, volumeId: string, at: number): void {
  const row = volumeMeters(world).get(volumeId);
  if (!row) return;
  row.period.to = at;
  volumeMeters(world).put(volumeId, row);
}

function seconds(period: Period, now: number): number {
  return Math.max(LEAST_SECONDS, Math.ceil(((period.to ?? now) - period.from) / 1000));
}

/** What everything has cost up to `now` (world time). */
export function readMeter(world: World, now: number): MeterReading {
  const storage = new Map<string, number>();
  for (const row of volumeMeters(world).values()) {
    const microUsd = (seconds(row.period, now) * row.sizeGb * GP3_MICRO_USD_PER_GB_MONTH) / (EBS_MONTH_HOURS * HOUR_S);
    storage.set(row.instanceId, (storage.get(row.instanceId) ?? 0) + microUsd);
  }
  const unpriced = new Set<string>();
  const lines = instanceMeters(world)
    .entries()
    .map(([instanceId, row]): MeterLine => {
      let runningSeconds = 0;
      let compute: number | undefined = 0;
      let address = 0;
      for (const period of row.periods) {
        const billed = seconds(period, now);
        runningSeconds += billed;
        if (period.publicAddress) address += (billed * PUBLIC_IPV4_MICRO_USD_PER_HOUR) / HOUR_S;
        const price = onDemandPrice(period.type, row.region);
        if (!price) unpriced.add(period.type);
        compute = price && compute !== undefined ? compute + (billed * price.microUsdPerHour) / HOUR_S : undefined;
      }
      return {
        instanceId,
        region: row.region,
        type: row.periods.at(-1)?.type ?? '',
        runningSeconds,
        computeMicroUsd: compute === undefined ? undefined : Math.round(compute),
        storageMicroUsd: Math.round(storage.get(instanceId) ?? 0),
        addressMicroUsd: Math.round(address),
      };
    });
  const totalMicroUsd = lines.reduce((sum, line) => sum + (line.computeMicroUsd ?? 0) + line.storageMicroUsd + line.addressMicroUsd, 0);
  return { lines, totalMicroUsd, unpriced: [...unpriced] };
}
