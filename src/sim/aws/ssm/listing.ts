// Does: what SSM tells of commands: GetCommandInvocation, ListCommandInvocations, ListCommands, and the Command of SendCommand.
// Gaps: filters by ExecutionStage; output URLs stay empty, as nothing is uploaded. Which Status goes with NoInstancesInTag is
// not documented; Success is what is shown here. Source: SSM API Reference; SSM User Guide "Understanding command statuses".
import { AwsFault, type CallContext } from '../../wire/call.ts';
import type { CommandStore } from './command-store.ts';
import { share } from './delivery.ts';
import { page, structures, text } from './fields.ts';
import { mergeOutput } from './output.ts';
import { type CommandRow, type InvocationRow, isTerminal } from './rows.ts';

type Body = Record<string, unknown>;

const PLUGIN = 'aws:runShellScript';
const NO_NOTIFICATION = { NotificationArn: '', NotificationEvents: [], NotificationType: '' };
const NO_CLOUDWATCH = { CloudWatchLogGroupName: '', CloudWatchOutputEnabled: false };
const COMMAND_ID = { min: 36, max: 36 };

/** Commands that the caller can see by now: this region's, and not in the moment after SendCommand. */
function visible(store: CommandStore, context: CallContext): CommandRow[] {
  const { clock, dial } = context.cloud;
  return store.values().filter(({ region, requestedAt }) => region === context.region && clock.now() - requestedAt >= dial.invocationVisibleMs).reverse();
}

export function getCommandInvocation(store: CommandStore, body: Body, context: CallContext): unknown {
  const commandId = text(body, 'CommandId', { required: true, ...COMMAND_ID });
  const instanceId = text(body, 'InstanceId', { required: true }) as string;
  const plugin = text(body, 'PluginName');
  const { clock, dial } = context.cloud;
  const command = store.get(commandId as string);
  const invocation = command?.region === context.region && clock.now() - command.requestedAt >= dial.invocationVisibleMs ? command.invocations[instanceId] : undefined;
  if (!command || !invocation) throw new AwsFault('InvocationDoesNotExist', '');
  if (plugin !== undefined && plugin !== PLUGIN) throw new AwsFault('InvalidPluginName', '');
  const done = isTerminal(invocation.status);
  const started = done ? invocation.startedAt : undefined;
  const ended = started === undefined ? undefined : invocation.endedAt;
  return {
    CommandId: command.commandId,
    InstanceId: instanceId,
    Comment: command.comment,
    DocumentName: command.documentName,
    DocumentVersion: '$DEFAULT',
    PluginName: PLUGIN,
    ResponseCode: invocation.responseCode,
    ExecutionStartDateTime: started === undefined ? '' : new Date(started).toISOString(),
    ExecutionElapsedTime: started === undefined || ended === undefined ? '' : isoDuration(ended - started),
    ExecutionEndDateTime: ended === undefined ? '' : new Date(ended).toISOString(),
    Status: invocation.status,
    StatusDetails: invocation.statusDetails,
    StandardOutputContent: done ? invocation.stdout : '',
    StandardOutputUrl: '',
    StandardErrorContent: done ? invocation.stderr : '',
    StandardErrorUrl: '',
    CloudWatchOutputConfig: NO_CLOUDWATCH,
  };
}

/** PT1H2M3.5S, without the parts that are zero. */
export function isoDuration(ms: number): string {
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = (ms % 60_000) / 1000;
  return `PT${hours ? `${hours}H` : ''}${minutes ? `${minutes}M` : ''}${seconds || (!hours && !minutes) ? `${seconds}S` : ''}`;
}

export function listCommandInvocations(store: CommandStore, body: Body, context: CallContext): unknown {
  const chosen = select(store, body, context);
  const details = body['Details'] === true;
  const status = filterOf(body, 'Status');
  const rows = chosen.commands.flatMap((command) =>
    Object.entries(command.invocations)
      .filter(([instanceId, invocation]) => (chosen.instanceId ?? instanceId) === instanceId && (status === undefined || status === invocation.status))
      .map(([instanceId, invocation]) => ({ command, instanceId, invocation })),
  );
  const { items, ...rest } = page(rows, body, { min: 1, max: 50, preset: 50 });
  return {
    CommandInvocations: items.map(({ command, instanceId, invocation }) => ({
      CommandId: command.commandId,
      InstanceId: instanceId,
      InstanceName: '',
      Comment: command.comment,
      DocumentName: command.documentName,
      DocumentVersion: '$DEFAULT',
      RequestedDateTime: command.requestedAt / 1000,
      Status: invocation.status,
      StatusDetails: invocation.statusDetails,
      StandardOutputUrl: '',
      StandardErrorUrl: '',
      CommandPlugins: details ? [plugin(command, invocation)] : [],
      ServiceRole: command.serviceRole,
      NotificationConfig: NO_NOTIFICATION,
      CloudWatchOutputConfig: NO_CLOUDWATCH,
    })),
    ...rest,
  };
}

function plugin(command: CommandRow, invocation: InvocationRow): unknown {
  const done = isTerminal(invocation.status);
  return {
    Name: PLUGIN,
    Status: invocation.status === 'Cancelling' ? 'InProgress' : invocation.status,
    StatusDetails: invocation.statusDetails,
    ResponseCode: invocation.responseCode,
    ResponseStartDateTime: invocation.startedAt === undefined ? undefined : invocation.startedAt / 1000,
    ResponseFinishDateTime: invocation.endedAt === undefined ? undefined : invocation.endedAt / 1000,
    Output: done ? mergeOutput(invocation.stdout, invocation.stderr) : '',
    StandardOutputUrl: '',
    StandardErrorUrl: '',
    OutputS3Region: command.region,
    OutputS3BucketName: command.outputBucket,
    OutputS3KeyPrefix: command.outputPrefix,
  };
}

export function listCommands(store: CommandStore, body: Body, context: CallContext): unknown {
  const chosen = select(store, body, context);
  const status = filterOf(body, 'Status');
  const rows = chosen.commands.filter((command) => status === undefined || commandStatus(command).status === status);
  const { items, ...rest } = page(rows, body, { min: 1, max: 50, preset: 50 });
  return { Commands: items.map((command) => renderCommand(command)), ...rest };
}

function select(store: CommandStore, body: Body, context: CallContext): { commands: CommandRow[]; instanceId?: string } {
  const commandId = text(body, 'CommandId', COMMAND_ID);
  const instanceId = text(body, 'InstanceId');
  const [after, before, document] = ['InvokedAfter', 'InvokedBefore', 'DocumentName'].map((key) => filterOf(body, key));
  const commands = visible(store, context).filter(
    (command) =>
      (commandId === undefined || command.commandId === commandId) &&
      (instanceId === undefined || command.invocations[instanceId] !== undefined) &&
      (after === undefined || command.requestedAt > Date.parse(after)) &&
      (before === undefined || command.requestedAt < Date.parse(before)) &&
      (document === undefined || command.documentName === document),
  );
  return { commands, instanceId };
}

function filterOf(body: Body, key: string): string | undefined {
  for (const filter of structures(body, 'Filters', 5) ?? []) {
    const name = text(filter, 'key', { required: true }) as string;
    if (!['InvokedAfter', 'InvokedBefore', 'Status', 'DocumentName'].includes(name)) throw new AwsFault('InvalidFilterKey', `The specified filter key is not valid: ${name}`);
    if (name === key) return text(filter, 'value', { required: true });
  }
  return undefined;
}

export function commandStatus(command: CommandRow): { status: string; details: string } {
  const all = Object.values(command.invocations);
  const having = (...wanted: string[]): number => all.filter(({ status }) => wanted.includes(status)).length;
  if (all.length === 0) return { status: 'Success', details: 'NoInstancesInTag' };
  if (having('Pending') === all.length) return { status: 'Pending', details: 'Pending' };
  if (having('Cancelling') > 0) return { status: 'Cancelling', details: 'Cancelling' };
  if (having('Success', 'Failed', 'TimedOut', 'Cancelled') < all.length) return { status: 'InProgress', details: 'InProgress' };
  const errors = having('Failed', 'TimedOut');
  if (errors === 0) return having('Cancelled') > 0 ? { status: 'Cancelled', details: 'Cancelled' } : { status: 'Success', details: 'Success' };
  if (having('TimedOut') === all.length) return { status: 'TimedOut', details: all[0]?.statusDetails ?? 'DeliveryTimedOut' };
  return { status: 'Failed', details: errors > share(command.maxErrors, all.length) ? 'Failed' : 'Incomplete' };
}

export function renderCommand(command: CommandRow): unknown {
  const all = Object.values(command.invocations);
  const { status, details } = commandStatus(command);
  return {
    CommandId: command.commandId,
    DocumentName: command.documentName,
    DocumentVersion: '$DEFAULT',
    Comment: command.comment,
    ExpiresAfter: command.requestedAt / 1000 + command.timeoutS + command.executionTimeoutS,
    Parameters: command.parameters,
    InstanceIds: command.targets.length > 0 ? [] : command.instanceIds,
    Targets: command.targets,
    RequestedDateTime: command.requestedAt / 1000,
    Status: status,
    StatusDetails: details,
    OutputS3Region: command.region,
    OutputS3BucketName: command.outputBucket,
    OutputS3KeyPrefix: command.outputPrefix,
    MaxConcurrency: command.maxConcurrency,
    MaxErrors: command.maxErrors,
    TargetCount: all.length,
    CompletedCount: all.filter((invocation) => isTerminal(invocation.status)).length,
    ErrorCount: all.filter((invocation) => invocation.status === 'Failed' || invocation.statusDetails === 'ExecutionTimedOut').length,
    DeliveryTimedOutCount: all.filter((invocation) => invocation.statusDetails === 'DeliveryTimedOut').length,
    ServiceRole: command.serviceRole,
    NotificationConfig: NO_NOTIFICATION,
    CloudWatchOutputConfig: NO_CLOUDWATCH,
    TimeoutSeconds: command.timeoutS,
  };
}
