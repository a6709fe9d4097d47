// The whole story in one command: create, wait, sync, train, fetch the results, and leave nothing billing behind.
import { RunctlError } from '../core/errors.ts';
import { newRunId } from '../core/ids.ts';
import type { Machine, MachinePlan } from '../core/machine.ts';
import type { Provider, Shell } from '../core/ports.ts';
import type { App } from './app.ts';
import { type Outputs, collectOutputs } from './collect.ts';
import { type CreateRequest, createMachine, waitForNewMachine } from './create.ts';
import { requirePrerequisites } from './doctor.ts';
import { costOfMachine, hourlyText, noteCost } from './money.ts';
import { type Say, type Story, tell } from './steps.ts';
import { type TrainRequest, type TrainResult, describeOutputs, findScript, followJob, judge, launchOn, rescue, resultOf } from './train.ts';
import { waitForState } from './wait.ts';

export type OnFailure = 'terminate' | 'stop' | 'keep';

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
  const runId = newRunId(app.clock.now());
  return tell(app, { runId, verb: 'workflow train', request, project: request.project }, async (story) => {
    await story.step('preflight', 'check prerequisites', () => requirePrerequisites(app, provider, { bucket: app.config.aws.s3_bucket, profile: request.profile }), (checks) => checks.map((check) => check.name).join(', '));
    const startedAt = app.clock.now();
    const { plan, machine } = await createMachine(app, provider, story, { ...request, wait: true, dryRun: false });
    const custody: Custody = { app, provider, story, plan, machine, startedAt, shell: undefined, launched: undefined, outputs: undefined };
    try {
      const ready = await waitForNewMachine(app, provider, story, machine, request.timeoutMs);
      const shell = (custody.shell = await provider.shell(ready));
      const launched = (custody.launched = await launchOn(app, provider, story, ready, shell, { ...request, force: false }, root));
      const status = await followJob(app, provider, story, ready, shell, request.trainTimeoutMs);
      custody.outputs = await story.step('collect', 'fetch results', () => collectOutputs(app, shell, runId), describeOutputs);
      const outcome = judge({ ...launched, ...resultOf(status, custody.outputs) }, status, ready, provider);
      const end = await letGo(custody, request.keep ? 'keep' : 'terminate');
      return { ...outcome, ...end, instanceType: plan.type, market: machine.market, region: plan.region };
    } catch (error) {
      throw await afterFailure(custody, request.onFailure, error);
    }
  });
}

/** A machine in the workflow's care, and what is needed to hand it back properly whatever happened. */
interface Custody {
  app: App;
  provider: Provider;
  story: Story;
  plan: MachinePlan;
  machine: Machine;
  startedAt: number;
  shell: Shell | undefined;
  launched: TrainResult | undefined;
  outputs: Outputs | undefined;
}

/** Rescue what can be rescued, then end the billing as the policy says; the first error stays the one that is told. */
async function afterFailure(custody: Custody, onFailure: OnFailure, error: unknown): Promise<unknown> {
  // Ctrl-C aborted everything that hangs on the old signal; cleaning up must still work. A second Ctrl-C ends the process.
  const app: App = { ...custody.app, signal: new AbortController().signal };
  const care: Custody = { ...custody, app };
  if (care.launched && care.shell && !care.outputs) {
    const stop = custody.app.signal.aborted || (error instanceof RunctlError && error.code === 'timeout');
    await rescue(app, care.story, care.shell, { stop });
  }
  const id = care.machine.id;
  try {
    const end = await letGo(care, onFailure);
    const cost = end.costUsd === undefined ? 'an unknown amount' : `$${end.costUsd.toFixed(6)}`;
    app.report({ kind: 'note', level: 'info', text: `${id} is ${end.machineState}; it has cost ${cost}` });
    if (error instanceof RunctlError && onFailure === 'keep') error.hints.unshift(...comeBack(care));
    if (error instanceof RunctlError) error.data = { ...error.data, machine: id, machineState: end.machineState };
  } catch (failure) {
    app.report({
      kind: 'note', level: 'warning',
      text: `${id} could not be ${onFailure === 'stop' ? 'stopped' : 'terminated'} and may still cost ${hourlyText(care.plan.price)}: ${failure instanceof Error ? failure.message : String(failure)}`,
      hints: [`runctl ${care.provider.name} terminate ${id} --wait`],
    });
  }
  return error;
}

/** Step `release`: the machine goes, stops or stays; says what it cost so far. */
async function letGo(custody: Custody, how: OnFailure): Promise<{ machineState: string; elapsedS: number; costUsd?: number }> {
  const { app, provider, story, machine, plan } = custody;
  const { id } = machine;
  let machineState: string = 'running';
  if (how === 'keep') {
    app.report({ kind: 'note', level: 'warning', text: `${id} keeps running and costs ${hourlyText(plan.price)}`, hints: comeBack(custody) });
  } else {
    const [verb, final] = how === 'stop' ? (['stop', 'stopped'] as const) : (['terminate', 'terminated'] as const);
    const settle = (say?: Say) => waitForState(app, provider, id, final, { timeoutMs: 600_000, say });
    const gone = await story
      .step(verb, `${verb} machine`, async (say) => {
        await story.effect(verb, {
          kind: `${provider.name}.${verb}`,
          request: { machineId: id },
          look: async () => undefined,
          act: () => provider[verb](id, app.signal),
          resource: () => id,
        });
        return settle(say);
      }, (machineNow) => `${id} is ${machineNow.state}`)
      .catch(async (error: unknown) => {
        // A full disk keeps the ledger from remembering; it must not keep the machine on the bill.
        if (!(error instanceof RunctlError) || error.code !== 'state-unusable') throw error;
        await provider[verb](id, app.signal);
        return settle();
      });
    machineState = gone.state;
  }
  const elapsedS = (app.clock.now() - (custody.machine.launchedAt ?? custody.startedAt)) / 1000;
  const cost = costOfMachine(plan.price, elapsedS);
  await noteCost(app, story.runId, id, elapsedS, cost);
  return { machineState, elapsedS, costUsd: cost === undefined ? undefined : cost / 1_000_000 };
}

function comeBack({ provider, machine }: Custody): string[] {
  return [`runctl ${provider.name} monitor ${machine.id} --follow`, `runctl ${provider.name} terminate ${machine.id} --wait`];
}
