// What switches the suite for a real account on, and what keeps it from costing more, or being elsewhere, than was meant.
// Not a place that knows AWS: it reads variables and refuses.

type Env = Record<string, string | undefined>;

export interface Switches {
  /** Undefined: AWS itself. `sim`: a built-in cloud of one's own. Else a URL. */
  endpoint: string | undefined;
  region: string;
  type: string;
  profile: string;
  maxUsdPerHour: number;
}

export const HOW = 'RUNCTL_LIVE=1 AWS_REGION=us-east-1 RUNCTL_LIVE_MAX_USD_PER_HOUR=0.02 npx vitest run test/live';

/** Undefined when nobody asked. Throws for whatever would end somewhere else than the asker thinks. */
export function readSwitches(env: Env): Switches | undefined {
  if (env['RUNCTL_LIVE'] !== '1') return undefined;
  const endpoint = env['RUNCTL_LIVE_ENDPOINT'] || undefined;
  const shared = { type: env['RUNCTL_LIVE_TYPE'] || 't3.nano', profile: env['RUNCTL_LIVE_PROFILE'] || 'runctl-ssm-profile' };
  const limit = env['RUNCTL_LIVE_MAX_USD_PER_HOUR'];
  if (limit !== undefined && !(Number(limit) > 0)) throw new Error(`RUNCTL_LIVE_MAX_USD_PER_HOUR is ${limit}, not a price`);
  if (endpoint !== undefined) {
    if (endpoint !== 'sim' && !/^https?:\/\/[^\s@]+$/.test(endpoint)) throw new Error('RUNCTL_LIVE_ENDPOINT is neither "sim" nor a URL');
    if (/\.amazonaws\.com/.test(endpoint)) throw new Error('RUNCTL_LIVE_ENDPOINT is AWS itself: leave it out, so that the rules for a real account hold');
    return { endpoint, region: env['AWS_REGION'] || 'us-east-1', maxUsdPerHour: Number(limit ?? 1), ...shared };
  }
  const elsewhere = Object.keys(env).filter((name) => name.startsWith('AWS_ENDPOINT_URL') && env[name]);
  if (elsewhere.length > 0) throw new Error(`${elsewhere.join(', ')} leads away from AWS; unset it, or set RUNCTL_LIVE_ENDPOINT and mean it`);
  if (env['CI']) throw new Error('CI is set: machines that cost money are not for unattended runs');
  const region = env['AWS_REGION'] || env['AWS_DEFAULT_REGION'];
  if (!region) throw new Error('AWS_REGION is not set');
  if (limit === undefined) throw new Error('RUNCTL_LIVE_MAX_USD_PER_HOUR is not set: the most that a machine may cost');
  return { endpoint, region, maxUsdPerHour: Number(limit), ...shared };
}
