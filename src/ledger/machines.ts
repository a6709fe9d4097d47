// The ledger's memory of machines: every start with its times and prices, every disk. Clouds forget: the earlier starts of a machine
// at once, a terminated machine after an hour. What was once known exactly is never replaced by less.
import { OWN_TAG, ownerOf, projectOf, runOf } from '../core/ownership.ts';
import type { Machine, MachineState, Market } from '../core/machine.ts';
import { RunctlError } from '../core/errors.ts';
import { LEASE_TAG } from '../core/lease.ts';
import type { DiskSpan, MachineUsage, PriceChange, RunSpan } from '../core/usage.ts';
import type { MachineFilter, MachineRecord, PlannedParts, Sighting } from './records.ts';
import type { Row, Sqlite, SqlValue } from './sqlite.ts';

export interface MachineLedger {
  /** Write down a machine as it is seen now; all or nothing. */
  noteMachine(sighting: Sighting): void;
  /** The cloud has forgotten it: what was open ended at `nowMs` at most. */
  noteGone(machineId: string, nowMs: number): void;
  /** Prices found for what a machine was used for; by `from` of runs and id of disks. */
  notePrices(machineId: string, prices: { runs: Pick<RunSpan, 'from' | 'prices'>[]; diskMicroUsdPerGbMonth?: number }): void;
  /** Disks that the cloud itself named. */
  hasDisks(machineId: string): boolean;
  findMachine(id: string): MachineRecord | undefined;
  getMachine(id: string): MachineRecord;
  /** Oldest first. */
  machines(filter?: MachineFilter): MachineRecord[];
  /** Where machines of this provider were seen since then. */
  regionsOf(provider: string, sinceMs: number): string[];
}

/** Stands for the root disk of a machine whose disks nobody has seen yet. */
const PLANNED = 'planned';

export function machineLedger(sqlite: Sqlite): MachineLedger {
  const runsOf = (id: string): RunSpan[] => sqlite.all('SELECT * FROM machine_runs WHERE machine_id = ? ORDER BY from_ms', id).map(runSpan);
  const disksOf = (id: string): DiskSpan[] => sqlite.all('SELECT * FROM machine_disks WHERE machine_id = ? ORDER BY from_ms, volume_id', id).map(diskSpan);
  const recordOf = (row: Row): MachineRecord => {
    const machine = machineOf(row);
    return { ...machine, usage: usageOf(machine, runsOf(machine.id), disksOf(machine.id)) };
  };
  const findMachine = (id: string): MachineRecord | undefined => sqlite.all('SELECT * FROM machines WHERE id = ?', id).map(recordOf)[0];

  function putMachine({ machine, pretend, plan, nowMs }: Sighting): PlannedParts | undefined {
    const { id, provider, region, zone, type, market, tags, state } = machine;
    sqlite.run(
      `INSERT INTO machines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
         zone = coalesce(excluded.zone, zone), type = excluded.type, market = excluded.market, state = excluded.state, project = coalesce(excluded.project, project),
         owner = coalesce(excluded.owner, owner), run_id = coalesce(excluded.run_id, run_id), plan = coalesce(excluded.plan, plan), lease = coalesce(excluded.lease, lease), seen_at = max(seen_at, excluded.seen_at)`,
      id, provider, pretend ? 1 : 0, region, zone ?? null, type, market, projectOf(tags) ?? null, ownerOf(tags) ?? null, runOf(tags) ?? null,
      state, plan ? JSON.stringify(plan) : null, createdAt(machine) ?? nowMs, nowMs, tags[LEASE_TAG] ?? null,
    );
    const kept = sqlite.all('SELECT plan FROM machines WHERE id = ?', id)[0]?.plan;
    return typeof kept === 'string' ? (JSON.parse(kept) as PlannedParts) : undefined;
  }

  /** A start that is known keeps its exact end, its address and its prices when a later sighting knows less. */
  function putRun(id: string, span: RunSpan): void {
    const known = runsOf(id);
    // The cloud tells of the latest start: an earlier one is older news, or the request of a machine that was still pending.
    if (known.some((one) => one.from > span.from)) return;
    for (const earlier of known) {
      if (earlier.from < span.from && earlier.to === undefined) closeRun(id, earlier.from, span.from, true);
    }
    const before = known.find((one) => one.from === span.from);
    const end = betterEnd(before, span);
    sqlite.run(
      'INSERT OR REPLACE INTO machine_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      id, span.from, end.to ?? null, end.atMost ? 1 : 0, span.interrupted || before?.interrupted ? 1 : 0, span.market,
      JSON.stringify(end.to === undefined ? [] : span.prices.length > 0 ? span.prices : (before?.prices ?? [])), Math.max(span.addressMicroUsdPerHour, before?.addressMicroUsdPerHour ?? 0),
      span.addressUnseen && (before === undefined || before.addressUnseen) ? 1 : 0,
    );
  }

  function closeRun(id: string, from: number, to: number, atMost: boolean): void {
    sqlite.run('UPDATE machine_runs SET to_ms = max(from_ms, ?), at_most = ? WHERE machine_id = ? AND from_ms = ? AND to_ms IS NULL', to, atMost ? 1 : 0, id, from);
  }

  function putDisk(id: string, disk: DiskSpan): void {
    if (disk.id !== PLANNED) sqlite.run('DELETE FROM machine_disks WHERE machine_id = ? AND volume_id = ?', id, PLANNED);
    sqlite.run(
      `INSERT INTO machine_disks VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (machine_id, volume_id) DO UPDATE SET
         gb = excluded.gb, micro_usd_per_gb_month = coalesce(excluded.micro_usd_per_gb_month, micro_usd_per_gb_month), on_termination = excluded.on_termination`,
      id, disk.id, disk.gb, disk.microUsdPerGbMonth ?? null, disk.from, disk.to ?? null, disk.atMost ? 1 : 0, disk.onTermination ? 1 : 0,
    );
  }

  function closeDisks(id: string, to: number, atMost: boolean, except: string[] = []): void {
    for (const disk of disksOf(id)) {
      if (disk.to !== undefined || except.includes(disk.id)) continue;
      sqlite.run('UPDATE machine_disks SET to_ms = max(from_ms, ?), at_most = ? WHERE machine_id = ? AND volume_id = ?', to, atMost ? 1 : 0, id, disk.id);
    }
  }

  return {
    noteMachine: (sighting) =>
      sqlite.transaction(() => {
        const { machine, usage, nowMs } = sighting;
        const { id } = machine;
        const known = runsOf(id);
        const neverRan = known.length === 0 && endedBeforeItRan(sqlite.all('SELECT state, seen_at, first_seen_at FROM machines WHERE id = ?', id)[0], machine);
        const plan = putMachine(sighting);
        if (!neverRan) for (const span of usage?.runs ?? []) putRun(id, withPlan(span, known, plan));
        const launch = createdAt(machine);
        if (plan && launch !== undefined && known.length === 0 && disksOf(id).length === 0) putDisk(id, { id: PLANNED, gb: plan.diskGb, from: launch, onTermination: true });
        for (const disk of usage?.disks ?? []) putDisk(id, disk);
        if (machine.state === 'terminated' || machine.state === 'shutting-down') {
          for (const span of runsOf(id)) if (span.to === undefined) closeRun(id, span.from, machine.endedAt ?? nowMs, machine.endedAt === undefined);
          closeDisks(id, machine.endedAt ?? nowMs, machine.endedAt === undefined);
        }
        else if (usage && usage.disks.length > 0) closeDisks(id, nowMs, true, usage.disks.map((disk) => disk.id));
      }),
    noteGone: (machineId, nowMs) =>
      sqlite.transaction(() => {
        const [unseen] = runsOf(machineId).length > 0 ? [] : sqlite.all("SELECT market, plan, first_seen_at FROM machines WHERE id = ? AND state NOT IN ('terminated', 'shutting-down')", machineId);
        if (unseen) putRun(machineId, unseenRun(unseen, nowMs));
        sqlite.run("UPDATE machines SET state = 'terminated' WHERE id = ?", machineId);
        for (const span of runsOf(machineId)) if (span.to === undefined) closeRun(machineId, span.from, nowMs, true);
        closeDisks(machineId, nowMs, true);
      }),
    notePrices: (machineId, { runs, diskMicroUsdPerGbMonth }) =>
      sqlite.transaction(() => {
        for (const { from, prices } of runs) sqlite.run('UPDATE machine_runs SET prices = ? WHERE machine_id = ? AND from_ms = ?', JSON.stringify(prices), machineId, from);
        if (diskMicroUsdPerGbMonth !== undefined) sqlite.run('UPDATE machine_disks SET micro_usd_per_gb_month = ? WHERE machine_id = ? AND micro_usd_per_gb_month IS NULL', diskMicroUsdPerGbMonth, machineId);
      }),
    hasDisks: (machineId) => sqlite.all('SELECT 1 FROM machine_disks WHERE machine_id = ? AND volume_id <> ? LIMIT 1', machineId, PLANNED).length > 0,
    findMachine,
    getMachine: (id) => {
      const record = findMachine(id);
      if (!record) throw new RunctlError('not-found', `no machine ${id} in the ledger`, { cause: `It has no sighting of one; those that runctl made carry the tag ${OWN_TAG.run}.`, hints: ['runctl runs list'] });
      return record;
    },
    machines: ({ pretend, alive, sinceMs, project } = {}) =>
      sqlite
        .all(
          `SELECT * FROM machines WHERE pretend = coalesce(?, pretend) AND (? = 0 OR state <> 'terminated') AND (state <> 'terminated' OR seen_at >= ?)
             AND coalesce(project, '') = coalesce(?, project, '') ORDER BY first_seen_at, id`,
          pretend === undefined ? null : pretend ? 1 : 0, alive ? 1 : 0, sinceMs ?? 0, project ?? null,
        )
        .map(recordOf),
    regionsOf: (provider, sinceMs) => sqlite.all('SELECT DISTINCT region FROM machines WHERE provider = ? AND seen_at >= ? ORDER BY region', provider, sinceMs).map((row) => String(row.region)),
  };
}

function createdAt({ firstLaunchedAt, launchedAt }: Machine): number | undefined {
  return firstLaunchedAt ?? launchedAt;
}

/** How long before its end a machine must have been seen pending to have ended as such. */
const MOMENT_MS = 10_000;

/** The cloud shows a launch of it all the same, but nothing is billed for `pending`. */
function endedBeforeItRan(before: Row | undefined, { state, endedAt, launchedAt, interrupted }: Machine): boolean {
  if (before === undefined || (state !== 'terminated' && state !== 'shutting-down')) return false;
  // Only running machines are taken back, and a launch that is younger than the request tells of one that ran, however short.
  if (interrupted || (launchedAt !== undefined && launchedAt > Number(before.first_seen_at))) return false;
  return before.state === 'terminated' || before.state === 'shutting-down' || (before.state === 'pending' && endedAt !== undefined && endedAt - Number(before.seen_at) <= MOMENT_MS);
}

/** The better known of two ends: an exact one stays, otherwise the earlier; a machine that runs all the same had not ended. One that
 *  was seen not running and terminated within that second has an exact end of its own, but not of this start. */
function betterEnd(before: RunSpan | undefined, span: RunSpan): Pick<RunSpan, 'to' | 'atMost'> {
  if (before?.to === undefined) return span;
  if (!before.atMost) return before;
  return span.to === undefined || span.to < before.to ? span : before;
}

/** A machine has no start only as long as it is pending, or when it ended before it ran. */
function usageOf({ id, state }: Pick<MachineRecord, 'id' | 'state'>, runs: RunSpan[], disks: DiskSpan[]): MachineUsage {
  const mustHaveRun = state === 'running' || state === 'stopping' || state === 'stopped';
  return { machineId: id, runs, disks, ...(runs.length === 0 && mustHaveRun ? { runsUnknown: true } : {}), ...(disks.length === 0 && (runs.length > 0 || mustHaveRun) ? { disksUnknown: true } : {}) };
}

/** Of a machine that the cloud has forgotten before anybody saw it run: at most all the time since it was made. */
function unseenRun({ market, plan, first_seen_at: madeAt }: Row, nowMs: number): RunSpan {
  const { addressMicroUsdPerHour } = typeof plan === 'string' ? (JSON.parse(plan) as PlannedParts) : { addressMicroUsdPerHour: undefined };
  return {
    from: Math.floor(Number(madeAt) / 1000) * 1000, to: nowMs, atMost: true, market: market as Market, prices: [],
    ...(addressMicroUsdPerHour === undefined ? { addressMicroUsdPerHour: 0, addressUnseen: true } : { addressMicroUsdPerHour }),
  };
}

/** Nobody saw it running, so nobody saw its address. */
function withPlan(span: RunSpan, known: RunSpan[], plan: PlannedParts | undefined): RunSpan {
  if (!plan || span.to === undefined || span.addressMicroUsdPerHour > 0 || known.some((one) => one.from === span.from)) return span;
  return { ...span, addressMicroUsdPerHour: plan.addressMicroUsdPerHour, addressUnseen: false };
}

function machineOf(row: Row): Omit<MachineRecord, 'usage'> {
  return {
    id: String(row.id),
    provider: String(row.provider),
    pretend: row.pretend === 1,
    region: String(row.region),
    zone: text(row.zone),
    type: String(row.type),
    market: row.market as Market,
    project: text(row.project),
    owner: text(row.owner),
    runId: text(row.run_id),
    state: row.state as MachineState,
    firstSeenAt: Number(row.first_seen_at),
    seenAt: Number(row.seen_at),
    ...(typeof row.lease === 'string' ? { lease: row.lease } : {}),
  };
}

function runSpan(row: Row): RunSpan {
  return {
    from: Number(row.from_ms),
    ...end(row),
    ...(row.interrupted === 1 ? { interrupted: true } : {}),
    market: row.market as Market,
    prices: JSON.parse(String(row.prices)) as PriceChange[],
    addressMicroUsdPerHour: Number(row.address_micro_usd),
    ...(row.address_unseen === 1 ? { addressUnseen: true } : {}),
  };
}

function diskSpan(row: Row): DiskSpan {
  return {
    id: String(row.volume_id),
    gb: Number(row.gb),
    ...(row.micro_usd_per_gb_month === null ? {} : { microUsdPerGbMonth: Number(row.micro_usd_per_gb_month) }),
    from: Number(row.from_ms),
    ...end(row),
    onTermination: row.on_termination === 1,
  };
}

function end(row: Row): { to?: number; atMost?: true } {
  return row.to_ms === null ? {} : { to: Number(row.to_ms), ...(row.at_most === 1 ? { atMost: true } : {}) };
}

function text(value: SqlValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
