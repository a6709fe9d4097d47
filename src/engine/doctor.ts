// The prerequisites of a run, checked before anything billable: by `doctor` for people, by workflows for themselves.
import { RunctlError } from '../core/errors.ts';
import type { Check, Provider } from '../core/ports.ts';
import type { App } from './app.ts';

export interface DoctorResult {
  ok: boolean;
  checks: Check[];
}

export async function doctor(app: App, request: { provider: string; profile?: string }): Promise<DoctorResult> {
  const provider = await app.provider(request.provider);
  const checks = await provider.checks({ bucket: app.config.aws.s3_bucket, profile: request.profile ?? app.config.aws.iam_instance_profile }, app.signal);
  return { ok: checks.every((check) => check.outcome !== 'failed'), checks };
}

/** Throws for the first failed check, naming it and its remedy; returns all checks otherwise. */
export async function requirePrerequisites(app: App, provider: Provider, wanted: { bucket?: string; profile?: string }): Promise<Check[]> {
  const checks = await provider.checks(wanted, app.signal);
  const failed = checks.find((check) => check.outcome === 'failed');
  if (failed) {
    const { code, message, cause, hints } = failed.error ?? { code: 'config-invalid', message: failed.detail, cause: undefined, hints: failed.fix ? [failed.fix] : [] };
    throw new RunctlError(code, message, { cause, hints: [...hints, 'runctl doctor'] });
  }
  return checks;
}
