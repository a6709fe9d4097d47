// Hands on a machine through SSM Run Command: send, poll, read. SSM neither says when a machine dies under a command nor takes
// an idempotency token, so EC2 is watched beside it, and a command whose sending failed half-way is looked for, never sent twice.
import { randomBytes } from 'node:crypto';
import { RunctlError } from '../../core/errors.ts';
import type { Machine, MachineRef } from '../../core/machine.ts';
import type { Shell, ShellOptions, ShellResult } from '../../core/ports.ts';
import type { AwsApi } from './clients.ts';
import { isAwsCode, perhapsDone, surelyNotDone } from './errors.ts';
import { type Pace, createPace } from './pace.ts';
import { MAX_OUTPUT_BYTES, MAX_SCRIPT_BYTES, readErrors, readOutput, SSM_OUTPUT_CHARACTERS, wrapScript } from './ssm-script.ts';

const DEFAULT_TIMEOUT_MS = 60_000;
/** Delivery: a command that no agent picked up in this time never starts. SSM's least is 30. */
const DELIVERY_S = 120;
/** executionTimeout below 5 or above 172,800 silently becomes 3,600 (amazon-ssm-agent). */
const LEAST_EXECUTION_S = 5;
const MOST_EXECUTION_S = 172_800;
const SEND_ATTEMPTS = 5;
/** An accepted command may be unknown to readers for this long. */
const INVISIBLE_MS = 10_000;
/** An agent that has not registered by then hardly will. */
const OVERDUE_MIN = 15;
const LOOK_AT_MACHINE_EVERY_MS = 12_000;
/** Polls that may fail in a row, each in a way that passes, before it is no longer taken for a passing trouble. */
const FAILED_POLLS = 6;
const FAILURE_PAUSE_MS = 500;

type Invocation = { Status?: string; StatusDetails?: string; ResponseCode?: number; StandardOutputContent?: string; StandardErrorContent?: string };

export function createSsmShell(api: AwsApi, machine: MachineRef, find: (id: string, signal?: AbortSignal) => Promise<Machine | undefined>, pace: Pace = createPace()): Shell {
  return {
    channel: 'ssm',
    maxOutputBytes: MAX_OUTPUT_BYTES,
    maxScriptBytes: MAX_SCRIPT_BYTES,
    async run(script, options = {}) {
      const sizeBytes = Buffer.byteLength(script);
      if (sizeBytes > MAX_SCRIPT_BYTES) {
        throw new RunctlError('cloud-refused', `a script of ${sizeBytes} bytes is more than SSM takes at once (${MAX_SCRIPT_BYTES})`, { cause: 'an SSM document holds 64 KiB', hints: ['runctl config set aws.s3_bucket BUCKET'] });
      }
      const nonce = `runctl-${randomBytes(12).toString('hex')}`;
      const timeoutS = Math.min(MOST_EXECUTION_S, Math.max(LEAST_EXECUTION_S, Math.ceil((options.timeoutMs ?? DEFAULT_TIMEOUT_MS) / 1000)));
      const commandId = await send(api, machine, script, nonce, timeoutS, options.signal);
      try {
        return await result(api, machine, find, pace, commandId, nonce, timeoutS, options);
      } catch (error) {
        if (options.signal?.aborted || isUnanswered(error)) await cancel(api, machine.id, commandId);
        throw error;
      }
    },
  };
}

async function send(api: AwsApi, machine: MachineRef, script: string, nonce: string, timeoutS: number, signal?: AbortSignal): Promise<string> {
  for (let attempt = 1, pauseMs = 250; ; attempt += 1, pauseMs = Math.min(pauseMs * 2, 4_000)) {
    try {
      const answer = await api.ssm(
        'SendCommand',
        {
          InstanceIds: [machine.id],
          DocumentName: 'AWS-RunShellScript',
          Comment: nonce,
          TimeoutSeconds: DELIVERY_S,
          Parameters: { commands: [wrapScript(script, nonce)], executionTimeout: [String(timeoutS)] },
        },
        { signal, once: true, subject: machine.id },
      );
      const id = answer.Command?.CommandId;
      if (id) return id;
      throw new RunctlError('cloud-refused', `SSM accepted a command for ${machine.id} and gave it no id`, { cause: 'SendCommand answered without CommandId', hints: ['runctl doctor'] });
    } catch (error) {
      if (isAwsCode(error, 'InvalidInstanceId')) throw notReady(machine, error as RunctlError, undefined, api.clock.now());
      if (surelyNotDone(error) && attempt < SEND_ATTEMPTS) {
        await api.clock.sleep(pauseMs, signal);
        continue;
      }
      if (!perhapsDone(error)) throw error;
      const adopted = await findSent(api, machine.id, nonce, signal);
      if (adopted) return adopted;
      throw new RunctlError('endpoint-unreachable', `it is not known whether ${machine.id} got the command`, {
        cause: `${(error as RunctlError).reason ?? (error as RunctlError).message}; SSM lists no such command, and it was not sent a second time because it might then run twice`,
        hints: [`runctl aws status ${machine.id}`],
        source: error,
        data: { sent: 'maybe' },
      });
    }
  }
}

/** The command that carries this nonce, if it arrived in spite of the error. */
async function findSent(api: AwsApi, id: string, nonce: string, signal?: AbortSignal): Promise<string | undefined> {
  for (let pauseMs = 200; pauseMs <= 3_200; pauseMs *= 2) {
    await api.clock.sleep(pauseMs, signal);
    const answer = await api.ssm('ListCommands', { InstanceId: id, MaxResults: 50 }, { signal, subject: id });
    const found = answer.Commands?.find((command) => command.Comment === nonce);
    if (found?.CommandId) return found.CommandId;
  }
  return undefined;
}

async function result(
  api: AwsApi,
  machine: MachineRef,
  find: (id: string, signal?: AbortSignal) => Promise<Machine | undefined>,
  pace: Pace,
  commandId: string,
  nonce: string,
  timeoutS: number,
  options: ShellOptions,
): Promise<ShellResult> {
  // What a script takes is work, which does not get faster with a pretend cloud's time.
  const working = api.clock.computing ?? api.clock.monotonic;
  const startedAt = working();
  // When SSM itself should have given up; a little more for its own slowness.
  const deadline = startedAt + Math.min((DELIVERY_S + timeoutS + 30) * 1000, options.answerWithinMs ?? Infinity);
  let lookAt = startedAt + LOOK_AT_MACHINE_EVERY_MS;
  let failed = 0;
  for (const pauseMs of pace.pauses()) {
    await api.clock.sleep(pauseMs + FAILURE_PAUSE_MS * failed, options.signal);
    let invocation: Invocation | undefined;
    try {
      invocation = await look(api, machine.id, commandId, () => working() - startedAt, options.signal);
      failed = 0;
    } catch (error) {
      // The next poll is the retry: a client that retries by itself would be a second client to load and connect.
      if (!(error instanceof RunctlError) || !error.retryable || ++failed >= FAILED_POLLS) throw error;
    }
    const status = invocation?.Status ?? 'Pending';
    if (invocation && ['Success', 'Failed', 'TimedOut', 'Cancelled'].includes(status)) {
      pace.learn(working() - startedAt);
      return judge(machine, invocation, nonce, timeoutS);
    }
    const now = working();
    if (now >= lookAt || now >= deadline) {
      await requireAlive(find, machine.id, options.signal);
      lookAt = now + LOOK_AT_MACHINE_EVERY_MS;
    }
    if (now >= deadline) {
      throw new RunctlError('timeout', `SSM still calls the command on ${machine.id} ${status} after ${Math.round((now - startedAt) / 1000)} s`, {
        cause: 'EC2 says that the machine runs; its SSM agent may have died',
        hints: [`runctl aws wait-ssm ${machine.id}`, `runctl aws stop ${machine.id} --wait`],
        data: { unanswered: true },
      });
    }
  }
  throw new Error('unreachable');
}

async function look(api: AwsApi, id: string, commandId: string, passedMs: () => number, signal?: AbortSignal): Promise<Invocation | undefined> {
  try {
    return await api.ssm('GetCommandInvocation', { CommandId: commandId, InstanceId: id }, { signal, subject: id, once: true });
  } catch (error) {
    if (isAwsCode(error, 'InvocationDoesNotExist') && passedMs() < INVISIBLE_MS) return undefined;
    throw error;
  }
}

function judge(machine: MachineRef, invocation: Invocation, nonce: string, timeoutS: number): ShellResult {
  const output = readOutput(invocation.StandardOutputContent ?? '', nonce);
  const stderr = readErrors(invocation.StandardErrorContent ?? '');
  if (output.kind === 'whole') return { exitCode: output.exitCode, stdout: output.stdout, stderr };
  const details = (invocation.StatusDetails ?? invocation.Status ?? '').replaceAll(' ', '').toLowerCase();
  const facts = `SSM status ${invocation.Status}${invocation.StatusDetails && invocation.StatusDetails !== invocation.Status ? ` (${invocation.StatusDetails})` : ''}, exit code ${invocation.ResponseCode ?? 'none'}`;
  if (details === 'executiontimedout' || (invocation.Status === 'TimedOut' && !details.startsWith('delivery'))) {
    throw new RunctlError('timeout', `the script on ${machine.id} did not end within ${timeoutS} s and was killed`, { cause: facts, hints: [`runctl aws status ${machine.id}`] });
  }
  if (details.startsWith('delivery') || ['undeliverable', 'terminated', 'incomplete'].includes(details)) throw notReady(machine, undefined, facts);
  if (invocation.Status === 'Cancelled') {
    throw new RunctlError('cloud-refused', `the command on ${machine.id} was cancelled by someone else`, { cause: facts, hints: [`aws ssm list-commands --instance-id ${machine.id}`] });
  }
  if (output.kind === 'cut') {
    throw new RunctlError('cloud-refused', `the script on ${machine.id} printed more than the ${SSM_OUTPUT_CHARACTERS} characters that SSM keeps`, { cause: `${facts}; what came back is cut and was not used`, hints: [`runctl aws status ${machine.id}`] });
  }
  if (invocation.Status === 'Success') {
    throw new RunctlError('endpoint-foreign', 'the endpoint says that it ran the command, but it runs nothing', {
      cause: 'the answer lacks the line that the script must print: some emulators of AWS only pretend to run SSM commands',
      hints: ['env | grep AWS_ENDPOINT_URL', 'eval "$(runctl sim env)"   # the built-in cloud runs scripts for real'],
    });
  }
  throw new RunctlError('cloud-refused', `the machine ${machine.id} could not run the script`, {
    cause: `${facts}${stderr ? `: ${stderr.slice(-300).trim()}` : ''}`,
    hints: [`runctl aws status ${machine.id}`, `aws ssm list-commands --instance-id ${machine.id}`],
  });
}

async function requireAlive(find: (id: string, signal?: AbortSignal) => Promise<Machine | undefined>, id: string, signal?: AbortSignal): Promise<void> {
  const now = await find(id, signal);
  if (now?.state === 'running') return;
  throw new RunctlError('machine-lost', `${id} ${now ? `is ${now.state}` : 'is gone'} while a command ran on it`, {
    cause: now?.stateReason ?? 'EC2 gives no reason',
    hints: now?.state === 'stopped' ? [`runctl aws start ${id} --wait`] : [`runctl aws status ${id}`],
    data: { state: now?.state ?? 'gone' },
  });
}

/** R038: say what is happening right after creation, and what to type. */
function notReady(machine: MachineRef, error: RunctlError | undefined, facts?: string, nowMs?: number): RunctlError {
  const said = facts ?? error?.reason;
  if (!machine.profile && machine.state === 'running') {
    return new RunctlError('ssm-not-ready', `${machine.id} has no instance profile, so SSM cannot reach it`, {
      cause: `the SSM agent needs the rights of a profile to connect${said ? `; ${said}` : ''}`,
      hints: [`aws ec2 associate-iam-instance-profile --instance-id ${machine.id} --iam-instance-profile Name=runctl-ssm-profile`, `runctl aws wait-ssm ${machine.id}`],
      ...(error?.data ? { data: error.data } : {}),
      source: error,
    });
  }
  const minutes = machine.launchedAt === undefined || nowMs === undefined ? 0 : Math.floor((nowMs - machine.launchedAt) / 60_000);
  if (minutes >= OVERDUE_MIN) {
    return new RunctlError('ssm-not-ready', `the SSM agent on ${machine.id} does not answer, though the machine was started ${minutes} min ago`, {
      cause: `agents register 30-90 s after a start: this one has no way to SSM, lacks the rights of its profile, or has died${said ? `; ${said}` : ''}`,
      hints: [`runctl aws status ${machine.id}`, `aws ec2 get-console-output --latest --output text --instance-id ${machine.id}`, `runctl aws stop ${machine.id} --wait`],
      ...(error?.data ? { data: error.data } : {}),
      source: error,
    });
  }
  return new RunctlError('ssm-not-ready', `the SSM agent on ${machine.id} has not registered yet`, {
    cause: `a new machine usually takes 30-90 s after it started running${said ? `; ${said}` : ''}`,
    hints: [`runctl aws wait-ssm ${machine.id}`, `runctl aws status ${machine.id}`],
    ...(error?.data ? { data: error.data } : {}),
    source: error,
  });
}

/** Given up while the command may still wait for its agent: it must not come back to life when nobody listens any more. */
function isUnanswered(error: unknown): boolean {
  return error instanceof RunctlError && error.data?.['unanswered'] === true;
}

/** Best effort: the caller is leaving, and the script has its own timeout. */
async function cancel(api: AwsApi, id: string, commandId: string): Promise<void> {
  try {
    await api.ssm('CancelCommand', { CommandId: commandId, InstanceIds: [id] }, { subject: id, once: true, timeoutMs: 2_000 });
  } catch (error) {
    if (!(error instanceof RunctlError)) throw error;
  }
}
