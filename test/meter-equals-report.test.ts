// Whole stories of money: what a run says that its machines have cost, what the ledger keeps and what `resources cost` tells later are
// one sum, and it is that of the pretend cloud's meter to the micro-dollar. Single machines, lives and prices are in cost.test.ts.
import { randomUUID } from 'node:crypto';
import { AttachVolumeCommand, CreateVolumeCommand } from '@aws-sdk/client-ec2';
import { expect, test } from 'vitest';
import { RunctlError } from '../src/core/errors.ts';
import { newRunId } from '../src/core/ids.ts';
import type { Machine, MachineRequest } from '../src/core/machine.ts';
import { takeBack } from '../src/engine/buying/buy-once.ts';
import { billMachine, noteMachine } from '../src/engine/cost/cost-actual.ts';
import { costs } from '../src/engine/cost/costs.ts';
import { stopwatch } from '../src/engine/cost/money.ts';
import { type Custody, type OnFailure, afterFailure, letGo } from '../src/engine/custody.ts';
import { cleanup } from '../src/engine/resources/bulk.ts';
import { changeLifecycle } from '../src/engine/lifecycle.ts';
import { tell } from '../src/engine/steps.ts';
import { type MoneyLab, moneyLabs } from './support/money-lab.ts';

const lab = moneyLabs();

interface Bought {
  machine: Machine;
  custody: Custody;
}

/** A run that has bought a machine and does its work; what `work` answers or throws ends it as a workflow does. */
async function story(m: MoneyLab, request: Partial<MachineRequest>, work: (bought: (more?: Partial<MachineRequest>) => Promise<Bought>) => Promise<void>): Promise<string> {
  const runId = newRunId(m.app.clock.now());
  await tell(m.app, { runId, verb: 'workflow train', request: { onFailure: 'terminate' }, project: 'digits' }, async (told) => {
    const buy = async (more: Partial<MachineRequest> = {}): Promise<Bought> => {
      const plan = await m.provider.plan({ type: 'g4dn.xlarge', ...request, ...more, tags: { 'runctl:run': runId, 'runctl:project': 'digits', 'runctl:owner': 'ann' } });
      const made = await m.provider.create(plan, randomUUID());
      told.setMachine(made.id, 'aws');
      await noteMachine(m.app, m.provider, made, plan);
      await m.pass(5);
      const machine = await m.find(made.id);
      await noteMachine(m.app, m.provider, machine);
      return { machine, custody: { app: m.app, provider: m.provider, story: told, plan, machine, elapsed: stopwatch(m.app.clock), shell: undefined, launched: undefined, outputs: undefined } };
    };
    await work(buy);
    return {};
  }).catch((error: unknown) => {
    if (!(error instanceof RunctlError) || error.code !== 'job-failed') throw error;
  });
  return runId;
}

const micro = (usd: number | undefined): number => Math.round((usd ?? Number.NaN) * 1_000_000);
const failed = new RunctlError('job-failed', 'the job ended with exit code 3');
/** What `resources cost` says of each machine. */
const reported = async (m: MoneyLab): Promise<Record<string, number>> => Object.fromEntries((await costs(m.app, { provider: 'aws', by: 'machine' })).groups.map(({ key, totalUsd }) => [key, micro(totalUsd)]));

test('R207 R087 a workflow that succeeds, after a second or a day: told, kept and reported as the meter counts', async () => {
  const m = await lab();
  const totals: Record<string, number> = {};
  for (const seconds of [1, 59, 61, 3_600, 86_407]) {
    let id = '';
    let told: number | undefined;
    const runId = await story(m, {}, async (buy) => {
      const { machine, custody } = await buy();
      id = machine.id;
      await m.pass(seconds);
      told = (await letGo(custody, 'terminate')).costUsd;
    });
    const total = (totals[id] = m.meter(id).total);
    expect(micro(told), `${seconds} s`).toBe(total);
    expect(m.ledger.costsOf(runId).map(({ costMicroUsd }) => costMicroUsd)).toEqual([total]);
  }
  await m.pass(7_200);
  expect(await reported(m)).toEqual(totals);
  expect(m.sim.sim.meter().totalMicroUsd).toBe(Object.values(totals).reduce((sum, total) => sum + total, 0));
});

test.each<[OnFailure, string]>([['terminate', 'terminated'], ['stop', 'stopped'], ['keep', 'running']])('R207 R087 a job that fails under the policy %s: the machine is %s, and told, kept and reported is what the meter counts', async (policy, state) => {
  const m = await lab();
  let id = '';
  let atEnd = 0;
  const runId = await story(m, {}, async (buy) => {
    const { machine, custody } = await buy();
    id = machine.id;
    await m.pass(1_234);
    await afterFailure(custody, policy, failed);
    atEnd = m.meter(id).total;
    throw failed;
  });
  expect((await m.find(id)).state).toBe(state);
  expect(m.ledger.costsOf(runId).map(({ costMicroUsd }) => costMicroUsd)).toEqual([atEnd]);
  expect(m.events).toContainEqual(expect.objectContaining({ kind: 'cost.actual', machineId: id, costMicroUsd: atEnd }));
  // What goes on costing goes on being told.
  await m.pass(50_000);
  const before = m.meter(id).total;
  const { [id]: total, ...others } = await reported(m);
  expect(others).toEqual({});
  // It grows while the cloud is asked.
  expect(total).toBeGreaterThanOrEqual(before);
  expect(total).toBeLessThanOrEqual(m.meter(id).total);
  expect(before > atEnd).toBe(policy !== 'terminate');
});

test.each([['within its first hour', 1_800], ['later', 5_400]])('R207 R225 a spot machine that is taken back %s, and the one in its place: both are the run\'s, each as the meter counts', async (_, seconds) => {
  const m = await lab();
  await m.sim.sim.call('market-set', { type: 'g4dn.xlarge', microUsdPerHour: 171_717 });
  const ids: string[] = [];
  const runId = await story(m, { market: 'spot' }, async (buy) => {
    const lost = await buy();
    await m.pass(seconds);
    await m.sim.sim.call('interrupt', { instanceId: lost.machine.id, noticeMs: 120_000 });
    await m.pass(200);
    expect((await m.find(lost.machine.id)).interrupted).toBe(true);
    await letGo(lost.custody, 'terminate');
    await m.sim.sim.call('market-set', { type: 'g4dn.xlarge', microUsdPerHour: 198_013 });
    const second = await buy();
    await m.pass(777);
    await letGo(second.custody, 'terminate');
    ids.push(lost.machine.id, second.machine.id);
  });
  const totals = ids.map((id) => m.meter(id).total);
  expect(m.meter(ids[0]!).compute === 0).toBe(seconds < 3_600);
  expect(m.ledger.costsOf(runId).map(({ machineId, costMicroUsd }) => [machineId, costMicroUsd])).toEqual(ids.map((id, n) => [id, totals[n]]));
  const [group] = (await costs(m.app, { provider: 'aws', by: 'run' })).groups;
  expect(group).toMatchObject({ key: runId, machines: 2 });
  expect(micro(group?.totalUsd)).toBe(totals[0]! + totals[1]!);
  expect(m.sim.sim.meter().totalMicroUsd).toBe(totals[0]! + totals[1]!);
});

test.each([0, 200])('R087 a machine that shall stay and was taken back %d s ago does not "keep running", and costs what it has cost', async (passed) => {
  const m = await lab({ dial: { shuttingDownMs: 60_000 } });
  let id = '';
  const lost = new RunctlError('machine-lost', 'it ended', { hints: [] });
  await story(m, { market: 'spot' }, async (buy) => {
    const { machine, custody } = await buy();
    id = machine.id;
    await m.pass(4_000);
    await m.sim.sim.call('interrupt', { instanceId: id, noticeMs: 0 });
    await m.pass(passed);
    await afterFailure(custody, 'keep', lost);
  });
  expect(lost.data).toMatchObject({ machine: id, machineState: passed === 0 ? 'shutting-down' : 'terminated' });
  expect(lost.hints.join('\n')).not.toContain(id);
  expect(m.events.flatMap((event) => (event.kind === 'note' ? [event.text] : [])).join('\n')).not.toContain('keeps running');
  expect(await reported(m)).toEqual({ [id]: m.meter(id).total });
});

test('R207 stopped after a failure, started by hand and terminated: starts and disk add up as the meter counts', async () => {
  const m = await lab();
  let id = '';
  await story(m, {}, async (buy) => {
    const { machine, custody } = await buy();
    id = machine.id;
    await m.pass(901);
    await afterFailure(custody, 'stop', failed);
    throw failed;
  });
  await m.pass(40_000);
  const change = (verb: 'start' | 'terminate') => changeLifecycle(m.app, verb, { provider: 'aws', machineId: id, wait: true, timeoutMs: 600_000, force: true });
  await change('start');
  await m.pass(333);
  const ended = await change('terminate');
  expect(micro(ended.costUsd)).toBe(m.meter(id).total);
  expect(await reported(m)).toEqual({ [id]: m.meter(id).total });
});

test('R207 a disk that somebody attached, and that stays when its machine goes, is the machine\'s for as long as it was attached', async () => {
  const m = await lab();
  let id = '';
  let told: number | undefined;
  await story(m, { rootVolumeGb: 120 }, async (buy) => {
    const { machine, custody } = await buy();
    id = machine.id;
    const { VolumeId } = await m.sim.ec2.send(new CreateVolumeCommand({ AvailabilityZone: machine.zone!, Size: 700, VolumeType: 'gp3' }));
    await m.pass(1_010);
    await m.sim.ec2.send(new AttachVolumeCommand({ VolumeId: VolumeId!, InstanceId: id, Device: '/dev/sdf' }));
    await m.pass(1_000);
    told = (await letGo(custody, 'terminate')).costUsd;
  });
  await m.pass(3_600);
  expect(m.sim.sim.meter().volumes).toMatchObject([{ sizeGb: 700, open: true }]);
  expect(micro(told)).toBe(m.meter(id).total);
  expect(await reported(m)).toEqual({ [id]: m.meter(id).total });
});

test.each(['cleanup', 'terminate'] as const)('R207 R226 a machine whose process was killed before it saw it, ended by %s: billed whole all the same', async (how) => {
  const m = await lab();
  const runId = newRunId(m.app.clock.now());
  m.ledger.beginRun({ id: runId, verb: 'create', request: {}, project: 'digits', nowMs: m.app.clock.now() });
  m.ledger.endRun(runId, 'interrupted', {}, m.app.clock.now());
  const plan = await m.provider.plan({ type: 't3.micro', tags: { 'runctl:run': runId, 'runctl:project': 'digits', 'runctl:owner': 'ann' } });
  const { id } = await m.provider.create(plan, randomUUID());
  await m.pass(1_000);
  if (how === 'cleanup') expect(await cleanup(m.app, { provider: 'aws', dryRun: false, force: false, snapshots: false }, async () => true)).toMatchObject({ done: 1, failed: 0 });
  else await changeLifecycle(m.app, 'terminate', { provider: 'aws', machineId: id, wait: false, timeoutMs: 60_000 });
  await m.pass(7_200);
  expect(await m.provider.find(id)).toBeUndefined();
  expect(m.meter(id).storage).toBeGreaterThan(0);
  // Forgotten by the cloud; the answer to the end had told its second.
  expect(await reported(m)).toEqual({ [id]: m.meter(id).total });
});

test('R207 R020 a machine that was made although its answer was lost, and that nobody wanted any more: its minute is in the books', async () => {
  const m = await lab();
  const plan = await m.provider.plan({ type: 't3.micro', market: 'spot', tags: { 'runctl:run': newRunId(m.app.clock.now()), 'runctl:project': 'digits', 'runctl:owner': 'ann' } });
  const { id } = await m.provider.create(plan, 'lost-answer');
  await m.pass(3);
  expect(await takeBack({ ...m.app, signal: AbortSignal.abort() }, m.provider, 'lost-answer', 'spot')).toBe(true);
  await m.pass(7_200);
  expect(m.meter(id)).toMatchObject({ compute: expect.any(Number), address: 83 });
  expect(await reported(m)).toEqual({ [id]: m.meter(id).total });
});

test('R087 R207 the clock of this computer does not matter for what has ended: an hour behind, an hour ahead', async () => {
  const m = await lab();
  const ids: string[] = [];
  await story(m, {}, async (buy) => {
    for (let n = 0; n < 2; n++) {
      const { machine, custody } = await buy();
      ids.push(machine.id);
      await m.pass(1_000);
      await letGo(custody, 'terminate');
    }
  });
  for (const [n, byMs] of [-3_600_000, 3_600_000].entries()) {
    const app = { ...m.app, clock: { ...m.app.clock, now: () => m.app.clock.now() + byMs } };
    expect((await billMachine(app, m.provider, await m.find(ids[n]!))).totalMicroUsd).toBe(m.meter(ids[n]!).total);
  }
});
