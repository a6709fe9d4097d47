// runctl sim weather list
import { defineCommand } from '../../define.ts';
import { renderRules } from './table.ts';

export const simWeatherListCommand = defineCommand({
  examples: ['runctl sim weather list', 'runctl sim weather list --output json'],
  run: async (_input, app) => (await app.sim()).weather.list(),
  text: (rules) => renderRules(rules),
});
