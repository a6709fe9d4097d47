// The list of machines for people: what needs attention, then the machines, then what they cost together.
import { durationText } from '../../core/durations.ts';
import type { ListResult, Resource } from '../../engine/resources/results.ts';
import type { Warning } from '../../engine/resources/warnings.ts';
import type { Style } from '../../ui/style.ts';
import { renderFacts } from '../machine/facts.ts';
import { type Column, renderTable } from './table.ts';

export const LIST_FORMATS = ['table', 'compact', 'detailed'] as const;
export type ListFormat = (typeof LIST_FORMATS)[number];

/** `elsewhere`: the command that looks further when nothing was found. */
export function renderList(result: ListResult, format: ListFormat, style: Style, elsewhere?: string): string {
  const { resources } = result;
  const machines = resources.length === 0 ? [] : format === 'detailed' ? resources.flatMap((row) => [...detailed(row, style), '']) : renderTable(resources, columnsFor(result, format), style);
  return [
    ...warningLines(result.warnings, style),
    ...(result.warnings.length > 0 ? [''] : []),
    ...machines,
    ...(machines.length > 0 && format !== 'detailed' ? [''] : []),
    totals(result, elsewhere),
    ...(result.foreign ? [foreignLine(result.foreign)] : []),
    ...(result.exportFile ? [`Written: ${style.foreign(result.exportFile)}`] : []),
  ].join('\n');
}

export function warningLines(warnings: readonly Warning[], style: Style): string[] {
  return warnings.flatMap(({ text, hints }) => [`${style.warn('warning:')} ${style.foreign(text)}`, ...hints.map((hint) => `  try: ${style.bold(hint)}`)]);
}

function columnsFor(result: ListResult, format: ListFormat): Column<Resource>[] {
  const manyPlaces = result.regions.length > 1;
  const common: Column<Resource>[] = [
    { title: 'ID', cell: (row) => row.id },
    { title: 'TYPE', cell: (row) => row.type },
    { title: 'STATE', cell: (row) => row.state, paint: (text, row, style) => (row.state === 'running' ? style.good(text) : text) },
    { title: 'MARKET', cell: (row) => row.market, spare: 7 },
    { title: '$/H', cell: (row) => hourText(row), right: true },
    { title: 'UP', cell: (row) => (row.uptimeS === undefined ? undefined : durationText(row.uptimeS * 1000)), right: true },
    { title: 'SO FAR', cell: (row) => soFarText(row), right: true },
    { title: 'PROJECT', cell: (row) => row.project, spare: 6 },
  ];
  const place: Column<Resource>[] = manyPlaces ? [{ title: 'REGION', cell: (row) => row.region, spare: 8 }] : [];
  if (format === 'compact') return [...common, ...place];
  return [
    ...common,
    ...place,
    { title: 'PUBLIC IP', cell: (row) => row.publicIp, spare: 3 },
    { title: 'PRIVATE IP', cell: (row) => row.privateIp, spare: 1 },
    { title: 'RUN', cell: (row) => row.run, spare: 2 },
    { title: 'OWNER', cell: (row) => row.owner, spare: 4 },
    { title: 'MARKS', cell: (row) => row.marks.join(', '), spare: 5, paint: (text, _row, style) => style.warn(text) },
  ];
}

function detailed(row: Resource, style: Style): string[] {
  return [
    `${style.bold(row.id)} ${row.type} (${row.market}) is ${row.state}`,
    ...renderFacts([
      ['Why', row.stateReason && style.foreign(row.stateReason)],
      ['Price', row.costPerHourUsd === undefined ? 'unknown' : `${hourText(row)} an hour`],
      ['So far', inWords(soFarText(row)) ?? 'unknown'],
      ['Running for', row.uptimeS === undefined ? undefined : durationText(row.uptimeS * 1000)],
      ['Launched', row.launchedAt],
      ['Zone', row.zone ?? row.region],
      ['Public IP', row.publicIp ?? 'none'],
      ['Private IP', row.privateIp ?? 'none'],
      ['Disk', row.diskGb === 0 ? undefined : `${row.diskGb} GB`],
      ['Project', row.project && style.foreign(row.project)],
      ['Run', row.run && style.foreign(row.run)],
      ['Owner', row.owner && style.foreign(row.owner)],
      ['Marks', row.marks.length === 0 ? undefined : row.marks.join(', ')],
    ]),
  ];
}

function hourText({ costPerHourUsd }: Resource): string {
  return costPerHourUsd === undefined ? '?' : dollars(costPerHourUsd);
}

/** For columns: as many digits in every row. */
function dollars(usd: number): string {
  return `$${usd.toFixed(4)}`;
}

function soFarText({ accumulatedUsd, atMost, atLeast }: Resource): string | undefined {
  if (accumulatedUsd === undefined) return undefined;
  return `${atMost && atLeast ? '≈' : atMost ? '≤' : atLeast ? '≥' : ''}${dollars(accumulatedUsd)}`;
}

function inWords(amount: string | undefined): string | undefined {
  return amount?.replace('≤', 'at most ').replace('≥', 'at least ').replace('≈', 'about ');
}

function totals(result: ListResult, elsewhere: string | undefined): string {
  const { matching, running, resources, costPerHourUsd, accumulatedUsd, unknownPrices, regions } = result;
  const where = regions.length > 1 ? ` in ${regions.length} regions` : regions.length === 1 ? ` in ${regions[0]}` : '';
  if (matching === 0) return [`No machines found${where}.`, ...(regions.length > 1 || elsewhere === undefined ? [] : [`Try: ${elsewhere}`])].join(' ');
  return [
    `${matching} ${matching === 1 ? 'machine' : 'machines'}${where}, ${running} running`,
    ...(resources.length < matching ? [`${resources.length} shown`] : []),
    `${dollars(costPerHourUsd)} an hour`,
    `${resources.some((row) => row.atLeast) ? 'at least ' : ''}${dollars(accumulatedUsd)} so far`,
    ...(unknownPrices > 0 ? [`the price of ${unknownPrices} is unknown`] : []),
  ].join(', ');
}

function foreignLine(foreign: Record<string, number>): string {
  const counts = Object.entries(foreign).map(([region, n]) => `${n} in ${region}`);
  return counts.length === 0 ? 'Not made by runctl: none' : `Not made by runctl, and left alone: ${counts.join(', ')}`;
}
