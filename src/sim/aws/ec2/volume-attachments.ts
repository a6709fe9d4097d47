// Does: AttachVolume and DetachVolume: states over time, one machine and one device at a time, zone, limit.
// Gaps: the guest sees no device, so nothing is ever mounted and no detach stays `busy`. A root volume cannot be detached, not even
// from a stopped instance.
// By design: what is attached later is never deleted with its instance, as on EC2.
// Source: EC2 API Reference AttachVolume, DetachVolume, "Error codes"; EBS User Guide "Attach an Amazon EBS volume"; EC2 User Guide
// "Amazon EBS volume limits" (28 attachments shared with network interfaces), "Device names for volumes".
import { meterVolumeAttached, meterVolumeDetached } from '../../meter.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryService, Xml } from '../../wire/call.ts';
import { findInstances } from './instance-ids.ts';
import { dryRun, required, text } from './params.ts';
import { ec2Tables } from './rows.ts';
import type { VolumeAttachment } from './rows.ts';
import { attachmentOf, attachmentXml, incorrectState, isDetaching, oneVolume, volumesIn, volumeState } from './volume-view.ts';

/** One of the 28 is the network interface. */
const MOST_VOLUMES = 27;
const DEVICE = /^(?:\/dev\/)?(?:sd[a-z]\d{0,2}|xvd[a-z]{1,2}\d{0,2})$/;

export const volumeAttachmentOperations: QueryService['operations'] = {
  AttachVolume(params, { cloud, region }): Xml {
    const row = oneVolume(cloud, region, required(params, 'VolumeId'));
    const [instance] = findInstances(cloud, region, [required(params, 'InstanceId')]);
    const device = required(params, 'Device');
    const { volumeId } = row;
    const now = cloud.clock.now();
    if (!instance || (instance.state !== 'running' && instance.state !== 'stopped')) throw incorrectState(`Instance '${instance?.instanceId ?? ''}' is not 'running'.`);
    if (row.attachment) throw new AwsFault('VolumeInUse', `${volumeId} is already attached to an instance`);
    if (volumeState(row, now) !== 'available') throw incorrectState(`${volumeId} is not 'available'.`);
    if (row.zone !== instance.zone) throw new AwsFault('InvalidVolume.ZoneMismatch', `The volume '${volumeId}' is not in the same availability zone as instance '${instance.instanceId}'`);
    if (!DEVICE.test(device)) throw new AwsFault('InvalidParameterValue', `Value (${device}) for parameter device is invalid. ${device} is not a valid EBS device name.`);
    const others = volumesIn(cloud, region).map((volume) => attachmentOf(volume, now)?.attachment).filter((other) => other?.instanceId === instance.instanceId);
    if (others.some((other) => other?.device === device)) {
      throw new AwsFault('InvalidParameterValue', `Invalid value '${device}' for unixDevice. Attachment point ${device} is already in use`);
    }
    if (others.length >= MOST_VOLUMES) {
      throw new AwsFault('AttachmentLimitExceeded', `The maximum number of attachments for instance '${instance.instanceId}' has been reached.`);
    }
    dryRun(params);
    const attachment: VolumeAttachment = { instanceId: instance.instanceId, device, attachedAt: now, attachingUntil: now + cloud.dial.volumeMs, deleteOnTermination: false };
    row.attachment = attachment;
    row.detaching = undefined;
    ec2Tables(cloud.world).volumes.put(volumeId, row);
    meterVolumeAttached(cloud.world, volumeId, instance.instanceId, now);
    return attachmentXml(volumeId, { attachment, status: 'attaching' });
  },

  DetachVolume(params, { cloud, region }): Xml {
    const row = oneVolume(cloud, region, required(params, 'VolumeId'));
    const { volumeId, attachment } = row;
    const now = cloud.clock.now();
    if (!attachment) throw incorrectState(`Volume '${volumeId}' is in the '${isDetaching(row, now) ? 'detaching' : 'available'}' state.`);
    const instanceId = text(params, 'InstanceId');
    const device = text(params, 'Device');
    if ((instanceId !== undefined && instanceId !== attachment.instanceId) || (device !== undefined && device !== attachment.device)) {
      throw new AwsFault('InvalidAttachment.NotFound', `The volume '${volumeId}' is not attached to instance '${instanceId ?? attachment.instanceId}' as device '${device ?? attachment.device}'.`);
    }
    const instance = ec2Tables(cloud.world).instances.get(attachment.instanceId);
    if (instance?.state === 'pending' || instance?.state === 'shutting-down') throw incorrectState(`Instance '${instance.instanceId}' is in the '${instance.state}' state.`);
    if (instance?.rootDevice === attachment.device) throw new AwsFault('OperationNotPermitted', `Unable to detach root volume '${volumeId}' from instance '${instance.instanceId}'`);
    dryRun(params);
    row.attachment = undefined;
    row.detaching = { attachment, until: now + cloud.dial.volumeMs };
    ec2Tables(cloud.world).volumes.put(volumeId, row);
    // Unmounted and let go: EC2 takes the rest of the way, nobody uses it.
    meterVolumeDetached(cloud.world, volumeId, now);
    return attachmentXml(volumeId, { attachment, status: 'detaching' });
  },
};
