import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RunctlError } from '../core/errors.ts';
import { findProjectRoot } from './root.ts';

let top: string;
beforeEach(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), 'root-')));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(top, { recursive: true, force: true });
});

function tree(...paths: string[]): void {
  for (const path of paths) {
    mkdirSync(join(top, path.endsWith('/') ? path : dirname(path)), { recursive: true });
    if (!path.endsWith('/')) writeFileSync(join(top, path), '');
  }
}

async function refused(request: Parameters<typeof findProjectRoot>[0]): Promise<RunctlError> {
  const error = await findProjectRoot(request).catch((thrown: unknown) => thrown as RunctlError);
  expect(error).toMatchObject({ code: 'script-missing', exitCode: 1 });
  return error as RunctlError;
}

describe('the project root', () => {
  test.each([
    ['R042 git above a nearer marker', ['p/.git/', 'p/sub/pyproject.toml', 'p/sub/train.py'], 'p/sub/train.py', 'p', 'sub/train.py'],
    ['R041 a script in a sub-directory', ['p/.git/', 'p/training/train_mnist_e2e.py'], 'p/training/train_mnist_e2e.py', 'p', 'training/train_mnist_e2e.py'],
    ['R042 no git: the nearest of nested markers', ['p/setup.py', 'p/sub/requirements.txt', 'p/sub/src/train.py'], 'p/sub/src/train.py', 'p/sub', 'src/train.py'],
    ['R042 .runctl.toml is a marker', ['p/.runctl.toml', 'p/a/b/train.py'], 'p/a/b/train.py', 'p', 'a/b/train.py'],
    ['R042 no markers: the script’s directory', ['p/other.py', 'p/a/train.py'], 'p/a/train.py', 'p/a', 'train.py'],
    ['R042 a submodule is a checkout of its own', ['p/.git/', 'p/mod/.git', 'p/mod/train.py'], 'p/mod/train.py', 'p/mod', 'train.py'],
    ['R042 the nearer of two checkouts', ['p/.git/', 'p/inner/.git/', 'p/inner/sub/train.py'], 'p/inner/sub/train.py', 'p/inner', 'sub/train.py'],
    ['R042 a linked worktree: .git is a file', ['w/.git', 'w/requirements.txt', 'w/a/train.py'], 'w/a/train.py', 'w', 'a/train.py'],
    ['R042 a marker beside the script wins over one above', ['p/pyproject.toml', 'p/exp/setup.cfg', 'p/exp/train.py'], 'p/exp/train.py', 'p/exp', 'train.py'],
    ['R042 names with blanks, quotes and umlauts', ["p ö/it's/.git/", "p ö/it's/a b/train.py"], "p ö/it's/a b/train.py", "p ö/it's", 'a b/train.py'],
    ['R042 an ordinary package.json', ['p/package.json', 'p/ml/train.py'], 'p/ml/train.py', 'p', 'ml/train.py'],
  ])('%s', async (_what, paths, script, root, inside) => {
    tree(...paths);
    const expected = { directory: join(top, root), script: inside };
    expect(await findProjectRoot({ cwd: top, script })).toMatchObject(expected);
    // The same answer from anywhere, and for an absolute path.
    expect(await findProjectRoot({ cwd: dirname(join(top, script)), script: script.split('/').at(-1)! })).toMatchObject(expected);
    expect(await findProjectRoot({ cwd: '/', script: join(top, script) })).toMatchObject(expected);
  });

  test('D26 R042 symlinks on the way are resolved the same for root and script', async () => {
    tree('real/.git/', 'real/sub/train.py');
    symlinkSync(join(top, 'real'), join(top, 'alias'));
    symlinkSync(join(top, 'real', 'sub'), join(top, 'deep'));
    const expected = { directory: join(top, 'real'), script: 'sub/train.py' };
    expect(await findProjectRoot({ cwd: top, script: 'alias/sub/train.py' })).toMatchObject(expected);
    expect(await findProjectRoot({ cwd: join(top, 'deep'), script: 'train.py' })).toMatchObject(expected);
    expect(await findProjectRoot({ cwd: top, script: 'deep/train.py', projectRoot: 'alias' })).toMatchObject({ ...expected, why: 'given by --project-root' });
    symlinkSync('train.py', join(top, 'real/sub/latest.py'));
    expect(await findProjectRoot({ cwd: top, script: 'real/sub/latest.py' })).toMatchObject({ directory: join(top, 'real'), script: 'sub/latest.py' });
  });

  test('R042 neither home nor / nor /tmp becomes the project by accident', async () => {
    tree('home/.git/', 'home/package.json', 'home/train.py', 'home/p/train.py', 'home/q/.git/', 'home/q/train.py', 'shared/train.py', 'shared/pyproject.toml', 'shared/own/train.py');
    vi.stubEnv('HOME', join(top, 'home'));
    chmodSync(join(top, 'shared'), 0o1777);
    expect(await findProjectRoot({ cwd: top, script: 'home/p/train.py' })).toMatchObject({ directory: join(top, 'home/p') });
    expect(await findProjectRoot({ cwd: top, script: 'home/q/train.py' })).toMatchObject({ directory: join(top, 'home/q') });
    expect(await findProjectRoot({ cwd: top, script: 'shared/own/train.py' })).toMatchObject({ directory: join(top, 'shared/own') });
    for (const place of ['home', 'shared']) {
      const error = await refused({ cwd: top, script: `${place}/train.py` });
      expect(error.message).toContain(`all of that directory would be the project`);
      expect(error.hints).toContain(`--project-root ${top}/${place}`);
      expect(await findProjectRoot({ cwd: top, script: `${place}/train.py`, projectRoot: place })).toMatchObject({ directory: join(top, place), script: 'train.py' });
    }
  });

  test('R042 a script that is a link, and a project reached through links, in any combination', async () => {
    tree('real/.git/', 'real/a/train.py', 'real/b/', 'other/train.py', 'other/requirements.txt');
    symlinkSync(join(top, 'real'), join(top, 'one'));
    symlinkSync(join(top, 'one'), join(top, 'two'));
    symlinkSync('../a/train.py', join(top, 'real/b/same.py'));
    symlinkSync(join(top, 'other'), join(top, 'real/borrowed'));
    for (const script of ['two/b/same.py', 'one/b/same.py', 'real/b/same.py', join(top, 'two/b/same.py')]) {
      expect(await findProjectRoot({ cwd: top, script })).toMatchObject({ directory: join(top, 'real'), script: 'b/same.py' });
    }
    // What the link leads to is another project.
    expect(await findProjectRoot({ cwd: top, script: 'two/borrowed/train.py' })).toMatchObject({ directory: join(top, 'other'), script: 'train.py' });
    expect((await refused({ cwd: top, script: 'two/borrowed/train.py', projectRoot: 'two' })).hints[0]).toBe(`--project-root ${top}/other`);
  });

  test('the reason is told', async () => {
    tree('p/.git/', 'p/train.py', 'q/pyproject.toml', 'q/train.py', 'r/train.py');
    expect(await findProjectRoot({ cwd: top, script: 'p/train.py' })).toMatchObject({ why: expect.stringContaining('git'), marker: join(top, 'p/.git') });
    expect(await findProjectRoot({ cwd: top, script: 'q/train.py' })).toMatchObject({ why: expect.stringContaining('pyproject.toml'), marker: join(top, 'q/pyproject.toml') });
    expect((await findProjectRoot({ cwd: top, script: 'r/train.py' })).marker).toBeUndefined();
  });

  test('a marker where anybody may write does not make that directory the project', async () => {
    tree('open/package.json', 'open/p/train.py');
    chmodSync(join(top, 'open'), 0o777);
    expect(await findProjectRoot({ cwd: top, script: 'open/p/train.py' })).toMatchObject({ directory: join(top, 'open/p') });
  });

  test('R043 a script outside of the root: root, why, script and --project-root are in the error', async () => {
    tree('p/.git/', 'other/train.py');
    const error = await refused({ cwd: top, script: 'other/train.py', projectRoot: 'p' });
    expect(error.message).toBe(`the script ${top}/other/train.py lies outside the project ${top}/p`);
    expect(error.hints[0]).toBe(`--project-root ${top}/other`);
    expect(error.data).toMatchObject({ root: join(top, 'p'), script: join(top, 'other/train.py') });
    symlinkSync(join(top, 'other/train.py'), join(top, 'p/link.py'));
    const link = await refused({ cwd: top, script: 'p/link.py' });
    expect(link.message).toContain(`a link to ${top}/other/train.py, lies outside the project ${top}/p`);
    expect(link.reason).toContain(`${top}/p/.git`);
  });

  test('R044 a script that is not there, with what was perhaps meant', async () => {
    tree('p/.git/', 'p/train.py', 'p/dir/');
    expect((await refused({ cwd: join(top, 'p'), script: 'trian.py' })).reason).toBe('Did you mean train.py?');
    expect((await refused({ cwd: top, script: 'p/dir' })).message).toContain('is a directory');
    expect((await refused({ cwd: top, script: 'p/train.py/x' })).message).toContain('there is no script');
    expect((await refused({ cwd: top, script: 'no/such/x.py' })).reason).toContain('does not exist');
    expect((await refused({ cwd: top, script: '/dev/null' })).message).toContain('special file');
    expect((await refused({ cwd: top, script: 'p/train.py', projectRoot: 'nowhere' })).message).toContain('not a directory');
    symlinkSync('loop.py', join(top, 'p/loop.py'));
    await refused({ cwd: top, script: 'p/loop.py' });
  });
});
