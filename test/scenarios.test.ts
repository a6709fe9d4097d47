// Every file of test/scenarios is a test: command lines of the built program, what they print and their exit codes.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type CliState, copyTraining, openState, runCli, withState } from './support/cli.ts';
import { matchLine, matchLines, parseScenario, runScenario } from './support/scenario.ts';

const DIRECTORY = join(import.meta.dirname, 'scenarios');

for (const file of readdirSync(DIRECTORY).filter((name) => name.endsWith('.txt')).sort()) {
  const scenario = parseScenario(readFileSync(join(DIRECTORY, file), 'utf8'));
  test.concurrent(`${scenario.title} (${file})`, async () => {
    await withState(async (state) => expect(await runScenario(scenario, state).then((problems) => problems.join('\n\n'))).toBe(''));
  }, 120_000);
}

test('the scenario language sees a wrong line, a missing line, a line too many and a wrong exit code', async () => {
  expect(matchLines(['a', '...', 'd'], ['a', 'b', 'c', 'd'])).toBe(true);
  expect(matchLines(['a', '...'], ['a'])).toBe(true);
  expect(matchLines(['a'], ['a', 'b'])).toBe(false);
  expect(matchLines(['a', 'b'], ['a'])).toBe(false);
  expect(matchLine('id <instance> (*)', 'id i-0123456789abcdef0 (any)')).toBe(true);
  expect(matchLine('id <instance>', 'id i-0123')).toBe(false);
  const wrong = parseScenario('# t\n$ echo out; echo err >&2; exit_code() { return 3; }; exit_code\nother\n! nothing\n? 4\n');
  const [problem] = await withState((state) => runScenario(wrong, state));
  for (const part of ['exit code 3, not 4', 'stdout is not\n  other', 'stderr lacks, or has in another order: nothing']) expect(problem).toContain(part);
});

describe('R081 stdout is one JSON document with --output json', () => {
  async function json(state: CliState, ...args: string[]): Promise<unknown> {
    const end = args.includes('--') ? args.indexOf('--') : args.length;
    const { code, stdout, stderr } = await runCli([...args.slice(0, end), '--output', 'json', ...args.slice(end)], { state });
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout);
  }

  test('R081 R032 every command of the story of one machine, in JSON', async () => {
    const state = openState();
    try {
      copyTraining(state);
      expect(await json(state, 'sim', 'start')).toMatchObject({ started: true, endpoint: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) });
      const sim = async (...args: string[]): Promise<any> => json(state, ...args.slice(0, 2), '--sim', ...args.slice(2));
      expect(await sim('doctor')).toMatchObject({ ok: true, checks: expect.any(Array) });
      const made = await sim('aws', 'create', 't3.micro', '--iam-instance-profile', 'runctl-ssm-profile', '--wait');
      expect(made).toMatchObject({ instanceType: 't3.micro', market: 'on-demand', state: 'running', ssm: 'connected', iamInstanceProfile: 'runctl-ssm-profile', dryRun: false });
      const id: string = made.instanceId;
      expect(id).toMatch(/^i-[0-9a-f]{17}$/);
      expect(await sim('aws', 'wait', id)).toMatchObject({ instanceId: id, ssm: 'connected' });
      expect(await sim('aws', 'wait-ssm', id)).toMatchObject({ instanceId: id, ssm: 'connected' });
      expect(await sim('aws', 'status', id)).toMatchObject({ instanceId: id, state: 'running', instanceType: 't3.micro', ssm: 'online', trainingStatus: 'none' });
      const trained = await sim('aws', 'train', id, 'training/train_mnist_e2e.py', '--wait', '--', '--epochs', '1');
      expect(trained).toMatchObject({ instanceId: id, phase: 'succeeded', exitCode: 0, script: 'training/train_mnist_e2e.py', checkpoints: [expect.stringContaining('epoch-001.json')] });
      expect(await sim('aws', 'training-status', id)).toMatchObject({ instanceId: id, runId: trained.runId, phase: 'succeeded', exitCode: 0, epoch: 1, epochs: 1 });
      expect(await sim('runs', 'list')).toEqual(expect.arrayContaining([expect.objectContaining({ runId: trained.runId, state: 'succeeded', verb: 'train' })]));
      expect(await sim('runs', 'show', trained.runId)).toMatchObject({ runId: trained.runId, state: 'succeeded', machineId: id });
      expect(await sim('aws', 'stop', id, '--wait')).toMatchObject({ instanceId: id, state: 'stopped', previousState: 'running' });
      expect(await sim('aws', 'start', id, '--wait')).toMatchObject({ instanceId: id, state: 'running', previousState: 'stopped', ssm: 'connected' });
      expect(await sim('aws', 'terminate', id, '--wait')).toMatchObject({ instanceId: id, state: 'terminated', previousState: 'running' });
      expect(await json(state, 'sim', 'status')).toMatchObject({ running: true });
      expect(await json(state, 'sim', 'env')).toMatchObject({ AWS_ENDPOINT_URL: expect.stringContaining('127.0.0.1') });
      expect(await json(state, 'config', 'show')).toMatchObject({ settings: expect.any(Array) });
      expect(await json(state, 'config', 'validate')).toMatchObject({ valid: true });
      expect(await json(state, 'sim', 'reset', '--yes')).toEqual({ reset: true });
      expect(await json(state, 'sim', 'stop')).toEqual({ stopped: true });
    } finally {
      await state.close();
    }
  }, 60_000);

  test('R081 with jsonl every line of stdout is a JSON document, events first, the result last', async () => {
    await withState(async (state) => {
      copyTraining(state);
      const { code, stdout } = await runCli(['local', 'training/train_mnist_e2e.py', '--output', 'jsonl', '--', '--epochs', '1'], { state });
      expect(code).toBe(0);
      const lines = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as { kind: string });
      expect(lines[0]).toMatchObject({ kind: 'run.started', verb: 'train' });
      expect(lines.at(-1)).toMatchObject({ kind: 'result', result: { phase: 'succeeded', exitCode: 0 } });
      expect(lines.filter((line) => line.kind === 'result')).toHaveLength(1);
      expect(lines.some((line) => line.kind === 'log.line')).toBe(true);
    });
  });

  test('R081 an error is one JSON document on stderr, with its exit code in it', async () => {
    await withState(async (state) => {
      const { code, stdout, stderr } = await runCli(['local', 'nowhere.py', '--output', 'json'], { state });
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'script-missing', exitCode: 1, message: expect.stringContaining('nowhere.py'), hints: expect.any(Array) } });
    });
  });
});
