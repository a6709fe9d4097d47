// A thousand machines with leases, through starts, stops, reboots, clocks that jump, runctl gone, keepers killed, trainings that
// ignore SIGTERM, renewals: the keeper's own code over pretend time (support/lease-world.py), the pretend cloud's own meter for
// the bill. No network is in it anywhere: neither guard knows one. What is left over a limit is printed.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { renderBootScript } from '../src/agent/lease.ts';
import { LEASE_MARGIN_S, type Lease, readLease } from '../src/core/lease.ts';
import type { MachinePlan } from '../src/core/machine.ts';
import type { App } from '../src/engine/app.ts';
import { allowance, bindLease } from '../src/engine/lease/lease.ts';
import type { World } from '../src/sim/cloud.ts';
import { EBS_MONTH_HOURS, PUBLIC_IPV4_MICRO_USD_PER_HOUR, onDemandPrice, storagePrice } from '../src/sim/data/prices.ts';
import { meterNotRunning, meterRunning, meterVolume, meterVolumeAttached, meterVolumeGone } from '../src/sim/meter.ts';
import { readMeter } from '../src/sim/meter-reading.ts';

const CASES = 1000;
/** What a start after the end may take, besides grace and margin (guard.sh). */
const WINDOW_S = 900;
const START = Date.parse('2026-03-01T00:00:00Z');
const TYPES = ['t3.micro', 't3.medium', 'm5.large', 'g4dn.xlarge', 'g5.xlarge', 'g6.xlarge', 'p3.2xlarge'].filter((type) => onDemandPrice(type, 'us-east-1') !== undefined);
const SIMULATION = join(import.meta.dirname, 'support/lease-world.py');
const KEEPER = join(import.meta.dirname, '../src/agent/lease.py');

type Random = () => number;
/** Mulberry32: the same thousand every time. */
function random(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
const between = (next: Random, from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
const pick = <T>(next: Random, from: readonly T[]): T => from[Math.floor(next() * from.length)] as T;

/** The file `lease` that the boot script carries. */
function leaseFile(lease: Lease): string {
  return /GUARD_LEASE='([^']*)'/.exec(renderBootScript(lease))![1]!;
}

interface Outcome {
  /** Seconds since the launch. */
  spans: [number, number][];
  reason: string | null;
  lateStarts: number;
  aborted: number;
  outlived: boolean;
  allowed: number;
  cost: number | null;
  limit: string;
}

function makeCase(seed: number) {
  const next = random(seed);
  const [type, gb, isSpot] = [pick(next, TYPES), pick(next, [30, 60, 100, 500]), next() < 0.25];
  const onDemand = onDemandPrice(type, 'us-east-1')!.microUsdPerHour;
  const price = {
    ...(isSpot ? { computeMicroUsd: Math.floor(onDemand / 3), onDemandMicroUsd: onDemand } : { computeMicroUsd: onDemand }),
    storageMicroUsd: Math.ceil((gb * storagePrice('gp3', 'us-east-1')!) / EBS_MONTH_HOURS), addressMicroUsd: PUBLIC_IPV4_MICRO_USD_PER_HOUR, source: 'test',
  };
  const plan = { type, market: isSpot ? 'spot' : 'on-demand', price, tags: {} } as MachinePlan;
  const hourly = onDemand + price.storageMicroUsd + price.addressMicroUsd;
  const graceMs = between(next, 0, 240) * 1000;
  const byCost = next() < 0.7;
  // The limit buys a quarter of an hour to three and a half.
  const wish = {
    ...(byCost ? { maxCostMicroUsd: Math.ceil(hourly * (0.25 + next() * 3.25 + graceMs / 3_600_000)) } : {}),
    ...(!byCost || next() < 0.4 ? { maxHours: 0.1 + next() * 3 } : {}),
    idleMs: next() < 0.5 ? between(next, 5, 60) * 60_000 : 0, graceMs, onEnd: pick(next, ['terminate', 'stop'] as const),
  };
  const lease = bindLease({} as App, plan, wish).lease!;
  const allowed = lease.allowedS!;
  const at = (least: number, share = 1.2): number => least + next() * allowed * share;
  const times = (most: number, chance: number): number => (next() < chance ? between(next, 1, most) : 0);
  const events: { at: number; kind: string; [key: string]: unknown }[] = [];
  const add = (count: number, make: () => { at: number; kind: string; [key: string]: unknown }): void => void Array.from({ length: count }, () => events.push(make()));
  add(next() < 0.9 ? 1 : 0, () => ({ at: 30 + next() * 200, kind: 'hold' }));
  for (let stops = times(3, 0.4); stops > 0; stops--) {
    const stopped = at(1);
    events.push({ at: stopped, kind: 'stop' }, { at: stopped + 1 + next() * 7200, kind: 'start' });
  }
  add(times(2, 0.2), () => ({ at: allowed * 1.2 + next() * 20_000, kind: 'start' }));
  add(times(3, 0.3), () => ({ at: at(1), kind: 'reboot' }));
  add(times(4, 0.6), () => ({ at: at(0), kind: 'wall', by: (next() - 0.5) * 1e9 }));
  add(times(3, 0.4), () => ({ at: at(40), kind: 'kill-keeper' }));
  const deadAt = at(0);
  for (let asked = 60; asked < deadAt; asked += 400) events.push({ at: asked, kind: 'contact' });
  add(times(3, 0.8), () => ({ at: at(40, 0.9), kind: 'job', job: { lasts: next() * allowed * 2, every: next() < 0.7 ? 5 + next() * 600 : 0, works: next() < 0.7, saves: next() < 0.5 ? next() * 200 : null, stoppable: next() < 0.8 } }));
  let longer = lease;
  for (let renewals = times(2, 0.25); renewals > 0; renewals--) {
    const bounds = { ...longer, ...(longer.hoursS === undefined ? {} : { hoursS: longer.hoursS + 1800 }), ...(longer.maxCostMicroUsd === undefined ? {} : { maxCostMicroUsd: longer.maxCostMicroUsd + hourly }) };
    longer = { ...bounds, ...allowance(bounds, price.storageMicroUsd) };
    // In this order, whenever they come.
    events.push({ at: (allowed * (3 - renewals)) / 3, kind: 'renew', lease: leaseFile(longer) });
  }
  // Without systemd nobody brings the loop back; who then boots or renews has lost the count. It is said so, and not tried.
  const systemd = next() < 0.5;
  if (next() < 0.15 && (systemd || !events.some(({ kind }) => ['stop', 'reboot', 'renew'].includes(kind)))) events.push({ at: at(40), kind: 'kill-all' });
  const last = Math.max(...events.map((event) => event.at), 0);
  return {
    seed, type, gb, isSpot, lease, hourly, disk: price.storageMicroUsd,
    input: {
      lease: leaseFile(lease), onEnd: lease.onEnd, events, horizonS: last + longer.allowedS! + 4 * 3600,
      systemd, bootS: between(next, 2, 30), shutdownS: between(next, 1, 90), uptimeS: next() * 1e6, keeperBroken: next() < 0.1,
    },
  };
}

/** The tables that the meter needs, and nothing on a disk. */
function memoryWorld(): World {
  const tables = new Map<string, Map<string, unknown>>();
  return {
    accountId: '123456789012', directory: '/nowhere', newId: (prefix: string) => `${prefix}-0`, save: () => undefined,
    table: (name: string) => {
      const rows = tables.get(name) ?? new Map<string, unknown>();
      tables.set(name, rows);
      return { get: (id: string) => rows.get(id), put: (id: string, row: unknown) => void rows.set(id, row), delete: (id: string) => rows.delete(id), values: () => [...rows.values()], entries: () => [...rows.entries()], get size() { return rows.size; } };
    },
  } as unknown as World;
}

/** What the pretend cloud's meter makes of the times at which the machine ran. */
function bill(world: World, one: ReturnType<typeof makeCase>, { spans }: Outcome): string {
  const [id, zone, region] = [`i-${one.seed}`, 'us-east-1a', 'us-east-1'];
  const at = (seconds: number): number => START + Math.round(seconds * 1000);
  meterVolume(world, { volumeId: `vol-${one.seed}`, region, zone, sizeGb: one.gb, volumeType: 'gp3' }, at(0));
  meterVolumeAttached(world, `vol-${one.seed}`, id, at(0));
  for (const [from, to] of spans) {
    meterRunning(world, { instanceId: id, region, zone, type: one.type, publicIp: '203.0.113.7', spot: one.isSpot }, at(from));
    meterNotRunning(world, id, at(to));
  }
  meterVolumeGone(world, `vol-${one.seed}`, at(spans.at(-1)![1]));
  return id;
}

/** What may be paid, by what is promised, and what was. */
function account(one: ReturnType<typeof makeCase>, outcome: Outcome, billedS: number, paid: number) {
  const { lease, hourly } = one;
  const { spans, lateStarts, aborted, allowed, cost } = outcome;
  const tail = lease.graceS + LEASE_MARGIN_S;
  // People who start a machine after its end, or stop it before it has booted, decide so.
  const byPeople = lateStarts * (WINDOW_S + tail) + aborted * 60;
  const offS = spans.at(-1)![1] - spans.reduce((sum, [from, to]) => sum + to - from, 0);
  const disk = (offS * one.disk) / 3600;
  const capped = outcome.limit === 'cost' && cost !== null;
  const kept = capped && lease.onEnd === 'stop' ? Math.min(one.disk * 24 * 7, cost / 10) : 0;
  const limit = capped ? cost : ((allowed + tail) * hourly) / 3600;
  return { overS: billedS - byPeople - allowed, promisedS: tail, over: paid - limit - (byPeople * hourly) / 3600 - Math.max(0, disk - kept) };
}

describe('the lease holds', () => {
  test('R223 R086 R085 a thousand machines: the meter never above the limit plus the stated grace, none outlives its lease', () => {
    const cases = Array.from({ length: CASES }, (_, n) => makeCase(n + 1));
    const done = spawnSync('python3', [SIMULATION, KEEPER], { input: JSON.stringify(cases.map(({ input }) => input)), encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
    expect(done.stderr).toBe('');
    const outcomes = JSON.parse(done.stdout) as Outcome[];
    const world = memoryWorld();
    const ids = cases.map((one, n) => bill(world, one, outcomes[n]!));
    const lines = new Map(readMeter(world, START + 400 * 86_400_000).lines.map((line) => [line.instanceId, line]));
    const ends: Record<string, number> = {};
    let [mostS, mostMoney] = [-Infinity, -Infinity];
    for (const [n, one] of cases.entries()) {
      const outcome = outcomes[n]!;
      const line = lines.get(ids[n]!)!;
      expect(line.computeMicroUsd, `case ${one.seed}`).toBeDefined();
      const { overS, promisedS, over } = account(one, outcome, line.runningSeconds, line.totalMicroUsd);
      expect(outcome.outlived, `case ${one.seed} outlived its lease`).toBe(false);
      expect(overS, `case ${one.seed}: seconds past the lease`).toBeLessThanOrEqual(promisedS);
      expect(over, `case ${one.seed}: micro-dollars past the limit`).toBeLessThanOrEqual(0);
      ends[outcome.reason ?? 'people'] = (ends[outcome.reason ?? 'people'] ?? 0) + 1;
      mostS = Math.max(mostS, overS - one.lease.graceS);
      if (outcome.limit === 'cost') mostMoney = Math.max(mostMoney, over);
    }
    // Every way to end was there often enough to mean something.
    for (const reason of ['cost', 'hours', 'idle', 'guard']) expect(ends[reason] ?? 0, reason).toBeGreaterThan(20);
    console.info(`lease: ${CASES} machines, ended by ${Object.entries(ends).map(([reason, count]) => `${reason} ${count}`).join(', ')}; largest overshoot ${mostS.toFixed(0)} s past lease and grace (stated ${LEASE_MARGIN_S} s), ${Math.ceil(mostMoney)} micro-dollars past a cost limit (stated 0)`);
  });

  test('R086 R223 what logs within the idle time is never idle; work without a sign of progress is, after twice the time, or six times when there had been one', () => {
    const idleS = 600;
    const job = (every: number, works: boolean, lasts = 1e6) => ({ at: 100, kind: 'job', job: { lasts, every, works, saves: 0, stoppable: true } });
    const input = (...events: object[]) => ({ lease: leaseFile({ allowedS: 36_000, limit: 'hours', idleS, graceS: 0, onEnd: 'stop' }), onEnd: 'stop', events: [{ at: 60, kind: 'hold' }, ...events], horizonS: 50_000, systemd: true, bootS: 10, shutdownS: 1, uptimeS: 0, keeperBroken: false });
    const cases = [input(job(590, false)), input(job(0, true)), input(), input(job(0, false)), input(job(900, true)), input(job(4000, true)), input({ ...job(0, true), at: 600 })];
    const done = spawnSync('python3', [SIMULATION, KEEPER], { input: JSON.stringify(cases), encoding: 'utf8' });
    expect(done.stderr).toBe('');
    const ends = (JSON.parse(done.stdout) as Outcome[]).map(({ reason, spans }) => [reason, Math.round(spans.at(-1)![1] / 60) * 60]);
    const near = (seconds: number): unknown => expect.toSatisfy((at: number) => Math.abs(at - seconds) <= 150, `about ${seconds}`);
    expect(ends).toEqual([
      ['hours', near(36_000)], // a line every ten minutes, and no work that shows
      ['idle', near(100 + 2 * idleS)], // while True: pass
      ['idle', near(60 + idleS)], // no job
      ['idle', near(100 + idleS)], // a job that sleeps
      ['hours', near(36_000)], // a line every quarter of an hour, computing in between
      ['idle', near(100 + 2 * idleS)], // it would have logged after an hour: too late to be believed
      ['idle', near(600 + 2 * idleS)], // a new job is progress
    ]);
  });

  test('R223 the pretend guard of these cases arms what the real one arms', () => {
    const directory = mkdtempSync(join(tmpdir(), 'runctl-guard-'));
    try {
      const next = random(7);
      const wanted: number[] = [];
      const steps: string[] = [];
      // Where the tests run under systemd, it must not be asked.
      writeFileSync(join(directory, 'systemd-run'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
      for (let n = 0; n < 24; n++) {
        const lease: Lease = { allowedS: between(next, 60, 90_000), limit: 'hours', idleS: 0, graceS: between(next, 0, 300), onEnd: 'stop' };
        const place = join(directory, String(n), '.runctl-lease');
        const script = renderBootScript(lease);
        const tick = Number(/^tick=(\d+)$/m.exec(script)![1]);
        const before = between(next, 0, lease.allowedS! + 400);
        const [isFirst, hasEnded] = [next() < 0.2, next() < 0.3];
        mkdirSync(place, { recursive: true });
        writeFileSync(join(directory, `${n}.sh`), script);
        if (!isFirst) writeFileSync(join(place, 'used'), `${before}\n`);
        if (hasEnded) writeFileSync(join(place, 'ended'), 'reason=hours\n');
        const used = isFirst ? tick : before + 2 * tick;
        const off = Math.max(lease.allowedS! + lease.graceS + 30, hasEnded ? used + WINDOW_S + lease.graceS + 30 : 0);
        wanted.push(Math.ceil(Math.max(1, off - used) / 60));
        // In a shell of its own, with the loop and everything that would reach a real machine replaced.
        steps.push(`(HOME=${join(directory, String(n))}; set -- none; . ${directory}/${n}.sh; guard_apart() { :; }; shutdown() { [ "$1" = -c ] || echo "$2" >"$rc_lease/minutes"; }; systemctl() { :; }; rc_lease=''; guard_boot)`);
      }
      const done = spawnSync('sh', ['-c', steps.join('\n'), join(directory, '0.sh')], { encoding: 'utf8', env: { PATH: `${directory}:/usr/bin:/bin` }, input: '' });
      expect(done.stderr).toBe('');
      const armed = wanted.map((_, n) => readFileSync(join(directory, String(n), '.runctl-lease', 'minutes'), 'utf8').trim());
      expect(armed).toEqual(wanted.map((minutes) => `+${minutes}`));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test('R223 a lease survives being a tag, and nonsense in a tag is none', () => {
    const { lease } = makeCase(3);
    expect(readLease(leaseFile(lease))).toEqual(lease);
    for (const text of [undefined, '', 'yes', 'idle=x grace=1 end=stop', 'idle=1 grace=1 end=never']) expect(readLease(text)).toBeUndefined();
  });
});
