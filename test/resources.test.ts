// The commands about many machines, over a pretend cloud of two regions whose time stands where the test puts it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateTagsCommand, DeleteTagsCommand, StopInstancesCommand, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { renderBulk } from '../src/commands/resources/bulk.ts';
import { renderList } from '../src/commands/resources/list-text.ts';
import { renderTable } from '../src/commands/resources/table.ts';
import { resourcesSummaryCommand } from '../src/commands/resources/summary.ts';
import { RunctlError } from '../src/core/errors.ts';
import { cleanup, stopAll } from '../src/engine/resources/bulk.ts';
import { renderExport } from '../src/engine/resources/export.ts';
import { insights } from '../src/engine/resources/insights.ts';
import { listResources } from '../src/engine/resources/list.ts';
import type { ListResult } from '../src/engine/resources/results.ts';
import { summarize } from '../src/engine/resources/summary.ts';
import { createStyle } from '../src/ui/style.ts';
import { type Fleet, HOUR, ownTags, startFleet } from './support/fleet.ts';

const PLAIN = createStyle(false, false);
const RUN = ['run-20260101-aaaaaa', 'run-20260101-bbbbbb', 'run-20260101-cccccc', 'run-20260101-dddddd'] as const;
let fleet: Fleet;
const ids: Record<string, string> = {};

/** 0 h: old (us) and stopped (us). 26 h: spot (us), one that will be terminated, a disk without machine, young (eu, other project and owner). 30 h: now. */
beforeAll(async () => {
  fleet = await startFleet({ config: { 'budget.day': 1 } });
  ids['old'] = await fleet.machine(ownTags(RUN[0]));
  await fleet.advance(1_000);
  ids['stopped'] = await fleet.machine(ownTags(RUN[1]), { InstanceType: 't3.small' });
  await fleet.advance(HOUR);
  await fleet.t.ec2.send(new StopInstancesCommand({ InstanceIds: [ids['stopped']] }));
  fleet.ledger.beginRun({ id: RUN[0], verb: 'train', request: {}, nowMs: fleet.app.clock.now() });
  fleet.ledger.setMachine(RUN[0], ids['old'], 'aws');
  fleet.ledger.endRun(RUN[0], 'succeeded', { phase: 'succeeded' }, fleet.app.clock.now());
  await fleet.advance(25 * HOUR);
  ids['spot'] = await fleet.machine(ownTags(RUN[3], { 'runctl:lease': 'until 8 h' }), { InstanceMarketOptions: { MarketType: 'spot' } });
  ids['gone'] = await fleet.machine(ownTags(RUN[3]));
  ids['volume'] = await fleet.volume(ownTags(RUN[3]));
  ids['young'] = await fleet.machine(ownTags(RUN[2], { 'runctl:owner': 'you', 'runctl:project': '=cmd', 'runctl:protected': 'yes' }), { InstanceType: 't3.small' }, 'eu-west-1');
  await fleet.advance(4 * HOUR - 60_000);
  await fleet.t.ec2.send(new TerminateInstancesCommand({ InstanceIds: [ids['gone']] }));
  await fleet.advance(60_000);
}, 60_000);
afterAll(() => fleet.close());

const WHERE = { provider: 'aws', regions: ['us-east-1', 'eu-west-1'] };
const list = (wish: object = {}): Promise<ListResult> => listResources(fleet.app, { ...WHERE, ...wish });
const nameOf = (id: string): string => Object.keys(ids).find((name) => ids[name] === id) ?? id;
const names = (result: ListResult): string[] => result.resources.map(({ id }) => nameOf(id));
/** Ids by name, addresses by a sign, columns by two blanks: what is left is the same every time. */
const scrubbed = (text: string): string[] =>
  Object.entries(ids)
    .reduce((left, [name, id]) => left.replaceAll(id, name), text)
    .replaceAll(/\b(203\.0\.113|198\.51\.100|172\.31)\.\d+(\.\d+)?/g, '#')
    .split('\n')
    .map((line) => line.trimEnd().replaceAll(/(?<=\S) {2,}/g, '  '));

describe('R082 list', () => {
  test.each([[200, 'ID TYPE STATE MARKET $/H SO FAR PROJECT REGION PRIVATE IP RUN OWNER'], [90, 'ID TYPE STATE MARKET $/H SO FAR PROJECT REGION'], [60, 'ID TYPE STATE $/H SO FAR'], [10, 'ID TYPE STATE $/H SO FAR']])('R082 on a terminal of %i columns only what has room there', async (width, titles) => {
    const lines = renderList(await list({ state: 'stopped' }), 'table', createStyle(false, true, width)).split('\n');
    expect(lines.find((line) => line.startsWith('ID'))!.replaceAll(/\s+/g, ' ')).toBe(titles);
    if (width > 10) expect(lines.at(-3)!.length).toBeLessThanOrEqual(width);
  });

  test('R082 D36 a group of unknown price is no zero, and one in part is more than its sum', async () => {
    const result = await summarize(fleet.app, WHERE);
    const group = { machines: 2, running: 2, costPerHourUsd: 0.5, accumulatedUsd: 1 };
    const text = resourcesSummaryCommand.text({ ...result, byProject: [], byType: [{ ...group, name: 'p3.2xlarge', unknownPrices: 2 }, { ...group, name: 'g5.xlarge', unknownPrices: 1 }] }, PLAIN);
    expect(text).toMatch(/p3\.2xlarge +2 +2 +\? +\?\n/);
    expect(text).toMatch(/g5\.xlarge +2 +2 +\$0\.5000 \+ \? +\$1\.0000 \+ \?$/);
  });

  test('columns stand straight below letters that are twice as wide', () => {
    const [, first, second] = renderTable([{ name: '日本', n: 1 }, { name: 'abcd', n: 2 }], [{ title: 'A', cell: (row) => row.name }, { title: 'N', cell: (row) => String(row.n) }], PLAIN);
    expect([first, second]).toEqual(['日本  1', 'abcd  2']);
  });

  test('R082 what needs attention first, then the machines, then their sum', async () => {
    expect(scrubbed(renderList(await list(), 'table', PLAIN))).toEqual([
      'warning: 1 machine has run for more than 24 h and costs $0.39 a day: old (30 h)',
      '  try: runctl aws stop old --region us-east-1',
      'warning: nothing from this computer has run on old (for 29 h)',
      '  try: runctl aws stop old --region us-east-1',
      'warning: 1 disk belongs to no machine and costs $1.60 a month: volume (20 GB)',
      '  try: runctl resources cleanup --dry-run',
      '',
      'ID  TYPE  STATE  MARKET  $/H  UP  SO FAR  PROJECT  REGION  PUBLIC IP  PRIVATE IP  RUN  OWNER  MARKS',
      'young  t3.small  running  on-demand  $0.0288  4 h  $0.1151  =cmd  eu-west-1  #  #  run-20260101-cccccc  you  protected',
      expect.stringMatching(/^spot {2}t3\.micro {2}running {2}spot {2}\$0\.0\d+ {2}4 h {2}\$0\.0\d+ {2}mnist {2}us-east-1 {2}# {2}# {2}run-20260101-dddddd {2}me {2}-$/),
      'old  t3.micro  running  on-demand  $0.0163  30 h  $0.4887  mnist  us-east-1  #  #  run-20260101-aaaaaa  me  old, idle',
      // Nobody here saw it run, so nobody knows of its address.
      'stopped  t3.small  stopped  on-demand  $0.0009  -  ≥$0.0475  mnist  us-east-1  -  #  run-20260101-bbbbbb  me  -',
      '',
      expect.stringMatching(/^4 machines in 2 regions, 3 running, \$0\.0\d+ an hour, at least \$0\.\d+ so far$/),
    ]);
  });

  test('R082 columns stand under their titles; compact has fewer, detailed one fact a line', async () => {
    const compact = renderList(await list({ state: 'stopped' }), 'compact', PLAIN).split('\n').slice(-4);
    expect(compact[0]!.indexOf('TYPE')).toBe(compact[1]!.indexOf('t3.small'));
    expect(compact[0]).toMatch(/^ID +TYPE +STATE +MARKET +\$\/H +SO FAR +PROJECT +REGION$/);
    const detailed = scrubbed(renderList(await list({ state: 'stopped' }), 'detailed', PLAIN));
    expect(detailed.slice(detailed.indexOf('stopped t3.small (on-demand) is stopped'))).toEqual([
      'stopped t3.small (on-demand) is stopped', expect.stringMatching(/^ {2}Why: {2}stopped or terminated by a call of the API.*UserInitiatedShutdown/), '  Price:  $0.0009 an hour', '  So far:  at least $0.0475', '  Launched:  2026-01-01T00:00:02.000Z',
      '  Zone:  us-east-1a', '  Public IP:  none', '  Private IP: #', '  Disk:  8 GB', '  Project:  mnist', '  Run:  run-20260101-bbbbbb', '  Owner:  me', '', expect.stringContaining('1 machine in 2 regions, 0 running'),
    ]);
  });

  test.each([
    [{ state: 'running' }, ['young', 'spot', 'old']],
    [{ state: 'stopped' }, ['stopped']],
    [{ state: 'terminated' }, ['gone']],
    [{ state: 'all' }, ['young', 'spot', 'old', 'stopped', 'gone']],
    [{ showTerminated: true, state: 'stopped' }, ['stopped', 'gone']],
    [{ project: 'mnist' }, ['spot', 'old', 'stopped']],
    [{ owner: 'you' }, ['young']],
    [{ owner: 'yo*' }, []],
    [{ type: 't3.small' }, ['young', 'stopped']],
    [{ type: 't3.*', olderMs: 24 * HOUR }, ['old', 'stopped']],
    [{ run: RUN[0] }, ['old']],
    [{ sort: 'cost' }, ['young', 'old', 'spot', 'stopped']],
    [{ sort: 'age' }, ['old', 'stopped', 'spot', 'young']],
    [{ sort: 'type' }, ['spot', 'old', 'young', 'stopped']],
    [{ sort: 'state' }, ['young', 'spot', 'old', 'stopped']],
    [{ sort: 'accumulated', limit: 2 }, ['old', 'young']],
    [{ regions: ['eu-west-1'] }, ['young']],
  ])('R082 D36 %j shows %j, in every form', async (wish, expected) => {
    const result = await list(wish);
    expect(names(result)).toEqual(expected);
    expect(result.matching).toBe('limit' in wish ? 4 : expected.length);
    const rows = renderExport(result, 'csv').trimEnd().split('\r\n');
    expect(rows.slice(1).map((row) => row.split(',')[0])).toEqual(result.resources.map(({ id }) => id));
    const page = renderExport(result, 'html');
    expect(page.match(/<tr><td>/g)?.length ?? 0).toBe(expected.length);
    expect(JSON.parse(renderExport(result, 'json'))).toEqual(JSON.parse(JSON.stringify(result)));
    expect(result.resources.every(({ id }) => page.includes(id))).toBe(true);
  });

  test('R082 D36 an export has its header when nothing matches, keeps formulas of others from running, and is written where it is said', async () => {
    expect(renderExport(await list({ project: 'none' }), 'csv')).toMatch(/^id,type,state,.+\r\n$/);
    expect(renderExport(await list({ owner: 'you' }), 'csv')).toContain(",'=cmd,");
    expect(renderExport(await list({ owner: 'you' }), 'html')).not.toContain('<script');
    const [yours] = (await list({ owner: 'you' })).resources;
    const hostile = { ...(await list({ owner: 'you' })), resources: [{ ...yours!, project: '<script>\u001b]0;title\u0007\u009b31m', run: '-1+cmd|calc', owner: '@SUM(A1)' }] };
    for (const format of ['csv', 'html'] as const) expect(renderExport(hostile, format)).not.toMatch(/[\u001b\u0007\u009b]/);
    expect(renderExport(hostile, 'csv')).toContain(",'-1+cmd|calc,'@SUM(A1),");
    expect(renderExport(hostile, 'html')).toContain('&lt;script&gt;');
    const result = await list({ exportFile: 'machines.html', owner: 'you' });
    expect(readFileSync(join(fleet.app.cwd, 'machines.html'), 'utf8')).toContain(ids['young']);
    expect(result.exportFile).toBe(join(fleet.app.cwd, 'machines.html'));
    await expect(list({ exportFile: 'no/such/directory.csv' })).rejects.toMatchObject({ code: 'usage' });
  });

  test('R082 one question for each type and place, however many machines; a spot price history for each zone', async () => {
    const asked: string[] = [];
    const { provider } = fleet;
    fleet.use({ ...provider, rates: async (wish, signal) => (asked.push(`${wish.region} ${wish.type} ${wish.market}`), provider.rates!(wish, signal)) });
    await list();
    fleet.use(provider);
    expect(asked.toSorted()).toEqual(['eu-west-1 t3.small on-demand', 'us-east-1 t3.micro on-demand', 'us-east-1 t3.micro spot', 'us-east-1 t3.small on-demand']);
  });

  test('R082 a price that nobody knows is told as unknown, and is in no sum', async () => {
    const { provider } = fleet;
    fleet.use({ ...provider, rates: async () => ({ prices: [], addressMicroUsdPerHour: 5_000, diskMicroUsdPerGbMonth: 80_000, source: 'unknown' }) });
    const result = await list({ state: 'running' });
    fleet.use(provider);
    expect(result).toMatchObject({ unknownPrices: 3, costPerHourUsd: 0, accumulatedUsd: 0 });
    expect(renderList(result, 'table', PLAIN)).toMatch(/ \? .*the price of 3 is unknown$/s);
  });
});

describe('R083 summary', () => {
  test('R083 D42 totals per hour, day, week and to date, by type and project, as computed by hand', async () => {
    const result = await summarize(fleet.app, WHERE);
    const spot = (await list({ run: RUN[3] })).resources[0]!;
    // compute + address + 8 GB at $0.08 (Ireland: $0.088) a month of 720 hours
    const [old, young, stopped, disk] = [0.0104 + 0.005 + 0.000889, 0.0228 + 0.005 + 0.000978, 0.000889, 20 * 0.08 / 720];
    const hour = old + young + stopped + disk + spot.costPerHourUsd!;
    expect(result.costPerHourUsd).toBeCloseTo(hour, 5);
    expect(result.costPerDayUsd).toBeCloseTo(hour * 24, 4);
    expect(result.costPerWeekUsd).toBeCloseTo(hour * 168, 3);
    expect(result.accumulatedUsd).toBeCloseTo(0.488662 + 0.115105 + 0.047465 + spot.accumulatedUsd!, 4);
    expect(result).toMatchObject({ machines: 4, byState: { running: 3, stopped: 1 }, unknownPrices: 0, stopped: { machines: 1, diskGb: 8 }, unattached: { volumes: 1, gb: 20 }, openSpotRequests: 0 });
    expect(result.byType.map(({ name, machines, running }) => [name, machines, running])).toEqual([['t3.small', 2, 1], ['t3.micro', 1, 1], ['t3.micro (spot)', 1, 1]]);
    expect(result.byProject.map(({ name, machines }) => [name, machines])).toEqual([['=cmd', 1], ['mnist', 3]]);
    expect(result.warnings.map(({ kind }) => kind)).toEqual(['rate', 'old', 'idle', 'unattached']);
    const text = resourcesSummaryCommand.text(result, PLAIN);
    expect(text).toMatch(/what runs now costs \$1\.\d\d a day, more than budget\.day \(\$1\.00\)/);
    expect(text).toMatch(/Machines: +3 running, 1 stopped/);
  });
});

describe('R082 insights', () => {
  test('R082 each with what it saves and a command that does it', async () => {
    const { insights: found } = await insights(fleet.app, WHERE);
    expect(found.map(({ kind }) => kind)).toEqual(['old', 'idle', 'unattached', 'stopped', 'spot', 'spot', 'no-lease']);
    const stopped = found.find(({ kind }) => kind === 'stopped')!;
    expect(stopped.text).toBe(`${ids['stopped']} has been stopped for 29 h; its disk of 8 GB costs $0.64 a month`);
    expect(stopped.hints).toContain(`runctl aws terminate ${ids['stopped']} --region us-east-1`);
    expect(found.find(({ kind }) => kind === 'spot')!.text).toMatch(/^t3\.\w+ costs \$0\.0\d+ an hour on the spot market of \S+ and \$0\.0\d+ on demand: \d+ % less/);
    // What has a lease is bounded, and what is protected is kept on purpose.
    expect(found.find(({ kind }) => kind === 'no-lease')!.text).toContain(`nothing ends ${ids['old']} but you`);
  });
});

const WIDE = { ...WHERE, dryRun: false, force: false };

describe('R226 stop-all and cleanup', () => {
  test('R226 D34 what would be done and why; a spot machine and what is protected stay, and that is said', async () => {
    const mine = await stopAll(fleet.app, { ...WIDE, dryRun: true }, async () => true);
    expect(scrubbed(renderBulk(mine, 'running machine', PLAIN))).toEqual([
      'DO  WHAT  ID  REGION  $/H  WHY', 'stop  machine  old  us-east-1  $0.0154  it has run for 30 h', '',
      '1 would be touched, all made by runctl for me; nothing was done (--dry-run)', 'Left alone:', '  machine spot: a spot machine cannot be stopped, only terminated', '    try: runctl aws terminate spot --region us-east-1',
    ]);
    const yours = await stopAll(fleet.app, { ...WIDE, dryRun: true, owner: 'you' }, async () => true);
    expect(yours).toMatchObject({ outcomes: [], left: [{ id: ids['young'], why: 'it is protected (tag runctl:protected)' }] });
  });

  test('R226 a no, and nobody to ask, leave everything as it is', async () => {
    const before = await fleet.census();
    await expect(stopAll(fleet.app, WIDE, async () => false)).rejects.toMatchObject({ code: 'declined', hints: ['--dry-run', '--yes'] });
    await expect(cleanup(fleet.app, { ...WIDE, snapshots: false }, async () => { throw new RunctlError('declined', 'nobody is here to answer'); })).rejects.toMatchObject({ exitCode: 6 });
    expect(await fleet.census()).toEqual(before);
  });

  test('R226 Ctrl-C in the middle: how far it came is said, and never that nothing is left', async () => {
    const [abort, before] = [new AbortController(), await fleet.census()];
    const app = { ...fleet.app, signal: abort.signal, stake: { done: new Set<string>() } };
    const stopped = stopAll(app, WIDE, async () => {
      abort.abort(new RunctlError('interrupted', 'interrupted by Ctrl-C'));
      return true;
    });
    await expect(stopped).rejects.toMatchObject({ code: 'interrupted', message: 'interrupted by Ctrl-C', reason: expect.stringMatching(/^0 of 1 are done\. .*what still runs costs on/), hints: ['--dry-run', 'runctl resources list'] });
    expect(await fleet.census()).toEqual(before);
  });

  test('D34 what is protected while the question stands is not ended', async () => {
    const Tags = [{ Key: 'runctl:protected', Value: 'yes' }];
    const result = await stopAll(fleet.app, WIDE, async () => {
      await fleet.t.ec2.send(new CreateTagsCommand({ Resources: [ids['old'] as string], Tags }));
      return true;
    });
    await fleet.t.ec2.send(new DeleteTagsCommand({ Resources: [ids['old'] as string], Tags }));
    expect(result).toMatchObject({ done: 0, failed: 1, outcomes: [{ id: ids['old'], outcome: 'failed', reason: `${ids['old']} is protected` }] });
    expect((await fleet.census())[ids['old'] as string]).toBe('running');
  });

  test('D34 stopped machines go only when they are named by state or age', async () => {
    const ask = async (wish: object): Promise<string[]> => (await cleanup(fleet.app, { ...WIDE, dryRun: true, snapshots: false, ...wish }, async () => true)).outcomes.map(({ id }) => nameOf(id));
    expect(await ask({})).toEqual(['volume']);
    expect(await ask({ state: 'stopped' })).toEqual(['stopped']);
    expect((await ask({ olderMs: 24 * HOUR })).toSorted()).toEqual(['stopped']);
    expect(await ask({ olderMs: 2 * HOUR, project: 'mnist' })).toEqual(['stopped', 'volume']);
    expect(await ask({ state: 'stopped', olderMs: 7 * 24 * HOUR })).toEqual([]);
    expect(await ask({ state: 'stopped', type: 't3.micro' })).toEqual([]);
  });

  test('D34 one that fails stops no other: each outcome is told, and the exit code is 2', async () => {
    const { provider } = fleet;
    fleet.use({ ...provider, dispose: async () => { throw new RunctlError('cloud-refused', 'VolumeInUse'); } });
    const result = await cleanup(fleet.app, { ...WIDE, snapshots: false, olderMs: 2 * HOUR }, async () => true);
    fleet.use(provider);
    expect(result).toMatchObject({ done: 1, failed: 1, outcomes: [{ id: ids['stopped'], outcome: 'done' }, { id: ids['volume'], outcome: 'failed', reason: 'VolumeInUse' }] });
    const { resourcesCleanupCommand } = await import('../src/commands/resources/cleanup.ts');
    expect(resourcesCleanupCommand.exitCode!(result)).toBe(2);
    const effects = fleet.ledger.effectsOf(result.runId!);
    expect(effects.map(({ kind, state }) => `${kind} ${state}`).toSorted()).toEqual(['aws.delete-volume failed', 'aws.terminate done']);
  });
});
