// Lists trees as git does, with git and without: the real git is the judge.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { IgnoreFiles } from './ignored.ts';
import { listFiles } from './listing.ts';

const HAS_GIT = spawnSync('git', ['--version']).status === 0;
let top: string;
let root: string;
let config: string;

beforeEach(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), 'listing-')));
  root = join(top, 'tree');
  config = join(top, 'gitconfig');
  mkdirSync(root);
  vi.stubEnv('GIT_CONFIG_GLOBAL', config);
  vi.stubEnv('GIT_CONFIG_NOSYSTEM', '1');
  writeFileSync(config, '[user]\n\tname = a\n\temail = a@b\n');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(top, { recursive: true, force: true });
});

function put(files: Record<string, string>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'latin1', stdio: ['ignore', 'pipe', 'pipe'] });

async function sent(options: Parameters<typeof listFiles>[1], directory = root): Promise<string[]> {
  const { entries } = await listFiles(directory, options);
  return entries.filter((entry) => !entry.ignored).map((entry) => entry.raw.toString('latin1')).sort();
}

/** File, line and pattern by which git ignores each of these; those that it does not ignore are left out. */
function rulesOfGit(paths: Buffer[]): Record<string, string> {
  const input = Buffer.concat(paths.flatMap((path) => [path, Buffer.alloc(1)]));
  const { stdout, status } = spawnSync('git', ['check-ignore', '--no-index', '-v', '-z', '--stdin'], { cwd: root, input });
  expect([0, 1]).toContain(status);
  const fields = stdout.toString('latin1').split('\0');
  const rules: Record<string, string> = {};
  for (let i = 0; i + 3 < fields.length; i += 4) {
    const [file, line, pattern, path] = fields.slice(i, i + 4) as [string, string, string, string];
    const place = Buffer.from(`${file.startsWith('/') ? file : join(root, file)}:${line}:${pattern}`, 'latin1').toString('utf8');
    if (!pattern.startsWith('!')) rules[path] = place;
  }
  return rules;
}

const name = fc.constantFrom('a', 'b', 'ab', 'abc', 'data', 'x.py', 'y.log', '.hid', 'ü', 'à', 'sp ace', 'end ', '[x]', '#h', '!bang', 'A', 'a-b', 'back\\slash', 'q?', 'st*r', '-', ']');
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const piece = fc.oneof(name, fc.constantFrom('*', '**', '?', '??', '*.py', 'a*', '*b', '[ab]', '[!a]', '[^ab]', '[a-c]', '[]a]', '[]-]', '[a-', '[[:alpha:]]', '[[:nope:]]', '[\\]]', '\\a', '\\*', '\\#h', '\\!bang', 'end\\ ', '***', 'a**', '**a', 'd?ta', '[A-Z]'));
const pattern = fc.oneof(
  fc.tuple(fc.constantFrom('', '!', '/', '!/', '**/'), fc.array(piece, { minLength: 1, maxLength: 3 }), fc.constantFrom('', '/', '/**', '/*', ' ', '  ', '\r', '//', '\\')).map(([before, pieces, after]) => before + pieces.join('/') + after),
  fc.tuple(piece, piece).map((two) => two.join('')),
  fc.constantFrom('', '# comment', '/', '!', '*', '!*/', '/*', '**', '!.gitignore', '\\', '\uFEFFa', '\t'),
);
const rules = fc.array(pattern, { maxLength: 4 }).map((lines) => lines.join('\n'));

describe.runIf(HAS_GIT)('R049 what git would say', () => {
  test('R049 generated trees: nested ignore files, info/exclude, core.excludesFile, tracked files; with git and without, shallow and deep', async () => {
    writeFileSync(config, `[user]\n\tname = a\n\temail = a@b\n[core]\n\texcludesFile = "${join(top, 'global')}" # ours\n`);
    await fc.assert(
      fc.asyncProperty(fc.array(path, { minLength: 1, maxLength: 10 }), fc.array(fc.tuple(fc.option(path), rules), { maxLength: 3 }), rules, rules, fc.array(fc.nat(20), { maxLength: 2 }), async (files, ignores, exclude, global, added) => {
        rmSync(root, { recursive: true, force: true });
        mkdirSync(root);
        for (const [file, content] of [...files.map((file) => [file, 'x']), ...ignores.map(([where, text]) => [where === null ? '.gitignore' : `${where}/.gitignore`, text])] as [string, string][]) {
          try {
            put({ [file]: content });
          } catch {
            // A name that is already a directory, or the other way round: not a tree, leave it out.
          }
        }
        git('init', '-q');
        writeFileSync(join(root, '.git/info/exclude'), exclude);
        writeFileSync(join(top, 'global'), global);
        const all = (await listFiles(root, { deep: true })).entries;
        for (const n of added) if (all[n]) git('-c', 'advice.addIgnoredFile=false', '--literal-pathspecs', 'add', '-f', '--', all[n].path);
        const theirs = git('ls-files', '-z', '--cached', '--others', '--exclude-standard').split('\0').filter(Boolean).sort();
        for (const deep of [false, true]) {
          expect(await sent({ deep }), 'with git').toEqual(theirs);
          expect(await sent({ deep, useGit: false }), 'without git').toEqual(theirs);
        }
        const ignored = IgnoreFiles.ofTree(root);
        const explained = all.map((entry) => [entry.raw.toString('latin1'), ignored.ruleFor(entry.raw.toString('latin1'), false)] as const);
        const ours = Object.fromEntries(explained.flatMap(([raw, rule]) => (rule ? [[raw, `${rule.file}:${rule.line}:${rule.pattern}`]] : [])));
        expect(ours).toEqual(rulesOfGit(all.map((entry) => entry.raw)));
      }),
      { numRuns: Number(process.env['RUNCTL_FUZZ_RUNS'] ?? 25) },
    );
  }, 300_000);

  test.each(['2', '3', '4'])('R049 an index of version %s is read: tracked files go although ignored, submodules and worktrees are checkouts of their own', async (version) => {
    put({ '.gitignore': 'ignored/\n*.bin\n', 'train.py': '', 'ignored/kept.py': '', 'ignored/other.py': '', 'w.bin': '', 'long/er/name.py': '', 'long/er/names.py': '', 'lib/code.py': '', 'lib/x.bin': '', 'lib/.gitignore': '!x.bin\n' });
    git('init', '-q', 'lib');
    git('-C', 'lib', 'add', '.');
    git('-C', 'lib', 'commit', '-q', '-m', 'x');
    git('init', '-q');
    git('add', '.');
    git('add', '-f', 'ignored/kept.py', 'w.bin');
    if (version === '3') git('add', '-N', 'long/er/names.py');
    git('update-index', '--index-version', version);
    const expected = ['.gitignore', 'ignored/kept.py', 'lib/.gitignore', 'lib/code.py', 'lib/x.bin', 'long/er/name.py', 'long/er/names.py', 'train.py', 'w.bin'];
    expect(await sent({})).toEqual(expected);
    expect(await sent({ useGit: false })).toEqual(expected);
    git('commit', '-q', '-m', 'y');
    git('worktree', 'add', '-q', join(top, 'tree2'));
    writeFileSync(join(top, 'tree2/new.bin'), '');
    writeFileSync(join(root, '.git/info/exclude'), 'secret-notes\n');
    writeFileSync(join(top, 'tree2/secret-notes'), '');
    const inWorktree = expected.filter((file) => !file.startsWith('lib/'));
    expect(await sent({}, join(top, 'tree2'))).toEqual(inWorktree);
    expect(await sent({ useGit: false }, join(top, 'tree2'))).toEqual(inWorktree);
  });

  test('R049 a project that is a part of a checkout obeys the rules above it; core.ignoreCase; sha256', async () => {
    put({ '.gitignore': '/ml/cache\n*.LOG\n', 'ml/train.py': '', 'ml/cache/x': '', 'ml/a.log': '', 'ml/sub/cache/y': '', 'ml/.gitignore': 'Sub/Cache\n' });
    for (const format of ['sha1', 'sha256']) {
      rmSync(join(root, '.git'), { recursive: true, force: true });
      git('init', '-q', `--object-format=${format}`);
      git('config', 'core.ignorecase', 'true');
      git('add', '-f', 'ml/cache/x');
      for (const useGit of [true, false]) expect(await sent({ useGit }, join(root, 'ml'))).toEqual(['.gitignore', 'cache/x', 'train.py']);
      git('config', 'core.ignorecase', 'false');
      for (const useGit of [true, false]) expect(await sent({ useGit }, join(root, 'ml'))).toEqual(['.gitignore', 'a.log', 'cache/x', 'sub/cache/y', 'train.py']);
    }
  });

  test('R272 names that are no UTF-8 and .gitignore files that are links', async () => {
    put({ 'train.py': '', 'rules': '*.py\n', 'd/x.py': '' });
    symlinkSync('../rules', join(root, 'd/.gitignore'));
    if (process.platform === 'linux') {
      writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0x31])]), '');
      writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0x32])]), '');
      writeFileSync(join(root, '.gitignore'), Buffer.from([0xff, 0x31, 0x0a]));
    }
    git('init', '-q');
    const withGit = await sent({});
    expect(withGit).toEqual(['.gitignore', 'd/.gitignore', 'd/x.py', 'rules', 'train.py', '\xff2']);
    expect(await sent({ useGit: false })).toEqual(withGit);
  });
});

test.skipIf(!HAS_GIT)('git is asked in a checkout, below its top and by way of a link too, and not outside of any', async () => {
  put({ 'deep/a.py': '' });
  symlinkSync(join(root, 'deep'), join(top, 'link'));
  const sources = async (): Promise<string[]> => Promise.all([root, join(root, 'deep'), join(top, 'link')].map(async (directory) => (await listFiles(directory)).source));
  rmSync(join(root, '.git'), { recursive: true, force: true });
  expect(await sources()).toEqual(['walk', 'walk', 'walk']);
  git('init', '-q');
  expect(await sources()).toEqual(['git', 'git', 'git']);
});

test('R049 outside of any checkout .gitignore files count alike', async () => {
  put({ 'train.py': '', '.gitignore': '*.log\ndata/\n', 'a.log': '', 'data/x': '', 'sub/.gitignore': '!b.log\n', 'sub/b.log': '', 'empty-git/.git/x': '', 'empty-git/code.py': '' });
  expect(await sent({ useGit: false })).toEqual(['.gitignore', 'empty-git/code.py', 'sub/.gitignore', 'sub/b.log', 'train.py']);
});
