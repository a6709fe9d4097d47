// `resources cost` and budgets over a small fleet whose costs are reckoned by hand here, and by the cloud's meter beside it.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunctlError } from '../src/core/errors.ts';
import type { MachineRequest } from '../src/core/machine.ts';
import { resourcesCostCommand } from '../src/commands/resources/cost.ts';
import { budgetStates, requireBudget } from '../src/engine/cost/budget.ts';
import { noteMachine } from '../src/engine/cost/cost-actual.ts';
import type { Grouping } from '../src/engine/cost/cost-report.ts';
import { type CostsResult, costs } from '../src/engine/cost/costs.ts';
import { createStyle } from '../src/ui/style.ts';
import { type MoneyLab, openMoneyLab } from './support/money-lab.ts';

const HOUR = 3_600;
let m: MoneyLab;
let ids: { cheap: string; dear: string; taken: string };

async function bought(request: Partial<MachineRequest>, project: string): Promise<string> {
  const plan = await m.provider.plan({ type: 't3.micro', rootVolumeGb: 8, ...request, tags: { 'runctl:run': `run-20260101-${project}`, 'runctl:project': project, 'runctl:owner': 'ann' } });
  const made = await m.provider.create(plan, randomUUID());
  await noteMachine(m.app, m.provider, made, plan);
  await m.pass(2);
  await noteMachine(m.app, m.provider, await m.find(made.id));
  return made.id;
}

const report = (by?: Grouping, more: Record<string, unknown> = {}): Promise<CostsResult> => costs(m.app, { provider: 'aws', by, ...more });
const micro = (usd: number | undefined): number => Math.round((usd ?? Number.NaN) * 1_000_000);

/** From 2026-01-01 00:00: t3.micro of "digits" for 36 h and on; g4dn.xlarge of "mnist" for 2 h; a spot machine of "mnist" taken back after 3 h, one hour after its checkpoint. */
beforeAll(async () => {
  m = await openMoneyLab({ config: { 'aws.project_name': 'digits' } });
  await m.sim.sim.call('market-set', { type: 'g4dn.xlarge', microUsdPerHour: 200_000 });
  const cheap = await bought({}, 'digits');
  const dear = await bought({ type: 'g4dn.xlarge', rootVolumeGb: 100 }, 'mnist');
  const taken = await bought({ type: 'g4dn.xlarge', rootVolumeGb: 100, market: 'spot' }, 'mnist');
  ids = { cheap, dear, taken };
  const begun = m.app.clock.now();
  m.ledger.beginRun({ id: 'run-20260101-mnist', verb: 'train', request: {}, project: 'mnist', nowMs: begun });
  m.ledger.setMachine('run-20260101-mnist', taken, 'aws');
  m.ledger.startStep('run-20260101-mnist', 'train', begun);
  await m.pass(2 * HOUR);
  m.ledger.mark('run-20260101-mnist', 'checkpoint', m.app.clock.now());
  await m.provider.terminate(dear);
  await m.pass(HOUR);
  await m.sim.sim.call('interrupt', { instanceId: taken, noticeMs: 0 });
  await m.pass(10);
  m.ledger.failStep('run-20260101-mnist', 'train', 1, { code: 'machine-lost' }, m.app.clock.now());
  await m.pass(33 * HOUR);
}, 30_000);
afterAll(() => m.close());

describe('R083 what machines have cost', () => {
  test('R083 R207 to date: the sum of all is that of the meter, though the cloud has forgotten two of three by now', async () => {
    const result = await report();
    expect(await m.provider.find(ids.dear)).toBeUndefined();
    expect(result).toMatchObject({ running: 1, stopped: 0, pretend: true, unknownPrices: [], total: { machines: 3 } });
    expect(result.notAsked).toBeUndefined();
    // The one that ended unseen cost at most until it was missed; the others to the micro-dollar.
    const before = m.meter(ids.cheap).total;
    const [machines, meter] = [(await report('machine')).groups, m.sim.sim.meter()];
    const of = (id: string): number => micro(machines.find((group) => group.key === id)?.totalUsd);
    // What is still open grows while the cloud is asked.
    expect(of(ids.cheap)).toBeGreaterThanOrEqual(before);
    expect(of(ids.cheap)).toBeLessThanOrEqual(m.meter(ids.cheap).total);
    expect(machines.filter((group) => group.atMost).map((group) => group.key).sort()).toEqual([ids.dear, ids.taken].sort());
    expect(micro(result.total.totalUsd)).toBeGreaterThan(meter.totalMicroUsd);
    // 10,400 + 5,000 + 8 x 80,000 / 720, rounded up
    expect(micro(result.hourlyUsd)).toBe(10_400 + 5_000 + 889);
  });

  test.each<Grouping>(['project', 'type', 'run', 'phase', 'market', 'machine', 'day', 'week', 'month'])('R083 R084 R225 by %s: the parts are the whole', async (by) => {
    const { groups, total } = await report(by);
    expect(groups.reduce((sum, group) => sum + micro(group.totalUsd), 0)).toBe(micro(total.totalUsd));
    expect(groups.reduce((sum, group) => sum + group.runningSeconds, 0)).toBe(total.runningSeconds);
  });

  test('R084 by day: a day of a t3.micro by hand', async () => {
    const { groups } = await report('day', { project: 'digits' });
    expect(groups.map((group) => group.key)).toEqual(['2026-01-01', '2026-01-02']);
    // The second day, to noon: 43,2xx seconds of 10,400 + 5,000 an hour and 8 GB.
    const seconds = groups[1]!.runningSeconds;
    expect(Math.abs(micro(groups[1]!.totalUsd) - Math.round((seconds * 15_400) / HOUR + (seconds * 8 * 80_000) / (720 * HOUR)))).toBeLessThanOrEqual(2);
    const [week] = (await report('week', { project: 'digits' })).groups;
    expect(week).toMatchObject({ key: '2026-W01', machines: 1 });
  });

  test('only the last hours, only a project', async () => {
    const { total, since } = await report('project', { sinceMs: 10 * HOUR * 1000, project: 'digits' });
    expect(total.runningSeconds).toBe(10 * HOUR);
    expect(since).toBeDefined();
    expect((await report('project', { sinceMs: HOUR * 1000, project: 'nothing' })).total).toMatchObject({ machines: 0, totalUsd: 0 });
  });

  test('R225 money lost to an interruption: what came after the checkpoint', async () => {
    const { groups, lostUsd } = await report('phase');
    const lost = groups.find((group) => group.key === 'lost')!;
    expect(lost.runningSeconds).toBeGreaterThanOrEqual(HOUR);
    expect(lost.runningSeconds).toBeLessThan(HOUR + 60);
    expect(lostUsd).toBe(lost.knownUsd);
    expect(Math.round(lost.computeUsd! * 100)).toBe(20);
    expect(groups.find((group) => group.key === 'training')?.runningSeconds).toBe(2 * HOUR);
  });

  test('R083 the sum stands by itself for scripts, in dollars and to the micro-dollar', async () => {
    const { total, totalUsd, totalMicroUsd } = await report();
    expect([totalUsd, totalMicroUsd]).toEqual([total.totalUsd, micro(total.totalUsd)]);
    expect(totalMicroUsd).toBeGreaterThan(1_000_000);
  });

  test('R225 D36 by phase: what cost a little beside much has as many digits as it takes to show', async () => {
    const shown = await report('phase');
    const cheap = { ...shown.groups[0]!, key: 'boot', computeUsd: 0.000031, storageUsd: 0.000002, addressUsd: 0, totalUsd: 0.000033, knownUsd: 0.000033 };
    const row = (groups: CostsResult['groups']): string => resourcesCostCommand.text({ ...shown, groups }, createStyle(false, false)).split('\n').find((line) => line.startsWith('boot'))!;
    expect(row([cheap, ...shown.groups.slice(1)])).toMatch(/\$0\.000031 +\$0\.000002 +\$0\.000000 .*\$0\.000033$/);
    expect(row([{ ...cheap, computeUsd: 0.003, storageUsd: 0.002, totalUsd: 0.005, knownUsd: 0.005 }])).toMatch(/\$0\.0030 +\$0\.0020 +\$0\.0000 .*\$0\.0050$/);
  });

  test('D36 shown to people: nothing is $0.00, and what nobody knows is said', async () => {
    const style = createStyle(false, false);
    const text = resourcesCostCommand.text(await report('project'), style);
    expect(text).toMatch(/^PROJECT +MACHINES/m);
    expect(text).toMatch(/^mnist +2 .*at most \$\d/m);
    expect(text).toMatch(/Lost: +\$0\.2/);
    expect(text).not.toMatch(/\$0(\.0+)?\b(?!\.)/);
    const unknown = { ...(await report('project')), unknownPrices: ['i-1'], notAsked: 'no answer' };
    unknown.total = { ...unknown.total, totalUsd: undefined };
    expect(resourcesCostCommand.text(unknown, style)).toMatch(/no answer[^]*\+ \?[^]*nobody could tell the price of i-1/);
  });

  test('the cloud that does not answer is said so; what is open is reckoned from memory', async () => {
    const deaf = { ...m.app, provider: async () => ({ ...m.provider, sightings: () => Promise.reject(new RunctlError('endpoint-unreachable', 'nobody answers')) }) };
    const result = await costs(deaf, { provider: 'aws', by: 'machine' });
    expect(result.notAsked).toBe('nobody answers');
    expect(result.groups.find((group) => group.key === ids.cheap)?.totalUsd).toBeCloseTo(m.meter(ids.cheap).total / 1_000_000, 3);
  });

  test('pretend money is never added to real money', async () => {
    const real = { ...m.app, provider: async () => ({ ...m.provider, pretend: false, list: async () => [] }) };
    expect(await costs(real, { provider: 'aws', by: 'project' })).toMatchObject({ pretend: false, total: { machines: 0 }, groups: [] });
  });
});

describe('R085 budgets', () => {
  const plan = () => m.provider.plan({ type: 't3.micro', tags: { 'runctl:run': 'r', 'runctl:project': 'digits', 'runctl:owner': 'ann' } });
  const wish = async (more: object = {}) => ({ project: 'digits', plan: await plan(), hours: 1, ...more });
  const outcome = (promise: Promise<void>) => promise.then(() => 'allowed', (error: RunctlError) => error);
  const warnings = () => m.events.flatMap((event) => (event.kind === 'note' && event.level === 'warning' ? [event.text] : []));
  const spent = async (): Promise<number> => (await report('project', { project: 'digits' })).total.totalUsd!;

  async function withBudget(budget: Record<string, number>): Promise<void> {
    m.events.length = 0;
    m.questions.length = 0;
    await m.settings({ 'aws.project_name': 'digits', ...Object.fromEntries(Object.entries(budget).map(([kind, limit]) => [`budget.${kind}`, limit])) });
  }

  test('R085 without budgets nothing is said, and nothing is asked', async () => {
    await withBudget({});
    expect(await outcome(requireBudget(m.app, m.provider, await wish()))).toBe('allowed');
    expect(warnings()).toEqual([]);
    expect(await budgetStates(m.app, m.provider, { project: 'digits' })).toEqual([]);
  });

  test('R085 a warning from 80 %, with what this machine is expected to add', async () => {
    await withBudget({ project: Math.ceil(((await spent()) / 0.85) * 100) / 100 });
    expect(await outcome(requireBudget(m.app, m.provider, await wish()))).toBe('allowed');
    expect(warnings()).toEqual([expect.stringMatching(/^the budget of project digits is used up to 8\d %: \$0\.\d+ of \$0\.\d+; 60 min of this machine add \$0\.018\d*, which makes 8\d %$/)]);
    expect(m.questions).toEqual([]);
  });

  test.each([['nobody is there', new RunctlError('declined', 'nobody to ask')], ['the answer is no', false]] as const)('R085 over the budget, and %s: nothing is started, exit code 6', async (_, answer) => {
    await withBudget({ project: 0.5 });
    m.answer = answer;
    const error = await outcome(requireBudget(m.app, m.provider, await wish()));
    expect(error).toMatchObject({ code: 'over-budget', exitCode: 6, data: { budgets: [{ kind: 'project', of: 'digits', limitUsd: 0.5, state: 'over' }] } });
    expect((error as RunctlError).hints).toEqual(['runctl config set budget.project 1', 'runctl resources cost', 'runctl resources list']);
    expect(m.questions).toMatchObject([{ flag: '--yes' }]);
    m.answer = true;
    expect(await outcome(requireBudget(m.app, m.provider, await wish()))).toBe('allowed');
    m.answer = false;
    expect(await outcome(requireBudget(m.app, m.provider, await wish({ yes: true })))).toBe('allowed');
  });

  test('R085 a machine that would go over it is refused before, by its hours or by what its lease allows', async () => {
    await withBudget({ project: (await spent()) + 0.1 });
    m.answer = false;
    expect(await outcome(requireBudget(m.app, m.provider, await wish({ hours: 1 })))).toBe('allowed');
    const error = await outcome(requireBudget(m.app, m.provider, await wish({ hours: 10 })));
    expect(error).toMatchObject({ code: 'over-budget', message: 'a budget would be used up; nothing was started', data: { expectedUsd: expect.closeTo(0.187, 2) } });
    expect(await outcome(requireBudget(m.app, m.provider, await wish({ hours: 10, maxCostMicroUsd: 50_000 })))).toBe('allowed');
  });

  test('R085 days and months count every project, and what was before them not', async () => {
    await withBudget({ day: 1_000, month: 1_000 });
    const [day, month] = await budgetStates(m.app, m.provider, { project: 'digits' });
    expect(day).toMatchObject({ kind: 'day', of: '2026-01-02', state: 'ok' });
    const byDay = await report('day');
    expect(day!.spentUsd).toBeCloseTo(byDay.groups.find((group) => group.key === '2026-01-02')!.totalUsd!, 3);
    expect(month!.of).toBe('2026-01');
    expect(month!.spentUsd).toBeCloseTo(byDay.total.totalUsd!, 3);
    expect(month!.spentUsd - day!.spentUsd).toBeGreaterThan(1);
  });

  test('R085 resources cost shows them, and --check makes the exit code 6', async () => {
    await withBudget({ project: 0.5, month: 1_000 });
    const run = (flags: object) => resourcesCostCommand.run({ args: {}, rest: [], flags: flags as never }, m.app as never) as Promise<CostsResult>;
    const [checked, shown] = [await run({ check: true }), await run({})];
    expect(checked).toMatchObject({ overBudget: true, budgets: [{ kind: 'project', state: 'over' }, { kind: 'month', state: 'ok' }] });
    expect([resourcesCostCommand.exitCode!(checked), resourcesCostCommand.exitCode!(shown)]).toEqual([6, 0]);
    expect(resourcesCostCommand.text(shown, createStyle(false, false))).toMatch(/Budget project digits +█{20} 1\d\d % of \$0\.50 \(\$0\.\d+\)/);
    await expect(run({ daily: true, by: 'run' })).rejects.toMatchObject({ code: 'usage' });
    expect(resourcesCostCommand.text(await run({ daily: true, export: 'csv' }), createStyle(false, false)).split('\r\n')[0]).toBe('day,machines,running_seconds,compute_usd,storage_usd,address_usd,total_usd,known_usd,at_most,at_least');
  });

  test('R085 of an unknown price nothing is known: said, and counted by its lease', async () => {
    await withBudget({ project: 100 });
    const { price, ...rest } = await plan();
    const unknown = { ...rest, price: { ...price, computeMicroUsd: undefined } };
    expect(await outcome(requireBudget(m.app, m.provider, { project: 'digits', plan: unknown, hours: 8 }))).toBe('allowed');
    expect(warnings()).toEqual([expect.stringContaining('nobody could tell the price of t3.micro')]);
    m.answer = false;
    expect(await outcome(requireBudget(m.app, m.provider, { project: 'digits', plan: unknown, hours: 8, maxCostMicroUsd: 200_000_000 }))).toMatchObject({ code: 'over-budget' });
  });
});
