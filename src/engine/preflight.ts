// What must be true before anything billable: one list of checks for create, train and workflow train. All of them are asked at
// once; a failure names the check, and says what else failed, so that nobody mends one thing only to meet the next.
import { RunctlError } from '../core/errors.ts';
import type { Machine, MachineRequest } from '../core/machine.ts';
import type { Check, Provider } from '../core/ports.ts';
import type { ProjectRoot } from '../sync/root.ts';
import type { App } from './app.ts';
import { judgeRoute, tooLarge } from './code-route.ts';
import { freshCommand } from './fresh.ts';

export type MachineWish = Omit<MachineRequest, 'tags'>;

/** The same with what only purchases know. */
export interface CreateWish extends MachineWish {
  zones?: string[];
  spot?: { maxPriceMicroUsd?: number };
}

/** The machine that is meant: what was asked for, else what the settings say. */
export function machineWish(app: App, request: MachineWish): MachineWish {
  const { aws } = app.config;
  return {
    type: request.type,
    image: request.image ?? aws.default_ami,
    profile: request.profile ?? aws.iam_instance_profile,
    keyName: request.keyName ?? aws.key_name,
    securityGroup: request.securityGroup ?? aws.security_group,
    subnet: request.subnet ?? aws.subnet_id,
    zone: request.zone,
    rootVolumeGb: request.rootVolumeGb ?? aws.root_volume_gb,
    ...(request.market === undefined ? {} : { market: request.market }),
    ...(request.maxPriceMicroUsd === undefined ? {} : { maxPriceMicroUsd: request.maxPriceMicroUsd }),
  };
}

/** What a request says of the spot market. */
export function onMarket(spot: { maxPriceMicroUsd?: number } | undefined): Pick<MachineRequest, 'market' | 'maxPriceMicroUsd'> {
  return spot === undefined ? {} : { market: 'spot', ...(spot.maxPriceMicroUsd === undefined ? {} : { maxPriceMicroUsd: spot.maxPriceMicroUsd }) };
}

/** Before a machine is made. The bucket counts when code can go through it later: to a machine that SSM reaches. */
export async function preflightCreate(app: App, provider: Provider, request: CreateWish): Promise<Check[]> {
  const machine = machineWish(app, { ...request, ...onMarket(request.spot), zone: request.zone ?? request.zones?.[0] });
  const checks = await provider.checks({ machine, ...(machine.profile ? { bucket: app.config.aws.s3_bucket } : {}) }, app.signal);
  // Where a quota of spot machines is used up there may be other types, or another market: that is for the purchase to find out, and costs nothing.
  return requirePassed(app, request.spot ? checks.map((check) => (check.name === 'quota' && check.outcome === 'failed' ? { ...check, outcome: 'warning' as const, fix: undefined } : check)) : checks);
}

/** The same, and whether the code could be sent. */
export async function preflightWorkflow(app: App, provider: Provider, request: CreateWish & { includePatterns: string[] }, root: ProjectRoot): Promise<Check[]> {
  const [checks, sendable] = await Promise.allSettled([preflightCreate(app, provider, request), requireSendable(app, provider, root, request.includePatterns)]);
  for (const one of [checks, sendable]) if (one.status === 'rejected') throw one.reason;
  return [checks, sendable].flatMap((one) => (one as PromiseFulfilledResult<Check[]>).value);
}

/** Before code goes to a machine that exists: by the bucket, or small enough to do without. Credentials prove themselves on the way. */
export async function preflightTrain(app: App, provider: Provider, root: ProjectRoot, includePatterns: string[]): Promise<Check[]> {
  const bucket = app.config.aws.s3_bucket;
  return bucket === undefined ? requireSendable(app, provider, root, includePatterns) : requirePassed(app, await provider.checks({ bucket }, app.signal));
}

/** A machine without a profile may still be reachable (an account can give all of them a role); nothing but SSM knows. */
export async function requireWayIn(app: App, provider: Provider, machine: Machine): Promise<void> {
  if (machine.profile !== undefined) return;
  const { channel, detail } = await provider.readiness(machine, app.signal);
  if (channel !== 'none') return;
  throw new RunctlError('profile-missing', `profile: code cannot get to ${machine.id}, which has no instance profile`, {
    cause: detail,
    hints: [
      `aws ec2 associate-iam-instance-profile --instance-id ${machine.id} --iam-instance-profile Name=runctl-ssm-profile --region ${machine.region}`,
      freshCommand(machine, '--iam-instance-profile runctl-ssm-profile'),
      'runctl doctor --fix',
    ],
    data: { check: 'profile', machine: machine.id },
  });
}

/** Without a bucket: that the project is small enough to do without. */
async function requireSendable(app: App, provider: Provider, root: ProjectRoot, includePatterns: string[]): Promise<Check[]> {
  if (app.config.aws.s3_bucket !== undefined) return [];
  const route = await judgeRoute(app, root.directory, { script: root.script, includePatterns });
  if (route.fits === false) throw await tooLarge(app, provider, route);
  return [{ name: 'code', outcome: 'ok', detail: 'small enough to go through SSM itself' }];
}

export function describeChecks(checks: Check[]): string {
  return checks.map((check) => (check.outcome === 'ok' ? check.name : `${check.name} (${check.fix ? check.outcome : 'not checked'})`)).join(', ');
}

/** Throws for the first failed check and tells of the others; reports what deserves attention without being a failure. */
function requirePassed(app: App, checks: Check[]): Check[] {
  const [first, ...others] = checks.filter((check) => check.outcome === 'failed');
  if (first) {
    const { code, message, cause, hints, data } = first.error ?? { code: 'config-invalid', message: first.detail, hints: first.fix ? [first.fix] : [] };
    throw new RunctlError(code, `${first.name}: ${message}`, {
      cause: [cause, ...others.map((check) => `Failed too: ${check.name}: ${check.detail}`)].filter(Boolean).join('\n') || undefined,
      hints: [...new Set([...hints, ...others.flatMap((check) => check.fix ?? []), 'runctl doctor'])],
      data: { ...data, check: first.name, failed: [first, ...others].map((check) => check.name) },
    });
  }
  for (const { name, outcome, detail, fix } of checks) {
    if (outcome === 'warning' && fix) app.report({ kind: 'note', level: 'warning', text: `${name}: ${detail}`, hints: [fix] });
  }
  return checks;
}
