// Does: the pretend bill: what each machine, free disk and snapshot has cost, added up from the meter's book.
// Gaps: EBS other than by size; of a snapshot the whole size of its volume is billed (EC2: the blocks written); sales tax.
// By design: seconds are whole (the book is), 60 at least for every start and every volume; money is rounded half up once for
// each machine and kind. A disk is on the bill of the machine that it is attached to, else on a line of its own.
// Source: EC2 User Guide "On-Demand Instances" (per second, 60 seconds at least), "Billing for interrupted Spot Instances" (no
// compute for a machine that EC2 takes back in its first hour), EBS pricing page (per second, 60 at least; a month of 720
// hours), VPC pricing page (public IPv4 per second).
import { ec2Tables } from './aws/ec2/rows.ts';
import type { World } from './cloud.ts';
import { EBS_MONTH_HOURS, PUBLIC_IPV4_MICRO_USD_PER_HOUR, onDemandPrice, storagePrice } from './data/prices.ts';
import { instanceMeters, snapshotMeters, volumeMeters, wholeSecond } from './meter.ts';
import type { InstanceMeterRow, Period, RunPeriod } from './meter.ts';
import { ExactSum } from './meter-money.ts';
import { spotStretches } from './meter-spot.ts';

export interface PeriodReading {
  /** UTC, whole seconds. */
  from: string;
  /** Absent: it goes on. */
  to?: string;
  type: string;
  zone: string;
  market: 'on-demand' | 'spot';
  /** Billed seconds, 60 at least. */
  seconds: number;
  /** Taken back by EC2 within its first hour: no compute is billed. */
  free?: true;
}

export interface DiskReading {
  volumeId: string;
  sizeGb: number;
  volumeType: string;
  seconds: number;
  /** It goes on. */
  open: boolean;
}

export interface MeterLine {
  instanceId: string;
  region: string;
  zone: string;
  /** Of the latest start, else of the launch. */
  type: string;
  market: 'on-demand' | 'spot';
  periods: PeriodReading[];
  /** Its disks, each with the time that it was attached to this machine. */
  disks: DiskReading[];
  runningSeconds: number;
  /** Undefined: the price table has no price for this type and region. */
  computeMicroUsd: number | undefined;
  storageMicroUsd: number;
  addressMicroUsd: number;
  /** What is known of it. */
  totalMicroUsd: number;
  tags: Record<string, string>;
}

/** A disk for the time that it was attached to no machine. */
export interface VolumeLine extends DiskReading {
  region: string;
  zone: string;
  storageMicroUsd: number;
  tags: Record<string, string>;
}

export interface SnapshotLine {
  snapshotId: string;
  volumeId: string;
  region: string;
  sizeGb: number;
  seconds: number;
  open: boolean;
  storageMicroUsd: number;
  tags: Record<string, string>;
}

export interface MeterReading {
  /** World time up to which it counts, whole seconds. */
  at: string;
  /** One for each machine there ever was, in order of their launch. */
  lines: MeterLine[];
  volumes: VolumeLine[];
  snapshots: SnapshotLine[];
  totalMicroUsd: number;
  /** Types that ran without a known price, so that the total is too low. */
  unpriced: string[];
}

const LEAST_SECONDS = 60;
const HOUR_S = 3600;
const MONTH_S = EBS_MONTH_HOURS * HOUR_S;

/** What everything has cost up to `now` (world time). */
export function readMeter(world: World, now: number): MeterReading {
  const at = wholeSecond(now);
  const unpriced = new Set<string>();
  const { disksOf, free } = readVolumes(world, at);
  const runs = instanceMeters(world);
  const ids = new Set([...disksOf.keys(), ...runs.entries().map(([id]) => id)]);
  const lines = [...ids].map((id) => machineLine(world, id, runs.get(id), disksOf.get(id) ?? [], at, unpriced)).sort((a, b) => createdAt(world, a) - createdAt(world, b));
  const snapshots = readSnapshots(world, at);
  const totalMicroUsd = lines.reduce((sum, line) => sum + line.totalMicroUsd, 0) + [...free, ...snapshots].reduce((sum, line) => sum + line.storageMicroUsd, 0);
  return { at: isoSecond(at), lines, volumes: free, snapshots, totalMicroUsd, unpriced: [...unpriced] };
}

interface MachineDisk extends DiskReading {
  microUsdPerGbMonth: number;
}

function machineLine(world: World, instanceId: string, row: InstanceMeterRow | undefined, disks: MachineDisk[], at: number, unpriced: Set<string>): MeterLine {
  const instance = ec2Tables(world).instances.get(instanceId);
  const compute = new ExactSum(HOUR_S);
  const address = new ExactSum(HOUR_S);
  const storage = new ExactSum(MONTH_S);
  let isPriced = true;
  const periods = (row?.periods ?? []).map((period): PeriodReading => {
    const used = ((period.to ?? at) - period.from) / 1000;
    const seconds = Math.max(LEAST_SECONDS, used);
    const isFree = period.interrupted === true && used < HOUR_S;
    if (period.publicAddress) address.add(PUBLIC_IPV4_MICRO_USD_PER_HOUR, seconds);
    const stretches = stretchesOf(world, row?.region ?? '', period, at);
    if (!stretches) {
      unpriced.add(period.type);
      isPriced = false;
    } else if (!isFree) {
      for (const stretch of stretches) compute.add(stretch.microUsdPerHour, stretch.seconds);
    }
    return {
      from: isoSecond(period.from),
      ...(period.to === undefined ? {} : { to: isoSecond(period.to) }),
      type: period.type,
      zone: period.zone,
      market: period.spot ? 'spot' : 'on-demand',
      seconds,
      ...(isFree ? { free: true as const } : {}),
    };
  });
  for (const disk of disks) storage.add(disk.microUsdPerGbMonth, disk.seconds, disk.sizeGb);
  const latest = periods.at(-1);
  const computeMicroUsd = isPriced ? compute.microUsd : undefined;
  return {
    instanceId,
    region: row?.region ?? instance?.region ?? '',
    zone: latest?.zone ?? instance?.zone ?? '',
    type: latest?.type ?? instance?.type ?? '',
    market: latest?.market ?? (instance?.spot ? 'spot' : 'on-demand'),
    periods,
    disks: disks.map(({ microUsdPerGbMonth: _price, ...disk }) => disk),
    runningSeconds: periods.reduce((sum, { seconds }) => sum + seconds, 0),
    computeMicroUsd,
    storageMicroUsd: storage.microUsd,
    addressMicroUsd: address.microUsd,
    totalMicroUsd: (computeMicroUsd ?? 0) + storage.microUsd + address.microUsd,
    tags: { ...instance?.tags },
  };
}

/** The period cut where its price changed; undefined when it has none. */
function stretchesOf(world: World, region: string, period: RunPeriod, at: number): { seconds: number; microUsdPerHour: number }[] | undefined {
  const to = period.to ?? at;
  if (period.spot) return spotStretches(world, period, period.from, to, LEAST_SECONDS);
  const price = onDemandPrice(period.type, region);
  return price && [{ seconds: Math.max(LEAST_SECONDS, (to - period.from) / 1000), microUsdPerHour: price.microUsdPerHour }];
}

function readVolumes(world: World, at: number): { disksOf: Map<string, MachineDisk[]>; free: VolumeLine[] } {
  const disksOf = new Map<string, MachineDisk[]>();
  const free: VolumeLine[] = [];
  for (const [volumeId, row] of volumeMeters(world).entries()) {
    const { region, zone, sizeGb, volumeType } = row;
    const microUsdPerGbMonth = storagePrice(volumeType, region) ?? 0;
    const { byInstance, freeSeconds } = shares(row, row.uses, at);
    const user = row.to === undefined ? row.uses.findLast((use) => use.to === undefined)?.instanceId : undefined;
    for (const [instanceId, seconds] of byInstance) {
      const disks = disksOf.get(instanceId) ?? [];
      disks.push({ volumeId, sizeGb, volumeType, seconds, open: instanceId === user, microUsdPerGbMonth });
      disksOf.set(instanceId, disks);
    }
    if (freeSeconds === 0) continue;
    const cost = new ExactSum(MONTH_S);
    cost.add(microUsdPerGbMonth, freeSeconds, sizeGb);
    free.push({ volumeId, region, zone, sizeGb, volumeType, seconds: freeSeconds, open: row.to === undefined && user === undefined, storageMicroUsd: cost.microUsd, tags: row.tags ?? { ...ec2Tables(world).volumes.get(volumeId)?.tags } });
  }
  return { disksOf, free };
}

/** Seconds of a volume's life by the machine that it was attached to. What a life lacks to a minute is added to its last part. */
function shares(life: Period, uses: (Period & { instanceId: string })[], at: number): { byInstance: Map<string, number>; freeSeconds: number } {
  const end = life.to ?? at;
  const byInstance = new Map<string, number>();
  let usedSeconds = 0;
  for (const use of uses) {
    const seconds = ((use.to ?? end) - use.from) / 1000;
    byInstance.set(use.instanceId, (byInstance.get(use.instanceId) ?? 0) + seconds);
    usedSeconds += seconds;
  }
  const lifeSeconds = (end - life.from) / 1000;
  let freeSeconds = lifeSeconds - usedSeconds;
  const lacking = Math.max(0, LEAST_SECONDS - lifeSeconds);
  const last = uses.at(-1);
  if (last && last.to === life.to) byInstance.set(last.instanceId, (byInstance.get(last.instanceId) ?? 0) + lacking);
  else freeSeconds += lacking;
  return { byInstance, freeSeconds };
}

function createdAt(world: World, { instanceId }: MeterLine): number {
  return ec2Tables(world).instances.get(instanceId)?.createdAt ?? 0;
}

function readSnapshots(world: World, at: number): SnapshotLine[] {
  return snapshotMeters(world)
    .entries()
    .map(([snapshotId, row]): SnapshotLine => {
      const { volumeId, region, sizeGb } = row;
      const seconds = Math.max(LEAST_SECONDS, ((row.to ?? at) - row.from) / 1000);
      const cost = new ExactSum(MONTH_S);
      cost.add(storagePrice('snapshot', region) ?? 0, seconds, sizeGb);
      return { snapshotId, volumeId, region, sizeGb, seconds, open: row.to === undefined, storageMicroUsd: cost.microUsd, tags: row.tags ?? { ...ec2Tables(world).snapshots.get(snapshotId)?.tags } };
    });
}

function isoSecond(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}
