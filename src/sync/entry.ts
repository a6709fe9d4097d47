// One thing in a tree as the system tells it. File names are bytes: `raw` is the truth, `path` is for people.
import { lstatSync, readlinkSync } from 'node:fs';

export interface Listed {
  raw: Buffer;
  path: string;
  /** `directory`: an ignored one that was not looked into. */
  kind: 'file' | 'link' | 'directory' | 'special';
  sizeBytes: number;
  executable: boolean;
  /** Of a link. */
  target?: Buffer;
  /** By .gitignore or git's other ignore files. */
  ignored: boolean;
}

/** Undefined when it is not there (any more). */
export function look(root: string, local: Buffer, full: Buffer, ignored: boolean): Listed | undefined {
  const place = Buffer.concat([Buffer.from(`${root}/`), local]);
  try {
    const stat = lstatSync(place);
    const kind = stat.isFile() ? 'file' : stat.isSymbolicLink() ? 'link' : stat.isDirectory() ? 'directory' : 'special';
    return {
      raw: full,
      path: full.toString('utf8'),
      kind,
      sizeBytes: kind === 'file' ? stat.size : 0,
      executable: (stat.mode & 0o111) !== 0,
      target: kind === 'link' ? readlinkSync(place, { encoding: 'buffer' }) : undefined,
      ignored,
    };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
