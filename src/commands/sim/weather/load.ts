// runctl sim weather load
import { resolve } from 'node:path';
import { defineCommand } from '../../define.ts';
import { readWeatherFile } from './file.ts';
import { renderRules } from './table.ts';

export const simWeatherLoadCommand = defineCommand({
  description: 'The file is TOML with one [[weather]] table for each fault, or JSON. Its fields are the flags of "runctl sim weather add", and kind. All of its rules are taken, or none when one is wrong.',
  args: [{ name: 'file', summary: 'plan of faults' }],
  examples: ['runctl sim weather load weather.toml'],
  run: async ({ args }, app) => {
    const rules = await readWeatherFile(resolve(app.cwd, args['file'] as string));
    const sim = await app.sim();
    await sim.start({});
    return sim.weather.load(rules);
  },
  text: (rules) => renderRules(rules),
});
