// Does: keeps the plan of faults in the world and decides, call by call and machine by machine, which of its rules apply now.
// By design: rules apply in the order in which they were added; the first that ends a call ends it, and later ones do not count
// it. A rule begins `after` it was added, or after its machine came up when that is later, so that a plan can be made before
// there is a machine. The plan outlives the server and is gone with a reset.
import type { MachineWeather, SimClock, Table, World } from '../cloud.ts';
import type { AwsFault } from '../wire/call.ts';
import type { Dialect } from '../wire/faults.ts';
import { RunctlError } from '../../core/errors.ts';
import { instanceIdsIn, matches } from './match.ts';
import type { WireCall } from './match.ts';
import { KINDS, checkRule } from './plan.ts';
import type { Known, WeatherInput, WeatherKind, WeatherRule } from './plan.ts';
import { refusalOf } from './refusals.ts';

interface WeatherRow {
  id: string;
  rule: WeatherRule;
  /** World time. */
  addedAt: number;
  /** Calls that the rule was about, whether it let them pass or not. */
  seen: number;
  /** How often it happened. */
  hits: number;
  /** Machines that it happened to, and the world time from which on. */
  struck: Record<string, number>;
}

/** A rule as it is told to whoever looks after the sim. */
export interface WeatherReport {
  id: string;
  rule: WeatherRule;
  hits: number;
  state: 'waiting' | 'active' | 'over';
  /** What of it this host cannot do. */
  note?: string;
}

/** What weather does to machines, in the hands of those who can. */
export interface MachineHands {
  running(): { instanceId: string; since: number; spot: boolean }[];
  lose(instanceId: string, state: 'terminated' | 'stopped'): void;
  reboot(instanceId: string): void;
  /** A spot machine is taken back, unless it is already. */
  interrupt(instanceId: string, order: { reason?: 'capacity' | 'price'; noticeMs?: number; rebalanceMs?: number }): void;
  /** Null: as without weather. */
  setMarket(pools: { type?: string; zone?: string }, change: { microUsdPerHour?: number | null; capacity?: number | null }): void;
  /** Machines follow what weather() answers about them; called when that changed. */
  refresh(instanceId: string): void;
  /** Why weather of this kind does less here, or nothing. */
  limits(kind: WeatherKind): string | undefined;
}

/** How one call is to be treated. */
export interface Met {
  delayMs: number;
  bytesPerSecond?: number;
  /** S3: the region in which the bucket is said to be. */
  bucketRegion?: string;
  end?: { how: 'refuse'; fault: AwsFault } | { how: 'reset' } | { how: 'lose-reply' } | { how: 'html'; status: number };
  /** Call when the operation was carried out, with its answer as text. */
  done(answer: string): void;
}

export interface Weather extends MachineWeather {
  add(input: WeatherInput): WeatherReport;
  /** All or none. */
  load(inputs: readonly unknown[]): WeatherReport[];
  list(): WeatherReport[];
  /** One rule or all; returns how many went. */
  clear(id?: string): number;
  skewMs(call: WireCall): number;
  meet(call: WireCall, dialect: Dialect, who: { accessKeyId: string; principalArn: string }): Met;
  /** From here on machines can be reached. */
  attach(hands: MachineHands, known: () => Known): void;
  resume(): void;
  /** The world was, or will be, closed or emptied. */
  forget(): void;
}

/** Stands in `struck` for the market as a whole. */
const MARKET = 'market';

const NOTHING_DONE = (): void => undefined;

export function createWeather(world: World, clock: SimClock): Weather {
  const table: Table<WeatherRow> = world.table<WeatherRow>('sim.weather');
  const timers = new Map<string, (() => void)[]>();
  let hands: MachineHands | undefined;
  let known: () => Known = () => ({ operations: new Map(), regions: [], zonesOf: () => [] });

  const later = (id: string, delayMs: number, action: () => void): void => {
    if (delayMs <= 0) return action();
    timers.set(id, [...(timers.get(id) ?? []), clock.after(delayMs, action)]);
  };

  const inTime = ({ rule, addedAt }: WeatherRow): boolean => {
    const begins = addedAt + rule.afterMs;
    return clock.now() >= begins && (rule.forMs === undefined || clock.now() < begins + rule.forMs);
  };

  /** Counts the call; whether the rule happens to it. */
  const falls = (row: WeatherRow): boolean => {
    const { skip, times } = row.rule;
    row.seen += 1;
    const falling = row.seen > skip && (times === undefined || row.seen <= skip + times);
    if (falling) row.hits += 1;
    table.put(row.id, row);
    return falling;
  };

  const isOn = (row: WeatherRow, instanceId: string): boolean => {
    const since = row.struck[instanceId];
    return since !== undefined && (row.rule.forMs === undefined || clock.now() < since + row.rule.forMs);
  };

  const strike = (row: WeatherRow, instanceId: string): void => {
    const { kind, times, forMs, instance, operation, state, reason, noticeMs, rebalanceMs } = row.rule;
    if (table.get(row.id) !== row || row.struck[instanceId] !== undefined || (instance !== undefined && instance !== instanceId)) return;
    if (operation === undefined && times !== undefined && row.hits >= times) return;
    if (!hands?.running().some((machine) => machine.instanceId === instanceId && (machine.spot || kind !== 'spot-interrupt'))) return;
    row.struck[instanceId] = clock.now();
    if (operation === undefined) row.hits += 1;
    table.put(row.id, row);
    if (kind === 'instance-loss') hands.lose(instanceId, state ?? 'terminated');
    else if (kind === 'reboot') hands.reboot(instanceId);
    else if (kind === 'spot-interrupt') hands.interrupt(instanceId, { reason, noticeMs, rebalanceMs });
    else {
      hands.refresh(instanceId);
      if (forMs !== undefined) later(row.id, forMs, () => hands?.refresh(instanceId));
    }
  };

  /** A rule without an operation: its time for this machine. */
  const schedule = (row: WeatherRow, machine: { instanceId: string; since: number }): void => {
    const { rule, addedAt } = row;
    if (KINDS[rule.kind].acts !== 'machine' || rule.operation !== undefined) return;
    later(row.id, Math.max(addedAt, machine.since) + rule.afterMs - clock.now(), () => strike(row, machine.instanceId));
  };

  /** The market as the rule wants it, or, at its end, as it would be without. */
  const setMarket = ({ rule }: WeatherRow, begins: boolean): void => {
    const { type, zone, microUsdPerHour, capacity } = rule;
    const change = rule.kind === 'spot-price' ? { microUsdPerHour: begins ? microUsdPerHour : null } : { capacity: begins ? capacity : null };
    hands?.setMarket({ type, zone }, change);
  };

  const endMarket = (row: WeatherRow): void => {
    const since = row.struck[MARKET];
    if (row.rule.forMs === undefined || since === undefined) return;
    later(row.id, since + row.rule.forMs - clock.now(), () => setMarket(row, false));
  };

  const beginMarket = (row: WeatherRow): void => {
    if (row.struck[MARKET] !== undefined) return endMarket(row);
    later(row.id, row.addedAt + row.rule.afterMs - clock.now(), () => {
      if (table.get(row.id) !== row) return;
      row.struck[MARKET] = clock.now();
      row.hits += 1;
      table.put(row.id, row);
      setMarket(row, true);
      endMarket(row);
    });
  };

  const put = (rule: WeatherRule): WeatherRow => {
    const numbers = table.values().map((row) => Number(row.id.slice(1)));
    const row: WeatherRow = { id: `w${Math.max(0, ...numbers) + 1}`, rule, addedAt: clock.now(), seen: 0, hits: 0, struck: {} };
    table.put(row.id, row);
    return row;
  };

  const begin = (row: WeatherRow): void => {
    if (KINDS[row.rule.kind].acts === 'market') return beginMarket(row);
    for (const machine of hands?.running() ?? []) schedule(row, machine);
  };

  const report = (row: WeatherRow): WeatherReport => {
    const { rule, hits, seen, struck, id } = row;
    const note = hands?.limits(rule.kind);
    return { id, rule, hits, state: stateOf(rule, { hits, seen, struck: Object.keys(struck) }, row), ...(note === undefined ? {} : { note }) };
  };

  const stateOf = (rule: WeatherRule, done: { hits: number; seen: number; struck: string[] }, row: WeatherRow): WeatherReport['state'] => {
    if (KINDS[rule.kind].acts === 'market') return done.hits === 0 ? 'waiting' : isOn(row, MARKET) ? 'active' : 'over';
    const lasting = done.struck.some((id) => isOn(row, id)) && !isAtOnce(rule.kind);
    if (lasting) return 'active';
    if (rule.times !== undefined && done.hits >= rule.times) return 'over';
    const byTime = KINDS[rule.kind].acts === 'call' || rule.operation !== undefined;
    if (clock.now() < row.addedAt + rule.afterMs) return 'waiting';
    if (byTime) return inTime(row) ? (done.seen < rule.skip ? 'waiting' : 'active') : 'over';
    return 'waiting';
  };

  const drop = (row: WeatherRow): void => {
    for (const cancel of timers.get(row.id) ?? []) cancel();
    timers.delete(row.id);
    table.delete(row.id);
    if (isOn(row, MARKET)) setMarket(row, false);
    for (const instanceId of Object.keys(row.struck)) hands?.refresh(instanceId);
  };

  const conditions = (kinds: readonly WeatherKind[], instanceId: string): WeatherRow[] => table.values().filter((row) => kinds.includes(row.rule.kind) && isOn(row, instanceId));

  const add = (inputs: readonly unknown[]): WeatherReport[] => {
    const rules = inputs.map((input) => checkRule(input, known()));
    const rows = rules.map(put);
    rows.forEach(begin);
    world.save();
    return rows.map(report);
  };

  return {
    add: (input) => add([input])[0] as WeatherReport,
    load(inputs) {
      if (!Array.isArray(inputs)) throw new RunctlError('usage', 'a plan of weather is a list of rules', { hints: ['runctl sim weather add --help'] });
      for (const input of inputs) checkRule(input, known());
      for (const row of table.values()) drop(row);
      return add(inputs);
    },
    list: () => table.values().map(report),
    clear(id) {
      const rows = table.values().filter((row) => id === undefined || row.id === id);
      if (id !== undefined && rows.length === 0) throw new RunctlError('not-found', `there is no weather ${id}`, { hints: ['runctl sim weather list'] });
      rows.forEach(drop);
      world.save();
      return rows.length;
    },
    skewMs(call) {
      return table.values().filter((row) => row.rule.kind === 'clock-skew' && inTime(row) && matches(row.rule, call) && falls(row)).reduce((sum, row) => sum + (row.rule.byMs ?? 0), 0);
    },
    meet(call, dialect, who) {
      const met: Met = { delayMs: 0, done: NOTHING_DONE };
      const setOff: WeatherRow[] = [];
      for (const row of table.values()) {
        const { rule } = row;
        if (rule.kind === 'clock-skew' || !beginsWith(row, inTime) || !matches(rule, call) || !falls(row)) continue;
        if (KINDS[rule.kind].acts === 'machine') setOff.push(row);
        else if (rule.kind === 'slow') {
          met.delayMs += rule.delayMs ?? 0;
          met.bytesPerSecond = rule.bytesPerSecond === undefined ? met.bytesPerSecond : Math.min(rule.bytesPerSecond, met.bytesPerSecond ?? Infinity);
        } else if (rule.kind === 'bucket-elsewhere') met.bucketRegion = rule.bucketRegion;
        else {
          const fault = refusalOf(rule, call, dialect, who);
          met.end = fault ? { how: 'refuse', fault } : rule.kind === 'html' ? { how: 'html', status: rule.status ?? 502 } : { how: rule.kind === 'reset' ? 'reset' : 'lose-reply' };
          break;
        }
      }
      if (setOff.length > 0) {
        met.done = (answer) => {
          const named = [...new Set([...call.instanceIds, ...instanceIdsIn(answer)])];
          for (const row of setOff) for (const instanceId of targets(row.rule, named, hands)) strike(row, instanceId);
        };
      }
      return met;
    },
    machineUp(instanceId, since) {
      for (const row of table.values()) schedule(row, { instanceId, since });
      hands?.refresh(instanceId);
    },
    agentDelayMs: (instanceId) => conditions(['agent-late'], instanceId).reduce((sum, row) => sum + (row.rule.delayMs ?? 0), 0),
    agentSilentSince(instanceId) {
      const since = conditions(['agent-dead', 'network-down'], instanceId).map((row) => row.struck[instanceId] as number);
      return since.length === 0 ? undefined : Math.min(...since);
    },
    mayFillUp: (instanceId) => table.values().some(({ rule }) => rule.kind === 'disk-full' && (rule.instance === undefined || rule.instance === instanceId)),
    freeMib(instanceId) {
      const left = conditions(['disk-full'], instanceId).map(({ rule }) => rule.freeMib ?? 0);
      return left.length === 0 ? undefined : Math.min(...left);
    },
    isNetworkDown: (instanceId) => conditions(['network-down'], instanceId).length > 0,
    attach(givenHands, givenKnown) {
      hands = givenHands;
      known = givenKnown;
    },
    resume() {
      for (const row of table.values()) {
        begin(row);
        for (const [instanceId, since] of Object.entries(row.struck)) {
          if (instanceId === MARKET) continue;
          if (row.rule.forMs !== undefined) later(row.id, since + row.rule.forMs - clock.now(), () => hands?.refresh(instanceId));
        }
      }
      for (const { instanceId } of hands?.running() ?? []) hands?.refresh(instanceId);
    },
    forget() {
      for (const cancel of [...timers.values()].flat()) cancel();
      timers.clear();
    },
  };
}

function isAtOnce(kind: WeatherKind): boolean {
  return kind === 'reboot' || kind === 'instance-loss' || kind === 'spot-interrupt';
}

/** For what happens to machines, `for` says how long it lasts, not for how long calls can set it off. */
function beginsWith(row: WeatherRow, inTime: (row: WeatherRow) => boolean): boolean {
  return KINDS[row.rule.kind].acts === 'machine' ? inTime({ ...row, rule: { ...row.rule, forMs: undefined } }) : inTime(row);
}

/** A call that names no machine sets it off on all. */
function targets(rule: WeatherRule, named: string[], hands: MachineHands | undefined): string[] {
  if (rule.instance !== undefined) return [rule.instance];
  return named.length > 0 ? named : (hands?.running() ?? []).map(({ instanceId }) => instanceId);
}
