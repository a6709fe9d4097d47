// runctl resources stop-all
import { EXIT } from '../../core/errors.ts';
import { type BulkResult, stopAll } from '../../engine/resources/bulk.ts';
import { defineCommand } from '../define.ts';
import { BULK_FLAGS, confirmWith, renderBulk } from './bulk.ts';
import { WHERE_FLAGS, WHICH_FLAGS, whereOf, whichOf } from './flags.ts';

export const resourcesStopAllCommand = defineCommand({
  description: 'Only what runctl made for you (tags runctl:owner and runctl:run); what is tagged runctl:protected is left alone, and so are spot machines, which can only be terminated. Trainings get SIGTERM and time to save. Disks stay, and cost a little. Exit code 2 when some could not be stopped.',
  flags: { ...WHICH_FLAGS, ...BULK_FLAGS, ...WHERE_FLAGS },
  examples: ['runctl resources stop-all --dry-run', 'runctl resources stop-all --yes', 'runctl resources stop-all --project mnist --older 24h', 'runctl resources stop-all --all-regions --yes --output json'],
  run: ({ flags }, app) => stopAll(app, { ...whereOf(flags), ...whichOf(flags), dryRun: flags['dry-run'] ?? false, force: flags.force ?? false }, confirmWith(app)),
  text: (result: BulkResult, style) => renderBulk(result, 'running machine', style),
  exitCode: (result: BulkResult) => (result.failed > 0 ? EXIT.cloud : EXIT.done),
});
