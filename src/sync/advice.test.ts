import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Advice, missingFileAdvice } from './advice.ts';
import { listTree } from './plan.ts';

let top: string;
let root: string;
beforeEach(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), 'advice-')));
  root = join(top, 'project');
  put({
    '.gitignore': '# local\ndata/\n*.gen.py\nhelpers/\n', 'ml/train.py': '', 'ml/near.gen.py': '', 'ml/.gitignore': 'tables.csv\n', 'ml/tables.csv': '', 'data/train.csv': '', 'made.gen.py': '',
    'helpers/__init__.py': '', 'helpers/text.py': '', '.env': '', 'weights.bin': '', 'src/pkg/local.gen.py': '', 'pkg/__init__.py': '', 'pkg/part.gen.py': '', 'odd[1].dat': '', '../shared.py': '', 'there.py': '',
  });
  mkdirSync(join(root, 'out'));
  mkdirSync(join(root, '.cache/model'), { recursive: true });
  writeFileSync(join(root, '.cache/model/x'), '');
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

function put(files: Record<string, string>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

const advice = async (log: string): Promise<Advice | undefined> => missingFileAdvice(log, await listTree({ root, script: 'ml/train.py', exclude: ['weights.bin', 'odd*'] }), 'ml/train.py');
const noFile = (path: string): string => `Traceback (most recent call last):\n  File "x", line 1\nFileNotFoundError: [Errno 2] No such file or directory: ${path}\n`;

describe('R048 a script that misses a file which is here', () => {
  test.each([
    ['a file in an ignored directory', noFile("'data/train.csv'"), 'ignored by .gitignore (.gitignore:2: data/)', '--include-pattern "data/train.csv"'],
    ['the ignored directory itself', noFile("'data'"), 'ignored by .gitignore (.gitignore:2: data/)', '--include-pattern "data/"'],
    ['named with ./', noFile("'./data/train.csv'"), '.gitignore:2: data/', '--include-pattern "data/train.csv"'],
    ['beside the script, by a nested .gitignore', noFile("'tables.csv'"), 'ignored by .gitignore (ml/.gitignore:1: tables.csv)', '--include-pattern "ml/tables.csv"'],
    ['an absolute path of the machine', noFile("'/home/ec2-user/runctl/runs/run-1/code/data/train.csv'"), 'here as data/train.csv but was not sent', '--include-pattern "data/train.csv"'],
    ['a built-in rule', noFile("'.env'"), '.env may hold secrets (.env*)', '--include-pattern ".env"'],
    ['a cache', noFile("'.cache/model'"), 'is a cache or an environment of this computer (.cache/)', '--include-pattern ".cache/model/"'],
    ['sync.exclude', noFile("'weights.bin'"), 'matches sync.exclude (weights.bin)', '--include-pattern "weights.bin"'],
    ['a name that is itself a pattern', noFile("'odd[1].dat'"), 'matches sync.exclude (odd*)', '--include-pattern "odd\\\\[1].dat"'],
    ['in double quotes', noFile('"data/train.csv"'), '.gitignore:2: data/', '--include-pattern "data/train.csv"'],
    ['pandas and numpy say it in their own words', 'OSError: data/x not found\nFileNotFoundError: File data: No such file or directory: \'data/train.csv\'', '.gitignore:2: data/', '--include-pattern "data/train.csv"'],
    ['a program that is not Python', "cat: data/train.csv: No such file or directory\n", '.gitignore:2: data/', '--include-pattern "data/train.csv"'],
    ['a package', "ModuleNotFoundError: No module named 'helpers'\n", 'module helpers is here as helpers/ but was not sent: helpers/ is ignored by .gitignore (.gitignore:4: helpers/)', '--include-pattern "helpers/"'],
    ['a module of an ignored package', "ModuleNotFoundError: No module named 'helpers.text'\n", 'here as helpers/text.py', '--include-pattern "helpers/text.py"'],
    ['a name that cannot be imported', "ImportError: cannot import name 'part' from 'pkg' (/x/pkg/__init__.py)\n", undefined, undefined],
    ['beside the project', "ModuleNotFoundError: No module named 'shared'\n", 'outside of the project', '--project-root TOP'],
  ])('%s', async (_what, log, told, hint) => {
    const found = await advice(log);
    if (told === undefined) return expect(found).toBeUndefined();
    expect(found?.why).toContain(told);
    expect(found?.flag).toBe(hint?.replace('TOP', top));
  });

  test('R048 what follows the pattern brings the file back', async () => {
    const { flag } = (await advice(noFile("'odd[1].dat'")))!;
    const pattern = JSON.parse(flag!.replace('--include-pattern ', '')) as string;
    expect((await listTree({ root, script: 'ml/train.py', exclude: ['odd*'], include: [pattern] })).files.map((file) => file.path)).toContain('odd[1].dat');
  });

  test('the last complaint counts, an empty directory is told, a file of this computer too', async () => {
    expect((await advice(`${noFile("'.env'")}\nretrying\n${noFile("'data/train.csv'")}`))?.why).toContain('data/train.csv');
    expect(await advice(noFile("'out'"))).toEqual({ why: expect.stringContaining('"out" is an empty directory, and those are not sent') });
    writeFileSync(join(top, 'elsewhere.csv'), '');
    expect(await advice(noFile(`'${join(top, 'elsewhere.csv')}'`))).toEqual({ why: expect.stringContaining('outside of the project') });
  });

  test('nothing is said of what is not here, was sent, or is no complaint', async () => {
    for (const log of ['', 'ok\n', noFile("'nowhere.csv'"), noFile("'there.py'"), "ModuleNotFoundError: No module named 'torch'\n", 'ValueError: x', noFile("'../../etc/passwd'"), noFile("''")]) expect(await advice(log), log).toBeUndefined();
  });
});
