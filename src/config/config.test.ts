import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { parse } from 'smol-toml';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RunctlError } from '../core/errors.ts';
import { loadConfig, type LoadOptions } from './load.ts';
import { allSettings, SETTINGS } from './settings.ts';
import { describeSettings, showConfig } from './show.ts';
import { initConfig, renderConfigFile, setConfigValue } from './write.ts';

let root: string;
let file: string;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'config-')));
  file = join(root, '.runctl.toml');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const load = (options: Partial<LoadOptions> = {}) => loadConfig({ cwd: root, env: { HOME: join(root, 'home') }, ...options });

async function refused(content: string): Promise<RunctlError> {
  writeFileSync(file, content);
  const error = await load().catch((thrown: unknown) => thrown as RunctlError);
  expect(error).toMatchObject({ name: 'RunctlError', code: 'config-invalid', exitCode: 3 });
  return error as RunctlError;
}

describe('reading', () => {
  test('R002 the tool works without a file: every setting has its default', async () => {
    const { values, sources, file: found, warnings } = await load();
    expect(found).toBeUndefined();
    expect(warnings).toEqual([]);
    expect(values.aws).toMatchObject({ region: undefined, s3_bucket: undefined, default_instance_type: 't3.medium', max_instances: 50 });
    expect(values.train).toMatchObject({ on_failure: 'terminate', timeout_minutes: 0, stop_grace_seconds: 30, env: {} });
    expect(new Set(Object.values(sources))).toEqual(new Set(['default']));
  });

  test.each([
    ['log_dir = "logs"', undefined], ['log_dir = "/mnt/logs"', undefined], ['log_path = "/mnt/{run}.log"', undefined], ['log_path = "~/{run}/training.log"', undefined],
    ['log_dir = ""', 'a directory on the machine'], ['log_path = "/mnt/training.log"', 'so that no run overwrites the log of another'], ['log_path = "/mnt/{run}/"', 'a path with {run} in it'],
  ])('R061 [train] %s', async (line, wrong) => {
    const content = `[train]\n${line}\n`;
    if (wrong === undefined) {
      writeFileSync(file, content);
      const { values } = await load();
      expect(values.train.log_dir ?? values.train.log_path).toBe(/"(.*)"/.exec(line)?.[1]);
    } else expect((await refused(content)).message).toContain(wrong);
  });

  test('R003 a file with only the two lines that every message recommends is valid', async () => {
    writeFileSync(file, '[aws]\ns3_bucket = "x-bucket"\n');
    const { values, sources } = await load();
    expect(values.aws.s3_bucket).toBe('x-bucket');
    expect(values.sync.max_direct_mb).toBe(2);
    expect(sources['aws.s3_bucket']).toBe(`${file}:2`);
    expect(sources['aws.max_instances']).toBe('default');
  });

  test('defaults < file < environment < flags, and each value says where it came from', async () => {
    writeFileSync(file, '[aws]\nregion = "eu-west-1"\nmax_instances = 1\nowner = "file"\n[train]\nenv = { A = "1" }\n');
    const env = { RUNCTL_AWS_MAX_INSTANCES: '7', AWS_DEFAULT_REGION: 'us-west-1', RUNCTL_AWS_OWNER: 'env', RUNCTL_SYNC_EXCLUDE: 'data/, *.mp4', RUNCTL_SIM_LATENCY: 'yes', RUNCTL_TRAIN_ENV: 'B=2,C=x=y', RUNCTL_AWS_S3_BUCKET: '' };
    const loaded = await load({ env, flags: { 'aws.owner': 'flag', 'aws.region': undefined } });
    expect(loaded.values.aws).toMatchObject({ region: 'us-west-1', max_instances: 7, owner: 'flag', s3_bucket: undefined });
    expect(loaded.values.sync.exclude).toEqual(['data/', '*.mp4']);
    expect(loaded.values.train.env).toEqual({ B: '2', C: 'x=y' });
    expect(loaded.values.sim.latency).toBe(true);
    expect(loaded.sources).toMatchObject({ 'aws.region': 'AWS_DEFAULT_REGION', 'aws.max_instances': 'RUNCTL_AWS_MAX_INSTANCES', 'aws.owner': 'flag' });
    expect((await load({ env: { ...env, AWS_REGION: 'us-east-2' } })).values.aws.region).toBe('us-east-2');
    expect((await load({ env: { ...env, AWS_REGION: 'us-east-2', RUNCTL_AWS_REGION: 'us-gov-west-1' } })).values.aws.region).toBe('us-gov-west-1');
    const shown = showConfig(loaded);
    expect(shown).toHaveLength(allSettings().length);
    expect(shown.find((row) => row.name === 'aws.owner')).toMatchObject({ value: 'flag', source: 'flag' });
    expect(shown.find((row) => row.name === 'aws.key_name')).toMatchObject({ value: null, source: 'default' });
  });

  test('bad values in the environment and in flags are named', async () => {
    await expect(load({ env: { RUNCTL_AWS_MAX_INSTANCES: 'many' } })).rejects.toMatchObject({ code: 'config-invalid', message: 'aws.max_instances is "many" in the environment variable RUNCTL_AWS_MAX_INSTANCES' });
    await expect(load({ flags: { 'train.on_failure': 'shrug' } })).rejects.toMatchObject({ code: 'config-invalid', reason: expect.stringContaining('"terminate", "stop", "keep"') });
    const { warnings } = await load({ env: { RUNCTL_AWS_REGOIN: 'x', RUNCTL_SIM_PORT: '1', RUNCTL_OTHER: '1' } });
    expect(warnings).toEqual(['the environment variable RUNCTL_AWS_REGOIN means nothing to runctl: RUNCTL_AWS_REGION?']);
  });

  test('the file is looked for upwards to the root of the checkout, then in the user directory', async () => {
    const deep = join(root, 'project', 'a', 'b');
    mkdirSync(deep, { recursive: true });
    mkdirSync(join(root, 'project', '.git'));
    mkdirSync(join(root, 'xdg', 'runctl'), { recursive: true });
    writeFileSync(file, '[aws]\nowner = "above"\n');
    const env = { XDG_CONFIG_HOME: join(root, 'xdg') };
    expect((await load({ cwd: deep, env })).file).toBeUndefined();
    writeFileSync(join(root, 'xdg', 'runctl', 'config.toml'), '[aws]\nowner = "user"\n');
    expect((await load({ cwd: deep, env })).values.aws.owner).toBe('user');
    writeFileSync(join(root, 'project', '.runctl.toml'), '[aws]\nowner = "project"\n');
    expect((await load({ cwd: deep, env })).values.aws.owner).toBe('project');
    expect((await load({ cwd: deep, env, explicitPath: '../../../.runctl.toml' })).values.aws.owner).toBe('above');
    await expect(load({ cwd: deep, explicitPath: 'no.toml' })).rejects.toMatchObject({ code: 'config-invalid', hints: ['runctl init --config-path no.toml'] });
  });

  test('a directory where anybody may write is not searched from below', async () => {
    mkdirSync(join(root, 'open', 'mine'), { recursive: true });
    chmodSync(join(root, 'open'), 0o777);
    writeFileSync(join(root, 'open', '.runctl.toml'), '[aws]\ns3_bucket = "evil"\n');
    expect((await load({ cwd: join(root, 'open', 'mine') })).file).toBeUndefined();
    expect((await load({ cwd: join(root, 'open') })).file).toBe(join(root, 'open', '.runctl.toml'));
  });
});

describe('mistakes', () => {
  test('an unknown key is told with its line and the nearest name', async () => {
    const error = await refused('# top\n[aws]\nregion = "us-east-1"\ns3_buket = "x"\n');
    expect(error.message).toBe(`${file}:4: there is no setting aws.s3_buket: aws.s3_bucket?`);
    expect(error.hints).toContain('runctl config set aws.s3_bucket VALUE');
    expect(error.data).toMatchObject({ file, line: 4 });
  });

  test('D16 a syntax error keeps the parser’s own words and line', async () => {
    const error = await refused('[aws]\nregion = us-east-1\n');
    expect(error.message).toBe(`${file}:2:10 is not valid TOML`);
    expect(error.reason).toContain('2:  region = us-east-1');
    expect(error.reason).not.toMatch(/^\s*$/);
    expect((await refused('[aws]\nregion = "a"\nregion = "b"\n')).message).toContain(`${file}:3`);
  });

  test('all that is wrong is told at once', async () => {
    const error = await refused('[sinc]\nx = 1\n[aws]\nmax_instances = "9"\n[train]\ntimeout_minutes = 1.5\non_failure = "explode"\n[sync]\nexclude = "data"\nenv = 1\n');
    expect(error.message).toBe(`${file}:1: there is no section [sinc]`);
    expect(error.reason).toContain(`${file}:4: aws.max_instances is "9"; it must be a whole number from 0 to 100000`);
    expect(error.reason).toContain(`${file}:6: train.timeout_minutes is 1.5`);
    expect(error.reason).toContain(`${file}:7: train.on_failure is "explode"; it must be one of "terminate", "stop", "keep"`);
    expect(error.reason).toContain(`${file}:9: sync.exclude is "data"; it must be a list`);
    expect(error.reason).toContain(`${file}:10: there is no setting sync.env: train.env?`);
    expect(error.hints[0]).toBe('[sync]');
  });

  test.each([
    ['s3_bucket = "x-1"\n', ':1: s3_bucket stands outside of any section', '[aws]\ns3_bucket = "x-1"'],
    ['aws = 3\n', ':1: aws is 3, but it is a section', '[aws]'],
    ['[aws]\ns3_bucket = "s3://x"\n', ':2: aws.s3_bucket is "s3://x"; it must be a bucket name', undefined],
    ['aws.regoin = "us-east-1"\n', ':1: there is no setting aws.regoin: aws.region?', undefined],
    ['aws = { a = 1, region = "x" }\n', ':1: there is no setting aws.a', undefined],
    ['[train.env]\nGOOD = "1"\n"BAD-NAME" = "1"\n', ':1: train.env is {"GOOD":"1","BAD-NAME":"1"}', undefined],
    ['[aws]\nmax_instances = 99999999999999999\n', ':2:17 is not valid TOML', undefined],
    ['[aws]\nregion = 1979-05-27\n', ':2: aws.region is "1979-05-27"', undefined],
  ])('%j', async (content, message, hint) => {
    const error = await refused(content);
    expect(error.message).toContain(message);
    if (hint) expect(error.hints[0]).toBe(hint);
  });

  test('R003 keys of the earlier tool: renamed ones work, retired ones only warn', async () => {
    writeFileSync(
      file,
      '[aws]\nuse_spot = true\nspot_max_price = "0.1"\ndefault_project_name = "old"\nuser_id = "me"\n[runpod]\napi_key = "CANARY"\n[local]\ndefault_device = "cpu"\ncheckpoint_dir = "ck"\n[checkpoint]\nsave_interval = 5\n[monitoring]\nlog_dir = "logs"\nenable_warnings = true\n',
    );
    const { values, warnings } = await load();
    expect(values.aws).toMatchObject({ project_name: 'old', owner: 'me', use_spot: true, spot_max_price: 0.1 });
    expect(values.local.device).toBe('cpu');
    expect(warnings).toEqual([
      `${file}:4: aws.default_project_name is now called aws.project_name`,
      `${file}:5: aws.user_id is now called aws.owner`,
      `${file}:6: [runpod] is not used: RunPod is not a provider of this version; remove the section`,
      `${file}:9: local.default_device is now called local.device`,
      expect.stringContaining(':10: local.checkpoint_dir is not used: scripts find the directory to save to in RUNCTL_CHECKPOINT_DIR'),
      expect.stringContaining(':12: checkpoint.save_interval is not used'),
      expect.stringContaining(':14: monitoring.log_dir is not used: set train.log_dir'),
      expect.stringContaining(':15: monitoring.enable_warnings is not used'),
    ]);
    expect(warnings.join()).not.toContain('CANARY');
    writeFileSync(file, '[aws]\nuser_id = "old"\nowner = "new"\n');
    expect((await load()).values.aws.owner).toBe('new');
  });

  test('any text at all is either read or refused as config-invalid', async () => {
    const line = fc.oneof(fc.string(), fc.constantFrom('[aws]', '[train.env]', 'region = "us-east-1"', 'aws.owner = "x"', '[[sync]]', 'exclude = []', '"__proto__" = 1', '[__proto__]', '[constructor]'));
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 6 }), async (lines) => {
        writeFileSync(file, lines.join('\n'));
        await load().catch((error: unknown) => expect(error).toMatchObject({ code: 'config-invalid' }));
      }),
      { numRuns: 300 },
    );
  });
});

describe('writing', () => {
  test('R001 R002 the file that init makes parses, is complete and changes nothing', async () => {
    initConfig(file);
    const parsed = parse(readFileSync(file, 'utf8'));
    expect(Object.keys(parsed)).toEqual(Object.keys(SETTINGS));
    const { values, warnings } = await load();
    expect(warnings).toEqual([]);
    rmSync(file);
    expect(values).toEqual((await load()).values);
    const text = renderConfigFile();
    for (const { key, setting } of describeSettings().map((row) => ({ key: row.name.split('.')[1]!, setting: row }))) {
      expect(text).toContain(`# ${setting.doc}`);
      expect(text).toMatch(new RegExp(`^(# )?${key} = `, 'm'));
    }
    // Uncommenting every example gives a valid file too.
    writeFileSync(file, text.replace(/^# (\w+ = )/gm, '$1'));
    expect((await load()).values.aws.s3_bucket).toBe('my-bucket');
  });

  test('R001 init does not overwrite, unless told to', () => {
    const path = join(root, 'sub', 'x.toml');
    initConfig(path);
    writeFileSync(path, 'mine');
    expect(() => initConfig(path)).toThrow(expect.objectContaining({ code: 'config-invalid', hints: [`runctl init --config-path ${path} --force`, 'runctl config show'] }));
    expect(readFileSync(path, 'utf8')).toBe('mine');
    initConfig(path, { force: true });
    expect(readFileSync(path, 'utf8')).toBe(renderConfigFile());
  });

  test('set keeps comments, order and everything else', async () => {
    writeFileSync(file, '# mine\n[aws] # cloud\nregion = "eu-west-1" # near\n\n# last\n[sync]\nexclude = ["a"] # big\n', { mode: 0o600 });
    await setConfigValue(file, 'aws.region', 'us-west-2');
    await setConfigValue(file, 'aws.s3_bucket', 'my-bucket');
    await setConfigValue(file, 'sync.exclude', 'a,b/*');
    expect(readFileSync(file, 'utf8')).toBe('# mine\n[aws] # cloud\nregion = "us-west-2" # near\ns3_bucket = "my-bucket"\n\n# last\n[sync]\nexclude = ["a", "b/*"] # big\n');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('set puts a value where init left its commented example', async () => {
    initConfig(file);
    const before = readFileSync(file, 'utf8');
    await setConfigValue(file, 'aws.s3_bucket', 'b-1');
    expect(readFileSync(file, 'utf8')).toBe(before.replace('# s3_bucket = "my-bucket"', 's3_bucket = "b-1"'));
  });

  test('every setting can be set, in a new file and in the one of init', async () => {
    for (const start of [undefined, 'init']) {
      if (start) initConfig(file, { force: true });
      for (const { name, kind, fallback, example, choices, min } of describeSettings()) {
        const value = example ?? fallback;
        const word = kind === 'table' ? 'A=1' : kind === 'list' ? 'x,y' : kind === 'choice' ? choices!.at(-1)! : kind === 'integer' || kind === 'number' ? String(Math.ceil(min ?? 0) + 3) : kind === 'boolean' ? 'true' : String(value);
        await setConfigValue(file, name, word);
        const { sources, values } = await load();
        expect(sources[name]).toContain(file);
        expect(JSON.stringify((values as any)[name.split('.')[0]!][name.split('.')[1]!])).toContain(word.split(/[,=]/)[0]);
      }
      rmSync(file);
    }
    await setConfigValue(file, 'train.env.WANDB_MODE', 'off"line\\');
    await setConfigValue(file, 'train.env.B', '');
    expect((await load()).values.train.env).toEqual({ WANDB_MODE: 'off"line\\', B: '' });
  });

  test('R270 a secret is written where it was asked for, in a file for its owner alone, and shown nowhere', async () => {
    const secret = join(root, 'new', '.runctl.toml');
    expect(await setConfigValue(secret, 'train.env.HF_TOKEN', 'canary')).toMatchObject({ name: 'train.env.HF_TOKEN', value: '[redacted]' });
    expect(readFileSync(secret, 'utf8')).toContain('canary');
    expect(statSync(secret).mode & 0o777).toBe(0o600);
    await expect(setConfigValue(secret, 'train.env.BAD-NAME', 'canary')).rejects.toSatisfy((error: Error) => !JSON.stringify([error.message, error]).includes('canary'));
  });

  test('nothing is written when the name, the value or the file is wrong', async () => {
    await expect(setConfigValue(file, 'aws.regoin', 'x')).rejects.toMatchObject({ code: 'config-invalid', hints: ['runctl config set aws.region VALUE'] });
    await expect(setConfigValue(file, 'aws.max_instances', '5.5')).rejects.toMatchObject({ code: 'config-invalid', message: 'aws.max_instances cannot be "5.5"' });
    await expect(setConfigValue(file, 'aws', '5')).rejects.toMatchObject({ code: 'config-invalid' });
    await expect(setConfigValue(file, 'train.env.BAD-NAME', '5')).rejects.toMatchObject({ code: 'config-invalid' });
    await expect(setConfigValue(file, 'runpod.api_key', 'CANARY')).rejects.toMatchObject({ code: 'config-invalid', reason: expect.stringContaining('RunPod') });
    expect(existsSync(file)).toBe(false);
    writeFileSync(file, '[aws\n');
    await expect(setConfigValue(file, 'aws.owner', 'x')).rejects.toMatchObject({ code: 'config-invalid' });
    expect(readFileSync(file, 'utf8')).toBe('[aws\n');
    writeFileSync(file, '');
    expect((await setConfigValue(file, 'aws.user_id', 'me')).warnings).toEqual(['aws.user_id is now called aws.owner']);
    expect(readFileSync(file, 'utf8')).toContain('owner = "me"');
  });

  test('R272 any text survives set and load; a link stays a link', async () => {
    const target = join(root, 'real.toml');
    writeFileSync(target, '[train]\n');
    symlinkSync(target, file);
    const value = fc.string({ unit: 'grapheme', maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(value, async (word) => {
        await setConfigValue(file, 'train.env.V', word);
        expect((await load()).values.train.env).toEqual({ V: word });
      }),
      { numRuns: 200, examples: [['"'], ['\\'], ["'''"], ['\x7f'], ['\n\t#'], ['{{x}}']] },
    );
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
  });
});
