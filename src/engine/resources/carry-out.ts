// Carries out a plan that somebody has agreed to: side by side, each effect through the ledger, each outcome told. One that fails
// stops no other.
import { RunctlError } from '../../core/errors.ts';
import type { Machine } from '../../core/machine.ts';
import { requireOurs } from '../../core/ownership.ts';
import type { Provider } from '../../core/ports.ts';
import type { App } from '../app.ts';
import { noteMachine } from '../cost/cost-actual.ts';
import { makeWay } from '../make-way.ts';
import { answerFor, wrongState } from '../states.ts';
import type { Story } from '../steps.ts';
import { inBatches } from './parallel.ts';
import type { Planned } from './plan.ts';
import { providerFor } from './stakes.ts';

export interface Outcome {
  kind: string;
  id: string;
  region: string;
  action: Planned['action'];
  why: string;
  notes: string[];
  costPerHourUsd?: number;
  /** planned: only rehearsed. gone: somebody was quicker. */
  outcome: 'planned' | 'done' | 'gone' | 'failed';
  /** Of what failed. */
  reason?: string;
  /** Why, where somebody told: often the cloud's own words. */
  cause?: string;
}

export interface Hands {
  provider: Provider;
  home: string;
  /** At once: no time to save, nothing is fetched. */
  force: boolean;
}

const AT_ONCE = 6;

export function carryOut(app: App, story: Story, hands: Hands, doing: readonly Planned[]): Promise<Outcome[]> {
  let settled = 0;
  return inBatches(doing, AT_ONCE, async (one): Promise<Outcome> => {
    try {
      const done = await story.step(`${one.action} ${one.id}`, `${one.action} ${one.id}`, () => act(app, story, hands, one), (outcome) => (outcome === 'gone' ? 'gone already' : undefined));
      settled += 1;
      return outcomeOf(one, done);
    } catch (error) {
      if (app.signal.aborted) throw cutShort(error, settled, doing.length);
      if (!(error instanceof RunctlError)) throw error;
      return { ...outcomeOf(one, 'failed'), reason: error.message, ...(error.reason === undefined ? {} : { cause: error.reason }) };
    }
  });
}

/** Ctrl-C in the middle: what was not reached goes on running, and costs. */
function cutShort(error: unknown, settled: number, all: number): RunctlError {
  return new RunctlError('interrupted', error instanceof RunctlError ? error.message : 'interrupted', {
    cause: `${settled} of ${all} ${settled === 1 ? 'is' : 'are'} done. The others are as they were, or were just asked to end; what still runs costs on.`,
    hints: ['--dry-run', 'runctl resources list'],
    source: error,
  });
}

export function outcomeOf({ kind, id, region, action, why, notes, hourlyMicroUsd }: Planned, outcome: Outcome['outcome']): Outcome {
  return { kind, id, region, action, why, notes, ...(hourlyMicroUsd === undefined ? {} : { costPerHourUsd: hourlyMicroUsd / 1_000_000 }), outcome };
}

async function act(app: App, story: Story, hands: Hands, one: Planned): Promise<'done' | 'gone'> {
  const provider = providerFor(hands.provider, hands.home, one.region);
  const { item } = one;
  const effect = <T>(work: () => Promise<T>): Promise<T> =>
    story.effect(`${one.action} ${one.id}`, {
      kind: `${provider.name}.${one.action}${item.kind === 'machine' ? '' : `-${item.kind}`}`,
      request: { id: one.id, region: one.region },
      look: async () => undefined, // asking for the same end twice is harmless
      act: work,
      resource: () => one.id,
    });
  if (item.kind !== 'machine') {
    await effect(async () => ((await provider.dispose?.(item, app.signal)), null));
    return 'done';
  }
  const verb = one.action === 'stop' ? 'stop' : 'terminate';
  // Between the question and now somebody may have protected, stopped or used it.
  const now = await provider.find(item.id, app.signal);
  if (!now || answerFor(verb, now.state) === 'done') return 'gone';
  requireOurs(now.id, now.tags, provider.name);
  if (answerFor(verb, now.state) === 'no') throw wrongState(verb, now);
  // Without a profile nobody has hands on it: there is nothing to end in order and nothing to fetch.
  if (!hands.force && now.state === 'running' && now.profile !== undefined) await makeWay({ ...app, ask: async () => true }, provider, story, verb, now, { graceS: app.config.train.stop_grace_seconds, fetch: true });
  // Its address and its disks are there to be seen for the last time.
  await noteMachine(app, provider, now);
  const changed = await effect((): Promise<Machine> => provider[verb](item.id, app.signal));
  await noteMachine(app, provider, changed);
  return 'done';
}
