// runctl resources cost
import { RunctlError, EXIT } from '../../core/errors.ts';
import { GROUPINGS, type Grouping } from '../../engine/cost/cost-report.ts';
import { type CostsResult, costs } from '../../engine/cost/costs.ts';
import { defineCommand } from '../define.ts';
import { costCsv, costText } from './cost-text.ts';
import { WHERE_FLAGS, whereOf } from './flags.ts';

const BY_FLAG = { daily: 'day', weekly: 'week', monthly: 'month' } as const;

/** How a result is to be shown and judged: words of the command line, none of the result's business. */
const views = new WeakMap<CostsResult, { csv: boolean; check: boolean }>();

export const resourcesCostCommand = defineCommand({
  description:
    'What every machine that runctl made for you has cost, from the times that the cloud tells and the prices of those times; disks and addresses included. Machines that this computer knows of are asked for wherever they are, and those that the cloud has forgotten are remembered; others of yours are looked for in the configured region, or where --regions or --all-regions says. Each machine is rounded once, to the micro-dollar, and its parts add up to that, by day, by run or by phase.\nPhases: boot, setup, data, training, checkpoint (the time to save after SIGTERM), lost (work on a machine that was taken away or lost, after the last checkpoint that this computer heard of: from train --wait, monitor --follow or training-status), idle (with the rest of a billed minute that nobody used), kept (disks of stopped machines). Days, weeks and months are in UTC.',
  flags: {
    daily: { kind: 'switch', summary: 'by day' },
    weekly: { kind: 'switch', summary: 'by week' },
    monthly: { kind: 'switch', summary: 'by month' },
    by: { kind: 'choice', values: GROUPINGS, summary: 'add up by this (default: project)' },
    since: { kind: 'duration', placeholder: 'TIME', summary: 'only what was billed in this time: 24h, 7d' },
    project: { kind: 'text', placeholder: 'NAME', summary: 'only machines of this project' },
    check: { kind: 'switch', summary: 'exit code 6 when a budget is used up' },
    export: { kind: 'choice', values: ['csv'], summary: 'the same rows for a spreadsheet, on stdout' },
    ...WHERE_FLAGS,
  },
  examples: [
    'runctl resources cost', 'runctl resources cost --daily --since 7d', 'runctl resources cost --by phase', 'runctl resources cost --by run --output json',
    'runctl resources cost --all-regions', 'runctl resources cost --check', 'runctl resources cost --monthly --export csv',
  ],
  async run({ flags }, app) {
    const result = await costs(app, { ...whereOf(flags), by: groupingOf(flags), sinceMs: flags.since, project: flags.project });
    views.set(result, { csv: flags.export !== undefined, check: flags.check ?? false });
    return result;
  },
  exitCode: (result: CostsResult) => (views.get(result)?.check && result.overBudget ? EXIT.declined : EXIT.done),
  text: (result: CostsResult, style) => (views.get(result)?.csv ? costCsv(result) : costText(result, style)),
});

function groupingOf(flags: { by?: string; daily?: boolean; weekly?: boolean; monthly?: boolean }): Grouping {
  const named = [...(flags.by === undefined ? [] : [flags.by as Grouping]), ...(['daily', 'weekly', 'monthly'] as const).flatMap((flag) => (flags[flag] ? [BY_FLAG[flag]] : []))];
  if (named.length > 1) throw new RunctlError('usage', 'one of --daily, --weekly, --monthly and --by', { hints: ['runctl resources cost --daily --since 7d'] });
  return named[0] ?? 'project';
}
