// The meter against somebody who only sees what the API shows: random lives of machines and disks, each looked at from outside,
// priced by a sum of its own (cumulated prices, big integers) and compared to the micro-dollar.
import {
  AttachVolumeCommand,
  CreateVolumeCommand,
  DeleteVolumeCommand,
  DescribeInstancesCommand,
  DescribeSpotPriceHistoryCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { Instance, RunInstancesCommandInput, SpotPrice, Volume } from '@aws-sdk/client-ec2';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TEST_DIAL, X86_IMAGE, startTestSim } from '../../test/support/test-sim.ts';
import type { TestSim } from '../../test/support/test-sim.ts';

const SPOT_TYPE = 'm5.large';
const ON_DEMAND = { 't3.micro': 10_400n, 'm5.large': 96_000n } as Record<string, bigint>;
const GP3 = 80_000n;
const MONTH_S = 720n * 3600n;
const floorS = (at: Date | number): number => Math.floor(Number(at) / 1000);

interface Start {
  from: number;
  to?: number;
  type: string;
  zone: string;
  spot: boolean;
  hasAddress: boolean;
  takenBack: boolean;
}
interface Disk {
  gb: number;
  from: number;
  to?: number;
  uses: { machine: string; from: number; to?: number }[];
}
interface Machine {
  starts: Start[];
  /** Second in which it left for good. */
  ended?: number;
}

/** What can be known from outside; all times in epoch seconds. */
class Outsider {
  readonly machines = new Map<string, Machine>();
  readonly disks = new Map<string, Disk>();
  readonly runningIds = new Set<string>();
  readonly stoppedIds = new Set<string>();
  readonly instances = new Map<string, Instance>();
  readonly volumes = new Map<string, Volume>();

  look(instances: Instance[], volumes: Volume[]): void {
    this.runningIds.clear();
    this.stoppedIds.clear();
    this.volumes.clear();
    for (const volume of volumes) this.#lookAtVolume(volume);
    for (const instance of instances) this.#lookAtInstance(instance);
  }

  #lookAtInstance(instance: Instance): void {
    const id = instance.InstanceId!;
    const machine = this.machines.get(id) ?? { starts: [] };
    this.machines.set(id, machine);
    this.instances.set(id, instance);
    const state = instance.State!.Name!;
    const last = machine.starts.at(-1);
    if (state === 'running') {
      this.runningIds.add(id);
      const from = floorS(instance.LaunchTime!);
      if (last?.from !== from) {
        machine.starts.push({ from, type: instance.InstanceType!, zone: instance.Placement!.AvailabilityZone!, spot: instance.InstanceLifecycle === 'spot', hasAddress: instance.PublicIpAddress !== undefined, takenBack: false });
      }
      return;
    }
    if (state === 'pending') return;
    const left = floorS(new Date(/\((.*) GMT\)/.exec(instance.StateTransitionReason!)![1]!.replace(' ', 'T') + 'Z'));
    if (last && last.to === undefined) {
      last.to = left;
      last.takenBack = instance.StateReason!.Code!.startsWith('Server.Spot');
    }
    if (state === 'stopped') this.stoppedIds.add(id);
    if ((state !== 'terminated' && state !== 'shutting-down') || machine.ended !== undefined) return;
    machine.ended = left;
    for (const disk of this.disks.values()) {
      const use = disk.uses.at(-1);
      if (use?.machine !== id || use.to !== undefined) continue;
      use.to = left;
      // Gone with its machine, or left behind.
      if (this.#goesWith.get(disk)) disk.to = left;
    }
  }

  readonly #goesWith = new Map<Disk, boolean>();

  #lookAtVolume(volume: Volume): void {
    this.volumes.set(volume.VolumeId!, volume);
    const disk = this.disks.get(volume.VolumeId!) ?? { gb: volume.Size!, from: floorS(volume.CreateTime!), uses: [] };
    this.disks.set(volume.VolumeId!, disk);
    const [attachment] = volume.Attachments!;
    if (!attachment) return;
    const last = disk.uses.at(-1);
    const from = floorS(attachment.AttachTime!);
    if (!last || last.machine !== attachment.InstanceId || last.from !== from) disk.uses.push({ machine: attachment.InstanceId!, from });
    this.#goesWith.set(disk, attachment.DeleteOnTermination!);
  }
}

/** Micro-dollars an hour, cumulated over the seconds of a zone's price history: the price of a stretch is a difference. */
function cumulated(history: SpotPrice[], zone: string): (at: number) => bigint {
  const steps = history
    .filter((entry) => entry.AvailabilityZone === zone)
    .map((entry) => ({ at: floorS(entry.Timestamp!), price: BigInt(Math.round(Number(entry.SpotPrice) * 1_000_000)) }))
    .sort((a, b) => a.at - b.at);
  return (at) => steps.reduce((sum, { at: from, price }, index) => sum + price * BigInt(Math.max(0, Math.min(at, steps[index + 1]?.at ?? Infinity) - from)), 0n);
}

const halfUp = (numerator: bigint, denominator: bigint): number => Number((numerator + denominator / 2n) / denominator);

function sums(outsider: Outsider, history: SpotPrice[], now: number) {
  const curves = new Map<string, (at: number) => bigint>();
  const curve = (zone: string) => curves.get(zone) ?? curves.set(zone, cumulated(history, zone)).get(zone)!;
  const storage = new Map<string, bigint>();
  const free = new Map<string, number>();
  for (const [id, disk] of outsider.disks) {
    const end = disk.to ?? now;
    let alone = end - disk.from;
    for (const use of disk.uses) {
      const used = (use.to ?? end) - use.from;
      alone -= used;
      storage.set(use.machine, (storage.get(use.machine) ?? 0n) + BigInt(disk.gb * used) * GP3);
    }
    const lacking = Math.max(0, 60 - (end - disk.from));
    const last = disk.uses.at(-1);
    if (last && last.to === disk.to) storage.set(last.machine, (storage.get(last.machine) ?? 0n) + BigInt(disk.gb * lacking) * GP3);
    else alone += lacking;
    if (alone > 0) free.set(id, halfUp(BigInt(disk.gb * alone) * GP3, MONTH_S));
  }
  const machines = new Map<string, { computeMicroUsd: number; addressMicroUsd: number; storageMicroUsd: number; runningSeconds: number }>();
  for (const [id, { starts }] of outsider.machines) {
    let [compute, address, seconds] = [0n, 0n, 0];
    for (const start of starts) {
      const to = start.to ?? now;
      const used = to - start.from;
      const billed = Math.max(60, used);
      seconds += billed;
      if (start.hasAddress) address += 5_000n * BigInt(billed);
      if (start.takenBack && used < 3600) continue;
      if (!start.spot) compute += ON_DEMAND[start.type]! * BigInt(billed);
      else {
        const upTo = curve(start.zone);
        const lastSecond = Math.max(start.from, to - 1);
        compute += upTo(to) - upTo(start.from) + BigInt(billed - used) * (upTo(lastSecond + 1) - upTo(lastSecond));
      }
    }
    machines.set(id, { computeMicroUsd: halfUp(compute, 3600n), addressMicroUsd: halfUp(address, 3600n), storageMicroUsd: halfUp(storage.get(id) ?? 0n, MONTH_S), runningSeconds: seconds });
  }
  return { machines, free };
}

/** One world: machines are bought, stopped, started, taken back and ended in random ways, while somebody looks on. */
async function live(random: () => number, seen: Record<string, number>): Promise<void> {
  let t: TestSim = await startTestSim();
  const outsider = new Outsider();
  const chance = (share: number): boolean => random() < share;
  const some = (ids: Iterable<string>, share: number): string[] => [...ids].filter(() => chance(share));
  const note = (what: string, times = 1): void => void (seen[what] = (seen[what] ?? 0) + times);
  const look = async (): Promise<void> => {
    const [{ Reservations }, { Volumes }] = await Promise.all([t.ec2.send(new DescribeInstancesCommand({})), t.ec2.send(new DescribeVolumesCommand({}))]);
    outsider.look(Reservations!.flatMap((reservation) => reservation.Instances!), Volumes!);
  };
  const wait = (leastS: number, mostS: number) => t.clock.advance(Math.floor((leastS + (mostS - leastS) * random()) * 1000));
  const end = async (ids: string[]): Promise<void> => {
    if (ids.length > 0) await t.ec2.send(new TerminateInstancesCommand({ InstanceIds: ids }));
    note('terminated', ids.length);
  };
  const buy = async (): Promise<void> => {
    const isSpot = chance(0.5);
    const count = 8 + Math.floor(random() * 5);
    const input: RunInstancesCommandInput = { ImageId: X86_IMAGE, InstanceType: isSpot ? SPOT_TYPE : 't3.micro', MinCount: count, MaxCount: count };
    if (isSpot) input.InstanceMarketOptions = { MarketType: 'spot' };
    if (isSpot) input.Placement = { AvailabilityZone: chance(0.5) ? 'us-east-1a' : 'us-east-1b' };
    if (chance(0.3)) input.NetworkInterfaces = [{ DeviceIndex: 0, AssociatePublicIpAddress: false }];
    if (chance(0.5)) input.BlockDeviceMappings = [{ DeviceName: '/dev/sdz', Ebs: { VolumeSize: 1 + Math.floor(random() * 500), VolumeType: 'gp3', DeleteOnTermination: chance(0.5) } }];
    const { Instances } = await t.ec2.send(new RunInstancesCommand(input));
    note(isSpot ? 'spot' : 'on-demand', count);
    if (chance(0.5)) {
      await look();
      await wait(0, 8);
      await end(some(Instances!.map(({ InstanceId }) => InstanceId!), 0.2));
    }
  };
  const handleDisks = async (busy: Set<string>): Promise<void> => {
    for (const [id, volume] of [...outsider.volumes].filter(() => chance(0.15))) {
      const disk = outsider.disks.get(id)!;
      const [attachment] = volume.Attachments!;
      const now = floorS(t.clock.now());
      if (volume.State === 'available' && chance(0.5)) {
        await t.ec2.send(new DeleteVolumeCommand({ VolumeId: id }));
        disk.to = now;
        note('deleted');
      } else if (volume.State === 'available') {
        const place = [...outsider.runningIds, ...outsider.stoppedIds].find((machine) => !busy.has(machine) && outsider.instances.get(machine)!.Placement!.AvailabilityZone === volume.AvailabilityZone);
        if (place === undefined) continue;
        await t.ec2.send(new AttachVolumeCommand({ VolumeId: id, InstanceId: place, Device: `/dev/sd${'fghijklmnop'[Math.floor(random() * 11)]!}` })).catch((error: Error) => expect(error.message).toContain('already in use'));
        note('attached');
      } else if (attachment && attachment.Device !== '/dev/xvda' && !busy.has(attachment.InstanceId!)) {
        await t.ec2.send(new DetachVolumeCommand({ VolumeId: id }));
        disk.uses.at(-1)!.to = now;
        note('detached');
      }
    }
    if (chance(0.7)) await t.ec2.send(new CreateVolumeCommand({ AvailabilityZone: chance(0.5) ? 'us-east-1a' : 'us-east-1b', Size: 1 + Math.floor(random() * 300), VolumeType: 'gp3' }));
  };

  await t.clock.advance(Math.floor(random() * 1000));
  const begun = new Date(t.clock.now());
  for (let step = 0; step < 8; step++) {
    const isSpot = (id: string): boolean => outsider.instances.get(id)!.InstanceLifecycle === 'spot';
    const ending = some([...outsider.runningIds, ...outsider.stoppedIds], 0.15);
    const rest = [...outsider.runningIds].filter((id) => !ending.includes(id));
    const stopping = some(rest.filter((id) => !isSpot(id)), 0.4);
    const starting = some([...outsider.stoppedIds].filter((id) => !ending.includes(id)), 0.6);
    const takenBack = some(rest.filter(isSpot), 0.2);
    await handleDisks(new Set([...ending, ...starting, ...takenBack]));
    await end(ending);
    if (stopping.length > 0) await t.ec2.send(new StopInstancesCommand({ InstanceIds: stopping }));
    if (starting.length > 0) await t.ec2.send(new StartInstancesCommand({ InstanceIds: starting }));
    for (const instanceId of takenBack) await t.sim.call('interrupt', { instanceId, noticeMs: Math.floor(random() * 120_000) });
    note('stopped', stopping.length);
    note('started', starting.length);
    note('taken back', takenBack.length);
    if (chance(0.5)) await t.sim.call('market-set', { type: SPOT_TYPE, zone: 'us-east-1a', microUsdPerHour: 20_000 + 100 * Math.floor(random() * 700) });
    if (step < 6) await buy();
    // Long enough for everything that was set going, short enough for what has ended to be seen.
    await wait(150, 600);
    await look();
    await wait(0, chance(0.3) ? 200_000 : 3_000);
    if (step === 4) t = await t.restart();
  }

  const history: SpotPrice[] = [];
  for (let token: string | undefined; ; ) {
    const answer = await t.ec2.send(new DescribeSpotPriceHistoryCommand({ InstanceTypes: [SPOT_TYPE], ProductDescriptions: ['Linux/UNIX'], StartTime: begun, EndTime: new Date(t.clock.now()), NextToken: token }));
    history.push(...answer.SpotPriceHistory!);
    token = answer.NextToken;
    if (!token) break;
  }
  const { machines, free } = sums(outsider, history, floorS(t.clock.now()));
  const reading = t.sim.meter();
  const metered = reading.lines.map(({ instanceId, computeMicroUsd, addressMicroUsd, storageMicroUsd, runningSeconds }) => [instanceId, { computeMicroUsd, addressMicroUsd, storageMicroUsd, runningSeconds }] as const);
  expect(Object.fromEntries(metered)).toEqual(Object.fromEntries(machines));
  expect(Object.fromEntries(reading.volumes.map(({ volumeId, storageMicroUsd }) => [volumeId, storageMicroUsd]))).toEqual(Object.fromEntries(free));
  const total = [...machines.values()].reduce((sum, line) => sum + line.computeMicroUsd + line.addressMicroUsd + line.storageMicroUsd, 0) + [...free.values()].reduce((sum, cost) => sum + cost, 0);
  expect(reading.totalMicroUsd).toBe(total);
  note('machines', machines.size);
  note('starts for nothing', reading.lines.flatMap((line) => line.periods).filter((period) => period.free).length);
  note('never ran', reading.lines.filter((line) => line.periods.length === 0).length);
  note('free disks', free.size);
  await t.close();
}

test('R207 random lives: the meter is what an outsider can work out, to the micro-dollar', async () => {
  const seen: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      let state = seed | 0;
      await live(() => {
        // Numerical Recipes' linear congruential generator: plenty for choosing.
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
        return (state >>> 8) / 2 ** 24;
      }, seen);
    }),
    { numRuns: 6, endOnFailure: true },
  );
  // Not a comparison of nothing with nothing.
  expect(seen['machines']).toBeGreaterThanOrEqual(300);
  for (const what of ['spot', 'on-demand', 'stopped', 'started', 'terminated', 'taken back', 'starts for nothing', 'never ran', 'attached', 'detached', 'deleted', 'free disks']) expect(seen[what], what).toBeGreaterThan(3);
  expect(TEST_DIAL.terminatedVisibleMs).toBeGreaterThan(600_000);
});
