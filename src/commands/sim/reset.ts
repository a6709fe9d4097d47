// runctl sim reset
import { RunctlError } from '../../core/errors.ts';
import { defineCommand } from '../define.ts';

export const simResetCommand = defineCommand({
  description: 'Ends every machine and deletes everything in the built-in cloud. Nothing real is touched.',
  examples: ['runctl sim reset --yes'],
  run: async (_input, app) => {
    const sim = await app.sim();
    if (!(await app.ask({ text: 'Delete every machine, bucket and bill of the built-in cloud?', flag: '--yes' }))) {
      throw new RunctlError('declined', 'nothing was deleted', { hints: ['runctl sim reset --yes'] });
    }
    await sim.reset();
    return { reset: true };
  },
  text: () => 'The built-in cloud is empty',
});
