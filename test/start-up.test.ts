// What start-up must not do: load what the command does not need. Speed itself is measured by `npm run bench`, never here.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REPOSITORY } from './support/cli.ts';

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'runctl-start-'));
  writeFileSync(join(scratch, 'hook.cjs'), `process.on('exit', () => require('node:fs').writeFileSync(process.env.LOADED, JSON.stringify([...Object.keys(require.cache), ...process.moduleLoadList])));`);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Files of ours, and built-in modules, that were loaded by a command line. */
function loaded(...args: string[]): { files: string[]; builtins: string[]; stdout: string } {
  const file = join(scratch, 'loaded.json');
  const { stdout } = spawnSync(process.execPath, ['-r', join(scratch, 'hook.cjs'), join(REPOSITORY, 'dist/main.cjs'), ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: scratch, XDG_STATE_HOME: scratch, LOADED: file, AWS_ENDPOINT_URL: 'http://127.0.0.1:9', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_REGION: 'us-east-1', AWS_MAX_ATTEMPTS: '1' },
  });
  const all = JSON.parse(readFileSync(file, 'utf8')) as string[];
  return { files: all.filter((name) => name.includes('/dist/')).map((name) => name.split('/').at(-1)!), builtins: all.filter((name) => name.startsWith('NativeModule ')).map((name) => name.slice(13)), stdout };
}

describe('R240 start-up', () => {
  test.each([['--version'], ['--help'], ['aws']])('R240 runctl %s loads the entry and the error table, nothing else', (...args) => {
    const { files } = loaded(...args);
    expect(files.map((name) => name.split(/[-.]/)[0]).filter((name) => name !== 'rolldown')).toEqual(['main', 'errors']);
  });

  test('R240 help of one command loads that command, and neither SDK nor ledger', () => {
    const { files, builtins, stdout } = loaded('aws', 'train', '--help');
    expect(stdout).toContain('runctl aws train');
    expect(files.join(' ')).not.toMatch(/ec2|ssm|ledger|command-line|create-app/);
    expect(builtins).not.toContain('http');
  });

  test('R240 aws status loads no ledger, no TOML, no S3, no IAM, and nothing that sends', () => {
    const { files, builtins } = loaded('aws', 'status', 'i-0123456789abcdef0');
    expect(files.some((name) => name.startsWith('ec2'))).toBe(true);
    expect(files.join(' ')).not.toMatch(/ledger|libsql|toml|\bs3-|iam-|pricing|push|pull|daemon/);
    expect(builtins).not.toContain('sqlite');
    expect(builtins).not.toContain('readline');
  });
});

describe('R240 the compile cache', () => {
  const cache = () => join(scratch, 'cache', 'runctl', 'compiled');
  const doctor = (env: Record<string, string> = {}) =>
    spawnSync(process.execPath, [join(REPOSITORY, 'dist/main.cjs'), 'config', 'show', '--output', 'json'], { encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: scratch, XDG_CACHE_HOME: join(scratch, 'cache'), ...env } });
  const files = () => readdirSync(cache(), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));

  test('R240 it is filled by the first run, private, and changes nothing that is printed', () => {
    const first = doctor();
    expect(first.status).toBe(0);
    expect(files().length).toBeGreaterThan(0);
    expect(statSync(cache()).mode & 0o077).toBe(0);
    expect(doctor().stdout).toBe(first.stdout);
  });

  test('torn files, a directory that others may write, and a home that cannot be written are no trouble', () => {
    const { stdout } = doctor();
    for (const file of files()) truncateSync(file, 100);
    expect(doctor().stdout).toBe(stdout);
    for (const file of files()) writeFileSync(file, 'nonsense');
    expect(doctor().stdout).toBe(stdout);
    chmodSync(cache(), 0o777);
    expect(doctor().stdout).toBe(stdout);
    expect(doctor({ XDG_CACHE_HOME: '/dev/null' }).stdout).toBe(stdout);
  });
});

describe('R259 installing', () => {
  const lock = JSON.parse(readFileSync(join(REPOSITORY, 'package-lock.json'), 'utf8')) as { packages: Record<string, { dev?: boolean; hasInstallScript?: boolean; resolved?: string; engines?: { node?: string } }> };
  const manifest = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { engines: { node: string }; dependencies?: object; optionalDependencies?: object };

  test('R259 nothing that users install runs a script or a compiler', () => {
    const users = Object.entries(lock.packages).filter(([name, entry]) => name !== '' && !entry.dev);
    expect(users.length).toBeGreaterThan(3);
    expect(users.filter(([, entry]) => entry.hasInstallScript).map(([name]) => name)).toEqual([]);
  });

  test('R259 the lock file names no host, and has every platform of what it pins', () => {
    expect(Object.values(lock.packages).filter((entry) => entry.resolved !== undefined)).toEqual([]);
    for (const name of ['@rolldown/binding-darwin-arm64', '@rolldown/binding-linux-arm64-gnu', '@libsql/darwin-arm64']) {
      expect(lock.packages[`node_modules/${name}`], name).toBeDefined();
    }
  });

  test('R259 Node 20.19 and newer, Linux and macOS', () => {
    expect(manifest.engines.node).toBe('>=20.19');
    expect(Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })).toEqual(['libsql']);
  });
});

describe('R288 the list of requirements', () => {
  const report = (tests: [string, string][]) => {
    const file = join(scratch, 'results.json');
    writeFileSync(file, JSON.stringify({ testResults: [{ assertionResults: tests.map(([fullName, status]) => ({ fullName, status })) }] }));
    return spawnSync(process.execPath, ['scripts/requirements.mjs', '--results', file], { cwd: REPOSITORY, encoding: 'utf8' });
  };

  test('R288 a number is shown by passing tests that carry it, and by nothing else', () => {
    const { stdout, status } = report([['R062 exit code', 'passed'], ['wait R062 R065', 'passed'], ['R066 lies', 'failed'], ['R066 lies less', 'passed'], ['R070 later', 'skipped']]);
    const lines = stdout.split('\n');
    expect(lines).toContain('R062 shown 2');
    expect(lines).toContain('R065 shown 1');
    expect(lines).toContain('R066 missing (a test of it fails)');
    expect(lines).toContain('R070 missing');
    expect(status).toBe(0);
  });

  test('R288 old defects are counted apart', () => {
    const { stdout, status } = report([['D16 R003 a parse error is told', 'passed'], ['D1 D6 success means success', 'failed']]);
    const lines = stdout.split('\n');
    expect(lines).toEqual(expect.arrayContaining(['D16 shown 1', 'D6 missing (a test of it fails)', 'R003 shown 1', expect.stringMatching(/^1 of \d+ old defects shown to be absent$/)]));
    expect(status).toBe(0);
  });

  test('R288 a number that is no requirement is an error', () => {
    const { stdout, status } = report([['R999 what', 'passed']]);
    expect(stdout).toContain('R999 is in a test\'s title but not in test/requirements.txt');
    expect(status).toBe(1);
  });
});
