// runctl runs list
import { type RunSummary, listRuns } from '../../engine/runs.ts';
import { defineCommand } from '../define.ts';

/** Which state was asked for: a word of the command line, none of the result's business. */
const chosen = new WeakMap<RunSummary[], string>();

export const runsListCommand = defineCommand({
  flags: {
    limit: { kind: 'number', placeholder: 'N', default: 20, min: 1, max: 10_000, summary: 'how many' },
    state: { kind: 'choice', values: ['open', 'launched', 'succeeded', 'failed', 'interrupted', 'left'], summary: 'only these; launched: a job that nobody waited for; left: its process is gone without an end' },
  },
  examples: ['runctl runs list', 'runctl runs list --state failed --output json'],
  async run({ flags }, app) {
    const runs = await listRuns(app, { limit: flags.limit, state: flags.state });
    if (flags.state !== undefined) chosen.set(runs, flags.state);
    return runs;
  },
  text: (runs: RunSummary[]) => {
    if (runs.length === 0 && chosen.has(runs)) return `No runs in state ${chosen.get(runs)}. All of them: runctl runs list`;
    if (runs.length === 0) return 'No runs yet. Try: runctl workflow train training/train_mnist_e2e.py --sim -- --epochs 3';
    const rows = [['RUN', 'STATE', 'WHAT', 'MACHINE', 'STARTED', 'SECONDS', 'COST'], ...runs.map((run) => [run.runId, run.state, run.verb, run.machineId ?? '-', run.startedAt, run.elapsedS === undefined ? '-' : run.elapsedS.toFixed(1), run.costUsd === undefined ? '-' : `$${run.costUsd.toFixed(6)}`])];
    const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
    return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd()).join('\n');
  },
});
