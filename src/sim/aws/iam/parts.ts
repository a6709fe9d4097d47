// Does: what IAM's operations share: reading and checking parameters, paging by Marker, showing a role.
// Source: IAM API Reference "Common Errors", list operations (IsTruncated, Marker, MaxItems 1-1000, default 100), data type Role.
import type { World } from '../../cloud.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams, Xml } from '../../wire/call.ts';
import { iamRoles } from './rows.ts';
import type { RoleRow } from './rows.ts';

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 1000;

export function required(params: QueryParams, name: string): string {
  const value = params[name];
  if (typeof value === 'string' && value !== '') return value;
  const member = name.slice(0, 1).toLowerCase() + name.slice(1);
  throw new AwsFault('ValidationError', `1 validation error detected: Value null at '${member}' failed to satisfy constraint: Member must not be null`);
}

export function checkName(value: string, member: string, longest: number): string {
  if (value.length <= longest && /^[\w+=,.@-]+$/.test(value)) return value;
  throw new AwsFault('ValidationError', `The specified value for ${member} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_- and be at most ${longest} long`);
}

export function checkPath(params: QueryParams): string {
  const path = params['Path'];
  if (path === undefined || path === '') return '/';
  if (typeof path === 'string' && /^\/(?:[\u0021-\u007e]+\/)?$/.test(path)) return path;
  throw new AwsFault('ValidationError', 'The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.');
}

export function checkPolicy(text: string): string {
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document === 'object' && document !== null && 'Statement' in document) return text;
  } catch {
    // Said below, with the same words for every kind of bad document.
  }
  throw new AwsFault('MalformedPolicyDocument', 'This policy contains invalid Json');
}

export function noSuch(noun: string, name: string): AwsFault {
  const capital = noun.slice(0, 1).toUpperCase() + noun.slice(1);
  return new AwsFault('NoSuchEntity', noun === 'role' ? `The role with name ${name} cannot be found.` : `${capital} ${name} cannot be found.`, 404);
}

export function conflict(message: string): AwsFault {
  return new AwsFault('DeleteConflict', message, 409);
}

export function findRole(world: World, params: QueryParams): RoleRow {
  const name = required(params, 'RoleName');
  const role = iamRoles(world).get(name);
  if (!role) throw noSuch('role', name);
  return role;
}

export function iamTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\.\d{3}/, '');
}

export function tagsOf(params: QueryParams): Record<string, string> {
  const list = Array.isArray(params['Tags']) ? params['Tags'] : [];
  return Object.fromEntries(
    list.map((tag) => {
      if (typeof tag === 'string' || Array.isArray(tag)) throw new AwsFault('ValidationError', 'A tag needs a Key and a Value.');
      return [required(tag, 'Key'), typeof tag['Value'] === 'string' ? tag['Value'] : ''];
    }),
  );
}

export function tagsXml(tags: Record<string, string>): Xml {
  return { member: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) };
}

export function roleXml(role: RoleRow, whole: boolean): Xml {
  return {
    Path: role.path,
    RoleName: role.name,
    RoleId: role.id,
    Arn: role.arn,
    CreateDate: iamTime(role.createdAt),
    AssumeRolePolicyDocument: encodeURIComponent(role.trust),
    Description: role.description,
    MaxSessionDuration: role.maxSessionS,
    Tags: whole && Object.keys(role.tags).length > 0 ? tagsXml(role.tags) : undefined,
    RoleLastUsed: whole ? {} : undefined,
  };
}

export function paged<Row>(rows: Row[], params: QueryParams, keyOf: (row: Row) => string): { rows: Row[]; fields: { IsTruncated: boolean; Marker?: string } } {
  const given = params['MaxItems'];
  const most = given === undefined ? DEFAULT_PAGE : Number(given);
  if (!Number.isInteger(most) || most < 1 || most > LARGEST_PAGE) {
    throw new AwsFault('ValidationError', `1 validation error detected: Value '${String(given)}' at 'maxItems' failed to satisfy constraint: Member must be between 1 and ${LARGEST_PAGE}`);
  }
  const marker = typeof params['Marker'] === 'string' ? Buffer.from(params['Marker'], 'base64url').toString('utf8') : undefined;
  const sorted = [...rows].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)).filter((row) => marker === undefined || keyOf(row) > marker);
  const shown = sorted.slice(0, most);
  const last = shown.at(-1);
  if (sorted.length <= shown.length || last === undefined) return { rows: shown, fields: { IsTruncated: false } };
  return { rows: shown, fields: { IsTruncated: true, Marker: Buffer.from(keyOf(last)).toString('base64url') } };
}
