// Flags that the commands about many machines share: where to look, and which of them are meant.
import type { Flags, Input } from '../../cli/command.ts';
import { RunctlError } from '../../core/errors.ts';
import type { MachineFilter } from '../../engine/resources/filters.ts';
import type { Where } from '../../engine/resources/list.ts';

export const WHERE_FLAGS = {
  platform: { kind: 'choice', values: ['aws', 'all'], default: 'all', summary: 'where machines are rented; there is AWS only' },
  regions: { kind: 'text', placeholder: 'A,B', summary: 'look in these regions' },
  'all-regions': { kind: 'switch', summary: 'look in every region that the account has enabled' },
} as const satisfies Flags;

export const WHICH_FLAGS = {
  project: { kind: 'text', placeholder: 'NAME', summary: 'only machines of this project' },
  type: { kind: 'text', placeholder: 'TYPE', summary: 'only this type; g5.* for a family' },
  older: { kind: 'duration', placeholder: 'TIME', summary: 'only what was made at least so long ago: 24h, 3d' },
} as const satisfies Flags;

export function whereOf(flags: Input<typeof WHERE_FLAGS>['flags']): Where {
  const named = flags.regions?.split(',').map((region) => region.trim()).filter((region) => region !== '');
  if (named && flags['all-regions']) throw new RunctlError('usage', 'either --regions or --all-regions', { hints: ['runctl resources list --all-regions'] });
  if (named?.length === 0) throw new RunctlError('usage', '--regions names no region', { hints: ['runctl resources list --regions us-east-1,eu-west-1'] });
  const wrong = named?.find((region) => !/^[a-z]{2}(-[a-z]+)+-\d+$/.test(region));
  if (wrong !== undefined) throw new RunctlError('usage', `"${wrong}" is no region`, { hints: ['runctl resources list --regions us-east-1,eu-west-1'] });
  return { provider: 'aws', ...(flags['all-regions'] ? { regions: 'all' as const } : named ? { regions: named } : {}) };
}

export function whichOf(flags: Input<typeof WHICH_FLAGS>['flags'] & { user?: string; run?: string }): MachineFilter {
  return {
    ...(flags.project === undefined ? {} : { project: flags.project }),
    ...(flags.user === undefined ? {} : { owner: flags.user }),
    ...(flags.run === undefined ? {} : { run: flags.run }),
    ...(flags.type === undefined ? {} : { type: flags.type }),
    ...(flags.older === undefined ? {} : { olderMs: flags.older }),
  };
}
