// Session tokens of the metadata service: they carry their own expiry and are signed with a key of the world,
// so that a token that a job holds stays good when the server restarts.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { World } from '../../cloud.ts';

function key(world: World): Buffer {
  const table = world.table<{ key: string }>('imds.keys');
  let row = table.get('token');
  if (!row) {
    row = { key: randomBytes(32).toString('base64') };
    table.put('token', row);
  }
  return Buffer.from(row.key, 'base64');
}

function seal(world: World, instanceId: string, expiry: Buffer): Buffer {
  return createHmac('sha256', key(world)).update(instanceId).update(expiry).digest();
}

export function makeToken(world: World, instanceId: string, expiresAt: number): string {
  const expiry = Buffer.alloc(8);
  expiry.writeBigUInt64BE(BigInt(Math.round(expiresAt)));
  return Buffer.concat([expiry, seal(world, instanceId, expiry)]).toString('base64url') + '==';
}

/** World time at which it ends, or undefined when it is not this instance's token or has ended. */
export function tokenExpiry(world: World, instanceId: string, token: string, now: number): number | undefined {
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.length !== 40) return undefined;
  const expiry = bytes.subarray(0, 8);
  if (!timingSafeEqual(bytes.subarray(8), seal(world, instanceId, expiry))) return undefined;
  const expiresAt = Number(expiry.readBigUInt64BE());
  return expiresAt > now ? expiresAt : undefined;
}
