// What each verb may do to a machine in each state: one table, asked by every story before it acts.
import { RunctlError } from '../core/errors.ts';
import type { Machine, MachineState } from '../core/machine.ts';
import type { Provider } from '../core/ports.ts';
import { freshCommand } from './fresh.ts';

export type Verb = 'train' | 'monitor' | 'start' | 'stop' | 'terminate' | 'wait' | 'wait-ssm' | 'stop-training' | 'processes' | 'exec' | 'lease' | 'status' | 'training-status';

/** `go`: do it. `done`: already so. `wait`: the state passes by itself, then look again. `no`: refuse, naming the state. */
type Answer = 'go' | 'done' | 'wait' | 'no';

const TABLE: Record<Verb, Record<MachineState, Answer>> = {
  train: { pending: 'wait', running: 'go', stopping: 'no', stopped: 'no', 'shutting-down': 'no', terminated: 'no' },
  monitor: { pending: 'no', running: 'go', stopping: 'no', stopped: 'no', 'shutting-down': 'no', terminated: 'no' },
  'stop-training': { pending: 'no', running: 'go', stopping: 'no', stopped: 'no', 'shutting-down': 'no', terminated: 'no' },
  processes: { pending: 'no', running: 'go', stopping: 'no', stopped: 'no', 'shutting-down': 'no', terminated: 'no' },
  exec: { pending: 'no', running: 'go', stopping: 'no', stopped: 'no', 'shutting-down': 'no', terminated: 'no' },
  lease: { pending: 'no', running: 'go', stopping: 'no', stopped: 'no', 'shutting-down': 'no', terminated: 'no' },
  wait: { pending: 'wait', running: 'go', stopping: 'no', stopped: 'no', 'shutting-down': 'no', terminated: 'no' },
  'wait-ssm': { pending: 'no', running: 'go', stopping: 'no', stopped: 'no', 'shutting-down': 'no', terminated: 'no' },
  // Questions that every state has an answer to.
  status: { pending: 'go', running: 'go', stopping: 'go', stopped: 'go', 'shutting-down': 'go', terminated: 'go' },
  'training-status': { pending: 'go', running: 'go', stopping: 'go', stopped: 'go', 'shutting-down': 'go', terminated: 'go' },
  start: { pending: 'done', running: 'done', stopping: 'wait', stopped: 'go', 'shutting-down': 'no', terminated: 'no' },
  stop: { pending: 'wait', running: 'go', stopping: 'done', stopped: 'done', 'shutting-down': 'no', terminated: 'no' },
  terminate: { pending: 'go', running: 'go', stopping: 'go', stopped: 'go', 'shutting-down': 'done', terminated: 'done' },
};

/** What is refused, as it stands after "cannot". */
const DOING: Partial<Record<Verb, string>> = { 'wait-ssm': 'wait for SSM', 'stop-training': 'stop the training', processes: 'look at processes', exec: 'run a command', lease: 'see the lease' };

/** Every verb that there is, for tests and documents. */
export const VERBS = Object.keys(TABLE) as Verb[];

export function answerFor(verb: Verb, state: MachineState): Answer {
  return TABLE[verb][state];
}

/** The refusal for `no`: names the state and a command that works from it. */
export function wrongState(verb: Verb, machine: Machine): RunctlError {
  const { id, state, provider, stateReason } = machine;
  const again = `runctl ${provider} start ${id} --wait`;
  const fresh = freshCommand(machine);
  const ways: Record<MachineState, { cause?: string; hints: string[] }> = {
    // R038: what is happening right after a creation.
    pending: { cause: 'a new machine runs after about half a minute, and its SSM agent registers 30-90 s after that', hints: [`runctl ${provider} wait ${id}`] },
    running: { hints: [`runctl ${provider} status ${id}`] },
    stopping: { cause: stateReason, hints: [again] },
    stopped: { cause: stateReason, hints: [again] },
    'shutting-down': { cause: stateReason, hints: [fresh] },
    terminated: { cause: stateReason, hints: [fresh] },
  };
  return new RunctlError('wrong-state', `cannot ${DOING[verb] ?? verb}: ${id} is ${state}`, { cause: ways[state].cause, hints: ways[state].hints, data: { machine: id, state } });
}

/** The machine, in a state in which this can be done or waited for. Throws `not-found`, and `wrong-state` or what `gone` has to say of a
 *  machine in another state. */
export async function requireMachine(provider: Provider, id: string, verb: Verb, signal: AbortSignal, gone?: (machine: Machine) => RunctlError | undefined): Promise<Machine> {
  const machine = await provider.find(id, signal);
  if (!machine) throw noSuchMachine(provider.name, id);
  if (answerFor(verb, machine.state) === 'no') throw gone?.(machine) ?? wrongState(verb, machine);
  return machine;
}

export function noSuchMachine(provider: string, id: string): RunctlError {
  return new RunctlError('not-found', `no machine ${id} in this region`, {
    cause: 'Wrong id, another region, or terminated more than an hour ago.',
    hints: [`runctl ${provider} status ${id} --region REGION`, 'runctl runs list'],
  });
}
