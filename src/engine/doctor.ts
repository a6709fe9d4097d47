// Everything that a run needs, looked at for people; what can be put right is offered, one question each.
import { setConfigValue } from '../config/write.ts';
import type { Check, Provider, Wanted } from '../core/ports.ts';
import type { App } from './app.ts';
import { type MachineWish, machineWish } from './preflight.ts';

export interface DoctorRequest {
  provider: string;
  /** The machine that a run would make. */
  machine: MachineWish;
  bucket?: string;
  /** Offer to repair what can be repaired. */
  fix: boolean;
  /** Where a repair writes settings. */
  configFile: string;
}

export interface DoctorResult {
  /** No check failed. */
  ok: boolean;
  checks: Check[];
  /** What was done, one sentence each; only with `fix`. */
  fixed: string[];
  /** The command that offers to repair what can be; absent: nothing. */
  repair?: string;
}

export async function doctor(app: App, request: DoctorRequest): Promise<DoctorResult> {
  const provider = await app.provider(request.provider);
  const machine = machineWish(app, request.machine);
  const wanted: Wanted = { machine, profile: machine.profile, bucket: request.bucket ?? app.config.aws.s3_bucket, advise: ['account', 'bucket', 'profile'] };
  const checks = await provider.checks(wanted, app.signal);
  const fixed = request.fix ? await repairAll(app, provider, wanted, checks, request.configFile) : [];
  const now = fixed.length > 0 ? await provider.checks(wanted, app.signal) : checks;
  const complete = (hint: string): string => app.completeHint?.(hint) ?? hint;
  const offered = now.some(({ remedy, outcome }) => remedy && outcome !== 'ok');
  return {
    ok: now.every((check) => check.outcome !== 'failed'),
    checks: now.map((check) => (check.fix === undefined ? check : { ...check, fix: complete(check.fix) })),
    fixed,
    ...(offered ? { repair: complete('runctl doctor --fix') } : {}),
  };
}

/** Asks about each remedy once; the bucket comes before the profile, whose role may be given access to it. */
async function repairAll(app: App, provider: Provider, wanted: Wanted, checks: Check[], configFile: string): Promise<string[]> {
  const fixed: string[] = [];
  const asked = new Set<string>();
  let open = checks;
  for (;;) {
    const remedy = open.flatMap((check) => check.remedy ?? []).sort((a, b) => a.id.localeCompare(b.id)).find(({ id }) => !asked.has(id));
    if (!remedy || !provider.repair) return fixed;
    asked.add(remedy.id);
    if (!(await app.ask({ text: remedy.question, flag: '--yes' }))) continue;
    const { done, setting } = await provider.repair(remedy, app.signal);
    fixed.push(done);
    app.report({ kind: 'note', level: 'info', text: done });
    if (!setting) continue;
    const { file } = await setConfigValue(configFile, setting.name, setting.value);
    fixed.push(`${setting.name} = "${setting.value}" in ${file}`);
    if (setting.name === 'aws.s3_bucket') wanted.bucket = setting.value;
    else if (wanted.machine) wanted.machine = { ...wanted.machine, profile: setting.value };
    // What is offered next may build on it.
    open = await provider.checks(wanted, app.signal);
  }
}
