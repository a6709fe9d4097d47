// runctl PROVIDER stop-training
import { type StopTrainingResult, stopTraining } from '../../engine/stop-training.ts';
import { defineCommand } from '../define.ts';

export const stopTrainingCommand = (provider: string) =>
  defineCommand({
    description: 'Ends every job on the machine, or the one of --run: SIGTERM to the script and its children, time to save, then SIGKILL. The machine goes on running, and costing.',
    args: [{ name: 'instance_id', summary: 'machine whose training to end' }],
    flags: {
      run: { kind: 'text', placeholder: 'RUN', summary: 'only this run' },
      grace: { kind: 'duration', placeholder: 'TIME', summary: 'time to save after SIGTERM (default: train.stop_grace_seconds)' },
    },
    examples: [`runctl ${provider} stop-training i-0abc123`, `runctl ${provider} stop-training i-0abc123 --grace 2m`, `runctl ${provider} stop-training i-0abc123 --run run-20260101-abc234`],
    run: ({ args, flags }, app) => stopTraining(app, { provider, machineId: args['instance_id'] as string, runId: flags.run, graceMs: flags.grace }),
    text: (result: StopTrainingResult, style) =>
      result.runs.length === 0
        ? `No training runs on ${style.bold(result.instanceId)}`
        : result.runs
            .flatMap((run) => [
              `${style.bold(run.runId)} ${HOW[run.stopped]}${run.exitCode === undefined ? '' : ` (exit code ${run.exitCode})`}`,
              ...(run.checkpoint === undefined ? [] : [`  Checkpoint: ${style.foreign(run.checkpoint)}`]),
            ])
            .join('\n'),
  });

const HOW = { term: 'ended on SIGTERM', kill: 'was killed when its time was over', none: 'had ended already' };
