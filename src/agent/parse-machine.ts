// What machine.py, df and nvidia-smi say about a machine, as types. Pure. Nothing in it is trusted to be there: drivers print N/A,
// "[Not Supported]" and errors in place of numbers, and a part that cannot be read never takes the others with it.
import { RunctlError } from '../core/errors.ts';
import { redactText } from '../core/secrets.ts';

export interface Gpu {
  index: number;
  name: string;
  /** Each undefined when the driver does not say. */
  utilizationPercent?: number;
  memoryUsedMb?: number;
  memoryTotalMb?: number;
  temperatureC?: number;
  powerW?: number;
}

export interface Disk {
  mount: string;
  device: string;
  totalGb: number;
  usedGb: number;
  /** Of what its users may have, as df counts it. */
  usedPercent: number;
}

export interface ProcessRow {
  pid: number;
  user: string;
  /** Of one core: 400 is four cores. */
  cpuPercent: number;
  memoryPercent?: number;
  memoryMb: number;
  elapsedS: number;
  /** At most 300 characters. */
  command: string;
  /** The run whose job, or part of a job, it is. */
  job?: string;
}

export interface MachineLoad {
  /** Epoch ms, by the machine's clock. */
  at: number;
  cores?: number;
  /** Of all cores together. */
  cpuPercent?: number;
  /** Over 1, 5 and 15 minutes. */
  load: number[];
  memory?: { totalMb: number; usedMb: number; usedPercent: number; swapTotalMb: number; swapUsedMb: number };
  disks: Disk[];
  gpus: Gpu[];
  /** Training jobs that run. */
  jobs: { pid: number; runId: string }[];
  /** Those of the jobs first, then the busiest. */
  processes: ProcessRow[];
  processCount?: number;
  /** What could not be found out, and why. */
  notes: string[];
}

/** Throws `answer-broken` when it is not what machine.py prints. */
export function parseMachine(json: string): MachineLoad {
  const said = object(parsed(json));
  const kb = said['memoryKb'] === undefined ? undefined : object(said['memoryKb']);
  const totalKb = kb && finite(kb['total']);
  return {
    at: Math.round((finite(said['at']) ?? 0) * 1000),
    ...present({ cores: finite(said['cores']), cpuPercent: finite(said['cpuPercent']), processCount: finite(said['processCount']) }),
    load: list(said['load']).flatMap((value) => finite(value) ?? []),
    ...(kb && totalKb ? { memory: memoryOf(kb, totalKb) } : {}),
    disks: parseDf(text(said['df']) ?? ''),
    gpus: parseGpus(text(said['gpus']) ?? ''),
    jobs: list(said['jobs']).map(object).flatMap((job) => (finite(job['pid']) === undefined || text(job['runId']) === undefined ? [] : [{ pid: finite(job['pid'])!, runId: text(job['runId'])! }])),
    processes: list(said['processes']).map(object).map(processOf),
    notes: ['gpusNote', 'dfNote', 'processesNote'].flatMap((name) => text(said[name]) ?? []),
  };
}

/** CSV of `nvidia-smi --query-gpu=… --format=csv`: columns by their titles, which carry the unit unless the values do. */
export function parseGpus(csv: string): Gpu[] {
  const lines = csv.split('\n').map((line) => line.replace(/\r$/, '')).filter((line) => line.trim() !== '');
  const head = lines.findIndex((line) => /(^|,\s*)index(,|$)/.test(line));
  if (head < 0) return [];
  const titles = (lines[head] ?? '').split(',').map((title) => title.trim());
  return lines.slice(head + 1).flatMap((line) => {
    const cells = line.split(',').map((cell) => cell.trim());
    const column = (name: string): { title: string; value: string } | undefined => {
      const at = titles.findIndex((title) => title.split(' ')[0] === name);
      return at < 0 || cells[at] === undefined ? undefined : { title: titles[at] as string, value: cells[at] };
    };
    const measured = (name: string): number | undefined => {
      const cell = column(name);
      const match = /^(-?\d+(?:\.\d+)?)\s*(\S*)$/.exec(cell?.value ?? '');
      if (!match) return undefined;
      const unit = match[2] || /\[(\S+)\]/.exec(cell?.title ?? '')?.[1];
      return Number(match[1]) * (unit === 'GiB' ? 1024 : unit === 'KiB' ? 1 / 1024 : 1);
    };
    const index = measured('index');
    if (index === undefined || !Number.isInteger(index)) return [];
    return [{
      index,
      name: column('name')?.value ?? 'GPU',
      ...present({ utilizationPercent: measured('utilization.gpu'), memoryUsedMb: measured('memory.used'), memoryTotalMb: measured('memory.total'), temperatureC: measured('temperature.gpu'), powerW: measured('power.draw') }),
    }];
  });
}

/** Not on any disk: what the kernel makes up, and read-only images that are always full. */
const NO_DISK = /^(tmpfs|devtmpfs|udev|none|shm|proc|sysfs|cgroup\w*|efivarfs|devfs|map|squashfs|\/dev\/loop\d+)/;

/** Smaller ones are of the firmware, and nobody trains on them. */
const LEAST_KB = 512 * 1024;

/** `df -kP`: one line for each file system, the mount point last and perhaps with blanks in it. One device is shown once. */
export function parseDf(output: string): Disk[] {
  const seen = new Set<string>();
  return output.split('\n').flatMap((line) => {
    const match = /^(.+?)\s+(\d+)\s+(\d+)\s+(-?\d+)\s+(\d+)%\s+(\/.*)$/.exec(line.trimEnd());
    if (!match) return [];
    const [, device, total, used, , percent, mount] = match as unknown as [string, string, string, string, string, string, string];
    if (Number(total) === 0 || (mount !== '/' && (Number(total) < LEAST_KB || NO_DISK.test(device) || seen.has(device)))) return [];
    seen.add(device);
    return [{ mount, device, totalGb: tenths(Number(total) / 1024 ** 2), usedGb: tenths(Number(used) / 1024 ** 2), usedPercent: Number(percent) }];
  });
}

function memoryOf(kb: Record<string, unknown>, totalKb: number): MachineLoad['memory'] {
  const mb = (name: string): number => Math.round((finite(kb[name]) ?? 0) / 1024);
  return { totalMb: mb('total'), usedMb: mb('used'), usedPercent: tenths((100 * (finite(kb['used']) ?? 0)) / totalKb), swapTotalMb: mb('swapTotal'), swapUsedMb: mb('swapUsed') };
}

function processOf(row: Record<string, unknown>): ProcessRow {
  const pid = finite(row['pid']);
  if (pid === undefined) throw broken('a process without a pid');
  return {
    pid,
    user: text(row['user']) ?? '?',
    cpuPercent: finite(row['cpuPercent']) ?? 0,
    memoryMb: finite(row['memoryMb']) ?? 0,
    elapsedS: finite(row['elapsedS']) ?? 0,
    command: redactText(text(row['command']) ?? ''),
    ...present({ memoryPercent: finite(row['memoryPercent']) }),
    ...(text(row['job']) === undefined ? {} : { job: text(row['job']) }),
  };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw broken((error as Error).message);
  }
}

function broken(what: string): RunctlError {
  return new RunctlError('answer-broken', `the machine gave a description of itself that cannot be read: ${what}`, { hints: ['runctl explain answer-broken'] });
}

function object(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw broken(`${JSON.stringify(value)} in place of an object`);
  return value as Record<string, unknown>;
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const finite = (value: unknown): number | undefined => (typeof value === 'number' && Number.isFinite(value) ? value : undefined);
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const tenths = (value: number): number => Math.round(value * 10) / 10;
const present = <T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
