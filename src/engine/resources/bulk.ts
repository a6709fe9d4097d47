// stop-all and cleanup: look, plan, say what is at stake, ask once, do it side by side, tell each outcome.
import { RunctlError } from '../../core/errors.ts';
import { newRunId } from '../../core/ids.ts';
import type { App } from '../app.ts';
import { tell } from '../steps.ts';
import { type Outcome, carryOut, outcomeOf } from './carry-out.ts';
import type { MachineFilter } from './filters.ts';
import type { Where } from './list.ts';
import { ownerName } from './owner.ts';
import { completed } from './warnings.ts';
import { type LeftAlone, type Plan, planCleanup, planStopAll } from './plan.ts';
import { weigh } from './stakes.ts';
import { type Survey, survey } from './survey.ts';

export interface BulkRequest extends Where, MachineFilter {
  /** Say what would be done, and do nothing. */
  dryRun: boolean;
  /** No question; no time to save, nothing is fetched. */
  force: boolean;
}

export interface CleanupRequest extends BulkRequest {
  state?: 'running' | 'stopped';
  snapshots: boolean;
}

export interface BulkResult {
  runId?: string;
  dryRun: boolean;
  /** Whose things were looked at. */
  owner: string;
  outcomes: Outcome[];
  done: number;
  failed: number;
  left: LeftAlone[];
  regions: string[];
  unanswered: { region: string; kind: string; reason: string }[];
}

/** How to look without touching anything, and how to mean it: flags for what was typed, so that nothing more is meant than before. */
export const AGAIN = ['--dry-run', '--yes'] as const;

/** Shows the plan and asks. True for yes; throws `declined` when nobody can be asked. */
export type Confirm = (plan: Plan) => Promise<boolean>;

export async function stopAll(app: App, request: BulkRequest, confirm: Confirm): Promise<BulkResult> {
  const owner = request.owner ?? ownerName(app);
  const found = await survey(app, { ...placeOf(request), owner, project: request.project, run: request.run, type: request.type, kinds: ['machine', 'volume'], states: ['pending', 'running'] });
  return bulk(app, 'stop-all', request, owner, found, planStopAll(found, { ...filterOf(request), owner }), confirm);
}

export async function cleanup(app: App, request: CleanupRequest, confirm: Confirm): Promise<BulkResult> {
  const owner = request.owner ?? ownerName(app);
  const found = await survey(app, { ...placeOf(request), owner, project: request.project, run: request.run, type: request.type });
  return bulk(app, 'cleanup', request, owner, found, planCleanup(found, { ...filterOf(request), owner, snapshots: request.snapshots, ...(request.state ? { state: request.state } : {}) }), confirm);
}

async function bulk(app: App, verb: 'stop-all' | 'cleanup', request: BulkRequest, owner: string, found: Survey, wanted: Plan, confirm: Confirm): Promise<BulkResult> {
  for (const { region, reason } of found.failed) app.report({ kind: 'note', level: 'warning', text: `${region} did not answer, nothing is done there: ${reason}`, hints: ['runctl doctor'] });
  // What runs on machines is asked even by force when they are to go for good.
  const plan = verb === 'stop-all' && request.force && !request.dryRun ? wanted : await weigh(app, found.provider, found.home, wanted);
  const result = (outcomes: Outcome[], runId?: string): BulkResult => ({
    ...(runId === undefined ? {} : { runId }),
    dryRun: request.dryRun, owner, outcomes,
    done: outcomes.filter(({ outcome }) => outcome === 'done' || outcome === 'gone').length,
    failed: outcomes.filter(({ outcome }) => outcome === 'failed').length,
    left: plan.leaving.map(({ hints, ...one }) => ({ ...one, ...(hints ? { hints: completed(app, hints) } : {}) })), regions: found.regions, unanswered: found.failed,
  });
  if (request.dryRun || plan.doing.length === 0) return result(plan.doing.map((one) => outcomeOf(one, 'planned')));
  if (!request.force && !(await confirm(plan))) {
    throw new RunctlError('declined', 'nothing was touched', { hints: [...AGAIN] });
  }
  const runId = newRunId(app.clock.now());
  return tell(app, { runId, verb, request, project: request.project }, async (story) => result(await carryOut(app, story, { provider: found.provider, home: found.home, force: request.force }, plan.doing), runId));
}

function placeOf({ provider, regions }: Where): Where {
  return { provider, ...(regions === undefined ? {} : { regions }) };
}

function filterOf({ project, run, type, olderMs }: MachineFilter): MachineFilter {
  return { project, run, type, olderMs };
}
