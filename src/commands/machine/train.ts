// runctl PROVIDER train
import type { SyncExplanation } from '../../engine/explain-sync.ts';
import { type TrainResult, train } from '../../engine/train.ts';
import { defineCommand } from '../define.ts';
import { CODE_FLAGS, codeRequest } from './code-flags.ts';
import { explain, explainText, isExplanation } from './explain.ts';
import { renderFacts } from './facts.ts';
import { SCRIPT_FLAGS, scriptArguments } from './script-args.ts';

export const trainCommand = (provider: string) =>
  defineCommand({
    description:
      'Sends the project (what git would commit, .gitignore respected) to a run directory of its own on the machine, verifies it by hash, and starts the script there. The job survives this command, the network and the end of SSM sessions; its exit code is recorded by the machine itself.\nEverything after -- goes to the script exactly as typed.',
    args: [
      { name: 'instance_id', summary: 'machine to train on' },
      { name: 'script', summary: 'training script, a path inside the project' },
    ],
    rest: 'arguments of the script, passed on byte for byte',
    flags: {
      wait: { kind: 'switch', summary: 'follow the log until the job has ended, then fetch log and checkpoints' },
      timeout: { kind: 'duration', placeholder: 'TIME', summary: 'limit of --wait; the job itself goes on (default: no limit)' },
      syncCode: { kind: 'switch', default: true, summary: 'send the code first' },
      ...CODE_FLAGS,
      ...SCRIPT_FLAGS,
      force: { kind: 'switch', summary: 'start although another job runs on the machine' },
    },
    examples: [
      `runctl ${provider} train i-0abc123 training/train_mnist_e2e.py --wait -- --epochs 3`,
      `runctl ${provider} train i-0abc123 train.py -- --lr 0.001 --name "my run"`,
      `runctl ${provider} train i-0abc123 train.py --hyperparams "lr=0.001,batch=32"`,
      `runctl ${provider} train i-0abc123 train.py --include-pattern "data/*.csv"`,
      `runctl ${provider} train i-0abc123 train.py --explain`,
      `runctl ${provider} train i-0abc123 train.py --wait --output json`,
    ],
    run: async (input, app) => {
      const { args, flags } = input;
      if (flags.explain) return explain(app, args['script'] as string, flags);
      return train(app, {
        provider,
        machineId: args['instance_id'] as string,
        script: args['script'] as string,
        ...scriptArguments(input),
        ...codeRequest(flags, app.config),
        syncCode: flags.syncCode,
        wait: flags.wait ?? false,
        timeoutMs: flags.timeout,
        force: flags.force ?? false,
      });
    },
    text: (result: TrainResult | SyncExplanation, style) => isExplanation(result) ? explainText(result, style) :
      [
        result.phase === 'succeeded' ? `${style.good('Training succeeded')} (exit code 0)` : 'Training started',
        ...trainFacts(result),
      ].join('\n'),
  });

/** `more`: rows of the command's own, behind. */
export function trainFacts(result: TrainResult, more: Parameters<typeof renderFacts>[0] = []): string[] {
  return renderFacts([
    ['Run', result.runId],
    ['Machine', result.instanceId],
    ['Accuracy', result.accuracy],
    ['Loss', result.loss],
    ['Checkpoint', result.checkpoint],
    ['Outputs', result.outputs],
    ['Log', result.outputs ? `${result.outputs}/training.log` : result.logPath],
    ['Elapsed', result.elapsedS === undefined ? undefined : `${result.elapsedS.toFixed(1)} s`],
    ['Cost', result.instanceId === 'local' || result.elapsedS === undefined ? undefined : costText(result)],
    ...more,
  ]);
}

/** "$0.002113 (for that time $0.002200 had been estimated; the lease allows $5.00)" */
function costText({ costUsd, costIsAtMost, estimatedCostUsd, worstCostUsd }: TrainResult): string {
  const beside = [
    ...(estimatedCostUsd === undefined || estimatedCostUsd === costUsd ? [] : [`estimated for that time: $${estimatedCostUsd.toFixed(6)}`]),
    ...(worstCostUsd === undefined ? [] : [`worst case by its lease: $${worstCostUsd.toFixed(2)}`]),
  ];
  return `${costUsd === undefined ? 'unknown: nobody could tell the price' : `${costIsAtMost ? 'at most ' : ''}$${costUsd.toFixed(6)}`}${beside.length > 0 ? ` (${beside.join('; ')})` : ''}`;
}
