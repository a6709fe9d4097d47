// runctl sim interrupt
import { RunctlError } from '../../core/errors.ts';
import { defineCommand } from '../define.ts';

/** As EC2 gives. */
const TWO_MINUTES_MS = 120_000;

interface Interruption {
  action: 'terminate' | 'stop' | 'hibernate';
  reason: 'capacity' | 'price';
  /** Epoch milliseconds of the built-in cloud's clock. */
  rebalanceAt?: number;
  noticeAt: number;
  endAt: number;
}

/** Times as text, UTC. */
interface Result extends Pick<Interruption, 'action' | 'reason'> {
  instanceId: string;
  rebalanceAt?: string;
  noticeAt: string;
  endAt: string;
}

export const simInterruptCommand = defineCommand({
  description:
    'Takes a spot machine back as EC2 does: its metadata tells the end so long before, its spot request says why, then it is terminated, or ' +
    'stopped where its request says so. Times are those of the built-in cloud (runctl sim clock).',
  args: [{ name: 'instance_id', summary: 'a running spot machine' }],
  flags: {
    notice: { kind: 'duration', placeholder: 'TIME', summary: 'from the notice to the end (default 2m)' },
    rebalance: { kind: 'duration', placeholder: 'TIME', summary: 'recommend to rebalance now, and give the notice so much later' },
    reason: { kind: 'choice', values: ['capacity', 'price'], default: 'capacity', summary: 'what its spot request says of it' },
    now: { kind: 'switch', summary: 'without any notice' },
  },
  examples: ['runctl sim interrupt i-0123456789abcdef0', 'runctl sim interrupt i-0123456789abcdef0 --rebalance 5m', 'runctl sim interrupt i-0123456789abcdef0 --now --reason price'],
  run: async ({ args, flags }, app): Promise<Result> => {
    const instanceId = args['instance_id'] as string;
    if (flags.now && (flags.notice !== undefined || flags.rebalance !== undefined)) throw new RunctlError('usage', '--now contradicts --notice and --rebalance', { hints: [`runctl sim interrupt ${instanceId} --now`, 'runctl sim interrupt --help'] });
    const order = flags.now ? { noticeMs: 0 } : { noticeMs: flags.notice ?? TWO_MINUTES_MS, rebalanceMs: flags.rebalance };
    const { action, reason, rebalanceAt, noticeAt, endAt } = (await (await app.sim()).call('interrupt', { instanceId, reason: flags.reason, ...order })) as unknown as Interruption;
    return { instanceId, action, reason, ...(rebalanceAt === undefined ? {} : { rebalanceAt: isoOf(rebalanceAt) }), noticeAt: isoOf(noticeAt), endAt: isoOf(endAt) };
  },
  text: ({ instanceId, action, rebalanceAt, noticeAt, endAt }: Result, style) => {
    const does = { terminate: 'terminated', stop: 'stopped', hibernate: 'hibernated' }[action];
    const when = noticeAt === endAt ? `at once (${endAt})` : `at ${endAt}`;
    return [`${style.bold(instanceId)} ${noticeAt === endAt ? 'is' : 'will be'} ${does} ${when}`, ...(rebalanceAt === undefined ? [] : [`It is recommended to rebalance now; the notice comes at ${noticeAt}`])].join('\n');
  },
});

function isoOf(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}
