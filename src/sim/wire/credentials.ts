// Does: the access keys that the world knows: one long-lived pair for the caller, and those that services hand out.
// Gaps: no IAM users beyond the first; no permissions are checked: every known key may do everything.
// By design: keys of the world start with AKIASIM/ASIASIM so that nobody takes them for real ones.
import { randomBytes } from 'node:crypto';
import type { Table, World } from '../cloud.ts';

export interface CredentialRow {
  accessKeyId: string;
  secretAccessKey: string;
  /** Present on temporary credentials: every request must carry it. */
  sessionToken?: string;
  /** Epoch ms, judged by real time. Counted from world time, which is never behind, so that it is good for processes of machines too. */
  expiresAt?: number;
  principalArn: string;
  /** UserId as GetCallerIdentity gives it. */
  userId: string;
}

const KEY_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const ROOT_USER_KEY = 'caller';

export function credentialTable(world: World): Table<CredentialRow> {
  return world.table<CredentialRow>('sts.credentials');
}

/** `length` random characters of the alphabet that AWS ids use. */
export function randomKeyCharacters(length: number): string {
  return Array.from(randomBytes(length), (byte) => KEY_ALPHABET[byte % 32]).join('');
}

function newSecret(): string {
  return randomBytes(30).toString('base64');
}

/** The world's own long-lived key; made on first use. */
export function callerCredential(world: World): CredentialRow {
  const table = credentialTable(world);
  const pointers = world.table<{ accessKeyId: string }>('sts.caller');
  const known = pointers.get(ROOT_USER_KEY);
  const row = known && table.get(known.accessKeyId);
  if (row) return row;
  const made: CredentialRow = {
    accessKeyId: `AKIASIM${randomKeyCharacters(13)}`,
    secretAccessKey: newSecret(),
    principalArn: `arn:aws:iam::${world.accountId}:user/runctl-sim`,
    userId: `AIDASIM${randomKeyCharacters(14)}`,
  };
  table.put(made.accessKeyId, made);
  pointers.put(ROOT_USER_KEY, { accessKeyId: made.accessKeyId });
  return made;
}

/** Temporary credentials of a role session, e.g. for an instance through its metadata service. */
export function issueRoleCredential(world: World, role: { id: string; name: string }, session: string, expiresAt: number): CredentialRow {
  const row: CredentialRow = {
    accessKeyId: `ASIASIM${randomKeyCharacters(13)}`,
    secretAccessKey: newSecret(),
    sessionToken: randomBytes(120).toString('base64'),
    expiresAt,
    principalArn: `arn:aws:sts::${world.accountId}:assumed-role/${role.name}/${session}`,
    userId: `${role.id}:${session}`,
  };
  credentialTable(world).put(row.accessKeyId, row);
  return row;
}
