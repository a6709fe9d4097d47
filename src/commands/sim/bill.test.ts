import { expect, test } from 'vitest';
import type { MeterReading } from '../../sim/daemon.ts';
import { billRows } from './bill-rows.ts';
import { renderBill, simBillCommand } from './bill.ts';

const EMPTY: MeterReading = { at: '2026-01-01T08:00:00Z', lines: [], volumes: [], snapshots: [], totalMicroUsd: 0, unpriced: [] };

const machine = (id: string, overrides: Partial<MeterReading['lines'][number]> = {}): MeterReading['lines'][number] => ({
  instanceId: id, region: 'us-east-1', zone: 'us-east-1a', type: 't3.micro', market: 'on-demand',
  periods: [{ from: '2026-01-01T00:00:00Z', to: '2026-01-01T01:00:00Z', type: 't3.micro', zone: 'us-east-1a', market: 'on-demand', seconds: 3600 }],
  disks: [{ volumeId: 'vol-1', sizeGb: 8, volumeType: 'gp3', seconds: 3600, open: false }],
  runningSeconds: 3600, computeMicroUsd: 10_400, storageMicroUsd: 889, addressMicroUsd: 5_000, totalMicroUsd: 16_289, tags: { 'runctl:run': 'r1', 'runctl:project': 'p' }, ...overrides,
});

const READING: MeterReading = {
  ...EMPTY,
  lines: [
    machine('i-1'),
    machine('i-2', {
      type: 'g5.xlarge', market: 'spot', runningSeconds: 90, computeMicroUsd: 0, storageMicroUsd: 22, addressMicroUsd: 125, totalMicroUsd: 147, tags: { 'runctl:run': 'r2', 'runctl:project': 'p' },
      periods: [{ from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:01:30Z', type: 'g5.xlarge', zone: 'us-east-1a', market: 'spot', seconds: 90, free: true }],
    }),
    machine('i-3', { tags: {}, periods: [{ from: '2026-01-01T07:00:00Z', type: 't3.micro', zone: 'us-east-1a', market: 'on-demand', seconds: 3600 }] }),
  ],
  volumes: [{ volumeId: 'vol-9', region: 'us-east-1', zone: 'us-east-1a', sizeGb: 100, volumeType: 'gp3', seconds: 7200, open: true, storageMicroUsd: 22_222, tags: { 'runctl:run': 'r1' } }],
  snapshots: [{ snapshotId: 'snap-1', volumeId: 'vol-9', region: 'us-east-1', sizeGb: 100, seconds: 60, open: false, storageMicroUsd: 116, tags: {} }],
  totalMicroUsd: 16_289 + 147 + 16_289 + 22_222 + 116,
};

const bill = (by: 'machine' | 'run' | 'project' | 'type', reading = READING) => renderBill({ by, ...reading, rows: billRows(reading, by) });

test('R207 the pretend bill has a line for each machine, free disk and snapshot, and says what is pretend', () => {
  expect(bill('machine')).toBe(
    [
      'WHAT    TYPE             MARKET         TIME    COMPUTE       DISK    ADDRESS      TOTAL',
      'i-1     t3.micro         on-demand   1:00:00  $0.010400  $0.000889  $0.005000  $0.016289',
      'i-2     g5.xlarge        spot        0:01:30  $0.000000  $0.000022  $0.000125  $0.000147',
      'i-3     t3.micro         on-demand  1:00:00+  $0.010400  $0.000889  $0.005000  $0.016289',
      'vol-9   100 GB gp3       -          2:00:00+  $0.000000  $0.022222  $0.000000  $0.022222',
      'snap-1  100 GB snapshot  -           0:01:00  $0.000000  $0.000116  $0.000000  $0.000116',
      'TOTAL                                2:01:30  $0.020800  $0.024138  $0.010125  $0.055063',
      '',
      'Up to 2026-01-01 08:00:00 UTC; + goes on costing. Pretend money: nobody is charged, and spot prices are made up.',
      'Taken back within the first hour, so without compute: one start.',
    ].join('\n'),
  );
});

test('R207 grouped by run, project or type, the sums are the same', () => {
  expect(bill('run').split('\n').slice(0, 5)).toEqual([
    'RUN     MACHINES      TIME    COMPUTE       DISK    ADDRESS      TOTAL',
    'r1      1         1:00:00+  $0.010400  $0.023111  $0.005000  $0.038511',
    'r2      1          0:01:30  $0.000000  $0.000022  $0.000125  $0.000147',
    '(none)  1         1:00:00+  $0.010400  $0.001005  $0.005000  $0.016405',
    'TOTAL              2:01:30  $0.020800  $0.024138  $0.010125  $0.055063',
  ]);
  expect(billRows(READING, 'project').map((row) => [row.name, row.machines, row.market, row.totalMicroUsd])).toEqual([['p', 2, 'both', 16_436], ['(none)', 1, 'on-demand', 38_627]]);
  expect(billRows(READING, 'type').map((row) => row.name)).toEqual(['g5.xlarge', 'gp3 disk', 'snapshot', 't3.micro']);
  for (const by of ['machine', 'run', 'project', 'type'] as const) expect(billRows(READING, by).reduce((sum, row) => sum + row.totalMicroUsd, 0)).toBe(READING.totalMicroUsd);
});

test('R207 an empty cloud has nothing to pay, and a type without a price is named', () => {
  expect(bill('machine', EMPTY)).toBe('Nothing to pay up to 2026-01-01 08:00:00 UTC: no machine, disk or snapshot was ever in this cloud');
  expect(bill('machine', { ...EMPTY, lines: [machine('i-1', { computeMicroUsd: undefined, totalMicroUsd: 5_889 })], unpriced: ['x9.huge'], totalMicroUsd: 5_889 })).toContain('No price is known of x9.huge: the total is too low.');
});

test('R207 the command asks the running cloud', async () => {
  const asked: unknown[] = [];
  const app = { sim: async () => ({ call: async (...words: unknown[]) => (asked.push(words), READING) }) };
  expect(await simBillCommand.run({ args: {}, flags: { by: 'run' }, rest: [] }, app as never)).toMatchObject({ by: 'run', totalMicroUsd: 55_063, rows: [{ name: 'r1' }, { name: 'r2' }, { name: '(none)' }] });
  expect(asked).toEqual([['bill']]);
});
