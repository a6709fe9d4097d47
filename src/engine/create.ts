// Create a machine: plan, say the price, create it once, and wait until it can be used.
import { userInfo } from 'node:os';
import { basename } from 'node:path';
import { ONE_DAY_HOURS } from '../cost/cost.ts';
import { RunctlError } from '../core/errors.ts';
import { newRunId } from '../core/ids.ts';
import { type Machine, type MachinePlan, type MachineRequest, runningMicroUsdPerHour } from '../core/machine.ts';
import type { Provider } from '../core/ports.ts';
import type { App } from './app.ts';
import { hourlyText } from './money.ts';
import { describeChecks, machineWish, preflightCreate } from './preflight.ts';
import { type Story, tell } from './steps.ts';
import { pollDelays, proveShell, waitForState } from './wait.ts';

/** The machine that is wanted; whatever is absent comes from the settings, then from the provider. */
export interface NewMachine extends Omit<MachineRequest, 'tags'> {
  project?: string;
}

export interface CreateRequest extends NewMachine {
  provider: string;
  wait: boolean;
  timeoutMs: number;
  dryRun: boolean;
}

export interface CreateResult {
  runId?: string;
  instanceId?: string;
  instanceType: string;
  market: string;
  state: string;
  region: string;
  zone?: string;
  publicIp?: string;
  privateIp?: string;
  image: string;
  iamInstanceProfile?: string;
  costPerHourUsd?: number;
  priceSource: string;
  /** What is known of the way in: `connected` (a command came back), `not-proven`, `none`. */
  ssm: 'connected' | 'not-proven' | 'none';
  dryRun: boolean;
}

export async function create(app: App, request: CreateRequest): Promise<CreateResult> {
  const provider = await app.provider(request.provider);
  if (request.dryRun) {
    await preflightCreate(app, provider, request);
    const plan = await planMachine(app, provider, request, 'dry-run');
    await provider.rehearse(plan, app.signal);
    return resultOf(plan, undefined, 'not-proven', true);
  }
  const runId = newRunId(app.clock.now());
  return tell(app, { runId, verb: 'create', request, project: request.project }, async (story) => {
    await story.step('preflight', 'check prerequisites', () => preflightCreate(app, provider, request), describeChecks);
    const { plan, machine } = await createMachine(app, provider, story, request);
    if (!request.wait) return { runId, ...resultOf(plan, machine, plan.profile ? 'not-proven' : 'none', false) };
    const ready = await waitForNewMachine(app, provider, story, machine, request.timeoutMs).catch((error: unknown) => {
      throw stillThere(error, provider, machine, plan);
    });
    return { runId, ...resultOf(plan, ready, plan.profile ? 'connected' : 'none', false) };
  });
}

/** Steps `plan` and `create`, shared with the workflow. The machine carries the run's tags from its first moment. */
export async function createMachine(app: App, provider: Provider, story: Story, request: CreateRequest): Promise<{ plan: MachinePlan; machine: Machine }> {
  const plan = await story.step('plan', 'plan machine', () => planMachine(app, provider, request, story.runId), describePlan);
  sayPrice(app, plan);
  const machine = await story.step(
    'create',
    'create machine',
    () =>
      story.effect('create', {
        kind: `${provider.name}.create`,
        request: plan,
        look: (token) => provider.findByToken(token, app.signal),
        act: async (token) => {
          if (app.stake) app.stake.launchToken = token;
          return provider.create(plan, token, app.signal);
        },
        resource: (made: Machine) => made.id,
        undo: async (token) => {
          const undone = await reclaim(app, provider, token);
          if (undone && app.stake) app.stake.launchToken = undefined;
          return undone;
        },
      }),
    (made) => `${made.market} ${made.id}`,
  );
  if (app.stake) Object.assign(app.stake, { launchToken: undefined, price: runningMicroUsdPerHour(plan.price) === undefined ? undefined : hourlyText(plan.price) });
  story.setMachine(machine.id, provider.name);
  return { plan, machine };
}

/** Steps `running` and `ssm`: with a profile the machine counts as ready only when a command came back from it. */
export async function waitForNewMachine(app: App, provider: Provider, story: Story, machine: Machine, timeoutMs: number): Promise<Machine> {
  const deadline = app.clock.monotonic() + timeoutMs;
  const running = await story.step('running', 'wait until running', (say) => waitForState(app, provider, machine.id, 'running', { timeoutMs, say }), (now) => now.publicIp);
  if (!running.profile) {
    app.report({ kind: 'note', level: 'warning', text: 'machine is running; SSM is not available: it has no instance profile', hints: [`runctl ${provider.name} create ${machine.type} --iam-instance-profile runctl-ssm-profile --wait`] });
    return running;
  }
  await story.step('ssm', 'wait for SSM', (say) => proveShell(app, provider, running, { timeoutMs: deadline - app.clock.monotonic(), say }).then(() => null), () => 'connected');
  return running;
}

/** How long a machine that was just made may be unknown to those who ask by its token. */
const RECLAIM_MS = 4000;

/** Nobody knows whether the machine was made. If it was, nobody would ever use it and somebody would pay for it: it goes. */
async function reclaim(app: App, provider: Provider, token: string): Promise<boolean> {
  // After Ctrl-C too; a second one ends the process.
  const { signal } = new AbortController();
  const deadline = app.clock.monotonic() + RECLAIM_MS;
  try {
    for (const delayMs of pollDelays()) {
      const machine = await provider.findByToken(token, signal);
      if (machine) {
        await provider.terminate(machine.id, signal);
        app.report({ kind: 'note', level: 'warning', text: `${machine.id} had been made all the same and was terminated` });
        return true;
      }
      if (app.clock.monotonic() + delayMs > deadline) return false;
      await app.clock.sleep(delayMs, signal);
    }
  } catch (error) {
    app.report({
      kind: 'note', level: 'warning',
      text: `it is not known whether a machine was made: ${error instanceof Error ? error.message : String(error)}`,
      hints: [`aws ec2 describe-instances --filters Name=client-token,Values=${token}`],
    });
  }
  return false;
}

/** A machine that was made but is not ready costs all the same: whoever reads the error must learn of it. */
function stillThere(error: unknown, provider: Provider, machine: Machine, plan: MachinePlan): unknown {
  if (!(error instanceof RunctlError)) return error;
  const { code, message, reason, hints, step, data, source } = error;
  return new RunctlError(code, message, {
    cause: [reason, `${machine.id} was created and costs ${hourlyText(plan.price)}.`].filter(Boolean).join('\n'),
    hints: [...new Set([`runctl ${provider.name} wait ${machine.id}`, `runctl ${provider.name} terminate ${machine.id} --wait`, ...hints])],
    step, source,
    data: { ...data, machine: machine.id },
  });
}

async function planMachine(app: App, provider: Provider, request: CreateRequest, runId: string): Promise<MachinePlan> {
  const aws = app.config.aws;
  const project = request.project ?? projectName(app);
  const [existing, plan] = await Promise.all([
    provider.list(app.signal),
    provider.plan(
      {
        ...machineWish(app, request),
        tags: {
          Name: `runctl-${project}`,
          'runctl:run': runId,
          'runctl:project': project,
          'runctl:owner': aws.owner ?? userInfo().username,
          'runctl:created': new Date(app.clock.now()).toISOString(),
        },
      },
      app.signal,
    ),
  ]);
  const alive = existing.filter((machine) => machine.state !== 'shutting-down' && machine.state !== 'terminated');
  if (alive.length >= aws.max_instances) {
    throw new RunctlError('limit-reached', `${alive.length} machines made by runctl exist already; the limit is ${aws.max_instances}`, {
      hints: ['runctl runs list', `runctl ${provider.name} stop INSTANCE_ID`, `runctl ${provider.name} terminate INSTANCE_ID`, `runctl config set aws.max_instances ${aws.max_instances * 2}`],
    });
  }
  return plan;
}

/** What machines and runs are filed under: the setting, else the directory's name made fit for a tag. */
export function projectName(app: App): string {
  return app.config.aws.project_name ?? (basename(app.cwd).replace(/[^\w.-]+/g, '-').slice(0, 64) || 'project');
}

export function sayPrice(app: App, plan: MachinePlan): void {
  const hourly = runningMicroUsdPerHour(plan.price);
  app.report({
    kind: 'cost.estimated',
    type: plan.type,
    market: plan.market,
    hourlyMicroUsd: hourly,
    dailyMicroUsd: hourly === undefined ? undefined : hourly * ONE_DAY_HOURS,
    source: plan.price.source,
  });
}

function describePlan(plan: MachinePlan): string {
  return [plan.type, plan.market, plan.zone ?? plan.region, plan.image.name || plan.image.id, plan.profile ? `profile ${plan.profile}` : 'no profile'].join(', ');
}

function resultOf(plan: MachinePlan, machine: Machine | undefined, ssm: CreateResult['ssm'], dryRun: boolean): CreateResult {
  const hourly = runningMicroUsdPerHour(plan.price);
  return {
    instanceId: machine?.id,
    instanceType: plan.type,
    market: machine?.market ?? plan.market,
    state: machine?.state ?? 'planned',
    region: plan.region,
    zone: machine?.zone ?? plan.zone,
    publicIp: machine?.publicIp,
    privateIp: machine?.privateIp,
    image: plan.image.id,
    iamInstanceProfile: plan.profile,
    costPerHourUsd: hourly === undefined ? undefined : hourly / 1_000_000,
    priceSource: plan.price.source,
    ssm,
    dryRun,
  };
}
