import {
  CreateFleetCommand,
  CreateLaunchTemplateCommand,
  CreateLaunchTemplateVersionCommand,
  DeleteFleetsCommand,
  DeleteLaunchTemplateCommand,
  DescribeFleetsCommand,
  DescribeInstancesCommand,
  DescribeLaunchTemplateVersionsCommand,
  DescribeLaunchTemplatesCommand,
  DescribeSpotInstanceRequestsCommand,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { CreateFleetCommandInput, FleetLaunchTemplateOverridesRequest, Instance, RequestLaunchTemplateData } from '@aws-sdk/client-ec2';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { X86_IMAGE, failure, startTestSim } from '../../../../test/support/test-sim.ts';
import type { TestSim } from '../../../../test/support/test-sim.ts';
import { spotPriceAt } from '../../market/prices.ts';

let t: TestSim;
beforeEach(async () => {
  t = await startTestSim();
});
afterEach(() => t.close());

const DATA: RequestLaunchTemplateData = {
  ImageId: X86_IMAGE,
  InstanceType: 't3.micro',
  UserData: Buffer.from('#!/bin/sh\n').toString('base64'),
  MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 2 },
  TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'from', Value: 'template' }] }],
};
const template = async (LaunchTemplateName = 'runs', LaunchTemplateData = DATA): Promise<string> =>
  (await t.ec2.send(new CreateLaunchTemplateCommand({ LaunchTemplateName, LaunchTemplateData }))).LaunchTemplate!.LaunchTemplateId!;
const fleet = (LaunchTemplateId: string, Overrides: FleetLaunchTemplateOverridesRequest[], more: Partial<CreateFleetCommandInput> = {}) =>
  t.ec2.send(
    new CreateFleetCommand({
      Type: 'instant',
      LaunchTemplateConfigs: [{ LaunchTemplateSpecification: { LaunchTemplateId, Version: '$Latest' }, Overrides }],
      TargetCapacitySpecification: { TotalTargetCapacity: 1, DefaultTargetCapacityType: 'spot' },
      ...more,
    }),
  );
const see = async (id: string): Promise<Instance> => (await t.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))).Reservations![0]!.Instances![0]!;
const zone = (letter: string): FleetLaunchTemplateOverridesRequest => ({ AvailabilityZone: `us-east-1${letter}` });
const set = (fields: object) => t.sim.call('market-set', { type: 't3.micro', ...fields });

describe('launch templates', () => {
  test('R204 made once by name, seen with versions and data, deleted', async () => {
    const id = await template();
    expect(id).toMatch(/^lt-[0-9a-f]{17}$/);
    expect(await failure(template())).toMatchObject({ name: 'InvalidLaunchTemplateName.AlreadyExistsException' });
    await t.ec2.send(new CreateLaunchTemplateVersionCommand({ LaunchTemplateId: id, LaunchTemplateData: { ...DATA, InstanceType: 't3.small' } }));
    const { LaunchTemplates } = await t.ec2.send(new DescribeLaunchTemplatesCommand({ LaunchTemplateNames: ['runs'] }));
    expect(LaunchTemplates).toMatchObject([{ LaunchTemplateId: id, DefaultVersionNumber: 1, LatestVersionNumber: 2 }]);
    const { LaunchTemplateVersions } = await t.ec2.send(new DescribeLaunchTemplateVersionsCommand({ LaunchTemplateId: id, Versions: ['$Latest', '$Default'] }));
    expect(LaunchTemplateVersions!.map((version) => [version.VersionNumber, version.DefaultVersion, version.LaunchTemplateData!.InstanceType])).toEqual([[1, true, 't3.micro'], [2, false, 't3.small']]);
    expect(LaunchTemplateVersions![0]!.LaunchTemplateData).toMatchObject({ ImageId: X86_IMAGE, MetadataOptions: { HttpTokens: 'required' }, TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'from', Value: 'template' }] }] });
    await t.ec2.send(new DeleteLaunchTemplateCommand({ LaunchTemplateName: 'runs' }));
    expect(await failure(t.ec2.send(new DescribeLaunchTemplatesCommand({ LaunchTemplateIds: [id] })))).toMatchObject({ name: 'InvalidLaunchTemplateId.NotFound' });
    expect(await failure(t.ec2.send(new DeleteLaunchTemplateCommand({ LaunchTemplateName: 'runs' })))).toMatchObject({ name: 'InvalidLaunchTemplateName.NotFoundException' });
  });

  test('R204 the same token after a lost reply gives the template that it made', async () => {
    const make = () => t.ec2.send(new CreateLaunchTemplateCommand({ LaunchTemplateName: 'once', LaunchTemplateData: DATA, ClientToken: 'x' }));
    expect((await make()).LaunchTemplate!.LaunchTemplateId).toBe((await make()).LaunchTemplate!.LaunchTemplateId);
  });

  test('R204 RunInstances takes its data, and its own parameters before that', async () => {
    const id = await template();
    const run = (more: object) => t.ec2.send(new RunInstancesCommand({ LaunchTemplate: { LaunchTemplateId: id }, MinCount: 1, MaxCount: 1, ...more }));
    const [plain] = (await run({})).Instances!;
    expect(plain).toMatchObject({ InstanceType: 't3.micro', Tags: [{ Key: 'from', Value: 'template' }], MetadataOptions: { HttpTokens: 'required' } });
    const [own] = (await run({ InstanceType: 't3.small', InstanceMarketOptions: { MarketType: 'spot' } })).Instances!;
    expect(own).toMatchObject({ InstanceType: 't3.small', InstanceLifecycle: 'spot' });
    expect(await failure(run({ LaunchTemplate: { LaunchTemplateId: id, Version: '7' } }))).toMatchObject({ name: 'InvalidLaunchTemplateId.VersionNotFound' });
  });
});

describe('CreateFleet', () => {
  test('R204 an instant spot fleet launches in the cheapest pool and says what and where, with request and tags', async () => {
    const id = await template();
    const letters = ['a', 'b', 'c', 'd'];
    const price = (letter: string): number => spotPriceAt(t.sim.cloud.world, 't3.micro', `us-east-1${letter}`, t.clock.now())!;
    const best = [...letters].sort((a, b) => price(a) - price(b))[0]!;
    const answer = await fleet(id, letters.map(zone), { TagSpecifications: [{ ResourceType: 'fleet', Tags: [{ Key: 'f', Value: '1' }] }, { ResourceType: 'instance', Tags: [{ Key: 'run', Value: 'r1' }] }] });
    expect(answer.FleetId).toMatch(/^fleet-/);
    expect(answer.Errors).toEqual([]);
    expect(answer.Instances).toMatchObject([{ Lifecycle: 'spot', InstanceType: 't3.micro', LaunchTemplateAndOverrides: { LaunchTemplateSpecification: { LaunchTemplateId: id, Version: '1' }, Overrides: { AvailabilityZone: `us-east-1${best}` } } }]);
    const instance = await see(answer.Instances![0]!.InstanceIds![0]!);
    expect(instance).toMatchObject({ InstanceLifecycle: 'spot', SpotInstanceRequestId: expect.stringMatching(/^sir-/), Placement: { AvailabilityZone: `us-east-1${best}` } });
    expect(Object.fromEntries(instance.Tags!.map((tag) => [tag.Key, tag.Value]))).toEqual({ run: 'r1', 'aws:ec2:fleet-id': answer.FleetId, 'aws:ec2launchtemplate:id': id, 'aws:ec2launchtemplate:version': '1' });
    const { SpotInstanceRequests } = await t.ec2.send(new DescribeSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [instance.SpotInstanceRequestId!] }));
    expect(SpotInstanceRequests).toMatchObject([{ State: 'active', Status: { Code: 'fulfilled' } }]);
  });

  test('R204 without capacity anywhere: status 200, an error for each pool, no instance', async () => {
    const id = await template();
    await set({ capacity: 0 });
    const answer = await fleet(id, [zone('a'), zone('b')]);
    expect(answer.Instances).toEqual([]);
    expect(answer.Errors).toHaveLength(2);
    expect(answer.Errors![0]).toMatchObject({ ErrorCode: 'InsufficientInstanceCapacity', ErrorMessage: 'There is no Spot capacity available that matches your request.', Lifecycle: 'spot' });
    expect((await t.ec2.send(new DescribeInstancesCommand({}))).Reservations).toEqual([]);
    expect((await t.ec2.send(new DescribeSpotInstanceRequestsCommand({}))).SpotInstanceRequests).toEqual([]);
  });

  test('R204 errors and instances together: pools that refuse, each in its own words, and the one that gives', async () => {
    const id = await template();
    await set({ zone: 'us-east-1a', microUsdPerHour: 100 });
    await set({ zone: 'us-east-1a', capacity: 0 });
    const answer = await fleet(id, [zone('a'), { ...zone('b'), MaxPrice: '0.001' }, { ...zone('f'), InstanceType: 'p5.48xlarge' }, zone('c')], { SpotOptions: { AllocationStrategy: 'capacity-optimized-prioritized' } });
    expect(answer.Errors!.map((error) => error.ErrorCode)).toEqual(['InsufficientInstanceCapacity', 'SpotMaxPriceTooLow', 'Unsupported']);
    expect(answer.Instances).toMatchObject([{ LaunchTemplateAndOverrides: { Overrides: { AvailabilityZone: 'us-east-1c' } } }]);
  });

  test('R204 the quota of spot vCPUs is an error of the pool', async () => {
    t.sim.cloud.world.table<{ value: number }>('servicequotas.values').put('us-east-1/L-34B43A08', { value: 2 });
    const id = await template();
    expect((await fleet(id, [zone('a')])).Instances).toHaveLength(1);
    expect((await fleet(id, [zone('a')])).Errors).toMatchObject([{ ErrorCode: 'MaxSpotInstanceCountExceeded' }]);
  });

  test('R204 several machines over several pools, both markets, weights', async () => {
    const id = await template();
    await set({ zone: 'us-east-1a', capacity: 2 });
    await set({ zone: 'us-east-1b', capacity: 1 });
    const count = (answer: Awaited<ReturnType<typeof fleet>>): number => answer.Instances!.reduce((sum, each) => sum + each.InstanceIds!.length, 0);
    const target = (TotalTargetCapacity: number, more: object = {}) => ({ TargetCapacitySpecification: { TotalTargetCapacity, DefaultTargetCapacityType: 'spot' as const, ...more } });
    const spread = await fleet(id, [zone('a'), zone('b')], { ...target(3), SpotOptions: { AllocationStrategy: 'diversified' } });
    expect(count(spread)).toBe(3);
    const mixed = await fleet(id, [zone('c')], target(3, { OnDemandTargetCapacity: 1 }));
    expect(mixed.Instances!.map((each) => [each.Lifecycle, each.InstanceIds!.length])).toEqual([['on-demand', 1], ['spot', 2]]);
    expect(count(await fleet(id, [{ ...zone('d'), WeightedCapacity: 2 }], target(5)))).toBe(3);
    expect(count(await fleet(id, [zone('a'), zone('b')], target(1)))).toBe(0);
  });

  test('R204 the same token gives the same fleet; changed parameters are refused', async () => {
    const id = await template();
    const first = await fleet(id, [zone('a')], { ClientToken: 'once' });
    expect(await fleet(id, [zone('a')], { ClientToken: 'once' })).toMatchObject({ FleetId: first.FleetId, Instances: first.Instances });
    expect(await failure(fleet(id, [zone('b')], { ClientToken: 'once' }))).toMatchObject({ name: 'IdempotentParameterMismatch' });
    expect((await t.ec2.send(new DescribeInstancesCommand({}))).Reservations).toHaveLength(1);
  });

  test.each<[string, Partial<CreateFleetCommandInput>, string]>([
    ['a fleet that maintains itself', { Type: 'maintain' }, 'UnsupportedOperation'],
    ['no configuration', { LaunchTemplateConfigs: [] }, 'MissingParameter'],
    ['an unknown template', { LaunchTemplateConfigs: [{ LaunchTemplateSpecification: { LaunchTemplateName: 'nowhere', Version: '1' } }] }, 'InvalidLaunchTemplateName.NotFoundException'],
    ['no version', { LaunchTemplateConfigs: [{ LaunchTemplateSpecification: { LaunchTemplateName: 'runs' } }] }, 'MissingParameter'],
    ['no capacity', { TargetCapacitySpecification: { TotalTargetCapacity: 0 } }, 'InvalidParameterValue'],
    ['an interruption that stops', { SpotOptions: { InstanceInterruptionBehavior: 'stop' } }, 'InvalidParameterCombination'],
    ['an unknown strategy', { SpotOptions: { AllocationStrategy: 'dearest' as 'lowest-price' } }, 'InvalidParameterValue'],
    ['a dry run', { DryRun: true }, 'DryRunOperation'],
  ])('R204 %s fails the call', async (_, change, name) => {
    const id = await template();
    expect(await failure(fleet(id, [zone('a')], change))).toMatchObject({ name });
  });
});

describe('the record of a fleet', () => {
  test('R204 seen by its id only; deleted only with its instances', async () => {
    const id = await template();
    const { FleetId, Instances } = await fleet(id, [zone('a')]);
    expect((await t.ec2.send(new DescribeFleetsCommand({}))).Fleets).toEqual([]);
    const describeIt = async () => (await t.ec2.send(new DescribeFleetsCommand({ FleetIds: [FleetId!] }))).Fleets![0]!;
    expect(await describeIt()).toMatchObject({ FleetState: 'active', Type: 'instant', Instances: [{ InstanceIds: Instances![0]!.InstanceIds }] });
    const remove = (TerminateInstances: boolean, ...FleetIds: string[]) => t.ec2.send(new DeleteFleetsCommand({ FleetIds, TerminateInstances }));
    expect((await remove(false, FleetId!)).UnsuccessfulFleetDeletions).toMatchObject([{ Error: { Code: 'fleetNotInDeletableState' } }]);
    const answer = await remove(true, FleetId!, 'fleet-00000000-0000-0000-0000-000000000000');
    expect(answer.SuccessfulFleetDeletions).toMatchObject([{ FleetId, PreviousFleetState: 'active', CurrentFleetState: 'deleted_terminating' }]);
    expect(answer.UnsuccessfulFleetDeletions).toMatchObject([{ Error: { Code: 'fleetIdDoesNotExist' } }]);
    expect((await see(Instances![0]!.InstanceIds![0]!)).State!.Name).toBe('shutting-down');
    await t.clock.advance(60_000);
    expect((await describeIt()).FleetState).toBe('deleted');
    expect(await failure(t.ec2.send(new DescribeFleetsCommand({ FleetIds: ['fleet-1'] })))).toMatchObject({ name: 'InvalidFleetId.NotFound' });
  });
});
