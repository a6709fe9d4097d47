// What each verb may do to a machine in each state: one table, asked by every story before it acts.
import { RunctlError } from '../core/errors.ts';
import type { Machine, MachineState } from '../core/machine.ts';

export type Verb = 'train' | 'monitor' | 'start' | 'stop' | 'terminate' | 'wait';

/** `go`: do it. `done`: already so. `wait`: the state passes by itself, then look again. `no`: refuse, naming the state. */
type Answer = 'go' | 'done' | 'wait' | 'no';

const TABLE: Record<Verb, Record<MachineState, Answer>> = {
  train: { pending: 'wait', running: 'go', stopping: 'no', stopped: 'no', 'shutting-down': 'no', terminated: 'no' },
  monitor: { pending: 'no', running: 'go', stopping: 'no', stopped: 'no', 'shutting-down': 'no', terminated: 'no' },
  wait: { pending: 'wait', running: 'go', stopping: 'no', stopped: 'no', 'shutting-down': 'no', terminated: 'no' },
  start: { pending: 'done', running: 'done', stopping: 'wait', stopped: 'go', 'shutting-down': 'no', terminated: 'no' },
  stop: { pending: 'wait', running: 'go', stopping: 'done', stopped: 'done', 'shutting-down': 'no', terminated: 'no' },
  terminate: { pending: 'go', running: 'go', stopping: 'go', stopped: 'go', 'shutting-down': 'done', terminated: 'done' },
};

export function answerFor(verb: Verb, state: MachineState): Answer {
  return TABLE[verb][state];
}

/** The refusal for `no`: names the state and the command that leads on. */
export function wrongState(verb: Verb, machine: Machine): RunctlError {
  const { id, state, provider, stateReason } = machine;
  const hints: Record<MachineState, string[]> = {
    pending: [`runctl ${provider} wait ${id}`],
    running: [],
    stopping: [`runctl ${provider} start ${id} --wait   (once it is stopped)`],
    stopped: [`runctl ${provider} start ${id} --wait`],
    'shutting-down': [`runctl ${provider} create ${machine.type} --wait`],
    terminated: [`runctl ${provider} create ${machine.type} --wait`],
  };
  return new RunctlError('wrong-state', `cannot ${verb}: ${id} is ${state}`, { cause: stateReason, hints: hints[state], data: { machine: id, state } });
}

export function noSuchMachine(provider: string, id: string): RunctlError {
  return new RunctlError('not-found', `no machine ${id} in this region`, {
    cause: 'Wrong id, another region, or terminated more than an hour ago.',
    hints: [`runctl ${provider} status ${id} --region REGION`, 'runctl runs list'],
  });
}
