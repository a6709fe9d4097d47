// runctl config set
import { resolve } from 'node:path';
import { CONFIG_FILE } from '../../config/load.ts';
import { setConfigValue } from '../../config/write.ts';
import { defineCommand } from '../define.ts';

export const configSetCommand = defineCommand({
  description: 'Writes to --config, else to ./.runctl.toml, which is made when it is not there. Comments and order stay; nothing is written when the value is wrong.',
  args: [
    { name: 'key', summary: 'section.key, such as aws.s3_bucket' },
    { name: 'value', summary: 'the new value' },
  ],
  examples: ['runctl config set aws.s3_bucket my-bucket', 'runctl config set aws.region eu-central-1', 'runctl config set sync.exclude "data/,*.mp4"'],
  run: ({ args }, app) => setConfigValue(resolve(app.cwd, app.configPath ?? CONFIG_FILE), args['key'] as string, args['value'] as string),
  text: (change) => [`${change.name} = ${JSON.stringify(change.value)} in ${change.file}`, ...change.warnings.map((warning) => `warning: ${warning}`)].join('\n'),
});
