// runctl config show
import { showConfig } from '../../config/show.ts';
import { defineCommand } from '../define.ts';

export const configShowCommand = defineCommand({
  examples: ['runctl config show', 'runctl config show --output json'],
  run: async (_input, app) => {
    const loaded = app.settings();
    return { file: loaded.file, settings: showConfig(loaded) };
  },
  text: ({ file, settings }, style) => {
    const width = Math.max(...settings.map((row) => row.name.length));
    return [
      file ? `Settings from ${file}` : 'No configuration file; all defaults (runctl init writes one)',
      ...settings.map((row) => `  ${row.name.padEnd(width)}  ${row.value === null ? style.dim('not set') : JSON.stringify(row.value)}${row.source === 'default' ? '' : style.dim(`  (${row.source})`)}`),
    ].join('\n');
  },
});
