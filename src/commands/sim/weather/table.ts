// How rules of weather look to people.
import { formatUsd } from '../../../core/money.ts';
import type { WeatherReport } from '../../../sim/daemon.ts';

export function renderRules(rules: readonly WeatherReport[]): string {
  if (rules.length === 0) return 'Fair weather: no faults are planned (runctl sim weather add --help)';
  const rows = [['ID', 'KIND', 'WHERE', 'WHEN', 'STATE', 'HITS'], ...rules.map((report) => [report.id, kindOf(report), whereOf(report), whenOf(report), report.state, String(report.hits)])];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const table = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd());
  const notes = rules.flatMap(({ id, note }) => (note === undefined ? [] : [`${id}: ${note}`]));
  return [...table, ...notes].join('\n');
}

function kindOf({ rule }: WeatherReport): string {
  const details = [
    rule.code,
    rule.status?.toString(),
    rule.delayMs === undefined ? undefined : seconds(rule.delayMs),
    rule.bytesPerSecond === undefined ? undefined : `${rule.bytesPerSecond} bytes/s`,
    rule.bucketRegion,
    rule.byMs === undefined ? undefined : seconds(rule.byMs),
    rule.state,
    rule.freeMib === undefined ? undefined : `${rule.freeMib} MiB`,
    rule.reason,
    rule.noticeMs === undefined ? undefined : `notice ${seconds(rule.noticeMs)}`,
    rule.rebalanceMs === undefined ? undefined : `rebalance ${seconds(rule.rebalanceMs)}`,
    rule.microUsdPerHour === undefined ? undefined : formatUsd(rule.microUsdPerHour),
    rule.capacity === undefined ? undefined : `${rule.capacity} machines`,
  ].filter((detail) => detail !== undefined);
  return [rule.kind, ...details].join(' ');
}

function whereOf({ rule }: WeatherReport): string {
  const bucket = rule.bucket ?? (rule.key === undefined ? undefined : '*');
  const object = bucket === undefined ? undefined : `s3://${bucket}${rule.key === undefined ? '' : `/${rule.key}`}`;
  const parts = [rule.operation, rule.instance, object, rule.type, rule.zone].filter((part) => part !== undefined);
  if (parts.length > 0) return parts.join(' ');
  return rule.kind === 'spot-interrupt' ? 'any spot machine' : 'any machine';
}

function whenOf({ rule }: WeatherReport): string {
  const parts = [
    rule.afterMs > 0 ? `after ${seconds(rule.afterMs)}` : undefined,
    rule.forMs === undefined ? undefined : `for ${seconds(rule.forMs)}`,
    rule.skip > 0 ? `skip ${rule.skip}` : undefined,
    rule.times === undefined ? undefined : rule.times === 1 ? 'once' : `${rule.times} times`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? 'always' : parts.join(', ');
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}
