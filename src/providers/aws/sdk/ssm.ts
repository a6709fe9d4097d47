// SSM, as far as runctl calls it. Loaded by import() from clients.ts.
import {
  CancelCommandCommand,
  DescribeInstanceInformationCommand,
  GetCommandInvocationCommand,
  GetParameterCommand,
  ListCommandsCommand,
  SendCommandCommand,
  SSMClient,
} from '@aws-sdk/client-ssm';

export { SSMClient as Client };

export const operations = {
  CancelCommand: CancelCommandCommand,
  DescribeInstanceInformation: DescribeInstanceInformationCommand,
  GetCommandInvocation: GetCommandInvocationCommand,
  GetParameter: GetParameterCommand,
  ListCommands: ListCommandsCommand,
  SendCommand: SendCommandCommand,
};
