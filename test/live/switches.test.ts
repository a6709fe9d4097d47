// The suite for a real account: that it is off unless it was meant, and that it would work.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { REPOSITORY } from '../support/cli.ts';
import { readSwitches } from './switches.ts';

const REAL = { RUNCTL_LIVE: '1', AWS_REGION: 'eu-west-1', RUNCTL_LIVE_MAX_USD_PER_HOUR: '0.02' };

describe('R119 a real account', () => {
  test('R119 off unless it is asked for, and then with the cheapest type', () => {
    expect(readSwitches({})).toBeUndefined();
    expect(readSwitches({ ...REAL, RUNCTL_LIVE: '0' })).toBeUndefined();
    expect(readSwitches(REAL)).toEqual({ endpoint: undefined, region: 'eu-west-1', type: 't3.nano', profile: 'runctl-ssm-profile', maxUsdPerHour: 0.02 });
  });

  test.each([
    ['no region', { AWS_REGION: '' }, /AWS_REGION is not set/],
    ['no limit of price', { RUNCTL_LIVE_MAX_USD_PER_HOUR: undefined }, /RUNCTL_LIVE_MAX_USD_PER_HOUR is not set/],
    ['a limit that is none', { RUNCTL_LIVE_MAX_USD_PER_HOUR: 'cheap' }, /not a price/],
    ['an endpoint that leads elsewhere', { AWS_ENDPOINT_URL: 'http://127.0.0.1:5000' }, /leads away from AWS/],
    ['an endpoint of one service that leads elsewhere', { AWS_ENDPOINT_URL_EC2: 'http://127.0.0.1:5000' }, /AWS_ENDPOINT_URL_EC2 leads away/],
    ['a run that nobody attends', { CI: 'true' }, /CI is set/],
    ['AWS by the back door', { RUNCTL_LIVE_ENDPOINT: 'https://ec2.eu-west-1.amazonaws.com' }, /AWS itself/],
    ['an endpoint that is none', { RUNCTL_LIVE_ENDPOINT: 'localhost' }, /neither "sim" nor a URL/],
  ] as [string, Record<string, string | undefined>, RegExp][])('R119 %s is refused before anything is asked of a cloud', (_what, env, message) => {
    expect(() => readSwitches({ ...REAL, ...env })).toThrow(message);
  });

  test('R119 the suite works: with the built-in cloud as its endpoint all of it passes', async () => {
    const env = { ...process.env, RUNCTL_LIVE: '1', RUNCTL_LIVE_ENDPOINT: 'sim', CI: 'true', NO_COLOR: '1' };
    const file = join(mkdtempSync(join(tmpdir(), 'runctl-live-')), 'results.json');
    const child = spawn(process.execPath, [join(REPOSITORY, 'node_modules/vitest/vitest.mjs'), 'run', 'test/live/live.test.ts', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`], { cwd: REPOSITORY, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (part: Buffer) => (output += String(part)));
    child.stderr.on('data', (part: Buffer) => (output += String(part)));
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(code, output).toBe(0);
    const results = JSON.parse(readFileSync(file, 'utf8')) as { numPassedTests: number; numFailedTests: number; numPendingTests: number };
    rmSync(dirname(file), { recursive: true });
    expect(results).toMatchObject({ numFailedTests: 0, numPendingTests: 0 });
    expect(results.numPassedTests).toBeGreaterThanOrEqual(13);
    expect(output).toMatch(/live: .* minutes of t3\.nano at \$0\.\d{4} an hour/);
  }, 180_000);
});
