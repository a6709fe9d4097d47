// runctl sim weather add
import { RunctlError } from '../../../core/errors.ts';
import { nearest } from '../../../core/nearest.ts';
import { WEATHER_KINDS } from '../../../sim/daemon.ts';
import { defineCommand } from '../../define.ts';
import { renderRules } from './table.ts';

const KIND_NAMES = Object.keys(WEATHER_KINDS);
const WIDTH = Math.max(...KIND_NAMES.map((name) => name.length));

export const simWeatherAddCommand = defineCommand({
  description: `Lets something go wrong in the built-in cloud, to see what happens then. Kinds:
${Object.entries(WEATHER_KINDS).map(([name, { does }]) => `  ${name.padEnd(WIDTH)}  ${does}`).join('\n')}
Without --operation, a fault of a call falls on every call, one of a machine comes with time. Starts the cloud when it is not running.`,
  args: [{ name: 'kind', summary: 'what happens' }],
  flags: {
    operation: { kind: 'text', placeholder: 'SERVICE.NAME', summary: "which calls: ssm.SendCommand, 'ec2.*', 's3.Put*'; for machines: the call after which it happens" },
    instance: { kind: 'text', placeholder: 'INSTANCE_ID', summary: 'only this machine, or calls that name it' },
    bucket: { kind: 'text', placeholder: 'NAME', summary: 'only calls of S3 for this bucket' },
    key: { kind: 'text', placeholder: 'PATTERN', summary: "only objects such as 'runs/*'" },
    skip: { kind: 'number', placeholder: 'N', min: 0, summary: 'let N calls pass first' },
    times: { kind: 'number', placeholder: 'N', min: 1, summary: 'then happen N times (default: always; reboot, instance-loss and spot-interrupt: once)' },
    after: { kind: 'duration', placeholder: 'TIME', summary: 'begin so much later: 90, 90s, 5m; of a machine that comes up later, from then' },
    for: { kind: 'duration', placeholder: 'TIME', summary: 'end after so long' },
    code: { kind: 'text', placeholder: 'CODE', summary: 'error: any code of AWS' },
    message: { kind: 'text', placeholder: 'TEXT', summary: 'error: its message' },
    status: { kind: 'number', placeholder: 'HTTP_STATUS', min: 200, max: 599, summary: 'error, server-error, html' },
    delay: { kind: 'duration', placeholder: 'TIME', summary: 'slow, agent-late: how much later' },
    bytesPerSecond: { kind: 'number', placeholder: 'N', min: 1, summary: 'slow: pace of bodies' },
    bucketRegion: { kind: 'text', placeholder: 'REGION', summary: 'bucket-elsewhere: where it is' },
    skew: { kind: 'duration', placeholder: 'TIME', summary: "clock-skew: how far the service's clock is ahead (default: 20m)" },
    state: { kind: 'choice', values: ['terminated', 'stopped'], summary: 'instance-loss: the state afterwards (default: terminated)' },
    notice: { kind: 'duration', placeholder: 'TIME', summary: 'spot-interrupt: from notice to end (default: 2m)' },
    rebalance: { kind: 'duration', placeholder: 'TIME', summary: 'spot-interrupt: recommend to rebalance so long before the notice' },
    reason: { kind: 'choice', values: ['capacity', 'price'], summary: 'spot-interrupt: what is said of it (default: capacity)' },
    type: { kind: 'text', placeholder: 'TYPE', summary: 'spot-price, spot-capacity: instance type' },
    zone: { kind: 'text', placeholder: 'ZONE', summary: 'spot-price, spot-capacity: only in this zone' },
    price: { kind: 'text', placeholder: 'USD', summary: 'spot-price: per hour' },
    capacity: { kind: 'text', placeholder: 'N', summary: 'spot-capacity: machines that fit in' },
    freeMib: { kind: 'number', placeholder: 'N', min: 0, max: 1024, summary: 'disk-full: MiB that are left (default: 0)' },
  },
  examples: [
    'runctl sim weather add throttle --operation ssm.SendCommand --times 3',
    'runctl sim weather add error --operation ec2.RunInstances --code OptInRequired --status 403 --times 1',
    "runctl sim weather add slow --operation 's3.*' --bytes-per-second 100000 --for 1m",
    'runctl sim weather add instance-loss --after 10s',
    'runctl sim weather add spot-interrupt --after 1h --rebalance 5m',
    'runctl sim weather add spot-capacity --type t3.micro --capacity 0 --after 30m --for 1h',
  ],
  run: async ({ args, flags }, app) => {
    const kind = args['kind'] as string;
    if (!(KIND_NAMES.includes(kind))) {
      const close = nearest(kind, KIND_NAMES);
      throw new RunctlError('usage', `there is no weather of kind "${kind}"`, { cause: `the kinds are ${KIND_NAMES.join(', ')}`, hints: [...(close ? [`runctl sim weather add ${close}`] : []), 'runctl sim weather add --help'] });
    }
    const { after, for: lasting, delay, skew, capacity, notice, rebalance, ...rest } = flags;
    const sim = await app.sim();
    await sim.start({});
    return sim.weather.add({ kind, ...rest, after: inSeconds(after), for: inSeconds(lasting), delay: inSeconds(delay), skew: inSeconds(skew), capacity: asNumber(capacity), notice: inSeconds(notice), rebalance: inSeconds(rebalance) });
  },
  text: (report) => renderRules([report]),
});

function inSeconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}

/** What is no number goes on as it is: the plan says what is wrong with it. */
function asNumber(word: string | undefined): number | string | undefined {
  return word !== undefined && /^\d+$/.test(word) ? Number(word) : word;
}
