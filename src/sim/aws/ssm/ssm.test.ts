// SSM as the unmodified SDK sees it, over HTTP, with real guests: each fact of Run Command once (R203).
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateTagsCommand, EC2Client, RunInstancesCommand, StopInstancesCommand } from '@aws-sdk/client-ec2';
import { AddRoleToInstanceProfileCommand, CreateInstanceProfileCommand, IAMClient, RemoveRoleFromInstanceProfileCommand } from '@aws-sdk/client-iam';
import {
  CancelCommandCommand,
  DeleteParameterCommand,
  DescribeDocumentCommand,
  DescribeInstanceInformationCommand,
  type DescribeInstanceInformationCommandInput,
  GetCommandInvocationCommand,
  type GetCommandInvocationResult,
  GetDocumentCommand,
  GetParameterCommand,
  GetParametersByPathCommand,
  GetParametersCommand,
  ListCommandInvocationsCommand,
  ListCommandsCommand,
  PutParameterCommand,
  SendCommandCommand,
  type SendCommandCommandInput,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assembleSim } from '../../assemble.ts';
import { type ManualClock, manualClock } from '../../clock.ts';
import type { Sim } from '../../create-sim.ts';
import { findImage, imageId, IMAGES } from '../../data/images.ts';
import { DIALS } from '../../dial.ts';
import { runtimeDirectory } from '../../machine/runtime-directory.ts';
import { iamInstanceProfiles } from '../iam/rows.ts';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
const REGION = 'us-east-1';
const SHELL = 'AWS-RunShellScript';
const AL2023 = imageId(IMAGES[0]!, REGION);

interface World {
  sim: Sim;
  directory: string;
  ssm: SSMClient;
  ec2: EC2Client;
  iam: IAMClient;
  profile: string;
}

async function open(directory: string, options: { clock?: ManualClock; dial?: Partial<typeof DIALS.instant> } = {}): Promise<World> {
  const sim = await assembleSim({ directory, dial: { ...DIALS.instant, ...options.dial }, clock: options.clock, log: (line) => console.error(line) });
  const settings = { endpoint: sim.endpoint, region: REGION, credentials: sim.credentials(), maxAttempts: 1 };
  const profile = iamInstanceProfiles(sim.cloud.world).values().find(({ roles }) => roles.length > 0)?.name as string;
  return { sim, directory, ssm: new SSMClient(settings), ec2: new EC2Client(settings), iam: new IAMClient(settings), profile };
}

async function close(world: World, options: { keepGuests?: boolean; keepFiles?: boolean } = {}): Promise<void> {
  for (const client of [world.ssm, world.ec2, world.iam]) client.destroy();
  await world.sim.close(options);
  if (options.keepFiles) return;
  rmSync(world.directory, { recursive: true, force: true });
  rmSync(runtimeDirectory(world.directory), { recursive: true, force: true });
}

async function launch(world: World, options: { profile?: string | null; image?: string; clock?: ManualClock } = {}): Promise<string> {
  const profile = options.profile === undefined ? world.profile : options.profile;
  const answer = await world.ec2.send(
    new RunInstancesCommand({ ImageId: options.image ?? AL2023, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1, ...(profile ? { IamInstanceProfile: { Name: profile } } : {}) }),
  );
  const id = answer.Instances?.[0]?.InstanceId as string;
  await options.clock?.advance(0);
  await until(`${id} running`, () => world.sim.cloud.machines.isUp(id) && state(world, id) === 'running');
  return id;
}

function state(world: World, id: string): string | undefined {
  return world.sim.cloud.world.table<{ state: string }>('ec2.instances').get(id)?.state;
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let round = 0; round < 1500; round++) {
    if (await condition()) return;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error(`did not happen: ${what}`);
}

async function send(world: World, instanceId: string, commands: string[], more: Partial<SendCommandCommandInput> = {}): Promise<string> {
  const answer = await world.ssm.send(new SendCommandCommand({ DocumentName: SHELL, InstanceIds: [instanceId], Parameters: { commands }, ...more }));
  return answer.Command?.CommandId as string;
}

const invocation = (world: World, CommandId: string, InstanceId: string): Promise<GetCommandInvocationResult> => world.ssm.send(new GetCommandInvocationCommand({ CommandId, InstanceId }));

async function finished(world: World, commandId: string, instanceId: string): Promise<GetCommandInvocationResult> {
  let found: GetCommandInvocationResult = {};
  await until('command finished', async () => {
    found = await invocation(world, commandId, instanceId);
    return ['Success', 'Failed', 'Cancelled', 'TimedOut'].includes(found.Status ?? '');
  });
  return found;
}

const run = async (world: World, instanceId: string, commands: string[], more: Partial<SendCommandCommandInput> = {}) => finished(world, await send(world, instanceId, commands, more), instanceId);
const refusal = (promise: Promise<unknown>): Promise<{ name: string; message: string }> => promise.then(() => ({ name: 'none', message: '' }), (error: Error) => ({ name: error.name, message: error.message }));

describe('real time', () => {
  let w: World;
  let id: string;
  beforeAll(async () => {
    w = await open(mkdtempSync(join(tmpdir(), 'sim-ssm-')));
    id = await launch(w);
  });
  afterAll(() => close(w));

  test('R203 a script really runs, and its outcome has the shape of the service', async () => {
    const found = await run(w, id, ['#!/bin/sh', 'echo out', 'echo err >&2', 'echo $AWS_SSM_INSTANCE_ID $AWS_SSM_REGION_NAME $AWS_SSM_PLATFORM_NAME $AWS_SSM_PLATFORM_VERSION'], { Comment: 'a comment' });
    expect(found).toMatchObject({ InstanceId: id, Comment: 'a comment', DocumentName: SHELL, PluginName: 'aws:runShellScript', ResponseCode: 0, Status: 'Success', StatusDetails: 'Success' });
    expect(found.StandardOutputContent).toBe(`out\n${id} us-east-1 Amazon Linux 2023\n`);
    expect(found.StandardErrorContent).toBe('err\n');
    expect(found.ExecutionStartDateTime).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(found.ExecutionElapsedTime).toMatch(/^PT[\d.]+S$/);
  });

  test('R203 a failure carries its exit code and the agent\'s own line', async () => {
    const found = await run(w, id, ['echo why >&2; exit 3']);
    expect(found).toMatchObject({ Status: 'Failed', StatusDetails: 'Failed', ResponseCode: 3, StandardErrorContent: 'why\nfailed to run commands: exit status 3' });
    expect(await run(w, id, ['exit 168'])).toMatchObject({ Status: 'Success' });
  });

  test('R203 output is cut at 24,000 and 8,000 characters, in listings at 2,500 for both', async () => {
    const found = await run(w, id, ['head -c 24001 /dev/zero | tr "\\0" o; head -c 9000 /dev/zero | tr "\\0" e >&2']);
    expect(found.StandardOutputContent).toBe(`${'o'.repeat(24_000 - 20)}--output truncated--`);
    expect(found.StandardErrorContent).toBe(`${'e'.repeat(8_000 - 20)}--output truncated--`);
    const exact = await run(w, id, ['head -c 24000 /dev/zero | tr "\\0" o']);
    expect(exact.StandardOutputContent).toBe('o'.repeat(24_000));
    const listed = await w.ssm.send(new ListCommandInvocationsCommand({ CommandId: found.CommandId, Details: true }));
    const output = listed.CommandInvocations?.[0]?.CommandPlugins?.[0]?.Output ?? '';
    expect(output.length).toBeLessThanOrEqual(2_500);
    expect(output).toMatch(/^o+\n---Output truncated---\n----------ERROR-------\ne+\n---Error truncated----$/);
    const short = await run(w, id, ['echo a; echo b >&2']);
    const both = await w.ssm.send(new ListCommandInvocationsCommand({ CommandId: short.CommandId, InstanceId: id, Details: true }));
    expect(both.CommandInvocations?.[0]?.CommandPlugins?.[0]).toMatchObject({ Name: 'aws:runShellScript', ResponseCode: 0, Output: 'a\n\n----------ERROR-------\nb\n' });
  });

  test('R203 while it runs: InProgress, no output, ResponseCode -1; cancel kills the group and is Cancelled', async () => {
    const commandId = await send(w, id, ['echo started; touch /tmp/started; sleep 60']);
    await until('started', async () => (await run(w, id, ['test -f /tmp/started'])).ResponseCode === 0);
    await until('in progress', async () => (await invocation(w, commandId, id)).Status === 'InProgress');
    expect(await invocation(w, commandId, id)).toMatchObject({ ResponseCode: -1, StandardOutputContent: '', ExecutionStartDateTime: '' });
    await w.ssm.send(new CancelCommandCommand({ CommandId: commandId, InstanceIds: [id] }));
    expect(await finished(w, commandId, id)).toMatchObject({ Status: 'Cancelled', StatusDetails: 'Cancelled', ResponseCode: 137, StandardOutputContent: 'started\n' });
    await w.ssm.send(new CancelCommandCommand({ CommandId: commandId }));
    expect(await refusal(w.ssm.send(new CancelCommandCommand({ CommandId: '00000000-0000-0000-0000-000000000000' })))).toMatchObject({ name: 'InvalidCommandId' });
    expect(await refusal(w.ssm.send(new CancelCommandCommand({ CommandId: commandId, InstanceIds: ['i-00000000000000000'] })))).toMatchObject({ name: 'InvalidInstanceId' });
  });

  test('R203 executionTimeout kills with 137 and is TimedOut; below five seconds it counts as 3,600', async () => {
    const commandId = await send(w, id, ['sleep 60'], { Parameters: { commands: ['trap "" TERM; sleep 60'], executionTimeout: ['5'] } });
    const three = await send(w, id, ['x'], { Parameters: { commands: ['sleep 0.1'], executionTimeout: ['3'] } });
    expect(await finished(w, three, id)).toMatchObject({ Status: 'Success' });
    expect(await finished(w, commandId, id)).toMatchObject({ Status: 'TimedOut', StatusDetails: 'ExecutionTimedOut', ResponseCode: 137 });
    const listed = await w.ssm.send(new ListCommandsCommand({ CommandId: commandId }));
    expect(listed.Commands?.[0]).toMatchObject({ Status: 'TimedOut', TargetCount: 1, CompletedCount: 1, ErrorCount: 1 });
  });

  test('R203 five at once on an instance, the sixth waits', async () => {
    const long = await Promise.all([1, 2, 3, 4, 5].map(() => send(w, id, ['sleep 60'])));
    await until('five in progress', async () => (await Promise.all(long.map((each) => invocation(w, each, id)))).every(({ Status }) => Status === 'InProgress'));
    const sixth = await send(w, id, ['echo at last']);
    expect(await invocation(w, sixth, id)).toMatchObject({ Status: 'Pending', ResponseCode: -1 });
    await w.ssm.send(new CancelCommandCommand({ CommandId: long[0] }));
    expect(await finished(w, sixth, id)).toMatchObject({ Status: 'Success', StandardOutputContent: 'at last\n' });
    for (const commandId of long) await w.ssm.send(new CancelCommandCommand({ CommandId: commandId }));
    for (const commandId of long) await finished(w, commandId, id);
  });

  test('R203 exit 194 reboots the machine and runs the script again', async () => {
    const own = await launch(w);
    const found = await run(w, own, ['H=${HOME:-/home/ec2-user}', 'if [ -e $H/once ]; then echo second; exit 0; fi', 'touch $H/once; echo first; exit 194']);
    expect(found).toMatchObject({ Status: 'Success', ResponseCode: 0, StandardOutputContent: 'first\nsecond\n' });
    expect(state(w, own)).toBe('running');
  });

  test('R203 a machine that goes down mid-command leaves it InProgress', async () => {
    const own = await launch(w);
    const commandId = await send(w, own, ['sleep 60']);
    await until('in progress', async () => (await invocation(w, commandId, own)).Status === 'InProgress');
    await w.ec2.send(new StopInstancesCommand({ InstanceIds: [own] }));
    await until('stopped', () => state(w, own) === 'stopped');
    expect(await invocation(w, commandId, own)).toMatchObject({ Status: 'InProgress', ResponseCode: -1 });
    expect(await refusal(send(w, own, ['true']))).toEqual({ name: 'InvalidInstanceId', message: `Instances [[${own}]] not in a valid state for account ${w.sim.cloud.world.accountId}` });
    const listed = await w.ssm.send(new DescribeInstanceInformationCommand({ Filters: [{ Key: 'InstanceIds', Values: [own] }] }));
    expect(listed.InstanceInformationList).toEqual([]);
  });

  test('R203 only machines with a role, running, with an agent in their image, are registered', async () => {
    const bare = await launch(w, { profile: null });
    const RoleName = iamInstanceProfiles(w.sim.cloud.world).values().find(({ name }) => name === w.profile)?.roles[0] as string;
    const roleOfProfile = { InstanceProfileName: 'emptied', RoleName };
    await w.iam.send(new CreateInstanceProfileCommand({ InstanceProfileName: 'emptied' }));
    await w.iam.send(new AddRoleToInstanceProfileCommand(roleOfProfile));
    const empty = await launch(w, { profile: 'emptied' });
    await w.iam.send(new RemoveRoleFromInstanceProfileCommand(roleOfProfile));
    const minimal = await launch(w, { image: imageId(IMAGES.find(({ ssmAgent }) => !ssmAgent)!, REGION) });
    for (const instanceId of [bare, empty, minimal, 'i-00000000000000000']) {
      expect((await w.ssm.send(new DescribeInstanceInformationCommand({ Filters: [{ Key: 'InstanceIds', Values: [instanceId] }] }))).InstanceInformationList).toEqual([]);
      expect(await refusal(send(w, instanceId, ['true']))).toMatchObject({ name: 'InvalidInstanceId' });
    }
    await w.iam.send(new AddRoleToInstanceProfileCommand(roleOfProfile));
    expect(await run(w, empty, ['echo now'])).toMatchObject({ StandardOutputContent: 'now\n' });
  });

  test('DescribeInstanceInformation: fields, both forms of filter, bad filters, pages of five to fifty', async () => {
    for (const filter of [{ Filters: [{ Key: 'InstanceIds', Values: [id] }] }, { InstanceInformationFilterList: [{ key: 'InstanceIds' as const, valueSet: [id] }] }]) {
      const { InstanceInformationList } = await w.ssm.send(new DescribeInstanceInformationCommand(filter));
      expect(InstanceInformationList).toHaveLength(1);
      expect(InstanceInformationList?.[0]).toMatchObject({ InstanceId: id, PingStatus: 'Online', PlatformType: 'Linux', PlatformName: 'Amazon Linux', ResourceType: 'EC2Instance' });
      expect(InstanceInformationList?.[0]?.LastPingDateTime).toBeInstanceOf(Date);
    }
    const asked = (input: DescribeInstanceInformationCommandInput) => refusal(w.ssm.send(new DescribeInstanceInformationCommand(input)));
    expect(await asked({ Filters: [{ Key: 'Colour', Values: ['red'] }] })).toMatchObject({ name: 'InvalidFilterKey' });
    expect(await asked({ Filters: [{ Key: 'InstanceIds', Values: ['nonsense'] }] })).toMatchObject({ name: 'InvalidInstanceInformationFilterValue' });
    expect(await asked({ MaxResults: 4 })).toMatchObject({ name: 'ValidationException' });
    expect(await asked({ NextToken: 'invented' })).toMatchObject({ name: 'InvalidNextToken' });
    expect((await w.ssm.send(new DescribeInstanceInformationCommand({ Filters: [{ Key: 'PingStatus', Values: ['ConnectionLost'] }] }))).InstanceInformationList).toEqual([]);
  });

  test('SendCommand refuses what the service refuses, each with its own code', async () => {
    const refused = (more: Partial<SendCommandCommandInput>) => refusal(send(w, id, ['true'], more));
    const names = async (cases: Partial<SendCommandCommandInput>[]) => Promise.all(cases.map(async (each) => (await refused(each)).name));
    expect(await names([{ DocumentName: 'AWS-RunPowerShellScript' }])).toEqual(['InvalidDocument']);
    expect(await names([{ DocumentVersion: '99' }])).toEqual(['InvalidDocumentVersion']);
    expect(await names([{ Parameters: {} }, { Parameters: { commands: [] } }, { Parameters: { commands: ['x'], colour: ['red'] } }, { Parameters: { commands: ['x'], executionTimeout: ['999999'] } }])).toEqual(Array(4).fill('InvalidParameters'));
    expect(await names([{ TimeoutSeconds: 29 }, { TimeoutSeconds: 2_592_001 }, { Comment: 'c'.repeat(101) }, { MaxConcurrency: '0' }, { MaxErrors: '101%' }, { OutputS3BucketName: 'ab' }, { OutputS3KeyPrefix: 'p'.repeat(501) }, { InstanceIds: ['nonsense'] }, { InstanceIds: [] }])).toEqual(Array(9).fill('ValidationException'));
    expect(await names([{ InstanceIds: [id, id] }])).toEqual(['DuplicateInstanceId']);
    expect(await names([{ Parameters: { commands: ['#'.repeat(66_000)] } }])).toEqual(['MaxDocumentSizeExceeded']);
    expect(await names([{ Targets: [{ Key: 'InstanceIds', Values: [id] }] }])).toEqual(['ValidationException']);
    expect((await refused({ TimeoutSeconds: 29 })).message).toBe("1 validation error detected: Value '29' at 'timeoutSeconds' failed to satisfy constraint: Member must have value greater than or equal to 30");
  });

  test('the braces trap: {{ssm:name}} is filled in, {{ name }} refused, {{.Names}} left alone', async () => {
    await w.ssm.send(new PutParameterCommand({ Name: 'greeting', Value: 'hello there', Type: 'String' }));
    expect((await run(w, id, ['echo "{{ssm:greeting}}" "{{.Names}}"'])).StandardOutputContent).toBe('hello there {{.Names}}\n');
    expect(await refusal(send(w, id, ['echo {{ commands }}']))).toMatchObject({ name: 'InvalidParameters' });
    expect(await refusal(send(w, id, ['echo {{ssm:absent}}']))).toMatchObject({ name: 'InvalidParameters' });
  });

  test('targets by tag, MaxConcurrency 1, and MaxErrors 0 stops after the first failure', async () => {
    const other = await launch(w);
    await w.ec2.send(new CreateTagsCommand({ Resources: [id, other], Tags: [{ Key: 'group', Value: 'both' }] }));
    const target = { InstanceIds: undefined, Targets: [{ Key: 'tag:group', Values: ['both'] }] };
    const good = await send(w, id, ['echo here'], target);
    for (const each of [id, other]) expect(await finished(w, good, each)).toMatchObject({ Status: 'Success' });
    const bad = await send(w, id, ['sleep 0.1; exit 1'], { ...target, MaxConcurrency: '1' });
    const details = [(await finished(w, bad, id)).StatusDetails, (await finished(w, bad, other)).StatusDetails];
    expect(details.sort()).toEqual(['Failed', 'Terminated']);
    const nobody = await w.ssm.send(new SendCommandCommand({ DocumentName: SHELL, Targets: [{ Key: 'tag:group', Values: ['none'] }], Parameters: { commands: ['true'] } }));
    expect(nobody.Command).toMatchObject({ TargetCount: 0, StatusDetails: 'NoInstancesInTag' });
  });

  test('documents: the one there is, and no other', async () => {
    const { Document } = await w.ssm.send(new DescribeDocumentCommand({ Name: SHELL }));
    expect(Document).toMatchObject({ Name: SHELL, Owner: 'Amazon', SchemaVersion: '1.2' });
    expect(Document?.Parameters?.map(({ Name }) => Name)).toEqual(['commands', 'workingDirectory', 'executionTimeout']);
    expect(JSON.parse((await w.ssm.send(new GetDocumentCommand({ Name: SHELL }))).Content ?? '')).toMatchObject({ schemaVersion: '1.2' });
    expect(await refusal(w.ssm.send(new DescribeDocumentCommand({ Name: 'nope' })))).toMatchObject({ name: 'InvalidDocument' });
  });

  test('parameters: public image ids per region, and one\'s own with versions', async () => {
    const Name = '/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64';
    const { Parameter } = await w.ssm.send(new GetParameterCommand({ Name }));
    expect(findImage(Parameter?.Value ?? '', REGION)).toMatchObject({ architecture: 'x86_64', rootDevice: '/dev/xvda' });
    expect(await refusal(w.ssm.send(new GetParameterCommand({ Name: `${Name}-nope` })))).toMatchObject({ name: 'ParameterNotFound' });
    const several = await w.ssm.send(new GetParametersCommand({ Names: [Name, 'absent'] }));
    expect([several.Parameters?.length, several.InvalidParameters]).toEqual([1, ['absent']]);
    const put = (Value: string, Overwrite?: boolean) => w.ssm.send(new PutParameterCommand({ Name: '/own/deep/key', Value, Type: 'String', Overwrite }));
    expect((await put('one')).Version).toBe(1);
    expect(await refusal(put('two'))).toMatchObject({ name: 'ParameterAlreadyExists' });
    expect((await put('two', true)).Version).toBe(2);
    expect((await w.ssm.send(new GetParametersByPathCommand({ Path: '/own', Recursive: true }))).Parameters?.map(({ Value }) => Value)).toEqual(['two']);
    expect((await w.ssm.send(new GetParametersByPathCommand({ Path: '/own' }))).Parameters).toEqual([]);
    const first = await w.ssm.send(new GetParametersByPathCommand({ Path: '/aws/service', Recursive: true, MaxResults: 3 }));
    expect([first.Parameters?.length, typeof first.NextToken]).toEqual([3, 'string']);
    await w.ssm.send(new DeleteParameterCommand({ Name: '/own/deep/key' }));
    expect(await refusal(w.ssm.send(new GetParameterCommand({ Name: '/own/deep/key' })))).toMatchObject({ name: 'ParameterNotFound' });
  });
});

describe('time and restarts', () => {
  test('R203 late registration, the InvocationDoesNotExist race, delivery and total timeouts', async () => {
    const clock = manualClock(Date.now());
    const w = await open(mkdtempSync(join(tmpdir(), 'sim-ssm-')), { clock, dial: { ssmOnlineMs: 20_000, invocationVisibleMs: 700 } });
    try {
      const id = await launch(w, { clock });
      const registered = async (): Promise<number> => (await w.ssm.send(new DescribeInstanceInformationCommand({}))).InstanceInformationList?.length ?? -1;
      expect(await registered()).toBe(0);
      await clock.advance(19_999);
      expect(await refusal(send(w, id, ['true']))).toMatchObject({ name: 'InvalidInstanceId' });
      await clock.advance(1);
      expect(await registered()).toBe(1);

      const commandId = await send(w, id, ['sleep 300'], { TimeoutSeconds: 60, Parameters: { commands: ['sleep 300'], executionTimeout: ['600'] } });
      expect(await refusal(invocation(w, commandId, id))).toMatchObject({ name: 'InvocationDoesNotExist' });
      expect((await w.ssm.send(new ListCommandInvocationsCommand({ CommandId: commandId }))).CommandInvocations).toEqual([]);
      await clock.advance(700);
      expect(await invocation(w, commandId, id)).toMatchObject({ Status: 'InProgress' });

      // Halted: EC2 says running, the agent is gone, SSM learns it five minutes later.
      await send(w, id, ['halt']);
      await until('halted', () => !w.sim.cloud.machines.isUp(id));
      const waits = await send(w, id, ['true'], { TimeoutSeconds: 60 });
      await clock.advance(1_000);
      expect(await invocation(w, waits, id)).toMatchObject({ Status: 'Pending' });
      await clock.advance(59_000);
      expect(await invocation(w, waits, id)).toMatchObject({ Status: 'TimedOut', StatusDetails: 'DeliveryTimedOut', ResponseCode: -1 });
      expect(await invocation(w, commandId, id)).toMatchObject({ Status: 'InProgress' });
      await clock.advance(300_000);
      expect((await w.ssm.send(new DescribeInstanceInformationCommand({}))).InstanceInformationList?.[0]).toMatchObject({ PingStatus: 'ConnectionLost' });
      expect(await refusal(send(w, id, ['true']))).toMatchObject({ name: 'InvalidInstanceId' });
      await clock.advance(300_000);
      expect(await invocation(w, commandId, id)).toMatchObject({ Status: 'TimedOut', StatusDetails: 'DeliveryTimedOut' });
    } finally {
      await close(w);
    }
  });

  test('R203 R206 a script that works keeps its time, which is real, however far the world has gone', async () => {
    const clock = manualClock(Date.now());
    const w = await open(mkdtempSync(join(tmpdir(), 'sim-ssm-')), { clock });
    try {
      const id = await launch(w, { clock });
      const commands = ['while [ ! -e "${TMPDIR:-/tmp}/go" ]; do sleep 0.05; done; echo done'];
      const works = await send(w, id, commands, { TimeoutSeconds: 60, Parameters: { commands, executionTimeout: ['600'] } });
      await clock.advance(3_600_000);
      expect(await invocation(w, works, id)).toMatchObject({ Status: 'InProgress' });
      await send(w, id, ['touch "${TMPDIR:-/tmp}/go"']);
      expect(await finished(w, works, id)).toMatchObject({ Status: 'Success', StandardOutputContent: 'done\n' });
      // Once it works no more, its deadline is one of the world's again.
      const lost = await send(w, id, ['sleep 300'], { TimeoutSeconds: 60, Parameters: { commands: ['sleep 300'], executionTimeout: ['600'] } });
      await clock.advance(3_600_000);
      await send(w, id, ['halt']);
      await until('halted', () => !w.sim.cloud.machines.isUp(id));
      await clock.advance(600_000);
      expect(await invocation(w, lost, id)).toMatchObject({ Status: 'TimedOut' });
    } finally {
      await close(w);
    }
  });

  test('R208 history survives a restart of the server, and a command that runs meanwhile is picked up', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sim-ssm-'));
    const first = await open(directory);
    const id = await launch(first);
    const done = await run(first, id, ['echo before']);
    const going = await send(first, id, ['sleep 0.8; echo across']);
    const over = await send(first, id, ['sleep 0.2; echo during']);
    await close(first, { keepGuests: true, keepFiles: true });
    await until('ended while nobody looked', () => existsSync(join(directory, 'machines', id, 'disk/ssm', over, 'result.json')));
    const second = await open(directory);
    try {
      expect(await invocation(second, done.CommandId as string, id)).toMatchObject({ Status: 'Success', StandardOutputContent: 'before\n' });
      expect(await finished(second, over, id)).toMatchObject({ Status: 'Success', StandardOutputContent: 'during\n' });
      expect(await finished(second, going, id)).toMatchObject({ Status: 'Success', StandardOutputContent: 'across\n' });
      await second.sim.reset();
      expect((await second.ssm.send(new ListCommandsCommand({}))).Commands).toEqual([]);
      expect(readdirSync(join(directory, 'machines')).filter((name) => name.startsWith('i-'))).toEqual([]);
    } finally {
      await close(second);
    }
  });
});
