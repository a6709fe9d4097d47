import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Machine } from '../core/machine.ts';
import type { DiskSpan, RunSpan } from '../core/usage.ts';
import { type Ledger, openLedger } from './ledger.ts';

const T = 1_767_225_600_000;
let directory: string;
let book: Ledger;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'ledger-'));
  book = await openLedger(join(directory, 'ledger.sqlite'));
});
afterEach(() => {
  book.close();
  rmSync(directory, { recursive: true, force: true });
});

const machine = (more: Partial<Machine> = {}): Machine => ({ id: 'i-1', provider: 'aws', type: 't3.micro', state: 'running', market: 'on-demand', region: 'us-east-1', zone: 'us-east-1a', launchedAt: T, tags: { 'runctl:run': 'run-1', 'runctl:owner': 'ann', 'runctl:project': 'digits' }, ...more });
const run = (more: Partial<RunSpan> = {}): RunSpan => ({ from: T, market: 'on-demand', prices: [], addressMicroUsdPerHour: 5_000, ...more });
const disk = (more: Partial<DiskSpan> = {}): DiskSpan => ({ id: 'vol-1', gb: 30, from: T - 1000, onTermination: true, ...more });
const note = (seen: Partial<Machine>, runs: RunSpan[] = [], disks: DiskSpan[] = [], nowMs = T + 1_000_000): void => book.noteMachine({ machine: machine(seen), pretend: false, usage: { machineId: 'i-1', runs, disks }, nowMs });
const known = () => book.getMachine('i-1').usage;

describe('R083 the memory of machines', () => {
  test('R220 a machine is found again by the next process, with starts, disks and whose it is', async () => {
    note({}, [run()], [disk()]);
    const again = await openLedger(book.path);
    expect(again.getMachine('i-1')).toEqual({
      id: 'i-1', provider: 'aws', pretend: false, region: 'us-east-1', zone: 'us-east-1a', type: 't3.micro', market: 'on-demand', project: 'digits', owner: 'ann', runId: 'run-1', state: 'running',
      firstSeenAt: T, seenAt: T + 1_000_000, usage: { machineId: 'i-1', runs: [run()], disks: [disk()] },
    });
    again.close();
    expect(() => book.getMachine('i-2')).toThrow(/no machine i-2/);
  });

  test('R224 an address that nobody saw is unknown, until somebody did or the plan says it', () => {
    const unseen = run({ to: T + 9_000, addressMicroUsdPerHour: 0, addressUnseen: true });
    note({ state: 'stopped' }, [unseen]);
    note({ state: 'stopped' }, [unseen]);
    expect(known().runs).toEqual([unseen]);
    note({ launchedAt: T + 60_000 }, [run({ from: T + 60_000 })]);
    note({ state: 'stopped', launchedAt: T + 60_000 }, [run({ from: T + 60_000, to: T + 70_000, addressMicroUsdPerHour: 0, addressUnseen: true })]);
    expect(known().runs[1]).toEqual(run({ from: T + 60_000, to: T + 70_000 }));
    book.noteMachine({ machine: machine({ state: 'stopped', launchedAt: T + 90_000 }), pretend: false, usage: { machineId: 'i-1', runs: [{ ...unseen, from: T + 90_000, to: T + 99_000 }], disks: [] }, plan: { diskGb: 8, addressMicroUsdPerHour: 0 }, nowMs: T + 99_000 });
    expect(known().runs[2]).toEqual(run({ from: T + 90_000, to: T + 99_000, addressMicroUsdPerHour: 0 }));
  });

  test('an exact end stays, whatever happens to the machine later; an address that was seen stays too', () => {
    note({}, [run()], [disk()]);
    note({ state: 'stopping' }, [run({ to: T + 60_000, addressMicroUsdPerHour: 0 })]);
    note({ state: 'terminated', endedAt: T + 999_000 }, [run({ to: T + 999_000, addressMicroUsdPerHour: 0 })]);
    expect(known()).toMatchObject({ runs: [{ to: T + 60_000, addressMicroUsdPerHour: 5_000 }], disks: [{ to: T + 999_000 }] });
    expect(known().disks[0]).not.toHaveProperty('atMost');
  });

  test('of two guesses the earlier counts, and a machine that runs all the same had not ended', () => {
    note({}, [run()]);
    note({ state: 'stopped' }, [run({ to: T + 70_000, atMost: true })]);
    note({ state: 'stopped' }, [run({ to: T + 90_000, atMost: true })]);
    expect(known().runs).toEqual([run({ to: T + 70_000, atMost: true })]);
    // Terminated by whoever saw that it had powered itself off: the time of that is not when it did.
    note({ state: 'terminated' }, [run({ to: T + 70_000 })]);
    expect(known().runs).toEqual([run({ to: T + 70_000, atMost: true })]);
    note({ state: 'stopped' }, [run({ to: T + 50_000 })]);
    expect(known().runs).toEqual([run({ to: T + 50_000 })]);
    book.noteMachine({ machine: machine({ id: 'i-2' }), pretend: true, usage: { machineId: 'i-2', runs: [run()], disks: [disk()] }, nowMs: T });
    book.noteGone('i-2', T + 5_000);
    expect(book.getMachine('i-2')).toMatchObject({ state: 'terminated', usage: { runs: [{ to: T + 5_000, atMost: true }], disks: [{ to: T + 5_000, atMost: true }] } });
    book.noteMachine({ machine: machine({ id: 'i-2' }), pretend: true, usage: { machineId: 'i-2', runs: [run()], disks: [] }, nowMs: T + 6_000 });
    expect(book.getMachine('i-2').usage.runs).toEqual([run()]);
  });

  test('a start that was never seen to end did so before the next; older news changes nothing', () => {
    note({}, [run()]);
    note({ launchedAt: T + 500_000 }, [run({ from: T + 500_000 })]);
    note({}, [run({ from: T - 5_000 })]);
    expect(known().runs).toEqual([run({ to: T + 500_000, atMost: true }), run({ from: T + 500_000 })]);
  });

  test('prices are kept for what has ended, and asked for anew for what goes on', () => {
    note({}, [run()], [disk()]);
    const prices = [{ at: T, microUsdPerHour: 10_400 }];
    note({ state: 'stopped' }, [run({ to: T + 60_000 })]);
    book.notePrices('i-1', { runs: [{ from: T, prices }], diskMicroUsdPerGbMonth: 80_000 });
    note({ state: 'stopped' }, [run({ to: T + 60_000 })], [disk()]);
    expect(known()).toMatchObject({ runs: [{ prices }], disks: [{ microUsdPerGbMonth: 80_000 }] });
  });

  test('without anybody having looked at its disks, the plan says what it had; what was seen goes before', () => {
    book.noteMachine({ machine: machine({ state: 'pending' }), pretend: false, plan: { diskGb: 100, addressMicroUsdPerHour: 5_000 }, nowMs: T });
    expect(book.hasDisks('i-1')).toBe(false);
    expect(known().disks).toEqual([{ id: 'planned', gb: 100, from: T, onTermination: true }]);
    note({ state: 'terminated', endedAt: T + 90_000 }, [run({ to: T + 90_000, addressMicroUsdPerHour: 0 })]);
    expect(known()).toMatchObject({ runs: [{ addressMicroUsdPerHour: 5_000 }], disks: [{ id: 'planned', to: T + 90_000 }] });
    book.noteMachine({ machine: machine({ id: 'i-3' }), pretend: false, plan: { diskGb: 100, addressMicroUsdPerHour: 0 }, usage: { machineId: 'i-3', runs: [run()], disks: [disk({ id: 'vol-3', gb: 120 })] }, nowMs: T });
    expect(book.getMachine('i-3').usage.disks.map((one) => one.id)).toEqual(['vol-3']);
    expect(book.hasDisks('i-3')).toBe(true);
  });

  test('D36 a machine that ran, nobody saw when: its starts are unknown; one that was forgotten before anybody saw it run had at most all the time since', () => {
    book.noteMachine({ machine: machine(), pretend: false, plan: { diskGb: 8, addressMicroUsdPerHour: 5_000 }, nowMs: T });
    expect(known()).toMatchObject({ runs: [], runsUnknown: true, disks: [{ id: 'planned' }] });
    note({}, [run()]);
    expect(known()).not.toHaveProperty('runsUnknown');
    book.noteMachine({ machine: machine({ id: 'i-2', state: 'pending' }), pretend: false, plan: { diskGb: 8, addressMicroUsdPerHour: 5_000 }, nowMs: T });
    expect(book.getMachine('i-2').usage).not.toHaveProperty('runsUnknown');
    for (const nowMs of [T + 7_200_000, T + 9_900_000]) book.noteGone('i-2', nowMs);
    expect(book.getMachine('i-2').usage).toMatchObject({ runs: [{ from: T, to: T + 7_200_000, atMost: true, addressMicroUsdPerHour: 5_000 }], disks: [{ to: T + 7_200_000, atMost: true }] });
    // Ended before it ran: its disk is all that was billed.
    book.noteMachine({ machine: machine({ id: 'i-3', state: 'pending' }), pretend: false, plan: { diskGb: 8, addressMicroUsdPerHour: 0 }, nowMs: T });
    book.noteMachine({ machine: machine({ id: 'i-3', state: 'terminated', endedAt: T }), pretend: false, usage: { machineId: 'i-3', runs: [run({ to: T })], disks: [] }, nowMs: T });
    book.noteGone('i-3', T + 9_000_000);
    expect(book.getMachine('i-3').usage).toEqual({ machineId: 'i-3', runs: [], disks: [expect.objectContaining({ id: 'planned', to: T })] });
    // Ended seconds after it was seen pending, but it ran: it was launched since, or was taken back.
    for (const [id, seen] of [['i-4', { launchedAt: T + 1000 }], ['i-5', { interrupted: true, market: 'spot' as const }]] as const) {
      book.noteMachine({ machine: machine({ id, state: 'pending' }), pretend: false, plan: { diskGb: 8, addressMicroUsdPerHour: 5_000 }, nowMs: T });
      book.noteMachine({ machine: machine({ id, state: 'terminated', endedAt: T + 3000, ...seen }), pretend: false, usage: { machineId: id, runs: [run({ from: T + 1000, to: T + 3000, addressMicroUsdPerHour: 0 })], disks: [] }, nowMs: T + 3000 });
      expect(book.getMachine(id).usage.runs).toMatchObject([{ from: T + 1000, to: T + 3000, addressMicroUsdPerHour: 5_000 }]);
    }
  });

  test('D36 a machine whose disks nobody could see has disks all the same; R223 its lease is kept as it was bought', () => {
    note({ tags: { 'runctl:lease': 'allowed=3600 idle=0 grace=90 end=stop' } }, [run()]);
    note({}, [run()]);
    expect(book.getMachine('i-1')).toMatchObject({ lease: 'allowed=3600 idle=0 grace=90 end=stop', usage: { disks: [], disksUnknown: true } });
    note({}, [run()], [disk()]);
    expect(known()).not.toHaveProperty('disksUnknown');
  });

  test('a disk that is no longer there went at some time before', () => {
    note({}, [run()], [disk(), disk({ id: 'vol-2' })]);
    note({}, [run()], [disk()], T + 2_000_000);
    expect(known().disks.map(({ id, to, atMost }) => [id, to, atMost])).toEqual([['vol-1', undefined, undefined], ['vol-2', T + 2_000_000, true]]);
  });

  test('machines by whether they are there, when they were seen, project, and real or not; regions', () => {
    note({}, [run()]);
    book.noteMachine({ machine: machine({ id: 'i-2', state: 'terminated', region: 'eu-west-1', tags: {} }), pretend: true, nowMs: T + 5 });
    const ids = (...filter: Parameters<Ledger['machines']>) => book.machines(...filter).map((one) => one.id).sort();
    expect(ids()).toEqual(['i-1', 'i-2']);
    expect(ids({ alive: true })).toEqual(['i-1']);
    expect(ids({ pretend: true })).toEqual(['i-2']);
    expect(ids({ sinceMs: T + 6 })).toEqual(['i-1']);
    expect(ids({ project: 'digits' })).toEqual(['i-1']);
    expect(book.regionsOf('aws', T)).toEqual(['eu-west-1', 'us-east-1']);
    expect(book.regionsOf('aws', T + 6)).toEqual(['us-east-1']);
  });

  test('R225 the newest checkpoint of a run: a later one replaces it, an earlier one does not', () => {
    book.beginRun({ id: 'run-1', verb: 'train', request: {}, nowMs: T });
    expect(book.markOf('run-1', 'checkpoint')).toBeUndefined();
    for (const at of [T + 5, T + 9, T + 7]) book.mark('run-1', 'checkpoint', at);
    expect(book.markOf('run-1', 'checkpoint')).toBe(T + 9);
  });
});
