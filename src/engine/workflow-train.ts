// The whole story in one command: create, wait, sync, train, fetch the results, and leave nothing billing behind.
import { newRunId } from '../core/ids.ts';
import type { App } from './app.ts';
import { fetchResults } from './collect.ts';
import { type CreateRequest, createMachine, waitForNewMachine } from './create.ts';
import { type Custody, type OnFailure, afterFailure, letGo } from './custody.ts';
import { followJob } from './follow.ts';
import { judge, resultOf } from './judge.ts';
import { launchOn, requireShortArguments } from './launch-job.ts';
import { stopwatch } from './money.ts';
import { describeChecks, preflightWorkflow } from './preflight.ts';
import { tell } from './steps.ts';
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
  market: string;
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
    const elapsed = stopwatch(app.clock);
    const { plan, machine } = await createMachine(app, provider, story, { ...request, wait: true, dryRun: false });
    const custody: Custody = { app, provider, story, plan, machine, elapsed, shell: undefined, launched: undefined, outputs: undefined };
    try {
      const ready = await waitForNewMachine(app, provider, story, machine, request.timeoutMs);
      const shell = (custody.shell = await provider.shell(ready));
      const launched = (custody.launched = await launchOn(app, provider, story, ready, shell, { ...request, force: false }, root));
      const status = await followJob(app, provider, story, ready, shell, request.trainTimeoutMs);
      custody.outputs = await fetchResults(app, provider, story, ready, shell, status);
      const outcome = judge({ ...launched, ...resultOf(status, custody.outputs) }, status, ready, provider, { script: request.script, args: request.args, machineStays: request.onFailure === 'keep' });
      const end = await letGo(custody, request.keep ? 'keep' : 'terminate');
      return { ...outcome, ...end, instanceType: plan.type, market: machine.market, region: plan.region };
    } catch (error) {
      throw await afterFailure(custody, request.onFailure, error);
    }
  });
}
