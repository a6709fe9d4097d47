// runctl PROVIDER processes
import { type ProcessesResult, processes, watchProcesses } from '../../engine/processes.ts';
import type { Style } from '../../ui/style.ts';
import { defineCommand } from '../define.ts';
import { renderFacts } from './facts.ts';

export const processesCommand = (provider: string) =>
  defineCommand({
    description: 'CPU, load, memory, swap, disks, GPUs and the busiest processes, measured on the machine over half a second. Processes of a training job come first and are marked with *. A percentage of CPU is of one core in the list, of all cores above it.',
    args: [{ name: 'instance_id', summary: 'machine to look at' }],
    flags: {
      detailed: { kind: 'switch', short: 'd', summary: 'up to 40 processes instead of 10, commands in full' },
      watch: { kind: 'switch', short: 'w', summary: 'look again and again, until Ctrl-C' },
      interval: { kind: 'duration', placeholder: 'TIME', default: '2s', summary: 'pause between two looks of --watch' },
    },
    examples: [`runctl ${provider} processes i-0abc123`, `runctl ${provider} processes i-0abc123 --detailed`, `runctl ${provider} processes i-0abc123 --watch --interval 5s`, `runctl ${provider} processes i-0abc123 --output json`],
    run: ({ args, flags }, app): Promise<ProcessesResult> | AsyncIterable<ProcessesResult> => {
      const request = { provider, machineId: args['instance_id'] as string, detailed: flags.detailed ?? false };
      return flags.watch ? watchProcesses(app, { ...request, intervalMs: Math.max(200, flags.interval) }) : processes(app, request);
    },
    text: (result: ProcessesResult, style) => `${describe(result, style).join('\n')}\n`,
  });

function describe(result: ProcessesResult, style: Style): string[] {
  const { memory } = result;
  const percent = (value: number | undefined): string => (value === undefined ? 'unknown' : `${value}%`);
  return [
    `Machine ${style.bold(result.instanceId)} at ${result.timestamp.slice(0, 19).replace('T', ' ')} UTC`,
    ...renderFacts([
      ['CPU', `${percent(result.cpuPercent)}${result.cores === undefined ? '' : ` of ${result.cores} core${result.cores === 1 ? '' : 's'}`}${result.load.length > 0 ? `, load ${result.load.map((value) => value.toFixed(2)).join(' ')}` : ''}`],
      ['Memory', memory && `${gib(memory.usedMb)} of ${gib(memory.totalMb)} (${memory.usedPercent}%)`],
      ['Swap', memory && (memory.swapTotalMb === 0 ? 'none' : `${gib(memory.swapUsedMb)} of ${gib(memory.swapTotalMb)}`)],
      ...result.disks.map((disk) => ['Disk', `${style.foreign(disk.mount)}, ${disk.usedGb} of ${disk.totalGb} GiB (${disk.usedPercent}%)`] as const),
      ...(result.gpus.length > 0 ? result.gpus.map((gpu) => [`GPU ${gpu.index}`, gpuText(gpu, style)] as const) : [['GPU', 'none'] as const]),
      ['Training', result.jobs.length === 0 ? 'none runs' : result.jobs.map((job) => `${job.runId} (pid ${job.pid})`).join(', ')],
    ]),
    ...result.notes.map((note) => `  ${style.warn('!')} ${style.foreign(note)}`),
    '',
    ...table(result, style),
  ];
}

function gpuText(gpu: ProcessesResult['gpus'][number], style: Style): string {
  const parts = [
    gpu.utilizationPercent === undefined ? undefined : `${gpu.utilizationPercent}%`,
    gpu.memoryTotalMb === undefined ? undefined : `${gib(gpu.memoryUsedMb)} of ${gib(gpu.memoryTotalMb)}`,
    gpu.temperatureC === undefined ? undefined : `${gpu.temperatureC} °C`,
    gpu.powerW === undefined ? undefined : `${Math.round(gpu.powerW)} W`,
  ];
  return [style.foreign(gpu.name), ...parts.filter((part) => part !== undefined)].join(', ');
}

const gib = (mebibytes: number | undefined): string => (mebibytes === undefined ? '?' : `${(mebibytes / 1024).toFixed(1)} GiB`);

/** Columns as wide as what is in them; the command last, cut for a screen unless all is wanted. */
function table(result: ProcessesResult, style: Style): string[] {
  const rows = result.processes.map((row) => [
    `${row.job === undefined ? '' : '*'}${row.pid}`, style.foreign(row.user), row.cpuPercent.toFixed(1), row.memoryPercent?.toFixed(1) ?? '?', `${Math.round(row.memoryMb)}M`, elapsed(row.elapsedS),
    style.foreign(row.command.length > 90 && result.processes.length <= 10 ? `${row.command.slice(0, 89)}…` : row.command),
  ]);
  const titles = ['PID', 'USER', 'CPU%', 'MEM%', 'RSS', 'TIME', 'COMMAND'];
  const widths = titles.map((title, at) => Math.max(title.length, ...rows.map((row) => (row[at] as string).length)));
  const line = (cells: string[]): string => cells.map((cell, at) => (at === 6 ? cell : at === 1 ? cell.padEnd(widths[at] as number) : cell.padStart(widths[at] as number))).join('  ');
  return [style.dim(line(titles)), ...rows.map(line)];
}

/** `12s`, `3m`, `2h05m`, `4d`. */
function elapsed(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h${String(Math.floor((seconds % 3600) / 60)).padStart(2, '0')}m`;
  return `${Math.floor(seconds / 86_400)}d`;
}
