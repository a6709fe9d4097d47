// runctl config validate
import { defineCommand } from '../define.ts';

export const configValidateCommand = defineCommand({
  description: 'Reads the file as every command would: unknown keys, wrong types and wrong values are errors with their line.',
  examples: ['runctl config validate', 'runctl config validate --config team.toml'],
  run: async (_input, app) => {
    const { file, warnings } = app.settings();
    return { valid: true, file, warnings };
  },
  text: ({ file, warnings }) => [file ? `${file} is valid` : 'No configuration file: defaults are in force', ...warnings.map((warning) => `warning: ${warning}`)].join('\n'),
});
