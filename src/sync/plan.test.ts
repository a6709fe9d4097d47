import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listTree, planTree } from './plan.ts';

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'plan-')));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(files: Record<string, string>, base = root): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(base, dirname(path)), { recursive: true });
    writeFileSync(join(base, path), content);
  }
}

function git(...args: string[]): string {
  const env = { PATH: process.env['PATH'], HOME: root, GIT_CONFIG_NOSYSTEM: '1', GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@b' };
  return execFileSync('git', args, { cwd: root, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

const plan = (options: Partial<Parameters<typeof listTree>[0]> = {}) => listTree({ root, script: 'train.py', ...options });
const paths = async (options: Partial<Parameters<typeof listTree>[0]> = {}) => (await plan(options)).files.map((file) => file.path);

const PROJECT = {
  'train.py': '1', 'src/model.py': '2', '.gitignore': 'data/\n*.log\n!keep.log\n', 'data/big.csv': '3', 'data/small.csv': '4', 'a.log': '', 'keep.log': '',
  '.env': 'SECRET', 'sub/.env.local': 'SECRET', 'key.pem': 'SECRET', '.venv/lib/x.py': '', 'src/__pycache__/m.pyc': '', 'node_modules/x/i.js': '', 'runs/run-1/training.log': '', 'src/runs/keep.py': '',
  'sub/.gitignore': '/only-here.txt\n', 'sub/only-here.txt': '', 'sub/deep/only-here.txt': '',
};
const SENT = ['.gitignore', 'keep.log', 'src/model.py', 'src/runs/keep.py', 'sub/.gitignore', 'sub/deep/only-here.txt', 'train.py'];

describe('which files go', () => {
  test('D23 R049 .gitignore, secrets, caches and results stay here; with git and without', async () => {
    put(PROJECT);
    expect(await paths({ outputDir: 'runs' })).toEqual(SENT);
    git('init', '-q');
    const planned = await plan({ outputDir: join(root, 'runs') });
    expect(planned.files.map((file) => file.path)).toEqual(SENT);
    expect(planned.bytes).toBe(Object.entries(PROJECT).filter(([path]) => SENT.includes(path)).reduce((sum, [, content]) => sum + content.length, 0));
    expect(planned.skipped).toContainEqual(expect.objectContaining({ path: 'data/', reason: 'gitignore' }));
    expect(planned.skipped).toContainEqual(expect.objectContaining({ path: '.env', reason: 'secret', pattern: '.env*' }));
    expect(planned.reasons).toMatchObject({ secret: 3, output: 1 });
    git('add', 'train.py', 'src');
    expect(await paths({ outputDir: 'runs' })).toEqual(SENT);
  });

  test.each([true, false])('R049 --include-pattern brings ignored files back, exclude leaves more out (git: %s)', async (inGit) => {
    put(PROJECT);
    if (inGit) git('init', '-q');
    expect(await paths({ outputDir: 'runs', include: ['data/small.csv', '.env'], exclude: ['src/runs/', 'keep.log'] })).toEqual(
      ['.env', '.gitignore', 'data/small.csv', 'src/model.py', 'sub/.gitignore', 'sub/deep/only-here.txt', 'train.py'],
    );
    expect(await paths({ outputDir: 'runs', include: ['data/'] })).toEqual([...SENT, 'data/big.csv', 'data/small.csv'].sort());
  });

  test('R042 tracked files that are deleted, nested checkouts and submodules', async () => {
    put({ 'train.py': '', 'gone.py': '', 'lib/inner.py': '', 'lib/skip.log': '', 'lib/.gitignore': '*.log\n' });
    git('init', '-q', 'lib');
    git('init', '-q');
    git('add', 'train.py', 'gone.py');
    rmSync(join(root, 'gone.py'));
    expect(await paths()).toEqual(['lib/.gitignore', 'lib/inner.py', 'train.py']);
    git('-C', 'lib', 'add', '.');
    git('-C', 'lib', 'commit', '-q', '-m', 'x');
    git('add', 'lib');
    expect(await paths()).toEqual(['lib/.gitignore', 'lib/inner.py', 'train.py']);
    mkdirSync(join(root, 'empty'));
    git('update-index', '--add', '--cacheinfo', `160000,${git('-C', 'lib', 'rev-parse', 'HEAD').trim()},empty`);
    expect(await paths()).toEqual(['lib/.gitignore', 'lib/inner.py', 'train.py']);
  });

  test('a project inside a checkout that ignores it, and one that is a part of a checkout', async () => {
    put({ '.gitignore': 'build/\n', 'build/train.py': '', 'ml/train.py': '', 'ml/x.py': '', 'other.py': '' });
    git('init', '-q');
    expect((await listTree({ root: join(root, 'build'), script: 'train.py' })).files.map((file) => file.path)).toEqual(['train.py']);
    expect((await listTree({ root: join(root, 'ml'), script: 'train.py' })).files.map((file) => file.path)).toEqual(['train.py', 'x.py']);
  });

  test('links stay links when they stay inside; others and special files are left out', async () => {
    put({ 'train.py': '', 'd/x': '' });
    symlinkSync('d/x', join(root, 'in'));
    symlinkSync('../train.py', join(root, 'd/up'));
    symlinkSync('../../etc/passwd', join(root, 'd/out'));
    symlinkSync('/etc/passwd', join(root, 'absolute'));
    execFileSync('mkfifo', [join(root, 'fifo')]);
    const planned = await plan();
    expect(planned.files.map((file) => file.path)).toEqual(['d/up', 'd/x', 'in', 'train.py']);
    expect(planned.reasons).toEqual({ 'link-outside': 2, special: 1 });
    expect(planned.warnings).toContain('"absolute" is not sent: it is a link that leads out of the project');
  });

  test('R272 file names are bytes: newlines, blanks, dashes, what is not UTF-8', async () => {
    put({ 'train.py': '', 'new\nline': '', ' blank ': '', '-rf': '', "q'uote\"": '', '*': '' });
    // macOS refuses such names; Linux does not.
    if (process.platform === 'linux') writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe, 0x41])]), 'bytes');
    for (const source of ['walk', 'git']) {
      if (source === 'git') git('init', '-q');
      const planned = await plan();
      expect(planned.files).toHaveLength(process.platform === 'linux' ? 7 : 6);
      expect(planned.files.map((file) => file.path)).toContain('new\nline');
      if (process.platform === 'linux') expect(planned.files.at(-1)!.raw.toString('latin1')).toBe('\xff\xfeA');
    }
  });
});

describe('the plan', () => {
  const entry = (path: string, sizeBytes = 1, ignored = false) => ({ raw: Buffer.from(path), path, kind: 'file' as const, sizeBytes, executable: false, ignored });

  test('a script that would not be sent is an error that says why and what to type', () => {
    const listing = { root: '/p', source: 'walk' as const, entries: [entry('a/train.py', 1, true), { ...entry('data'), kind: 'directory' as const, ignored: true }] };
    expect(() => planTree(listing, { script: 'a/train.py' })).toThrow(expect.objectContaining({ code: 'script-missing', reason: 'a/train.py is left out: ignored by .gitignore.', hints: ['--include-pattern "a/train.py"'] }));
    expect(() => planTree(listing, { script: 'data/train.py' })).toThrow(expect.objectContaining({ reason: 'data/ is left out: ignored by .gitignore.' }));
    expect(() => planTree(listing, { script: 'none.py' })).toThrow(expect.objectContaining({ reason: 'It is not among the files of the project.' }));
    expect(planTree(listing, { script: 'a/train.py', include: ['a/*.py'] }).files).toHaveLength(1);
  });

  test('R049 secrets, caches and environments stay here by name, examples and code of the same names go', () => {
    const stay = [
      '.env', 'a/.env.local', '.envrc', '.netrc', '.aws/credentials', 'home/.ssh/id_rsa', 'id_ed25519', 'tls/server.pem', 'server.key', 'credentials', 'conf/credentials.json', 'service-account-prod.json', '.npmrc', '.pypirc',
      '.git-credentials', 'kaggle.json', 'me_accessKeys.csv', '.docker/config.json', '.venv/x', 'a/__pycache__/x.pyc', 'x.pyc', 'node_modules/a/b', '.cache/x', '.vscode/x', 'envs/mine/pyvenv.cfg', 'envs/mine/lib/x.py', '.DS_Store',
    ];
    const go = ['train.py', '.env.example', 'credentials/store.py', 'keys.py', 'environment.yml', 'pem.py', 'id_rsa.md', 'venv.py', 'envs/readme.md', '.github/x.yml', '.python-version'];
    const { files, skipped } = planTree({ root: '/p', source: 'walk', entries: [...stay, ...go].map((path) => entry(path)) }, { script: 'train.py' });
    expect(files.map((file) => file.path)).toEqual(go.sort());
    expect(skipped.every(({ reason, pattern }) => ['secret', 'cache'].includes(reason) && pattern !== undefined)).toBe(true);
    expect(planTree({ root: '/p', source: 'walk', entries: stay.map((path) => entry(path)) }, { script: '.env', include: stay.map((path) => `/${path}`) }).files).toHaveLength(stay.length);
  });

  test('R272 what lies behind a link, or has a name that no system makes, stays here', () => {
    const link = { ...entry('data'), kind: 'link' as const, target: Buffer.from('other') };
    const { files, skipped } = planTree({ root: '/p', source: 'git', entries: [entry('train.py'), link, entry('data/x'), entry('../up'), entry('/etc/passwd'), entry('a/../../b'), entry('a//b')] }, { script: 'train.py' });
    expect(files.map((file) => file.path)).toEqual(['data', 'train.py']);
    expect(skipped.map(({ path, reason }) => `${reason} ${path}`)).toEqual(['behind-link data/x', 'special ../up', 'special /etc/passwd', 'special a/../../b', 'special a//b']);
  });

  test('links whose end does not go are told', () => {
    const link = (path: string, target: string) => ({ ...entry(path), kind: 'link' as const, target: Buffer.from(target) });
    const { warnings } = planTree({ root: '/p', source: 'walk', entries: [entry('train.py'), entry('a/b/c.py'), link('to-dir', 'a/b/'), link('to-file', './train.py'), link('a/up', '..'), link('broken', 'a/none')] }, { script: 'train.py' });
    expect(warnings).toEqual(['"broken" is a link to "a/none", which is not sent']);
  });

  test('large files are warned about, the first few by name', () => {
    const entries = [entry('train.py'), ...Array.from({ length: 8 }, (_, i) => entry(`big${i}.bin`, 60 * 1024 * 1024))];
    const { warnings, bytes } = planTree({ root: '/p', source: 'walk', entries }, { script: 'train.py' });
    expect(warnings).toHaveLength(6);
    expect(warnings[0]).toBe('"big0.bin" (60 MiB) goes to the machine with the code; to leave it out, add it to exclude in [sync] of .runctl.toml');
    expect(warnings[5]).toBe('and 3 more like this');
    expect(bytes).toBe(8 * 60 * 1024 * 1024 + 1);
  });

  test('git itself never goes, whatever is included', () => {
    const listing = { root: '/p', source: 'walk' as const, entries: [entry('train.py'), entry('.git/config'), entry('mod/.git'), entry('.github/x.yml')] };
    expect(planTree(listing, { script: 'train.py', include: ['*', '.git'] }).files.map((file) => file.path)).toEqual(['.github/x.yml', 'train.py']);
  });
});
