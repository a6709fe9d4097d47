// Scripts through SSM. The double runs them with a real sh, as the agent does; only the service around it is scripted.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { RunctlError } from '../../core/errors.ts';
import { jsonError, jsonReply } from '../../../test/support/wire-double.ts';
import type { WireReply, WireRequest } from '../../../test/support/wire-double.ts';
import { awsDouble, ID, instances, instanceXml } from '../../../test/support/aws-double.ts';
import type { AwsDouble } from '../../../test/support/aws-double.ts';
import { MAX_OUTPUT_BYTES, MAX_SCRIPT_BYTES, wrapScript } from './ssm-script.ts';

let double: AwsDouble;
let home: string | undefined;
afterEach(async () => {
  await double?.close();
  if (home) rmSync(home, { recursive: true, force: true });
  home = undefined;
});

interface Sent {
  script: string;
  request: WireRequest;
}

/** SendCommand that runs the script for real and GetCommandInvocation that tells. */
async function agent(): Promise<AwsDouble & { sent: Sent[]; tmp: string }> {
  double = await awsDouble();
  const tmp = mkdtempSync(join(tmpdir(), 'runctl-ssm-'));
  home = tmp;
  const sent: Sent[] = [];
  let reply: WireReply = jsonReply({});
  double.wire.on('SendCommand', (request) => {
    const script = ((request.json.Parameters as Record<string, string[]>).commands ?? []).join('\n');
    sent.push({ script, request });
    const file = join(tmp, '_script.sh');
    writeFileSync(file, script, { mode: 0o700 });
    const run = spawnSync('sh', ['-c', file], { cwd: '/', env: { PATH: process.env.PATH, TMPDIR: tmp }, input: 'not for the script', maxBuffer: 1 << 26 });
    rmSync(file);
    reply = jsonReply({
      Status: run.status === 0 ? 'Success' : 'Failed',
      StatusDetails: run.status === 0 ? 'Success' : 'Failed',
      ResponseCode: run.status,
      StandardOutputContent: run.stdout.toString('utf8').slice(0, 24_000),
      StandardErrorContent: `${run.stderr.toString('utf8')}${run.status === 0 ? '' : `failed to run commands: exit status ${run.status}`}`.slice(0, 8_000),
    });
    return jsonReply({ Command: { CommandId: 'cmd-1' } });
  });
  double.wire.on('GetCommandInvocation', () => reply);
  return { ...double, sent, tmp };
}

test('R027 a script runs, and stdout, stderr and exit code come back; the temporary file is gone', async () => {
  const { provider, tmp, sent } = await agent();
  const shell = await provider.shell({ id: ID });
  expect(await shell.run('printf "a\\nb"; echo oops >&2; exit 7')).toEqual({ exitCode: 7, stdout: 'a\nb', stderr: 'oops\n' });
  expect(readdirSync(tmp)).toEqual([]);
  expect(sent[0]?.request.json).toMatchObject({ DocumentName: 'AWS-RunShellScript', InstanceIds: [ID], Parameters: { executionTimeout: ['60'] } });
});

test('every byte of a script survives: quotes, dollar signs, braces of SSM, carriage returns, text of other alphabets', async () => {
  const { provider, sent } = await agent();
  const shell = await provider.shell({ id: ID });
  const text = `'"$HOME \`id\` \\ {{ssm:secret}} {{.Names}} ! % é 数 \u{1f600} \r end`;
  const { stdout } = await shell.run(`cat <<'EOT'\n${text}\nEOT\n`);
  expect(stdout).toBe(`${text}\n`);
  expect(sent[0]?.script).not.toContain('{{');
  expect(sent[0]?.script).not.toContain('$HOME \\');
});

test.each([0, 1, 126, 127, 137, 168, 194, 255])('exit code %i comes back as it is, and never as one that the agent acts on', async (code) => {
  const { provider, wire } = await agent();
  const shell = await provider.shell({ id: ID });
  expect((await shell.run(`exit ${code}`)).exitCode).toBe(code);
  const seen = spawnSync('sh', ['-c', wrapScript(`exit ${code}`, 'n')]).status;
  expect([168, 194]).not.toContain(seen);
  expect(wire.of('SendCommand')).toHaveLength(1);
});

test('the script reads nothing from stdin, and a failing cd is its own affair', async () => {
  const { provider } = await agent();
  const shell = await provider.shell({ id: ID });
  expect(await shell.run('cat; cd /no/such/place 2>/dev/null || echo stayed')).toMatchObject({ exitCode: 0, stdout: 'stayed\n' });
});

test('output up to the limit comes back whole; more is an error, never a silent cut', async () => {
  const { provider } = await agent();
  const shell = await provider.shell({ id: ID });
  const most = await shell.run(`head -c ${MAX_OUTPUT_BYTES} /dev/zero | tr '\\0' x`);
  expect(most.stdout).toHaveLength(MAX_OUTPUT_BYTES);
  await expect(shell.run(`head -c 30000 /dev/zero | tr '\\0' x`)).rejects.toMatchObject({ code: 'cloud-refused', message: expect.stringContaining('24000 characters') as string });
});

test('the largest script fits into an SSM document of 64 KiB, a larger one is refused before it is sent', async () => {
  const { provider, sent, wire } = await agent();
  const shell = await provider.shell({ id: ID });
  const filler = `: ${'#'.repeat(MAX_SCRIPT_BYTES - 12)}\necho end\n`;
  expect((await shell.run(filler.slice(0, MAX_SCRIPT_BYTES))).stdout).toBe('end\n');
  expect(Buffer.byteLength(JSON.stringify(sent[0]?.script))).toBeLessThan(64 * 1024);
  await expect(shell.run('x'.repeat(MAX_SCRIPT_BYTES + 1))).rejects.toMatchObject({ code: 'cloud-refused' });
  expect(wire.of('SendCommand')).toHaveLength(1);
});

test('R027 an endpoint that only says Success is found out: nothing came back that the script must print', async () => {
  const { provider, wire } = await agent();
  wire.on('GetCommandInvocation', jsonReply({ Status: 'Success', StatusDetails: 'Success', ResponseCode: 0, StandardOutputContent: '', StandardErrorContent: '' }));
  const shell = await provider.shell({ id: ID });
  await expect(shell.run('true')).rejects.toMatchObject({ code: 'endpoint-foreign', message: 'the endpoint says that it ran the command, but it runs nothing' });
});

test('polling starts within 20 ms and slows down to 1.5 s', async () => {
  const { provider, wire, clock } = await agent();
  const shell = await provider.shell({ id: ID });
  wire.on('GetCommandInvocation', (_request, nth) => jsonReply(nth < 30 ? { Status: 'InProgress' } : { Status: 'TimedOut', StatusDetails: 'Execution Timed Out', ResponseCode: 137 }));
  wire.on('DescribeInstances', instances(instanceXml()));
  await expect(shell.run('true', { timeoutMs: 60_000 })).rejects.toMatchObject({ code: 'timeout', message: expect.stringContaining('within 60 s') as string });
  expect(clock.slept[0]).toBeLessThanOrEqual(20);
  expect(clock.slept).toEqual([...clock.slept].sort((a, b) => a - b));
  expect(clock.slept.at(-1)).toBe(1_500);
});

test('the result may be invisible at first', async () => {
  const { provider, wire } = await agent();
  const shell = await provider.shell({ id: ID });
  wire.on('GetCommandInvocation', jsonError('InvocationDoesNotExist', ''), jsonError('InvocationDoesNotExist', ''), jsonReply({ Status: 'Cancelled' }));
  await expect(shell.run('echo')).rejects.toMatchObject({ code: 'cloud-refused', message: expect.stringContaining('cancelled by someone else') as string });
  wire.on('GetCommandInvocation', jsonError('InvocationDoesNotExist', ''));
  await expect(shell.run('echo')).rejects.toMatchObject({ code: 'cloud-refused', data: { awsCode: 'InvocationDoesNotExist' } });
});

test('R038 a machine that runs for an hour already is not told to wait as one that was just made', async () => {
  const { wire, provider, clock } = await agent();
  wire.on('SendCommand', jsonError('InvalidInstanceId', 'Instances [[i-0123456789abcdef0]] not in a valid state for account 123456789012'));
  const running = { id: ID, state: 'running', profile: 'p' } as const;
  const old = (await (await provider.shell({ ...running, launchedAt: clock.now() - 3_600_000 })).run('true').catch((error: unknown) => error)) as RunctlError;
  expect(old).toMatchObject({ code: 'ssm-not-ready', message: `the SSM agent on ${ID} does not answer, though the machine was started 60 min ago` });
  expect(old.hints).toContain(`runctl aws status ${ID}`);
  const young = (await (await provider.shell({ ...running, launchedAt: clock.now() - 20_000 })).run('true').catch((error: unknown) => error)) as RunctlError;
  expect(young.message).toBe(`the SSM agent on ${ID} has not registered yet`);
});

test('R038 before the agent has registered the error says so, how long it takes and what to type', async () => {
  const { provider, wire } = await agent();
  wire.on('SendCommand', jsonError('InvalidInstanceId', 'Instances [[i-0123456789abcdef0]] not in a valid state for account 123456789012'));
  const shell = await provider.shell({ id: ID, profile: 'p', state: 'running' });
  const error = await shell.run('true').catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: 'ssm-not-ready', exitCode: 5, message: `the SSM agent on ${ID} has not registered yet`, reason: expect.stringContaining('30-90 s') as string });
  expect((error as { hints: string[] }).hints).toContain(`runctl aws wait-ssm ${ID}`);
  expect((error as Error).message).not.toMatch(/service error|key/i);
  const bare = await provider.shell({ id: ID, state: 'running' });
  await expect(bare.run('true')).rejects.toMatchObject({ code: 'ssm-not-ready', message: expect.stringContaining('no instance profile') as string });
});

test('a machine that dies under a command ends the wait within 15 s of its time, with EC2\'s reason', async () => {
  const { provider, wire, clock } = await agent();
  wire.on('GetCommandInvocation', jsonReply({ Status: 'InProgress' }));
  wire.on('DescribeInstances', instances(instanceXml()), instances(instanceXml({ state: 'terminated', reason: 'Server.SpotInstanceTermination' })));
  const shell = await provider.shell({ id: ID });
  const before = clock.now();
  await expect(shell.run('true', { timeoutMs: 3_600_000 })).rejects.toMatchObject({ code: 'machine-lost', message: `${ID} is terminated while a command ran on it`, reason: 'Server.SpotInstanceTermination' });
  expect(clock.now() - before).toBeLessThan(35_000);
});

test('a question is given up when its own time is over, and its command is taken back', async () => {
  const { provider, wire, clock } = await agent();
  wire.on('GetCommandInvocation', jsonReply({ Status: 'Pending' }));
  wire.on('DescribeInstances', instances(instanceXml()));
  wire.on('CancelCommand', jsonReply({}));
  const shell = await provider.shell({ id: ID });
  const before = clock.monotonic();
  await expect(shell.run('true', { timeoutMs: 40_000, answerWithinMs: 40_000 })).rejects.toMatchObject({ code: 'timeout', retryable: true });
  expect(clock.monotonic() - before).toBeGreaterThanOrEqual(40_000);
  expect(clock.monotonic() - before).toBeLessThan(45_000);
  expect(wire.requests.map(({ operation }) => operation)).toContain('CancelCommand');
});

test('SSM that never comes to an end is given up after delivery, run time and a little more', async () => {
  const { provider, wire, clock } = await agent();
  wire.on('GetCommandInvocation', jsonReply({ Status: 'InProgress' }));
  wire.on('DescribeInstances', instances(instanceXml()));
  const shell = await provider.shell({ id: ID });
  const before = clock.now();
  await expect(shell.run('true', { timeoutMs: 10_000 })).rejects.toMatchObject({ code: 'timeout' });
  expect(clock.now() - before).toBeLessThan(165_000);
});

test('an aborted run is cancelled on the machine and throws the reason', async () => {
  const { provider, wire } = await agent();
  const controller = new AbortController();
  wire.on('GetCommandInvocation', (_request, nth) => {
    if (nth === 2) controller.abort(new Error('ctrl-c'));
    return jsonReply({ Status: 'InProgress' });
  });
  wire.on('CancelCommand', jsonReply({}));
  const shell = await provider.shell({ id: ID });
  await expect(shell.run('true', { signal: controller.signal })).rejects.toThrow('ctrl-c');
  expect(wire.of('CancelCommand')[0]?.json).toMatchObject({ CommandId: 'cmd-1', InstanceIds: [ID] });
});

test('a throttled send is repeated; one whose answer was lost is looked for and never sent twice', async () => {
  const { provider, wire } = await agent();
  const shell = await provider.shell({ id: ID });
  wire.on('SendCommand', jsonError('ThrottlingException', 'Rate exceeded'), jsonError('ThrottlingException', 'Rate exceeded'), jsonReply({ Command: { CommandId: 'cmd-2' } }));
  wire.on('GetCommandInvocation', jsonReply({ Status: 'Cancelled' }));
  await shell.run('true').catch(() => undefined);
  expect(wire.of('SendCommand')).toHaveLength(3);

  wire.requests.length = 0;
  wire.on('SendCommand', { reset: true });
  wire.on('ListCommands', jsonReply({ Commands: [] }), () => jsonReply({ Commands: [{ CommandId: 'other', Comment: 'x' }, { CommandId: 'cmd-3', Comment: wire.of('SendCommand')[0]?.json.Comment }] }));
  await shell.run('true').catch(() => undefined);
  expect(wire.of('SendCommand')).toHaveLength(1);
  expect(wire.of('GetCommandInvocation')[0]?.json.CommandId).toBe('cmd-3');

  wire.requests.length = 0;
  wire.on('ListCommands', jsonReply({ Commands: [] }));
  await expect(shell.run('true')).rejects.toMatchObject({ code: 'endpoint-unreachable', message: `it is not known whether ${ID} got the command` });
  expect(wire.of('SendCommand')).toHaveLength(1);
});

test('a machine on which the envelope cannot be unpacked says so', async () => {
  const { provider, wire } = await agent();
  wire.on('GetCommandInvocation', jsonReply({ Status: 'Failed', StatusDetails: 'Failed', ResponseCode: 97, StandardOutputContent: '', StandardErrorContent: 'mktemp: No space left on device' }));
  const shell = await provider.shell({ id: ID });
  await expect(shell.run('true')).rejects.toMatchObject({ code: 'cloud-refused', reason: expect.stringContaining('No space left on device') as string });
});

test('stderr that SSM cut says that it was cut', async () => {
  const { provider } = await agent();
  const shell = await provider.shell({ id: ID });
  expect((await shell.run("head -c 9000 /dev/zero | tr '\\0' e >&2")).stderr).toMatch(/cut by SSM at 8000 characters/);
});
