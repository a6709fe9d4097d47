// Does: page tokens that hold a place in a fixed list, opaque to clients; for services whose lists do not change.

export function offsetToken(offset: number): string {
  return Buffer.from(`offset ${offset}`).toString('base64url');
}

/** Undefined when the token was not made by `offsetToken`. No token is the start. */
export function readOffset(token: unknown): number | undefined {
  if (token === undefined || token === '') return 0;
  if (typeof token !== 'string') return undefined;
  const match = /^offset (\d{1,9})$/.exec(Buffer.from(token, 'base64url').toString('utf8'));
  return match ? Number(match[1]) : undefined;
}
