// runctl sim status
import { formatUsd } from '../../core/money.ts';
import { defineCommand } from '../define.ts';
import { renderFacts } from '../machine/facts.ts';

export const simStatusCommand = defineCommand({
  examples: ['runctl sim status', 'runctl sim status --output json', 'runctl sim status --output running'],
  run: async (_input, app) => {
    const sim = await app.sim();
    const status = await sim.status();
    return { running: status !== undefined, directory: sim.directory, ...status };
  },
  text: (result: Record<string, unknown>) => {
    if (!result['running']) return 'The built-in cloud is not running (runctl sim start)';
    const instances = Object.entries((result['instances'] as Record<string, number> | undefined) ?? {}).map(([state, count]) => `${count} ${state}`).join(', ');
    const total = result['meterTotalMicroUsd'];
    return [
      'The built-in cloud is running',
      ...renderFacts([
        ['Endpoint', result['endpoint'] as string | undefined],
        ['Machines', instances === '' ? 'none' : instances],
        ['World time', worldTime(result['clock'] as { worldTime: string; rate: number } | undefined)],
        ['Isolation', result['isolation'] as string | undefined],
        ['Pretend bill', typeof total === 'number' ? formatUsd(total, 6) : undefined],
        ['Requests', result['requests'] as number | undefined],
        ['State in', result['directory'] as string],
      ]),
    ].join('\n');
  },
});

function worldTime(clock: { worldTime: string; rate: number } | undefined): string | undefined {
  return clock && `${clock.worldTime}, ${clock.rate === 1 ? 'at the pace of real time' : `${clock.rate} seconds in a real one`}`;
}
