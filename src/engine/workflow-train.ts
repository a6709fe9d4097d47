// The whole story in one command: create, wait, sync, train, fetch the results, and leave nothing billing behind.
import { newRunId } from '../core/ids.ts';
import type { MachinePlan } from '../core/machine.ts';
import { MICROS_PER_USD } from '../core/money.ts';
import type { App } from './app.ts';
import { fetchResults } from './collect.ts';
import { buyMachine } from './buying/buy.ts';
import { type CreateRequest, waitForNewMachine } from './create.ts';
import { type Custody, type OnFailure, afterFailure, letGo } from './custody.ts';
import { followJob } from './follow.ts';
import { judge, resultOf } from './judge.ts';
import { launchOn, requireShortArguments } from './launch-job.ts';
import { holdLease } from './lease/lease.ts';
import { costOfMachine, stopwatch } from './cost/money.ts';
import { describeChecks, preflightWorkflow } from './preflight.ts';
import { tell } from './steps.ts';
import { explainTakenBack } from './buying/taken-back.ts';
import { type TrainRequest, type TrainResult, findScript } from './train.ts';

export interface WorkflowTrainRequest extends Omit<CreateRequest, 'wait' | 'dryRun'>, Omit<TrainRequest, 'machineId' | 'wait' | 'force' | 'timeoutMs'> {
  /** What becomes of the machine when the training, or anything after its creation, fails. */
  onFailure: OnFailure;
  /** Keep the machine after success. */
  keep: boolean;
  trainTimeoutMs?: number;
}

export interface WorkflowTrainResult extends TrainResult {
  instanceType: string;
  /** What was obtained. */
  market: string;
  /** On demand because no spot capacity was found, and somebody decided so. */
  fellBack: boolean;
  /** What the same time would have cost on demand; only of spot machines. */
  onDemandCostUsd?: number;
  zone?: string;
  region: string;
  /** State in which the machine was left. */
  machineState: string;
}

export async function workflowTrain(app: App, request: WorkflowTrainRequest): Promise<WorkflowTrainResult> {
  const root = await findScript(app, request);
  const provider = await app.provider(request.provider);
  requireShortArguments(provider, request.args);
  const runId = newRunId(app.clock.now());
  return tell(app, { runId, verb: 'workflow train', request, project: request.project }, async (story) => {
    await story.step('preflight', 'check prerequisites', () => preflightWorkflow(app, provider, request, root), describeChecks);
    const { plan, lease, machine, fellBack } = await buyMachine(app, provider, story, request);
    // Looking for spot capacity may take long, and costs nothing.
    const elapsed = stopwatch(app.clock);
    const onFailure = policyFor(app, machine.market, request.onFailure);
    const custody: Custody = { app, provider, story, plan, lease, machine, elapsed, shell: undefined, launched: undefined, outputs: undefined };
    try {
      const ready = await waitForNewMachine(app, provider, story, machine, request.timeoutMs);
      const shell = (custody.shell = await provider.shell(ready));
      await holdLease(app, provider, story, ready, shell, lease);
      const launched = (custody.launched = await launchOn(app, provider, story, ready, shell, { ...request, force: false }, root));
      const status = await followJob(app, provider, story, ready, shell, request.trainTimeoutMs);
      custody.outputs = await fetchResults(app, provider, story, ready, shell, status);
      const outcome = judge({ ...launched, ...resultOf(status, custody.outputs) }, status, ready, provider, { script: request.script, args: request.args, machineStays: onFailure === 'keep' });
      const end = await letGo(custody, request.keep ? 'keep' : 'terminate');
      return { ...outcome, ...end, ...saving(plan, end.elapsedS, end.costUsd), instanceType: machine.type, market: machine.market, fellBack, zone: machine.zone, region: plan.region };
    } catch (error) {
      throw await explainTakenBack(app, provider, machine, runId, await afterFailure(custody, onFailure, error));
    }
  });
}

/** A spot machine that was bought once cannot be stopped and started again: only terminated. */
function policyFor(app: App, market: string, wanted: OnFailure): OnFailure {
  if (market !== 'spot' || wanted !== 'stop') return wanted;
  app.report({ kind: 'note', level: 'warning', text: 'a spot machine cannot be stopped: on failure its results are fetched and it is terminated', hints: ['--on-failure keep', '--on-demand'] });
  return 'terminate';
}

function saving({ market, price }: MachinePlan, seconds: number, costUsd: number | undefined): Pick<WorkflowTrainResult, 'onDemandCostUsd'> {
  if (market !== 'spot' || price.onDemandMicroUsd === undefined || costUsd === undefined) return {};
  const onDemand = costOfMachine({ ...price, computeMicroUsd: price.onDemandMicroUsd }, seconds);
  return onDemand === undefined ? {} : { onDemandCostUsd: onDemand / MICROS_PER_USD };
}
