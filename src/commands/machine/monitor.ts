// runctl PROVIDER monitor
import { EXIT } from '../../core/errors.ts';
import { type MonitorItem, monitor } from '../../engine/monitor.ts';
import { defineCommand } from '../define.ts';

export const monitorCommand = (provider: string) =>
  defineCommand({
    description: 'Prints the log of the newest run on the machine, or of --run. With --follow it goes on until the job has ended; Ctrl-C stops the watching, never the job.',
    args: [{ name: 'instance_id', summary: 'machine to look at' }],
    flags: {
      follow: { kind: 'switch', short: 'f', summary: 'go on until the job has ended' },
      run: { kind: 'text', placeholder: 'RUN', summary: 'an earlier run on the machine' },
      tail: { kind: 'number', placeholder: 'KIB', min: 0, max: 1_048_576, summary: 'only the last KIB kibibytes (default: the whole log)' },
    },
    examples: [`runctl ${provider} monitor i-0abc123`, `runctl ${provider} monitor i-0abc123 --follow`, `runctl ${provider} monitor i-0abc123 --run run-20260101-abc234`],
    run: ({ args, flags }, app) =>
      monitor(app, {
        provider,
        machineId: args['instance_id'] as string,
        runId: flags.run,
        follow: flags.follow ?? false,
        lastBytes: flags.tail === undefined ? undefined : flags.tail * 1024,
      }),
    text: () => '',
    passes: (item: MonitorItem) => (item.kind === 'log' ? { stream: 'stdout', bytes: item.bytes, text: item.text } : undefined),
    exitCode: (item: MonitorItem) => (item.kind === 'end' && item.phase !== 'succeeded' ? EXIT.jobFailed : EXIT.done),
  });
