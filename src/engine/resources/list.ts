// What runs, what it costs an hour and has cost so far: everywhere at once, filtered and sorted, with what needs attention first.
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { RunctlError } from '../../core/errors.ts';
import { isOurs } from '../../core/ownership.ts';
import type { App } from '../app.ts';
import { type ExportFormat, renderExport } from './export.ts';
import { type MachineFilter, type Sort, type StateFilter, isMeant, sorted, statesFor } from './filters.ts';
import type { ListResult, Resource } from './results.ts';
import { OLD_AFTER_MS, type Row, rowOf } from './rows.ts';
import { type Survey, survey } from './survey.ts';
import { completed, warningsOf } from './warnings.ts';

export interface Where {
  provider: string;
  /** Absent: the configured region and those in which machines are known. */
  regions?: string[] | 'all';
}

export interface ListRequest extends Where, MachineFilter {
  state?: StateFilter;
  showTerminated?: boolean;
  sort?: Sort;
  limit?: number;
  /** Count what runctl did not make. */
  foreign?: boolean;
  exportAs?: ExportFormat;
  exportFile?: string;
}

export async function listResources(app: App, request: ListRequest): Promise<ListResult> {
  const { provider, regions, project, owner, run, type, foreign } = request;
  const found = await survey(app, {
    provider, project, owner, run, type,
    ...(regions === undefined ? {} : { regions }), ...(foreign ? { foreign } : {}),
    states: statesFor(request.state, request.showTerminated ?? false),
    kinds: ['machine', 'volume', 'spot-request'],
  });
  const rows = ownRows(found, request);
  const result = resultOf(app, found, sorted(rows, request.sort), request);
  if (request.exportFile === undefined) return result;
  const file = resolve(app.cwd, request.exportFile);
  await writeFile(file, renderExport(result, request.exportAs ?? formatOf(file))).catch((error: Error) => {
    throw new RunctlError('usage', `${request.exportFile} cannot be written`, { cause: error.message, hints: ['runctl resources list --export csv --export-file machines.csv'], source: error });
  });
  return { ...result, exportFile: file };
}

/** Machines of runctl in a survey that are meant. */
export function ownRows(found: Survey, filter: MachineFilter & { state?: StateFilter; showTerminated?: boolean }): Row[] {
  const states = statesFor(filter.state, filter.showTerminated ?? false);
  return found.machines.map((machine) => rowOf(found, machine)).filter((row) => isOurs(row.machine.tags) && states.includes(row.machine.state) && isMeant(row, filter, found.nowMs));
}

function resultOf(app: App, found: Survey, rows: Row[], { limit, foreign }: ListRequest): ListResult {
  const shown = limit === undefined ? rows : rows.slice(0, limit);
  return {
    at: new Date(found.nowMs).toISOString(),
    resources: shown.map((row) => resourceOf(row, found.nowMs)),
    matching: rows.length,
    running: rows.filter((row) => row.machine.state === 'running').length,
    costPerHourUsd: usd(rows.reduce((sum, row) => sum + (row.hourlyMicroUsd ?? 0), 0)),
    accumulatedUsd: usd(rows.reduce((sum, row) => sum + (row.bill?.totalMicroUsd ?? 0), 0)),
    unknownPrices: rows.filter((row) => row.hourlyMicroUsd === undefined).length,
    warnings: warningsOf(found, rows).map((one) => ({ ...one, hints: completed(app, one.hints) })),
    regions: found.regions,
    unanswered: found.failed,
    ...(foreign ? { foreign: found.foreign } : {}),
  };
}

function resourceOf(row: Row, nowMs: number): Resource {
  const { machine, bill } = row;
  return {
    id: machine.id,
    type: machine.type,
    state: machine.state,
    stateReason: machine.stateReason,
    market: machine.market,
    region: machine.region,
    zone: machine.zone,
    project: row.project,
    run: row.run,
    owner: row.owner,
    publicIp: machine.publicIp,
    privateIp: machine.privateIp,
    diskGb: row.diskGb,
    launchedAt: machine.launchedAt === undefined ? undefined : new Date(machine.launchedAt).toISOString(),
    uptimeS: row.uptimeMs === undefined ? undefined : Math.floor(row.uptimeMs / 1000),
    costPerHourUsd: row.hourlyMicroUsd === undefined ? undefined : usd(row.hourlyMicroUsd),
    accumulatedUsd: bill?.totalMicroUsd === undefined ? undefined : usd(bill.totalMicroUsd),
    ...(bill?.atMost ? { atMost: true } : {}),
    ...(bill?.atLeast ? { atLeast: true } : {}),
    marks: marksOf(row, nowMs),
  };
}

function marksOf(row: Row, nowMs: number): string[] {
  const running = row.machine.state === 'running';
  return [
    ...(row.protected ? ['protected'] : []),
    ...(running && row.uptimeMs !== undefined && row.uptimeMs >= OLD_AFTER_MS ? ['old'] : []),
    ...(row.idleSince === undefined || nowMs < row.idleSince ? [] : ['idle']),
  ];
}

/** By the name of the file. */
function formatOf(file: string): ExportFormat {
  return file.endsWith('.html') ? 'html' : file.endsWith('.json') ? 'json' : 'csv';
}

function usd(micros: number): number {
  return micros / 1_000_000;
}
