// Does: IAM roles with attached and inline policies, instance profiles, and the one user.
// Gaps: customer managed policies, groups, access keys, policy simulation; writes are visible at once.
// By design: nothing is denied: policies are kept, not evaluated.
// Source: IAM API Reference, API version 2010-05-08; IAM User Guide "IAM identifiers" (ids, paths, names).
import type { Cloud, World } from '../../cloud.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams, QueryService, Xml } from '../../wire/call.ts';
import { callerCredential, randomKeyCharacters } from '../../wire/credentials.ts';
import { instanceProfileOperations } from './instance-profiles.ts';
import { checkName, checkPath, checkPolicy, conflict, findRole, iamTime, noSuch, paged, required, roleXml, tagsOf, tagsXml } from './parts.ts';
import { MANAGED_POLICIES } from './policies.ts';
import { iamInstanceProfiles, iamRoles } from './rows.ts';
import type { RoleRow } from './rows.ts';

const HOUR_S = 3600;
const SSM_PROFILE = 'runctl-ssm-profile';
const SSM_ROLE = 'runctl-ssm-role';
const SSM_POLICY = 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore';

function newRole(world: World, now: number, name: string, path: string, trust: string): RoleRow {
  return {
    name,
    path,
    id: `AROA${randomKeyCharacters(17)}`,
    arn: `arn:aws:iam::${world.accountId}:role${path}${name}`,
    createdAt: now,
    trust,
    maxSessionS: HOUR_S,
    attached: [],
    inline: {},
    tags: {},
  };
}

/** An instance profile that works with Systems Manager, as a first account set-up would make it. */
export function seedIam(cloud: Cloud): void {
  const { world, clock } = cloud;
  if (iamInstanceProfiles(world).get(SSM_PROFILE)) return;
  const trust = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }] });
  const role = newRole(world, clock.now(), SSM_ROLE, '/', trust);
  role.attached.push(SSM_POLICY);
  iamRoles(world).put(role.name, role);
  iamInstanceProfiles(world).put(SSM_PROFILE, {
    name: SSM_PROFILE,
    path: '/',
    id: `AIPA${randomKeyCharacters(17)}`,
    arn: `arn:aws:iam::${world.accountId}:instance-profile/${SSM_PROFILE}`,
    createdAt: clock.now(),
    roles: [role.name],
    tags: {},
  });
}

function policyArn(params: QueryParams): string {
  const arn = required(params, 'PolicyArn');
  if (!MANAGED_POLICIES.has(arn)) throw new AwsFault('NoSuchEntity', `Policy ${arn} does not exist or is not attachable.`, 404);
  return arn;
}

const roleOperations: QueryService['operations'] = {
  CreateRole(params, { cloud }): Xml {
    const name = checkName(required(params, 'RoleName'), 'roleName', 64);
    const trust = checkPolicy(required(params, 'AssumeRolePolicyDocument'));
    const roles = iamRoles(cloud.world);
    if (roles.get(name)) throw new AwsFault('EntityAlreadyExists', `Role with name ${name} already exists.`, 409);
    const role = newRole(cloud.world, cloud.clock.now(), name, checkPath(params), trust);
    if (typeof params['Description'] === 'string') role.description = params['Description'];
    if (typeof params['MaxSessionDuration'] === 'string') role.maxSessionS = Number(params['MaxSessionDuration']);
    role.tags = tagsOf(params);
    roles.put(name, role);
    return { Role: roleXml(role, true) };
  },

  GetRole(params, { cloud }): Xml {
    return { Role: roleXml(findRole(cloud.world, params), true) };
  },

  ListRoles(params, { cloud }): Xml {
    const prefix = typeof params['PathPrefix'] === 'string' ? params['PathPrefix'] : '/';
    const rows = iamRoles(cloud.world).values().filter((role) => role.path.startsWith(prefix));
    const page = paged(rows, params, (role) => role.name);
    return { Roles: { member: page.rows.map((role) => roleXml(role, false)) }, ...page.fields };
  },

  DeleteRole(params, { cloud }): Xml {
    const role = findRole(cloud.world, params);
    if (iamInstanceProfiles(cloud.world).values().some((profile) => profile.roles.includes(role.name))) {
      throw conflict('Cannot delete entity, must remove roles from instance profile first.');
    }
    if (role.attached.length > 0) throw conflict('Cannot delete entity, must detach all policies first.');
    if (Object.keys(role.inline).length > 0) throw conflict('Cannot delete entity, must delete policies first.');
    iamRoles(cloud.world).delete(role.name);
    return {};
  },

  AttachRolePolicy(params, { cloud }): Xml {
    const role = findRole(cloud.world, params);
    const arn = policyArn(params);
    if (!role.attached.includes(arn)) role.attached.push(arn);
    iamRoles(cloud.world).put(role.name, role);
    return {};
  },

  DetachRolePolicy(params, { cloud }): Xml {
    const role = findRole(cloud.world, params);
    const arn = required(params, 'PolicyArn');
    if (!role.attached.includes(arn)) throw new AwsFault('NoSuchEntity', `Policy ${arn} was not found.`, 404);
    role.attached = role.attached.filter((attached) => attached !== arn);
    iamRoles(cloud.world).put(role.name, role);
    return {};
  },

  ListAttachedRolePolicies(params, { cloud }): Xml {
    const page = paged(findRole(cloud.world, params).attached, params, (arn) => arn);
    return { AttachedPolicies: { member: page.rows.map((arn) => ({ PolicyName: arn.split('/').at(-1), PolicyArn: arn })) }, ...page.fields };
  },

  PutRolePolicy(params, { cloud }): Xml {
    const role = findRole(cloud.world, params);
    const name = checkName(required(params, 'PolicyName'), 'policyName', 128);
    role.inline[name] = checkPolicy(required(params, 'PolicyDocument'));
    iamRoles(cloud.world).put(role.name, role);
    return {};
  },

  GetRolePolicy(params, { cloud }): Xml {
    const role = findRole(cloud.world, params);
    const name = required(params, 'PolicyName');
    const document = Object.hasOwn(role.inline, name) ? role.inline[name] : undefined;
    if (document === undefined) throw noSuch('role policy', name);
    return { RoleName: role.name, PolicyName: name, PolicyDocument: encodeURIComponent(document) };
  },

  DeleteRolePolicy(params, { cloud }): Xml {
    const role = findRole(cloud.world, params);
    const name = required(params, 'PolicyName');
    if (!Object.hasOwn(role.inline, name)) throw noSuch('role policy', name);
    delete role.inline[name];
    iamRoles(cloud.world).put(role.name, role);
    return {};
  },

  ListRolePolicies(params, { cloud }): Xml {
    const page = paged(Object.keys(findRole(cloud.world, params).inline), params, (name) => name);
    return { PolicyNames: { member: page.rows }, ...page.fields };
  },

  ListRoleTags(params, { cloud }): Xml {
    return { Tags: tagsXml(findRole(cloud.world, params).tags), IsTruncated: false };
  },

  GetUser(params, { cloud }): Xml {
    const caller = callerCredential(cloud.world);
    const name = caller.principalArn.split('/').at(-1) ?? '';
    const asked = params['UserName'];
    if (typeof asked === 'string' && asked !== name) throw noSuch('user', asked);
    return { User: { Path: '/', UserName: name, UserId: caller.userId, Arn: caller.principalArn, CreateDate: iamTime(0) } };
  },
};

export const iam: QueryService = {
  protocol: 'query',
  name: 'iam',
  xmlns: 'https://iam.amazonaws.com/doc/2010-05-08/',
  operations: { ...roleOperations, ...instanceProfileOperations },
};
