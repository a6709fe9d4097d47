// runctl local
import { trainLocally } from '../engine/local.ts';
import { defineCommand } from './define.ts';
import { SCRIPT_FLAGS, scriptArguments } from './machine/script-args.ts';
import { trainFacts } from './machine/train.ts';

export const localCommand = defineCommand({
  description: 'Runs the script in its project directory with the conventions of a remote run: RUNCTL_CHECKPOINT_DIR, a log, a recorded exit code, results under the output directory. Ctrl-C sends SIGTERM first, so that the script can save.',
  args: [{ name: 'script', summary: 'training script' }],
  rest: 'arguments of the script, passed on byte for byte',
  flags: { ...SCRIPT_FLAGS, projectRoot: { kind: 'text', placeholder: 'DIR', summary: 'directory to run in (default: the detected project root)' } },
  examples: ['runctl local training/train_mnist_e2e.py -- --epochs 3', 'runctl local train.py --output json'],
  run: (input, app) => trainLocally(app, { script: input.args['script'] as string, ...scriptArguments(input), projectRoot: input.flags.projectRoot }),
  text: (result, style) => [`${style.good('Training succeeded')} (exit code 0)`, ...trainFacts(result)].join('\n'),
});
