// Does: reads typed values from EC2's unflattened parameters, with EC2's own words when they are wrong.
// Source: EC2 API Reference, "Error codes" (MissingParameter, InvalidParameterValue, *.Malformed).
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams, QueryValue } from '../../wire/call.ts';

function wrongType(name: string): AwsFault {
  return new AwsFault('InvalidParameterValue', `The value of parameter ${name} has the wrong type.`);
}

export function text(params: QueryParams, name: string): string | undefined {
  const value = params[name];
  if (value === undefined || value === '') return undefined;
  if (typeof value !== 'string') throw wrongType(name);
  return value;
}

export function required(params: QueryParams, name: string): string {
  const value = text(params, name);
  if (value === undefined) throw missing(name);
  return value;
}

export function missing(name: string): AwsFault {
  return new AwsFault('MissingParameter', `The request must contain the parameter ${name}`);
}

export function flag(params: QueryParams, name: string): boolean | undefined {
  const value = text(params, name)?.toLowerCase();
  if (value === undefined) return undefined;
  if (value !== 'true' && value !== 'false') throw new AwsFault('InvalidParameterValue', `Invalid value '${value}' for boolean parameter ${name}`);
  return value === 'true';
}

export function whole(params: QueryParams, name: string): number | undefined {
  const value = text(params, name);
  if (value === undefined) return undefined;
  if (!/^-?\d{1,15}$/.test(value)) throw new AwsFault('InvalidParameterValue', `Value (${value}) for parameter ${name} is invalid. Expected an integer.`);
  return Number(value);
}

function many(params: QueryParams, name: string): QueryValue[] {
  const value = params[name];
  if (value === undefined || value === '') return [];
  return Array.isArray(value) ? value : [value];
}

export function texts(params: QueryParams, name: string): string[] {
  return many(params, name).map((value) => {
    if (typeof value !== 'string') throw wrongType(name);
    return value;
  });
}

export function objects(params: QueryParams, name: string): QueryParams[] {
  return many(params, name).map((value) => {
    if (typeof value === 'string' || Array.isArray(value)) throw wrongType(name);
    return value;
  });
}

export function object(params: QueryParams, name: string): QueryParams | undefined {
  return objects(params, name)[0];
}

const ID_FAULTS: Record<string, string> = {
  i: 'InvalidInstanceID.Malformed',
  ami: 'InvalidAMIID.Malformed',
  vol: 'InvalidVolumeID.Malformed',
  snap: 'InvalidSnapshotID.Malformed',
  sg: 'InvalidGroupId.Malformed',
  subnet: 'InvalidSubnetID.Malformed',
  vpc: 'InvalidVpcID.Malformed',
};

/** Ids are the prefix and 8 or 17 hexadecimal digits. */
export function checkIds(ids: string[], prefix: string): void {
  const pattern = new RegExp(`^${prefix}-(?:[0-9a-f]{8}|[0-9a-f]{17})$`);
  const bad = ids.find((id) => !pattern.test(id));
  if (bad !== undefined) throw new AwsFault(ID_FAULTS[prefix] ?? 'InvalidParameterValue', `Invalid id: "${bad}" (expecting "${prefix}-...")`);
}

export function dryRun(params: QueryParams): void {
  if (flag(params, 'DryRun')) throw new AwsFault('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412);
}

/** Ids in a not-found message: one plain, several with commas. */
export function notFound(code: string, noun: string, ids: string[]): AwsFault {
  const one = ids.length === 1;
  return new AwsFault(code, `The ${noun} ID${one ? '' : 's'} '${ids.join(', ')}' ${one ? 'does' : 'do'} not exist`);
}

export function isoTime(epochMs: number): string {
  // EC2 gives whole seconds as .000Z.
  return new Date(Math.floor(epochMs / 1000) * 1000).toISOString();
}
