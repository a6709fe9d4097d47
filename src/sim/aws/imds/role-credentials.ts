// The keys that an instance gets through its profile's role. They are real keys of the pretend cloud: requests signed with them pass.
import type { Cloud, World } from '../../cloud.ts';
import { credentialTable, issueRoleCredential } from '../../wire/credentials.ts';
import type { InstanceRow } from '../ec2/rows.ts';
import { iamInstanceProfiles, iamRoles, type RoleRow } from '../iam/rows.ts';

export type MetadataWorld = Pick<Cloud, 'world' | 'clock'>;

/** Six hours, renewed well before the SDKs' own margin of five minutes before the end. */
const LIFETIME_MS = 6 * 3_600_000;
const RENEW_BEFORE_MS = 20 * 60_000;

interface SessionRow {
  accessKeyId: string;
  role: string;
  issuedAt: number;
}

/** The role behind an instance's profile, as it is now; undefined for no profile, a deleted one, or one without a role. */
export function roleOf(world: World, row: Pick<InstanceRow, 'profile'>): RoleRow | undefined {
  if (!row.profile) return undefined;
  const { arn } = row.profile;
  const profile = iamInstanceProfiles(world).values().find((candidate) => candidate.arn === arn);
  const name = profile?.roles[0];
  return name === undefined ? undefined : iamRoles(world).values().find((role) => role.name === name);
}

export function roleDocument(cloud: MetadataWorld, row: InstanceRow, role: RoleRow): string {
  const { world } = cloud;
  const sessions = world.table<SessionRow>('imds.sessions');
  const known = sessions.get(row.instanceId);
  let credential = known?.role === role.name ? credentialTable(world).get(known.accessKeyId) : undefined;
  // SDKs compare the expiry with their own clock, which in a machine is the world's and elsewhere real.
  const now = Math.max(Date.now(), cloud.clock.now());
  if (!known || !credential || (credential.expiresAt ?? 0) - now < RENEW_BEFORE_MS) {
    credential = issueRoleCredential(world, role, row.instanceId, now + LIFETIME_MS);
    sessions.put(row.instanceId, { accessKeyId: credential.accessKeyId, role: role.name, issuedAt: now });
  }
  const document = {
    Code: 'Success',
    LastUpdated: isoSeconds((credential.expiresAt ?? now) - LIFETIME_MS),
    Type: 'AWS-HMAC',
    AccessKeyId: credential.accessKeyId,
    SecretAccessKey: credential.secretAccessKey,
    Token: credential.sessionToken,
    Expiration: isoSeconds(credential.expiresAt ?? now),
  };
  return JSON.stringify(document, null, 2);
}

/** Times in metadata documents: whole seconds, UTC. */
export function isoSeconds(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}
