// Does: Parameter Store: AWS's public parameters for images (read only) and one's own, with versions.
// Gaps: no encryption behind SecureString (stored as it is, given out only WithDecryption), no labels, policies, tiers' limits,
// no parameter history, no filters but Type. Source: SSM API Reference; SSM User Guide "Parameter Store public parameters".
import type { Table } from '../../cloud.ts';
import { IMAGES, publicParameter } from '../../data/images.ts';
import { AwsFault, type CallContext, type JsonService } from '../../wire/call.ts';
import { constraint, flag, page, text, texts } from './fields.ts';

export interface ParameterRow {
  name: string;
  region: string;
  type: 'String' | 'StringList' | 'SecureString';
  value: string;
  version: number;
  modifiedAt: number;
  dataType: string;
  description: string;
}

const TYPES = ['String', 'StringList', 'SecureString'];
const STANDARD_LIMIT_BYTES = 4_096;
const ADVANCED_LIMIT_BYTES = 8_192;

function table(context: CallContext): Table<ParameterRow> {
  return context.cloud.world.table<ParameterRow>('ssm.parameters');
}

/** `/name` and `name` are two names; an ARN or `name:version` means the name in it. */
function parse(given: string): { name: string; version?: string } {
  const plain = given.replace(/^arn:aws:ssm:[^:]*:\d*:parameter\/?/, (arn) => (arn.endsWith('/') && given.slice(arn.length).includes('/') ? '/' : ''));
  const [name = '', version] = plain.split(':');
  return { name, version };
}

function find(given: string, context: CallContext): ParameterRow | undefined {
  const { name, version } = parse(given);
  const own = table(context).get(`${context.region}/${name}`);
  const row = own ?? publicRow(name, context.region);
  return row && (version === undefined || version === String(row.version)) ? row : undefined;
}

function publicRow(name: string, region: string): ParameterRow | undefined {
  const value = publicParameter(name, region);
  const image = value === undefined ? undefined : IMAGES.find(({ parameters }) => parameters.includes(name));
  if (value === undefined || !image) return undefined;
  return { name, region, type: 'String', value, version: 1, modifiedAt: Date.parse(image.createdAt), dataType: 'aws:ec2:image', description: '' };
}

function render(row: ParameterRow, decrypt: boolean, context: CallContext): unknown {
  const owner = row.name.startsWith('/aws/') ? '' : context.accountId;
  const hidden = row.type === 'SecureString' && !decrypt;
  return {
    Name: row.name,
    Type: row.type,
    Value: hidden ? Buffer.from(`sealed:${row.name}:${row.version}`).toString('base64') : row.value,
    Version: row.version,
    LastModifiedDate: row.modifiedAt / 1000,
    ARN: `arn:aws:ssm:${row.region}:${owner}:parameter${row.name.startsWith('/') ? '' : '/'}${row.name}`,
    DataType: row.dataType,
  };
}

/** For `{{ssm:name}}` in a command: plain values only, as the service refuses SecureString there. */
export function resolveForCommand(name: string, context: CallContext): string | undefined {
  const row = find(name, context);
  return row && row.type !== 'SecureString' ? row.value : undefined;
}

export const parameterOperations: JsonService['operations'] = {
  GetParameter(body, context) {
    const name = text(body, 'Name', { required: true, min: 1, max: 2048 }) as string;
    const decrypt = flag(body, 'WithDecryption');
    const row = find(name, context);
    if (!row && find(parse(name).name, context)) throw new AwsFault('ParameterVersionNotFound', `Systems Manager could not find version ${parse(name).version} of ${parse(name).name}.`);
    if (!row) throw new AwsFault('ParameterNotFound', '');
    return { Parameter: render(row, decrypt, context) };
  },

  GetParameters(body, context) {
    const names = texts(body, 'Names', { min: 1, max: 10 });
    if (!names) throw constraint(undefined, 'Names', 'Member must not be null');
    const decrypt = flag(body, 'WithDecryption');
    const found = [...new Set(names)].map((name) => ({ name, row: find(name, context) }));
    return {
      Parameters: found.flatMap(({ row }) => (row ? [render(row, decrypt, context)] : [])),
      InvalidParameters: found.filter(({ row }) => !row).map(({ name }) => name),
    };
  },

  GetParametersByPath(body, context) {
    const path = text(body, 'Path', { required: true, min: 1, max: 2048 }) as string;
    if (!path.startsWith('/')) throw new AwsFault('ValidationException', `The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "/": ${path}`);
    const prefix = path.endsWith('/') ? path : `${path}/`;
    const recursive = flag(body, 'Recursive');
    const rows = [
      ...table(context).values().filter(({ region }) => region === context.region),
      ...IMAGES.flatMap(({ parameters }) => parameters.flatMap((name) => publicRow(name, context.region) ?? [])),
    ].filter(({ name }) => name.startsWith(prefix) && (recursive || !name.slice(prefix.length).includes('/')));
    rows.sort((a, b) => (a.name < b.name ? -1 : 1));
    const { items, ...rest } = page(rows, body, { min: 1, max: 10, preset: 10 });
    return { Parameters: items.map((row) => render(row, flag(body, 'WithDecryption'), context)), ...rest };
  },

  PutParameter(body, context) {
    const name = text(body, 'Name', { required: true, min: 1, max: 2048 }) as string;
    const value = text(body, 'Value', { required: true }) as string;
    const type = text(body, 'Type');
    if (/^\/?(aws|ssm)/i.test(name)) throw new AwsFault('ValidationException', 'Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive).');
    if (!/^[\w.\-/]+$/.test(name)) throw new AwsFault('ValidationException', 'Parameter name: can only contain letters, numbers, and the symbols . - _ and / for paths.');
    if (type !== undefined && !TYPES.includes(type)) throw constraint(type, 'Type', `Member must satisfy enum value set: [${TYPES.join(', ')}]`);
    const limit = text(body, 'Tier') === 'Advanced' ? ADVANCED_LIMIT_BYTES : STANDARD_LIMIT_BYTES;
    if (Buffer.byteLength(value) > limit) throw new AwsFault('ValidationException', `Standard tier parameters support a maximum parameter value of ${STANDARD_LIMIT_BYTES} characters.`);
    const key = `${context.region}/${name}`;
    const known = table(context).get(key);
    if (known && !flag(body, 'Overwrite')) throw new AwsFault('ParameterAlreadyExists', 'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.');
    if (!known && type === undefined) throw new AwsFault('ValidationException', 'A parameter type is required when you create a parameter.');
    const row: ParameterRow = {
      name,
      region: context.region,
      type: (type ?? known?.type) as ParameterRow['type'],
      value,
      version: (known?.version ?? 0) + 1,
      modifiedAt: context.cloud.clock.now(),
      dataType: text(body, 'DataType') ?? 'text',
      description: text(body, 'Description', { max: 1024 }) ?? '',
    };
    table(context).put(key, row);
    return { Version: row.version, Tier: 'Standard' };
  },

  DeleteParameter(body, context) {
    const name = text(body, 'Name', { required: true, min: 1, max: 2048 }) as string;
    if (!table(context).delete(`${context.region}/${name}`)) throw new AwsFault('ParameterNotFound', '');
    return {};
  },
};
