// A list of machines as a file for others: a table for spreadsheets, a page, or the result itself. Pure. What is in it is what the
// list shows, no more and no less.
import type { ListResult, Resource } from './results.ts';

export const EXPORT_FORMATS = ['csv', 'html', 'json'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

const COLUMNS: readonly (readonly [string, (row: Resource) => string | number | undefined])[] = [
  ['id', (row) => row.id],
  ['type', (row) => row.type],
  ['state', (row) => row.state],
  ['market', (row) => row.market],
  ['region', (row) => row.region],
  ['zone', (row) => row.zone],
  ['project', (row) => row.project],
  ['run', (row) => row.run],
  ['owner', (row) => row.owner],
  ['public_ip', (row) => row.publicIp],
  ['private_ip', (row) => row.privateIp],
  ['disk_gb', (row) => row.diskGb],
  ['launched_at', (row) => row.launchedAt],
  ['uptime_seconds', (row) => row.uptimeS],
  ['usd_per_hour', (row) => row.costPerHourUsd],
  ['usd_so_far', (row) => row.accumulatedUsd],
  ['marks', (row) => row.marks.join(' ')],
];

export function renderExport(result: ListResult, format: ExportFormat): string {
  switch (format) {
    case 'csv':
      return `${[COLUMNS.map(([name]) => name), ...cells(result)].map((row) => row.map(csvCell).join(',')).join('\r\n')}\r\n`;
    case 'html':
      return page(result);
    case 'json':
      return `${JSON.stringify(result, undefined, 2)}\n`;
  }
}

function cells({ resources }: ListResult): string[][] {
  return resources.map((row) => COLUMNS.map(([, value]) => String(value(row) ?? '').replaceAll(CONTROL, '\ufffd')));
}

/** Of tags that others wrote: whoever prints the file on a terminal is not to have it taken over. */
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

/** RFC 4180. A text that a spreadsheet would take for a formula is shown as the text that it is. */
export function csvCell(text: string): string {
  const plain = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

function page(result: ListResult): string {
  const row = (values: readonly string[], tag: 'th' | 'td'): string => `<tr>${values.map((value) => `<${tag}>${escaped(value)}</${tag}>`).join('')}</tr>`;
  const sum = `${result.matching} machines, ${result.running} running, $${result.costPerHourUsd.toFixed(4)} an hour, $${result.accumulatedUsd.toFixed(6)} so far`;
  return [
    '<!DOCTYPE html>',
    '<html lang="en"><head><meta charset="utf-8"><title>runctl resources</title>',
    '<style>body{font:14px sans-serif;margin:2em}table{border-collapse:collapse}th,td{border:1px solid #ccc;padding:.3em .6em;text-align:left}</style></head><body>',
    `<h1>Machines at ${escaped(result.at)}</h1>`,
    `<p>${escaped(sum)}</p>`,
    ...(result.warnings.length > 0 ? [`<ul>${result.warnings.map((warning) => `<li>${escaped(warning.text)}</li>`).join('')}</ul>`] : []),
    '<table>', `<thead>${row(COLUMNS.map(([name]) => name), 'th')}</thead>`, '<tbody>',
    ...cells(result).map((values) => row(values, 'td')),
    '</tbody></table></body></html>', '',
  ].join('\n');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}
