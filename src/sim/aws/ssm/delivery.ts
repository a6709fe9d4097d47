// Does: brings commands to their machines and their outcomes back, with the agent's and the service's rules: at most five at
// once on an instance, MaxConcurrency and MaxErrors, the two timeouts, cancel, exit code 194 (reboot and run again).
// By design: delivered in the very moment when the agent is there (the real one waits for its message); the execution timeout
// runs in real time, as the script does, the delivery timeout in the world's: however fast that runs, a script that works keeps
// its time. When a machine dies under a command nobody tells
// the service: the invocation stays InProgress until both timeouts together have passed.
// Source: amazon-ssm-agent (runscript, pluginutil GetStatus, CommandWorkersLimit 5); SSM User Guide "Understanding command statuses".
import type { Cloud, GuestResult, GuestRun } from '../../cloud.ts';
import type { CallContext } from '../../wire/call.ts';
import { platformOf, type Agents } from './agents.ts';
import type { CommandStore } from './command-store.ts';
import { cutStderr, cutStdout } from './output.ts';
import { type CommandRow, type InvocationRow, type InvocationStatus, isFinished, isTerminal } from './rows.ts';
import { resolveReferences } from './send-command.ts';

const AT_ONCE = 5;
const LOOK_AGAIN_MS = 1_000;
const REBOOT_GRACE_MS = 2_000;
const REBOOT_CODE = 194;
const END_WITH_SUCCESS_CODE = 168;

export class Delivery {
  readonly #cloud: Cloud;
  readonly #store: CommandStore;
  readonly #agents: Agents;
  readonly #log: (line: string) => void;
  /** Commands waiting for each instance, oldest first. */
  readonly #waiting = new Map<string, string[]>();
  /** Commands whose script runs on each instance. */
  readonly #running = new Map<string, Set<string>>();
  readonly #timers = new Map<string, (() => void)[]>();
  readonly #lookAgain = new Map<string, () => void>();
  #closed = false;

  constructor(cloud: Cloud, store: CommandStore, agents: Agents, log: (line: string) => void) {
    this.#cloud = cloud;
    this.#store = store;
    this.#agents = agents;
    this.#log = log;
  }

  accept(command: CommandRow): void {
    this.#store.put(command);
    this.#setDeadlines(command);
    for (const instanceId of command.instanceIds) this.#enqueue(instanceId, command.commandId);
  }

  /** After a restart: what waited waits on, what ran is taken up again where its guest still knows of it. */
  resume(): void {
    for (const command of this.#store.values().filter((each) => !isFinished(each))) {
      this.#setDeadlines(command);
      for (const [instanceId, invocation] of Object.entries(command.invocations)) {
        if (isTerminal(invocation.status)) continue;
        const run = this.#cloud.machines.attach(instanceId, scriptId(command, invocation));
        if (run) this.#follow(command, instanceId, run);
        else if (invocation.status === 'Pending' || invocation.attempt > 1) this.#enqueue(instanceId, command.commandId);
      }
    }
  }

  forget(): void {
    for (const cancel of [...this.#timers.values()].flat()) cancel();
    for (const cancel of this.#lookAgain.values()) cancel();
    for (const map of [this.#timers, this.#lookAgain, this.#waiting, this.#running]) map.clear();
  }

  close(): void {
    this.forget();
    this.#closed = true;
  }

  cancel(command: CommandRow, instanceIds: string[]): void {
    for (const instanceId of instanceIds) {
      const invocation = command.invocations[instanceId];
      if (!invocation || isTerminal(invocation.status)) continue;
      if (invocation.status === 'Pending') {
        this.#end(command, instanceId, 'Cancelled', 'Cancelled');
        continue;
      }
      invocation.status = 'Cancelling';
      invocation.statusDetails = 'Cancelling';
      this.#store.put(command);
      if (!this.#isSilent(instanceId)) this.#cloud.machines.attach(instanceId, scriptId(command, invocation))?.kill();
    }
  }

  #setDeadlines(command: CommandRow): void {
    const { clock } = this.#cloud;
    const deliverBy = command.requestedAt + command.timeoutS * 1000;
    const at = (time: number, action: () => void): (() => void) => clock.after(Math.max(0, time - clock.now()), action);
    const expire = (hits: (status: InvocationStatus) => boolean): void => {
      for (const [instanceId, { status }] of Object.entries(command.invocations)) {
        if (hits(status) && !this.#works(command, instanceId)) this.#end(command, instanceId, 'TimedOut', 'DeliveryTimedOut');
      }
    };
    const overdue = (): void => {
      expire((status) => !isTerminal(status));
      // What still works may end in silence after all.
      if (!isFinished(command)) this.#timers.get(command.commandId)?.push(clock.after(command.executionTimeoutS * 1000, overdue));
    };
    this.#timers.set(command.commandId, [at(deliverBy, () => expire((status) => status === 'Pending')), at(deliverBy + command.executionTimeoutS * 1000, overdue)]);
  }

  /** The machine itself ends the script when its time is over, and can say so. */
  #works(command: CommandRow, instanceId: string): boolean {
    return !this.#isSilent(instanceId) && this.#running.get(instanceId)?.has(command.commandId) === true;
  }

  #enqueue(instanceId: string, commandId: string): void {
    const queue = this.#waiting.get(instanceId) ?? [];
    queue.push(commandId);
    this.#waiting.set(instanceId, queue);
    this.#pump(instanceId);
  }

  #pump(instanceId: string): void {
    const queue = this.#waiting.get(instanceId);
    if (this.#closed || !queue || queue.length === 0) return;
    const running = this.#running.get(instanceId) ?? new Set<string>();
    const agent = this.#agents.find(instanceId);
    // A copy: what is started or over leaves the queue on the way.
    for (const commandId of queue.slice()) {
      const command = this.#store.get(commandId);
      const invocation = command?.invocations[instanceId];
      if (!command || !invocation || isTerminal(invocation.status)) queue.splice(queue.indexOf(commandId), 1);
      else if (agent?.alive && running.size < AT_ONCE && this.#hasRoom(command, instanceId)) {
        queue.splice(queue.indexOf(commandId), 1);
        this.#start(command, instanceId, invocation);
      }
    }
    if (queue.length > 0 && !agent?.alive && !this.#lookAgain.has(instanceId)) {
      const cancel = this.#cloud.clock.after(LOOK_AGAIN_MS, () => {
        this.#lookAgain.delete(instanceId);
        this.#pump(instanceId);
      });
      this.#lookAgain.set(instanceId, cancel);
    }
  }

  /** MaxConcurrency: on how many instances at once. */
  #hasRoom(command: CommandRow, instanceId: string): boolean {
    const active = Object.entries(command.invocations).filter(([id, { status }]) => id !== instanceId && (status === 'InProgress' || status === 'Cancelling')).length;
    return active < Math.max(1, share(command.maxConcurrency, command.instanceIds.length));
  }

  #start(command: CommandRow, instanceId: string, invocation: InvocationRow): void {
    const { machines, clock, world } = this.#cloud;
    const row = this.#agents.find(instanceId)?.row;
    if (!row) return;
    const context: CallContext = { cloud: this.#cloud, region: command.region, accountId: world.accountId, accessKeyId: '', requestId: '' };
    const { name, version } = platformOf(row);
    const directory = resolveReferences(command.parameters['workingDirectory'] ?? [], context)[0];
    const run = machines.run(instanceId, {
      id: scriptId(command, invocation),
      body: `${resolveReferences(command.parameters['commands'] ?? [], context).join('\n')}\n`,
      ...(directory ? { workingDirectory: directory } : {}),
      timeoutMs: command.executionTimeoutS * 1000,
      env: {
        AWS_SSM_INSTANCE_ID: instanceId,
        AWS_SSM_REGION_NAME: command.region,
        AWS_SSM_PLATFORM_NAME: name,
        AWS_SSM_PLATFORM_VERSION: version,
        SSM_COMMAND_ID: command.commandId,
      },
    });
    invocation.status = 'InProgress';
    invocation.statusDetails = 'InProgress';
    invocation.startedAt ??= clock.now();
    // After the guest has it: were it the other way round, a crash between the two would lose the command.
    this.#store.put(command);
    this.#follow(command, instanceId, run);
  }

  #follow(command: CommandRow, instanceId: string, run: GuestRun): void {
    const running = this.#running.get(instanceId) ?? new Set<string>();
    this.#running.set(instanceId, running.add(command.commandId));
    const release = (): void => {
      running.delete(command.commandId);
    };
    run.done.then(
      (result) => {
        release();
        this.#hear(command, instanceId, result);
      },
      (error: Error) => {
        release();
        // The machine is gone and tells nobody; the deadlines will.
        if (error.name !== 'GuestGone') this.#log(`outcome of command ${command.commandId} on ${instanceId} is lost: ${error.message}`);
        this.#pump(instanceId);
      },
    );
  }

  #isSilent(instanceId: string): boolean {
    return this.#cloud.weather.agentSilentSince(instanceId) !== undefined;
  }

  /** An agent that cannot speak keeps the outcome until it can. */
  #hear(command: CommandRow, instanceId: string, result: GuestResult): void {
    if (this.#closed) return;
    if (this.#isSilent(instanceId)) this.#cloud.clock.after(LOOK_AGAIN_MS, () => this.#hear(command, instanceId, result));
    else this.#ended(command, instanceId, result);
  }

  #ended(command: CommandRow, instanceId: string, result: GuestResult): void {
    const invocation = command.invocations[instanceId];
    if (!invocation || isTerminal(invocation.status)) return this.#pump(instanceId);
    const { exitCode, timedOut } = result;
    const cancelled = result.killed && invocation.status === 'Cancelling';
    let complaint = '';
    if (exitCode !== 0 && exitCode !== REBOOT_CODE && exitCode !== END_WITH_SUCCESS_CODE && !timedOut && !cancelled) complaint = `failed to run commands: exit status ${exitCode}`;
    invocation.stdout = cutStdout(invocation.stdout + result.stdout.toString('utf8'));
    invocation.stderr = cutStderr(invocation.stderr + result.stderr.toString('utf8') + complaint);
    invocation.responseCode = exitCode;
    if (cancelled) this.#end(command, instanceId, 'Cancelled', 'Cancelled');
    else if (timedOut) this.#end(command, instanceId, 'TimedOut', 'ExecutionTimedOut');
    else if (exitCode === REBOOT_CODE) void this.#rebootAndRepeat(command, instanceId, invocation);
    else if (exitCode === 0 || exitCode === END_WITH_SUCCESS_CODE) this.#end(command, instanceId, 'Success', 'Success');
    else this.#end(command, instanceId, 'Failed', 'Failed');
  }

  async #rebootAndRepeat(command: CommandRow, instanceId: string, invocation: InvocationRow): Promise<void> {
    invocation.attempt += 1;
    invocation.responseCode = -1;
    this.#store.put(command);
    try {
      await this.#cloud.machines.reboot(instanceId, REBOOT_GRACE_MS);
    } catch (error) {
      // Stopped or dead meanwhile: it waits, as for any machine that is not there.
      this.#log(`reboot of ${instanceId} asked for by command ${command.commandId}: ${String(error)}`);
    }
    if (!this.#closed && !isTerminal(invocation.status)) this.#enqueue(instanceId, command.commandId);
  }

  #end(command: CommandRow, instanceId: string, status: InvocationStatus, details: string): void {
    const invocation = command.invocations[instanceId];
    if (!invocation) return;
    invocation.status = status;
    invocation.statusDetails = details;
    invocation.endedAt = this.#cloud.clock.now();
    this.#stopAfterErrors(command);
    this.#store.put(command);
    if (isFinished(command)) {
      for (const cancel of this.#timers.get(command.commandId) ?? []) cancel();
      this.#timers.delete(command.commandId);
    }
    // Room on this instance, and perhaps for this command on another.
    for (const each of new Set([instanceId, ...command.instanceIds])) this.#pump(each);
  }

  #stopAfterErrors(command: CommandRow): void {
    const all = Object.values(command.invocations);
    const errors = all.filter(({ status }) => status === 'Failed' || status === 'TimedOut').length;
    if (errors <= share(command.maxErrors, all.length)) return;
    for (const invocation of all.filter(({ status }) => status === 'Pending')) {
      invocation.status = 'Cancelled';
      invocation.statusDetails = 'Terminated';
      invocation.endedAt = this.#cloud.clock.now();
    }
  }
}

/** The name of one run of a command's script in the guest. */
function scriptId(command: CommandRow, invocation: InvocationRow): string {
  return invocation.attempt === 1 ? command.commandId : `${command.commandId}.${invocation.attempt}`;
}

/** "10" or "25%" of so many. */
export function share(text: string, of: number): number {
  return text.endsWith('%') ? Math.floor((of * Number.parseInt(text, 10)) / 100) : Number(text);
}
