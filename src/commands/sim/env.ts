// runctl sim env
import { shellQuote } from '../../core/quote.ts';
import { simEnvironment } from '../../sim/daemon.ts';
import { defineCommand } from '../define.ts';

export const simEnvCommand = defineCommand({
  description: 'Starts the built-in cloud when it is not running and prints the lines that point runctl, the AWS CLI, boto3 and every other client of this shell at it. Open a new shell to get back.',
  examples: ['eval "$(runctl sim env)"', 'runctl sim env --output json'],
  run: async (_input, app) => {
    const sim = await app.sim();
    return simEnvironment(sim.directory, await sim.start({}), app.env);
  },
  text: (environment) => Object.entries(environment).map(([name, value]) => (value === null ? `unset ${name}` : `export ${name}=${shellQuote(value)}`)).join('\n'),
});
