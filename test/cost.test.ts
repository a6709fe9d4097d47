// What runctl says that a machine has cost, against the meter of the pretend cloud, which knows nothing of runctl's arithmetic:
// equal to the micro-dollar, for every way in which a machine can live and end.
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Machine, MachineRequest } from '../src/core/machine.ts';
import { billMachine, noteMachine } from '../src/engine/cost/cost-actual.ts';
import { costText } from '../src/commands/resources/cost-text.ts';
import { costs } from '../src/engine/cost/costs.ts';
import { listResources } from '../src/engine/resources/list.ts';
import { createStyle } from '../src/ui/style.ts';
import { costBook } from '../src/engine/cost/cost-book.ts';
import { changeLifecycle } from '../src/engine/lifecycle.ts';
import { paidText, settleCost } from '../src/engine/cost/money.ts';
import { showRun } from '../src/engine/runs.ts';
import { type MoneyLab, moneyLabs } from './support/money-lab.ts';

const lab = moneyLabs();

/** A machine as stories buy it, seen once when it runs. */
async function bought(m: MoneyLab, request: Partial<MachineRequest> = {}): Promise<string> {
  const plan = await m.provider.plan({ type: 'g4dn.xlarge', ...request, tags: { 'runctl:run': 'run-20260101-abcdef', 'runctl:project': 'digits', 'runctl:owner': 'ann', ...request.tags } });
  const made = await m.provider.create(plan, randomUUID());
  await noteMachine(m.app, m.provider, made, plan);
  await m.pass(5);
  await noteMachine(m.app, m.provider, await m.find(made.id));
  return made.id;
}

async function billed(m: MoneyLab, machine: Machine) {
  const { computeMicroUsd: compute, storageMicroUsd: storage, addressMicroUsd: address, totalMicroUsd: total, atMost, open } = await billMachine(m.app, m.provider, machine);
  return { sums: { compute, storage, address, total }, atMost, open };
}

const change = (m: MoneyLab, verb: 'start' | 'stop' | 'terminate', machineId: string) => changeLifecycle(m.app, verb, { provider: 'aws', machineId, wait: true, timeoutMs: 600_000, force: true });

describe('the meter and the bill are the same to the micro-dollar', () => {
  test('R207 a machine that is created and terminated', async () => {
    const m = await lab();
    const id = await bought(m);
    await m.pass(700);
    await change(m, 'terminate', id);
    expect(await billed(m, await m.find(id))).toEqual({ sums: m.meter(id), atMost: false, open: false });
    expect(m.meter(id).total).toBeGreaterThan(100_000);
  });

  test('R207 a machine that still runs, until now; one that ran for seconds pays its minute', async () => {
    const m = await lab();
    const [long, short] = [await bought(m), await bought(m, { type: 't3.micro' })];
    expect((await billed(m, await m.find(short))).sums).toEqual(m.meter(short));
    await m.pass(3_217);
    for (const id of [long, short]) expect(await billed(m, await m.find(id))).toEqual({ sums: m.meter(id), atMost: false, open: true });
  });

  test('R207 stopped, started again and terminated: the cloud tells the last start only, the ledger remembers the others', async () => {
    const m = await lab();
    const id = await bought(m);
    await m.pass(1_000);
    await change(m, 'stop', id);
    await m.pass(86_400);
    expect(await billed(m, await m.find(id))).toEqual({ sums: m.meter(id), atMost: false, open: true });
    await change(m, 'start', id);
    await m.pass(31);
    await change(m, 'stop', id);
    await m.pass(500);
    // What happens to a stopped machine is no end of its last start.
    await change(m, 'terminate', id);
    expect(await billed(m, await m.find(id))).toEqual({ sums: m.meter(id), atMost: false, open: false });
  });

  test('R224 R207 spot costs what the market asks for in each second, not what it asked for at first', async () => {
    const m = await lab();
    const price = (microUsdPerHour: number) => m.sim.sim.call('market-set', { type: 'g4dn.xlarge', microUsdPerHour });
    await price(157_801);
    const id = await bought(m, { market: 'spot' });
    await m.pass(1_801);
    await price(203_339);
    await m.pass(77);
    await price(149_999);
    await m.pass(4_003);
    expect((await m.find(id)).market).toBe('spot');
    expect(await billed(m, await m.find(id))).toEqual({ sums: m.meter(id), atMost: false, open: true });
    await change(m, 'terminate', id);
    await price(999);
    await m.pass(60);
    const { compute } = m.meter(id);
    expect((await billed(m, await m.find(id))).sums).toEqual(m.meter(id));
    expect(compute).toBeGreaterThan(150_000);
    expect(compute).toBeLessThan(526_000);
  });

  test.each([['within', 3_000, true], ['after', 3_700, false]])('R207 an interruption %s the first hour', async (_, seconds, free) => {
    const m = await lab();
    const id = await bought(m, { market: 'spot' });
    await m.pass(seconds);
    await m.sim.sim.call('interrupt', { instanceId: id, noticeMs: 120_000 });
    await m.pass(200);
    const machine = await m.find(id);
    expect(machine).toMatchObject({ state: 'terminated', interrupted: true });
    expect(await billed(m, machine)).toEqual({ sums: m.meter(id), atMost: false, open: false });
    expect(m.meter(id).compute === 0).toBe(free);
    expect(m.meter(id).address).toBeGreaterThan(0);
  });

  test('R207 ended while it was pending: no compute was billed, whenever it is looked at', async () => {
    const m = await lab({ dial: { pendingMs: 20_000 } });
    const plan = await m.provider.plan({ type: 'g4dn.xlarge', tags: { 'runctl:run': 'r', 'runctl:owner': 'ann', 'runctl:project': 'p' } });
    const { id } = await m.provider.create(plan, randomUUID());
    await m.pass(3);
    await noteMachine(m.app, m.provider, await m.find(id), plan);
    await m.provider.terminate(id);
    await m.pass(5);
    for (let look = 0; look < 2; look++) expect(await billed(m, await m.find(id))).toEqual({ sums: m.meter(id), atMost: false, open: false });
    expect(m.meter(id)).toMatchObject({ compute: 0, address: 0 });
  });

  test('R083 R224 a ledger that knows nothing: machines of other regions are found when asked for, and earlier starts are known to be missing', async () => {
    const m = await lab();
    const elsewhere = m.provider.inRegion!('eu-west-1');
    const tags = { 'runctl:run': 'r', 'runctl:owner': m.app.config.aws.owner as string, 'runctl:project': 'p' };
    const { id } = await elsewhere.create(await elsewhere.plan({ type: 'g5.xlarge', tags }), randomUUID());
    await m.pass(3_600);
    await elsewhere.stop(id);
    await m.pass(3_600);
    await elsewhere.start(id);
    await m.pass(60);
    expect((await costBook(m.app, m.provider, {})).entries).toEqual([]);
    const book = await costBook(m.app, m.provider, { regions: 'all' });
    expect(book).toMatchObject({ entries: [{ id, region: 'eu-west-1', usage: { unseen: true } }] });
    expect(book.notAsked).toBeUndefined();
    const told = await costs(m.app, { provider: 'aws', by: 'machine' });
    expect(told).toMatchObject({ unseen: [id], groups: [{ key: id, atLeast: true }], total: { atLeast: true } });
    expect(Math.round((told.total.totalUsd as number) * 1_000_000)).toBeLessThan(m.meter(id).total);
    expect(costText(told, createStyle(false, false))).toMatch(/To date: at least \$[^]*used before this computer knew of it: i-/);
    expect((await listResources(m.app, { provider: 'aws', regions: ['eu-west-1'] })).resources).toMatchObject([{ id }]);
  });

  test('R207 other regions have other prices', async () => {
    const m = await lab();
    const elsewhere = m.provider.inRegion!('eu-west-1');
    const plan = await elsewhere.plan({ type: 'g5.xlarge', tags: { 'runctl:run': 'r', 'runctl:owner': 'ann', 'runctl:project': 'p' } });
    const { id } = await elsewhere.create(plan, randomUUID());
    await m.pass(10);
    await noteMachine(m.app, elsewhere, (await elsewhere.find(id))!);
    await m.pass(1_234);
    await elsewhere.terminate(id);
    await m.pass(10);
    expect((await billMachine(m.app, elsewhere, (await elsewhere.find(id))!)).totalMicroUsd).toBe(m.meter(id).total);
    // The book asks in the region of each machine, whichever is configured.
    const [entry] = (await costBook(m.app, m.provider, {})).entries;
    expect(entry).toMatchObject({ id, region: 'eu-west-1', state: 'terminated' });
  });
});

describe('R087 what is told at the end of a run', () => {
  const lease = { idleS: 0, graceS: 90, onEnd: 'terminate' as const, allowedS: 7_200, rateMicroUsd: 600_000, maxCostMicroUsd: 900_000 };

  test('R087 R224 actual, estimate for the same time, and the worst case by its lease; the ledger keeps it', async () => {
    const m = await lab();
    m.ledger.beginRun({ id: 'run-1', verb: 'workflow train', request: {}, nowMs: m.app.clock.now() });
    const plan = await m.provider.plan({ type: 'g4dn.xlarge', tags: {} });
    const id = await bought(m);
    await m.pass(1_000);
    await change(m, 'terminate', id);
    const paid = await settleCost(m.app, m.provider, 'run-1', { machine: await m.find(id), elapsedS: 1_010, plan, lease });
    expect(paid).toEqual({ costUsd: m.meter(id).total / 1_000_000, estimatedCostUsd: expect.closeTo((1_010 * (526_000 + 5_000 + 11_111)) / 3_600 / 1_000_000, 5), worstCostUsd: 0.9 });
    expect(paid.estimatedCostUsd).not.toBe(paid.costUsd);
    expect(m.events).toContainEqual({ kind: 'cost.actual', machineId: id, seconds: 1_010, costMicroUsd: m.meter(id).total, estimatedMicroUsd: expect.any(Number), worstMicroUsd: 900_000 });
    expect(m.ledger.costsOf('run-1')).toMatchObject([{ machineId: id, costMicroUsd: m.meter(id).total }]);
    expect((await settleCost(m.app, m.provider, 'run-1', { machine: await m.find(id), elapsedS: 1, lease: { ...lease, spentMicroUsd: 600_000 } })).worstCostUsd).toBe(0.3);
    expect((await settleCost(m.app, m.provider, 'run-1', { machine: await m.find(id), elapsedS: 1, lease: { idleS: 60, graceS: 1, onEnd: 'stop' } })).worstCostUsd).toBeUndefined();
    // As it was told before it was bought: its hours, and the time to save and to shut down.
    expect((await settleCost(m.app, m.provider, 'run-1', { machine: await m.find(id), elapsedS: 1, lease: { ...lease, maxCostMicroUsd: undefined } })).worstCostUsd).toBeCloseTo((0.6 * (7_200 + 90 + 180)) / 3_600, 6);
  });

  test('R087 a run on a machine that had been there pays for its own time', async () => {
    const m = await lab();
    m.ledger.beginRun({ id: 'run-1', verb: 'train', request: {}, nowMs: m.app.clock.now() });
    const id = await bought(m, { rootVolumeGb: 120 });
    await m.pass(50_000);
    const since = m.app.clock.now();
    await m.pass(720);
    const machine = await m.find(id);
    const { costUsd, estimatedCostUsd } = await settleCost(m.app, m.provider, 'run-1', { machine, elapsedS: 720, since, price: await m.provider.price(machine) });
    expect(costUsd).toBeCloseTo((720 * (526_000 + 5_000) + (720 * 120 * 80_000) / 720) / 3_600 / 1_000_000, 5);
    expect(estimatedCostUsd).toBeCloseTo(costUsd!, 5);
  });

  test('R087 when the cloud does not answer, price and time are told, and that they are no more than that', async () => {
    const m = await lab();
    m.ledger.beginRun({ id: 'run-1', verb: 'train', request: {}, nowMs: m.app.clock.now() });
    const plan = await m.provider.plan({ type: 't3.micro', tags: {} });
    const id = await bought(m, { type: 't3.micro' });
    const deaf = { ...m.provider, usage: () => Promise.reject(new Error('nobody answers')) };
    const paid = await settleCost(m.app, deaf, 'run-1', { machine: await m.find(id), elapsedS: 3_600, plan });
    expect(paid.costUsd).toBe(paid.estimatedCostUsd);
    expect(m.events).toContainEqual({ kind: 'note', level: 'warning', text: expect.stringContaining('nobody answers') });
    const silent = { ...plan, price: { ...plan.price, computeMicroUsd: undefined } };
    expect(paidText(await settleCost(m.app, deaf, 'run-1', { machine: await m.find(id), elapsedS: 3_600, plan: silent }))).toBe('an unknown amount');
  });

  test('R087 terminate --wait says what the machine cost in its whole life; of a machine of others it says nothing', async () => {
    const m = await lab();
    const id = await bought(m);
    await m.pass(300);
    expect(await change(m, 'stop', id)).toMatchObject({ costUsd: expect.any(Number), billedS: 303 });
    await change(m, 'start', id);
    const ended = await change(m, 'terminate', id);
    expect(ended).toMatchObject({ state: 'terminated', billedS: 363 });
    expect(Math.round(ended.costUsd! * 1_000_000)).toBe(m.meter(id).total);
    const { InstanceId } = await m.sim.run({});
    await m.pass(10);
    expect(await change(m, 'terminate', InstanceId!)).not.toHaveProperty('costUsd');
    expect(m.ledger.findMachine(InstanceId!)).toBeUndefined();
  });
});

describe('what nobody knows exactly is said so', () => {
  test('R087 a machine that shut itself down: at most, and no less than the meter says', async () => {
    const m = await lab();
    const id = await bought(m);
    await m.pass(500);
    m.sim.machines.powerOff(id);
    await m.pass(120);
    const bill = await billMachine(m.app, m.provider, await m.find(id));
    expect(bill.atMost).toBe(true);
    expect(bill.computeMicroUsd).toBeGreaterThan(m.meter(id).compute as number);
    expect(bill.computeMicroUsd).toBeLessThan((m.meter(id).compute as number) * 1.3);
  });

  test('R083 D36 without the right to see disks: a machine of ours is billed with the disk of its plan, of another its disk is unknown and never nothing', async () => {
    const m = await lab();
    m.sim.sim.weather.add({ kind: 'access-denied', operation: 'ec2.DescribeVolumes' });
    const planned = await bought(m);
    const { id: other } = await m.provider.create(await m.provider.plan({ type: 't3.micro', tags: { 'runctl:run': 'r', 'runctl:owner': 'ann', 'runctl:project': 'digits' } }), randomUUID());
    await m.pass(1_000);
    await m.provider.stop(other);
    await m.pass(10);
    const { resources } = await listResources(m.app, { provider: 'aws' });
    expect(resources.map(({ id, costPerHourUsd, accumulatedUsd }) => [id, costPerHourUsd === undefined, accumulatedUsd === undefined])).toEqual(expect.arrayContaining([[other, true, true], [planned, false, false]]));
    expect(await change(m, 'terminate', planned)).toMatchObject({ costUsd: m.meter(planned).total / 1_000_000 });
    const told = await costs(m.app, { provider: 'aws', by: 'machine' });
    expect(told).toMatchObject({ unknownPrices: [other], stopped: 1, totalUsd: undefined });
    const group = told.groups.find(({ key }) => key === other)!;
    expect(group).not.toHaveProperty('totalUsd', expect.any(Number));
    expect(Math.round(group.knownUsd * 1_000_000)).toBe(m.meter(other).compute);
  });

  test('R223 R083 a machine that its lease ended while nobody looked: at most what the lease allows, in the report, the bill, the list and at its end', async () => {
    const m = await lab();
    const id = await bought(m, { tags: { 'runctl:lease': 'allowed=3600 idle=0 grace=90 limit=hours end=stop' } });
    await m.pass(3_640);
    m.sim.machines.powerOff(id);
    await m.pass(86_400);
    m.ledger.beginRun({ id: 'run-20260101-abcdef', verb: 'create', request: {}, nowMs: m.app.clock.now() });
    m.ledger.setMachine('run-20260101-abcdef', id, 'aws');
    const most = 3_600 + 90 + 180;
    const [group] = (await costs(m.app, { provider: 'aws', by: 'machine' })).groups;
    expect(group).toMatchObject({ atMost: true, runningSeconds: most });
    expect(Math.round(group!.computeUsd! * 1_000_000)).toBeGreaterThan(m.meter(id).compute!);
    expect(await billMachine(m.app, m.provider, await m.find(id))).toMatchObject({ runningSeconds: most, atMost: true });
    const [row] = (await listResources(m.app, { provider: 'aws' })).resources;
    expect(row).toMatchObject({ id, atMost: true });
    expect(row!.accumulatedUsd).toBeCloseTo(group!.totalUsd!, 4);
    expect((await showRun(m.app, 'run-20260101-abcdef')).phases!.reduce((sum, { seconds }) => sum + seconds, 0)).toBe(most);
    expect(await change(m, 'terminate', id)).toMatchObject({ billedS: most, costIsAtMost: true });
  });

  test('D36 a machine that EC2 has forgotten keeps its bill; one that ended unseen costs at most until it was missed', async () => {
    const m = await lab();
    const [ended, missed] = [await bought(m), await bought(m)];
    await m.pass(1_000);
    await change(m, 'terminate', ended);
    await m.provider.terminate(missed);
    const before = m.meter(ended);
    await m.pass(2 * 3_600);
    expect(await m.provider.find(ended)).toBeUndefined();
    const { entries, notAsked } = await costBook(m.app, m.provider, {});
    expect(notAsked).toBeUndefined();
    const usages = new Map(entries.map((entry) => [entry.id, entry]));
    expect(usages.get(ended)).toMatchObject({ state: 'terminated', usage: { runs: [{ to: expect.any(Number) }] } });
    expect(usages.get(ended)?.usage.runs[0]).not.toHaveProperty('atMost');
    expect(usages.get(missed)).toMatchObject({ state: 'terminated', usage: { runs: [{ atMost: true }], disks: [{ atMost: true }] } });
    expect(before.total).toBe(m.meter(ended).total);
  });

  test('D46 prices are asked for once for machines that share them, and of what has ended never again', async () => {
    const m = await lab();
    const ids = [await bought(m, { market: 'spot', zone: 'us-east-1a' }), await bought(m, { market: 'spot', zone: 'us-east-1a' }), await bought(m)];
    await m.pass(600);
    const asked = async (): Promise<(number | undefined)[]> => {
      const before = m.sim.sim.status().operations;
      await costBook(m.app, m.provider, {});
      const after = m.sim.sim.status().operations;
      return ['DescribeSpotPriceHistory', 'DescribeInstances', 'DescribeVolumes', 'GetProducts'].map((name) => (after[`ec2.${name}`] ?? after[name] ?? 0) - (before[`ec2.${name}`] ?? before[name] ?? 0));
    };
    expect(await asked()).toEqual([1, 2, 0, 0]);
    for (const id of ids) await change(m, 'terminate', id);
    await costBook(m.app, m.provider, {});
    expect(await asked()).toEqual([0, 1, 0, 0]);
  });

  test('D46 machines of others are not in the book, and those that the ledger has lost are found again', async () => {
    const m = await lab();
    const foreign = await m.sim.run({ TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'runctl:owner', Value: 'ann' }] }] });
    const plan = await m.provider.plan({ type: 't3.micro', tags: { 'runctl:run': 'r', 'runctl:owner': 'ann', 'runctl:project': 'p' } });
    const other = await m.provider.plan({ type: 't3.micro', tags: { 'runctl:run': 'r', 'runctl:owner': 'bob', 'runctl:project': 'p' } });
    const { id } = await m.provider.create(plan, randomUUID());
    await m.provider.create(other, randomUUID());
    await m.pass(100);
    const { entries } = await costBook(m.app, m.provider, {});
    expect(entries.map((entry) => entry.id)).toEqual([id]);
    expect(foreign.InstanceId).not.toBe(id);
  });
});
