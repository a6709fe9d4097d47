// Making the machine that a plan describes: one RunInstances call with the caller's token, all tags in it. Retries live here and
// not in the SDK: a capacity refusal comes as HTTP 500 and must not be repeated, anything lost in transit may be (same token).
import type { RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import { RunctlError } from '../../core/errors.ts';
import type { Machine, MachinePlan } from '../../core/machine.ts';
import { formatUsd } from '../../core/money.ts';
import type { AwsApi } from './clients.ts';
import { awsErrorData, isAwsCode, perhapsDone, surelyNotDone } from './errors.ts';
import { TAG, toMachine } from './machines.ts';
import { ensureOwnGroup } from './network.ts';
import type { AwsPlanDetail } from './plan.ts';
import { userData } from './user-data.ts';

const ATTEMPTS = 5;
/** A profile that IAM, or a group that EC2, made a moment ago is known everywhere within this time. */
const KNOWN_EVERYWHERE_AFTER_MS = 90_000;

export async function launch(api: AwsApi, plan: MachinePlan, token: string, signal?: AbortSignal): Promise<Machine> {
  const detail = plan.detail as AwsPlanDetail;
  const group = plan.securityGroup ?? (await ensureOwnGroup(api, detail.vpcId, plan.tags[TAG.owner] ?? '', signal));
  const input = runInstancesInput(plan, group, token);
  const startedAt = api.clock.monotonic();
  for (let attempt = 1, pauseMs = 500; ; attempt += 1, pauseMs = Math.min(pauseMs * 2, 10_000)) {
    try {
      const answer = await api.ec2('RunInstances', input, { signal, once: true, ...about(plan) });
      const instance = answer.Instances?.[0];
      if (instance?.InstanceId) return toMachine(instance, plan.region);
      throw new RunctlError('cloud-refused', `EC2 accepted the launch of a ${plan.type} and named no machine`, { cause: 'RunInstances answered without an instance', hints: [`aws ec2 describe-instances --filters Name=client-token,Values=${token}`] });
    } catch (error) {
      if (profileNotKnownYet(error) || (!plan.securityGroup && isAwsCode(error, 'InvalidGroup.NotFound'))) {
        if (api.clock.monotonic() - startedAt >= KNOWN_EVERYWHERE_AFTER_MS) throw error;
        await api.clock.sleep(Math.max(pauseMs, 2_000), signal);
      } else if (attempt < ATTEMPTS && (surelyNotDone(error) || perhapsDone(error))) {
        await api.clock.sleep(pauseMs, signal);
      } else {
        throw error;
      }
    }
  }
}

/** Ask EC2 whether it would do it. Throws what it would throw; changes nothing. */
export async function dryRun(api: AwsApi, plan: MachinePlan, signal?: AbortSignal): Promise<void> {
  // runctl's own group may not exist yet; EC2 then judges by the default group, which asks for the same rights.
  const input = runInstancesInput(plan, plan.securityGroup, undefined);
  try {
    await api.ec2('RunInstances', { ...input, DryRun: true }, { signal, ...about(plan) });
  } catch (error) {
    if (isAwsCode(error, 'DryRunOperation')) return;
    throw error;
  }
  throw new RunctlError('endpoint-foreign', 'the endpoint answered a dry run as if it were real', { cause: 'EC2 answers DryRunOperation', hints: ["aws ec2 describe-instances --filters Name=instance-state-name,Values=pending,running --query 'Reservations[].Instances[].InstanceId'"] });
}

/** Of spot machines the zone is named: it is what the next attempt changes. */
const about = (plan: MachinePlan) => ({ subject: plan.type, ...(plan.market === 'spot' && plan.zone ? { zone: plan.zone } : {}) });

function runInstancesInput(plan: MachinePlan, group: string | undefined, token: string | undefined): RunInstancesCommandInput {
  const Tags = Object.entries(plan.tags).map(([Key, Value]) => ({ Key, Value }));
  const input: RunInstancesCommandInput = {
    ImageId: plan.image.id,
    InstanceType: plan.type as never,
    MinCount: 1,
    MaxCount: 1,
    ...(token ? { ClientToken: token } : {}),
    SubnetId: plan.subnet,
    ...(group ? { SecurityGroupIds: [group] } : {}),
    ...(plan.profile ? { IamInstanceProfile: { Name: plan.profile } } : {}),
    ...(plan.keyName ? { KeyName: plan.keyName } : {}),
    // A hop limit of 2 lets containers on the machine reach the metadata service.
    MetadataOptions: { HttpTokens: 'required', HttpEndpoint: 'enabled', HttpPutResponseHopLimit: 2 },
    BlockDeviceMappings: [
      { DeviceName: plan.image.rootDevice, Ebs: { VolumeSize: plan.rootVolumeGb, VolumeType: 'gp3', Encrypted: true, DeleteOnTermination: true } },
    ],
    // Only who planned for it loses the disk by a power-off from inside.
    InstanceInitiatedShutdownBehavior: plan.shutdown ?? 'stop',
    ...(plan.bootScript === undefined ? {} : { UserData: userData(plan.bootScript) }),
    TagSpecifications: (['instance', 'volume', 'network-interface'] as const).map((ResourceType) => ({ ResourceType, Tags })),
  };
  if (plan.market !== 'spot') return input;
  return {
    ...input,
    // A one-time spot machine cannot be started again: powered off it would only cost its disk.
    InstanceInitiatedShutdownBehavior: 'terminate',
    InstanceMarketOptions: {
      MarketType: 'spot',
      SpotOptions: {
        // One machine, once: a persistent request would buy another one after each interruption, with nobody asking for it.
        SpotInstanceType: 'one-time',
        InstanceInterruptionBehavior: 'terminate',
        // Without it EC2 itself goes up to the on-demand price.
        ...(plan.maxPriceMicroUsd === undefined ? {} : { MaxPrice: formatUsd(plan.maxPriceMicroUsd, 6).slice(1) }),
      },
    },
    // The request outlives a lost answer; by this tag it is found again (spot-requests.ts).
    TagSpecifications: [...(input.TagSpecifications ?? []), { ResourceType: 'spot-instances-request', Tags: token ? [...Tags, { Key: TAG.token, Value: token }] : Tags }],
  };
}

/** RunInstances refuses a profile that IAM made seconds ago; the text is the only sign. */
function profileNotKnownYet(error: unknown): boolean {
  return isAwsCode(error, 'InvalidParameterValue') && /Invalid IAM Instance Profile|has no associated IAM Roles/i.test(awsErrorData(error)?.awsMessage ?? '');
}
