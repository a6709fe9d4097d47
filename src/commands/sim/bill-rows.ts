// The pretend bill as rows: one for each machine, disk and snapshot, or one for each run, project or type.
import type { MicroUsd } from '../../core/money.ts';
import type { MeterLine, MeterReading, SnapshotLine, VolumeLine } from '../../sim/daemon.ts';

export const BILL_KEYS = ['machine', 'run', 'project', 'type'] as const;
export type BillKey = (typeof BILL_KEYS)[number];

export interface BillRow {
  /** Id of the machine, disk or snapshot; or run, project, type. */
  name: string;
  type: string;
  market: string;
  machines: number;
  /** Billed running time of the machines; of a disk or snapshot by itself, how long it existed. */
  seconds: number;
  /** Something in it costs on. */
  open: boolean;
  computeMicroUsd: MicroUsd;
  storageMicroUsd: MicroUsd;
  addressMicroUsd: MicroUsd;
  totalMicroUsd: MicroUsd;
}

const NO_TAG = '(none)';
const TAGS: Partial<Record<BillKey, string>> = { run: 'runctl:run', project: 'runctl:project' };

/** In the order of the bill; groups in the order of their names, without a tag last. */
export function billRows(reading: MeterReading, by: BillKey): BillRow[] {
  const parts = [...reading.lines.map((line) => machinePart(line, by)), ...reading.volumes.map((line) => diskPart(line, by)), ...reading.snapshots.map((line) => snapshotPart(line, by))];
  if (by === 'machine') return parts;
  const groups = new Map<string, BillRow>();
  for (const part of parts) {
    const group = groups.get(part.name);
    groups.set(part.name, group ? merged(group, part) : part);
  }
  return [...groups.values()].sort((a, b) => Number(a.name === NO_TAG) - Number(b.name === NO_TAG) || (a.name < b.name ? -1 : 1));
}

function nameOf(by: BillKey, id: string, type: string, tags: Record<string, string>): string {
  const tag = TAGS[by];
  if (tag !== undefined) return tags[tag] ?? NO_TAG;
  return by === 'machine' ? id : type;
}

function machinePart(line: MeterLine, by: BillKey): BillRow {
  return {
    name: nameOf(by, line.instanceId, line.type, line.tags),
    type: line.type,
    market: line.market,
    machines: 1,
    seconds: line.runningSeconds,
    open: line.periods.some((period) => period.to === undefined) || line.disks.some((disk) => disk.open),
    computeMicroUsd: line.computeMicroUsd ?? 0,
    storageMicroUsd: line.storageMicroUsd,
    addressMicroUsd: line.addressMicroUsd,
    totalMicroUsd: line.totalMicroUsd,
  };
}

function diskPart(line: VolumeLine, by: BillKey): BillRow {
  return storagePart(nameOf(by, line.volumeId, `${line.volumeType} disk`, line.tags), `${line.sizeGb} GB ${line.volumeType}`, line);
}

function snapshotPart(line: SnapshotLine, by: BillKey): BillRow {
  return storagePart(nameOf(by, line.snapshotId, 'snapshot', line.tags), `${line.sizeGb} GB snapshot`, line);
}

function storagePart(name: string, type: string, { seconds, storageMicroUsd, open }: { seconds: number; storageMicroUsd: MicroUsd; open: boolean }): BillRow {
  return { name, type, market: '-', machines: 0, seconds, open, computeMicroUsd: 0, storageMicroUsd, addressMicroUsd: 0, totalMicroUsd: storageMicroUsd };
}

/** Hours of disks and of machines do not add up. */
export function runningSeconds(row: BillRow): number {
  return row.machines > 0 ? row.seconds : 0;
}

function merged(a: BillRow, b: BillRow): BillRow {
  return {
    name: a.name,
    type: a.type === b.type ? a.type : 'several',
    market: a.market === b.market || b.market === '-' ? a.market : a.market === '-' ? b.market : 'both',
    machines: a.machines + b.machines,
    seconds: runningSeconds(a) + runningSeconds(b),
    open: a.open || b.open,
    computeMicroUsd: a.computeMicroUsd + b.computeMicroUsd,
    storageMicroUsd: a.storageMicroUsd + b.storageMicroUsd,
    addressMicroUsd: a.addressMicroUsd + b.addressMicroUsd,
    totalMicroUsd: a.totalMicroUsd + b.totalMicroUsd,
  };
}
