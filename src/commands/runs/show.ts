// runctl runs show
import { formatElapsed } from '../../ui/style.ts';
import { type RunDetail, showRun } from '../../engine/runs.ts';
import { defineCommand } from '../define.ts';
import { renderFacts } from '../machine/facts.ts';

export const runsShowCommand = defineCommand({
  args: [{ name: 'run', summary: 'run id; absent: the newest', optional: true }],
  examples: ['runctl runs show', 'runctl runs show run-20260101-abc234 --output json'],
  run: ({ args }, app) => showRun(app, args['run']),
  text: (run: RunDetail, style) =>
    [
      `${style.bold(run.runId)} ${run.verb}: ${run.state}`,
      ...(run.state === 'left' ? [`  Its process is gone. What it has made may still cost: runctl resources cleanup --run ${run.runId} --dry-run`] : []),
      ...(run.state === 'launched' && run.machineId ? [`  How it went on: runctl ${run.provider} training-status ${run.machineId}`] : []),
      ...renderFacts([['Machine', run.machineId], ['Started', run.startedAt], ['Ended', run.endedAt], ['Cost', run.costUsd === undefined ? undefined : `$${run.costUsd.toFixed(6)}`]]),
      ...(run.phases && run.phases.length > 0 ? ['Where the money went:', ...run.phases.map(({ phase, seconds, costUsd }) => `  ${phase.padEnd(12)} ${(seconds === 0 ? '-' : formatElapsed(seconds * 1000)).padStart(8)}  ${costUsd === undefined ? 'price unknown' : `$${costUsd.toFixed(6)}`}`)] : []),
      'Steps:',
      ...run.steps.map((step) => `  ${step.state === 'done' ? style.good('✓') : step.state === 'failed' ? style.bad('✗') : '…'} ${step.name.padEnd(12)} ${step.elapsedMs === undefined ? '' : formatElapsed(step.elapsedMs)}${step.error ? `  ${style.foreign(step.error)}` : ''}`),
      ...(run.effects.length > 0 ? ['Effects on the cloud:', ...counted(run.effects.map((effect) => `  ${effect.kind} ${effect.state}${effect.resourceId ? ` ${effect.resourceId}` : ''}`))] : []),
    ].join('\n'),
});

/** A search for capacity fails many times in one way. */
function counted(lines: readonly string[]): string[] {
  const groups: { line: string; times: number }[] = [];
  for (const line of lines) {
    const last = groups.at(-1);
    if (last?.line === line) last.times += 1;
    else groups.push({ line, times: 1 });
  }
  return groups.map(({ line, times }) => (times > 1 ? `${line} (${times} times)` : line));
}
