// Does: filters and pages, the same way for every Describe call: AND over filter names, OR over values, * and ? as wildcards.
// Source: EC2 User Guide "Filter your resources"; EC2 API Reference "Pagination".
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams } from '../../wire/call.ts';
import { objects, required, text, texts, whole } from './params.ts';

export type FilterFields<Row> = Record<string, (row: Row) => string | undefined | (string | undefined)[]>;

function pattern(value: string): RegExp {
  let source = '';
  for (let index = 0; index < value.length; index++) {
    let character = value[index] ?? '';
    if (character === '*') source += '[\\s\\S]*';
    else if (character === '?') source += '[\\s\\S]';
    else {
      if (character === '\\' && index + 1 < value.length) character = value[++index] ?? '';
      source += character.replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
    }
  }
  return new RegExp(`^${source}$`);
}

/** Rows that match every Filter of the request. `tagsOf` makes tag:<key>, tag-key and tag-value work. */
export function filterRows<Row>(rows: Row[], params: QueryParams, fields: FilterFields<Row>, tagsOf?: (row: Row) => Record<string, string>): Row[] {
  let left = rows;
  for (const filter of objects(params, 'Filter')) {
    const name = required(filter, 'Name');
    const values = texts(filter, 'Value').map(pattern);
    const field = fieldOf(name, fields, tagsOf);
    left = left.filter((row) => {
      const own = field(row);
      const candidates = Array.isArray(own) ? own : [own];
      return candidates.some((candidate) => candidate !== undefined && values.some((value) => value.test(candidate)));
    });
  }
  return left;
}

function fieldOf<Row>(name: string, fields: FilterFields<Row>, tagsOf?: (row: Row) => Record<string, string>): FilterFields<Row>[string] {
  if (Object.hasOwn(fields, name) && fields[name]) return fields[name];
  if (tagsOf) {
    if (name.startsWith('tag:')) return (row) => tagsOf(row)[name.slice(4)];
    if (name === 'tag-key') return (row) => Object.keys(tagsOf(row));
    if (name === 'tag-value') return (row) => Object.values(tagsOf(row));
  }
  throw new AwsFault('InvalidParameterValue', `The filter '${name}' is invalid`);
}

export interface Page<Row> {
  rows: Row[];
  nextToken?: string;
}

/** One page of rows, which must come in a fixed order. `keyOf` is unique and ascending in that order. */
export function page<Row>(rows: Row[], params: QueryParams, keyOf: (row: Row) => string, limits: { least: number; most: number }): Page<Row> {
  const size = whole(params, 'MaxResults');
  const token = text(params, 'NextToken');
  if (size !== undefined && size < limits.least) {
    throw new AwsFault('InvalidParameterValue', `Value ( ${size} ) for parameter maxResults is invalid. Expecting a value greater than or equal to ${limits.least}.`);
  }
  const sorted = [...rows].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const after = token === undefined ? undefined : decodeToken(token);
  const rest = after === undefined ? sorted : sorted.filter((row) => keyOf(row) > after);
  const most = Math.min(size ?? (token === undefined ? Number.POSITIVE_INFINITY : limits.most), size === undefined && token === undefined ? Number.POSITIVE_INFINITY : limits.most);
  const chosen = rest.slice(0, most);
  const last = chosen.at(-1);
  return { rows: chosen, nextToken: rest.length > chosen.length && last !== undefined ? encodeToken(keyOf(last)) : undefined };
}

const TOKEN_MARK = 'after:';

function encodeToken(key: string): string {
  return Buffer.from(TOKEN_MARK + key).toString('base64url');
}

function decodeToken(token: string): string {
  const plain = Buffer.from(token, 'base64url').toString('utf8');
  if (!plain.startsWith(TOKEN_MARK)) throw new AwsFault('InvalidParameterValue', 'Unable to parse pagination token');
  return plain.slice(TOKEN_MARK.length);
}
