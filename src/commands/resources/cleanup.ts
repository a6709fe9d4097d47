// runctl resources cleanup
import { EXIT } from '../../core/errors.ts';
import { type BulkResult, cleanup } from '../../engine/resources/bulk.ts';
import { defineCommand } from '../define.ts';
import { BULK_FLAGS, confirmWith, renderBulk } from './bulk.ts';
import { WHERE_FLAGS, WHICH_FLAGS, whereOf, whichOf } from './flags.ts';

export const resourcesCleanupCommand = defineCommand({
  description: 'Removes what runctl made for you and left behind: machines whose workflow or creation has ended, disks that belong to no machine, open spot requests, objects that a transfer left in the bucket. Stopped machines go only when --state stopped or --older names them, snapshots with --snapshots. A machine that trains, a disk in use and what is tagged runctl:protected stay; what others made is not looked at. Exit code 2 when something could not be removed.',
  flags: {
    ...WHICH_FLAGS,
    state: { kind: 'choice', values: ['stopped', 'running'], summary: 'only machines in this state; stopped: every stopped one' },
    snapshots: { kind: 'switch', summary: 'snapshots too' },
    ...BULK_FLAGS, ...WHERE_FLAGS,
  },
  examples: ['runctl resources cleanup --dry-run', 'runctl resources cleanup --yes', 'runctl resources cleanup --state stopped --older 7d', 'runctl resources cleanup --run run-20260101-abc234 --yes', 'runctl resources cleanup --all-regions --snapshots --dry-run'],
  run: ({ flags }, app) =>
    cleanup(app, { ...whereOf(flags), ...whichOf(flags), dryRun: flags['dry-run'] ?? false, force: flags.force ?? false, snapshots: flags.snapshots ?? false, ...(flags.state ? { state: flags.state } : {}) }, confirmWith(app)),
  text: (result: BulkResult, style) => renderBulk(result, 'leftover', style),
  exitCode: (result: BulkResult) => (result.failed > 0 ? EXIT.cloud : EXIT.done),
});
