// Finding machines and changing their state. EC2 forgets for a moment what it just made: "not found" is doubted only for ids
// that this process created a short while ago.
import { RunctlError } from '../../core/errors.ts';
import type { Machine } from '../../core/machine.ts';
import type { AwsApi } from './clients.ts';
import { isAwsCode } from './errors.ts';
import { machineState, TAG, toMachine } from './machines.ts';

/** How long EC2 may still deny a machine that it has just confirmed ("eventual consistency", EC2 Developer Guide). */
const CONSISTENT_AFTER_MS = 90_000;

export interface Lifecycle {
  /** Remember that this process made the machine, so that `find` knows it must appear. */
  made(id: string): void;
  find(id: string, signal?: AbortSignal): Promise<Machine | undefined>;
  findByToken(token: string, signal?: AbortSignal): Promise<Machine | undefined>;
  list(signal?: AbortSignal): Promise<Machine[]>;
  change(operation: 'StartInstances' | 'StopInstances' | 'TerminateInstances', id: string, signal?: AbortSignal): Promise<Machine>;
}

/** SSM and EC2 word a malformed id differently; this says it once, and without a call. */
export function requireInstanceId(id: string): void {
  if (/^m?i-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id)) return;
  throw new RunctlError('usage', `${id} is not a machine id`, { cause: 'EC2 ids are i- and 8 or 17 hexadecimal digits', hints: ['runctl runs list', "aws ec2 describe-instances --query 'Reservations[].Instances[].[InstanceId,State.Name]' --output text"] });
}

export function createLifecycle(api: AwsApi, owner: string | undefined): Lifecycle {
  const madeAt = new Map<string, number>();

  const explained = async (machine: Machine, signal?: AbortSignal): Promise<Machine> => (machine.interrupted ? (await import('./spot-requests.ts')).withReason(api, machine, signal) : machine);

  async function find(id: string, signal?: AbortSignal): Promise<Machine | undefined> {
    requireInstanceId(id);
    for (let pauseMs = 250; ; pauseMs = Math.min(pauseMs * 2, 5_000)) {
      try {
        const answer = await api.ec2('DescribeInstances', { InstanceIds: [id] }, { signal, subject: id });
        const instance = answer.Reservations?.[0]?.Instances?.[0];
        if (instance) return await explained(toMachine(instance, await api.region()), signal);
      } catch (error) {
        if (!isAwsCode(error, 'InvalidInstanceID.NotFound')) throw error;
      }
      const createdAt = madeAt.get(id);
      if (createdAt === undefined || api.clock.monotonic() - createdAt > CONSISTENT_AFTER_MS) return undefined;
      await api.clock.sleep(pauseMs, signal);
    }
  }

  return {
    made: (id) => madeAt.set(id, api.clock.monotonic()),
    find,
    async findByToken(token, signal) {
      const answer = await api.ec2('DescribeInstances', { Filters: [{ Name: 'client-token', Values: [token] }] }, { signal });
      const region = await api.region();
      const machines = (answer.Reservations ?? []).flatMap((one) => one.Instances ?? []).map((instance) => toMachine(instance, region));
      return machines.find((machine) => machine.state !== 'terminated') ?? machines[0];
    },
    async list(signal) {
      const region = await api.region();
      const machines: Machine[] = [];
      let token: string | undefined;
      do {
        const page = await api.ec2(
          'DescribeInstances',
          {
            Filters: [
              owner === undefined ? { Name: 'tag-key', Values: [TAG.owner] } : { Name: `tag:${TAG.owner}`, Values: [owner] },
              { Name: 'instance-state-name', Values: ['pending', 'running', 'stopping', 'stopped', 'shutting-down'] },
            ],
            MaxResults: 1000,
            ...(token ? { NextToken: token } : {}),
          },
          { signal },
        );
        for (const reservation of page.Reservations ?? []) {
          machines.push(...(reservation.Instances ?? []).map((instance) => toMachine(instance, region)));
        }
        // An empty token ends the list too.
        token = page.NextToken || undefined;
      } while (token);
      return machines;
    },
    async change(operation, id, signal) {
      requireInstanceId(id);
      const answer = await api.ec2(operation, { InstanceIds: [id] }, { signal, subject: id });
      const changes = 'StartingInstances' in answer ? answer.StartingInstances : 'StoppingInstances' in answer ? answer.StoppingInstances : 'TerminatingInstances' in answer ? answer.TerminatingInstances : [];
      const change = changes?.find((one) => one.InstanceId === id) ?? changes?.[0];
      const machine = await find(id, signal);
      if (!machine) throw new RunctlError('not-found', `no machine ${id} in ${await api.region()}`, { cause: `EC2 took ${operation} and then denied the machine`, hints: [`runctl aws status ${id}`, 'runctl runs list'] });
      return change?.CurrentState ? { ...machine, state: machineState(change.CurrentState) } : machine;
    },
  };
}
