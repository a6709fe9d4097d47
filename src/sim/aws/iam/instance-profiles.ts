// Does: IAM instance profiles: make, show, list, give a role, take it away, delete.
// Gaps: tags on profiles after creation; EC2 sees a new profile at once (really after seconds).
// Source: IAM API Reference of these calls; LimitExceeded for a second role as quoted in public issue threads.
import type { World } from '../../cloud.ts';
import { AwsFault } from '../../wire/call.ts';
import type { QueryParams, QueryService, Xml } from '../../wire/call.ts';
import { randomKeyCharacters } from '../../wire/credentials.ts';
import { ec2Tables } from '../ec2/rows.ts';
import { checkName, checkPath, conflict, findRole, iamTime, paged, required, roleXml, tagsOf, tagsXml } from './parts.ts';
import { iamInstanceProfiles, iamRoles } from './rows.ts';
import type { InstanceProfileRow } from './rows.ts';

function findProfile(world: World, params: QueryParams): InstanceProfileRow {
  const name = required(params, 'InstanceProfileName');
  const profile = iamInstanceProfiles(world).get(name);
  if (!profile) throw new AwsFault('NoSuchEntity', `Instance Profile ${name} cannot be found.`, 404);
  return profile;
}

function profileXml(world: World, profile: InstanceProfileRow): Xml {
  const roles = profile.roles.map((name) => iamRoles(world).get(name)).filter((role) => role !== undefined);
  return {
    Path: profile.path,
    InstanceProfileName: profile.name,
    InstanceProfileId: profile.id,
    Arn: profile.arn,
    CreateDate: iamTime(profile.createdAt),
    Roles: { member: roles.map((role) => roleXml(role, false)) },
    Tags: Object.keys(profile.tags).length > 0 ? tagsXml(profile.tags) : undefined,
  };
}

export const instanceProfileOperations: QueryService['operations'] = {
  GetInstanceProfile(params, { cloud }): Xml {
    return { InstanceProfile: profileXml(cloud.world, findProfile(cloud.world, params)) };
  },

  ListInstanceProfiles(params, { cloud }): Xml {
    const prefix = typeof params['PathPrefix'] === 'string' ? params['PathPrefix'] : '/';
    const rows = iamInstanceProfiles(cloud.world).values().filter((profile) => profile.path.startsWith(prefix));
    const page = paged(rows, params, (profile) => profile.name);
    return { InstanceProfiles: { member: page.rows.map((profile) => profileXml(cloud.world, profile)) }, ...page.fields };
  },

  ListInstanceProfilesForRole(params, { cloud }): Xml {
    const role = findRole(cloud.world, params);
    const rows = iamInstanceProfiles(cloud.world).values().filter((profile) => profile.roles.includes(role.name));
    const page = paged(rows, params, (profile) => profile.name);
    return { InstanceProfiles: { member: page.rows.map((profile) => profileXml(cloud.world, profile)) }, ...page.fields };
  },

  CreateInstanceProfile(params, { cloud }): Xml {
    const { world, clock } = cloud;
    const name = checkName(required(params, 'InstanceProfileName'), 'instanceProfileName', 128);
    const path = checkPath(params);
    const table = iamInstanceProfiles(world);
    if (table.get(name)) throw new AwsFault('EntityAlreadyExists', `Instance Profile ${name} already exists.`, 409);
    const profile: InstanceProfileRow = {
      name,
      path,
      id: `AIPA${randomKeyCharacters(17)}`,
      arn: `arn:aws:iam::${world.accountId}:instance-profile${path}${name}`,
      createdAt: clock.now(),
      roles: [],
      tags: tagsOf(params),
    };
    table.put(name, profile);
    return { InstanceProfile: profileXml(world, profile) };
  },

  AddRoleToInstanceProfile(params, { cloud }): Xml {
    const profile = findProfile(cloud.world, params);
    const role = findRole(cloud.world, params);
    if (profile.roles.length > 0) throw new AwsFault('LimitExceeded', 'Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1', 409);
    profile.roles.push(role.name);
    iamInstanceProfiles(cloud.world).put(profile.name, profile);
    return {};
  },

  RemoveRoleFromInstanceProfile(params, { cloud }): Xml {
    const profile = findProfile(cloud.world, params);
    const role = required(params, 'RoleName');
    if (!profile.roles.includes(role)) throw new AwsFault('NoSuchEntity', `Role ${role} in Instance Profile ${profile.name} cannot be found.`, 404);
    profile.roles = profile.roles.filter((name) => name !== role);
    iamInstanceProfiles(cloud.world).put(profile.name, profile);
    return {};
  },

  DeleteInstanceProfile(params, { cloud }): Xml {
    const profile = findProfile(cloud.world, params);
    if (profile.roles.length > 0) throw conflict('Cannot delete entity, must remove roles from instance profile first.');
    const used = ec2Tables(cloud.world).instances.values().some((row) => row.profile?.arn === profile.arn && row.state !== 'terminated');
    if (used) throw conflict('Cannot delete entity, must remove references to this instance profile first.');
    iamInstanceProfiles(cloud.world).delete(profile.name);
    return {};
  },
};
