// runctl sim weather clear
import { defineCommand } from '../../define.ts';

export const simWeatherClearCommand = defineCommand({
  description: 'What a fault has done already stays done.',
  args: [{ name: 'id', summary: 'as "runctl sim weather list" shows it (default: all)', optional: true }],
  examples: ['runctl sim weather clear', 'runctl sim weather clear w1'],
  run: async ({ args }, app) => ({ cleared: await (await app.sim()).weather.clear(args['id']) }),
  text: ({ cleared }) => (cleared === 0 ? 'There was no weather' : `${cleared} ${cleared === 1 ? 'fault' : 'faults'} dropped`),
});
