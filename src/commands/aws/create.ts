// runctl aws create
import { MICROS_PER_USD, formatUsd } from '../../core/money.ts';
import { RunctlError } from '../../core/errors.ts';
import { type CreateResult, create } from '../../engine/create.ts';
import { leaseWish } from '../../engine/lease/lease.ts';
import { defineCommand } from '../define.ts';
import { renderFacts } from '../machine/facts.ts';
import { LEASE_FLAGS } from './lease-flags.ts';
import { MACHINE_FLAGS, newMachine } from './machine-flags.ts';
import { SPOT_FLAGS, marketWish } from './spot-flags.ts';

export const createCommand = defineCommand({
  description:
    'Shows the price before anything is created, with --spot that of both markets. Spot capacity is looked for zone by zone, then type by type (--types), for --spot-timeout; without any, nothing else is bought unless somebody decides so. The machine takes connections only through SSM: no inbound port is open, metadata is IMDSv2 only, the disk is encrypted. With --wait the command ends when a command that was sent to the machine came back.',
  args: [{ name: 'type', summary: 'instance type such as t3.micro or g5.xlarge (default: aws.default_instance_type)', optional: true }],
  flags: {
    wait: { kind: 'switch', summary: 'wait until the machine runs and, with a profile, answers over SSM' },
    timeout: { kind: 'duration', placeholder: 'TIME', summary: 'limit of --wait (default 10m), and when given of --on-spot-failure wait' },
    ...MACHINE_FLAGS,
    ...SPOT_FLAGS,
    ...LEASE_FLAGS,
    dryRun: { kind: 'switch', summary: 'show plan and price, ask the cloud whether it would be allowed, create nothing' },
    instanceType: { kind: 'text', placeholder: 'TYPE', hidden: true, summary: 'old spelling of TYPE' },
  },
  examples: [
    'runctl aws create t3.micro --iam-instance-profile runctl-ssm-profile --wait',
    'ID=$(runctl aws create t3.micro --wait --output instance-id)',
    'runctl aws create g5.xlarge --dry-run',
    'runctl aws create t3.micro --spot --hours 4 --dry-run',
    'runctl aws create t3.micro --spot --types t3.small,t3.medium --on-spot-failure on-demand --max-hours 8',
  ],
  run: (input, app) => {
    const { flags } = input;
    if (input.args['type'] && flags.instanceType && input.args['type'] !== flags.instanceType) {
      throw new RunctlError('usage', `two instance types: ${input.args['type']} and ${flags.instanceType}`, { hints: [`runctl aws create ${input.args['type']}`] });
    }
    const market = marketWish(flags, app.config.aws, { help: 'runctl aws create --help', type: input.args['type'] ?? flags.instanceType, patienceMs: flags.timeout });
    return create(app, {
      provider: 'aws',
      ...newMachine(flags),
      ...market,
      lease: leaseWish(app, flags, 'machine', market.spot ? 'spot' : 'on-demand'),
      wait: flags.wait ?? false,
      timeoutMs: flags.timeout ?? 600_000,
      dryRun: flags.dryRun ?? false,
    });
  },
  fields: Object.keys({
    runId: true, instanceId: true, instanceType: true, market: true, fellBack: true, spotRequestId: true, state: true, region: true, zone: true, publicIp: true, privateIp: true, image: true,
    iamInstanceProfile: true, costPerHourUsd: true, onDemandPerHourUsd: true, savingPercent: true, priceSource: true, expectedHours: true, expectedCostUsd: true, worstCostUsd: true,
    lease: true, ssm: true, dryRun: true,
  } satisfies { [K in keyof CreateResult]-?: true }),
  text: (result: CreateResult, style) => {
    const head = result.dryRun ? 'Would create' : `Created ${result.market} instance${result.fellBack ? ' (no spot capacity)' : ''}: ${style.bold(result.instanceId ?? '')}`;
    const ready = { connected: 'Instance ready and SSM connected', 'not-proven': 'SSM not checked: add --wait, or run "runctl aws wait-ssm"', none: 'SSM is not available: the machine has no instance profile' }[result.ssm];
    return [
      head,
      ...renderFacts([
        ['Type', `${result.instanceType} (${result.market})`],
        ['State', result.dryRun ? undefined : result.state],
        ['Zone', result.zone ?? result.region],
        ['Public IP', result.publicIp],
        ['Private IP', result.privateIp],
        ['Image', result.image],
        ['Profile', result.iamInstanceProfile ?? 'none'],
        ['Price', result.costPerHourUsd === undefined ? 'unknown' : `${dollars(result.costPerHourUsd)}/hour (${result.priceSource})`],
        ['Saves', result.savingPercent === undefined ? undefined : `${result.savingPercent} % of ${dollars(result.onDemandPerHourUsd!)}/hour on demand`],
        ['Lease', result.lease?.replace(/^lease: /, '')],
      ]),
      ...(result.dryRun ? ['Nothing was created.'] : [ready]),
    ].join('\n');
  },
});

function dollars(usd: number): string {
  return formatUsd(Math.round(usd * MICROS_PER_USD));
}
