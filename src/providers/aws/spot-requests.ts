// Giving up on a spot launch of which nobody knows whether it was carried out: what is open in the market is cancelled, and a
// machine that it made after all is named, so that it can be taken or ended. Source: EC2 API Reference, DescribeSpotInstanceRequests
// and CancelSpotInstanceRequests; EC2 User Guide, "Cancel a Spot Instance request" (it ends no running machine).
import type { SpotInstanceRequest } from '@aws-sdk/client-ec2';
import { RunctlError } from '../../core/errors.ts';
import type { Machine } from '../../core/machine.ts';
import { isOurs } from '../../core/ownership.ts';
import type { AwsApi } from './clients.ts';
import { isAwsCode } from './errors.ts';
import { TAG } from './machines.ts';
import { SPOT_STATUS, readableStatus } from './spot-status.ts';

/** How long EC2 may not yet show what a request of a moment ago made. */
const SEEN_AFTER_MS = 4_000;
const FIRST_PAUSE_MS = 500;

interface Finder {
  find(id: string, signal?: AbortSignal): Promise<Machine | undefined>;
  findByToken(token: string, signal?: AbortSignal): Promise<Machine | undefined>;
}

export interface Withdrawal {
  /** Spot requests that were cancelled. */
  cancelled: string[];
  /** What the launch made after all, in whatever state. */
  machine?: Machine;
  /** EC2's last word about the request, for people. */
  status?: string;
}

/** Safe to repeat. Throws when EC2 cannot be asked: then nothing is known. */
export async function withdraw(api: AwsApi, lifecycle: Finder, token: string, signal?: AbortSignal): Promise<Withdrawal> {
  const cancelled = new Set<string>();
  const startedAt = api.clock.monotonic();
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs *= 2) {
    const [requests, byToken] = await Promise.all([requestsOf(api, token, signal), lifecycle.findByToken(token, signal)]);
    const open = requests.filter((one) => (one.State === 'open' || one.State === 'active') && !cancelled.has(one.SpotInstanceRequestId ?? ''));
    for (const id of await cancel(api, open, signal)) cancelled.add(id);
    const made = requests.find((one) => one.InstanceId)?.InstanceId;
    const machine = byToken ?? (made === undefined ? undefined : await lifecycle.find(made, signal));
    const last = requests.at(-1)?.Status;
    const status = readableStatus(last?.Code, last?.Message);
    const result = { cancelled: [...cancelled], ...(machine ? { machine } : {}), ...(status === undefined ? {} : { status }) };
    // A request that was open a moment ago may have been filled while it was cancelled: one more look tells.
    const settled = machine !== undefined || (requests.length > 0 && open.length === 0 && made === undefined);
    if (settled || api.clock.monotonic() - startedAt + pauseMs > SEEN_AFTER_MS) return result;
    await api.clock.sleep(pauseMs, signal);
  }
}

/** A machine that was taken back, with what its request tells beyond that: for want of capacity, or by the price. */
export async function withReason(api: AwsApi, machine: Machine, signal?: AbortSignal): Promise<Machine> {
  const id = machine.spotRequestId;
  if (!machine.interrupted || id === undefined) return machine;
  try {
    const answer = await api.ec2('DescribeSpotInstanceRequests', { SpotInstanceRequestIds: [id] }, { signal, subject: id, once: true });
    const status = answer.SpotInstanceRequests?.find((one) => one.SpotInstanceRequestId === id)?.Status;
    // Only what is about the interruption: a request that was cancelled in the meantime says that instead.
    if (status?.Code === undefined || SPOT_STATUS.get(status.Code)?.phase !== 'interrupted') return machine;
    // That it was taken back is said already.
    const why = readableStatus(status.Code, status.Message)?.replace(/^AWS (took the machine back|stopped the machine): /, '');
    return { ...machine, stateReason: [machine.stateReason, why].filter(Boolean).join('; ') };
  } catch (error) {
    // EC2 forgets requests after two days, and not everybody may look at them: the machine itself says enough.
    if (error instanceof RunctlError && !signal?.aborted) return machine;
    throw error;
  }
}

/** Those of this launch only: emulators may ignore filters, and what is cancelled must be ours. */
async function requestsOf(api: AwsApi, token: string, signal?: AbortSignal): Promise<SpotInstanceRequest[]> {
  const answer = await api.ec2('DescribeSpotInstanceRequests', { Filters: [{ Name: `tag:${TAG.token}`, Values: [token] }] }, { signal });
  return (answer.SpotInstanceRequests ?? []).filter((one) => {
    const tags = Object.fromEntries((one.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
    return tags[TAG.token] === token && isOurs(tags);
  });
}

async function cancel(api: AwsApi, requests: SpotInstanceRequest[], signal?: AbortSignal): Promise<string[]> {
  const ids = requests.flatMap((one) => one.SpotInstanceRequestId ?? []);
  if (ids.length === 0) return [];
  try {
    await api.ec2('CancelSpotInstanceRequests', { SpotInstanceRequestIds: ids }, { signal, subject: ids.join(', ') });
    return ids;
  } catch (error) {
    // Gone in the meantime is cancelled too.
    if (isAwsCode(error, 'InvalidSpotInstanceRequestID.NotFound', 'IncorrectSpotRequestState')) return [];
    throw error;
  }
}
