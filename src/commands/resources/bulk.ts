// What stop-all and cleanup share: their flags, the question, and how a plan and its outcome are shown.
import type { CommandApp } from '../../app/command-app.ts';
import type { Flags } from '../../cli/command.ts';
import { RunctlError } from '../../core/errors.ts';
import { AGAIN, type BulkResult, type Confirm } from '../../engine/resources/bulk.ts';
import type { LeftAlone, Plan } from '../../engine/resources/plan.ts';
import { type Style, createStyle } from '../../ui/style.ts';
import { type Column, renderTable } from './table.ts';

export const BULK_FLAGS = {
  'dry-run': { kind: 'switch', summary: 'say what would be done and why; touch nothing' },
  force: { kind: 'switch', short: 'f', summary: 'at once: no question, no time to save, nothing is fetched' },
  user: { kind: 'text', placeholder: 'OWNER', summary: 'what this person made (default: you)' },
  run: { kind: 'text', placeholder: 'RUN', summary: 'only what this run made' },
} as const satisfies Flags;

interface Line {
  kind: string;
  id: string;
  region: string;
  action: string;
  why: string;
  notes: string[];
  costPerHourUsd?: number;
  outcome?: string;
  reason?: string;
}

const COLUMNS: Column<Line>[] = [
  { title: 'DO', cell: (line) => line.action },
  { title: 'WHAT', cell: (line) => line.kind },
  { title: 'ID', cell: (line) => line.id },
  { title: 'REGION', cell: (line) => line.region },
  { title: '$/H', cell: (line) => (line.costPerHourUsd === undefined ? undefined : `$${line.costPerHourUsd.toFixed(4)}`), right: true },
  { title: 'RESULT', cell: (line) => (line.outcome === 'planned' ? undefined : line.outcome), paint: (text, line, style) => (line.outcome === 'failed' ? style.bad(text) : style.good(text)) },
  { title: 'WHY', cell: (line) => [line.why, ...line.notes].join('; ') },
];

/** Shows the whole plan on the way to one question. */
export function confirmWith(app: CommandApp): Confirm {
  return async (plan: Plan) => {
    const style = createStyle(false, true);
    const lines = plan.doing.map(({ hourlyMicroUsd, ...one }): Line => ({ ...one, ...(hourlyMicroUsd === undefined ? {} : { costPerHourUsd: hourlyMicroUsd / 1_000_000 }) }));
    app.report({ kind: 'note', level: 'info', text: ['this is meant:', ...renderTable(lines, COLUMNS, style), ...leftLines(plan.leaving, style)].join('\n    ') });
    try {
      return await app.ask({ text: question(plan), flag: '--yes' });
    } catch (error) {
      if (!(error instanceof RunctlError) || error.code !== 'declined') throw error;
      throw new RunctlError('declined', error.message, { cause: error.reason, hints: [...AGAIN] });
    }
  };
}

function question({ doing }: Plan): string {
  const counts = new Map<string, number>();
  for (const { action, kind } of doing) counts.set(`${action} ${kind}`, (counts.get(`${action} ${kind}`) ?? 0) + 1);
  const words = [...counts].map(([what, n]) => `${what.split(' ')[0]} ${n} ${what.split(' ')[1]!.replace('-', ' ')}${n === 1 ? '' : 's'}`).join(', ');
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}?`;
}

/** `sought`: what one of them is called. */
export function renderBulk(result: BulkResult, sought: string, style: Style): string {
  const { outcomes, dryRun, done, failed, owner } = result;
  const reasons = outcomes.flatMap(({ id, reason, cause }) => (reason === undefined ? [] : [`  ${id}: ${style.foreign(reason)}`, ...(cause === undefined ? [] : [`    ${style.foreign(cause)}`])]));
  const whose = `made by runctl for ${style.foreign(owner)}`;
  return [
    ...(outcomes.length > 0 ? [...renderTable<Line>(outcomes, COLUMNS, style), ''] : []),
    ...(outcomes.length === 0 ? [`Nothing to do: no ${sought} ${whose} in ${result.regions.join(', ') || 'any region'}`] : dryRun ? [`${outcomes.length} would be touched, all ${whose}; nothing was done (--dry-run)`] : [`${done} done${failed > 0 ? `, ${style.bad(`${failed} failed`)}` : ''}`]),
    ...reasons,
    ...leftLines(result.left, style),
    ...result.unanswered.map(({ region, kind, reason }) => `${style.warn('warning:')} ${region} was not asked for ${kind}s: ${style.foreign(reason)}`),
  ].join('\n');
}

const MOST_LEFT = 20;

function leftLines(left: readonly LeftAlone[], style: Style): string[] {
  if (left.length === 0) return [];
  return ['Left alone:', ...left.slice(0, MOST_LEFT).flatMap(({ kind, id, why, hints = [] }) => [`  ${kind} ${style.foreign(id)}: ${style.foreign(why)}`, ...hints.map((hint) => `    try: ${style.bold(hint)}`)]), ...(left.length > MOST_LEFT ? [`  and ${left.length - MOST_LEFT} more`] : [])];
}
