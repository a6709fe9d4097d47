// Does: the rows that IAM keeps, and the tables they are in; EC2 and SSM read them too.
// Gaps: users other than the one caller, groups, policy documents of managed policies.
// Source: IAM API Reference, data types Role and InstanceProfile.
import type { Table, World } from '../../cloud.ts';

export interface RoleRow {
  name: string;
  path: string;
  /** AROA… */
  id: string;
  arn: string;
  createdAt: number;
  description?: string;
  /** Trust policy, JSON text as given. */
  trust: string;
  maxSessionS: number;
  /** ARNs of attached managed policies. */
  attached: string[];
  /** Inline policies: name to JSON text. */
  inline: Record<string, string>;
  tags: Record<string, string>;
}

export interface InstanceProfileRow {
  name: string;
  path: string;
  /** AIPA… */
  id: string;
  arn: string;
  createdAt: number;
  /** At most one role name. */
  roles: string[];
  tags: Record<string, string>;
}

export function iamRoles(world: World): Table<RoleRow> {
  return world.table<RoleRow>('iam.roles');
}

export function iamInstanceProfiles(world: World): Table<InstanceProfileRow> {
  return world.table<InstanceProfileRow>('iam.profiles');
}
