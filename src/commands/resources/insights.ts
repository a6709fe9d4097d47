// runctl resources insights
import { formatUsd } from '../../core/money.ts';
import { type InsightsResult, insights } from '../../engine/resources/insights.ts';
import { defineCommand } from '../define.ts';
import { WHERE_FLAGS, WHICH_FLAGS, whereOf, whichOf } from './flags.ts';

export const resourcesInsightsCommand = defineCommand({
  description: 'Looks for machines that are old, idle, stopped and forgotten, dear or bound by no lease, for disks, snapshots and spot requests that nobody uses, and for what the spot market would save. Changes nothing.',
  flags: { project: WHICH_FLAGS.project, user: { kind: 'text', placeholder: 'OWNER', summary: 'only what this person made' }, ...WHERE_FLAGS },
  examples: ['runctl resources insights', 'runctl resources insights --all-regions --output json'],
  run: ({ flags }, app) => insights(app, { ...whereOf(flags), ...whichOf({ ...flags, type: undefined, older: undefined }) }),
  text: (result: InsightsResult, style) => {
    const where = result.regions.length > 1 ? `${result.regions.length} regions` : (result.regions[0] ?? 'no region');
    const head = `${result.machines} ${result.machines === 1 ? 'machine' : 'machines'} in ${where}, ${formatUsd(Math.round(result.costPerHourUsd * 1_000_000))} an hour`;
    if (result.insights.length === 0) return `${head}. Nothing stands out.`;
    return [
      `${head}:`,
      ...result.insights.flatMap(({ text, hints, savesPerDayUsd }) => [
        '',
        `${style.warn('-')} ${style.foreign(text)}`,
        ...(savesPerDayUsd === undefined ? [] : [`  saves up to ${formatUsd(Math.round(savesPerDayUsd * 1_000_000), 2)} a day`]),
        ...hints.map((hint) => `  ${style.bold(hint)}`),
      ]),
    ].join('\n');
  },
});
