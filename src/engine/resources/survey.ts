// Looks through the account once: machines with their disks and prices, and all that lies about besides. What is found is kept in
// our own small terms; what was asked of whom stays countable: one look per region and kind, one price per type, market and place.
import type { InventoryEnd, InventoryRequest, Item, ItemKind, ObjectItem, SnapshotItem, SpotRequestItem, VolumeItem } from '../../core/inventory.ts';
import type { Machine, Market } from '../../core/machine.ts';
import type { Provider } from '../../core/ports.ts';
import type { MachineUsage, Rates, RatesWish } from '../../core/usage.ts';
import { RunctlError } from '../../core/errors.ts';
import type { App } from '../app.ts';
import { type LedgerView, readLedger } from './known.ts';
import { usageOf, withRates } from './usage.ts';

export interface SurveyRequest extends Omit<InventoryRequest, 'kinds' | 'bucket' | 'also'> {
  provider: string;
  kinds?: ItemKind[];
  /** Ask what things cost; default yes. */
  prices?: boolean;
}

export interface Survey extends InventoryEnd {
  provider: Provider;
  nowMs: number;
  machines: Machine[];
  volumes: VolumeItem[];
  snapshots: SnapshotItem[];
  spotRequests: SpotRequestItem[];
  objects: ObjectItem[];
  known: LedgerView;
  /** Of the present market of the machine; undefined: nobody could tell. */
  ratesOf(machine: Machine): Rates | undefined;
  /** All that a machine is billed for, with prices; undefined where nobody could tell. */
  usageOf(machine: Machine): MachineUsage | undefined;
  /** Disks of a machine that are known. */
  disksOf(machineId: string): VolumeItem[];
  /** Whether the cloud told of the disks of a region. */
  hasDisksOf(region: string): boolean;
  /** Micro-dollars per GB and month in a region; undefined: nobody could tell. */
  diskRate(region: string): number | undefined;
}

const ALL_KINDS: ItemKind[] = ['machine', 'volume', 'snapshot', 'spot-request', 'object'];

export async function survey(app: App, request: SurveyRequest): Promise<Survey> {
  const { provider: name, kinds = ALL_KINDS, prices = true, ...wanted } = request;
  const provider = await app.provider(name);
  if (!provider.inventory) throw new RunctlError('usage', `${name} has nothing that could be listed`, { hints: ['runctl resources list --platform aws'] });
  const known = await readLedger(app, provider);
  const found = { machines: [] as Machine[], volumes: [] as VolumeItem[], snapshots: [] as SnapshotItem[], spotRequests: [] as SpotRequestItem[], objects: [] as ObjectItem[] };
  const disks = new Map<string, VolumeItem[]>();
  const rates = createRates(app, provider);
  const end = await provider.inventory(
    { ...wanted, kinds, also: wanted.regions === undefined ? known.regions : [], bucket: app.config.aws.s3_bucket },
    (item: Item) => {
      switch (item.kind) {
        case 'machine':
          found.machines.push(item.machine);
          return;
        case 'volume':
          found.volumes.push(item);
          if (item.attachedTo !== undefined) disks.set(item.attachedTo, [...(disks.get(item.attachedTo) ?? []), item]);
          return;
        case 'snapshot':
          found.snapshots.push(item);
          return;
        case 'spot-request':
          found.spotRequests.push(item);
          return;
        case 'object':
          found.objects.push(item);
      }
    },
    app.signal,
  );
  const nowMs = app.clock.now();
  const disksOf = (id: string): VolumeItem[] => disks.get(id) ?? [];
  const unanswered = new Set(end.failed.flatMap(({ region, kind }) => (kind === 'volume' ? [region] : [])));
  const hasDisksOf = (region: string): boolean => kinds.includes('volume') && !unanswered.has(region);
  const bare = (machine: Machine): MachineUsage | undefined => {
    const usage = usageOf(machine, hasDisksOf(machine.region) ? disksOf(machine.id) : undefined, known.usageOf(machine.id), nowMs);
    return usage && known.bounded(machine, usage);
  };
  if (prices) {
    for (const machine of found.machines) rates.want(machine, bare(machine)?.runs[0]?.from ?? nowMs);
    for (const volume of found.volumes) rates.wantDisk(volume.region, app.config.aws.default_instance_type);
    await rates.ask();
  }
  return {
    ...end, ...found, provider, known, nowMs, disksOf, hasDisksOf,
    ratesOf: rates.of,
    diskRate: rates.disk,
    usageOf(machine) {
      const [usage, price] = [bare(machine), rates.of(machine)];
      return usage && price && withRates(usage, price, machine);
    },
  };
}

interface Asked {
  want(machine: Machine, from: number): void;
  /** A disk's price comes with that of any type. */
  wantDisk(region: string, anyType: string): void;
  ask(): Promise<void>;
  of(machine: Pick<Machine, 'type' | 'market' | 'region' | 'zone'>): Rates | undefined;
  disk(region: string): number | undefined;
}

/** One question for each type, market and place; a spot price history reaches back to the oldest machine that pays it. */
function createRates(app: App, provider: Provider): Asked {
  const wishes = new Map<string, RatesWish>();
  const regions = new Set<string>();
  const known = new Map<string, Rates>();
  const disk = new Map<string, number>();
  const keyOf = ({ type, market, region, zone }: { type: string; market: Market; region: string; zone?: string }): string => [region, market, type, market === 'spot' ? zone : ''].join(' ');
  const wish = (one: RatesWish): void => {
    const key = keyOf(one);
    const before = wishes.get(key);
    if (!before) wishes.set(key, one);
    else if (one.from < before.from) before.from = one.from;
    regions.add(one.region);
  };
  return {
    want: ({ type, market, region, zone }, from) => wish({ type, market, region, ...(market === 'spot' && zone ? { zone } : {}), from }),
    wantDisk(region, anyType) {
      if (!regions.has(region)) wish({ type: anyType, market: 'on-demand', region, from: app.clock.now() });
    },
    async ask() {
      await Promise.all([...wishes].map(async ([key, one]) => {
        const answer = await provider.rates?.(one, app.signal);
        if (!answer) return;
        known.set(key, answer);
        disk.set(one.region, answer.diskMicroUsdPerGbMonth);
      }));
    },
    of: (machine) => known.get(keyOf(machine)),
    disk: (region) => disk.get(region),
  };
}
