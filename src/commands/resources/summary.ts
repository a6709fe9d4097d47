// runctl resources summary
import { formatUsd } from '../../core/money.ts';
import { type Group, type SummaryResult, summarize } from '../../engine/resources/summary.ts';
import type { Style } from '../../ui/style.ts';
import { formatBytes } from '../../ui/style.ts';
import { defineCommand } from '../define.ts';
import { renderFacts } from '../machine/facts.ts';
import { WHERE_FLAGS, WHICH_FLAGS, whereOf, whichOf } from './flags.ts';
import { warningLines } from './list-text.ts';
import { renderTable } from './table.ts';

export const resourcesSummaryCommand = defineCommand({
  flags: { project: WHICH_FLAGS.project, user: { kind: 'text', placeholder: 'OWNER', summary: 'only what this person made' }, ...WHERE_FLAGS },
  examples: ['runctl resources summary', 'runctl resources summary --project mnist', 'runctl resources summary --all-regions --output json', 'runctl resources summary --output cost-per-hour-usd'],
  run: ({ flags }, app) => summarize(app, { ...whereOf(flags), ...whichOf({ ...flags, type: undefined, older: undefined }) }),
  text: (result: SummaryResult, style) =>
    [
      ...warningLines(result.warnings, style),
      ...(result.warnings.length > 0 ? [''] : []),
      ...renderFacts([
        ['Machines', result.machines === 0 ? 'none' : Object.entries(result.byState).map(([state, n]) => `${n} ${state}`).join(', ')],
        ['An hour', `${usd(result.costPerHourUsd, 4)}${result.unknownPrices > 0 ? ` (and ${result.unknownPrices} of unknown price)` : ''}`],
        ['A day', usd(result.costPerDayUsd, 2)],
        ['A week', usd(result.costPerWeekUsd, 2)],
        ['So far', usd(result.accumulatedUsd, 4)],
        ['Stopped', result.stopped.machines === 0 ? undefined : `${result.stopped.machines}, with ${result.stopped.diskGb} GB of disk: ${usd(result.stopped.costPerDayUsd, 4)} a day`],
        ['Loose disks', result.unattached.volumes === 0 ? undefined : `${result.unattached.volumes} of ${result.unattached.gb} GB: ${usd(result.unattached.costPerDayUsd, 4)} a day`],
        ['Snapshots', result.snapshots.count === 0 ? undefined : `${result.snapshots.count} of ${result.snapshots.gb} GB at most`],
        ['Spot requests', result.openSpotRequests === 0 ? undefined : `${result.openSpotRequests} open`],
        ['Objects', result.temporaryObjects.count === 0 ? undefined : `${result.temporaryObjects.count} of transfers, ${formatBytes(result.temporaryObjects.bytes)}`],
        ...result.budgets.map((budget) => [`Budget ${budget.kind}`, `${usd(budget.spentUsd, 2)} of ${usd(budget.limitUsd, 2)} (${Math.round(budget.percent)} %, ${style.foreign(budget.of)})`] as const),
        ['Regions', result.regions.join(', ')],
      ]),
      ...groupLines('BY TYPE', result.byType, style),
      ...groupLines('BY PROJECT', result.byProject, style),
    ].join('\n'),
});

function groupLines(title: string, groups: readonly Group[], style: Style): string[] {
  if (groups.length === 0) return [];
  return ['', ...renderTable(groups, [
    { title, cell: (group) => group.name },
    { title: 'MACHINES', cell: (group) => String(group.machines), right: true },
    { title: 'RUNNING', cell: (group) => String(group.running), right: true },
    { title: '$/H', cell: (group) => known(group, group.costPerHourUsd), right: true },
    { title: 'SO FAR', cell: (group) => known(group, group.accumulatedUsd), right: true },
  ], style)];
}

/** As many digits in every row; an unknown price is never a zero. */
function known({ machines, unknownPrices }: Group, dollars: number): string {
  if (unknownPrices === machines) return '?';
  return `$${dollars.toFixed(4)}${unknownPrices > 0 ? ' + ?' : ''}`;
}

function usd(dollars: number, digits: number): string {
  return formatUsd(Math.round(dollars * 1_000_000), digits);
}
