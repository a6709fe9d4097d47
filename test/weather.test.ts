// Weather from the command line and from a file, as users make it; and the page about it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { KINDS } from '../src/sim/weather/plan.ts';
import { copyTraining, runCli, runShell, withState } from './support/cli.ts';
import { blocksOf, readDocument } from './support/doc-commands.ts';

describe.concurrent('R205 weather from the command line', () => {
  test('R205 a fault is added, listed with its count, met by a client, and cleared', async () => {
    await withState(async (state) => {
      const added = await runCli(['sim', 'weather', 'add', 'error', '--operation', 'ec2.DescribeInstances', '--code', 'OptInRequired', '--message', 'sign up first', '--status', '403', '--skip', '0', '--times', '1'], { state });
      expect(added).toMatchObject({ code: 0, stderr: '' });
      expect(added.stdout).toMatch(/^w1 +error OptInRequired 403 +ec2\.DescribeInstances +once +active +0$/m);
      const failed = await runCli(['aws', 'status', 'i-0123456789abcdef0', '--sim'], { state });
      expect(failed.code).not.toBe(0);
      expect(failed.stderr).toContain('OptInRequired');
      const listed = JSON.parse((await runCli(['sim', 'weather', 'list', '--output', 'json'], { state })).stdout) as object[];
      expect(listed).toEqual([{ id: 'w1', hits: 1, state: 'over', rule: { kind: 'error', operation: 'ec2.DescribeInstances', skip: 0, times: 1, afterMs: 0, code: 'OptInRequired', message: 'sign up first', status: 403 } }]);
      expect((await runCli(['sim', 'weather', 'add', 'slow', '--delay', '10ms', '--after', '90s', '--for', '2m', '--instance', 'i-0123456789abcdef0'], { state })).stdout).toMatch(/^w2 +slow 0\.01 s +\* i-0123456789abcdef0 +after 90 s, for 120 s +waiting +0$/m);
      expect((await runCli(['sim', 'weather', 'clear', 'w1'], { state })).stdout).toBe('1 fault dropped\n');
      expect((await runCli(['sim', 'weather', 'add', 'clock-skew', '--skew', '5m'], { state })).stdout).toMatch(/^w3 +clock-skew 300 s/m);
      expect((await runCli(['sim', 'weather', 'add', 'spot-capacity', '--type', 't3.micro', '--capacity', '3'], { state })).stdout).toMatch(/^w4 +spot-capacity 3 machines +t3\.micro/m);
      expect((await runCli(['sim', 'weather', 'clear'], { state })).stdout).toBe('3 faults dropped\n');
      expect((await runCli(['sim', 'weather', 'list'], { state })).stdout).toContain('Fair weather');
    });
  });

  test('R205 what is wrong is named: kind, operation, field, id; without a cloud there is no plan', async () => {
    await withState(async (state) => {
      const said = async (...args: string[]): Promise<string> => {
        const { code, stderr } = await runCli(['sim', 'weather', ...args], { state });
        return `${code} ${stderr}`;
      };
      expect(await said('list')).toMatch(/^2 error: the built-in cloud is not running[^]*runctl sim start/);
      expect(await said('add', 'throtle')).toMatch(/^1 error: there is no weather of kind "throtle"[^]*runctl sim weather add throttle\n/);
      expect(await said('add', 'throttle', '--operation', 'ssm.SendComand')).toMatch(/^1 error: service ssm has no operation SendComand\n[^\n]*SendCommand/);
      expect(await said('add', 'error')).toMatch(/^1 error: weather of kind error needs the field code/);
      expect(await said('add', 'throttle', '--times', 'often')).toMatch(/^1 error: /);
      expect(await said('add', 'spot-capacity', '--type', 't3.micro', '--capacity', 'many')).toMatch(/^1 error: capacity must be a whole number from 0, not "many"/);
      expect(await said('clear', 'w5')).toMatch(/^1 error: there is no weather w5[^]*runctl sim weather list/);
    });
  });

  test('R205 R208 a plan in a file, TOML or JSON, given to load or to start, is taken whole and kept over a restart', async () => {
    await withState(async (state) => {
      const file = (name: string, text: string): string => {
        writeFileSync(join(state.project, name), text);
        return name;
      };
      const toml = file('weather.toml', '# a bad day\n[[weather]]\nkind = "slow"\noperation = "s3.*"\nbytes_per_second = 1000\nfor = "1m"\n\n[[weather]]\nkind = "reset"\ntimes = 2\n');
      const started = await runCli(['sim', 'start', '--weather', toml], { state });
      expect(started).toMatchObject({ code: 0, stderr: '' });
      const kinds = async (): Promise<string[]> => (JSON.parse((await runCli(['sim', 'weather', 'list', '--output', 'json'], { state })).stdout) as { rule: { kind: string } }[]).map(({ rule }) => rule.kind);
      expect(await kinds()).toEqual(['slow', 'reset']);
      await runCli(['sim', 'stop'], { state });
      await runCli(['sim', 'start'], { state });
      expect(await kinds()).toEqual(['slow', 'reset']);
      await runCli(['sim', 'weather', 'load', file('weather.json', '{ "weather": [{ "kind": "bucket-elsewhere", "bucket-region": "eu-west-1" }, { "kind": "spot-price", "type": "t3.micro", "price": 0.02, "for": "1h" }] }')], { state });
      expect(await kinds()).toEqual(['bucket-elsewhere', 'spot-price']);
      const wrong: [string, string, RegExp][] = [
        ['half.toml', '[[weather]]\nkind = "throttle"\n[[weather]]\nkind = "thunder"\n', /^1 error: there is no weather of kind "thunder"/],
        ['broken.toml', '[[weather', /^3 error: \S+broken\.toml:1:\d+ is not valid TOML/],
        ['broken.json', '{', /^3 error: \S+broken\.json is not valid JSON/],
        ['empty.toml', '', /^3 error: \S+empty\.toml is no plan of weather\n +it has no rules/],
        ['other.toml', '[aws]\nregion = "us-east-1"\n', /^3 error: \S+other\.toml is no plan of weather\n +it has aws/],
      ];
      for (const [name, text, expected] of wrong) {
        const { code, stderr } = await runCli(['sim', 'weather', 'load', file(name, text)], { state });
        expect(`${code} ${stderr}`).toMatch(expected);
      }
      expect(`${(await runCli(['sim', 'start', '--weather', 'absent.toml'], { state })).stderr}`).toContain('absent.toml cannot be read');
      expect(await kinds(), 'what was refused changed nothing').toEqual(['bucket-elsewhere', 'spot-price']);
      await runCli(['sim', 'reset', '--yes'], { state });
      expect(await kinds()).toEqual([]);
    });
  });

  test('R205 R288 the page about weather names every kind, and all of its command lines do what it says', async () => {
    const page = readDocument('docs/weather.md');
    for (const kind of Object.keys(KINDS)) expect(page, kind).toContain(`\`${kind}\``);
    const blocks = blocksOf('docs/weather.md');
    await withState(async (state) => {
      copyTraining(state);
      writeFileSync(join(state.project, 'weather.toml'), blocks.find(({ language }) => language === 'toml')!.text);
      const outcomes: string[] = [];
      for (const { text } of blocks.filter(({ language }) => language === 'sh')) {
        // Each block on a cloud of its own, as a reader would try it.
        const { stdout, stderr } = await runShell(`runctl sim start >/dev/null && runctl sim reset --yes >/dev/null\n${text}\necho "=> $?"`, { state, timeoutMs: 60_000 });
        outcomes.push(`${stdout}${stderr}`);
      }
      for (const outcome of outcomes) expect(outcome).toContain('=> 0');
      const [afterLostReply, afterLoss] = outcomes.slice(-2) as [string, string];
      expect(afterLostReply).toMatch(/Machines: +1 running/);
      expect(afterLoss).toMatch(/Server\.InternalError/);
    });
  }, 120_000);
});
