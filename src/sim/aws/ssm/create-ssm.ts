// Does: puts SSM together: Run Command (AWS-RunShellScript), registered instances, documents, Parameter Store.
// Gaps: Session Manager, State Manager, Automation, Inventory, own documents; every operation not named below.
// By design: commands live below <world>/ssm, one file each, so that history and running commands survive a restart.
// Source: SSM API Reference, API version 2014-11-06; amazon-ssm-agent for what happens on the machine.
import type { Cloud } from '../../cloud.ts';
import { AwsFault, type JsonService } from '../../wire/call.ts';
import { Agents } from './agents.ts';
import { CommandStore } from './command-store.ts';
import { Delivery } from './delivery.ts';
import { documentOperations } from './documents.ts';
import { text, texts } from './fields.ts';
import { getCommandInvocation, listCommandInvocations, listCommands, renderCommand } from './listing.ts';
import { parameterOperations } from './parameters.ts';
import { newCommand } from './send-command.ts';

export interface Ssm {
  service: JsonService;
  /** Take up commands that a former server left; after EC2 has found its machines. */
  resume(): void;
  /** The world was emptied. */
  forget(): void;
  close(): void;
}

export function createSsm(cloud: Cloud, log: (line: string) => void): Ssm {
  const store = new CommandStore(cloud.world);
  const agents = new Agents(cloud);
  const delivery = new Delivery(cloud, store, agents, log);
  const operations: JsonService['operations'] = {
    SendCommand(body, context) {
      const command = newCommand(body, context, agents);
      const answer = { Command: renderCommand(command) };
      delivery.accept(command);
      return answer;
    },
    GetCommandInvocation: (body, context) => getCommandInvocation(store, body, context),
    ListCommandInvocations: (body, context) => listCommandInvocations(store, body, context),
    ListCommands: (body, context) => listCommands(store, body, context),
    CancelCommand(body, context) {
      const commandId = text(body, 'CommandId', { required: true, min: 36, max: 36 }) as string;
      const instanceIds = texts(body, 'InstanceIds', { max: 50 }) ?? [];
      const command = store.get(commandId);
      if (!command || command.region !== context.region) throw new AwsFault('InvalidCommandId', `The specified command ID isn't valid: ${commandId}`);
      if (new Set(instanceIds).size < instanceIds.length) throw new AwsFault('DuplicateInstanceId', "You can't specify an instance ID in more than one association.");
      const stranger = instanceIds.find((id) => !command.invocations[id]);
      if (stranger !== undefined) throw new AwsFault('InvalidInstanceId', `The command ${commandId} was not sent to ${stranger}.`);
      delivery.cancel(command, instanceIds.length > 0 ? instanceIds : command.instanceIds);
      return {};
    },
    DescribeInstanceInformation: (body, context) => agents.describe(body, context),
    ...documentOperations,
    ...parameterOperations,
  };
  return {
    service: { protocol: 'json', name: 'ssm', target: 'AmazonSSM', operations },
    resume: () => delivery.resume(),
    forget: () => delivery.forget(),
    close: () => delivery.close(),
  };
}
