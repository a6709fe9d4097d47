// Reads typed fields out of a request body, with the errors that the service's own front door gives for wrong types and ranges.
// Source: SSM API Reference (constraints); common error ValidationException, "N validation error detected: …".
import { AwsFault } from '../../wire/call.ts';

type Body = Record<string, unknown>;

export function constraint(value: unknown, field: string, what: string): AwsFault {
  const shown = Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
  return new AwsFault(
    'ValidationException',
    `1 validation error detected: Value ${value === undefined ? 'null' : `'${shown}'`} at '${field[0]?.toLowerCase()}${field.slice(1)}' failed to satisfy constraint: ${what}`,
  );
}

export function text(body: Body, field: string, rules: { required?: boolean; min?: number; max?: number; pattern?: RegExp } = {}): string | undefined {
  const value = body[field];
  if (value === undefined || value === null) {
    if (rules.required) throw constraint(undefined, field, 'Member must not be null');
    return undefined;
  }
  if (typeof value !== 'string') throw new AwsFault('SerializationException', `${field} must be a string`);
  if (rules.min !== undefined && value.length < rules.min) throw constraint(value, field, `Member must have length greater than or equal to ${rules.min}`);
  if (rules.max !== undefined && value.length > rules.max) throw constraint(value, field, `Member must have length less than or equal to ${rules.max}`);
  if (rules.pattern && !rules.pattern.test(value)) throw constraint(value, field, `Member must satisfy regular expression pattern: ${rules.pattern.source}`);
  return value;
}

export function whole(body: Body, field: string, min: number, max: number): number | undefined {
  const value = body[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value)) throw new AwsFault('SerializationException', `${field} must be an integer`);
  if (value < min) throw constraint(value, field, `Member must have value greater than or equal to ${min}`);
  if (value > max) throw constraint(value, field, `Member must have value less than or equal to ${max}`);
  return value;
}

export function flag(body: Body, field: string): boolean {
  const value = body[field];
  if (value === undefined || value === null) return false;
  if (typeof value !== 'boolean') throw new AwsFault('SerializationException', `${field} must be a boolean`);
  return value;
}

export function texts(body: Body, field: string, rules: { min?: number; max?: number } = {}): string[] | undefined {
  const value = body[field];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) throw new AwsFault('SerializationException', `${field} must be a list of strings`);
  if (rules.min !== undefined && value.length < rules.min) throw constraint(value, field, `Member must have length greater than or equal to ${rules.min}`);
  if (rules.max !== undefined && value.length > rules.max) throw constraint(value, field, `Member must have length less than or equal to ${rules.max}`);
  return value as string[];
}

export function structures(body: Body, field: string, max: number): Body[] | undefined {
  const value = body[field];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'object' || item === null)) throw new AwsFault('SerializationException', `${field} must be a list of structures`);
  if (value.length > max) throw constraint(`${value.length} items`, field, `Member must have length less than or equal to ${max}`);
  return value as Body[];
}

/** One page of a list; the token is the place in it, sealed so that an invented one is refused. */
export function page<Item>(items: Item[], body: Body, limits: { min: number; max: number; preset: number }): { items: Item[]; NextToken?: string } {
  const size = whole(body, 'MaxResults', limits.min, limits.max) ?? limits.preset;
  const token = text(body, 'NextToken');
  const from = token ? Number(/^page\.(\d{1,9})$/.exec(Buffer.from(token, 'base64url').toString('latin1'))?.[1] ?? Number.NaN) : 0;
  if (Number.isNaN(from)) throw new AwsFault('InvalidNextToken', 'The specified token is not valid.');
  const until = from + size;
  return { items: items.slice(from, until), ...(until < items.length ? { NextToken: Buffer.from(`page.${until}`).toString('base64url') } : {}) };
}
