// runctl init
import { isAbsolute, resolve } from 'node:path';
import { initConfig } from '../config/write.ts';
import { defineCommand } from './define.ts';

export const initCommand = defineCommand({
  description: 'Every key with its default and one line of explanation. runctl works without a file too.',
  flags: {
    configPath: { kind: 'text', placeholder: 'FILE', summary: 'where to write (default: ./.runctl.toml)' },
    force: { kind: 'switch', summary: 'overwrite an existing file' },
  },
  examples: ['runctl init', 'runctl init --config-path team.toml --output json'],
  run: async ({ flags }, app) => {
    const asked = flags.configPath ?? '.runctl.toml';
    const path = isAbsolute(asked) ? asked : resolve(app.cwd, asked);
    initConfig(path, { force: flags.force ?? false });
    return { path };
  },
  text: ({ path }) => `Wrote ${path}`,
});
