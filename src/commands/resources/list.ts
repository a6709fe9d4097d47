// runctl resources list
import { EXPORT_FORMATS, type ExportFormat, renderExport } from '../../engine/resources/export.ts';
import { SORTS, STATE_FILTERS } from '../../engine/resources/filters.ts';
import { type ListRequest, listResources } from '../../engine/resources/list.ts';
import type { ListResult } from '../../engine/resources/results.ts';
import { completed } from '../../engine/resources/warnings.ts';
import type { CommandApp } from '../../app/command-app.ts';
import { defineCommand } from '../define.ts';
import { WHERE_FLAGS, WHICH_FLAGS, whereOf, whichOf } from './flags.ts';
import { LIST_FORMATS, type ListFormat, renderList } from './list-text.ts';

/** How a result is to be shown: words of the command line, none of the result's business. */
const views = new WeakMap<ListResult, { format: ListFormat; exportAs?: ExportFormat; watched?: boolean; elsewhere?: string }>();

export const resourcesListCommand = defineCommand({
  description: 'Machines that runctl made, whoever ran it, in the configured region and where this computer knows of machines. What costs without need is named first. So far: what the machine has cost since it was made, as far as this computer and the cloud remember its starts; disks and addresses included (≥: it was used before this computer knew of it; ≤: when it ended is not known exactly).',
  flags: {
    format: { kind: 'choice', values: LIST_FORMATS, default: 'table', summary: 'how to show them' },
    filter: { kind: 'choice', values: STATE_FILTERS, summary: 'only machines in this state; all: terminated ones too (default: all that are not terminated)' },
    'show-terminated': { kind: 'switch', summary: 'also those that were terminated within the last hour' },
    ...WHICH_FLAGS,
    user: { kind: 'text', placeholder: 'OWNER', summary: 'only machines of this person' },
    sort: { kind: 'choice', values: SORTS, summary: 'dearest, oldest, … first (default: running ones first, newest first)' },
    limit: { kind: 'number', placeholder: 'N', min: 1, max: 100_000, summary: 'show so many; the sums are of all that match' },
    all: { kind: 'switch', summary: 'also count the machines that runctl did not make' },
    watch: { kind: 'switch', short: 'w', summary: 'look again and again until Ctrl-C' },
    interval: { kind: 'duration', placeholder: 'TIME', default: '5s', summary: 'between two looks of --watch' },
    export: { kind: 'choice', values: EXPORT_FORMATS, summary: 'the same list for others: on stdout, or in --export-file' },
    'export-file': { kind: 'text', placeholder: 'FILE', summary: 'write the export there; .csv, .html and .json say what it is' },
    ...WHERE_FLAGS,
  },
  examples: [
    'runctl resources list', 'runctl resources list --filter running --sort cost', 'runctl resources list --older 24h --format detailed',
    'runctl resources list --all-regions --output json', 'runctl resources list --export csv --export-file machines.csv', 'runctl resources list --watch --interval 30s',
  ],
  run({ flags }, app) {
    const request: ListRequest = {
      ...whereOf(flags), ...whichOf(flags),
      state: flags.filter, showTerminated: flags['show-terminated'], sort: flags.sort, limit: flags.limit, foreign: flags.all,
      exportAs: flags.export, exportFile: flags['export-file'],
    };
    const view = { format: flags.format as ListFormat, elsewhere: completed(app, ['runctl resources list --filter all --all-regions'])[0], watched: flags.watch ?? false, ...(flags.export && flags['export-file'] === undefined ? { exportAs: flags.export } : {}) };
    const look = async (): Promise<ListResult> => {
      const result = await listResources(app, request);
      views.set(result, view);
      return result;
    };
    return flags.watch ? again(look, flags.interval, app) : look();
  },
  text(result: ListResult, style) {
    const { format, exportAs, watched, elsewhere } = views.get(result) ?? { format: 'table' };
    if (exportAs) return renderExport(result, exportAs);
    const list = renderList(result, format, style, elsewhere);
    return watched ? `${style.dim(result.at)}\n${list}\n\n` : list;
  },
});

/** Look after look, each with the time of day over it. */
async function* again(look: () => Promise<ListResult>, intervalMs: number, app: CommandApp): AsyncGenerator<ListResult> {
  for (;;) {
    yield await look();
    await app.clock.sleep(Math.max(1000, intervalMs), app.signal);
  }
}
