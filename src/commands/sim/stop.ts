// runctl sim stop
import { defineCommand } from '../define.ts';

export const simStopCommand = defineCommand({
  description: 'Ends the server and every process of its machines. What is on disk stays: after the next start, machines that ran are booted again.',
  examples: ['runctl sim stop'],
  run: async (_input, app) => ({ stopped: await (await app.sim()).stop() }),
  text: ({ stopped }) => (stopped ? 'The built-in cloud has stopped; its state is kept' : 'The built-in cloud was not running'),
});
