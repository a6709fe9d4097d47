// runctl PROVIDER training-status
import { durationText } from '../../core/durations.ts';
import { type TrainingStatus, trainingStatus } from '../../engine/status.ts';
import { defineCommand } from '../define.ts';
import { renderFacts } from './facts.ts';

export const trainingStatusCommand = (provider: string) =>
  defineCommand({
    description: 'Asks the agent on the machine. Phases: none, starting, running, succeeded, failed, lost (process gone without an exit record), unknown (machine cannot be asked).',
    args: [{ name: 'instance_id', summary: 'machine to look at' }],
    flags: { run: { kind: 'text', placeholder: 'RUN', summary: 'an earlier run on the machine' } },
    examples: [`runctl ${provider} training-status i-0abc123`, `runctl ${provider} training-status i-0abc123 --output json`, `runctl ${provider} training-status i-0abc123 --output phase`],
    run: ({ args, flags }, app) => trainingStatus(app, { provider, machineId: args['instance_id'] as string, runId: flags.run }),
    text: (result: TrainingStatus, style) =>
      [
        `Training on ${style.bold(result.instanceId)}: ${describePhase(result)}`,
        ...renderFacts([
          ['Run', result.runId],
          ['Script', result.script && style.foreign(result.script)],
          ['Started', result.startedAt],
          ['Ended', result.endedAt],
          ['Epoch', result.epoch === undefined ? undefined : `${result.epoch}${result.epochs === undefined ? '' : ` of ${result.epochs}`}`],
          ['Loss', result.loss],
          ['Accuracy', result.accuracy],
          ['Lease', leaseLine(result)],
          ['Checkpoint', result.checkpoint && style.foreign(result.checkpoint)],
          ['Log', result.logPath && `${result.logPath} (${result.logBytes ?? 0} bytes)`],
          ['Heartbeat', result.heartbeatAgeS === undefined ? undefined : `${result.heartbeatAgeS} s ago`],
        ]),
      ].join('\n'),
  });

function leaseLine({ endedByLease, leaseLeftS }: TrainingStatus): string | undefined {
  if (endedByLease !== undefined) return `ended it (${endedByLease})`;
  return leaseLeftS === undefined ? undefined : `ends the machine in ${durationText(leaseLeftS * 1000)}`;
}

export function describePhase(training: TrainingStatus): string {
  switch (training.phase) {
    case 'none':
      return 'not started';
    case 'succeeded':
      return 'succeeded (exit code 0)';
    case 'failed':
      return `failed (exit code ${training.exitCode})`;
    case 'lost':
      return 'lost: the process is gone without an exit record';
    case 'unknown':
      return `unknown: ${training.reason ?? 'the machine cannot be asked'}`;
    case 'starting':
    case 'running':
      return training.epoch === undefined ? training.phase : `${training.phase}, epoch ${training.epoch}${training.epochs === undefined ? '' : ` of ${training.epochs}`}`;
  }
}
