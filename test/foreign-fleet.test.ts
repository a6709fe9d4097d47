// Nothing that runctl did not make is ever touched: a fleet of others, and of look-alikes, goes through every destructive command.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunctlError } from '../src/core/errors.ts';
import type { Item } from '../src/core/inventory.ts';
import { type BulkRequest, cleanup, stopAll } from '../src/engine/resources/bulk.ts';
import { changeLifecycle } from '../src/engine/lifecycle.ts';
import { OWNERSHIP, type Ownership, planCleanup, planStopAll } from '../src/engine/resources/plan.ts';
import { survey } from '../src/engine/resources/survey.ts';
import { type Fleet, HOUR, type Tags, ownTags, startFleet } from './support/fleet.ts';

/** What others made, from strangers to those who copied our tags in part. */
const STRANGERS: Record<string, Tags> = {
  untagged: {},
  named: { Name: 'runctl-mnist' },
  ownerOnly: { 'runctl:owner': 'me' },
  runOnly: { 'runctl:run': 'run-20260101-aaaaaa' },
  emptyRun: { 'runctl:owner': 'me', 'runctl:run': '' },
  otherPrefix: { 'myrunctl:owner': 'me', 'myrunctl:run': 'run-20260101-aaaaaa' },
  colleague: ownTags('run-20260101-bbbbbb', { 'runctl:owner': 'you' }),
  wildcard: ownTags('run-20260101-bbbbbb', { 'runctl:owner': 'm*' }),
  protected: ownTags('run-20260101-cccccc', { 'runctl:protected': 'yes' }),
};

let fleet: Fleet;
const foreign: string[] = [];
const own: Record<string, string> = {};

beforeAll(async () => {
  fleet = await startFleet();
  for (const tags of Object.values(STRANGERS)) {
    const running = await fleet.machine(tags);
    const volume = await fleet.volume(tags);
    foreign.push(running, volume, await fleet.snapshot(volume, tags), await fleet.spotRequest(tags), await fleet.machine(tags, {}, 'eu-west-1'));
  }
  for (const key of ['data/train.csv', 'runctl/notes.txt', 'runctl/run-20260101-zzzzzz/code-0123456789abcdef-0123456789ab.tar.gz', 'runctl/run-20260101-zzzzzz/outputs.tar.gz', 'runctl-data/x']) foreign.push(await fleet.object(key));
  foreign.push(await fleet.object('runctl/run-20260101-dddddd/outputs.tar.gz', 'somebody-elses'));
  const runId = 'run-20260101-dddddd';
  fleet.ledger.beginRun({ id: runId, verb: 'workflow train', request: { onFailure: 'terminate' }, project: 'mnist', nowMs: fleet.app.clock.now() });
  fleet.ledger.endRun(runId, 'failed', { code: 'job-failed' }, fleet.app.clock.now());
  own['machine'] = await fleet.machine(ownTags(runId));
  own['abroad'] = await fleet.machine(ownTags(runId), {}, 'eu-west-1');
  own['volume'] = await fleet.volume(ownTags(runId));
  own['snapshot'] = await fleet.snapshot(own['volume'], ownTags(runId));
  own['spotRequest'] = await fleet.spotRequest(ownTags(runId));
  own['object'] = await fleet.object(`runctl/${runId}/code-0123456789abcdef-0123456789ab.tar.gz`);
  await fleet.advance(30 * HOUR);
}, 60_000);
afterAll(() => fleet.close());

const WIDE: BulkRequest = { provider: 'aws', regions: 'all', dryRun: false, force: true };

async function untouched(action: () => Promise<unknown>): Promise<void> {
  const before = await fleet.census();
  await action();
  await fleet.advance(10_000);
  const after = await fleet.census();
  for (const id of foreign) expect(after[id], id).toBe(before[id]);
}

describe('R226 what runctl did not make', () => {
  test('R226 D33 a rehearsal of cleanup and stop-all names only what is ours', async () => {
    await untouched(async () => {
      const cleaned = await cleanup(fleet.app, { ...WIDE, dryRun: true, snapshots: true }, async () => true);
      expect(cleaned.outcomes.map(({ id }) => id).toSorted()).toEqual(Object.values(own).toSorted());
      const stopped = await stopAll(fleet.app, { ...WIDE, dryRun: true }, async () => true);
      expect(stopped.outcomes.map(({ id }) => id).toSorted()).toEqual([own['machine'], own['abroad']].toSorted());
      expect(stopped.left.map(({ why }) => why)).toEqual(Array.from({ length: 2 }, () => 'it is protected (tag runctl:protected)'));
      expect(await fleet.census()).toMatchObject(Object.fromEntries(Object.values(own).map((id) => [id, expect.stringMatching(/running|available|there|open/)])));
    });
  });

  test('R226 a named machine of others: protected is refused, foreign is asked about', async () => {
    const refusing = { ...fleet.app, ask: async ({ text }: { text: string }) => { throw new RunctlError('declined', `nobody is here to answer: ${text}`); } };
    const [untaggedId] = foreign;
    const protectedId = foreign[(Object.keys(STRANGERS).length - 1) * 5] as string;
    await untouched(async () => {
      for (const verb of ['stop', 'terminate'] as const) {
        const request = { provider: 'aws', wait: false, timeoutMs: 1000 };
        await expect(changeLifecycle(refusing, verb, { ...request, machineId: untaggedId as string })).rejects.toMatchObject({ code: 'declined' });
        await expect(changeLifecycle(refusing, verb, { ...request, machineId: protectedId })).rejects.toMatchObject({ code: 'protected' });
        await expect(changeLifecycle(refusing, verb, { ...request, machineId: protectedId, force: true })).rejects.toMatchObject({ code: 'protected' });
      }
    });
  });

  test('R226 the ownership test is what holds it back: without it foreign things are in every plan', async () => {
    // Even a cloud that ignored every filter would not get them past the plan.
    const all: Item[] = [];
    const found = await survey(unfiltered(fleet, all), { provider: 'aws', regions: 'all' });
    expect(all.length).toBeGreaterThan(foreign.length - 2);
    const wish = { owner: 'me', snapshots: true, state: undefined };
    const ids = (ownership: Ownership): string[] => [...planCleanup(found, wish, ownership).doing, ...planStopAll(found, wish, ownership).doing].map(({ id }) => id);
    const touches = (ownership: Ownership): number => foreign.filter((id) => ids(ownership).includes(id)).length;
    expect(touches(OWNERSHIP)).toBe(0);
    expect(touches({ ...OWNERSHIP, isOurs: () => true })).toBeGreaterThan(15);
    expect(touches({ ...OWNERSHIP, isProtected: () => false })).toBeGreaterThan(3);
  });

  test('R226 D33 D34 cleanup and stop-all for real, in every region, by force: foreign and protected things are as they were, ours are gone', async () => {
    await untouched(async () => {
      const stopped = await stopAll(fleet.app, WIDE, async () => true);
      expect(stopped).toMatchObject({ done: 2, failed: 0 });
      await fleet.advance(5_000);
      for (const wish of [{ snapshots: true }, { snapshots: true, state: 'stopped' as const }, { snapshots: true, olderMs: HOUR }, { snapshots: true, run: 'run-20260101-dddddd' }]) {
        await cleanup(fleet.app, { ...WIDE, ...wish }, async () => true);
        await fleet.advance(5_000);
      }
    });
    const after = await fleet.census();
    expect(after[own['machine'] as string]).toBe('terminated');
    expect(after[own['abroad'] as string]).toBe('terminated');
    expect(after[own['spotRequest'] as string]).toBe('cancelled');
    for (const kind of ['volume', 'snapshot', 'object']) expect(after[own[kind] as string], kind).toBeUndefined();
  });

  test('R226 what is tagged with another owner goes only when that owner is named', async () => {
    const plan = await cleanup(fleet.app, { ...WIDE, owner: 'you', dryRun: true, snapshots: false }, async () => true);
    expect(plan.outcomes.map(({ kind }) => kind)).toEqual(['volume']);
    const wild = await cleanup(fleet.app, { ...WIDE, owner: 'm?', dryRun: true, snapshots: true }, async () => true);
    expect(wild.outcomes).toEqual([]);
  });
});

/** The same account through a provider that hands over everything there is, whatever was asked for. */
function unfiltered(from: Fleet, all: Item[]): Fleet['app'] {
  const provider = from.provider;
  return {
    ...from.app,
    provider: async () => ({
      ...provider,
      async inventory(wanted, visit, signal) {
        const take = (item: Item): void => {
          all.push(item);
          visit(item);
        };
        for (const region of ['us-east-1', 'eu-west-1']) (await everything(from.t, region)).forEach(take);
        return (provider.inventory as NonNullable<typeof provider.inventory>)({ ...wanted, kinds: ['object'] }, take, signal);
      },
    }),
  };
}

async function everything(t: Fleet['t'], region: string): Promise<Item[]> {
  const { DescribeInstancesCommand, DescribeSnapshotsCommand, DescribeSpotInstanceRequestsCommand, DescribeVolumesCommand, EC2Client } = await import('@aws-sdk/client-ec2');
  const { toSnapshot, toSpotRequest, toVolume } = await import('../src/providers/aws/inventory-items.ts');
  const { toMachine } = await import('../src/providers/aws/machines.ts');
  const client = t.client(EC2Client, region);
  const [instances, volumes, snapshots, requests] = await Promise.all([
    client.send(new DescribeInstancesCommand({})), client.send(new DescribeVolumesCommand({})), client.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'] })), client.send(new DescribeSpotInstanceRequestsCommand({})),
  ]);
  client.destroy();
  return [
    ...instances.Reservations!.flatMap((one) => one.Instances!).map((instance): Item => {
      const machine = toMachine(instance, region);
      return { kind: 'machine', id: machine.id, region, tags: machine.tags, machine };
    }),
    ...volumes.Volumes!.map((volume) => toVolume(volume, region)),
    ...snapshots.Snapshots!.map((snapshot) => toSnapshot(snapshot, region)),
    ...requests.SpotInstanceRequests!.map((request) => toSpotRequest(request, region)),
  ];
}
