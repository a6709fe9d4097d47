// Removing what is not a machine, one thing a call and each for good. What is gone already counts as removed.
import { RunctlError } from '../../core/errors.ts';
import type { Item } from '../../core/inventory.ts';
import type { AwsApi } from './clients.ts';
import { isAwsCode } from './errors.ts';

/** How EC2 says that there is no such thing (any more). */
const GONE = ['InvalidVolume.NotFound', 'InvalidSnapshot.NotFound', 'InvalidSpotInstanceRequestID.NotFound', 'NoSuchKey'];

export async function disposeOf(api: AwsApi, item: Exclude<Item, { kind: 'machine' }>, signal?: AbortSignal): Promise<void> {
  const call = { signal, region: item.region, subject: item.id };
  try {
    switch (item.kind) {
      case 'volume':
        return void (await api.ec2('DeleteVolume', { VolumeId: item.id }, call));
      case 'snapshot':
        return void (await api.ec2('DeleteSnapshot', { SnapshotId: item.id }, call));
      case 'object':
        return void (await api.s3('DeleteObject', { Bucket: item.bucket, Key: item.key }, call));
      case 'spot-request':
        return await cancel(api, item.id, call);
    }
  } catch (error) {
    if (!isAwsCode(error, ...GONE)) throw error;
  }
}

/** Cancelling says nothing of machines that the request has made meanwhile: those are found as machines, by their tags. */
async function cancel(api: AwsApi, id: string, call: { signal?: AbortSignal; region: string; subject: string }): Promise<void> {
  const answer = await api.ec2('CancelSpotInstanceRequests', { SpotInstanceRequestIds: [id] }, call);
  const state = answer.CancelledSpotInstanceRequests?.find((one) => one.SpotInstanceRequestId === id)?.State;
  if (state === undefined || state === 'cancelled' || state === 'completed' || state === 'closed') return;
  throw new RunctlError('cloud-refused', `the spot request ${id} is ${state} still`, { cause: 'EC2 took the cancellation and did not carry it out', hints: [`aws ec2 describe-spot-instance-requests --spot-instance-request-ids ${id} --region ${call.region}`] });
}
