// What somebody who pays wants to hear first, each with the command that puts it right. Pure.
import { durationText } from '../../core/durations.ts';
import { formatUsd } from '../../core/money.ts';
import type { App } from '../app.ts';
import { OLD_AFTER_MS, type Row, diskHourlyMicroUsd, overHours } from './rows.ts';
import type { Survey } from './survey.ts';
import { isOurs, isProtected } from '../../core/ownership.ts';

export interface Warning {
  /** Stable: old, idle, unattached, spot-request, unanswered. */
  kind: string;
  text: string;
  /** Whole commands. */
  hints: string[];
}

/** Hints for the cloud that is meant: with --sim where that was typed. */
export function completed(app: Pick<App, 'completeHint'>, hints: readonly string[]): string[] {
  return hints.map((hint) => app.completeHint?.(hint) ?? hint);
}

const NAMED = 3;
const MONTH_HOURS = 720;

export function warningsOf(survey: Survey, rows: readonly Row[]): Warning[] {
  return [...oldMachines(rows), ...idleMachines(survey, rows), ...looseVolumes(survey), ...openRequests(survey), ...unanswered(survey)];
}

function oldMachines(rows: readonly Row[]): Warning[] {
  const old = rows.filter((row) => row.machine.state === 'running' && (row.uptimeMs ?? 0) >= OLD_AFTER_MS && !row.protected).toSorted((a, b) => (b.uptimeMs ?? 0) - (a.uptimeMs ?? 0));
  if (old.length === 0) return [];
  const least = old.some((row) => row.hourlyMicroUsd === undefined) ? ' at least' : '';
  const cost = old.reduce((sum, row) => sum + (row.hourlyMicroUsd ?? 0), 0);
  return [{
    kind: 'old',
    text: `${count(old.length, 'machine')} ${old.length === 1 ? 'has' : 'have'} run for more than 24 h and ${old.length === 1 ? 'costs' : 'cost'}${least} ${formatUsd(overHours(cost, 24), 2)} a day: ${named(old.map((row) => `${row.machine.id} (${durationText(row.uptimeMs ?? 0)})`))}`,
    hints: old.length > NAMED ? ['runctl resources stop-all --older 24h --dry-run'] : old.map(stopCommand),
  }];
}

function idleMachines(survey: Survey, rows: readonly Row[]): Warning[] {
  const idle = rows.filter((row) => row.idleSince !== undefined && !row.protected);
  if (idle.length === 0) return [];
  return [{
    kind: 'idle',
    text: `nothing from this computer has run on ${named(idle.map((row) => `${row.machine.id} (for ${durationText(survey.nowMs - (row.idleSince as number))})`))}`,
    hints: idle.slice(0, NAMED).map(stopCommand),
  }];
}

function looseVolumes(survey: Survey): Warning[] {
  const loose = survey.volumes.filter((volume) => volume.state === 'available' && isOurs(volume.tags) && !isProtected(volume.tags));
  if (loose.length === 0) return [];
  const rates = loose.map((volume) => survey.diskRate(volume.region));
  const monthly = loose.reduce((sum, volume, n) => sum + overHours(diskHourlyMicroUsd(volume.gb, rates[n] ?? 0), MONTH_HOURS), 0);
  const price = rates.every((rate) => rate !== undefined) ? ` and ${loose.length === 1 ? 'costs' : 'cost'} ${formatUsd(monthly, 2)} a month` : '';
  return [{ kind: 'unattached', text: `${count(loose.length, 'disk')} ${loose.length === 1 ? 'belongs' : 'belong'} to no machine${price}: ${named(loose.map((volume) => `${volume.id} (${volume.gb} GB)`))}`, hints: ['runctl resources cleanup --dry-run'] }];
}

function openRequests(survey: Survey): Warning[] {
  const open = survey.spotRequests.filter((request) => request.state === 'open' && isOurs(request.tags));
  if (open.length === 0) return [];
  return [{ kind: 'spot-request', text: `${count(open.length, 'spot request')} may still make a machine: ${named(open.map((request) => request.id))}`, hints: ['runctl resources cleanup --dry-run'] }];
}

function unanswered({ failed }: Survey): Warning[] {
  return failed.map(({ region, kind, reason }) => ({ kind: 'unanswered', text: `${region} was not asked for ${KIND_WORDS[kind]}: ${reason}`, hints: ['runctl aws policy caller', 'runctl doctor'] }));
}

const KIND_WORDS = { machine: 'machines', volume: 'disks', snapshot: 'snapshots', 'spot-request': 'spot requests', object: 'objects of code sync' } as const;

/** A spot machine cannot be stopped and started again by hand. */
export function stopCommand({ machine: { id, market, region } }: Row): string {
  return market === 'spot' ? `runctl aws terminate ${id} --region ${region}` : `runctl aws stop ${id} --region ${region}`;
}

export function named(words: readonly string[]): string {
  return words.length <= NAMED ? words.join(', ') : `${words.slice(0, NAMED).join(', ')} and ${words.length - NAMED} more`;
}

export function count(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? '' : 's'}`;
}
