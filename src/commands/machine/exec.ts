// runctl PROVIDER exec
import { type ExecItem, exec } from '../../engine/exec.ts';
import { defineCommand } from '../define.ts';

export interface ExecResult {
  instanceId: string;
  exitCode: number;
  stdout: string;
  stderr: string;
  elapsedS: number;
}

export const execCommand = (provider: string) =>
  defineCommand({
    description:
      'Runs one program on the machine, as the user that jobs run as, in the directory of the newest run (code/, checkpoints/ and training.log are there), or in the home directory when nothing ever ran. What it prints arrives as it comes and whole, stdout on stdout, stderr on stderr; Ctrl-C ends it there too; when the connection is lost it goes on.\nEverything after -- is the program and its arguments, exactly as typed. No shell looks at them: for pipes and $VARIABLES of the machine say sh -c. It has no input (stdin is empty).\nThe exit code is that of the program. When runctl itself fails it says so on stderr ("error:") and ends with one of its own codes; --output json tells them apart.',
    args: [{ name: 'instance_id', summary: 'machine to run it on' }],
    rest: 'the program and its arguments, passed on byte for byte',
    flags: {
      directory: { kind: 'text', placeholder: 'DIR', summary: 'where to run, absolute or from the run directory' },
      run: { kind: 'text', placeholder: 'RUN', summary: 'in the directory of an earlier run' },
      timeout: { kind: 'duration', placeholder: 'TIME', summary: 'end it after this long (default: no limit)' },
    },
    examples: [
      `runctl ${provider} exec i-0abc123 -- nvidia-smi`,
      `runctl ${provider} exec i-0abc123 -- ls -la checkpoints`,
      `runctl ${provider} exec i-0abc123 -- sh -c 'grep -c epoch training.log | tee count'`,
      `runctl ${provider} exec i-0abc123 --directory code --timeout 5m -- python3 evaluate.py --split test`,
      `runctl ${provider} exec i-0abc123 --output json -- python3 --version`,
    ],
    run: ({ args, flags, rest }, app): AsyncIterable<ExecItem> =>
      exec(app, { provider, machineId: args['instance_id'] as string, words: rest, directory: flags.directory, runId: flags.run, timeoutMs: flags.timeout }),
    text: () => '',
    passes: (item: ExecItem) => (item.kind === 'output' ? item : undefined),
    gather: (items: ExecItem[]): ExecResult => {
      const said = (stream: string): string => items.map((item) => (item.kind === 'output' && item.stream === stream ? item.text : '')).join('');
      const end = items.at(-1) as Extract<ExecItem, { kind: 'end' }>;
      return { instanceId: end.instanceId, exitCode: end.exitCode, stdout: said('stdout'), stderr: said('stderr'), elapsedS: end.elapsedS };
    },
    exitCode: (item: ExecItem) => (item.kind === 'end' ? item.exitCode : 0),
  });
