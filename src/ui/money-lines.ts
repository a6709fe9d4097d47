// What a machine will cost, and the choice between two markets, as lines for people. Pure.
import { elapsedText } from '../core/durations.ts';
import type { Event } from '../core/events.ts';
import { type MicroUsd, formatUsd } from '../core/money.ts';

type Of<K extends Event['kind']> = Extract<Event, { kind: K }>;

/** The first line says price and source, as ever; the others what is compared, expected and at worst. */
export function estimateLines(event: Of<'cost.estimated'>): { head: string; source: string; more: string[] } {
  const place = event.market === 'spot' && event.zone ? ` in ${event.zone}` : '';
  const { hourlyMicroUsd: hourly, dailyMicroUsd: daily } = event;
  const price = hourly === undefined || daily === undefined ? 'price unknown' : `${formatUsd(hourly)}/hour, ${formatUsd(daily, 2)}/day`;
  return { head: `${event.type} ${event.market}${place}: ${price}`, source: event.source, more: [...partsLine(event), ...expectedLine(event)] };
}

function partsLine({ market, hourlyMicroUsd, computeMicroUsd, storageMicroUsd, addressMicroUsd, onDemandHourlyMicroUsd: onDemand, spotHourlyMicroUsd: spot, spotZone }: Of<'cost.estimated'>): string[] {
  const parts = ([['machine', computeMicroUsd], ['disk', storageMicroUsd], ['address', addressMicroUsd]] as const).flatMap(([name, micros]) => (micros ? [`${name} ${formatUsd(micros)}`] : []));
  if (hourlyMicroUsd === undefined) return [];
  const sum = parts.length > 1 ? [`${parts.join(' + ')} an hour`] : [];
  if (market === 'spot') return [[...sum, onDemand === undefined ? 'the on-demand price is unknown' : `on demand ${formatUsd(onDemand)}/hour${saving(hourlyMicroUsd, onDemand)}`].join('; ')];
  return spot === undefined ? [] : [[...sum, `spot ${formatUsd(spot)}/hour${spotZone ? ` in ${spotZone}` : ''}${saving(spot, hourlyMicroUsd)} (--spot)`].join('; ')];
}

function saving(spot: MicroUsd, onDemand: MicroUsd): string {
  const percent = onDemand === 0 ? 0 : Math.round((1 - spot / onDemand) * 100);
  return percent > 0 ? `: spot saves ${percent} %` : '';
}

function expectedLine({ market, hours, expectedMicroUsd, otherExpectedMicroUsd, worstMicroUsd, worst }: Of<'cost.estimated'>): string[] {
  if (hours === undefined || expectedMicroUsd === undefined) return [];
  const other = market === 'spot' && otherExpectedMicroUsd !== undefined ? ` (on demand ${formatUsd(otherExpectedMicroUsd, 2)})` : '';
  const bound = worstMicroUsd !== undefined ? `at most ${formatUsd(worstMicroUsd, 2)} (${worst})` : 'nothing bounds it (--max-hours, --max-cost)';
  return [`for ${hoursText(hours)}: ${formatUsd(expectedMicroUsd, 2)}${other}; ${bound}`];
}

/** A block of its own: nobody is to overlook that the other market costs more. */
export function fallbackLines(event: Of<'spot.fallback'>): string[] {
  const { type, hours, spotHourlyMicroUsd: spot, onDemandHourlyMicroUsd: onDemand, spotExpectedMicroUsd, onDemandExpectedMicroUsd, spotZone, factor } = event;
  const cell = (micros: MicroUsd | undefined, digits?: number): string => (micros === undefined ? 'unknown' : formatUsd(micros, digits));
  const rows = [
    ['', 'an hour', hoursText(hours), ''],
    ['spot', cell(spot), cell(spotExpectedMicroUsd, 2), `not to be had now${spotZone ? ` (price of ${spotZone})` : ''}`],
    ['on demand', cell(onDemand), cell(onDemandExpectedMicroUsd, 2), factor === undefined ? '' : `${factor} times as much`],
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const table = rows.map((row) => row.map((text, column) => (column < 3 ? text.padEnd(widths[column]!) : text)).join('  ').trimEnd());
  return [
    `┌ No spot capacity for ${type}${event.elapsedMs > 0 ? ` after ${elapsedText(event.elapsedMs)}` : ''}`,
    ...event.tried.map((line) => `│   ${line}`),
    '│',
    ...table.map((line) => `│   ${line}`),
    '└',
  ];
}

function hoursText(hours: number): string {
  return `${Number(hours.toFixed(2))} h`;
}
