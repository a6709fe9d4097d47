// What a project asks for, from files on disk: which of several files counts, and what makes two environments one.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Wanted, findDependencies } from './dependencies-wanted.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'runctl-wanted-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}
async function wanted(script = 'train.py'): Promise<Wanted> {
  const { wanted: found } = await findDependencies(root, script);
  return found ?? expect.unreachable('something should be wanted');
}
const keyOf = async (files: Record<string, string>): Promise<string> => {
  write(files);
  return (await wanted()).key;
};
const PROJECT = '[project]\nname = "p"\nrequires-python = ">=3.10"\ndependencies = ["NumPy>=2", "left_pad"]\n';
const BLOCK = '#!/usr/bin/env python3\n# /// script\n# requires-python = ">=3.11"\n# dependencies = [\n#   "rich>=13",\n#\n#   "requests[socks]<3",\n# ]\n# ///\nimport rich\n';

describe('which file counts', () => {
  test('R053 the block of the script goes before every file', async () => {
    write({ 'train.py': BLOCK, 'requirements.txt': 'numpy\n' });
    expect(await wanted()).toMatchObject({ kind: 'list', source: 'train.py', requirements: ['rich>=13', 'requests[socks]<3'], requiresPython: '>=3.11', names: ['requests', 'rich'], shared: true });
  });

  test('the block is found with Windows line ends, and one without dependencies leaves it to the files', async () => {
    write({ 'train.py': BLOCK.replaceAll('\n', '\r\n') });
    expect((await wanted()).requirements).toEqual(['rich>=13', 'requests[socks]<3']);
    write({ 'train.py': '# /// script\n# requires-python = ">=3.9"\n# ///\n', 'requirements.txt': 'numpy\n' });
    expect((await wanted()).source).toBe('requirements.txt');
  });

  test('the nearest directory that asks for something, from the script upward, and never above the root', async () => {
    write({ 'requirements.txt': 'outer\n', 'a/requirements.txt': 'inner\n', 'a/b/train.py': '', 'train.py': '' });
    expect((await wanted('a/b/train.py')).source).toBe('a/requirements.txt');
    expect((await wanted()).source).toBe('requirements.txt');
    expect(await findDependencies(join(root, 'a', 'b'), 'train.py')).toEqual({ unread: undefined });
  });

  test('in one directory: uv.lock beside pyproject.toml, then requirements.txt, then the project', async () => {
    write({ 'train.py': '', 'pyproject.toml': PROJECT });
    expect(await wanted()).toMatchObject({ kind: 'list', source: 'pyproject.toml', requirements: ['NumPy>=2', 'left_pad'], requiresPython: '>=3.10', names: ['left-pad', 'numpy'] });
    write({ 'requirements.txt': 'numpy\n' });
    expect(await wanted()).toMatchObject({ kind: 'file', source: 'requirements.txt', requiresPython: '>=3.10' });
    write({ 'uv.lock': 'version = 1\n' });
    expect(await wanted()).toMatchObject({ kind: 'lock', source: 'uv.lock', requiresPython: '>=3.10' });
  });

  test('a pyproject.toml that only holds settings of tools does not hide what lies above', async () => {
    write({ 'a/train.py': '', 'a/pyproject.toml': '[tool.ruff]\nline-length = 100\n', 'requirements.txt': 'numpy\n' });
    expect((await wanted('a/train.py')).source).toBe('requirements.txt');
  });

  test.each([
    [{ 'requirements.txt': '# nothing yet\n\n' }, 'requirements.txt asks for nothing'],
    [{ 'pyproject.toml': '[project]\nname = "p"\ndependencies = []\n' }, 'pyproject.toml asks for nothing'],
    [{ 'train.py': '# /// script\n# dependencies = []\n# ///\n' }, 'train.py asks for nothing'],
    [{}, undefined],
  ])('nothing is asked for by %o', async (files, nothing) => {
    write({ 'train.py': '', ...files });
    expect(await findDependencies(root, 'train.py')).toMatchObject(nothing === undefined ? { unread: undefined } : { nothing });
  });

  test('a file of another tool is named, so that nobody wonders', async () => {
    write({ 'train.py': '', 'environment.yml': 'dependencies: [pytorch]\n' });
    expect(await findDependencies(root, 'train.py')).toMatchObject({ unread: 'environment.yml' });
  });

  test.each([
    ['train.py', '# /// script\n# dependencies = [\n# ///\n', 'the "# /// script" block of train.py cannot be read'],
    ['train.py', '# /// script\n# dependencies = []\n# ///\nimport sys\n# /// script\n# dependencies = []\n# ///\n', 'train.py cannot be read'],
    ['train.py', '# /// script\n# dependencies = "rich"\n# ///\n', 'train.py cannot be read'],
    ['pyproject.toml', '[project]\ndependencies = [1]\n', 'pyproject.toml cannot be read'],
    ['pyproject.toml', '[project\n', 'pyproject.toml cannot be read'],
  ])('R054 a broken %s is an error before any machine is asked: %j', async (path, text, message) => {
    write({ 'train.py': '', [path]: text });
    await expect(findDependencies(root, 'train.py')).rejects.toMatchObject({ code: 'dependencies-failed', message });
  });
});

describe('R053 the key of an environment', () => {
  test('follows the content, also of included files and constraints, and nothing else', async () => {
    const one = await keyOf({ 'train.py': 'a', 'requirements.txt': '-r more/base.txt\n-c limits.txt\nnumpy\n', 'more/base.txt': '-r deeper.txt\n', 'more/deeper.txt': 'rich\n', 'limits.txt': 'rich<14\n' });
    expect(await keyOf({ 'train.py': 'b', 'other.txt': 'x' })).toBe(one);
    const two = await keyOf({ 'more/deeper.txt': 'rich>13\n' });
    expect(two).not.toBe(one);
    expect(await keyOf({ 'limits.txt': 'rich<13\n' })).not.toBe(two);
    expect((await wanted()).names).toEqual(['numpy', 'rich']);
  });

  test('files that include each other, or one that is not there, end the walk', async () => {
    write({ 'train.py': '', 'requirements.txt': '-r other.txt\n--requirement=missing.txt\n', 'other.txt': '-r requirements.txt\nnumpy\n' });
    expect((await wanted()).names).toEqual(['numpy']);
  });

  test.each([
    ['-e .', false], ['--editable=./lib', false], ['./lib', false], ['lib @ file:///srv/lib', false], ['vendor/x-1.0-py3-none-any.whl', false], ['.[train]', false], ['/srv/lib', false],
    ['torch>=2 ; python_version > "3.8"', true], ['lib @ git+https://example.test/lib.git', true], ['x @ https://example.test/x-1.0-py3-none-any.whl', true], ['--find-links ./wheels\nrich', true], ['rich==13 \\\n  --hash=sha256:00', true],
  ])('%j is shared between runs: %s', async (line, shared) => {
    write({ 'train.py': '', 'requirements.txt': `${line}\n` });
    expect((await wanted()).shared).toBe(shared);
  });
});
