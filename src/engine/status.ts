// What a machine and its training are doing, asked at once: state and way in, and the agent's own word on the job.
import { parseStatus } from '../agent/parse.ts';
import { renderStatus } from '../agent/render.ts';
import { RunctlError } from '../core/errors.ts';
import type { JobStatus } from '../core/job.ts';
import { LEASE_TAG } from '../core/lease.ts';
import { type HourlyPrice, type Machine, hourlyWith, runningMicroUsdPerHour } from '../core/machine.ts';
import { MICROS_PER_USD } from '../core/money.ts';
import type { Provider, Readiness, Shell } from '../core/ports.ts';
import { parseMetrics } from '../metrics/metrics.ts';
import type { App } from './app.ts';
import type { CodeSync } from './code-sync.ts';
import type { LeaseOutlook } from './lease/lease-status.ts';
import { rememberCheckpoints } from './cost/checkpoint-mark.ts';
import { noSuchMachine } from './states.ts';

export interface TrainingStatus {
  instanceId: string;
  /** none, starting, running, succeeded, failed, lost; `unknown` when the machine could not be asked (see `reason`). */
  phase: JobStatus['phase'] | 'unknown';
  reason?: string;
  runId?: string;
  script?: string;
  exitCode?: number;
  startedAt?: string;
  endedAt?: string;
  heartbeatAgeS?: number;
  epoch?: number;
  epochs?: number;
  loss?: number;
  accuracy?: number;
  checkpoint?: string;
  logPath?: string;
  logBytes?: number;
  /** Why the machine's lease ended it: cost, hours or idle. */
  endedByLease?: string;
  /** Seconds until the machine's lease ends. */
  leaseLeftS?: number;
}

export interface StatusResult {
  instanceId: string;
  instanceType: string;
  state: string;
  stateReason?: string;
  market: string;
  /** While it runs, disk and address included. Absent: nobody could tell. */
  costPerHourUsd?: number;
  /** The same machine on demand; only of spot machines. */
  onDemandPerHourUsd?: number;
  spotRequestId?: string;
  /** The cloud took it back. */
  interrupted?: boolean;
  region: string;
  zone?: string;
  publicIp?: string;
  privateIp?: string;
  launchedAt?: string;
  iamInstanceProfile?: string;
  ssm: string;
  ssmDetail: string;
  /** on, ending, off (lifted), none, or `ended`: it powered the machine off. Absent: nobody knows. */
  lease?: LeaseOutlook['lease'];
  leaseAllowedS?: number;
  leaseUsedS?: number;
  leaseLeftS?: number;
  leaseIdleStopS?: number;
  leaseOnEnd?: LeaseOutlook['leaseOnEnd'];
  leaseReason?: LeaseOutlook['leaseReason'];
  /** Of one that is over: "after 8 h", and the commands that let its owner go on. */
  leaseEnded?: string;
  leaseFix?: string[];
  /** Whether code could be sent to it now: ready, limited (small projects only), not-ready. */
  codeSync: CodeSync['state'];
  codeSyncDetail: string;
  codeSyncFix?: string;
  trainingStatus: string;
  training: TrainingStatus;
}

export async function status(app: App, request: { provider: string; machineId: string }): Promise<StatusResult> {
  const provider = await app.provider(request.provider);
  const id = request.machineId;
  // The id is all that both questions need: asking at once costs one round trip instead of two. The slower goes first, and
  // while it is on its way the client for the other is loaded.
  const shell = await provider.shell({ id });
  const asked = askTraining(app, shell, id, undefined);
  await Promise.race([asked, headStart(app)]);
  const ahead = import('./code-sync.ts').then(async (codeSync) => ({ ...codeSync, outlook: await codeSync.lookAhead(app, provider) }));
  const found = provider.find(id, app.signal);
  // The price is on its way while the machine itself is asked, which takes longer.
  const priced = found.then((machine) => machine && priceOf(app, provider, machine), () => undefined);
  const [machine, asking, { judgeCodeSync, outlook }, price] = await Promise.all([found, asked, ahead, priced]);
  if (!machine) throw noSuchMachine(provider.name, id);
  // The cloud forgets a terminated machine after an hour: when it ended, and whether it was taken back, is remembered from here on.
  if (machine.state !== 'running' && machine.state !== 'pending') await (await import('./cost/cost-actual.ts')).noteMachine(app, provider, machine);
  const { training } = asking;
  const [ready, lease] = await Promise.all([wayIn(app, provider, machine, training), leaseNow(app, machine, asking)]);
  // Commands to paste: they shall ask the same cloud.
  const complete = (command: string): string => app.completeHint?.(command) ?? command;
  const codeSync = judgeCodeSync(machine, ready, outlook);
  return {
    instanceId: id,
    instanceType: machine.type,
    state: machine.state,
    stateReason: machine.stateReason,
    market: machine.market,
    costPerHourUsd: price && usd(runningMicroUsdPerHour(price)),
    onDemandPerHourUsd: price && machine.market === 'spot' ? usd(hourlyWith(price, price.onDemandMicroUsd)) : undefined,
    spotRequestId: machine.spotRequestId,
    ...(machine.interrupted ? { interrupted: true } : {}),
    region: machine.region,
    zone: machine.zone,
    publicIp: machine.publicIp,
    privateIp: machine.privateIp,
    launchedAt: isoTime(machine.launchedAt),
    iamInstanceProfile: machine.profile,
    ...lease,
    ...(lease?.leaseFix ? { leaseFix: lease.leaseFix.map(complete) } : {}),
    ssm: ready.state,
    ssmDetail: ready.detail,
    codeSync: codeSync.state,
    codeSyncDetail: codeSync.detail,
    codeSyncFix: codeSync.fix && complete(codeSync.fix),
    trainingStatus: training.phase,
    training: machine.state !== 'running' ? { instanceId: id, phase: 'unknown', reason: `machine is ${machine.state}` } : training.phase === 'unknown' && ready.state === 'none' ? { ...training, reason: ready.detail } : training,
  };
}

/** What tells of leases is loaded for machines that have or had one. */
async function leaseNow(app: App, machine: Machine, { training, job }: Asked): Promise<LeaseOutlook | undefined> {
  const answered = machine.state === 'running' && training.phase !== 'unknown';
  if (machine.tags[LEASE_TAG] === undefined && !job?.lease) return answered ? { lease: 'none' } : undefined;
  const { leaseOutlook } = await import('./lease/lease-status.ts');
  return leaseOutlook(machine, answered ? job?.lease : undefined, app.clock.now());
}

/** Of a machine that is, or can be started again. Whether the price can be had is nothing that a status depends on. */
async function priceOf(app: App, provider: Provider, machine: Machine): Promise<HourlyPrice | undefined> {
  if (machine.state === 'terminated' || machine.state === 'shutting-down') return undefined;
  return provider.price(machine, app.signal).catch(() => undefined);
}

const usd = (micros: number | undefined): number | undefined => (micros === undefined ? undefined : micros / MICROS_PER_USD);

/** An answer of the agent is better proof than what the control plane says; that is asked only without one. */
async function wayIn(app: App, provider: Provider, machine: Machine, training: TrainingStatus): Promise<Pick<Readiness, 'state' | 'detail'>> {
  if (machine.state !== 'running') return { state: 'none', detail: `machine is ${machine.state}` };
  if (training.phase !== 'unknown') return { state: 'online', detail: 'SSM connected' };
  return provider.readiness(machine, app.signal);
}

/** Until a request has left, before loading another client keeps the process busy: a few turns of the event loop (the time
 *  alone would not do: preparing the request takes longer, in one piece). */
async function headStart(app: App): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await app.clock.sleep(1, app.signal);
}

export async function trainingStatus(app: App, request: { provider: string; machineId: string; runId?: string }): Promise<TrainingStatus> {
  const provider = await app.provider(request.provider);
  const [machine, training] = await Promise.all([
    provider.find(request.machineId, app.signal),
    provider.shell({ id: request.machineId }).then((shell) => askTraining(app, shell, request.machineId, request.runId)).then(({ training: told }) => told),
  ]);
  if (!machine) throw noSuchMachine(provider.name, request.machineId);
  if (machine.state !== 'running') return { instanceId: machine.id, phase: 'unknown', reason: `machine is ${machine.state}` };
  return training;
}

interface Asked {
  training: TrainingStatus;
  /** The agent's own word; absent: the machine could not be asked. */
  job?: JobStatus;
}

async function askTraining(app: App, shell: Shell, id: string, runId: string | undefined): Promise<Asked> {
  try {
    const answer = await shell.run(renderStatus(runId), { timeoutMs: 30_000, signal: app.signal });
    const job = parseStatus(answer);
    if (job.runId !== undefined) await rememberCheckpoints(app, job.runId)(job);
    return { training: describeTraining(id, job, app.clock.now()), job };
  } catch (error) {
    // Not running, not registered, gone: the machine's state beside this says which.
    if (error instanceof RunctlError && (error.code === 'ssm-not-ready' || error.code === 'not-found' || error.code === 'machine-lost' || error.code === 'endpoint-foreign')) {
      return { training: { instanceId: id, phase: 'unknown', reason: error.reason ?? error.message } };
    }
    throw error;
  }
}

export function describeTraining(id: string, job: JobStatus, nowMs: number): TrainingStatus {
  const metrics = parseMetrics(job.logTail ?? '');
  return {
    instanceId: id,
    phase: job.phase,
    runId: job.runId,
    script: job.script,
    exitCode: job.exitCode,
    startedAt: isoTime(job.startedAt),
    endedAt: isoTime(job.endedAt),
    heartbeatAgeS: job.heartbeatAt === undefined || job.phase !== 'running' ? undefined : Math.max(0, Math.round(((job.nowAt ?? nowMs) - job.heartbeatAt) / 1000)),
    epoch: metrics.epoch,
    epochs: metrics.epochs,
    loss: metrics.loss,
    accuracy: metrics.accuracy,
    checkpoint: job.checkpoint,
    endedByLease: job.endedByLease,
    leaseLeftS: job.lease?.state === 'on' ? job.lease.leftS : undefined,
    logPath: job.logPath,
    logBytes: job.logBytes,
  };
}

function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
