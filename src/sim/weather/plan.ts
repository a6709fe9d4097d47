// Does: what a plan of faults may say: the kinds of weather, the fields of each, and the check of a rule that somebody wrote.
// By design: one way of writing a rule for the command line, a file and a test; a rule that could never do anything is refused.
// Durations are a number of seconds or a text such as 500ms, 10s, 5m, 2h.
import { RunctlError } from '../../core/errors.ts';
import { parseUsd } from '../../core/money.ts';

interface KindFact {
  /** call: changes how calls are answered. machine: happens to a machine, once or for a while. market: changes pools of spot machines. */
  acts: 'call' | 'machine' | 'market';
  does: string;
  /** Fields of this kind besides those that every kind of its family has. */
  own?: readonly OwnField[];
  needs?: readonly OwnField[];
  /** Which calls it means when no operation is named. */
  operation?: string;
  /** How often it happens when nothing is said; absent: each time. */
  times?: number;
}

type OwnField = 'notice' | 'rebalance' | 'reason' | 'type' | 'zone' | 'price' | 'capacity' | 'code' | 'message' | 'status' | 'delay' | 'bytesPerSecond' | 'bucketRegion' | 'skew' | 'by' | 'state' | 'freeMib';

export const KINDS = {
  throttle: { acts: 'call', does: 'asks for fewer requests, in the words of each service' },
  error: { acts: 'call', does: 'answers with any error code', own: ['code', 'message', 'status'], needs: ['code'] },
  'access-denied': { acts: 'call', does: 'refuses for lack of a permission' },
  'credentials-expired': { acts: 'call', does: 'calls the credentials expired' },
  'server-error': { acts: 'call', does: 'answers with an internal error', own: ['status'] },
  'lost-reply': { acts: 'call', does: 'carries the call out, then cuts the connection instead of answering' },
  reset: { acts: 'call', does: 'resets the connection before anything happens' },
  slow: { acts: 'call', does: 'adds time to an answer, or lets bodies crawl', own: ['delay', 'bytesPerSecond'] },
  html: { acts: 'call', does: "answers with a proxy's web page", own: ['status'] },
  'clock-skew': { acts: 'call', does: "sets the service's clock ahead of the client's", own: ['skew', 'by'] },
  capacity: { acts: 'call', does: 'has no machines of the wanted type', operation: 'ec2.RunInstances' },
  quota: { acts: 'call', does: 'says that the quota of vCPUs is used up', operation: 'ec2.RunInstances' },
  'bucket-missing': { acts: 'call', does: 'knows no such bucket (404)', operation: 's3.*' },
  'bucket-forbidden': { acts: 'call', does: 'refuses the bucket (403)', operation: 's3.*' },
  'bucket-elsewhere': { acts: 'call', does: 'has the bucket in another region (301)', operation: 's3.*', own: ['bucketRegion'], needs: ['bucketRegion'] },
  'agent-late': { acts: 'machine', does: 'lets the SSM agent register so much later', own: ['delay'], needs: ['delay'] },
  'agent-dead': { acts: 'machine', does: 'silences the SSM agent: no pings, commands stay undelivered' },
  'network-down': { acts: 'machine', does: 'cuts the machine off from everything' },
  'disk-full': { acts: 'machine', does: "leaves so much space on the machine's disk", own: ['freeMib'] },
  reboot: { acts: 'machine', does: 'reboots the machine', times: 1 },
  'instance-loss': { acts: 'machine', does: 'ends the machine at once, as when its host fails', own: ['state'], times: 1 },
  'spot-interrupt': { acts: 'machine', does: 'takes a spot machine back, two minutes after its notice', own: ['notice', 'rebalance', 'reason'], times: 1 },
  'spot-price': { acts: 'market', does: 'sets the price of spot machines of a type; who pays less is interrupted', own: ['type', 'zone', 'price'], needs: ['type', 'price'] },
  'spot-capacity': { acts: 'market', does: 'leaves room for so many spot machines of a type; those beyond are interrupted', own: ['type', 'zone', 'capacity'], needs: ['type', 'capacity'] },
} as const satisfies Record<string, KindFact>;

export type WeatherKind = keyof typeof KINDS;

/** A rule as somebody writes it. */
export interface WeatherInput {
  kind: WeatherKind;
  /** `ssm.SendCommand`, `ec2.*`, `s3.Put*`, `*`. For machine kinds: the call that sets it off (none: time alone does). */
  operation?: string;
  /** Only calls that name this machine, or what happens to it; absent or `*`: any. */
  instance?: string;
  /** Only S3 calls for these; `*` stands for any characters. */
  bucket?: string;
  key?: string;
  /** Let so many matching calls pass first. */
  skip?: number;
  /** Then happen so often, and no more. */
  times?: number;
  /** World time until it begins, from now or, for a machine that comes up later, from then. */
  after?: string | number;
  /** How long it lasts. */
  for?: string | number;
  code?: string;
  message?: string;
  status?: number;
  delay?: string | number;
  bytesPerSecond?: number;
  bucketRegion?: string;
  skew?: string | number;
  /** As `skew`: its name in plans of earlier versions. */
  by?: string | number;
  state?: 'terminated' | 'stopped';
  freeMib?: number;
  /** spot-interrupt: from notice to end; from the recommendation to rebalance, which comes first, to the notice. */
  notice?: string | number;
  rebalance?: string | number;
  reason?: 'capacity' | 'price';
  /** spot-price, spot-capacity: pools of this type, in this zone or everywhere. */
  type?: string;
  zone?: string;
  /** USD per hour. */
  price?: string | number;
  capacity?: number;
}

/** A rule that was checked. Plain JSON. */
export interface WeatherRule {
  kind: WeatherKind;
  operation?: string;
  instance?: string;
  bucket?: string;
  key?: string;
  skip: number;
  times?: number;
  afterMs: number;
  forMs?: number;
  code?: string;
  message?: string;
  status?: number;
  delayMs?: number;
  bytesPerSecond?: number;
  bucketRegion?: string;
  byMs?: number;
  state?: 'terminated' | 'stopped';
  freeMib?: number;
  noticeMs?: number;
  rebalanceMs?: number;
  reason?: 'capacity' | 'price';
  type?: string;
  zone?: string;
  microUsdPerHour?: number;
  capacity?: number;
}

/** What exists in this cloud, for checks of names. */
export interface Known {
  /** Operations by service. */
  operations: Map<string, readonly string[]>;
  regions: readonly string[];
  /** Zones in which spot machines of a type are sold; undefined: there is no such type. */
  zonesOf(type: string): readonly string[] | undefined;
}

const COMMON = ['kind', 'operation', 'instance', 'skip', 'times', 'after', 'for'] as const;
const OF_MARKET = ['kind', 'after', 'for'] as const;
const ONLY_CALLS = ['bucket', 'key'] as const;
const UNITS_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Throws RunctlError `usage` that names the wrong field. */
export function checkRule(input: unknown, known: Known): WeatherRule {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) throw wrong('a rule of weather is a table of fields', `this is none: ${JSON.stringify(input)}`);
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  const kind = given['kind'];
  if (typeof kind !== 'string' || !Object.hasOwn(KINDS, kind)) {
    throw wrong(kind === undefined ? 'a rule of weather needs a kind' : `there is no weather of kind ${JSON.stringify(kind)}`, `the kinds are ${Object.keys(KINDS).join(', ')}`);
  }
  const fact: KindFact = KINDS[kind as WeatherKind];
  const allowed: string[] = [...(fact.acts === 'market' ? OF_MARKET : COMMON), ...(fact.acts === 'call' ? ONLY_CALLS : []), ...(fact.own ?? [])];
  const stranger = Object.keys(given).find((name) => !allowed.includes(name));
  if (stranger !== undefined) throw wrong(`weather of kind ${kind} has no field ${stranger}`, `its fields are ${allowed.join(', ')}`);
  const missing = fact.needs?.find((name) => given[name] === undefined);
  if (missing !== undefined) throw wrong(`weather of kind ${kind} needs the field ${missing}`, fact.does);
  const rule: WeatherRule = {
    kind: kind as WeatherKind,
    operation: operationPattern(given, known) ?? fact.operation ?? (fact.acts === 'call' ? '*' : undefined),
    instance: instanceId(given),
    bucket: text(given, 'bucket'),
    key: text(given, 'key'),
    skip: whole(given, 'skip', 0) ?? 0,
    times: whole(given, 'times', 1) ?? fact.times,
    afterMs: duration(given, 'after') ?? 0,
    forMs: duration(given, 'for'),
    code: text(given, 'code'),
    message: text(given, 'message'),
    status: whole(given, 'status', 200, 599),
    delayMs: duration(given, 'delay'),
    bytesPerSecond: whole(given, 'bytesPerSecond', 1),
    bucketRegion: region(given, known),
    byMs: duration(given, 'skew') ?? duration(given, 'by') ?? (kind === 'clock-skew' ? 20 * 60_000 : undefined),
    state: machineState(given),
    freeMib: whole(given, 'freeMib', 0, 1024) ?? (kind === 'disk-full' ? 0 : undefined),
    noticeMs: duration(given, 'notice'),
    rebalanceMs: duration(given, 'rebalance'),
    reason: interruptionReason(given),
    ...pools(given, known),
    microUsdPerHour: price(given),
    capacity: whole(given, 'capacity', 0),
  };
  refuseIdle(rule, fact);
  return JSON.parse(JSON.stringify(rule)) as WeatherRule;
}

/** Combinations that are well formed and yet can do nothing, or not what their writer means. */
function refuseIdle(rule: WeatherRule, fact: KindFact): void {
  const { kind, status } = rule;
  if (kind === 'slow' && rule.delayMs === undefined && rule.bytesPerSecond === undefined) throw wrong('weather of kind slow needs the field delay or bytesPerSecond', 'slower by how much?');
  if (kind === 'server-error' && status !== undefined && status < 500) throw wrong(`${status} is no status of a server error`, 'give one from 500 to 599, or use the kind error');
  if (kind === 'error' && status !== undefined && status < 300) throw wrong(`${status} is no status of an error`, 'give one from 300 to 599');
  if ((rule.bucket !== undefined || rule.key !== undefined) && !/^(\*|s3\.)/.test(rule.operation ?? '')) throw wrong('only calls of S3 have a bucket and a key', `${rule.operation} is none`);
  if (fact.acts === 'machine' && rule.operation === undefined && rule.skip > 0) throw wrong('skip counts calls, and this rule names no operation', 'name one, or use after');
  if (fact.acts === 'machine' && rule.times === undefined && ['disk-full', 'agent-late'].includes(kind) && rule.operation !== undefined) throw wrong(`weather of kind ${kind} is no answer to a call`, 'leave the operation out');
}

function operationPattern(given: Record<string, unknown>, known: Known): string | undefined {
  const pattern = text(given, 'operation');
  if (pattern === undefined || pattern === '*') return pattern;
  const [, service = '', name = ''] = /^([a-z0-9]+)\.([A-Za-z0-9]*\*?)$/.exec(pattern) ?? [];
  if (service === '' || name === '') throw wrong(`${JSON.stringify(pattern)} is no operation`, 'write SERVICE.Operation, SERVICE.Begin*, SERVICE.* or *');
  const operations = known.operations.get(service);
  if (!operations) throw wrong(`there is no service ${service} in this cloud`, `its services are ${[...known.operations.keys()].join(', ')}`);
  if (!operations.some((operation) => like(name, operation))) throw wrong(`service ${service} has no operation ${name}`, `it has ${[...operations].sort().join(', ')}`);
  return pattern;
}

function instanceId(given: Record<string, unknown>): string | undefined {
  const id = text(given, 'instance');
  if (id === undefined || id === '*') return undefined;
  if (!/^i-[0-9a-f]{8,17}$/.test(id)) throw wrong(`${JSON.stringify(id)} is no instance id`, 'write i-0123456789abcdef0, or * for any');
  return id;
}

function region(given: Record<string, unknown>, known: Known): string | undefined {
  const name = text(given, 'bucketRegion');
  if (name !== undefined && !known.regions.includes(name)) throw wrong(`this cloud has no region ${name}`, `it has ${known.regions.join(', ')}`);
  return name;
}

function machineState(given: Record<string, unknown>): 'terminated' | 'stopped' | undefined {
  const state = given['state'];
  if (state === undefined || state === 'terminated' || state === 'stopped') return state;
  throw wrong(`${JSON.stringify(state)} is no state that a lost machine can be in`, 'terminated (as without anything to recover) or stopped');
}

function interruptionReason(given: Record<string, unknown>): 'capacity' | 'price' | undefined {
  const reason = given['reason'];
  if (reason === undefined || reason === 'capacity' || reason === 'price') return reason;
  throw wrong(`${JSON.stringify(reason)} is no reason of an interruption`, 'capacity or price');
}

function pools(given: Record<string, unknown>, known: Known): { type?: string; zone?: string } {
  const type = text(given, 'type');
  const zone = text(given, 'zone');
  if (type === undefined) return {};
  const zones = known.zonesOf(type);
  if (!zones) throw wrong(`this cloud has no instance type ${type}`, '"runctl sim market" shows those that it has');
  if (zone !== undefined && !zones.includes(zone)) throw wrong(`no spot machines of type ${type} are sold in ${zone}`, `there are some in ${zones.join(', ')}`);
  return { type, zone };
}

function price(given: Record<string, unknown>): number | undefined {
  const value = given['price'];
  if (value === undefined) return undefined;
  try {
    const microUsd = parseUsd(String(value));
    if (microUsd >= 100) return microUsd;
  } catch {
    // Said below, in the same words.
  }
  throw wrong(`price must be USD per hour, at least 0.0001, not ${JSON.stringify(value)}`, 'such as 0.0374');
}

function text(given: Record<string, unknown>, name: string): string | undefined {
  const value = given[name];
  if (value === undefined || (typeof value === 'string' && value !== '' && value.length <= 1024)) return value;
  throw wrong(`${name} must be a text, not ${JSON.stringify(value)}`, 'between 1 and 1,024 characters');
}

function whole(given: Record<string, unknown>, name: string, least: number, most = 1_000_000_000): number | undefined {
  const value = given[name];
  if (value === undefined || (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most)) return value;
  throw wrong(`${name} must be a whole number from ${least}${most === 1_000_000_000 ? '' : ` to ${most}`}, not ${JSON.stringify(value)}`);
}

function duration(given: Record<string, unknown>, name: string): number | undefined {
  const value = given[name];
  if (value === undefined) return undefined;
  const [, digits, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(String(value)) ?? [];
  if (digits === undefined) throw wrong(`${name} must be a duration, not ${JSON.stringify(value)}`, 'such as 500ms, 10s, 5m or 2h; a number means seconds');
  return Math.round(Number(digits) * (UNITS_MS[unit] as number));
}

/** `*` stands for any characters. */
export function like(pattern: string, value: string): boolean {
  if (!pattern.includes('*')) return pattern === value;
  const source = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*');
  return new RegExp(`^${source}$`, 's').test(value);
}

function wrong(message: string, cause?: string): RunctlError {
  return new RunctlError('usage', message, { cause, hints: ['runctl sim weather add --help'] });
}
