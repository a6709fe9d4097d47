// What EC2 tells of the times for which a machine is billed: its latest start, its disks, the prices of that time.
// Sources: EC2 API Reference, DescribeInstances (LaunchTime, StateTransitionReason), DescribeVolumes, DescribeSpotPriceHistory
// (the change before StartTime is part of the answer). Not here: sums (cost/), earlier starts (ledger/).
import type { SpotPrice } from '@aws-sdk/client-ec2';
import { RunctlError } from '../../core/errors.ts';
import type { Machine } from '../../core/machine.ts';
import { parseUsd } from '../../core/money.ts';
import type { DiskSpan, MachineUsage, PriceChange, Rates, RatesWish, RunSpan } from '../../core/usage.ts';
import type { AwsApi } from './clients.ts';
import { toMachine } from './machines.ts';
import { ADDRESS_MICRO_USD_PER_HOUR, unitPrices } from './prices.ts';

const LINUX = ['Linux/UNIX', 'Linux/UNIX (Amazon VPC)'];
/** Of one DescribeInstances by filter. */
const MOST_IDS = 200;

/** A terminated machine's disks are not in the answer: EC2 has forgotten them. Not being told of disks is no reason to lose its starts,
 *  which are known already. */
export async function usageOf(api: AwsApi, machine: Machine, wanted: { disks: boolean }, signal?: AbortSignal): Promise<MachineUsage> {
  const runs = latestRun(machine, api.clock.now());
  if (machine.state === 'terminated' || !wanted.disks) return { machineId: machine.id, runs, disks: [] };
  try {
    return { machineId: machine.id, runs, disks: await disksOf(api, machine, signal) };
  } catch (error) {
    if (!(error instanceof RunctlError) || error.code !== 'not-permitted') throw error;
    return { machineId: machine.id, runs, disks: [], disksUnknown: true };
  }
}

function latestRun(machine: Machine, nowMs: number): RunSpan[] {
  const { launchedAt, state, endedAt, interrupted, market, publicIp } = machine;
  // While it is pending nothing is billed, and the time of its launch may still change.
  if (launchedAt === undefined || state === 'pending') return [];
  const end = state === 'running' ? {} : endedAt === undefined ? { to: wholeSecond(nowMs), atMost: true } : { to: endedAt };
  return [{
    from: wholeSecond(launchedAt),
    ...end,
    ...(interrupted ? { interrupted } : {}),
    market,
    prices: [],
    addressMicroUsdPerHour: publicIp === undefined ? 0 : ADDRESS_MICRO_USD_PER_HOUR,
    // An address goes when the machine stops.
    ...(state !== 'running' && publicIp === undefined ? { addressUnseen: true } : {}),
  }];
}

async function disksOf(api: AwsApi, machine: Machine, signal?: AbortSignal): Promise<DiskSpan[]> {
  const answer = await api.ec2('DescribeVolumes', { Filters: [{ Name: 'attachment.instance-id', Values: [machine.id] }] }, { signal, subject: machine.id, region: machine.region });
  return (answer.Volumes ?? []).map((volume) => {
    const attached = volume.Attachments?.find((one) => one.InstanceId === machine.id);
    const createdAt = volume.CreateTime?.getTime() ?? machine.firstLaunchedAt ?? machine.launchedAt ?? api.clock.now();
    return {
      id: volume.VolumeId ?? '',
      gb: volume.Size ?? 0,
      // What it had cost before somebody attached it is not this machine's.
      from: wholeSecond(Math.max(createdAt, attached?.AttachTime?.getTime() ?? 0)),
      onTermination: attached?.DeleteOnTermination ?? false,
    };
  });
}

/** Prices that nobody tells are missing from the answer; that is no error. */
export async function ratesOf(api: AwsApi, wanted: RatesWish, signal?: AbortSignal): Promise<Rates> {
  const [unit, changes] = await Promise.all([unitPrices(api, wanted.type, wanted.region, signal), wanted.market === 'spot' ? spotChanges(api, wanted, signal) : undefined]);
  const onDemand = unit.computeMicroUsd === undefined ? [] : [{ at: wanted.from, microUsdPerHour: unit.computeMicroUsd }];
  return {
    prices: changes ?? onDemand,
    addressMicroUsdPerHour: ADDRESS_MICRO_USD_PER_HOUR,
    diskMicroUsdPerGbMonth: unit.gp3MicroUsdPerGbMonth,
    source: changes === undefined ? unit.source : changes.length > 0 ? `EC2 spot price history of ${wanted.zone}` : 'spot price unknown',
  };
}

async function spotChanges(api: AwsApi, { type, zone, region, from, to }: RatesWish, signal?: AbortSignal): Promise<PriceChange[]> {
  if (zone === undefined) return [];
  const rows: SpotPrice[] = [];
  try {
    let token: string | undefined;
    do {
      const page = await api.ec2(
        'DescribeSpotPriceHistory',
        {
          InstanceTypes: [type as never],
          ProductDescriptions: LINUX,
          AvailabilityZone: zone,
          StartTime: new Date(from),
          EndTime: new Date(Math.max(from, to ?? api.clock.now())),
          MaxResults: 1000,
          ...(token ? { NextToken: token } : {}),
        },
        { signal, subject: type, region },
      );
      rows.push(...(page.SpotPriceHistory ?? []));
      // An empty token ends the list too.
      token = page.NextToken || undefined;
    } while (token);
  } catch (error) {
    // What was paid is then unknown; whoever shows it says so.
    if (error instanceof RunctlError && error.code !== 'credentials-missing' && error.code !== 'interrupted') return [];
    throw error;
  }
  return rows
    .flatMap((row) => (row.SpotPrice && /^\d+(\.\d+)?$/.test(row.SpotPrice) && row.AvailabilityZone === zone ? [{ at: row.Timestamp?.getTime() ?? from, microUsdPerHour: parseUsd(row.SpotPrice) }] : []))
    .sort((a, b) => a.at - b.at);
}

/** By filter, not by id: one unknown id would fail the whole call. */
export async function sightings(api: AwsApi, { ids, region }: { ids: string[]; region: string }, signal?: AbortSignal): Promise<Machine[]> {
  const found: Machine[] = [];
  for (let first = 0; first < ids.length; first += MOST_IDS) {
    const answer = await api.ec2('DescribeInstances', { Filters: [{ Name: 'instance-id', Values: ids.slice(first, first + MOST_IDS) }] }, { signal, region });
    found.push(...(answer.Reservations ?? []).flatMap((one) => one.Instances ?? []).map((instance) => toMachine(instance, region)));
  }
  return found;
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
