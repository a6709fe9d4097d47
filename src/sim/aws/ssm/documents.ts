// Does: the one document, AWS-RunShellScript: DescribeDocument, GetDocument, and its parameters' rules for SendCommand.
// Gaps: no other document, no document of one's own. Source: SSM API Reference; the public text of AWS-RunShellScript (schema 1.2).
import { createHash } from 'node:crypto';
import { AwsFault, type JsonService } from '../../wire/call.ts';
import { text } from './fields.ts';

export const SHELL_DOCUMENT = 'AWS-RunShellScript';
const CREATED_AT_S = Date.UTC(2017, 1, 23) / 1000;

const CONTENT = JSON.stringify(
  {
    schemaVersion: '1.2',
    description: 'Run a shell script or specify the commands to run.',
    parameters: {
      commands: { type: 'StringList', description: '(Required) Specify a shell script or a command to run.', minItems: 1, displayType: 'textarea' },
      workingDirectory: { type: 'String', default: '', description: '(Optional) The path to the working directory on your instance.', maxChars: 4096 },
      executionTimeout: {
        type: 'String',
        default: '3600',
        description: '(Optional) The time in seconds for a command to complete before it is considered to have failed. Default is 3600 (1 hour). Maximum is 172800 (48 hours).',
        allowedPattern: '([1-9][0-9]{0,4})|(1[0-6][0-9]{4})|(17[0-1][0-9]{3})|(172[0-7][0-9]{2})|(172800)',
      },
    },
    runtimeConfig: {
      'aws:runShellScript': {
        properties: [{ id: '0.aws:runShellScript', runCommand: '{{ commands }}', workingDirectory: '{{ workingDirectory }}', timeoutSeconds: '{{ executionTimeout }}' }],
      },
    },
  },
  null,
  2,
);

/** The plain name behind a name or an ARN of the one document there is; throws for any other. */
export function documentName(given: string): string {
  const name = given.replace(/^arn:aws:ssm:[^:]*:[^:]*:document\//, '');
  if (name !== SHELL_DOCUMENT) throw new AwsFault('InvalidDocument', `Document with name ${given} does not exist.`);
  return name;
}

function checkVersion(body: Record<string, unknown>): void {
  const version = text(body, 'DocumentVersion');
  if (version !== undefined && !['1', '$DEFAULT', '$LATEST'].includes(version)) throw new AwsFault('InvalidDocumentVersion', `The document version is not valid or does not exist: ${version}`);
}

export const documentOperations: JsonService['operations'] = {
  DescribeDocument(body) {
    const name = documentName(text(body, 'Name', { required: true }) as string);
    checkVersion(body);
    const parameters = (JSON.parse(CONTENT) as { parameters: Record<string, { type: string; description: string; default?: string }> }).parameters;
    return {
      Document: {
        Hash: createHash('sha256').update(CONTENT).digest('hex'),
        HashType: 'Sha256',
        Name: name,
        Owner: 'Amazon',
        CreatedDate: CREATED_AT_S,
        Status: 'Active',
        DocumentVersion: '1',
        Description: 'Run a shell script or specify the commands to run.',
        Parameters: Object.entries(parameters).map(([Name, { type, description, default: preset }]) => ({ Name, Type: type, Description: description, DefaultValue: preset })),
        PlatformTypes: ['Linux', 'MacOS'],
        DocumentType: 'Command',
        SchemaVersion: '1.2',
        LatestVersion: '1',
        DefaultVersion: '1',
        DocumentFormat: 'JSON',
        Tags: [],
      },
    };
  },

  GetDocument(body) {
    const name = documentName(text(body, 'Name', { required: true }) as string);
    checkVersion(body);
    const format = text(body, 'DocumentFormat') ?? 'JSON';
    if (format !== 'JSON') throw new AwsFault('ValidationException', `The pretend cloud gives documents as JSON only, not ${format}.`);
    return { Name: name, CreatedDate: CREATED_AT_S, DocumentVersion: '1', Status: 'Active', Content: CONTENT, DocumentType: 'Command', DocumentFormat: 'JSON' };
  },
};
