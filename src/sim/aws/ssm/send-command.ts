// Does: checks a SendCommand request field by field and makes the command out of it. Does not deliver it (delivery.ts).
// Gaps: OutputS3BucketName, CloudWatchOutputConfig, NotificationConfig and alarms are taken but nothing is sent there;
// resource groups as targets are refused.
// Source: SSM API Reference, SendCommand (constraints, errors); amazon-ssm-agent, parameterstore (`{{ssm:name}}`).
import { randomUUID } from 'node:crypto';
import { AwsFault, type CallContext } from '../../wire/call.ts';
import type { Agent, Agents } from './agents.ts';
import { documentName } from './documents.ts';
import { constraint, structures, text, texts, whole } from './fields.ts';
import { resolveForCommand } from './parameters.ts';
import type { CommandRow, InvocationRow } from './rows.ts';

type Body = Record<string, unknown>;

const INSTANCE_ID = /(^i-(\w{8}|\w{17})$)|(^mi-\w{17}$)/;
const DOCUMENT_LIMIT_BYTES = 64 * 1024;
const DEFAULT_TIMEOUT_S = 3_600;
const DEFAULT_EXECUTION_S = 3_600;
const LEAST_EXECUTION_S = 5;
const MOST_EXECUTION_S = 172_800;
const EXECUTION_PATTERN = /^(([1-9][0-9]{0,4})|(1[0-6][0-9]{4})|(17[0-1][0-9]{3})|(172[0-7][0-9]{2})|(172800))$/;
const KNOWN_PARAMETERS = new Set(['commands', 'workingDirectory', 'executionTimeout']);
const STORE_REFERENCE = /\{\{\s*ssm:([\w.\-/:]+)\s*\}\}/g;
/** A document parameter's name in braces; `{{.Names}}` and the like are no such thing and pass. */
const DOCUMENT_REFERENCE = /\{\{\s*\w+\s*\}\}/;

export function newCommand(body: Body, context: CallContext, agents: Agents): CommandRow {
  const name = documentName(text(body, 'DocumentName', { required: true, pattern: /^[a-zA-Z0-9_\-.:/]{3,128}$/ }) as string);
  const version = text(body, 'DocumentVersion');
  if (version !== undefined && !['1', '$DEFAULT', '$LATEST'].includes(version)) throw new AwsFault('InvalidDocumentVersion', `The document version is not valid or does not exist: ${version}`);
  const timeoutS = whole(body, 'TimeoutSeconds', 30, 2_592_000) ?? DEFAULT_TIMEOUT_S;
  const parameters = readParameters(body, context);
  const { instanceIds, targets } = chooseInstances(body, context, agents);
  const command: CommandRow = {
    commandId: randomUUID(),
    region: context.region,
    documentName: name,
    comment: text(body, 'Comment', { max: 100 }) ?? '',
    parameters,
    instanceIds,
    targets,
    requestedAt: context.cloud.clock.now(),
    timeoutS,
    executionTimeoutS: executionTimeoutS(parameters),
    maxConcurrency: text(body, 'MaxConcurrency', { min: 1, max: 7, pattern: /^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$/ }) ?? '50',
    maxErrors: text(body, 'MaxErrors', { min: 1, max: 7, pattern: /^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$/ }) ?? '0',
    outputBucket: text(body, 'OutputS3BucketName', { min: 3, max: 63 }) ?? '',
    outputPrefix: text(body, 'OutputS3KeyPrefix', { max: 500 }) ?? '',
    serviceRole: text(body, 'ServiceRoleArn') ?? '',
    invocations: {},
  };
  for (const instanceId of instanceIds) command.invocations[instanceId] = newInvocation();
  return command;
}

function newInvocation(): InvocationRow {
  return { status: 'Pending', statusDetails: 'Pending', responseCode: -1, stdout: '', stderr: '', attempt: 1 };
}

function readParameters(body: Body, context: CallContext): Record<string, string[]> {
  const given = body['Parameters'] ?? {};
  if (typeof given !== 'object' || Array.isArray(given)) throw new AwsFault('SerializationException', 'Parameters must be a map of string lists');
  const parameters: Record<string, string[]> = {};
  for (const name of Object.keys(given)) {
    if (!KNOWN_PARAMETERS.has(name)) throw new AwsFault('InvalidParameters', `Document schema version, 1.2, does not support the parameter: ${name}`);
    parameters[name] = texts(given as Body, name) ?? [];
  }
  const commands = parameters['commands'] ?? [];
  if (commands.length === 0) throw new AwsFault('InvalidParameters', 'Parameter "commands" requires a value.');
  if (Buffer.byteLength(JSON.stringify(parameters)) > DOCUMENT_LIMIT_BYTES) throw new AwsFault('MaxDocumentSizeExceeded', 'The size limit of a document is 64 KB.');
  const timeout = parameters['executionTimeout']?.[0];
  if (timeout !== undefined && !EXECUTION_PATTERN.test(timeout)) {
    throw new AwsFault('InvalidParameters', `Parameter "executionTimeout" value "${timeout}" does not match the allowed pattern: ${EXECUTION_PATTERN.source}`);
  }
  for (const value of Object.values(parameters).flat()) {
    const reference = DOCUMENT_REFERENCE.exec(value)?.[0];
    if (reference) throw new AwsFault('InvalidParameters', `Parameter values must not refer to document parameters: ${reference}`);
    for (const [, name = ''] of value.matchAll(STORE_REFERENCE)) {
      if (resolveForCommand(name, context) === undefined) throw new AwsFault('InvalidParameters', `Parameter Store has no parameter ${name}, or it is a SecureString, which commands cannot refer to.`);
    }
  }
  return parameters;
}

/** The texts of a command as the agent gets them. */
export function resolveReferences(values: string[], context: CallContext): string[] {
  return values.map((value) => value.replace(STORE_REFERENCE, (whole, name: string) => resolveForCommand(name, context) ?? whole));
}

/** Outside 5..172800 the agent silently takes its default. */
function executionTimeoutS(parameters: Record<string, string[]>): number {
  const seconds = Number(parameters['executionTimeout']?.[0] ?? DEFAULT_EXECUTION_S);
  return seconds >= LEAST_EXECUTION_S && seconds <= MOST_EXECUTION_S ? seconds : DEFAULT_EXECUTION_S;
}

function chooseInstances(body: Body, context: CallContext, agents: Agents): Pick<CommandRow, 'instanceIds' | 'targets'> {
  const instanceIds = texts(body, 'InstanceIds', { max: 50 }) ?? [];
  const targets = readTargets(body);
  if (instanceIds.length > 0 && targets.length > 0) throw new AwsFault('ValidationException', 'InstanceIds and Targets cannot be given together.');
  if (instanceIds.length === 0 && targets.length === 0) throw new AwsFault('ValidationException', 'Either InstanceIds or Targets must be given.');
  if (targets.length > 0) {
    const chosen = agents.list(context.region).filter((agent) => agent.pingStatus === 'Online' && targets.every((target) => isTarget(agent, target)));
    return { instanceIds: chosen.map(({ row }) => row.instanceId), targets };
  }
  const malformed = instanceIds.find((id) => !INSTANCE_ID.test(id));
  if (malformed !== undefined) throw constraint(instanceIds, 'InstanceIds', `Member must satisfy constraint: [Member must satisfy regular expression pattern: ${INSTANCE_ID.source}]`);
  if (new Set(instanceIds).size < instanceIds.length) throw new AwsFault('DuplicateInstanceId', "You can't specify an instance ID in more than one association.");
  const absent = instanceIds.filter((id) => {
    const agent = agents.find(id);
    return agent?.pingStatus !== 'Online' || agent.row.region !== context.region;
  });
  if (absent.length > 0) throw new AwsFault('InvalidInstanceId', `Instances [[${absent.join(', ')}]] not in a valid state for account ${context.accountId}`);
  return { instanceIds, targets };
}

function readTargets(body: Body): CommandRow['targets'] {
  return (structures(body, 'Targets', 5) ?? []).map((item) => {
    const key = text(item, 'Key', { required: true, min: 1, max: 163 }) as string;
    const values = texts(item, 'Values', { max: 50 }) ?? [];
    if (key !== 'InstanceIds' && key !== 'tag-key' && !key.startsWith('tag:')) throw new AwsFault('ValidationException', `The pretend cloud knows no target key ${key}; use InstanceIds, tag:NAME or tag-key.`);
    return { Key: key, Values: values };
  });
}

function isTarget({ row }: Agent, target: { Key: string; Values: string[] }): boolean {
  if (target.Key === 'InstanceIds') return target.Values.includes(row.instanceId);
  if (target.Key === 'tag-key') return target.Values.some((name) => row.tags[name] !== undefined);
  const value = row.tags[target.Key.slice(4)];
  return value !== undefined && target.Values.includes(value);
}
