// runctl sim bill
import { formatUsd } from '../../core/money.ts';
import type { MicroUsd } from '../../core/money.ts';
import type { MeterReading } from '../../sim/daemon.ts';
import { defineCommand } from '../define.ts';
import { BILL_KEYS, billRows, runningSeconds } from './bill-rows.ts';
import type { BillKey, BillRow } from './bill-rows.ts';

interface Bill extends MeterReading {
  by: BillKey;
  rows: BillRow[];
}

export const simBillCommand = defineCommand({
  description: [
    'What everything in the built-in cloud would have cost, by its own meter: it knows nothing of what runctl reckons. Nobody is charged.',
    'Machines count by the second from running to stopping, 60 at least, and disks as long as they exist. A spot machine costs what its',
    'zone charged meanwhile, and its time is free when it was taken back within its first hour.',
  ].join(' '),
  flags: {
    by: { kind: 'choice', values: BILL_KEYS, default: 'machine', summary: 'one row for each of these' },
  },
  examples: ['runctl sim bill', 'runctl sim bill --by run', 'runctl sim bill --output json', 'runctl sim bill --output total-micro-usd'],
  run: async ({ flags }, app): Promise<Bill> => {
    const reading = (await (await app.sim()).call('bill')) as unknown as MeterReading;
    return { by: flags.by, ...reading, rows: billRows(reading, flags.by) };
  },
  text: renderBill,
});

export function renderBill(bill: Bill): string {
  const { rows, by, lines, totalMicroUsd, unpriced } = bill;
  const at = bill.at.replace('T', ' ').replace('Z', ' UTC');
  if (rows.length === 0) return `Nothing to pay up to ${at}: no machine, disk or snapshot was ever in this cloud`;
  const isGrouped = by !== 'machine';
  const head = isGrouped ? [by.toUpperCase(), 'MACHINES'] : ['WHAT', 'TYPE', 'MARKET'];
  const cells = rows.map((row) => [...(isGrouped ? [row.name, String(row.machines)] : [row.name, row.type, row.market]), ...amounts(row)]);
  const total = ['TOTAL', ...head.slice(1).map(() => ''), ...amounts({ seconds: rows.reduce((all, row) => all + runningSeconds(row), 0), open: false, computeMicroUsd: sum(rows, 'computeMicroUsd'), storageMicroUsd: sum(rows, 'storageMicroUsd'), addressMicroUsd: sum(rows, 'addressMicroUsd'), totalMicroUsd })];
  const table = [[...head, 'TIME', 'COMPUTE', 'DISK', 'ADDRESS', 'TOTAL'], ...cells, total];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const free = lines.flatMap((line) => line.periods).filter((period) => period.free).length;
  return [
    ...table.map((row) => row.map((cell, column) => (column < head.length ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ').trimEnd()),
    '',
    `Up to ${at}${rows.some((row) => row.open) ? '; + goes on costing' : ''}. Pretend money: nobody is charged, and spot prices are made up.`,
    ...(free === 0 ? [] : [`Taken back within the first hour, so without compute: ${free === 1 ? 'one start' : `${free} starts`}.`]),
    ...(unpriced.length === 0 ? [] : [`No price is known of ${unpriced.join(', ')}: the total is too low.`]),
  ].join('\n');
}

function amounts(row: Omit<BillRow, 'name' | 'type' | 'market' | 'machines'>): string[] {
  return [`${clockTime(row.seconds)}${row.open ? '+' : ''}`, ...[row.computeMicroUsd, row.storageMicroUsd, row.addressMicroUsd, row.totalMicroUsd].map(usd)];
}

/** All six digits, so that columns can be added up by eye. */
function usd(micros: MicroUsd): string {
  const [whole, fraction = ''] = formatUsd(micros, 6).split('.');
  return `${whole}.${fraction.padEnd(6, '0')}`;
}

function sum(rows: readonly BillRow[], field: 'computeMicroUsd' | 'storageMicroUsd' | 'addressMicroUsd'): number {
  return rows.reduce((total, row) => total + row[field], 0);
}

/** 1:02:03 */
function clockTime(seconds: number): string {
  if (seconds === 0) return '-';
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}
