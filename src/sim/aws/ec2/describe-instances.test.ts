import { DescribeInstancesCommand, DescribeInstanceStatusCommand, EC2Client, RunInstancesCommand, paginateDescribeInstances } from '@aws-sdk/client-ec2';
import type { DescribeInstancesCommandInput, Filter } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ARM_IMAGE, TEST_DIAL, X86_IMAGE, failure, startTestSim } from '../../../../test/support/test-sim.ts';
import type { TestSim } from '../../../../test/support/test-sim.ts';

let t: TestSim;
const names = new Map<string, string>();
beforeAll(async () => {
  t = await startTestSim();
  for (const [index, name] of ['alpha-1', 'alpha-2', 'beta-1', 'b*ta', 'gamma', 'delta', 'epsilon'].entries()) {
    const arm = index % 2 === 1;
    const { InstanceId } = await t.run({
      ImageId: arm ? ARM_IMAGE : X86_IMAGE,
      InstanceType: arm ? 't4g.small' : 't3.micro',
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: name }, ...(arm ? [{ Key: 'arm', Value: '' }] : [])] }],
    });
    names.set(InstanceId!, name);
    await t.clock.advance(1000);
  }
});
afterAll(() => t.close());

const describeNames = async (input: DescribeInstancesCommandInput): Promise<string[]> =>
  (await t.ec2.send(new DescribeInstancesCommand(input))).Reservations!.flatMap((r) => r.Instances!.map((instance) => names.get(instance.InstanceId!) ?? '?'));
const filtered = (...Filters: Filter[]) => describeNames({ Filters });

test('R204 filters: OR over values, AND over names, wildcards that can be escaped', async () => {
  expect(await filtered({ Name: 'tag:Name', Values: ['alpha-1', 'gamma'] })).toEqual(['alpha-1', 'gamma']);
  expect(await filtered({ Name: 'tag:Name', Values: ['alpha-?'] }, { Name: 'instance-type', Values: ['t4g.*'] })).toEqual(['alpha-2']);
  expect(await filtered({ Name: 'tag:Name', Values: ['b*ta*'] })).toEqual(['beta-1', 'b*ta']);
  expect(await filtered({ Name: 'tag:Name', Values: ['b\\*ta'] })).toEqual(['b*ta']);
  expect(await filtered({ Name: 'tag-key', Values: ['arm'] })).toHaveLength(3);
  expect(await filtered({ Name: 'tag:arm', Values: [''] })).toHaveLength(3);
  expect(await filtered({ Name: 'architecture', Values: ['arm64'] }, { Name: 'instance-state-name', Values: ['pending', 'running'] })).toHaveLength(3);
  expect(await filtered({ Name: 'tag:name', Values: ['gamma'] })).toEqual([]);
  expect(await filtered({ Name: 'instance-lifecycle', Values: ['spot'] })).toEqual([]);
});

test('R204 an unknown filter fails, naming it', async () => {
  expect(await failure(filtered({ Name: 'colour', Values: ['red'] }))).toMatchObject({ name: 'InvalidParameterValue', message: "The filter 'colour' is invalid" });
});

test('R204 pages: every instance once, in launch order; ids and MaxResults exclude each other', async () => {
  const seen: string[] = [];
  let pages = 0;
  for await (const page of paginateDescribeInstances({ client: t.ec2, pageSize: 5 }, {})) {
    pages++;
    seen.push(...page.Reservations!.flatMap((r) => r.Instances!.map((instance) => names.get(instance.InstanceId!)!)));
  }
  expect([pages, seen]).toEqual([2, [...names.values()]]);
  const id = [...names.keys()][0]!;
  expect(await failure(describeNames({ InstanceIds: [id], MaxResults: 5 }))).toMatchObject({ name: 'InvalidParameterCombination' });
  expect(await failure(describeNames({ MaxResults: 4 }))).toMatchObject({ name: 'InvalidParameterValue' });
  expect(await failure(describeNames({ NextToken: 'nonsense' }))).toMatchObject({ name: 'InvalidParameterValue' });
});

test('R204 instances launched together come in one reservation', async () => {
  const together = await t.ec2.send(new RunInstancesCommand({ ImageId: X86_IMAGE, InstanceType: 't3.nano', MinCount: 3, MaxCount: 3 }));
  expect(together.Instances!.map((instance) => instance.AmiLaunchIndex)).toEqual([0, 1, 2]);
  expect(new Set(together.Instances!.map((instance) => instance.PrivateIpAddress)).size).toBe(3);
  const { Reservations } = await t.ec2.send(new DescribeInstancesCommand({ Filters: [{ Name: 'reservation-id', Values: [together.ReservationId!] }] }));
  expect(Reservations).toHaveLength(1);
  expect(Reservations![0]!.Instances).toHaveLength(3);
});

test('R204 ids: unknown fails the whole call, malformed has its own code, another region does not know them', async () => {
  const id = [...names.keys()][0]!;
  expect(await failure(describeNames({ InstanceIds: [id, 'i-00000000000000000', 'i-00000001'] }))).toMatchObject({
    name: 'InvalidInstanceID.NotFound',
    message: "The instance IDs 'i-00000000000000000, i-00000001' do not exist",
  });
  expect(await failure(describeNames({ InstanceIds: ['i-XYZ'] }))).toMatchObject({ name: 'InvalidInstanceID.Malformed' });
  const elsewhere = t.client(EC2Client, 'eu-west-1');
  expect(await failure(elsewhere.send(new DescribeInstancesCommand({ InstanceIds: [id] })))).toMatchObject({ name: 'InvalidInstanceID.NotFound' });
  expect((await elsewhere.send(new DescribeInstancesCommand({}))).Reservations).toEqual([]);
});

test('R204 eventual consistency: a new id is unknown for the dial’s moment, then known', async () => {
  const own = await startTestSim({ dial: { instanceVisibleMs: 800 } });
  const { InstanceId } = await own.run();
  const ask = () => own.ec2.send(new DescribeInstancesCommand({ InstanceIds: [InstanceId!] }));
  expect(await failure(ask())).toMatchObject({ name: 'InvalidInstanceID.NotFound', $metadata: { httpStatusCode: 400 } });
  expect((await own.ec2.send(new DescribeInstancesCommand({}))).Reservations).toEqual([]);
  await own.clock.advance(799);
  expect(await failure(ask())).toMatchObject({ name: 'InvalidInstanceID.NotFound' });
  await own.clock.advance(1);
  expect((await ask()).Reservations![0]!.Instances![0]!.State!.Name).toBe('pending');
  await own.close();
});

test('R204 DescribeInstanceStatus filters by status and pages like the others', async () => {
  await t.clock.advance(TEST_DIAL.pendingMs + TEST_DIAL.ssmOnlineMs);
  const ok = await t.ec2.send(new DescribeInstanceStatusCommand({ Filters: [{ Name: 'instance-status.status', Values: ['ok'] }], MaxResults: 5 }));
  expect(ok.InstanceStatuses).toHaveLength(5);
  expect(ok.NextToken).toBeDefined();
  expect((await t.ec2.send(new DescribeInstanceStatusCommand({ Filters: [{ Name: 'instance-status.status', Values: ['impaired'] }] }))).InstanceStatuses).toEqual([]);
});
