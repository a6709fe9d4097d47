import { ModifyInstanceAttributeCommand, StartInstancesCommand, StopInstancesCommand, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TEST_DIAL, startTestSim } from '../../test/support/test-sim.ts';
import type { TestSim } from '../../test/support/test-sim.ts';

let t: TestSim;
beforeEach(async () => {
  t = await startTestSim();
});
afterEach(() => t.close());

async function running(input = {}): Promise<string> {
  const { InstanceId } = await t.run(input);
  await t.clock.advance(TEST_DIAL.pendingMs);
  return InstanceId!;
}
const stop = (id: string) => t.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
const start = (id: string) => t.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));

test('R204 an hour of t3.micro costs $0.0104, its address $0.005 and 8 GB of gp3 their share of a 30-day month', async () => {
  const id = await running();
  await t.clock.advance(3_600_000);
  await t.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  await t.clock.advance(TEST_DIAL.shuttingDownMs);
  // The disk existed while pending and shutting down too: 3600 + 10 + 15 seconds.
  const storage = Math.round((3625 * 8 * 80_000) / (720 * 3600));
  expect(t.sim.meter()).toEqual({
    lines: [{ instanceId: id, region: 'us-east-1', type: 't3.micro', runningSeconds: 3600, computeMicroUsd: 10_400, storageMicroUsd: storage, addressMicroUsd: 5_000 }],
    totalMicroUsd: 15_400 + storage,
    unpriced: [],
  });
  const settled = t.sim.meter();
  await t.clock.advance(3_600_000);
  expect(t.sim.meter()).toEqual(settled);
});

test('R204 every start bills a minute at least; pending, stopping and stopped time is not billed', async () => {
  const id = await running();
  await t.clock.advance(5_000);
  await stop(id);
  await t.clock.advance(TEST_DIAL.stoppingMs + 3_600_000);
  expect(t.sim.meter().lines).toMatchObject([{ runningSeconds: 60 }]);
  await start(id);
  await t.clock.advance(TEST_DIAL.pendingMs + 90_500);
  await stop(id);
  await t.clock.advance(TEST_DIAL.stoppingMs);
  expect(t.sim.meter().lines).toMatchObject([{ runningSeconds: 60 + 91, addressMicroUsd: Math.round((151 * 5_000) / 3600) }]);
});

test('R204 a changed type is billed at its own price from the next start', async () => {
  const id = await running();
  await t.clock.advance(3_600_000);
  await stop(id);
  await t.clock.advance(TEST_DIAL.stoppingMs);
  await t.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: id, InstanceType: { Value: 'm5.large' } }));
  await start(id);
  await t.clock.advance(TEST_DIAL.pendingMs + 3_600_000);
  expect(t.sim.meter().lines).toMatchObject([{ type: 'm5.large', computeMicroUsd: 10_400 + 96_000 }]);
});

test('R204 without a public address there is no address cost; without a known price the meter says so', async () => {
  await running({ NetworkInterfaces: [{ DeviceIndex: 0, AssociatePublicIpAddress: false }] });
  const table = t.sim.cloud.world.table<{ region: string; periods: { type: string }[] }>('meter.instances');
  const [[id, row]] = table.entries() as [[string, { region: string; periods: { type: string }[] }]];
  await t.clock.advance(3_600_000);
  expect(t.sim.meter().lines).toMatchObject([{ addressMicroUsd: 0, computeMicroUsd: 10_400 }]);
  row.periods[0]!.type = 'x1.unknown';
  table.put(id, row);
  expect(t.sim.meter()).toMatchObject({ lines: [{ computeMicroUsd: undefined }], unpriced: ['x1.unknown'] });
});

test('R208 periods go on over a restart of the server', async () => {
  await running();
  await t.clock.advance(100_000);
  t = await t.restart();
  await t.clock.advance(200_000);
  expect(t.sim.meter().lines).toMatchObject([{ runningSeconds: 300 }]);
});
