// EC2's Instance as runctl's Machine. Pure. Not here: asking EC2 (lifecycle.ts).
import type { Instance, InstanceStateName } from '@aws-sdk/client-ec2';
import type { Machine, MachineState } from '../../core/machine.ts';
import { OWN_TAG } from '../../core/ownership.ts';
import { isInterruption, readableReason, timeInReason } from './state-reason.ts';

/** Tags that every machine of runctl carries; `list` goes by the owner. `token`: only on spot requests, of which EC2 tells no client token. */
export const TAG = { ...OWN_TAG, token: 'runctl:token' } as const;

const STATES: Record<number, MachineState> = { 0: 'pending', 16: 'running', 32: 'shutting-down', 48: 'terminated', 64: 'stopping', 80: 'stopped' };

/** Only the low byte of the code counts; the rest is EC2's own business. The name is used where an emulator leaves the code out. */
export function machineState(state: { Code?: number; Name?: InstanceStateName } | undefined): MachineState {
  return STATES[(state?.Code ?? -1) & 255] ?? (state?.Name as MachineState | undefined) ?? 'pending';
}

export function toMachine(instance: Instance, region: string): Machine {
  const state = machineState(instance.State);
  const profile = instance.IamInstanceProfile?.Arn?.split('/').at(-1);
  const left = state !== 'running' && state !== 'pending';
  const reason = left ? readableReason(instance.StateReason?.Code, instance.StateReason?.Message) ?? (instance.StateTransitionReason || undefined) : undefined;
  const interrupted = left && (isInterruption(instance.StateReason?.Code) || isInterruption(instance.StateTransitionReason));
  // LaunchTime is that of the latest start; the first network interface is attached once.
  const attached = instance.NetworkInterfaces?.find((one) => (one.Attachment?.DeviceIndex ?? 0) === 0)?.Attachment?.AttachTime;
  return {
    id: instance.InstanceId ?? '',
    provider: 'aws',
    type: instance.InstanceType ?? '',
    state,
    ...(reason ? { stateReason: reason } : {}),
    market: instance.InstanceLifecycle === 'spot' ? 'spot' : 'on-demand',
    region,
    ...optional('zone', instance.Placement?.AvailabilityZone),
    ...optional('publicIp', instance.PublicIpAddress),
    ...optional('privateIp', instance.PrivateIpAddress),
    ...optional('launchedAt', instance.LaunchTime?.getTime()),
    ...optional('firstLaunchedAt', attached?.getTime()),
    ...optional('endedAt', left ? timeInReason(instance.StateTransitionReason) : undefined),
    ...(interrupted ? { interrupted } : {}),
    ...(left && instance.StateReason?.Code === 'Client.InstanceInitiatedShutdown' ? { selfEnded: true } : {}),
    ...optional('spotRequestId', instance.SpotInstanceRequestId),
    ...optional('image', instance.ImageId),
    ...optional('profile', profile),
    ...optional('keyName', instance.KeyName),
    tags: Object.fromEntries((instance.Tags ?? []).map((tag) => [tag.Key ?? '', tag.Value ?? ''])),
  };
}

function optional<Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } {
  return (value === undefined || value === '' ? {} : { [key]: value }) as { [K in Key]?: Value };
}
