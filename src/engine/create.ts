// Create a machine: check, buy it (buy.ts), and wait until it can be used.
import { RunctlError } from '../core/errors.ts';
import { newRunId } from '../core/ids.ts';
import type { Lease } from '../core/lease.ts';
import { type Machine, type MachinePlan, type Pool, hourlyWith, runningMicroUsdPerHour } from '../core/machine.ts';
import { MICROS_PER_USD } from '../core/money.ts';
import type { Provider } from '../core/ports.ts';
import type { App } from './app.ts';
import { type NewMachine, buyMachine } from './buying/buy.ts';
import { completeRequest, requireRoom } from './buying/buy-request.ts';
import { orderPools } from './buying/buy-spot.ts';
import { estimateOf, sayEstimate } from './buying/estimate.ts';
import { explainTakenBack, settleTakenBack } from './buying/taken-back.ts';
import { bindLease, holdLease, leaseText } from './lease/lease.ts';
import { hourlyText, stopwatch } from './cost/money.ts';
import { freshCommand } from './fresh.ts';
import { describeChecks, onMarket, preflightCreate } from './preflight.ts';
import { type Story, tell } from './steps.ts';
import { proveShell, waitForState } from './wait.ts';

export type { NewMachine } from './buying/buy.ts';
export { projectName } from './buying/buy-request.ts';

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
  /** What was obtained. */
  market: string;
  /** On demand because no spot capacity was found, and somebody decided so. */
  fellBack: boolean;
  spotRequestId?: string;
  state: string;
  region: string;
  zone?: string;
  publicIp?: string;
  privateIp?: string;
  image: string;
  iamInstanceProfile?: string;
  costPerHourUsd?: number;
  /** The same machine on demand; only of spot machines. */
  onDemandPerHourUsd?: number;
  /** What spot saves of it. */
  savingPercent?: number;
  priceSource: string;
  /** For `expectedHours`, and at most (by the lease, or by the highest spot price); absent: nobody knows, or nothing bounds it. */
  expectedHours: number;
  expectedCostUsd?: number;
  worstCostUsd?: number;
  /** What bounds it, in words. */
  lease?: string;
  /** What is known of the way in: `connected` (a command came back), `not-proven`, `none`. */
  ssm: 'connected' | 'not-proven' | 'none';
  dryRun: boolean;
}

export async function create(app: App, request: CreateRequest): Promise<CreateResult> {
  const provider = await app.provider(request.provider);
  if (request.dryRun) return rehearse(app, provider, request);
  const runId = newRunId(app.clock.now());
  return tell(app, { runId, verb: 'create', request, project: request.project }, async (story) => {
    await story.step('preflight', 'check prerequisites', () => preflightCreate(app, provider, request), describeChecks);
    const elapsed = stopwatch(app.clock);
    const { plan, lease, machine, fellBack } = await buyMachine(app, provider, story, request);
    const facts = { hours: request.hours, fellBack, lease };
    if (!request.wait) return { runId, ...resultOf(plan, machine, plan.profile ? 'not-proven' : 'none', facts) };
    const ready = await waitForNewMachine(app, provider, story, machine, request.timeoutMs)
      .then(async (answering) => {
        if (lease && plan.profile) await holdLease(app, provider, story, answering, await provider.shell(answering), lease);
        return answering;
      })
      .catch(async (error: unknown) => {
        await settleTakenBack(app, provider, runId, { machine, plan, lease, elapsedS: elapsed() }, error);
        throw await explainTakenBack(app, provider, machine, runId, stillThere(error, provider, machine, plan));
      });
    return { runId, ...resultOf(plan, ready, plan.profile ? 'connected' : 'none', facts) };
  });
}

/** --dry-run: the plan, what it would cost in both markets, and whether the cloud would allow it. */
async function rehearse(app: App, provider: Provider, request: CreateRequest): Promise<CreateResult> {
  await preflightCreate(app, provider, request);
  const wish = completeRequest(app, request, 'dry-run');
  const types = request.spot?.types ?? [request.type];
  const zones = request.zones ?? (request.zone === undefined ? undefined : [request.zone]);
  const places = async (): Promise<Pool[]> => orderPools((await provider.pools?.({ request: { ...wish, ...onMarket(request.spot) }, types, ...(zones ? { zones } : {}) }, app.signal)) ?? [], types);
  // For on-demand machines the other market is there for comparison only: what it cannot tell stops nothing.
  const [pools] = await Promise.all([request.spot ? places() : places().catch((): Pool[] => []), requireRoom(app, provider)]);
  const first = request.spot ? pools[0] : undefined;
  const planned = await provider.plan({ ...wish, ...onMarket(request.spot), ...(first ? { type: first.type, zone: first.zone } : zones?.[0] === undefined ? {} : { zone: zones[0] }) }, app.signal);
  const { plan, lease } = bindLease(app, planned, request.lease);
  sayEstimate(app, plan, { hours: request.hours, lease, spot: pools.find((pool) => pool.type === plan.type) });
  await provider.rehearse(plan, app.signal);
  return resultOf(plan, undefined, 'not-proven', { hours: request.hours, fellBack: false, lease });
}

/** Steps `running` and `ssm`: with a profile the machine counts as ready only when a command came back from it. */
export async function waitForNewMachine(app: App, provider: Provider, story: Story, machine: Machine, timeoutMs: number): Promise<Machine> {
  const deadline = app.clock.monotonic() + timeoutMs;
  const running = await story.step('running', 'wait until running', (say) => waitForState(app, provider, machine.id, 'running', { timeoutMs, say }), (now) => now.publicIp);
  if (!running.profile) {
    app.report({ kind: 'note', level: 'warning', text: 'machine is running; SSM is not available: it has no instance profile', hints: [freshCommand(machine, '--iam-instance-profile runctl-ssm-profile')] });
    return running;
  }
  await story.step('ssm', 'wait for SSM', (say) => proveShell(app, provider, running, { timeoutMs: deadline - app.clock.monotonic(), say }).then(() => null), () => 'connected');
  return running;
}

/** A machine that was made but is not ready costs all the same: whoever reads the error must learn of it. */
function stillThere(error: unknown, provider: Provider, machine: Machine, plan: MachinePlan): unknown {
  if (!(error instanceof RunctlError)) return error;
  const { code, message, reason, hints, step, data, source } = error;
  if (code === 'machine-lost' && !['stopped', 'stopping'].includes(String(data?.['state']))) return error;
  return new RunctlError(code, message, {
    cause: [reason, `${machine.id} was created and costs ${hourlyText(plan.price)}.`].filter(Boolean).join('\n'),
    hints: [...new Set([`runctl ${provider.name} wait ${machine.id}`, `runctl ${provider.name} terminate ${machine.id} --wait`, ...hints])],
    step, source,
    data: { ...data, machine: machine.id },
  });
}

function resultOf(plan: MachinePlan, machine: Machine | undefined, ssm: CreateResult['ssm'], { hours, fellBack, lease }: { hours?: number; fellBack: boolean; lease?: Lease }): CreateResult {
  const hourly = runningMicroUsdPerHour(plan.price);
  const onDemand = plan.market === 'spot' ? hourlyWith(plan.price, plan.price.onDemandMicroUsd) : undefined;
  const estimate = estimateOf(plan, { hours, lease });
  return {
    instanceId: machine?.id,
    instanceType: machine?.type ?? plan.type,
    market: machine?.market ?? plan.market,
    fellBack,
    spotRequestId: machine?.spotRequestId,
    state: machine?.state ?? 'planned',
    region: plan.region,
    zone: machine?.zone ?? plan.zone,
    publicIp: machine?.publicIp,
    privateIp: machine?.privateIp,
    image: plan.image.id,
    iamInstanceProfile: plan.profile,
    costPerHourUsd: usd(hourly),
    onDemandPerHourUsd: usd(onDemand),
    savingPercent: hourly === undefined || !onDemand ? undefined : Math.round((1 - hourly / onDemand) * 100),
    priceSource: plan.price.source,
    expectedHours: estimate.hours,
    expectedCostUsd: usd(estimate.expectedMicroUsd),
    worstCostUsd: usd(estimate.worstMicroUsd),
    lease: lease && leaseText(lease),
    ssm,
    dryRun: machine === undefined,
  };
}

const usd = (micros: number | undefined): number | undefined => (micros === undefined ? undefined : micros / MICROS_PER_USD);
