// runctl sim clock
import { parseDuration } from '../../cli/parse.ts';
import { durationText } from '../../core/durations.ts';
import { RunctlError } from '../../core/errors.ts';
import { telling } from '../../engine/ticker.ts';
import { defineCommand } from '../define.ts';
import { renderFacts } from '../machine/facts.ts';

interface Change {
  instanceId: string;
  from: string;
  to: string;
  why?: string;
}

interface Reading {
  worldTime: string;
  rate: number;
  aheadMs: number;
  skippedMs?: number;
  changes?: Change[];
}

export const simClockCommand = defineCommand({
  description:
    'Shows the time of the built-in cloud, and changes how it runs. At a rate of 60 an hour of waiting and billing passes in a minute; ' +
    '"skip 2h" goes there at once, through everything that falls due on the way. runctl with --sim, and machines (date, sleep, shutdown +N, ' +
    'Python\'s time) live in that time; what they compute takes as long as it takes. It never goes back (but "runctl sim reset" begins anew).',
  args: [
    { name: 'what', summary: 'skip', optional: true },
    { name: 'time', summary: 'how far: 90s, 5m, 2h, 1d', optional: true },
  ],
  flags: { rate: { kind: 'number', placeholder: 'N', min: 1, max: 10_000, summary: 'world seconds in a real one; 1 is real time' } },
  examples: ['runctl sim clock', 'runctl sim clock --rate 60', 'runctl sim clock skip 2h', 'runctl sim clock --output world-time'],
  run: async ({ args, flags }, app) => {
    const skipMs = skipOf(args['what'], args['time']);
    const sim = await app.sim();
    // A machine that powers off on the way gives its processes the time that systemd gives them.
    return (await telling(app, 'clock', 'go through what falls due', () => sim.call('clock', { rate: flags.rate, skipMs }))) as unknown as Reading;
  },
  text: ({ worldTime, rate, aheadMs, skippedMs, changes = [] }, style) =>
    [
      ...(skippedMs === undefined ? [] : [`Skipped ${shortText(skippedMs)}${changes.length === 0 ? '; no machine changed its state' : ''}`]),
      ...changes.map(({ instanceId, from, to, why }) => `  ${instanceId}: ${from === 'none' ? '' : `${from} -> `}${style.bold(to)}${why === undefined ? '' : ` (${why})`}`),
      ...renderFacts([
        ['World time', worldTime],
        ['Rate', rate === 1 ? '1 (real time)' : `${rate} world seconds in a real one`],
        ['Ahead of real time', aheadMs < 1000 ? 'no' : durationText(aheadMs)],
      ]),
    ].join('\n'),
});

function skipOf(what: string | undefined, time: string | undefined): number | undefined {
  if (what === undefined) return undefined;
  const hints = ['runctl sim clock skip 2h', 'runctl sim clock --rate 60'];
  if (what !== 'skip') throw new RunctlError('usage', `the clock can skip, not "${what}"`, { hints });
  if (time === undefined) throw new RunctlError('usage', 'how far is the clock to skip?', { hints });
  try {
    return parseDuration(time);
  } catch (error) {
    throw new RunctlError('usage', (error as Error).message, { hints });
  }
}

/** As it was asked for: 90 s are not 2 min. */
function shortText(ms: number): string {
  return ms < 600_000 && ms % 60_000 !== 0 ? `${Number((ms / 1000).toFixed(1))} s` : durationText(ms);
}
