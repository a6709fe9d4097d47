// A tree listed without git, with the answer that git would give: ignore files, what the index tracks, checkouts inside.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutAt, trackedBelow } from './checkout.ts';
import { type Listed, look } from './entry.ts';
import { IgnoreFiles } from './ignored.ts';

const SLASH = Buffer.from('/');

/** `prefix`: what names begin with, when the tree is a part of another. */
export function walkTree(root: string, deep: boolean, prefix: Buffer = Buffer.alloc(0)): Listed[] {
  const tracked = trackedBelow(root);
  const rules = IgnoreFiles.ofTree(root);
  const entries: Listed[] = [];
  const listed = new Set<string>();
  const add = (local: Buffer, ignored: boolean): Listed | undefined => {
    const entry = look(root, local, prefix.length > 0 ? Buffer.concat([prefix, SLASH, local]) : local, ignored);
    if (entry) listed.add(local.toString('latin1'));
    return entry;
  };
  const visit = (directory: Buffer, ignoredAbove: boolean): void => {
    const place = directory.length > 0 ? Buffer.concat([Buffer.from(`${root}/`), directory]) : Buffer.from(root);
    for (const name of readdirSync(place, { encoding: 'buffer' }).sort(Buffer.compare)) {
      if (name.toString('latin1') === '.git') continue;
      const local = directory.length > 0 ? Buffer.concat([directory, SLASH, name]) : name;
      const entry = add(local, ignoredAbove);
      if (entry === undefined) continue;
      const path = local.toString('latin1');
      entry.ignored ||= rules.ruleFor(path, entry.kind === 'directory') !== undefined;
      if (entry.kind !== 'directory') {
        entry.ignored &&= !tracked.has(path);
        entries.push(entry);
      } else if (entry.ignored && !deep) entries.push(entry);
      else if (!entry.ignored && isCheckout(root, local)) entries.push(...nested(root, local, deep, prefix));
      else visit(local, entry.ignored);
    }
  };
  visit(Buffer.alloc(0), false);
  // Tracked files in ignored directories.
  for (const [path, local] of tracked) {
    if (listed.has(path)) continue;
    const entry = add(local, false);
    if (entry && entry.kind !== 'directory') entries.push(entry);
    else if (entry && isCheckout(root, local)) entries.push(...nested(root, local, deep, prefix));
  }
  return entries;
}

function nested(root: string, local: Buffer, deep: boolean, prefix: Buffer): Listed[] {
  return walkTree(join(root, local.toString('utf8')), deep, prefix.length > 0 ? Buffer.concat([prefix, SLASH, local]) : local);
}

function isCheckout(root: string, local: Buffer): boolean {
  return checkoutAt(join(root, local.toString('utf8'))) !== undefined;
}
