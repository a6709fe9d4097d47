// runctl aws create
import { MICROS_PER_USD, formatUsd } from '../../core/money.ts';
import { RunctlError } from '../../core/errors.ts';
import { type CreateResult, create } from '../../engine/create.ts';
import { defineCommand } from '../define.ts';
import { renderFacts } from '../machine/facts.ts';
import { MACHINE_FLAGS, newMachine } from './machine-flags.ts';

export const createCommand = defineCommand({
  description:
    'Shows the price before anything is created. The machine takes connections only through SSM: no inbound port is open, metadata is IMDSv2 only, the disk is encrypted. With --wait the command ends when a command that was sent to the machine came back.',
  args: [{ name: 'type', summary: 'instance type such as t3.micro or g5.xlarge (default: aws.default_instance_type)', optional: true }],
  flags: {
    wait: { kind: 'switch', summary: 'wait until the machine runs and, with a profile, answers over SSM' },
    timeout: { kind: 'duration', placeholder: 'TIME', default: '10m', summary: 'limit of --wait' },
    ...MACHINE_FLAGS,
    dryRun: { kind: 'switch', summary: 'show plan and price, ask the cloud whether it would be allowed, create nothing' },
    instanceType: { kind: 'text', placeholder: 'TYPE', hidden: true, summary: 'old spelling of TYPE' },
    spot: { kind: 'switch', hidden: true, summary: 'not yet' },
  },
  examples: [
    'runctl aws create t3.micro --iam-instance-profile runctl-ssm-profile --wait',
    'ID=$(runctl aws create t3.micro --wait --output instance-id)',
    'runctl aws create g5.xlarge --dry-run',
  ],
  run: (input, app) => {
    const { flags } = input;
    if (flags.spot) {
      throw new RunctlError('usage', 'spot machines cannot be bought by this version', { hints: [`runctl aws create ${input.args['type'] ?? 't3.micro'}   (on-demand)`] });
    }
    if (input.args['type'] && flags.instanceType && input.args['type'] !== flags.instanceType) {
      throw new RunctlError('usage', `two instance types: ${input.args['type']} and ${flags.instanceType}`, { hints: [`runctl aws create ${input.args['type']}`] });
    }
    return create(app, {
      provider: 'aws',
      type: input.args['type'] ?? flags.instanceType ?? app.config.aws.default_instance_type,
      ...newMachine(flags),
      wait: flags.wait ?? false,
      timeoutMs: flags.timeout,
      dryRun: flags.dryRun ?? false,
    });
  },
  fields: Object.keys({
    runId: true, instanceId: true, instanceType: true, market: true, state: true, region: true, zone: true, publicIp: true, privateIp: true, image: true,
    iamInstanceProfile: true, costPerHourUsd: true, priceSource: true, ssm: true, dryRun: true,
  } satisfies { [K in keyof CreateResult]-?: true }),
  text: (result: CreateResult, style) => {
    const head = result.dryRun ? 'Would create' : `Created ${result.market} instance: ${style.bold(result.instanceId ?? '')}`;
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
        ['Price', result.costPerHourUsd === undefined ? 'unknown' : `${formatUsd(Math.round(result.costPerHourUsd * MICROS_PER_USD))}/hour (${result.priceSource})`],
      ]),
      ...(result.dryRun ? ['Nothing was created.'] : [ready]),
    ].join('\n');
  },
});
