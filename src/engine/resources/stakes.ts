// What would be lost or cut short by a plan: jobs that run, results that are nowhere else. Asked of the machines themselves, a few at
// a time, before anybody is asked.
import { rememberedUnfetched, isFetched, seeJobs } from '../in-use.ts';
import { isOutputsKey } from './objects.ts';
import type { Provider } from '../../core/ports.ts';
import type { App } from '../app.ts';
import { inBatches } from './parallel.ts';
import type { Plan, Planned } from './plan.ts';

const MACHINES_AT_ONCE = 8;

/** The provider for the region of a thing. */
export function providerFor(provider: Provider, home: string, region: string): Provider {
  return region === home ? provider : (provider.inRegion?.(region) ?? provider);
}

/** Notes what is at stake. What must not go in a cleanup moves to `leaving`: a machine that trains, results that only the bucket has. */
export async function weigh(app: App, provider: Provider, home: string, plan: Plan): Promise<Plan> {
  const asked = plan.doing.filter(({ item }) => item.kind === 'machine' && item.machine.state === 'running' && item.machine.profile !== undefined);
  if (asked.length > 0) app.report({ kind: 'note', level: 'info', text: asked.length === 1 ? 'asking the machine what runs on it' : `asking ${asked.length} machines what runs on them` });
  const kept = await inBatches(plan.doing, MACHINES_AT_ONCE, async (one): Promise<{ one: Planned; stays?: string }> => {
    if (one.item.kind === 'object') return { one, ...(await objectStays(app, one)) };
    if (one.item.kind !== 'machine') return { one };
    const { machine } = one.item;
    const seen = await seeJobs(app, providerFor(provider, home, machine.region), machine);
    const live = (seen.jobs ?? []).filter(({ phase }) => phase === 'starting' || phase === 'running');
    if (live.length > 0 && one.action === 'terminate') return { one, stays: `${live.map(({ runId }) => runId).join(', ')} still trains on it` };
    const notes = live.map(({ runId }) => `${runId} trains on it and gets time to save`);
    if (one.action === 'terminate' && seen.jobs === undefined) {
      const unfetched = await rememberedUnfetched(app, machine.id);
      // Who asks for leftovers does not mean the only copy of anything.
      if (unfetched.length > 0 && !one.named) return { one, stays: `its disk has the only copy of the results of ${unfetched.join(', ')}: runctl ${provider.name} start ${machine.id} --wait and then terminate fetches them; --run or --older names it all the same` };
      if (unfetched.length > 0) notes.push(`the results of ${unfetched.join(', ')} are not here and are lost with its disk`);
    }
    return { one: { ...one, notes } };
  });
  return {
    doing: kept.filter(({ stays }) => stays === undefined).map(({ one }) => one),
    leaving: [...plan.leaving, ...kept.flatMap(({ one, stays }) => (stays === undefined ? [] : [{ kind: one.kind, id: one.id, why: stays }]))],
  };
}

/** Packed results that were never fetched may exist nowhere else. */
async function objectStays(app: App, { item }: Planned): Promise<{ stays?: string }> {
  const run = item.kind === 'object' ? isOutputsKey(item.key) : undefined;
  if (run === undefined || isFetched(app, await app.ledger(), run)) return {};
  return { stays: `the results of ${run} in it are not here yet` };
}
